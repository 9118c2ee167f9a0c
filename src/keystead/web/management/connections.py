"""``/api/v2/connections``: policy by API (auth0-behaviour 2.6 and 3)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.connections import Wanted
from keystead.errors import (
    BadRequest,
    InsufficientScope,
    InvalidOptions,
    InvalidQuery,
    NameTaken,
    NoSuchClient,
    NoSuchConnection,
    OperationNotSupported,
    SwitchedOff,
    WouldStrandUsers,
)
from keystead.flows.connections import Listed
from keystead.oauth.bearers import Bearer
from keystead.rules.claims import iso
from keystead.rules.complaints import type_of
from keystead.rules.connection_edits import (
    ClientSwitch,
    ConnectionEdit,
    NewConnection,
    read_edit,
    read_new,
    read_switch,
)
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.lists import (
    BY_CURSOR,
    FROM,
    PAGE,
    PICKED,
    TOTALS,
    by_cursor,
    cursor,
    cursors_of,
    paged,
    pages_of,
    picked,
)
from keystead.web.management.operations import operation_of
from keystead.web.management.passkey_preview import ACCEPT_STRANDED, READ_OPTIONS, allowance
from keystead.web.parameters import Number, Text, Texts
from keystead.web.shapes import FLAG, MOMENT, OBJECT, TEXT, Shape, each, either

UPDATE_OPTIONS: Final = "update:connections_options"

MAX_OFFSET: Final = 1000
MAX_SWITCHES: Final = 50

CONNECTION: Final = Shape(
    "Connection",
    {
        "id": TEXT,
        "strategy": TEXT,
        "name": TEXT,
        "is_domain_connection": FLAG,
        "authentication": Shape("Activity", {"active": FLAG}),
        "connected_accounts": Shape("ConnectedAccountsShown", {"active": FLAG}, {"cross_app_access": FLAG}),
        "enabled_clients": each(TEXT),
        "realms": each(TEXT),
    },
    {"options": OBJECT, "display_name": TEXT, "show_as_button": FLAG, "metadata": OBJECT},
)
_LISTED: Final = CONNECTION.part()
_NAME: Final = Text("name")
_STRATEGY: Final = Texts("strategy")
_DOMAIN_ALIAS: Final = Text("domain_alias")
_PER_PAGE: Final = Number("per_page", 100, most=100, least=1)
_TAKE_CLIENTS: Final = Number("take", 50, most=1000, least=1)

INDEX: Final = Scoped(
    "List connections",
    scopes=("read:connections",),
    query=(_NAME, _STRATEGY, _DOMAIN_ALIAS, PAGE, _PER_PAGE, TOTALS, *BY_CURSOR, *PICKED),
    answers={200: either(pages_of("connections", _LISTED), cursors_of("connections", _LISTED))},
)


async def index(request: Request) -> Response:
    """``GET /connections``: by page, or by ``take`` and ``from`` (CN-10)."""
    asked = await INDEX.read(request)
    if asked[_DOMAIN_ALIAS] is not None:  # a filter that is ignored would show what was not asked for
        raise InvalidQuery("Database connections have no domain aliases", path="domain_alias")
    bearer, wanted = asked.bearer, Wanted(asked[_NAME], asked[_STRATEGY])
    flow = management_of(request).connections
    if by_cursor(asked):
        part = cursor(asked)
        found = await flow.after(wanted, part.last, part.size + 1)
        items = [picked(shown(each, bearer), asked) for each in found]
        return part.answer("connections", items, [each.connection.id for each in found])
    page = paged(asked, _PER_PAGE)
    if page.start + page.size > MAX_OFFSET:
        raise InvalidQuery(f"Only the first {MAX_OFFSET} can be paged through; use take and from", path="page")
    found, total = await flow.page(wanted, page.start, page.size)
    return page.answer("connections", [picked(shown(each, bearer), asked) for each in found], total)


OF_CLIENT: Final = Scoped(
    "List the connections of a client",
    scopes=("read:connections", "read:clients"),
    query=(_STRATEGY, *BY_CURSOR, *PICKED),
    answers={200: cursors_of("connections", _LISTED)},
    refuses=(NoSuchClient,),
)


async def of_client(request: Request) -> Response:
    """``GET /clients/{id}/connections``: those that a client may use."""
    asked = await OF_CLIENT.read(request)
    part, wanted = cursor(asked), Wanted(strategies=asked[_STRATEGY], client_id=request.path_params["id"])
    found = await management_of(request).connections.after(wanted, part.last, part.size + 1)
    # Without ``enabled_clients``: whoever asks for one client is told of no others.
    whole = [shown(each, asked.bearer) for each in found]
    items = [picked({name: each[name] for name in each if name != "enabled_clients"}, asked) for each in whole]
    return part.answer("connections", items, [each.connection.id for each in found])


CREATE: Final = Scoped(
    "Create a connection",
    scopes=("create:connections",),
    body=Body(NewConnection),
    answers={201: CONNECTION},
    refuses=(InvalidOptions, NameTaken),
)


async def create(request: Request) -> Response:
    """``POST /connections``."""
    asked = await CREATE.read(request)
    new, operation = read_new(asked.body), operation_of(request, asked.bearer)
    return Json(shown(await management_of(request).connections.create(new, operation), asked.bearer), 201)


SHOW: Final = Scoped(
    "Show a connection",
    scopes=("read:connections",),
    query=PICKED,
    answers={200: _LISTED},
    refuses=(NoSuchConnection,),
)


async def show(request: Request) -> Response:
    """``GET /connections/{id}``."""
    asked = await SHOW.read(request)
    found = await management_of(request).connections.show(request.path_params["id"])
    return Json(picked(shown(found, asked.bearer), asked))


UPDATE: Final = Scoped(
    "Change a connection",
    scopes=("update:connections",),
    query=(ACCEPT_STRANDED,),
    body=Body(ConnectionEdit),
    answers={200: CONNECTION},
    refuses=(NoSuchConnection, InvalidOptions, NameTaken, WouldStrandUsers),
)


async def update(request: Request) -> Response:
    """``PATCH /connections/{id}``: ``options`` are replaced whole, and need a scope of their own (CN-3).

    Where they would leave people without a way to sign in, ``accept_stranded`` must say how many that may be.
    """
    asked = await UPDATE.read(request)
    if "options" in asked.body and UPDATE_OPTIONS not in asked.bearer.scope:
        raise InsufficientScope((UPDATE_OPTIONS,))
    edit, operation = read_edit(asked.body), operation_of(request, asked.bearer)
    found = await management_of(request).connections.update(
        request.path_params["id"], edit, operation, allowance(asked)
    )
    return Json(shown(found, asked.bearer))


DELETE: Final = Scoped(
    "Delete a connection",
    scopes=("delete:connections",),
    answers={202: Shape("Deleted", {"deleted_at": MOMENT}), 204: None},
)


async def delete(request: Request) -> Response:
    """``DELETE /connections/{id}``: 202 and when, or 204 where it is gone already (CN-4)."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    deleted_at = await management_of(request).connections.delete(request.path_params["id"], operation)
    return Json({"deleted_at": iso(deleted_at)}, 202) if deleted_at else Response(status_code=204)


