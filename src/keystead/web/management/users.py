"""``/api/v2/users`` (auth0-behaviour 2.5)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import InvalidQuery
from keystead.flows.users import Person
from keystead.rules.claims import iso
from keystead.rules.oauth import absolute
from keystead.rules.user_edits import read_edit, read_new
from keystead.web.answers import Json
from keystead.web.body import Query, json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import page_of, picked
from keystead.web.management.operations import operation_of

_SORTS: Final = {None: False, "created_at:1": False, "created_at:-1": True}
_ENGINES: Final = {
    "v1": "You are not allowed to use search_engine=v1.",
    "v2": "You are not allowed to use search_engine=v2, use search_engine=v3 instead.",
}


async def index(request: Request) -> Response:
    """``GET /users``."""
    await require(request, "read:users")
    asked, flows = query(request), flows_of(request)
    newest_first = _newest_first(asked)
    page = page_of(asked)
    found = await flows.users.page(page.start, page.size, newest_first=newest_first)
    total = await flows.users.count() if page.totals else 0
    items = [picked(shown(each, flows.settings.public_url), asked) for each in found]
    return page.answer("users", items, total, length=True)


async def create(request: Request) -> Response:
    """``POST /users``."""
    operation = operation_of(request, await require(request, "create:users"))
    new, password = read_new(await json_object(request))
    flows = flows_of(request)
    return Json(shown(await flows.users.create(new, password, operation), flows.settings.public_url), 201)


async def show(request: Request) -> Response:
    """``GET /users/{id}``."""
    await require(request, "read:users")
    asked, flows = query(request), flows_of(request)
    found = await flows.users.show(request.path_params["id"])
    return Json(picked(shown(found, flows.settings.public_url), asked))


async def update(request: Request) -> Response:
    """``PATCH /users/{id}``: a block and a new password end the account's sessions and refresh tokens at once."""
    operation = operation_of(request, await require(request, "update:users"))
    edit, password = read_edit(await json_object(request))
    flows = flows_of(request)
    found = await flows.users.update(request.path_params["id"], edit, password, operation)
    return Json(shown(found, flows.settings.public_url))


async def delete(request: Request) -> Response:
    """``DELETE /users/{id}``: 204, also where there is none (US-5)."""
    operation = operation_of(request, await require(request, "delete:users"))
    await flows_of(request).users.delete(request.path_params["id"], operation)
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
    return {name: value for name, value in found.items() if value is not None}


def _newest_first(asked: Query) -> bool:
    """Refuse by name what a list cannot do yet, rather than answer something else. Raises ``InvalidQuery``."""
    for name in ("q", "connection"):
        if asked.text(name) is not None:
            raise InvalidQuery("Searching for users is not available yet; list them by page and per_page", path=name)
    engine = asked.text("search_engine")
    if engine not in (None, "v3"):
        raise InvalidQuery(_ENGINES.get(str(engine), f"No enum match for: {str(engine)[:100]}"), path="search_engine")
    asked.flag("primary_order", True)
    sort = asked.text("sort")
    if sort not in _SORTS:
        raise InvalidQuery("Users can be sorted by created_at:1 or created_at:-1 only", path="sort")
    return _SORTS[sort]
