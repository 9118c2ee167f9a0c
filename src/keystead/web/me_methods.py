"""The My Account API, ``/me/v1``: what people prove themselves with, naming and removing it (auth0-behaviour 2.9)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.passkeys import PasskeyRecord
from keystead.errors import (
    BadRequest,
    CeremonyExpired,
    ConnectionNotAllowed,
    LastWayIn,
    NoSuchPasskey,
    OperationNotSupported,
    StepUpRequired,
)
from keystead.flows.passkey_enrolment import Proved
from keystead.oauth.bearers import Bearer
from keystead.rules.base64url import encode
from keystead.rules.claims import iso
from keystead.rules.passkey_names import LONGEST
from keystead.rules.password_policy import STEP_UP as PASSWORD_STEP_UP
from keystead.rules.profiles import Profile
from keystead.web.answers import Json
from keystead.web.endpoints import Asked, Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of
from keystead.web.parameters import Choice
from keystead.web.shapes import FLAG, MOMENT, TEXT, Shape, each, either, text, word
from keystead.web.signals import SIGNALS as SIGNAL_LIST
from keystead.web.signals import shown as as_data

_TYPE: Final = Choice(
    "type",
    ("passkey", "password", "phone", "email", "totp", "push-notification", "recovery-code"),
    says="type is not a kind of authentication method",
)

_READ: Final = ("read:me:authentication_methods",)

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
PASSWORD: Final = Shape(
    "OwnPassword",
    {"id": TEXT, "type": word("password"), "created_at": MOMENT, "usage": each(TEXT), "identity_user_id": TEXT},
    {"last_password_reset": MOMENT},
)

METHODS: Final = Scoped(
    "List my passkeys and my password",
    api="my_account",
    scopes=_READ,
    query=(_TYPE,),
    answers={200: Shape("OwnMethods", {"authentication_methods": each(either(PASSKEY, PASSWORD))})},
)


async def methods(request: Request) -> Response:
    """``GET /me/v1/authentication-methods?type=``."""
    asked = await METHODS.read(request)
    found = await _all(request, asked.bearer)
    return Json({"authentication_methods": [one for one in found if asked[_TYPE] in (None, one["type"])]})


METHOD: Final = Scoped(
    "Show one of my passkeys or my password",
    api="my_account",
    scopes=_READ,
    answers={200: either(PASSKEY, PASSWORD)},
    refuses=(NoSuchPasskey,),
)


async def method(request: Request) -> Response:
    """``GET /me/v1/authentication-methods/{id}``."""
    return Json(await _one(request, (await METHOD.read(request)).bearer))


async def _all(request: Request, person: Bearer) -> list[dict[str, Any]]:
    """Return everything that the person can have proved themselves with: the password first, then passkeys by age."""
    flows = flows_of(request)
    profile = await flows.users.profile(person.subject)
    password = [shown_password(profile)] if profile.has_password else []
    return [*password, *(shown(each) for each in await flows.own_passkeys.list(person.subject))]


async def _one(request: Request, person: Bearer) -> dict[str, Any]:
    wanted = request.path_params["id"]
    found = next((each for each in await _all(request, person) if each["id"] == wanted), None)
    if found is None:
        raise NoSuchPasskey
    return found


FACTORS: Final = Scoped(
    "List what I can prove myself with",
    api="my_account",
    scopes=("read:me:factors",),
    answers={
        200: Shape(
            "Factors",
            {"factors": each(Shape("Factor", {"type": word("password", "passkey"), "usage": each(word("primary"))}))},
        )
    },
    refuses=(ConnectionNotAllowed,),
)


async def factors(request: Request) -> Response:
    """``GET /me/v1/factors``: what the connection takes, whether the person has one or not."""
    person, flows = (await FACTORS.read(request)).bearer, flows_of(request)
    profile = await flows.users.profile(person.subject)
    options = (await flows.directory.by_id(profile.connection_id, person.client_id)).policy().methods
    enabled = {"password": options.password.enabled, "passkey": options.passkey.enabled}
    return Json({"factors": [{"type": factor, "usage": ["primary"]} for factor, on in enabled.items() if on]})


SIGNALS: Final = Scoped(
    "List what to tell the browser about my passkeys",
    api="my_account",
    scopes=_READ,
    answers={200: Shape("OwnSignals", {"signals": SIGNAL_LIST})},
)


async def signals(request: Request) -> Response:
    """``GET /me/v1/keystead/signals``: what the browser of the person should be told now."""
    person = (await SIGNALS.read(request)).bearer
    found = await flows_of(request).signals.of_owner(person.subject)
    return Json({"signals": as_data(found)}, headers={"cache-control": "no-store"})


UPDATE: Final = Scoped(
    "Rename one of my passkeys",
    api="my_account",
    scopes=("update:me:authentication_methods",),
    body=Body(Shape("OwnMethodEdit", {}, {"name": text(1, LONGEST)})),
    answers={200: PASSKEY},
    refuses=(NoSuchPasskey, OperationNotSupported),
)


async def update(request: Request) -> Response:
    """``PATCH /me/v1/authentication-methods/{id}``: a name changes nothing about who may log in, so no step-up."""
    asked = await UPDATE.read(request)
    person, wanted, name = asked.bearer, request.path_params["id"], _new_name(asked.body)
    if wanted.startswith("password|"):
        raise OperationNotSupported("A password has no name.")
    if name is None:
        return Json(await _one(request, person))
    renamed = await flows_of(request).own_passkeys.rename(
        person.subject, wanted, name, caller_of(request), client_id=person.client_id
    )
    return Json(shown(renamed))


def _new_name(body: Mapping[str, Any]) -> str | None:
    """Return the name that a PATCH gives, if it gives one. Raises ``BadRequest`` for whatever else it says."""
    if "preferred_authentication_method" in body:
        raise BadRequest("That is for phones; a passkey has no such thing", path="preferred_authentication_method")
    others = set(body) - {"name"}
    if others:
        raise BadRequest(f"Additional properties not allowed: {min(others)[:100]}", path="")
    name = body.get("name")
    if "name" in body and not isinstance(name, str):
        raise BadRequest("must be a text", path="name")
    return name


REMOVE: Final = Scoped(
    "Remove one of my passkeys, or my password",
    api="my_account",
    scopes=("delete:me:authentication_methods",),
    answers={204: None},
    refuses=(NoSuchPasskey, StepUpRequired, LastWayIn, OperationNotSupported, CeremonyExpired),
)


async def remove(request: Request) -> Response:
    """``DELETE /me/v1/authentication-methods/{id}``."""
    flows, wanted = flows_of(request), request.path_params["id"]
    password = wanted.startswith("password|")
    person = await fresh(request, await REMOVE.read(request), password=password)
    assert person.authenticated_at is not None  # fresh, so it has one
    proved = Proved(person.subject, person.authenticated_at, person.session_id)
    remove = flows.password_removal if password else flows.own_passkeys.remove
    await remove(proved, wanted, caller_of(request), client_id=person.client_id)
    return Response(status_code=204)


def shown_password(profile: Profile) -> dict[str, Any]:
    """Return a password as its owner sees it: that there is one."""
    found = {
        "id": profile.password_id,
        "type": "password",
        "created_at": iso(profile.created_at),
        "usage": ["primary"],
        "identity_user_id": profile.local_id,
    }
    reset = profile.last_password_reset
    return found | ({"last_password_reset": iso(reset)} if reset else {})


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


async def fresh(request: Request, asked: Asked, *, password: bool = False) -> Bearer:
    """Return the caller, whose login must be recent: a stolen token must not be able to plant a passkey.

    How recent is for the connection's passkey policy to say, but for passwords.
    """
    enrolment, person = flows_of(request).enrolment, asked.bearer
    within = PASSWORD_STEP_UP
    if not password:
        within = timedelta(seconds=(await enrolment.policy_for(person.subject)).step_up_seconds)
    enrolment.require_fresh(person.authenticated_at, within)
    return person
