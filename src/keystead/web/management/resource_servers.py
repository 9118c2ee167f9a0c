"""``/api/v2/resource-servers``: APIs, under Auth0's name for them (auth0-behaviour 2.8)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.apis import ApiRecord
from keystead.rules.oauth import absolute
from keystead.web.answers import Json
from keystead.web.body import json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import page_of, picked
from keystead.web.management.operations import operation_of


async def index(request: Request) -> Response:
    """``GET /resource-servers``."""
    await require(request, "read:resource_servers")
    asked, flows = query(request), flows_of(request)
    page = page_of(asked, least=1)
    found, total = await flows.apis.page(asked.texts("identifiers"), page.start, page.size)
    items = [picked(shown(each, flows.settings.public_url), asked) for each in found]
    return page.answer("resource_servers", items, total)


async def create(request: Request) -> Response:
    """``POST /resource-servers``."""
    operation = operation_of(request, await require(request, "create:resource_servers"))
    made = await flows_of(request).apis.create(await json_object(request), operation)
    return Json(shown(made, flows_of(request).settings.public_url), 201)


async def show(request: Request) -> Response:
    """``GET /resource-servers/{id}``: by id, or by the identifier in URL encoding."""
    await require(request, "read:resource_servers")
    asked, flows = query(request), flows_of(request)
    found = await flows.apis.known(request.path_params["id"])
    return Json(picked(shown(found, flows.settings.public_url), asked))


async def update(request: Request) -> Response:
    """``PATCH /resource-servers/{id}``."""
    operation = operation_of(request, await require(request, "update:resource_servers"))
    found = await flows_of(request).apis.update(request.path_params["id"], await json_object(request), operation)
    return Json(shown(found, flows_of(request).settings.public_url))


async def delete(request: Request) -> Response:
    """``DELETE /resource-servers/{id}``: 204, also where there is none."""
    operation = operation_of(request, await require(request, "delete:resource_servers"))
    await flows_of(request).apis.delete(request.path_params["id"], operation)
    return Response(status_code=204)


def shown(record: ApiRecord, public_url: str) -> dict[str, Any]:
    """Return an API as the wire shows it: ours in full, and no token of a browser living longer than others."""
    found = record.as_settings().model_dump(mode="json")
    found["token_lifetime_for_web"] = min(found["token_lifetime_for_web"], found["token_lifetime"])
    found["scopes"] = [{name: text for name, text in scope.items() if text} for scope in found["scopes"]]
    identifier = absolute(record.identifier, public_url)
    return {
        "id": record.id,
        "identifier": identifier,
        "is_system": record.is_system,
        **found,
        "enforce_policies": False,
    }
