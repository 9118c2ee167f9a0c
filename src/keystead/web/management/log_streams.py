"""``/api/v2/log-streams``: where the journal is sent on to."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.errors import Conflict, NoSuchLogStream
from keystead.flows.log_streams import Shown
from keystead.rules.log_categories import CATEGORIES
from keystead.rules.log_streams import LogStreamEdit, NewLogStream, shown_sink
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.operations import operation_of
from keystead.web.shapes import FLAG, TEXT, Shape, each, word

_SINK: Final = Shape(
    "LogStreamSink",
    {"httpEndpoint": TEXT, "httpContentFormat": word("JSONARRAY", "JSONLINES", "JSONOBJECT"), "httpContentType": TEXT},
    {
        "httpAuthorization": TEXT,
        "httpCustomHeaders": each(Shape("LogStreamHeader", {"header": TEXT, "value": TEXT})),
    },
)
STREAM: Final = Shape(
    "LogStream",
    {
        "id": TEXT,
        "name": TEXT,
        "type": word("http"),
        "status": word("active", "paused", "suspended"),
        "isPriority": FLAG,
        "filters": each(Shape("LogStreamFilter", {"type": word("category"), "name": word(*CATEGORIES)})),
        "sink": _SINK,
    },
    {"error": TEXT, "signing_secret": TEXT},
)

_SENT_ON: Final = ("read:logs",)
"""Whoever says where the journal goes may read it."""

INDEX: Final = Scoped("List log streams", scopes=("read:log_streams",), answers={200: each(STREAM)})


async def index(request: Request) -> Response:
    """``GET /log-streams``: all of them, in a list."""
    await INDEX.read(request)
    return Json([_shown(found) for found in await management_of(request).log_streams.index()])


CREATE: Final = Scoped(
    "Create a log stream",
    scopes=("create:log_streams",),
    besides=_SENT_ON,
    body=Body(NewLogStream),
    answers={200: STREAM},
    refuses=(Conflict,),
)


async def create(request: Request) -> Response:
    """``POST /log-streams``: shows the signing secret, once."""
    asked = await CREATE.read(request)
    made = await management_of(request).log_streams.create(asked.body, operation_of(request, asked.bearer))
    return Json(_shown(made), headers={"cache-control": "no-store"})


SHOW: Final = Scoped(
    "Show a log stream", scopes=("read:log_streams",), answers={200: STREAM}, refuses=(NoSuchLogStream,)
)


async def show(request: Request) -> Response:
    """``GET /log-streams/{id}``."""
    await SHOW.read(request)
    return Json(_shown(await management_of(request).log_streams.show(request.path_params["id"])))


UPDATE: Final = Scoped(
    "Change a log stream",
    scopes=("update:log_streams",),
    besides=_SENT_ON,
    body=Body(LogStreamEdit, needs=()),
    answers={200: STREAM},
    refuses=(NoSuchLogStream, Conflict),
)


async def update(request: Request) -> Response:
    """``PATCH /log-streams/{id}``: with ``status: active`` it goes on where it stopped."""
    asked = await UPDATE.read(request)
    operation, stream_id = operation_of(request, asked.bearer), request.path_params["id"]
    return Json(_shown(await management_of(request).log_streams.update(stream_id, asked.body, operation)))


ROTATE_SECRET: Final = Scoped(
    "Rotate the signing secret of a log stream",
    scopes=("update:log_streams",),
    answers={200: STREAM},
    refuses=(NoSuchLogStream,),
)


async def rotate_secret(request: Request) -> Response:
    """``POST /log-streams/{id}/rotate-secret``: shows the new one, once."""
    operation = operation_of(request, (await ROTATE_SECRET.read(request)).bearer)
    made = await management_of(request).log_streams.rotate_secret(request.path_params["id"], operation)
    return Json(_shown(made), headers={"cache-control": "no-store"})


DELETE: Final = Scoped("Delete a log stream", scopes=("delete:log_streams",), answers={204: None})


async def delete(request: Request) -> Response:
    """``DELETE /log-streams/{id}``: 204, also where there is none."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).log_streams.delete(request.path_params["id"], operation)
    return Response(status_code=204)


def _shown(found: Shown) -> dict[str, Any]:
    record = found.record
    return {
        "id": record.id,
        "name": record.name,
        "type": record.type,
        "status": record.status,
        "isPriority": record.settings["isPriority"],
        "filters": record.settings["filters"],
        "sink": shown_sink(record.settings, found.authorization, found.headers),
        **({"error": record.error} if record.error else {}),
        **({"signing_secret": found.signing_secret.reveal()} if found.signing_secret else {}),
    }
