"""``/api/v2/client-grants`` (auth0-behaviour 2.8)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.client_grants import GrantFilter, GrantRecord
from keystead.errors import InvalidQuery
from keystead.rules.apis import stored_identifier
from keystead.rules.oauth import absolute
from keystead.web.answers import Json
from keystead.web.body import Query, json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import by_cursor, cursor_of, page_of
from keystead.web.management.operations import operation_of


async def index(request: Request) -> Response:
    """``GET /client-grants``, by page or by cursor."""
    await require(request, "read:client_grants")
    asked, flows = query(request), flows_of(request)
    url = flows.settings.public_url
    wanted = _filter(asked, url)
    if by_cursor(asked):
        cursor = cursor_of(asked)
        found = await flows.client_grants.after(wanted, cursor.last, cursor.size + 1)
        return cursor.answer("client_grants", [shown(each, url) for each in found], [each.id for each in found])
    page = page_of(asked, least=1)
    found, total = await flows.client_grants.page(wanted, page.start, page.size)
    return page.answer("client_grants", [shown(each, url) for each in found], total)


async def create(request: Request) -> Response:
    """``POST /client-grants``."""
    bearer = await require(request, "create:client_grants")
    operation, body, flows = operation_of(request, bearer), await json_object(request), flows_of(request)
    made = await flows.client_grants.create(body, bearer.scope, operation)
    return Json(shown(made, flows.settings.public_url), 201)


async def show(request: Request) -> Response:
    """``GET /client-grants/{id}``."""
    await require(request, "read:client_grants")
    found = await flows_of(request).client_grants.known(request.path_params["id"])
    return Json(shown(found, flows_of(request).settings.public_url))


async def update(request: Request) -> Response:
    """``PATCH /client-grants/{id}``."""
    bearer = await require(request, "update:client_grants")
    operation, body, flows = operation_of(request, bearer), await json_object(request), flows_of(request)
    found = await flows.client_grants.update(request.path_params["id"], body, bearer.scope, operation)
    return Json(shown(found, flows.settings.public_url))


async def delete(request: Request) -> Response:
    """``DELETE /client-grants/{id}``: 204, also where there is none."""
    operation = operation_of(request, await require(request, "delete:client_grants"))
    await flows_of(request).client_grants.delete(request.path_params["id"], operation)
    return Response(status_code=204)


def shown(record: GrantRecord, public_url: str) -> dict[str, Any]:
    """Return a client grant as the wire shows it."""
    return {
        "id": record.id,
        "client_id": record.client_id,
        "audience": absolute(record.identifier, public_url),
        "scope": list(record.granted.scope),
        "subject_type": record.subject_type,
        "allow_all_scopes": record.granted.all_scopes,
        "organization_usage": "deny",
        "allow_any_organization": False,
        "is_system": False,
    }


def _filter(asked: Query, public_url: str) -> GrantFilter:
    subject_type, audience = asked.text("subject_type"), asked.text("audience")
    if subject_type not in (None, "client", "user"):
        raise InvalidQuery(f"No enum match for: {subject_type}", path="subject_type")
    identifier = stored_identifier(audience, public_url) if audience is not None else None
    return GrantFilter(asked.text("client_id"), identifier, subject_type)
