"""The My Account API, ``/me/v1``: what people do with their own passkeys and their password (auth0-behaviour 2.9)."""

from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.passkeys import PasskeyRecord
from keystead.errors import (
    AccountGone,
    BadRequest,
    CeremonyExpired,
    CeremonyRefused,
    ConnectionNotAllowed,
    LastWayIn,
    NoSuchPasskey,
    OperationNotSupported,
    PasskeyLimitReached,
    PasskeyNotAllowed,
    PasskeyTaken,
    PasswordLeaked,
    StepUpRequired,
    TooManyAttempts,
    WeakPassword,
)
from keystead.flows.passkey_enrolment import Proved
from keystead.oauth.bearers import Bearer
from keystead.rules.base64url import encode
from keystead.rules.claims import iso
from keystead.rules.password_policy import STEP_UP as PASSWORD_STEP_UP
from keystead.secrecy import Secret
from keystead.web.answers import Json
from keystead.web.auth_api import PASSKEY_OPTIONS, passkey_party
from keystead.web.endpoints import Asked, Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of
from keystead.web.parameters import Choice
from keystead.web.shapes import FLAG, MOMENT, OBJECT, TEXT, Shape, each, either, text, word

_NEW = "passkey|new"
_NEW_PASSWORD = "password|new"  # noqa: S105 - the id of one that is being chosen
_LONGEST_PASSWORD = 256
_TYPE: Final = Choice(
    "type",
    ("passkey", "password", "phone", "email", "totp", "push-notification", "recovery-code"),
    says="type is not a kind of authentication method",
)

_READ: Final = ("read:me:authentication_methods",)
_CREATE: Final = ("create:me:authentication_methods",)

PASSKEY: Final = Shape(
    "OwnPasskey",
    {
        "id": TEXT,
        "type": word("passkey"),
        "created_at": MOMENT,
        "usage": each(TEXT),
        "identity_user_id": TEXT,
        "key_id": TEXT,
        "public_key": TEXT,
        "user_handle": TEXT,
        "credential_device_type": word("multi_device", "single_device"),
        "credential_backed_up": FLAG,
        "transports": each(TEXT),
        "user_agent": TEXT,
        "aaguid": TEXT,
        "relying_party_id": TEXT,
    },
    {"name": TEXT, "last_auth_at": MOMENT},
)
_PASSWORD: Final = Shape(
    "OwnPassword",
    {"id": TEXT, "type": word("password"), "created_at": MOMENT, "usage": each(TEXT), "identity_user_id": TEXT},
    {"last_password_reset": MOMENT},
)

METHODS: Final = Scoped(
    "List my passkeys",
    api="my_account",
    scopes=_READ,
    query=(_TYPE,),
    answers={200: Shape("OwnMethods", {"authentication_methods": each(PASSKEY)})},
)


async def methods(request: Request) -> Response:
    """``GET /me/v1/authentication-methods?type=``."""
    asked = await METHODS.read(request)
    here = asked[_TYPE] in (None, "passkey")
    found = await flows_of(request).enrolment.list(asked.bearer.subject) if here else []
    return Json({"authentication_methods": [shown(each) for each in found]})


METHOD: Final = Scoped(
    "Show one of my passkeys", api="my_account", scopes=_READ, answers={200: PASSKEY}, refuses=(NoSuchPasskey,)
)


async def method(request: Request) -> Response:
    """``GET /me/v1/authentication-methods/{id}``."""
    person = (await METHOD.read(request)).bearer
    wanted = request.path_params["id"]
    found = next((each for each in await flows_of(request).enrolment.list(person.subject) if each.id == wanted), None)
    if found is None:
        raise NoSuchPasskey
    return Json(shown(found))


BEGIN: Final = Scoped(
    "Begin to add a passkey or to change my password",
    api="my_account",
    scopes=_CREATE,
    body=Body(Shape("NewMethod", {"type": word("passkey", "password")}, {"use_exclude_credentials": FLAG}, OBJECT)),
    answers={
        202: either(
            PASSKEY_OPTIONS,
            Shape("PasswordPolicyShown", {"id": TEXT, "auth_session": TEXT, "policy": OBJECT}),
        )
    },
    refuses=(StepUpRequired, ConnectionNotAllowed, OperationNotSupported, PasskeyLimitReached, TooManyAttempts),
)


async def begin(request: Request) -> Response:
    """``POST /me/v1/authentication-methods``: options for one more passkey (PK-30, PK-31)."""
    flows, asked = flows_of(request), await BEGIN.read(request)
    body = asked.body
    person = await _fresh(request, asked, password=body.get("type") == "password")
    if body.get("type") == "password":
        return await _begin_password(request, person)
    if body.get("type") != "passkey":
        raise BadRequest("type must be passkey or password", path="type")
    exclude = body.get("use_exclude_credentials", False)
    if not isinstance(exclude, bool):
        raise BadRequest("use_exclude_credentials must be true or false", path="use_exclude_credentials")
    client = await flows.clients.known(person.client_id)
    profile = await flows.users.profile(person.subject)
    connection = await flows.directory.by_id(profile.connection_id, person.client_id)
    party = passkey_party(request, client, connection)
    options = await flows.enrolment.begin(connection, profile.user_id, party, exclude=exclude)
    # The id is the last segment of Location, encoded as SDKs send it back (client-demands).
    location = f"{flows.settings.public_url}/me/v1/authentication-methods/passkey%7Cnew"
    answer = {"authn_params_public_key": options.public_key, "auth_session": options.auth_session}
    return Json(answer, 202, {"location": location, "cache-control": "no-store"})


