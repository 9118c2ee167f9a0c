"""``/api/v2/clients`` (auth0-behaviour 2.8, client-demands)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.clients import ClientFilter, ClientRecord
from keystead.errors import InvalidQuery
from keystead.flows.clients import Handed
from keystead.rules.oauth import absolute
from keystead.web.answers import Json
from keystead.web.body import Query, json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import by_cursor, page_of, picked
from keystead.web.management.operations import operation_of

_URLS: Final = ("callbacks", "allowed_logout_urls")
_LEFT_OUT_WHEN_EMPTY: Final = ("description", "client_metadata")


async def index(request: Request) -> Response:
    """``GET /clients``."""
    await require(request, "read:clients")
    asked = query(request)
    if by_cursor(asked):
        raise InvalidQuery("Clients are listed by page and per_page", path="take")
    page = page_of(asked)
    url = flows_of(request).settings.public_url
    if asked.flag("is_global", False):
        return page.answer("clients", [], 0)  # Auth0's "all applications", of which there is none here
    found, total = await flows_of(request).clients.page(_filter(asked), page.start, page.size)
    return page.answer("clients", [picked(shown(each, url), asked) for each in found], total)


async def create(request: Request) -> Response:
    """``POST /clients``: the answer is the one place where the secret is ever shown."""
    operation = operation_of(request, await require(request, "create:clients"))
    handed = await flows_of(request).clients.create(await json_object(request), operation)
    return _handed(request, handed, 201)


async def show(request: Request) -> Response:
    """``GET /clients/{id}``."""
    await require(request, "read:clients")
    asked, flows = query(request), flows_of(request)
    found = await flows.clients.known(request.path_params["id"])
    return Json(picked(shown(found, flows.settings.public_url), asked))


async def update(request: Request) -> Response:
    """``PATCH /clients/{id}``; the secret is shown where this made one, which needs ``update:client_keys`` too."""
    bearer = await require(request, "update:clients")
    operation, body = operation_of(request, bearer), await json_object(request)
    handed = await flows_of(request).clients.update(request.path_params["id"], body, operation, bearer.scope)
    return _handed(request, handed, 200)


async def rotate_secret(request: Request) -> Response:
    """``POST /clients/{id}/rotate-secret``: Auth0's clients send no body, or an empty object."""
    operation = operation_of(request, await require(request, "update:client_keys"))
    body = await json_object(request) if await request.body() else {}
    return _handed(
        request, await flows_of(request).clients.rotate_secret(request.path_params["id"], body, operation), 200
    )


async def delete(request: Request) -> Response:
    """``DELETE /clients/{id}``: 204, also where there is none."""
    operation = operation_of(request, await require(request, "delete:clients"))
    await flows_of(request).clients.delete(request.path_params["id"], operation)
    return Response(status_code=204)


def shown(record: ClientRecord, public_url: str) -> dict[str, Any]:
    """Return a client as the wire shows it: every setting, ours by path in full, never the secret."""
    settings = record.settings.model_dump(mode="json", exclude_none=True)
    for name in _URLS:
        settings[name] = [absolute(url, public_url) for url in settings[name]]
    kept = {name: value for name, value in settings.items() if value or name not in _LEFT_OUT_WHEN_EMPTY}
    return {"client_id": record.client_id, "global": False, **kept}


def _handed(request: Request, handed: Handed, status: int) -> Response:
    found = shown(handed.client, flows_of(request).settings.public_url)
    if handed.secret is not None:
        found["client_secret"] = handed.secret.reveal()
    return Json(found, status, {"cache-control": "no-store"})


def _filter(asked: Query) -> ClientFilter:
    app_types = tuple(name for name in (asked.text("app_type") or "").split(",") if name)
    first_party = asked.flag("is_first_party", False) if asked.text("is_first_party") is not None else None
    return ClientFilter(first_party, app_types)
