"""``/api/v2/sessions`` and what hangs on a user: sessions, and access as a whole (auth0-behaviour 2.5)."""

from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.sessions import SessionDetails
from keystead.errors import BadRequest, InvalidPath, NoSuchSession
from keystead.rules.claims import iso
from keystead.rules.complaints import type_of
from keystead.rules.revocation import Event
from keystead.rules.sessions import read_notes
from keystead.web.answers import Json
from keystead.web.body import json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import cursor_of
from keystead.web.management.operations import operation_of

_METHODS: Final = {"phr": "passkey"}
"""What Auth0 calls a way to prove oneself, where our tokens have another word."""

_LONGEST_ID: Final = 50


async def show(request: Request) -> Response:
    """``GET /sessions/{id}``."""
    await require(request, "read:sessions")
    return Json(shown(await flows_of(request).access.session(request.path_params["id"])))


async def update(request: Request) -> Response:
    """``PATCH /sessions/{id}``: the notes about a session, replaced as a whole."""
    operation = operation_of(request, await require(request, "update:sessions"))
    notes = read_notes(await json_object(request), "session_metadata")
    return Json(shown(await flows_of(request).access.describe_session(request.path_params["id"], notes, operation)))


async def delete(request: Request) -> Response:
    """``DELETE /sessions/{id}``: 202, also where there is none. Its refresh tokens live on."""
    operation = operation_of(request, await require(request, "delete:sessions"))
    with suppress(NoSuchSession):
        await flows_of(request).access.end_session(request.path_params["id"], Event.SESSION_DELETED, operation)
    return Json({}, 202)


async def revoke(request: Request) -> Response:
    """``POST /sessions/{id}/revoke``: the session, with its refresh tokens."""
    operation = operation_of(request, await _require_both(request))
    if len(request.path_params["id"]) > _LONGEST_ID:
        raise InvalidPath(f"String is too long, maximum {_LONGEST_ID}", path="id")
    await flows_of(request).access.end_session(request.path_params["id"], Event.SESSION_REVOKED, operation)
    return Json({}, 202)


async def of_user(request: Request) -> Response:
    """``GET /users/{id}/sessions``."""
    await require(request, "read:sessions")
    asked = query(request)
    cursor, totals = cursor_of(asked), asked.flag("include_totals", False)
    found, total = await flows_of(request).access.sessions_of(request.path_params["id"], cursor.last, cursor.size + 1)
    items = [shown(each) for each in found]
    return cursor.answer("sessions", items, [each.id for each in found], total=total if totals else None)


async def delete_of_user(request: Request) -> Response:
    """``DELETE /users/{id}/sessions``: 202. Refresh tokens live on."""
    operation = operation_of(request, await require(request, "delete:sessions"))
    await flows_of(request).access.end_sessions_of(request.path_params["id"], operation)
    return Json({}, 202)


async def revoke_access(request: Request) -> Response:
    """``POST /users/{id}/revoke-access``: 202."""
    operation = operation_of(request, await _require_both(request))
    body = await json_object(request) if await request.body() else {}
    unknown = [name for name in body if name not in ("session_id", "preserve_refresh_tokens")]
    if unknown:
        raise BadRequest(f"Additional properties not allowed: {unknown[0][:100]}", path="")
    session_id, keep = body.get("session_id", ""), body.get("preserve_refresh_tokens", False)
    if not isinstance(session_id, str) or len(session_id) > _LONGEST_ID:
        raise BadRequest(f"session_id must be a text of at most {_LONGEST_ID} characters", path="session_id")
    if not isinstance(keep, bool):
        text = f"Expected type boolean but found type {type_of(keep)}"
        raise BadRequest(text, path="preserve_refresh_tokens")
    user_id = request.path_params["id"]
    await flows_of(request).access.revoke_access(user_id, session_id, operation, keep_tokens=keep)
    return Json({}, 202)


async def _require_both(request: Request) -> Any:
    """Ending a session with its refresh tokens takes both rights. Raises ``InsufficientScope``."""
    await require(request, "delete:sessions")
    return await require(request, "delete:refresh_tokens")


def shown(found: SessionDetails) -> dict[str, Any]:
    """Return a session as the wire shows it."""
    methods = [{**each, "name": _METHODS.get(each["name"], each["name"])} for each in found.methods]
    notes = {"session_metadata": found.about} if found.about else {}
    return {
        "id": found.id,
        "user_id": found.user_id,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.seen_at),
        "authenticated_at": iso(found.authenticated_at),
        "idle_expires_at": iso(found.idle_expires_at),
        "expires_at": iso(found.expires_at),
        "last_interacted_at": iso(found.seen_at),
        "device": {
            "initial_user_agent": found.user_agent,
            "initial_ip": found.ip or None,
            "last_user_agent": found.last_user_agent,
            "last_ip": found.last_ip or None,
        },
        "clients": [{"client_id": each} for each in found.client_ids],
        "authentication": {"methods": methods},
        "cookie": {"mode": "persistent" if found.persistent else "non-persistent"},
        **notes,
    }
