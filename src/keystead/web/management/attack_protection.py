"""``/api/v2/attack-protection``: what is done about breached passwords (auth0-behaviour 2.8)."""

from starlette.requests import Request
from starlette.responses import Response

from keystead.web.answers import Json
from keystead.web.body import json_object
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.operations import operation_of


async def show_breaches(request: Request) -> Response:
    """``GET /attack-protection/breached-password-detection``."""
    await require(request, "read:attack_protection")
    return Json((await flows_of(request).breaches.settings()).on_wire())


async def update_breaches(request: Request) -> Response:
    """``PATCH /attack-protection/breached-password-detection``: what the body does not name stays as it is."""
    operation = operation_of(request, await require(request, "update:attack_protection"))
    body = await json_object(request)
    return Json((await flows_of(request).breaches.update(body, operation)).on_wire())
