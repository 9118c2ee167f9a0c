"""``/api/v2/clients`` (auth0-behaviour 2.8, client-demands)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.clients import ClientFilter, ClientRecord
from keystead.errors import (
    CredentialTaken,
    NoSuchClient,
    NoSuchCredential,
    OperationNotSupported,
)
from keystead.flows.clients import Handed
from keystead.rules.clients import ClientSettings, SecretRotation
from keystead.rules.oauth import absolute
from keystead.web.answers import Json
from keystead.web.endpoints import Asked, Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.management.lists import (
    BY_CURSOR,
    PAGED,
    PICKED,
    by_cursor,
    cursor,
    cursors_of,
    paged,
    pages_of,
    picked,
)
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Flag, Text
from keystead.web.shapes import FLAG, TEXT, Shape, either

_URLS: Final = ("callbacks", "allowed_logout_urls")
_LEFT_OUT_WHEN_EMPTY: Final = ("description", "client_metadata")

_APP_TYPE: Final = Text("app_type")
_FIRST_PARTY: Final = Flag("is_first_party", None)
_GLOBAL: Final = Flag("is_global", False)
_ELSEWHERE: Final = Text("external_client_id", longest=120)
"""What a client is called that registered itself by an address of its own; there are none here."""

CLIENT: Final = Shape("Client", {"client_id": TEXT, "global": FLAG}, {"client_secret": TEXT}, like=ClientSettings)

INDEX: Final = Scoped(
    "List clients",
    scopes=("read:clients",),
    query=(*PAGED, *BY_CURSOR, *PICKED, _APP_TYPE, _FIRST_PARTY, _GLOBAL, _ELSEWHERE),
    absent=("q",),
    answers={200: either(pages_of("clients", CLIENT.part()), cursors_of("clients", CLIENT.part()))},
)


async def index(request: Request) -> Response:
    """``GET /clients``: by page, or by ``take`` and ``from``."""
    asked, flow = await INDEX.read(request), flows_of(request).clients
    url = flows_of(request).settings.public_url
    nobody = asked[_GLOBAL] or asked[_ELSEWHERE] is not None  # "all applications" of Auth0 is no client here
    if by_cursor(asked):
        part = cursor(asked)
        after = [] if nobody else await flow.after(_filter(asked), part.last, part.size + 1)
        items = [picked(shown(each, url), asked) for each in after]
        return part.answer("clients", items, [each.client_id for each in after])
    page = paged(asked)
    found, total = ([], 0) if nobody else await flow.page(_filter(asked), page.start, page.size)
    return page.answer("clients", [picked(shown(each, url), asked) for each in found], total)


CREATE: Final = Scoped(
    "Create a client",
    scopes=("create:clients",),
    body=Body(ClientSettings),
    answers={201: CLIENT},
    refuses=(CredentialTaken,),
)


async def create(request: Request) -> Response:
    """``POST /clients``: the answer is the one place where the secret is ever shown."""
    asked = await CREATE.read(request)
    handed = await flows_of(request).clients.create(asked.body, operation_of(request, asked.bearer))
    return _handed(request, handed, 201)


SHOW: Final = Scoped(
    "Show a client",
    scopes=("read:clients",),
    query=PICKED,
    answers={200: CLIENT.part()},
    refuses=(NoSuchClient,),
)


async def show(request: Request) -> Response:
    """``GET /clients/{id}``."""
    asked, flows = await SHOW.read(request), flows_of(request)
    found = await flows.clients.known(request.path_params["id"])
    return Json(picked(shown(found, flows.settings.public_url), asked))


UPDATE: Final = Scoped(
    "Change a client",
    scopes=("update:clients",),
    body=Body(ClientSettings, needs=()),
    answers={200: CLIENT},
    refuses=(NoSuchClient, NoSuchCredential),
)


async def update(request: Request) -> Response:
    """``PATCH /clients/{id}``; the secret is shown where this made one, which needs ``update:client_keys`` too."""
    asked = await UPDATE.read(request)
    operation, held = operation_of(request, asked.bearer), asked.bearer.scope
    handed = await flows_of(request).clients.update(request.path_params["id"], asked.body, operation, held)
    return _handed(request, handed, 200)


ROTATE_SECRET: Final = Scoped(
    "Rotate the secret of a client",
    scopes=("update:client_keys",),
    body=Body(SecretRotation, required=False),
    answers={200: CLIENT},
    refuses=(NoSuchClient, OperationNotSupported),
)


async def rotate_secret(request: Request) -> Response:
    """``POST /clients/{id}/rotate-secret``: Auth0's clients send no body, or an empty object."""
    asked = await ROTATE_SECRET.read(request)
    operation = operation_of(request, asked.bearer)
    handed = await flows_of(request).clients.rotate_secret(request.path_params["id"], asked.body, operation)
    return _handed(request, handed, 200)


DELETE: Final = Scoped(
    "Delete a client", scopes=("delete:clients",), answers={204: None}, refuses=(OperationNotSupported,)
)


async def delete(request: Request) -> Response:
    """``DELETE /clients/{id}``: 204, also where there is none."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await flows_of(request).clients.delete(request.path_params["id"], operation)
    return Response(status_code=204)


def shown(record: ClientRecord, public_url: str) -> dict[str, Any]:
    """Return a client as the wire shows it: every setting, ours by path in full, never the secret."""
    settings = record.settings.model_dump(mode="json", exclude_none=True)
    for name in _URLS:
        settings[name] = [absolute(url, public_url) for url in settings[name]]
    kept = {name: value for name, value in settings.items() if value or name not in _LEFT_OUT_WHEN_EMPTY}
    return {"client_id": record.client_id, "global": False, **kept}


def _handed(request: Request, handed: Handed, status: int) -> Response:
    found = shown(handed.client, flows_of(request).settings.public_url)
    if handed.secret is not None:
        found["client_secret"] = handed.secret.reveal()
    return Json(found, status, {"cache-control": "no-store"})


def _filter(asked: Asked) -> ClientFilter:
    app_types = tuple(name for name in (asked[_APP_TYPE] or "").split(",") if name)
    return ClientFilter(asked[_FIRST_PARTY], app_types)
