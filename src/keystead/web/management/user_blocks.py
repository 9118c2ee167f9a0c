"""``/api/v2/user-blocks`` and ``/anomaly/blocks``: who is blocked after too many failures (auth0-behaviour 2.5)."""

from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import InvalidPath, Missing, NoSuchUser
from keystead.flows.blocks import Block
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Flag, Needed
from keystead.web.shapes import TEXT, Shape, each

_IDENTIFIER: Final = Needed("identifier")
_HEED_SETTINGS: Final = Flag("consider_brute_force_enablement", False)
_BLOCKS: Final = Shape(
    "UserBlocks",
    {"blocked_for": each(Shape("UserBlock", {"identifier": TEXT, "connection": TEXT}, {"ip": TEXT}))},
)

INDEX: Final = Scoped(
    "Find the blocks of an identifier",
    scopes=("read:users",),
    query=(_IDENTIFIER, _HEED_SETTINGS),
    answers={200: _BLOCKS},
)


async def index(request: Request) -> Response:
    """``GET /user-blocks?identifier=``."""
    asked = await INDEX.read(request)
    heed = asked[_HEED_SETTINGS]
    return _shown(await management_of(request).blocks.of_identifier(asked[_IDENTIFIER], heed_settings=heed))


LIFT: Final = Scoped(
    "Lift the blocks of an identifier", scopes=("update:users",), query=(_IDENTIFIER,), answers={204: None}
)


async def lift(request: Request) -> Response:
    """``DELETE /user-blocks?identifier=``: 204."""
    asked = await LIFT.read(request)
    operation = operation_of(request, asked.bearer)
    await management_of(request).blocks.lift_of_identifier(asked[_IDENTIFIER], operation)
    return Response(status_code=204)


OF_USER: Final = Scoped(
    "Find the blocks of a user",
    scopes=("read:users",),
    query=(_HEED_SETTINGS,),
    answers={200: _BLOCKS},
    refuses=(NoSuchUser,),
)


async def of_user(request: Request) -> Response:
    """``GET /user-blocks/{id}``."""
    heed = (await OF_USER.read(request))[_HEED_SETTINGS]
    return _shown(await management_of(request).blocks.of_user(request.path_params["id"], heed_settings=heed))


LIFT_OF_USER: Final = Scoped(
    "Lift the blocks of a user", scopes=("update:users",), answers={204: None}, refuses=(NoSuchUser,)
)


async def lift_of_user(request: Request) -> Response:
    """``DELETE /user-blocks/{id}``: 204."""
    asked = await LIFT_OF_USER.read(request)
    operation = operation_of(request, asked.bearer)
    await management_of(request).blocks.lift_of_user(request.path_params["id"], operation)
    return Response(status_code=204)


OF_ADDRESS: Final = Scoped(
    "Tell whether an address is blocked", scopes=("read:anomaly_blocks",), answers={200: None}, refuses=(Missing,)
)


async def of_address(request: Request) -> Response:
    """``GET /anomaly/blocks/ips/{id}``: 200 where it is blocked, 404 where not."""
    await OF_ADDRESS.read(request)
    if not await management_of(request).blocks.is_blocked(_address(request)):
        raise Missing
    return Response(status_code=200)


LIFT_OF_ADDRESS: Final = Scoped("Lift the block of an address", scopes=("delete:anomaly_blocks",), answers={204: None})


async def lift_of_address(request: Request) -> Response:
    """``DELETE /anomaly/blocks/ips/{id}``: 204."""
    asked = await LIFT_OF_ADDRESS.read(request)
    await management_of(request).blocks.lift_address(_address(request), operation_of(request, asked.bearer))
    return Response(status_code=204)


def _address(request: Request) -> str:
    text: str = request.path_params["id"]
    try:
        return str(ip_address(text))
    except ValueError:
        raise InvalidPath(f"Not an IP address: {text[:100]}", path="id") from None


def _shown(blocks: list[Block]) -> Response:
    shown = [
        {"identifier": block.identifier, "connection": block.connection}
        | ({"ip": block.address} if block.address else {})
        for block in blocks
    ]
    return Json({"blocked_for": shown})
