"""``/api/v2/users/{id}/authentication-methods``: what an account proves itself with (PK-33, PK-34)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.passkeys import PasskeyRecord
from keystead.errors import (
    Forbidden,
    NoSuchPasskey,
    NoSuchUser,
    OperationNotSupported,
    PasskeyLimitReached,
    PasskeyNotAllowed,
    PasskeyTaken,
)
from keystead.rules.authentication_methods import (
    ImportedPasskey,
    MethodEdit,
    OtherMethod,
    read_edit,
    read_imported,
    read_others,
)
from keystead.rules.base64url import encode
from keystead.rules.claims import iso
from keystead.rules.profiles import Profile
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
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

_KEY: Final = {"key_id": TEXT, "public_key": TEXT, "aaguid": TEXT, "relying_party_identifier": TEXT}
ADDED: Final = Shape(
    "AuthenticationMethodAdded",
    {
        "id": TEXT,
        "type": word("passkey"),
        **_KEY,
        "credential_device_type": word("multi_device", "single_device"),
        "credential_backed_up": FLAG,
        "identity_user_id": TEXT,
        "user_handle": TEXT,
        "transports": each(TEXT),
        "created_at": MOMENT,
    },
    {"name": TEXT, "user_agent": TEXT},
)
UPDATED: Final = Shape(
    "AuthenticationMethodUpdated",
    {"id": TEXT, "type": word("passkey"), **_KEY, "confirmed": FLAG, "created_at": MOMENT},
    {"name": TEXT},
)
"""Auth0 shows less of a method that is changed than of one that is made."""

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


CREATE: Final = Scoped(
    "Import a passkey of a user",
    scopes=("create:authentication_methods",),
    body=Body(ImportedPasskey),
    answers={201: ADDED},
    refuses=(NoSuchUser, OperationNotSupported, PasskeyTaken, PasskeyLimitReached, PasskeyNotAllowed),
)


async def create(request: Request) -> Response:
    """``POST /users/{id}/authentication-methods``: a passkey that was made elsewhere (PK-33)."""
    asked = await CREATE.read(request)
    given, operation = read_imported(asked.body), operation_of(request, asked.bearer)
    stored = await management_of(request).methods.add(request.path_params["id"], given, operation)
    return Json(_only(ADDED, stored), 201)


UPDATE: Final = Scoped(
    "Rename a passkey of a user",
    scopes=("update:authentication_methods",),
    body=Body(MethodEdit),
    answers={200: UPDATED},
    refuses=(NoSuchUser, NoSuchPasskey, OperationNotSupported),
)


async def update(request: Request) -> Response:
    """``PATCH /users/{id}/authentication-methods/{method_id}``."""
    asked = await UPDATE.read(request)
    edit, operation = read_edit(asked.body), operation_of(request, asked.bearer)
    user_id, method_id = request.path_params["id"], request.path_params["method_id"]
    return Json(_only(UPDATED, await management_of(request).methods.update(user_id, method_id, edit, operation)))


REPLACE_ALL: Final = Scoped(
    "Replace the authentication methods of a user",
    scopes=("update:authentication_methods",),
    body=Body({"type": "array", "items": OtherMethod}),
    answers={200: {"type": "array", "maxItems": 0}},
    refuses=(NoSuchUser, Forbidden, OperationNotSupported),
)


async def replace_all(request: Request) -> Response:
    """``PUT /users/{id}/authentication-methods``: nothing there could be put (PK-34)."""
    asked = await REPLACE_ALL.read(request)
    methods, operation = read_others(asked.body), operation_of(request, asked.bearer)
    await management_of(request).methods.replace_all(request.path_params["id"], methods, operation)
    return Json([])


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
    await management_of(request).methods.remove(user_id, method_id, operation)
    return Response(status_code=204)


DELETE_ALL: Final = Scoped(
    "Delete the authentication methods of a user",
    scopes=("delete:authentication_methods",),
    answers={204: None},
    refuses=(Forbidden,),
)


async def delete_all(request: Request) -> Response:
    """``DELETE /users/{id}/authentication-methods``: 204 also of nobody; refused where there is a passkey (PK-34)."""
    operation = operation_of(request, (await DELETE_ALL.read(request)).bearer)
    await management_of(request).methods.remove_all(request.path_params["id"], operation)
    return Response(status_code=204)


async def _all(request: Request) -> list[dict[str, Any]]:
    profile, keys = await management_of(request).methods.of_user(request.path_params["id"])
    password = [_password(profile)] if profile.has_password else []
    return [*password, *(_passkey(key) for key in keys)]


def _password(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.password_id,
        "type": "password",
        "confirmed": True,
        "created_at": iso(profile.last_password_reset or profile.created_at),
        "identity_user_id": profile.user_id,
    }


def _passkey(key: PasskeyRecord) -> dict[str, Any]:
    """Return a passkey as the wire shows it: nothing but what Auth0's closed schema knows."""
    name = {"name": key.name[:NAME_LENGTH]} if key.name else {}
    return _members(key) | name


def _only(shape: Shape, key: PasskeyRecord) -> dict[str, Any]:
    """Return the members of an answer that shows fewer of them, with the whole name."""
    return {name: value for name, value in _members(key).items() if name in {**shape.always, **shape.maybe}}


def _members(key: PasskeyRecord) -> dict[str, Any]:
    found = {
        "id": key.id,
        "type": "passkey",
        "name": key.name,
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
