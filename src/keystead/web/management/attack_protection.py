"""``/api/v2/attack-protection``: what is done about breached passwords (auth0-behaviour 2.8)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules.breaches import BreachSettings
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.management.operations import operation_of

SHOW_BREACHES: Final = Scoped(
    "Show what is done about breached passwords", scopes=("read:attack_protection",), answers={200: BreachSettings}
)


async def show_breaches(request: Request) -> Response:
    """``GET /attack-protection/breached-password-detection``."""
    await SHOW_BREACHES.read(request)
    return Json((await flows_of(request).breaches.settings()).on_wire())


UPDATE_BREACHES: Final = Scoped(
    "Change what is done about breached passwords",
    scopes=("update:attack_protection",),
    body=Body(BreachSettings),
    answers={200: BreachSettings},
)


async def update_breaches(request: Request) -> Response:
    """``PATCH /attack-protection/breached-password-detection``: what the body does not name stays as it is."""
    asked = await UPDATE_BREACHES.read(request)
    operation = operation_of(request, asked.bearer)
    return Json((await flows_of(request).breaches.update(asked.body, operation)).on_wire())
