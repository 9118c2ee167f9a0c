"""``/api/v2/grants``: what people allowed clients to do on their behalf."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.consents import ConsentFilter, ConsentRecord
from keystead.errors import NoSuchUser
from keystead.web.endpoints import Scoped
from keystead.web.flows import management_of
from keystead.web.management.lists import PAGED, paged, pages_of
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Needed, Text
from keystead.web.shapes import TEXT, Shape, each

_USER_ID: Final = Text("user_id")
_CLIENT_ID: Final = Text("client_id")
_AUDIENCE: Final = Text("audience")
_WHOSE: Final = Needed("user_id")

INDEX: Final = Scoped(
    "List what people allowed clients",
    scopes=("read:grants",),
    query=(*PAGED, _USER_ID, _CLIENT_ID, _AUDIENCE),
    answers={
        200: pages_of(
            "grants",
            Shape("Grant", {"id": TEXT, "clientID": TEXT, "user_id": TEXT, "audience": TEXT, "scope": each(TEXT)}),
        )
    },
)


async def index(request: Request) -> Response:
    """``GET /grants?user_id=&client_id=&audience=``."""
    asked = await INDEX.read(request)
    page = paged(asked)
    wanted = ConsentFilter(*(asked[each] or "" for each in (_USER_ID, _CLIENT_ID, _AUDIENCE)))
    found, total = await management_of(request).access.consents(wanted, page.start, page.size)
    return page.answer("grants", [_shown(each) for each in found], total)


DELETE_OF_USER: Final = Scoped(
    "Take back all that a user allowed",
    scopes=("delete:grants",),
    query=(_WHOSE,),
    answers={204: None},
    refuses=(NoSuchUser,),
)


async def delete_of_user(request: Request) -> Response:
    """``DELETE /grants?user_id=``: 204."""
    asked = await DELETE_OF_USER.read(request)
    await management_of(request).access.end_consents_of(asked[_WHOSE], operation_of(request, asked.bearer))
    return Response(status_code=204)


DELETE: Final = Scoped("Take back what a user allowed a client", scopes=("delete:grants",), answers={204: None})


async def delete(request: Request) -> Response:
    """``DELETE /grants/{id}``: 204, also where there is none."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).access.end_consent(request.path_params["id"], operation)
    return Response(status_code=204)


def _shown(record: ConsentRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "clientID": record.client_id,
        "user_id": record.user_id,
        "audience": record.audience,
        "scope": list(record.scope),
    }
