"""``/api/v2/keystead/jobs``: what is to be done later, and how it goes on."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.jobs import JobFilter
from keystead.errors import NoSuchJob
from keystead.flows.jobs import Named
from keystead.rules.claims import iso
from keystead.web.answers import Json
from keystead.web.endpoints import Scoped
from keystead.web.flows import management_of
from keystead.web.management.lists import BY_CURSOR, cursor, cursors_of
from keystead.web.parameters import Choice, Text
from keystead.web.shapes import FLAG, MOMENT, TEXT, WHOLE, Shape, word

STATUSES: Final = ("pending", "processing", "completed", "failed")
_STATUS: Final = Choice("status", STATUSES)
_TYPE: Final = Text("type", longest=64)
_READ: Final = ("read:users",)

JOB: Final = Shape(
    "JobDetails",
    {"id": TEXT, "type": TEXT, "status": word(*STATUSES), "created_at": MOMENT, "tries": WHOLE},
    {
        "run_at": MOMENT,
        "finished_at": MOMENT,
        "error": TEXT,
        "connection_id": TEXT,
        "connection": TEXT,
        "dry_run": FLAG,
    },
)

INDEX: Final = Scoped(
    "List jobs", scopes=_READ, query=(*BY_CURSOR, _STATUS, _TYPE), answers={200: cursors_of("jobs", JOB)}
)


async def index(request: Request) -> Response:
    """``GET /keystead/jobs``: newest first."""
    asked = await INDEX.read(request)
    part, wanted = cursor(asked), JobFilter(asked[_TYPE], asked[_STATUS])
    found = await management_of(request).jobs.after(wanted, part.last, part.size + 1)
    return part.answer("jobs", [shown(each) for each in found], [each.job.id for each in found])


SHOW: Final = Scoped("Show how a job goes on", scopes=_READ, answers={200: JOB}, refuses=(NoSuchJob,))


async def show(request: Request) -> Response:
    """``GET /keystead/jobs/{id}``."""
    await SHOW.read(request)
    return Json(shown(await management_of(request).jobs.show(request.path_params["id"])))


def shown(named: Named) -> dict[str, Any]:
    """Return a job as the wire shows it; what a message is about is nobody's but the worker's."""
    job, connection = named
    found = {
        "id": job.id,
        "type": job.type,
        "status": job.status,
        "created_at": iso(job.created_at),
        "run_at": None if job.finished_at else iso(job.run_at),
        "tries": job.tries,
        "finished_at": iso(job.finished_at) if job.finished_at else None,
        "error": job.error,
        "connection_id": job.connection_id,
        "connection": connection,
        "dry_run": True if job.is_rehearsal else None,
    }
    return {name: value for name, value in found.items() if value is not None}
