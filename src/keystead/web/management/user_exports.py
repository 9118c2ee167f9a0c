"""``/api/v2/jobs/users-exports`` and archives: users in a file, and the link to it (auth0-behaviour 2.7 and 4.5)."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from keystead.db.jobs import JobRecord
from keystead.errors import (
    InsufficientScope,
    InvalidArchive,
    InvalidQuery,
    NoSuchJob,
    TooManyRequests,
    UnsupportedMediaType,
)
from keystead.flows.archive_imports import JOB as IMPORT_JOB
from keystead.flows.operations import Operation
from keystead.flows.user_exports import JOBS
from keystead.oauth.bearers import Bearer
from keystead.rules.archive_imports import ArchiveImport, NewArchiveImport
from keystead.rules.claims import iso
from keystead.rules.complaints import parse
from keystead.rules.user_exports import Export, ExportField, NewArchive, NewExport, read_export
from keystead.web.answers import Json
from keystead.web.body import query
from keystead.web.endpoints import Body, Endpoint, Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.guard import caller_of
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Needed, Text
from keystead.web.shapes import MOMENT, OBJECT, TEXT, WHOLE, Content, Shape, each, word

GOOD_FOR: Final = 60
"""Seconds from the answer that names a link to its use (IM-16)."""

_STALE: Final = f"The link is older than {GOOD_FOR} seconds, or it was changed. Ask for the job again."
_SALT: Final = "users-export"
_READ: Final = "read:users"
_READ_ARCHIVES: Final = "read:user_archives"
_GZIP: Final = "application/gzip"
_PATH: Final = "/api/v2/keystead/user-exports"
_SIGNED: Final = Needed("signed")
_CONNECTION: Final = Text("connection_id", longest=20)
_KEY: Final = Text("key", longest=100)
_ENDINGS: Final = {"json": "json.gz", "csv": "csv.gz", "archive": "tar.gz"}
_ODD: Final = re.compile(r"[^a-z0-9.-]")

MEMBERS: Final = {
    "connection_id": TEXT,
    "connection": TEXT,
    "format": word("json", "csv"),
    "limit": WHOLE,
    "fields": each(ExportField),
    "time_left_seconds": WHOLE,
    "location": TEXT,
    "signed_by": TEXT,
    "issuer": TEXT,
    "summary": Shape("ImportSummary", {"failed": WHOLE, "updated": WHOLE, "inserted": WHOLE, "total": WHOLE}),
    "passkeys_elsewhere": Shape("PasskeysElsewhere", {}, others=WHOLE),
}
"""What a job shows besides, where it is an export."""

_EXPORT: Final = Shape(
    "UsersExport",
    {"type": word(*JOBS), "status": word("pending"), "created_at": MOMENT, "id": TEXT},
    {name: shape for name, shape in MEMBERS.items() if name not in ("location", "time_left_seconds", "signed_by")},
)

ARCHIVE_IMPORT: Final = Shape(
    "UserArchiveImport",
    {"type": word(IMPORT_JOB), "status": word("pending"), "created_at": MOMENT, "id": TEXT},
    {"connection_id": TEXT, "connection": TEXT},
)

ROW: Final = Shape(
    "ImportRowErrors",
    {"user": OBJECT, "errors": each(Shape("ImportRowError", {"code": TEXT, "message": TEXT}, {"path": TEXT}))},
)
"""What is told of a line that nothing came of."""

CREATE: Final = Scoped(
    "Export users",
    scopes=(_READ,),
    body=Body(NewExport),
    answers={200: _EXPORT},
    refuses=(TooManyRequests,),
)


async def create(request: Request) -> Response:
    """``POST /jobs/users-exports``."""
    asked = await CREATE.read(request)
    wanted = Export.model_validate(dict(read_export(asked.body)))
    return await _started(request, wanted, asked.bearer)


CREATE_ARCHIVE: Final = Scoped(
    "Make an archive of users",
    scopes=(_READ_ARCHIVES,),
    body=Body(NewArchive, required=False),
    answers={200: _EXPORT},
    refuses=(TooManyRequests,),
)


async def create_archive(request: Request) -> Response:
    """``POST /keystead/user-archives``: with hashes and passkeys, so for owners alone."""
    asked = await CREATE_ARCHIVE.read(request)
    found = parse(NewArchive, asked.body)
    return await _started(request, Export(format="archive", connection_id=found.connection_id), asked.bearer)


DOWNLOAD: Final = Endpoint(
    "Download an export", query=(_SIGNED,), answers={200: Content(_GZIP)}, refuses=(NoSuchJob, InvalidQuery)
)


async def download(request: Request) -> Response:
    """``GET /keystead/user-exports/{id}``: by the link of the job, which is the proof; it holds who was given it."""
    job_id, flows = request.path_params["id"], flows_of(request)
    # The job is in what is signed: a link to one file leads to no other.
    sealed = flows.devices.seals.open(_SIGNED.read(query(request)), _SALT, GOOD_FOR)
    given, _, actor = (sealed or "").partition(" ")
    if not given or given != job_id:
        raise InvalidQuery(_STALE, path=_SIGNED.name)
    caller = caller_of(request).model_copy(update={"actor": actor})
    operation = Operation("", caller, request.method, f"{_PATH}/{job_id}")
    host = _ODD.sub("-", flows.settings.host_name)
    if request.method == "HEAD":
        return Response(media_type=_GZIP, headers={"cache-control": "no-store"})
    found = await management_of(request).user_exports.download(job_id, operation)
    headers = {
        "content-length": str(found.size),
        "content-disposition": f'attachment; filename="{host}.{_ENDINGS[found.export.format]}"',
        "cache-control": "no-store",
    }
    return StreamingResponse(found.pieces, media_type=_GZIP, headers=headers)


async def errors(request: Request, job: JobRecord) -> list[dict[str, Any]]:
    """Return what is told of the lines of an archive that nothing came of; the first thousand, if there are more."""
    return await management_of(request).archive_imports.errors(job.id) if job.type == IMPORT_JOB else []


def members(request: Request, job: JobRecord, bearer: Bearer) -> dict[str, Any]:
    """Return what a job shows because it is an export; a link for whoever may read what is in the file."""
    if job.type == IMPORT_JOB:
        return _of_import(ArchiveImport.model_validate(job.about or {}), is_done=job.status == "completed")
    if job.type not in JOBS:
        return {}
    export = Export.model_validate(job.about or {})
    if job.status == "completed":
        return _asked_for(export) | _link(request, job, export, bearer)
    return _asked_for(export) | ({} if job.status == "failed" else _progress(request, export))


def _link(request: Request, job: JobRecord, export: Export, bearer: Bearer) -> dict[str, Any]:
    found = {"signed_by": export.key} if export.key else {}
    if (_READ_ARCHIVES if export.format == "archive" else _READ) not in bearer.scope:
        return found
    flows = flows_of(request)
    signed = flows.devices.seals.seal(f"{job.id} {bearer.subject}", _SALT)
    link = f"{flows.settings.public_url}{_PATH}/{quote(job.id)}"
    return found | {"location": f"{link}?{urlencode({_SIGNED.name: signed})}"}


def _progress(request: Request, export: Export) -> dict[str, Any]:
    left = export.seconds_left(management_of(request).user_exports.clock().timestamp())
    return {"percentage_done": export.percentage} | ({} if left is None else {"time_left_seconds": left})


RECEIVE: Final = Scoped(
    "Import an archive of users",
    scopes=("create:user_archives",),
    query=(_CONNECTION, _KEY),
    body=Body({"type": "string", "format": "binary"}, media=(_GZIP,)),
    answers={202: ARCHIVE_IMPORT},
    refuses=(TooManyRequests, InvalidArchive),
)


async def receive(request: Request) -> Response:
    """``PUT /keystead/user-archives``: the file is the body; ``key`` names whose signature is trusted besides ours."""
    asked = await RECEIVE.read(request)
    if request.headers.get("content-type", _GZIP).partition(";")[0].strip().lower() != _GZIP:
        raise UnsupportedMediaType
    wanted = parse(NewArchiveImport, {_CONNECTION.name: asked[_CONNECTION], _KEY.name: asked[_KEY]})
    return Json(await received(request, request.stream(), lambda: wanted, asked.bearer), 202)


async def received(
    request: Request, file: AsyncIterator[bytes], wanted: Callable[[], NewArchiveImport], bearer: Bearer
) -> dict[str, Any]:
    """Take an archive in, by whichever route, and return the job as the wire shows it.

    Raises ``InsufficientScope``: whoever may import rows may not say which hashes and handles people have.
    """
    if not bearer.scope.issuperset(RECEIVE.scopes):
        raise InsufficientScope(RECEIVE.scopes)
    job, state = await management_of(request).archive_imports.receive(file, wanted, operation_of(request, bearer))
    shown = {"type": job.type, "status": job.status, "created_at": iso(job.created_at), "id": job.id}
    return shown | _of_import(state)


async def _started(request: Request, wanted: Export, bearer: Bearer) -> Response:
    job = await management_of(request).user_exports.start(wanted, operation_of(request, bearer))
    shown = {"type": job.type, "status": job.status, "created_at": iso(job.created_at), "id": job.id}
    return Json(shown | _asked_for(Export.model_validate(job.about)))


def _asked_for(export: Export) -> dict[str, Any]:
    names = {"connection_id", "connection", "limit", "fields"} | (set() if export.format == "archive" else {"format"})
    # Auth0's clients expect a connection, also where all are meant.
    return {"connection": ""} | export.model_dump(include=names, exclude_none=True)


def _of_import(state: ArchiveImport, *, is_done: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"connection_id": state.connection_id, "issuer": state.issuer, "signed_by": state.signed_by}
    if is_done:
        counted = {"failed": state.failed, "updated": 0, "inserted": state.inserted, "total": state.done}
        found |= {"summary": counted, "passkeys_elsewhere": state.foreign}
    elif state.is_verified:
        found["percentage_done"] = state.percentage
    return {name: value for name, value in found.items() if value not in (None, "")}
