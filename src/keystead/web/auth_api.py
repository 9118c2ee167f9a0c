"""The Authentication API beside OAuth: ``/dbconnections/signup`` and ``/passkey/*``."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from keystead.db.clients import ClientRecord
from keystead.db.connections import ConnectionRecord
from keystead.errors import (
    BadClient,
    BadRequest,
    ConnectionNotAllowed,
    Forbidden,
    GrantNotAllowed,
    InvalidSignup,
    PasswordLeaked,
    SignupDisabled,
    TooManyAttempts,
    WeakPassword,
)
from keystead.flows.ceremonies import Party
from keystead.flows.passkey_login import Options
from keystead.oauth.client_auth import asked_for
from keystead.rules.clients import PASSKEY, app_origins
from keystead.rules.events import Caller
from keystead.rules.profiles import ROOT_FIELDS, Profile
from keystead.rules.signups import check_one_identifier
from keystead.web.answers import Json
from keystead.web.body import parameters, secret_of
from keystead.web.client_proof import CLIENT_MEMBERS, client_credentials
from keystead.web.endpoints import Body, Endpoint
from keystead.web.flows import flows_of
from keystead.web.guard import caller_of
from keystead.web.shapes import FLAG, FORM, JSON, OBJECT, TEXT, Content, Shape, text

_NO_STORE = {"cache-control": "no-store"}
_PROFILE = ("email", "phone_number", "username", "name", "given_name", "family_name", "nickname", "picture")
_BY_NAME: Final = {"client_id": text(1), "connection": text(1)}

SIGNUP: Final = Endpoint(
    "Sign up",
    body=Body(
        Shape(
            "Signup",
            _BY_NAME,
            dict.fromkeys(_PROFILE, TEXT) | {"password": TEXT, "user_metadata": OBJECT},
        ),
        media=(JSON, FORM),
    ),
    answers={
        200: Shape(
            "SignedUp",
            {"_id": TEXT},
            dict.fromkeys(_PROFILE, TEXT) | {"email_verified": FLAG, "phone_verified": FLAG, "user_metadata": OBJECT},
        )
    },
    refuses=(
        *(InvalidSignup, SignupDisabled, WeakPassword, PasswordLeaked, TooManyAttempts, ConnectionNotAllowed),
        Forbidden,
    ),
)


async def signup(request: Request) -> Response:
    """``POST /dbconnections/signup`` (auth0-behaviour 2.1): creates an account, logs nobody in."""
    flows, body = flows_of(request), await parameters(request)
    client_id, name = _text(body, "client_id"), _text(body, "connection")
    connection = await flows.directory.by_name(name, client_id)
    password, draft = secret_of(body, "password"), flows.signup.draft(connection, body)
    check_one_identifier(draft, connection.policy())
    profile = await flows.signup(connection, client_id, draft, password, caller_of(request))
    return Json(_signed_up(profile, body))


CHANGE_PASSWORD: Final = Endpoint(
    "Ask for a mail to change a password",
    body=Body(Shape("PasswordResetRequest", {**_BY_NAME, "email": text(1)}), media=(JSON, FORM)),
    answers={200: Content("text/plain")},
    refuses=(TooManyAttempts, ConnectionNotAllowed),
)


async def change_password(request: Request) -> Response:
    """``POST /dbconnections/change_password``: one answer for everybody, in plain text (RS-2, auth0-behaviour 2.2)."""
    flows, body = flows_of(request), await parameters(request)
    client_id, name, email = (_text(body, each) for each in ("client_id", "connection", "email"))
    connection = await flows.directory.by_name(name, client_id)
    if not connection.policy().unique_emails:  # an address that several share says of none who wants a new password
        raise BadRequest("Password reset by email is not available for this connection.")
    await flows.reset.request(connection, client_id, email, caller_of(request))
    return PlainTextResponse("We've just sent you an email to reset your password.", headers=_NO_STORE)


def _signed_up(profile: Profile, body: dict[str, Any]) -> dict[str, Any]:
    """Show what was stored, and of that only what was given; members in the recorded order."""
    found: dict[str, Any] = {"_id": profile.local_id}
    if profile.email:
        found["email"] = profile.email
    if profile.username:
        found["username"] = profile.username
    if profile.email:
        found["email_verified"] = profile.email_verified
    if profile.phone_number:
        found |= {"phone_number": profile.phone_number, "phone_verified": profile.phone_verified}
    about = {name: getattr(profile, name) for name in (*ROOT_FIELDS, "user_metadata") if body.get(name)}
    return found | about


PASSKEY_OPTIONS: Final = Shape("PasskeyCeremony", {"authn_params_public_key": OBJECT, "auth_session": TEXT})
_REFUSED: Final = (BadClient, GrantNotAllowed, ConnectionNotAllowed, InvalidSignup, SignupDisabled, TooManyAttempts)

PASSKEY_REGISTER: Final = Endpoint(
    "Begin to sign up with a passkey",
    proofs=("", "client"),
    body=Body(
        Shape(
            "PasskeySignup",
            {"user_profile": Shape("PasskeyProfile", {}, dict.fromkeys(_PROFILE, TEXT), others=False)},
            {**CLIENT_MEMBERS, "realm": TEXT, "user_metadata": OBJECT},
        )
    ),
    answers={200: PASSKEY_OPTIONS},
    refuses=_REFUSED,
)


async def passkey_register(request: Request) -> Response:
    """``POST /passkey/register``: options for an account that does not exist yet (PK-22 to PK-24)."""
    flows, body = flows_of(request), await parameters(request)
    client, connection, caller = await _ceremony_of(request, body)
    asked = body.get("user_profile")
    if not isinstance(asked, dict):
        raise BadRequest("Missing required parameter: user_profile", path="user_profile")
    unknown = next((name for name in asked if name not in _PROFILE), None)
    if unknown is not None:
        raise BadRequest(f"Unknown user_profile property: {unknown[:100]}", path="user_profile")
    draft = flows.signup.draft(connection, {**asked, "user_metadata": body.get("user_metadata")})
    check_one_identifier(draft, connection.policy())
    party = passkey_party(request, client, connection)
    return _options(await flows.signup.begin_passkey(connection, draft, party, caller))


PASSKEY_CHALLENGE: Final = Endpoint(
    "Begin to sign in with a passkey",
    proofs=("", "client"),
    body=Body(Shape("PasskeyLogin", {}, {**CLIENT_MEMBERS, "realm": TEXT}), media=(JSON, FORM)),
    answers={200: PASSKEY_OPTIONS},
    refuses=_REFUSED,
)


async def passkey_challenge(request: Request) -> Response:
    """``POST /passkey/challenge``: options for whoever has a passkey here (PK-26)."""
    flows, body = flows_of(request), await parameters(request)
    client, connection, caller = await _ceremony_of(request, body)
    party = passkey_party(request, client, connection)
    return _options(await flows.passkey_login.begin(connection, party, caller))


async def _ceremony_of(request: Request, body: dict[str, Any]) -> tuple[ClientRecord, ConnectionRecord, Caller]:
    """Return the client and the connection that a ceremony is for, and who asks.

    Raises ``BadClient``, ``ConnectionNotAllowed``, ``GrantNotAllowed`` where it could not be finished anyway (PK-21).
    """
    flows = flows_of(request)
    shown, caller = client_credentials(request, body), caller_of(request)
    client = await flows.client_auth(shown, caller)
    if PASSKEY not in client.settings.grant_types:
        raise GrantNotAllowed(PASSKEY)
    if not client.settings.is_first_party:
        raise BadRequest("Passkeys are for first-party clients only.")
    realm = body.get("realm")
    if realm is not None and not isinstance(realm, str):
        raise BadRequest("Parameter realm must be a string", path="realm")
    connection = await flows.directory.by_realm(realm or None, client.client_id)
    return client, connection, asked_for(client, shown, caller)


def passkey_party(request: Request, client: ClientRecord, connection: ConnectionRecord) -> Party:
    """Return for whom a client holds a ceremony, and on which page: browsers say that, and nobody else has to."""
    page = request.headers.get("origin", "")
    return Party(client.client_id, connection, app_origins(client.settings), page=page)


def _options(options: Options) -> Response:
    body = {"authn_params_public_key": options.public_key, "auth_session": options.auth_session}
    return Json(body, headers={"cache-control": "no-store"})


def _text(body: dict[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise BadRequest(f"Missing required parameter: {name}", path=name)
    return found
