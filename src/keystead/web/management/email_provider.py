"""``/api/v2/emails/provider`` (EM-6)."""

from starlette.requests import Request
from starlette.responses import Response

from keystead.rules.mail_servers import read_provider, shown
from keystead.web.answers import Json
from keystead.web.body import json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import picked
from keystead.web.management.operations import operation_of


async def show(request: Request) -> Response:
    """``GET /emails/provider``: never with its password."""
    await require(request, "read:email_provider")
    return Json(picked(shown(await flows_of(request).mail_provider.show()), query(request)))


async def create(request: Request) -> Response:
    """``POST /emails/provider``."""
    operation = operation_of(request, await require(request, "create:email_provider"))
    provider = read_provider(await json_object(request))
    return Json(shown(await flows_of(request).mail_provider.create(provider, operation)), 201)


async def update(request: Request) -> Response:
    """``PATCH /emails/provider``: credentials are replaced whole."""
    operation = operation_of(request, await require(request, "update:email_provider"))
    return Json(shown(await flows_of(request).mail_provider.update(await json_object(request), operation)))


async def delete(request: Request) -> Response:
    """``DELETE /emails/provider``."""
    operation = operation_of(request, await require(request, "delete:email_provider"))
    await flows_of(request).mail_provider.delete(operation)
    return Response(status_code=204)