async def _begin_password(request: Request, person: Bearer) -> Response:
    """``{"type": "password"}``: the policy for another password, and a handle (RS-13)."""
    flows = flows_of(request)
    auth_session, policy = await flows.password_change.begin(person.subject, person.client_id)
    shown = policy.model_dump(mode="json")
    shown["dictionary"].pop("custom")  # an administrator's own words are for the server to judge
    location = f"{flows.settings.public_url}/me/v1/authentication-methods/password%7Cnew"
    answer = {"id": _NEW_PASSWORD, "auth_session": auth_session, "policy": shown}
    return Json(answer, 202, {"location": location, "cache-control": "no-store"})


async def _verify_password(request: Request, proved: Proved, client_id: str, body: dict[str, Any]) -> Response:
    password = body.get("new_password")
    if not isinstance(password, str) or not 1 <= len(password) <= _LONGEST_PASSWORD:
        raise BadRequest(f"new_password must be a text of 1 to {_LONGEST_PASSWORD} characters", path="new_password")
    profile = await flows_of(request).password_change.finish(
        str(body["auth_session"]), proved, client_id, Secret(password), caller_of(request)
    )
    found = {
        "id": f"password|{profile.local_id}",
        "type": "password",
        "created_at": iso(profile.created_at),
        "usage": ["primary"],
        "identity_user_id": profile.local_id,
    }
    reset = profile.last_password_reset
    return Json(found | ({"last_password_reset": iso(reset)} if reset else {}), 201)


VERIFY: Final = Scoped(
    "Store my new passkey or password",
    api="my_account",
    scopes=_CREATE,
    body=Body(
        Shape(
            "NewMethodProof",
            {"auth_session": text(1)},
            {"authn_response": OBJECT, "new_password": text(1, _LONGEST_PASSWORD)},
        )
    ),
    answers={201: either(PASSKEY, _PASSWORD)},
    refuses=(
        *(NoSuchPasskey, StepUpRequired, CeremonyExpired, CeremonyRefused, PasskeyNotAllowed),
        *(PasskeyTaken, PasskeyLimitReached),
        *(WeakPassword, PasswordLeaked, TooManyAttempts, AccountGone, ConnectionNotAllowed),
    ),
)


async def verify(request: Request) -> Response:
    """``POST /me/v1/authentication-methods/{id}/verify``: 201 with the new passkey, or with the changed password."""
    flows, asked = flows_of(request), await VERIFY.read(request)
    person = await _fresh(request, asked, password=request.path_params["id"] == _NEW_PASSWORD)
    body = asked.body
    auth_session = body.get("auth_session")
    if request.path_params["id"] not in (_NEW, _NEW_PASSWORD):
        raise NoSuchPasskey
    if not isinstance(auth_session, str) or not auth_session:
        raise BadRequest("Missing required property: auth_session", path="auth_session")
    assert person.authenticated_at is not None  # fresh, so it has one
    proved = Proved(person.subject, person.authenticated_at, person.session_id)
    if request.path_params["id"] == _NEW_PASSWORD:
        return await _verify_password(request, proved, person.client_id, body)
    ceremony = await flows.enrolment.ceremonies.claim(auth_session, ("enrolment",), client_id=person.client_id)
    stored = await flows.enrolment.finish(ceremony, proved, body.get("authn_response"), caller_of(request))
    return Json(shown(stored), 201)


REMOVE: Final = Scoped(
    "Remove one of my passkeys",
    api="my_account",
    scopes=("delete:me:authentication_methods",),
    answers={204: None},
    refuses=(NoSuchPasskey, StepUpRequired, LastWayIn),
)


async def remove(request: Request) -> Response:
    """``DELETE /me/v1/authentication-methods/{id}``."""
    person = await _fresh(request, await REMOVE.read(request))
    flows, wanted = flows_of(request), request.path_params["id"]
    assert person.authenticated_at is not None  # fresh, so it has one
    proved = Proved(person.subject, person.authenticated_at, person.session_id)
    await flows.enrolment.remove(proved, wanted, caller_of(request), client_id=person.client_id)
    return Response(status_code=204)


def shown(record: PasskeyRecord) -> dict[str, Any]:
    """Return a passkey as its owner sees it."""
    found: dict[str, Any] = {
        "id": record.id,
        "type": "passkey",
        "created_at": iso(record.created_at),
        "usage": ["primary"],
        "identity_user_id": record.user_id.partition("|")[2],
        "key_id": encode(record.credential_id),
        "public_key": encode(record.public_key),
        "user_handle": encode(record.user_handle),
        "credential_device_type": "multi_device" if record.backup_eligible else "single_device",
        "credential_backed_up": record.backed_up,
        "transports": record.transports,
        "user_agent": record.user_agent,
        "aaguid": record.aaguid,
        "relying_party_id": record.rp_id,
    }
    optional = {"name": record.name, "last_auth_at": iso(record.last_used_at) if record.last_used_at else None}
    return found | {name: value for name, value in optional.items() if value is not None}


async def _fresh(request: Request, asked: Asked, *, password: bool = False) -> Bearer:
    """Return the caller, whose login must be recent: a stolen token must not be able to plant a passkey.

    How recent is for the connection's passkey policy to say, but for passwords.
    """
    enrolment, person = flows_of(request).enrolment, asked.bearer
    within = PASSWORD_STEP_UP
    if not password:
        within = timedelta(seconds=(await enrolment.policy_for(person.subject)).step_up_seconds)
    enrolment.require_fresh(person.authenticated_at, within)
    return person
