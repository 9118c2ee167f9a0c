"""``/api/v2/users/{id}/authentication-methods``: what an account proves itself with (PK-33, PK-34)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.passkeys import PasskeyRecord
from keystead.errors import Forbidden, NoSuchPasskey, NoSuchUser, OperationNotSupported
from keystead.flows.users import PASSWORD_PREFIX
from keystead.rules.base64url import encode
from keystead.rules.claims import iso
from keystead.rules.profiles import Profile
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import flows_of
from keystead.web.management.lists import PAGED, paged, pages_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import FLAG, MOMENT, TEXT, Shape, each, text, word

NAME_LENGTH = 20
"""How long Auth0's schema lets a name be; ours may be longer."""

METHOD: Final = Shape(
    "AuthenticationMethod",
    {
        "id": TEXT,
        "type": word("password", "passkey"),
        "confirmed": FLAG,
        "created_at": MOMENT,
        "identity_user_id": TEXT,
    },
    {
        "name": text(most=NAME_LENGTH),
        "key_id": TEXT,
        "public_key": TEXT,
        "credential_device_type": word("multi_device", "single_device"),
        "credential_backed_up": FLAG,
        "user_handle": TEXT,
        "user_agent": TEXT,
        "transports": each(TEXT),
        "aaguid": TEXT,
        "relying_party_identifier": TEXT,
        "last_auth_at": MOMENT,
    },
)

INDEX: Final = Scoped(
    "List the authentication methods of a user",
    scopes=("read:authentication_methods",),
    query=PAGED,
    answers={200: pages_of("authenticators", METHOD)},
    refuses=(NoSuchUser,),
)


async def index(request: Request) -> Response:
    """``GET /users/{id}/authentication-methods``."""
    page = paged(await INDEX.read(request))
    found = await _all(request)
    return page.answer("authenticators", found[page.start : page.start + page.size], len(found))


SHOW: Final = Scoped(
    "Show an authentication method of a user",
    scopes=("read:authentication_methods",),
    answers={200: METHOD},
    refuses=(NoSuchUser, NoSuchPasskey),
)


async def show(request: Request) -> Response:
    """``GET /users/{id}/authentication-methods/{method_id}``."""
    await SHOW.read(request)
    wanted = request.path_params["method_id"]
    found = next((each for each in await _all(request) if each["id"] == wanted), None)
    if found is None:
        raise NoSuchPasskey
    return Json(found)


DELETE: Final = Scoped(
    "Delete a passkey of a user",
    scopes=("delete:authentication_methods",),
    answers={204: None},
    refuses=(NoSuchUser, NoSuchPasskey, OperationNotSupported),
)


async def delete(request: Request) -> Response:
    """``DELETE /users/{id}/authentication-methods/{method_id}``: the passkey opens nothing any more."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    user_id, method_id = request.path_params["id"], request.path_params["method_id"]
    await flows_of(request).users.remove_method(user_id, method_id, operation)
    return Response(status_code=204)


DELETE_ALL: Final = Scoped(
    "Delete the authentication methods of a user",
    scopes=("delete:authentication_methods",),
    answers={204: None},
    refuses=(NoSuchUser, Forbidden),
)


async def delete_all(request: Request) -> Response:
    """``DELETE /users/{id}/authentication-methods``: refused where there is a passkey (PK-34)."""
    operation = operation_of(request, (await DELETE_ALL.read(request)).bearer)
    await flows_of(request).users.remove_methods(request.path_params["id"], operation)
    return Response(status_code=204)


async def _all(request: Request) -> list[dict[str, Any]]:
    profile, keys = await flows_of(request).users.methods(request.path_params["id"])
    password = [_password(profile)] if profile.has_password else []
    return [*password, *(_passkey(key) for key in keys)]


def _password(profile: Profile) -> dict[str, Any]:
    return {
        "id": PASSWORD_PREFIX + profile.local_id,
        "type": "password",
        "confirmed": True,
        "created_at": iso(profile.last_password_reset or profile.created_at),
        "identity_user_id": profile.user_id,
    }


def _passkey(key: PasskeyRecord) -> dict[str, Any]:
    """Return a passkey as the wire shows it: nothing but what Auth0's closed schema knows."""
    found = {
        "id": key.id,
        "type": "passkey",
        "name": key.name[:NAME_LENGTH] if key.name else None,
        "key_id": encode(key.credential_id),
        "public_key": encode(key.public_key),
        "credential_device_type": "multi_device" if key.backup_eligible else "single_device",
        "credential_backed_up": key.backed_up,
        "identity_user_id": key.user_id,
        "user_handle": encode(key.user_handle),
        "user_agent": key.user_agent or None,
        "transports": key.transports,
        "aaguid": key.aaguid,
        "relying_party_identifier": key.rp_id,
        "created_at": iso(key.created_at),
        "last_auth_at": iso(key.last_used_at) if key.last_used_at else None,
        "confirmed": True,
    }
    return {name: value for name, value in found.items() if value is not None}
