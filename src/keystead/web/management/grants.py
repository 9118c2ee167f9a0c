"""``/api/v2/grants``: what people allowed clients to do on their behalf."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.consents import ConsentFilter, ConsentRecord
from keystead.errors import InvalidQuery
from keystead.web.body import query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import page_of
from keystead.web.management.operations import operation_of


async def index(request: Request) -> Response:
    """``GET /grants?user_id=&client_id=&audience=``."""
    await require(request, "read:grants")
    asked = query(request)
    page = page_of(asked)
    wanted = ConsentFilter(*(asked.text(name) or "" for name in ("user_id", "client_id", "audience")))
    found, total = await flows_of(request).access.consents(wanted, page.start, page.size)
    return page.answer("grants", [_shown(each) for each in found], total)


async def delete_of_user(request: Request) -> Response:
    """``DELETE /grants?user_id=``: 204."""
    operation = operation_of(request, await require(request, "delete:grants"))
    user_id = query(request).text("user_id")
    if not user_id:
        raise InvalidQuery("Missing required property: user_id", path="user_id")
    await flows_of(request).access.end_consents_of(user_id, operation)
    return Response(status_code=204)


async def delete(request: Request) -> Response:
    """``DELETE /grants/{id}``: 204, also where there is none."""
    operation = operation_of(request, await require(request, "delete:grants"))
    await flows_of(request).access.end_consent(request.path_params["id"], operation)
    return Response(status_code=204)


def _shown(record: ConsentRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "clientID": record.client_id,
        "user_id": record.user_id,
        "audience": record.audience,
        "scope": list(record.scope),
    }
