"""``/api/v2/tickets`` and ``/api/v2/jobs`` (auth0-behaviour 2.7)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.jobs import JobRecord
from keystead.errors import NoSuchJob, NoSuchUser
from keystead.rules.claims import iso
from keystead.rules.import_jobs import JOB as IMPORT_JOB
from keystead.rules.tickets import (
    PasskeyTicket,
    PasswordTicket,
    VerificationMail,
    VerificationTicket,
    read_passkey_ticket,
    read_password_ticket,
    read_verification_mail,
    read_verification_ticket,
)
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of
from keystead.web.management import user_exports, user_imports
from keystead.web.management.operations import operation_of
from keystead.web.shapes import MOMENT, TEXT, WHOLE, Shape, each, either, word

_TICKET: Final = Shape("Ticket", {"ticket": TEXT})
_JOB: Final = Shape(
    "Job",
    {"type": TEXT, "status": word("pending", "processing", "completed", "failed"), "created_at": MOMENT, "id": TEXT},
    {"percentage_done": WHOLE, "status_details": TEXT, **user_exports.MEMBERS, **user_imports.MEMBERS},
)
_READ_JOBS: Final = ("create:users", "read:users", "update:users")

EMAIL_VERIFICATION: Final = Scoped(
    "Make a link that verifies an email address",
    scopes=("create:user_tickets",),
    body=Body(VerificationTicket),
    answers={201: _TICKET},
    refuses=(NoSuchUser,),
)


async def email_verification(request: Request) -> Response:
    """``POST /tickets/email-verification``: the link alone; nothing is sent (VF-3)."""
    asked = await EMAIL_VERIFICATION.read(request)
    wanted, operation = read_verification_ticket(asked.body), operation_of(request, asked.bearer)
    return Json({"ticket": await flows_of(request).tickets.verify_email(wanted, operation)}, 201)


PASSWORD_CHANGE: Final = Scoped(
    "Make a link that changes a password",
    scopes=("create:user_tickets",),
    body=Body(PasswordTicket),
    answers={201: _TICKET},
    refuses=(NoSuchUser,),
)


async def password_change(request: Request) -> Response:
    """``POST /tickets/password-change``: the link alone; nothing is sent (RS-7)."""
    asked = await PASSWORD_CHANGE.read(request)
    wanted, operation = read_password_ticket(asked.body), operation_of(request, asked.bearer)
    return Json({"ticket": await flows_of(request).tickets.change_password(wanted, operation)}, 201)


PASSKEY_ENROLMENT: Final = Scoped(
    "Make a link that leads to a passkey",
    scopes=("create:user_tickets",),
    body=Body(PasskeyTicket),
    answers={201: _TICKET},
    refuses=(NoSuchUser,),
)


async def passkey_enrolment(request: Request) -> Response:
    """``POST /tickets/passkey-enrollment``: the link alone; nothing is sent."""
    asked = await PASSKEY_ENROLMENT.read(request)
    wanted, operation = read_passkey_ticket(asked.body), operation_of(request, asked.bearer)
    return Json({"ticket": await flows_of(request).tickets.enrol_passkey(wanted, operation)}, 201)


VERIFICATION_EMAIL: Final = Scoped(
    "Send an email that verifies its address",
    scopes=("update:users",),
    body=Body(VerificationMail),
    answers={201: _JOB},
)


async def verification_email(request: Request) -> Response:
    """``POST /jobs/verification-email``."""
    asked = await VERIFICATION_EMAIL.read(request)
    wanted, operation = read_verification_mail(asked.body), operation_of(request, asked.bearer)
    return Json(shown(await flows_of(request).tickets.mail_verification(wanted, operation)), 201)


JOB: Final = Scoped("Show a job", scopes=_READ_JOBS, answers={200: _JOB}, refuses=(NoSuchJob,))


async def job(request: Request) -> Response:
    """``GET /jobs/{id}``."""
    asked = await JOB.read(request)
    found = await flows_of(request).tickets.job(request.path_params["id"])
    of_export = user_exports.members(request, found, asked.bearer)
    return Json(shown(found) | of_export | user_imports.members(request, found))


JOB_ERRORS: Final = Scoped(
    "Show what went wrong in a job",
    scopes=_READ_JOBS,
    answers={200: either(_JOB, each(user_exports.ROW)), 204: None},
    refuses=(NoSuchJob,),
)


async def job_errors(request: Request) -> Response:
    """``GET /jobs/{id}/errors``: the job with what went wrong, or 204 where nothing did."""
    await JOB_ERRORS.read(request)
    found = await flows_of(request).tickets.job(request.path_params["id"])
    if found.status == "failed":
        return Json(shown(found) | user_imports.members(request, found))
    if found.type == IMPORT_JOB:
        return await user_imports.errors(request, found)
    rows = await user_exports.errors(request, found)
    return Json(rows) if rows else Response(status_code=204)


def shown(found: JobRecord) -> dict[str, Any]:
    """Return a job as the wire shows it."""
    answer: dict[str, Any] = {
        "type": found.type,
        "status": found.status,
        "created_at": iso(found.created_at),
        "id": found.id,
    }
    if found.status == "completed":
        answer["percentage_done"] = 100
    return answer | ({"status_details": found.error} if found.error else {})
