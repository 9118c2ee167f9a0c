"""``/api/v2/jobs/users-imports``: users out of a file, and what became of each row (auth0-behaviour 2.7, 4.3, 4.4)."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from keystead.db.jobs import JobRecord
from keystead.errors import BodyTooLarge, InvalidArchive, NoSuchJob, TooManyImports, TooManyRequests
from keystead.flows.archive_reading import is_archive
from keystead.rules.archive_imports import read_archive_import
from keystead.rules.claims import iso
from keystead.rules.import_jobs import FILE, JOB, LONGEST_PART, Import
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management import user_exports
from keystead.web.management.lists import BY_CURSOR, cursor, cursors_of
from keystead.web.management.operations import operation_of
from keystead.web.multipart import MEDIA, MultipartForm
from keystead.web.parameters import Choice
from keystead.web.shapes import FLAG, MOMENT, NUMBER, OBJECT, TEXT, WHOLE, Shape, each, either, word

_AT_ONCE: Final = 200
_ADDS_PASSKEYS: Final = "create:authentication_methods"
_SETS_PASSWORDS: Final = "update:users"
"""What rows need besides that give a passkey to an account that is there: it is a way into it."""
_VERDICTS: Final = ("insert", "update", "skip", "error")
_VERDICT: Final = Choice("verdict", _VERDICTS)

_FORM: Final = Shape(
    "UsersImportForm",
    {FILE: {"type": "string", "contentMediaType": "application/octet-stream"}, "connection_id": TEXT},
    {
        **dict.fromkeys(("upsert", "send_completion_email", "dry_run"), word("true", "false")),
        "external_id": TEXT,
        "canary": TEXT,
    },
)
_STARTED: Final = Shape(
    "UsersImport",
    {
        "type": word(JOB),
        "status": word("pending"),
        "connection_id": TEXT,
        "connection": TEXT,
        "created_at": MOMENT,
        "id": TEXT,
    },
    {"external_id": TEXT, "dry_run": FLAG},
)
_SUMMARY: Final = Shape("UsersImportSummary", dict.fromkeys(("failed", "updated", "inserted", "total"), WHOLE))
_HASHES: Final = Shape("UsersImportHashes", {"format": TEXT, "rows": WHOLE, "milliseconds": NUMBER})
_CANARY: Final = Shape("UsersImportCanary", {"user": TEXT, "works": FLAG, "why": TEXT}, {"row": WHOLE})
_REHEARSAL: Final = Shape(
    "UsersImportRehearsal", {"unchanged": WHOLE, "passkeys_that_do_not_work": WHOLE, "hashes": each(_HASHES)}
)

MEMBERS: Final = {
    "connection_id": TEXT,
    "connection": TEXT,
    "external_id": TEXT,
    "time_left_seconds": WHOLE,
    "rows": WHOLE,
    "rows_done": WHOLE,
    "summary": _SUMMARY,
    "dry_run": FLAG,
    "rehearsal": _REHEARSAL,
    "canaries": each(_CANARY),
}
"""What a job shows besides, where it is an import."""

_ERROR: Final = Shape("RowError", {"code": TEXT, "message": TEXT}, {"path": TEXT})
_ROW: Final = Shape(
    "ImportedRow",
    {"row": WHOLE, "verdict": word(*_VERDICTS), "user": OBJECT},
    {
        "errors": each(_ERROR),
        "clash": Shape("RowClash", {}, {"row": WHOLE, "user_id": TEXT}),
        "hash": Shape("RowHash", {"format": TEXT, "milliseconds": NUMBER}),
        "passkeys": each(Shape("RowPasskeyVerdict", {"key_id": TEXT, "works": FLAG}, {"why": TEXT})),
        "notes": each(TEXT),
    },
)

CREATE: Final = Scoped(
    "Import users",
    scopes=("create:users",),
    body=Body(_FORM, media=(MEDIA,)),
    answers={202: either(_STARTED, user_exports.ARCHIVE_IMPORT)},
    refuses=(TooManyImports, TooManyRequests, InvalidArchive),
)


async def create(request: Request) -> Response:
    """``POST /jobs/users-imports``: the file is kept as it arrives, and imported by the worker."""
    asked = await CREATE.read(request)
    form = MultipartForm(FILE, LONGEST_PART)
    uploads, operation = management_of(request).import_uploads, operation_of(request, asked.bearer)
    file = form.read(request)
    first = await anext(file, None)
    if first is not None and is_archive(first):
        archive = _whole(first, file, uploads.most_bytes)
        shown = await user_exports.received(request, archive, lambda: read_archive_import(form.texts), asked.bearer)
        return Json({"connection_id": "", "connection": ""} | shown, 202)
    scope = asked.bearer.scope
    may = {"may_add_passkeys": _ADDS_PASSKEYS in scope, "may_set_passwords": _SETS_PASSWORDS in scope}
    job, state = await uploads.receive(_whole(first, file), form, operation, **may)
    found = {
        "type": job.type,
        "status": job.status,
        "connection_id": state.connection_id,
        "connection": state.connection,
        "created_at": iso(job.created_at),
        "id": job.id,
    }
    found |= {"external_id": state.external_id} if state.external_id is not None else {}
    return Json(found | ({"dry_run": True} if state.dry_run else {}), 202)


async def _whole(first: bytes | None, rest: AsyncIterator[bytes], most: int = 0) -> AsyncIterator[bytes]:
    """Give a file whose beginning was looked at. Raises ``BodyTooLarge`` beyond so many bytes, if there is a limit."""
    size = 0
    if first is not None:
        size += len(first)
        yield first
    async for octets in rest:
        size += len(octets)
        if most and size > most:
            raise BodyTooLarge.import_beyond(most)
        yield octets


ROWS: Final = Scoped(
    "List what became of the rows of an import",
    scopes=("create:users", "read:users"),
    query=(*BY_CURSOR, _VERDICT),
    answers={200: cursors_of("rows", _ROW)},
    refuses=(NoSuchJob,),
)


async def rows(request: Request) -> Response:
    """``GET /keystead/jobs/{id}/rows``: of a rehearsal all of them, else those that were refused."""
    asked = await ROWS.read(request)
    part, verdict = cursor(asked), asked[_VERDICT] or ""
    after = int(part.last) - 1 if part.last.isascii() and part.last.isdigit() and len(part.last) < 10 else -1
    found = await management_of(request).import_uploads.rows(
        request.path_params["id"], after, part.size + 1, only=verdict
    )
    shown = [{"row": number + 1, **each} for number, each in found]
    return part.answer("rows", shown, [str(each["row"]) for each in shown])


def members(request: Request, job: JobRecord) -> dict[str, Any]:
    """Return what a job shows because it is an import."""
    if job.type != JOB:
        return {}
    state = Import.model_validate(job.about or {})
    found: dict[str, Any] = {"connection_id": state.connection_id, "connection": state.connection}
    found |= {"external_id": state.external_id} if state.external_id is not None else {}
    if job.status == "completed":
        found["summary"] = state.summary
    elif job.status != "failed":
        found |= _left(request, state)
    if state.dry_run:
        found |= {"dry_run": True, "rehearsal": _rehearsal(state)}
    canaries = [each.model_dump(exclude_none=True) for each in state.canaries]
    return found | ({"canaries": canaries} if canaries else {})


async def errors(request: Request, job: JobRecord) -> Response:
    """Return the rows that were refused; 204 where none was. There may be as many as the file has."""
    found = _failed(request, job.id)
    first = await anext(found, None)
    if first is None:
        return Response(status_code=204)
    return StreamingResponse(_listed(first, found), media_type=Json.media_type)


async def _failed(request: Request, job_id: str) -> AsyncIterator[dict[str, Any]]:
    uploads, after = management_of(request).import_uploads, -1
    while part := await uploads.rows(job_id, after, _AT_ONCE, only="error"):
        for number, found in part:
            yield {"user": found["user"], "errors": found["errors"]}
            after = number


async def _listed(first: dict[str, Any], rest: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield b"[" + json.dumps(first, ensure_ascii=False).encode()
    async for found in rest:
        yield b"," + json.dumps(found, ensure_ascii=False).encode()
    yield b"]"


def _left(request: Request, state: Import) -> dict[str, Any]:
    left = state.seconds_left(management_of(request).import_uploads.clock().timestamp())
    found = {"percentage_done": state.percentage(), "rows": state.rows, "rows_done": state.done}
    return found | ({} if left is None else {"time_left_seconds": left})


def _rehearsal(state: Import) -> dict[str, Any]:
    hashes = [
        {"format": name, "rows": found.rows, "milliseconds": round(found.most_ms, 2)}
        for name, found in sorted(state.hashes.items())
    ]
    return {"unchanged": state.skipped, "passkeys_that_do_not_work": state.lost_passkeys, "hashes": hashes}
