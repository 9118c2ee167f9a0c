"""``/api/v2/tickets`` and ``/api/v2/jobs`` (auth0-behaviour 2.7)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.jobs import JobRecord
from keystead.rules.claims import iso
from keystead.rules.tickets import read_password_ticket, read_verification_mail, read_verification_ticket
from keystead.web.answers import Json
from keystead.web.body import json_object
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.operations import operation_of


async def email_verification(request: Request) -> Response:
    """``POST /tickets/email-verification``: the link alone; nothing is sent (VF-3)."""
    operation = operation_of(request, await require(request, "create:user_tickets"))
    asked = read_verification_ticket(await json_object(request))
    return Json({"ticket": await flows_of(request).tickets.verify_email(asked, operation)}, 201)


async def password_change(request: Request) -> Response:
    """``POST /tickets/password-change``: the link alone; nothing is sent (RS-7)."""
    operation = operation_of(request, await require(request, "create:user_tickets"))
    asked = read_password_ticket(await json_object(request))
    return Json({"ticket": await flows_of(request).tickets.change_password(asked, operation)}, 201)


async def verification_email(request: Request) -> Response:
    """``POST /jobs/verification-email``."""
    operation = operation_of(request, await require(request, "update:users"))
    asked = read_verification_mail(await json_object(request))
    return Json(shown(await flows_of(request).tickets.mail_verification(asked, operation)), 201)


async def job(request: Request) -> Response:
    """``GET /jobs/{id}``."""
    await require(request, "create:users", "read:users", "update:users")
    return Json(shown(await flows_of(request).tickets.job(request.path_params["id"])))


async def job_errors(request: Request) -> Response:
    """``GET /jobs/{id}/errors``: the job with what went wrong, or 204 where nothing did."""
    await require(request, "create:users", "read:users", "update:users")
    found = await flows_of(request).tickets.job(request.path_params["id"])
    return Json(shown(found)) if found.status == "failed" else Response(status_code=204)


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
