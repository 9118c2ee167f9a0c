"""``/api/v2/emails/provider`` (EM-6)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import Conflict, NoSuchProvider
from keystead.rules.mail_servers import Provider, read_provider, shown
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.lists import PICKED, picked
from keystead.web.management.operations import operation_of
from keystead.web.shapes import FLAG, OBJECT, TEXT, WHOLE, Shape

_CREDENTIALS: Final = Shape("MailServerShown", {"smtp_host": TEXT, "smtp_port": WHOLE}, {"smtp_user": TEXT})
PROVIDER: Final = Shape(
    "ProviderShown",
    {"name": TEXT, "enabled": FLAG, "credentials": _CREDENTIALS, "settings": OBJECT},
    {"default_from_address": TEXT},
)

SHOW: Final = Scoped(
    "Show the email provider",
    scopes=("read:email_provider",),
    query=PICKED,
    answers={200: PROVIDER.part()},
    refuses=(NoSuchProvider,),
)


async def show(request: Request) -> Response:
    """``GET /emails/provider``: never with its password."""
    asked = await SHOW.read(request)
    return Json(picked(shown(await management_of(request).mail_provider.show()), asked))


CREATE: Final = Scoped(
    "Store an email provider",
    scopes=("create:email_provider",),
    body=Body(Provider),
    answers={201: PROVIDER},
    refuses=(Conflict,),
)


async def create(request: Request) -> Response:
    """``POST /emails/provider``."""
    asked = await CREATE.read(request)
    provider, operation = read_provider(asked.body), operation_of(request, asked.bearer)
    return Json(shown(await management_of(request).mail_provider.create(provider, operation)), 201)


UPDATE: Final = Scoped(
    "Change the email provider",
    scopes=("update:email_provider",),
    body=Body(Provider, needs=()),
    answers={200: PROVIDER},
    refuses=(NoSuchProvider,),
)


async def update(request: Request) -> Response:
    """``PATCH /emails/provider``: credentials are replaced whole."""
    asked = await UPDATE.read(request)
    operation = operation_of(request, asked.bearer)
    return Json(shown(await management_of(request).mail_provider.update(asked.body, operation)))


DELETE: Final = Scoped(
    "Delete the email provider", scopes=("delete:email_provider",), answers={204: None}, refuses=(NoSuchProvider,)
)


async def delete(request: Request) -> Response:
    """``DELETE /emails/provider``."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).mail_provider.delete(operation)
    return Response(status_code=204)
