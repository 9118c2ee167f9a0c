"""``/api/v2/branding``: colours, logo and icon of the hosted pages."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules.branding import Branding, shown
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import NOTHING, Shape, either

_FONT: Final = either(NOTHING, Shape("NoFont", {"url": NOTHING}, others=False))
"""Fonts of other sites are refused, and a body that says so is taken."""

SHOW: Final = Scoped("Show the branding", scopes=("read:branding",), answers={200: Branding})


async def show(request: Request) -> Response:
    """``GET /branding``: what was set."""
    await SHOW.read(request)
    return Json(shown(await management_of(request).page_design.branding()))


UPDATE: Final = Scoped(
    "Change the branding",
    scopes=("update:branding",),
    body=Body(Shape("BrandingEdit", {}, {"font": _FONT}, others=False, like=Branding)),
    answers={200: Branding},
)


async def update(request: Request) -> Response:
    """``PATCH /branding``: what the body does not name stays as it is; ``null`` takes it back."""
    asked = await UPDATE.read(request)
    operation = operation_of(request, asked.bearer)
    return Json(shown(await management_of(request).page_design.brand(asked.body, operation)))
