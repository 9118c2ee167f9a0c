"""``/api/v2/tenants/settings``, and our own ``/api/v2/keystead/sessions``."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules.tenant_settings import TenantMembers
from keystead.web.answers import Json
from keystead.web.body import json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import picked
from keystead.web.management.operations import operation_of

_SAID_ALWAYS: Final = frozenset(("default_directory", "allowed_logout_urls", "enabled_locales"))


async def show(request: Request) -> Response:
    """``GET /tenants/settings``."""
    await require(request, "read:tenant_settings")
    return Json(picked(_shown(await flows_of(request).tenant_settings.members()), query(request)))


async def update(request: Request) -> Response:
    """``PATCH /tenants/settings``: what the body does not name stays as it is."""
    operation = operation_of(request, await require(request, "update:tenant_settings"))
    return Json(_shown(await flows_of(request).tenant_settings.update(await json_object(request), operation)))


async def show_sessions(request: Request) -> Response:
    """``GET /keystead/sessions``."""
    await require(request, "read:tenant_settings")
    return Json((await flows_of(request).tenant_settings.session_options()).model_dump())


async def update_sessions(request: Request) -> Response:
    """``PATCH /keystead/sessions``."""
    operation = operation_of(request, await require(request, "update:tenant_settings"))
    body = await json_object(request)
    return Json((await flows_of(request).tenant_settings.update_session_options(body, operation)).model_dump())


def _shown(members: TenantMembers) -> dict[str, Any]:
    """Return the settings; a text that nobody set is left out, and a whole number of hours is one."""
    found = members.model_dump(mode="json")
    shown = {name: value for name, value in found.items() if value != "" or name in _SAID_ALWAYS}
    return {
        name: int(value) if isinstance(value, float) and value == int(value) else value for name, value in shown.items()
    }
