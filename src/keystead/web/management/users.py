"""``/api/v2/users`` (auth0-behaviour 2.5)."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import (
    AnotherUser,
    IdentifierTaken,
    InsufficientScope,
    NoSuchConnection,
    NoSuchUser,
    TooManyAttempts,
)
from keystead.flows.users import Person
from keystead.oauth.bearers import Bearer
from keystead.rules.authority import READS_TOKENS, is_own, user_members
from keystead.rules.claims import iso
from keystead.rules.oauth import absolute
from keystead.rules.profiles import Profile
from keystead.rules.user_edits import NewUser, UserEdit, read_edit, read_new
from keystead.web.answers import Json
from keystead.web.endpoints import Asked, Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.management.lists import PICKED, picked
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Needed
from keystead.web.shapes import FLAG, MOMENT, OBJECT, TEXT, WHOLE, Shape, each

_EMAIL: Final = Needed("email")

USER: Final = Shape(
    "User",
    {
        "user_id": TEXT,
        "identities": each(
            Shape(
                "IdentityShown",
                {"connection": TEXT, "user_id": TEXT, "provider": TEXT, "isSocial": FLAG},
                {"access_token": TEXT, "refresh_token": TEXT},
            )
        ),
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
    {
        "email": TEXT,
        "email_verified": FLAG,
        "username": TEXT,
        "phone_number": TEXT,
        "phone_verified": FLAG,
        "name": TEXT,
        "nickname": TEXT,
        "given_name": TEXT,
        "family_name": TEXT,
        "picture": TEXT,
        "user_metadata": OBJECT,
        "app_metadata": OBJECT,
        "blocked": FLAG,
        "last_login": MOMENT,
        "last_ip": TEXT,
        "logins_count": WHOLE,
        "last_password_reset": MOMENT,
    },
    others=True,
)
"""What nobody here defined is what a customer's database said of its people."""

CREATE: Final = Scoped(
    "Create a user",
    scopes=("create:users",),
    body=Body(NewUser, wrapped=("password",)),
    answers={201: USER},
    refuses=(IdentifierTaken, TooManyAttempts),
)


async def create(request: Request) -> Response:
    """``POST /users``."""
    asked, flows = await CREATE.read(request), flows_of(request)
    new, password = read_new(asked.body)
    operation = operation_of(request, asked.bearer)
    return Json(shown(await flows.users.create(new, password, operation), flows.settings.public_url), 201)


SHOW: Final = Scoped(
    "Show a user",
    scopes=("read:users", "read:current_user"),
    query=PICKED,
    answers={200: USER.part()},
    refuses=(NoSuchUser, AnotherUser),
)


async def show(request: Request) -> Response:
    """``GET /users/{id}``; with ``read:current_user`` of nobody but the bearer."""
    asked, flows = await SHOW.read(request), flows_of(request)
    if is_own(asked.bearer.scope, "read:users"):
        _check_own(request, asked.bearer)
    found = await flows.users.show(request.path_params["id"])
    user = picked(shown(found, flows.settings.public_url), asked)
    if READS_TOKENS in asked.bearer.scope and "identities" in user:
        operation = operation_of(request, asked.bearer)
        user["identities"][0] |= await flows.users.tokens(found.profile.user_id, operation)
    return Json(user)


UPDATE: Final = Scoped(
    "Change a user",
    scopes=("update:users", "update:users_app_metadata", "update:current_user_metadata"),
    body=Body(UserEdit, wrapped=("password",)),
    answers={200: USER},
    refuses=(NoSuchUser, AnotherUser, IdentifierTaken, TooManyAttempts),
)


async def update(request: Request) -> Response:
    """``PATCH /users/{id}``: a block and a new password end the account's sessions and refresh tokens at once."""
    asked, flows = await UPDATE.read(request), flows_of(request)
    _check_members(request, asked)
    edit, password = read_edit(asked.body)
    operation = operation_of(request, asked.bearer)
    found = await flows.users.update(request.path_params["id"], edit, password, operation)
    return Json(shown(found, flows.settings.public_url))


DELETE: Final = Scoped("Delete a user", scopes=("delete:users",), answers={204: None})


async def delete(request: Request) -> Response:
    """``DELETE /users/{id}``: 204, also where there is none (US-5)."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await flows_of(request).users.delete(request.path_params["id"], operation)
    return Response(status_code=204)


DELETE_BY_EMAIL: Final = Scoped(
    "Delete the users of a connection with an e-mail address",
    scopes=("delete:users",),
    query=(_EMAIL,),
    answers={204: None},
    refuses=(NoSuchConnection,),
)


async def delete_by_email(request: Request) -> Response:
    """``DELETE /connections/{id}/users?email=``: 204, also where there is none (US-13)."""
    asked = await DELETE_BY_EMAIL.read(request)
    operation = operation_of(request, asked.bearer)
    await flows_of(request).users.delete_by_email(request.path_params["id"], asked[_EMAIL], operation)
    return Response(status_code=204)


def shown(person: Person, public_url: str) -> dict[str, Any]:
    """Return an account as the wire shows it, in the recorded order; what there is none of is left out."""
    profile = person.profile
    identity = {
        "connection": person.connection,
        "user_id": profile.local_id,
        "provider": "auth0",
        "isSocial": False,
    }
    entered = profile.last_login is not None
    found = {
        "user_id": profile.user_id,
        "email": profile.email,
        "email_verified": profile.email_verified if profile.email else None,
        "username": profile.username,
        "phone_number": profile.phone_number,
        "phone_verified": profile.phone_verified if profile.phone_number else None,
        "identities": [identity],
        "name": profile.name,
        "nickname": profile.nickname,
        "given_name": profile.given_name,
        "family_name": profile.family_name,
        "picture": absolute(profile.picture, public_url) if profile.picture else None,
        "user_metadata": profile.user_metadata,
        "app_metadata": profile.app_metadata,
        "blocked": profile.blocked,
        "created_at": iso(profile.created_at),
        "updated_at": iso(profile.updated_at),
        "last_login": iso(profile.last_login) if profile.last_login else None,
        "last_ip": profile.last_ip,
        "logins_count": profile.logins_count if entered else None,
        "last_password_reset": iso(profile.last_password_reset) if profile.last_password_reset else None,
    }
    return {name: value for name, value in (found | _others(profile, found)).items() if value is not None}


def _others(profile: Profile, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a customer's database says that nobody here defined; never in place of what we say."""
    return {name: value for name, value in (profile.other_attributes or {}).items() if name not in found}


def _check_own(request: Request, bearer: Bearer) -> None:
    """Refuse a person's token where another account is meant. Raises ``AnotherUser``."""
    if bearer.subject != request.path_params["id"]:
        raise AnotherUser


def _check_members(request: Request, asked: Asked) -> None:
    """Refuse what a scope below ``update:users`` may not change. Raises ``AnotherUser``, ``InsufficientScope``."""
    held = asked.bearer.scope
    if is_own(held, "update:users", "update:users_app_metadata"):
        _check_own(request, asked.bearer)
    members = user_members(held)
    if members is not None and not members.issuperset(asked.body):
        raise InsufficientScope(("update:users",))
