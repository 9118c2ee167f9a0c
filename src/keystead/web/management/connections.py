"""``/api/v2/connections``: policy by API (auth0-behaviour 2.6 and 3)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import BadRequest, InsufficientScope, InvalidQuery
from keystead.flows.connections import Listed, Wanted
from keystead.oauth.bearers import Bearer
from keystead.rules.claims import iso
from keystead.rules.complaints import type_of
from keystead.rules.connection_edits import ClientSwitch, read_edit, read_new, read_switch
from keystead.web.answers import Json
from keystead.web.body import json_object, json_value, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import by_cursor, cursor_of, page_of, picked
from keystead.web.management.operations import operation_of

READ_OPTIONS: Final = "read:connections_options"
UPDATE_OPTIONS: Final = "update:connections_options"

MAX_OFFSET: Final = 1000
MAX_SWITCHES: Final = 50


async def index(request: Request) -> Response:
    """``GET /connections``: by page, or by ``take`` and ``from`` (CN-10)."""
    bearer, asked = await require(request, "read:connections"), query(request)
    wanted = Wanted(asked.text("name"), tuple(asked.texts("strategy")))
    flow = flows_of(request).connections
    if by_cursor(asked):
        cursor = cursor_of(asked)
        found = await flow.after(wanted, cursor.last, cursor.size + 1)
        items = [picked(shown(each, bearer), asked) for each in found]
        return cursor.answer("connections", items, [each.connection.id for each in found])
    page = page_of(asked, size=100, least=1)
    if page.start + page.size > MAX_OFFSET:
        raise InvalidQuery(f"Only the first {MAX_OFFSET} can be paged through; use take and from", path="page")
    found, total = await flow.page(wanted, page.start, page.size)
    return page.answer("connections", [picked(shown(each, bearer), asked) for each in found], total)


async def create(request: Request) -> Response:
    """``POST /connections``."""
    bearer = await require(request, "create:connections")
    new, operation = read_new(await json_object(request)), operation_of(request, bearer)
    return Json(shown(await flows_of(request).connections.create(new, operation), bearer), 201)


async def show(request: Request) -> Response:
    """``GET /connections/{id}``."""
    bearer, asked = await require(request, "read:connections"), query(request)
    found = await flows_of(request).connections.show(request.path_params["id"])
    return Json(picked(shown(found, bearer), asked))


async def update(request: Request) -> Response:
    """``PATCH /connections/{id}``: ``options`` are replaced whole, and need a scope of their own (CN-3)."""
    bearer, body = await require(request, "update:connections"), await json_object(request)
    if "options" in body and UPDATE_OPTIONS not in bearer.scope:
        raise InsufficientScope((UPDATE_OPTIONS,))
    edit, operation = read_edit(body), operation_of(request, bearer)
    found = await flows_of(request).connections.update(request.path_params["id"], edit, operation)
    return Json(shown(found, bearer))


async def delete(request: Request) -> Response:
    """``DELETE /connections/{id}``: 202 and when, or 204 where it is gone already (CN-4)."""
    operation = operation_of(request, await require(request, "delete:connections"))
    deleted_at = await flows_of(request).connections.delete(request.path_params["id"], operation)
    return Json({"deleted_at": iso(deleted_at)}, 202) if deleted_at else Response(status_code=204)


async def clients(request: Request) -> Response:
    """``GET /connections/{id}/clients``."""
    await require(request, "read:connections")
    cursor = cursor_of(query(request), most=1000)
    found = await flows_of(request).connections.clients(request.path_params["id"], cursor.last, cursor.size + 1)
    return cursor.answer("clients", [{"client_id": client_id} for client_id in found], found)


async def switch_clients(request: Request) -> Response:
    """``PATCH /connections/{id}/clients``: at most 50 of ``{"client_id", "status"}``."""
    operation = operation_of(request, await require(request, "update:connections"))
    switches = _switches(await json_value(request))
    await flows_of(request).connections.switch(request.path_params["id"], switches, operation)
    return Response(status_code=204)


def shown(listed: Listed, bearer: Bearer) -> dict[str, Any]:
    """Return a connection as the wire shows it; what was never said is left out, so that a GET can be sent back."""
    record = listed.connection
    found: dict[str, Any] = {"id": record.id}
    if READ_OPTIONS in bearer.scope:
        found["options"] = record.options
    found |= {"strategy": record.strategy, "name": record.name}
    optional = {"display_name": record.display_name, "show_as_button": record.show_as_button, "metadata": record.about}
    return found | {
        "is_domain_connection": record.is_domain_connection,
        **{name: value for name, value in optional.items() if value is not None},
        "authentication": {"active": record.active},
        "connected_accounts": record.connected_accounts,
        "enabled_clients": list(listed.clients),
        "realms": list(record.realms),
    }


def _switches(body: Any) -> list[ClientSwitch]:
    if not isinstance(body, list):
        raise BadRequest(f"Expected type array but found type {type_of(body)}", path="")
    if not 1 <= len(body) <= MAX_SWITCHES:
        limit = f"short ({len(body)}), minimum 1" if not body else f"long ({len(body)}), maximum {MAX_SWITCHES}"
        raise BadRequest(f"Array is too {limit}", path="")
    return [read_switch(position, entry) for position, entry in enumerate(body)]
