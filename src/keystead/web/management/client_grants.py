"""``/api/v2/client-grants`` (auth0-behaviour 2.8)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.client_grants import GrantFilter, GrantRecord
from keystead.errors import GrantTaken, NoSuchApi, NoSuchClient, NoSuchClientGrant
from keystead.rules.apis import stored_identifier
from keystead.rules.client_grants import GrantEdit, NewGrant
from keystead.rules.oauth import absolute
from keystead.web.answers import Json
from keystead.web.endpoints import Asked, Body, Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.management.lists import (
    BY_CURSOR,
    PAGE,
    SOME_PER_PAGE,
    TOTALS,
    by_cursor,
    cursor,
    cursors_of,
    paged,
    pages_of,
)
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Choice, Flag, Text
from keystead.web.shapes import FLAG, TEXT, Shape, each, either, word

_CLIENT_ID: Final = Text("client_id")
_AUDIENCE: Final = Text("audience")
_SUBJECT_TYPE: Final = Choice("subject_type", ("client", "user"))

_ANY_ORGANIZATION: Final = Flag("allow_any_organization", False)
_DEFAULT_FOR: Final = Text("default_for")
"""What no grant has here: a list of those that do is empty."""

GRANT: Final = Shape(
    "ClientGrant",
    {
        "id": TEXT,
        "client_id": TEXT,
        "audience": TEXT,
        "scope": each(TEXT),
        "subject_type": word("client", "user"),
        "allow_all_scopes": FLAG,
        "organization_usage": word("deny"),
        "allow_any_organization": FLAG,
        "is_system": FLAG,
    },
)

_FILTERS: Final = (_CLIENT_ID, _AUDIENCE, _SUBJECT_TYPE, _ANY_ORGANIZATION, _DEFAULT_FOR)
INDEX: Final = Scoped(
    "List client grants",
    scopes=("read:client_grants",),
    query=(PAGE, SOME_PER_PAGE, TOTALS, *BY_CURSOR, *_FILTERS),
    answers={200: either(pages_of("client_grants", GRANT), cursors_of("client_grants", GRANT))},
)


async def index(request: Request) -> Response:
    """``GET /client-grants``, by page or by cursor."""
    asked, flows = await INDEX.read(request), flows_of(request)
    url = flows.settings.public_url
    wanted, nobody = _filter(asked, url), asked[_ANY_ORGANIZATION] or asked[_DEFAULT_FOR] is not None
    if by_cursor(asked):
        part = cursor(asked)
        found = [] if nobody else await flows.management.client_grants.after(wanted, part.last, part.size + 1)
        return part.answer("client_grants", [shown(grant, url) for grant in found], [grant.id for grant in found])
    page = paged(asked, SOME_PER_PAGE)
    found, total = ([], 0) if nobody else await flows.management.client_grants.page(wanted, page.start, page.size)
    return page.answer("client_grants", [shown(grant, url) for grant in found], total)


CREATE: Final = Scoped(
    "Create a client grant",
    scopes=("create:client_grants",),
    body=Body(NewGrant),
    answers={201: GRANT},
    refuses=(GrantTaken, NoSuchClient, NoSuchApi),
)


async def create(request: Request) -> Response:
    """``POST /client-grants``."""
    asked, flows = await CREATE.read(request), flows_of(request)
    operation = operation_of(request, asked.bearer)
    made = await flows.management.client_grants.create(asked.body, asked.bearer.scope, operation)
    return Json(shown(made, flows.settings.public_url), 201)


SHOW: Final = Scoped(
    "Show a client grant", scopes=("read:client_grants",), answers={200: GRANT}, refuses=(NoSuchClientGrant,)
)


async def show(request: Request) -> Response:
    """``GET /client-grants/{id}``."""
    await SHOW.read(request)
    found = await management_of(request).client_grants.known(request.path_params["id"])
    return Json(shown(found, flows_of(request).settings.public_url))


UPDATE: Final = Scoped(
    "Change a client grant",
    scopes=("update:client_grants",),
    body=Body(GrantEdit),
    answers={200: GRANT},
    refuses=(NoSuchClientGrant, NoSuchApi),
)


async def update(request: Request) -> Response:
    """``PATCH /client-grants/{id}``."""
    asked, flows = await UPDATE.read(request), flows_of(request)
    operation, held = operation_of(request, asked.bearer), asked.bearer.scope
    found = await flows.management.client_grants.update(request.path_params["id"], asked.body, held, operation)
    return Json(shown(found, flows.settings.public_url))


DELETE: Final = Scoped("Delete a client grant", scopes=("delete:client_grants",), answers={204: None})


async def delete(request: Request) -> Response:
    """``DELETE /client-grants/{id}``: 204, also where there is none."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).client_grants.delete(request.path_params["id"], operation)
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


def _filter(asked: Asked, public_url: str) -> GrantFilter:
    audience = asked[_AUDIENCE]
    identifier = stored_identifier(audience, public_url) if audience is not None else None
    return GrantFilter(asked[_CLIENT_ID], identifier, asked[_SUBJECT_TYPE])
