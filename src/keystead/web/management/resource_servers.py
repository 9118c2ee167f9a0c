"""``/api/v2/resource-servers``: APIs, under Auth0's name for them (auth0-behaviour 2.8)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.apis import ApiRecord
from keystead.errors import ApiTaken, NoSuchApi, OperationNotSupported
from keystead.rules.apis import ApiSettings
from keystead.rules.oauth import absolute
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.management.lists import PAGE, PICKED, SOME_PER_PAGE, TOTALS, paged, pages_of, picked
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Texts
from keystead.web.shapes import FLAG, TEXT, Shape, text

_IDENTIFIERS: Final = Texts("identifiers")

API: Final = Shape(
    "ResourceServer",
    {"id": TEXT, "identifier": TEXT, "is_system": FLAG, "enforce_policies": FLAG},
    like=ApiSettings,
)

INDEX: Final = Scoped(
    "List APIs",
    scopes=("read:resource_servers",),
    query=(PAGE, SOME_PER_PAGE, TOTALS, *PICKED, _IDENTIFIERS),
    answers={200: pages_of("resource_servers", API.part())},
)


async def index(request: Request) -> Response:
    """``GET /resource-servers``."""
    asked, flows = await INDEX.read(request), flows_of(request)
    page = paged(asked, SOME_PER_PAGE)
    found, total = await flows.management.apis.page(asked[_IDENTIFIERS], page.start, page.size)
    items = [picked(shown(each, flows.settings.public_url), asked) for each in found]
    return page.answer("resource_servers", items, total)


CREATE: Final = Scoped(
    "Create an API",
    scopes=("create:resource_servers",),
    body=Body(Shape("NewResourceServer", {"identifier": text(1, 600)}, like=ApiSettings)),
    answers={201: API},
    refuses=(ApiTaken,),
)


async def create(request: Request) -> Response:
    """``POST /resource-servers``."""
    asked = await CREATE.read(request)
    made = await management_of(request).apis.create(asked.body, operation_of(request, asked.bearer))
    return Json(shown(made, flows_of(request).settings.public_url), 201)


SHOW: Final = Scoped(
    "Show an API",
    scopes=("read:resource_servers",),
    query=PICKED,
    answers={200: API.part()},
    refuses=(NoSuchApi,),
)


async def show(request: Request) -> Response:
    """``GET /resource-servers/{id}``: by id, or by the identifier in URL encoding."""
    asked, flows = await SHOW.read(request), flows_of(request)
    found = await flows.management.apis.known(request.path_params["id"])
    return Json(picked(shown(found, flows.settings.public_url), asked))


UPDATE: Final = Scoped(
    "Change an API",
    scopes=("update:resource_servers",),
    body=Body(ApiSettings, needs=()),
    answers={200: API},
    refuses=(NoSuchApi, OperationNotSupported),
)


async def update(request: Request) -> Response:
    """``PATCH /resource-servers/{id}``."""
    asked = await UPDATE.read(request)
    operation = operation_of(request, asked.bearer)
    flow, held = management_of(request).apis, asked.bearer.scope
    found = await flow.update(request.path_params["id"], asked.body, held, operation)
    return Json(shown(found, flows_of(request).settings.public_url))


DELETE: Final = Scoped(
    "Delete an API", scopes=("delete:resource_servers",), answers={204: None}, refuses=(OperationNotSupported,)
)


async def delete(request: Request) -> Response:
    """``DELETE /resource-servers/{id}``: 204, also where there is none."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).apis.delete(request.path_params["id"], operation)
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
