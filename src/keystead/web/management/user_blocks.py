"""``/api/v2/user-blocks``: who is blocked after too many wrong passwords (auth0-behaviour 2.5, blocks)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import NoSuchUser
from keystead.flows.blocks import Block
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import flows_of
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Needed
from keystead.web.shapes import TEXT, Shape, each

_IDENTIFIER: Final = Needed("identifier")
_BLOCKS: Final = Shape(
    "UserBlocks",
    {"blocked_for": each(Shape("UserBlock", {"identifier": TEXT, "ip": TEXT, "connection": TEXT}))},
)

INDEX: Final = Scoped(
    "Find the blocks of an identifier", scopes=("read:users",), query=(_IDENTIFIER,), answers={200: _BLOCKS}
)


async def index(request: Request) -> Response:
    """``GET /user-blocks?identifier=``."""
    asked = await INDEX.read(request)
    return _shown(await flows_of(request).blocks.of_identifier(asked[_IDENTIFIER]))


LIFT: Final = Scoped(
    "Lift the blocks of an identifier", scopes=("update:users",), query=(_IDENTIFIER,), answers={204: None}
)


async def lift(request: Request) -> Response:
    """``DELETE /user-blocks?identifier=``: 204."""
    asked, flows = await LIFT.read(request), flows_of(request)
    blocks = await flows.blocks.of_identifier(asked[_IDENTIFIER])
    await flows.blocks.lift(blocks, operation_of(request, asked.bearer))
    return Response(status_code=204)


OF_USER: Final = Scoped(
    "Find the blocks of a user", scopes=("read:users",), answers={200: _BLOCKS}, refuses=(NoSuchUser,)
)


async def of_user(request: Request) -> Response:
    """``GET /user-blocks/{id}``."""
    await OF_USER.read(request)
    return _shown(await flows_of(request).blocks.of_user(request.path_params["id"]))


LIFT_OF_USER: Final = Scoped(
    "Lift the blocks of a user", scopes=("update:users",), answers={204: None}, refuses=(NoSuchUser,)
)


async def lift_of_user(request: Request) -> Response:
    """``DELETE /user-blocks/{id}``: 204."""
    asked, flows = await LIFT_OF_USER.read(request), flows_of(request)
    operation = operation_of(request, asked.bearer)
    await flows.blocks.lift(await flows.blocks.of_user(request.path_params["id"]), operation)
    return Response(status_code=204)


def _shown(blocks: list[Block]) -> Response:
    return Json(
        {
            "blocked_for": [
                {"identifier": block.identifier, "ip": block.address, "connection": block.connection}
                for block in blocks
            ]
        }
    )
