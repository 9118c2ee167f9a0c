"""``/api/v2/user-blocks``: who is blocked after too many wrong passwords (auth0-behaviour 2.5, blocks)."""

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import InvalidQuery
from keystead.flows.blocks import Block
from keystead.web.answers import Json
from keystead.web.body import query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.operations import operation_of


async def index(request: Request) -> Response:
    """``GET /user-blocks?identifier=``."""
    await require(request, "read:users")
    return _shown(await flows_of(request).blocks.of_identifier(_identifier(request)))


async def lift(request: Request) -> Response:
    """``DELETE /user-blocks?identifier=``: 204."""
    operation, flows = operation_of(request, await require(request, "update:users")), flows_of(request)
    await flows.blocks.lift(await flows.blocks.of_identifier(_identifier(request)), operation)
    return Response(status_code=204)


async def of_user(request: Request) -> Response:
    """``GET /user-blocks/{id}``."""
    await require(request, "read:users")
    return _shown(await flows_of(request).blocks.of_user(request.path_params["id"]))


async def lift_of_user(request: Request) -> Response:
    """``DELETE /user-blocks/{id}``: 204."""
    operation, flows = operation_of(request, await require(request, "update:users")), flows_of(request)
    await flows.blocks.lift(await flows.blocks.of_user(request.path_params["id"]), operation)
    return Response(status_code=204)


def _identifier(request: Request) -> str:
    found = query(request).text("identifier")
    if not found:
        raise InvalidQuery("Missing required property: identifier", path="identifier")
    return found


def _shown(blocks: list[Block]) -> Response:
    return Json(
        {
            "blocked_for": [
                {"identifier": block.identifier, "ip": block.address, "connection": block.connection}
                for block in blocks
            ]
        }
    )