STATUS: Final = Scoped(
    "Show whether a connection can be used",
    scopes=("read:connections",),
    answers={200: None},
    refuses=(NoSuchConnection, SwitchedOff),
)


async def status(request: Request) -> Response:
    """``GET /connections/{id}/status``: an empty 200 while people can sign in with it (CN-11)."""
    await STATUS.read(request)
    found = await management_of(request).connections.show(request.path_params["id"])
    if not found.connection.active:
        raise SwitchedOff
    return Response()


CLIENTS: Final = Scoped(
    "List the clients of a connection",
    scopes=("read:connections",),
    query=(FROM, _TAKE_CLIENTS),
    answers={200: cursors_of("clients", Shape("EnabledClient", {"client_id": TEXT}))},
    refuses=(NoSuchConnection,),
)


async def clients(request: Request) -> Response:
    """``GET /connections/{id}/clients``."""
    part = cursor(await CLIENTS.read(request), _TAKE_CLIENTS)
    found = await management_of(request).connections.clients(request.path_params["id"], part.last, part.size + 1)
    return part.answer("clients", [{"client_id": client_id} for client_id in found], found)


SWITCH_CLIENTS: Final = Scoped(
    "Enable or disable clients of a connection",
    scopes=("update:connections",),
    body=Body({"type": "array", "items": ClientSwitch, "minItems": 1, "maxItems": MAX_SWITCHES}),
    answers={204: None},
    refuses=(NoSuchConnection, NoSuchClient, OperationNotSupported),
)


async def switch_clients(request: Request) -> Response:
    """``PATCH /connections/{id}/clients``: at most 50 of ``{"client_id", "status"}``."""
    asked = await SWITCH_CLIENTS.read(request)
    switches, operation = _switches(asked.body), operation_of(request, asked.bearer)
    await management_of(request).connections.switch(request.path_params["id"], switches, operation)
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
