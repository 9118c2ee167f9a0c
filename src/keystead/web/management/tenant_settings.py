"""``/api/v2/tenants/settings``, and our own ``/api/v2/keystead/sessions``."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules.revocation import SessionOptions
from keystead.rules.tenant_settings import IN_MINUTES, MOST_MINUTES, TenantMembers
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.management.lists import PICKED, picked
from keystead.web.management.operations import operation_of
from keystead.web.shapes import Shape

_SAID_ALWAYS: Final = frozenset(("default_directory", "allowed_logout_urls", "enabled_locales"))


SHOW: Final = Scoped(
    "Show the tenant settings", scopes=("read:tenant_settings",), query=PICKED, answers={200: TenantMembers}
)


async def show(request: Request) -> Response:
    """``GET /tenants/settings``."""
    asked = await SHOW.read(request)
    return Json(picked(_shown(await flows_of(request).tenant_settings.members()), asked))


_MINUTES: Final = {"type": "integer", "minimum": 1, "maximum": MOST_MINUTES}
UPDATE: Final = Scoped(
    "Change the tenant settings",
    scopes=("update:tenant_settings",),
    body=Body(
        Shape(
            "TenantEdit",
            {},
            dict.fromkeys((f"{name}_in_minutes" for name in IN_MINUTES), _MINUTES),
            others=False,
            like=TenantMembers,
        )
    ),
    answers={200: TenantMembers},
)


async def update(request: Request) -> Response:
    """``PATCH /tenants/settings``: what the body does not name stays as it is."""
    asked = await UPDATE.read(request)
    operation = operation_of(request, asked.bearer)
    return Json(_shown(await flows_of(request).tenant_settings.update(asked.body, operation)))


SHOW_SESSIONS: Final = Scoped(
    "Show what ends sessions", scopes=("read:tenant_settings",), answers={200: SessionOptions}
)


async def show_sessions(request: Request) -> Response:
    """``GET /keystead/sessions``."""
    await SHOW_SESSIONS.read(request)
    return Json((await flows_of(request).tenant_settings.session_options()).model_dump())


UPDATE_SESSIONS: Final = Scoped(
    "Change what ends sessions",
    scopes=("update:tenant_settings",),
    body=Body(SessionOptions, needs=()),
    answers={200: SessionOptions},
)


async def update_sessions(request: Request) -> Response:
    """``PATCH /keystead/sessions``."""
    asked = await UPDATE_SESSIONS.read(request)
    operation = operation_of(request, asked.bearer)
    return Json((await flows_of(request).tenant_settings.update_session_options(asked.body, operation)).model_dump())


def _shown(members: TenantMembers) -> dict[str, Any]:
    """Return the settings; a text that nobody set is left out, and a whole number of hours is one."""
    found = members.model_dump(mode="json")
    shown = {name: value for name, value in found.items() if value != "" or name in _SAID_ALWAYS}
    return {
        name: int(value) if isinstance(value, float) and value == int(value) else value for name, value in shown.items()
    }
