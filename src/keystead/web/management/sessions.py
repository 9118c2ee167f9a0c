"""``/api/v2/sessions`` and what hangs on a user: sessions, and access as a whole (auth0-behaviour 2.5)."""

from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.sessions import SessionDetails
from keystead.errors import BadRequest, InvalidPath, NoSuchSession, NoSuchUser
from keystead.rules.claims import iso
from keystead.rules.complaints import type_of
from keystead.rules.revocation import Event
from keystead.rules.sessions import read_notes
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import management_of
from keystead.web.management.lists import BY_CURSOR, TOTALS, cursor, cursors_of
from keystead.web.management.operations import ACCEPTED, NOTES, operation_of
from keystead.web.shapes import FLAG, MOMENT, NOTHING, OBJECT, TEXT, Shape, each, either, text, word

_METHODS: Final = {"phr": "passkey"}
"""What Auth0 calls a way to prove oneself, where our tokens have another word."""

_LONGEST_ID: Final = 50
_READ: Final = ("read:sessions",)
_DELETE: Final = ("delete:sessions",)
_TOKENS_TOO: Final = ("delete:refresh_tokens",)
"""Ending a session with its refresh tokens takes both rights."""
_TEXT: Final = either(TEXT, NOTHING)

SESSION: Final = Shape(
    "Session",
    {
        "id": TEXT,
        "user_id": TEXT,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "authenticated_at": MOMENT,
        "idle_expires_at": MOMENT,
        "expires_at": MOMENT,
        "last_interacted_at": MOMENT,
        "device": Shape(
            "Device",
            {"initial_ip": _TEXT, "initial_user_agent": _TEXT, "last_ip": _TEXT, "last_user_agent": _TEXT},
        ),
        "clients": each(Shape("SessionClient", {"client_id": TEXT})),
        "authentication": Shape("SessionMethods", {"methods": each(OBJECT)}),
        "cookie": Shape("SessionCookieShown", {"mode": word("persistent", "non-persistent")}),
    },
    {"session_metadata": OBJECT},
)

SHOW: Final = Scoped("Show a session", scopes=_READ, answers={200: SESSION}, refuses=(NoSuchSession,))


async def show(request: Request) -> Response:
    """``GET /sessions/{id}``."""
    await SHOW.read(request)
    return Json(shown(await management_of(request).access.session(request.path_params["id"])))


UPDATE: Final = Scoped(
    "Note something about a session",
    scopes=("update:sessions",),
    body=Body(Shape("SessionNotes", {"session_metadata": either(NOTES, NOTHING)}, others=False)),
    answers={200: SESSION},
    refuses=(NoSuchSession,),
)


async def update(request: Request) -> Response:
    """``PATCH /sessions/{id}``: the notes about a session, replaced as a whole."""
    asked = await UPDATE.read(request)
    notes, operation = read_notes(asked.body, "session_metadata"), operation_of(request, asked.bearer)
    return Json(
        shown(await management_of(request).access.describe_session(request.path_params["id"], notes, operation))
    )


DELETE: Final = Scoped("End a session", scopes=_DELETE, answers={202: ACCEPTED})


async def delete(request: Request) -> Response:
    """``DELETE /sessions/{id}``: 202, also where there is none. Its refresh tokens live on."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    with suppress(NoSuchSession):
        await management_of(request).access.end_session(request.path_params["id"], Event.SESSION_DELETED, operation)
    return Json({}, 202)


REVOKE: Final = Scoped(
    "End a session with its refresh tokens",
    scopes=_DELETE,
    besides=_TOKENS_TOO,
    answers={202: ACCEPTED},
    refuses=(NoSuchSession,),
)


async def revoke(request: Request) -> Response:
    """``POST /sessions/{id}/revoke``: the session, with its refresh tokens."""
    operation = operation_of(request, (await REVOKE.read(request)).bearer)
    if len(request.path_params["id"]) > _LONGEST_ID:
        raise InvalidPath(f"String is too long, maximum {_LONGEST_ID}", path="id")
    await management_of(request).access.end_session(request.path_params["id"], Event.SESSION_REVOKED, operation)
    return Json({}, 202)


OF_USER: Final = Scoped(
    "List the sessions of a user",
    scopes=_READ,
    query=(*BY_CURSOR, TOTALS),
    answers={200: cursors_of("sessions", SESSION)},
    refuses=(NoSuchUser,),
)


async def of_user(request: Request) -> Response:
    """``GET /users/{id}/sessions``."""
    asked = await OF_USER.read(request)
    part = cursor(asked)
    found, total = await management_of(request).access.sessions_of(request.path_params["id"], part.last, part.size + 1)
    items, ids = [shown(session) for session in found], [session.id for session in found]
    return part.answer("sessions", items, ids, total=total if asked[TOTALS] else None)


DELETE_OF_USER: Final = Scoped(
    "End the sessions of a user", scopes=_DELETE, answers={202: ACCEPTED}, refuses=(NoSuchUser,)
)


async def delete_of_user(request: Request) -> Response:
    """``DELETE /users/{id}/sessions``: 202. Refresh tokens live on."""
    operation = operation_of(request, (await DELETE_OF_USER.read(request)).bearer)
    await management_of(request).access.end_sessions_of(request.path_params["id"], operation)
    return Json({}, 202)


REVOKE_ACCESS: Final = Scoped(
    "End the access of a user",
    scopes=_DELETE,
    besides=_TOKENS_TOO,
    body=Body(
        Shape(
            "AccessRevocation",
            {},
            {"session_id": text(most=_LONGEST_ID), "preserve_refresh_tokens": FLAG},
            others=False,
        ),
        required=False,
    ),
    answers={202: ACCEPTED},
    refuses=(NoSuchUser, NoSuchSession),
)


async def revoke_access(request: Request) -> Response:
    """``POST /users/{id}/revoke-access``: 202."""
    asked = await REVOKE_ACCESS.read(request)
    body, operation = asked.body, operation_of(request, asked.bearer)
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
    await management_of(request).access.revoke_access(user_id, session_id, operation, keep_tokens=keep)
    return Json({}, 202)


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
