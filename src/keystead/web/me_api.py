"""The My Account API, ``/me/v1``: adding a passkey, and changing the password (auth0-behaviour 2.9)."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import (
    AccountGone,
    BadRequest,
    CeremonyExpired,
    CeremonyRefused,
    ConnectionNotAllowed,
    NoSuchPasskey,
    OperationNotSupported,
    PasskeyLimitReached,
    PasskeyNotAllowed,
    PasskeyTaken,
    PasswordLeaked,
    RefusedByScript,
    StepUpRequired,
    TooManyAttempts,
    WeakPassword,
)
from keystead.flows.passkey_enrolment import Proved
from keystead.oauth.bearers import Bearer
from keystead.secrecy import Secret
from keystead.web.answers import Json
from keystead.web.auth_api import PASSKEY_OPTIONS, passkey_party
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of
from keystead.web.me_methods import PASSKEY, PASSWORD, fresh, shown, shown_password
from keystead.web.shapes import FLAG, OBJECT, TEXT, Shape, either, text, word

_NEW = "passkey|new"
_NEW_PASSWORD = "password|new"  # noqa: S105 - the id of one that is being chosen
_LONGEST_PASSWORD = 256
_CONNECTION: Final = re.compile(r"[a-zA-Z0-9-]{1,128}")
_IDENTITY: Final = re.compile(r"\S{1,255}")

_CREATE: Final = ("create:me:authentication_methods",)

BEGIN: Final = Scoped(
    "Begin to add a passkey or to change my password",
    api="my_account",
    scopes=_CREATE,
    body=Body(
        Shape(
            "NewMethod",
            {"type": word("passkey", "password")},
            {"use_exclude_credentials": FLAG, "connection": text(1, 128), "identity_user_id": text(1, 255)},
            OBJECT,
        )
    ),
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
    person = await fresh(request, asked, password=body.get("type") == "password")
    profile = await flows.users.profile(person.subject)
    connection = await flows.directory.by_id(profile.connection_id, person.client_id)
    _about_them(body, "connection", _CONNECTION, connection.name)
    _about_them(body, "identity_user_id", _IDENTITY, profile.local_id)
    if body.get("type") == "password":
        return await _begin_password(request, person)
    if body.get("type") != "passkey":
        raise BadRequest("type must be passkey or password", path="type")
    exclude = body.get("use_exclude_credentials", False)
    if not isinstance(exclude, bool):
        raise BadRequest("use_exclude_credentials must be true or false", path="use_exclude_credentials")
    client = await flows.clients.known(person.client_id)
    party = passkey_party(request, client, connection)
    options = await flows.enrolment.begin(connection, profile.user_id, party, exclude=exclude)
    # The id is the last segment of Location, encoded as SDKs send it back (client-demands).
    location = f"{flows.settings.public_url}/me/v1/authentication-methods/passkey%7Cnew"
    answer = {"authn_params_public_key": options.public_key, "auth_session": options.auth_session}
    return Json(answer, 202, {"location": location, "cache-control": "no-store"})


def _about_them(body: Mapping[str, Any], name: str, form: re.Pattern[str], own: str) -> None:
    """Refuse a body that is about another identity than the caller's: here everybody has one. Raises ``BadRequest``."""
    given = body.get(name)
    if given is None:
        return
    if not isinstance(given, str) or not form.fullmatch(given):
        raise BadRequest(f"{name} is not of the right form", path=name)
    if given != own:
        raise BadRequest(f"{name} is not that of your account", path=name)


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
    return _made(request, shown_password(profile))


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
    answers={201: either(PASSKEY, PASSWORD)},
    refuses=(
        *(NoSuchPasskey, StepUpRequired, CeremonyExpired, CeremonyRefused, PasskeyNotAllowed),
        *(PasskeyTaken, PasskeyLimitReached),
        *(WeakPassword, PasswordLeaked, TooManyAttempts, AccountGone, ConnectionNotAllowed),
        RefusedByScript,
    ),
)


async def verify(request: Request) -> Response:
    """``POST /me/v1/authentication-methods/{id}/verify``: 201 with the new passkey, or with the changed password."""
    flows, asked = flows_of(request), await VERIFY.read(request)
    person = await fresh(request, asked, password=request.path_params["id"] == _NEW_PASSWORD)
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
    return _made(request, shown(stored))


def _made(request: Request, found: dict[str, Any]) -> Response:
    """Return what was stored, with where it is from now on."""
    place = f"{flows_of(request).settings.public_url}/me/v1/authentication-methods/{quote(found['id'], safe='')}"
    return Json(found, 201, {"location": place})
