"""``/api/v2/actions/actions``: there are none; tools that export a tenant ask all the same (decided)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.management.lists import PAGE, PER_PAGE
from keystead.web.shapes import WHOLE, Shape, each

_NONE: Final = {**each({}), "maxItems": 0}

INDEX: Final = Scoped(
    "List actions",
    scopes=("read:actions",),
    query=(PAGE, PER_PAGE),
    answers={200: Shape("Actions", {"actions": _NONE, "total": WHOLE, "page": WHOLE, "per_page": WHOLE})},
)


async def index(request: Request) -> Response:
    """``GET /actions/actions``: an empty page."""
    asked = await INDEX.read(request)
    return Json({"actions": [], "total": 0, "page": asked[PAGE], "per_page": asked[PER_PAGE]})
