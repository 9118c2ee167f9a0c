"""``/api/v2/refresh-tokens`` (auth0-behaviour 2.5). Only what can still be used is there: a rotated one is none."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.refresh_tokens import TokenFilter
from keystead.errors import InvalidQuery
from keystead.flows.access import ListedToken
from keystead.rules.claims import iso
from keystead.rules.sessions import read_notes
from keystead.rules.token_selection import read_selection
from keystead.web.answers import Json
from keystead.web.body import json_object, query
from keystead.web.flows import flows_of
from keystead.web.guard import require
from keystead.web.management.lists import cursor_of, picked
from keystead.web.management.operations import operation_of


async def index(request: Request) -> Response:
    """``GET /refresh-tokens?user_id=&client_id=``."""
    await require(request, "read:refresh_tokens")
    asked, flows = query(request), flows_of(request)
    user_id, cursor = asked.text("user_id"), cursor_of(asked)
    if not user_id:
        raise InvalidQuery("Missing required property: user_id", path="user_id")
    client_id = asked.text("client_id") or ""
    found, _ = await flows.access.tokens_of(user_id, client_id, cursor.last, cursor.size + 1)
    items = [picked(shown(each, flows.issuer.userinfo_audience), asked) for each in found]
    return cursor.answer("refresh_tokens", items, [each.details.id for each in found])


async def show(request: Request) -> Response:
    """``GET /refresh-tokens/{id}``."""
    await require(request, "read:refresh_tokens")
    flows = flows_of(request)
    return Json(shown(await flows.access.token(request.path_params["id"]), flows.issuer.userinfo_audience))


async def update(request: Request) -> Response:
    """``PATCH /refresh-tokens/{id}``: the notes about a token, replaced as a whole."""
    operation = operation_of(request, await require(request, "update:refresh_tokens"))
    notes, flows = read_notes(await json_object(request), "refresh_token_metadata"), flows_of(request)
    found = await flows.access.describe_token(request.path_params["id"], notes, operation)
    return Json(shown(found, flows.issuer.userinfo_audience))


async def delete(request: Request) -> Response:
    """``DELETE /refresh-tokens/{id}``: 202, also where there is none. It ends with its family."""
    operation = operation_of(request, await require(request, "delete:refresh_tokens"))
    await flows_of(request).access.end_tokens(TokenFilter(ids=(request.path_params["id"],)), operation)
    return Json({}, 202)


async def revoke(request: Request) -> Response:
    """``POST /refresh-tokens/revoke``: 202."""
    operation = operation_of(request, await require(request, "delete:refresh_tokens"))
    wanted = read_selection(await json_object(request))
    meant = TokenFilter(tuple(wanted.ids), wanted.user_id or "", wanted.client_id or "", wanted.audience or "")
    await flows_of(request).access.end_tokens(meant, operation)
    return Json({}, 202)


async def of_user(request: Request) -> Response:
    """``GET /users/{id}/refresh-tokens``."""
    await require(request, "read:refresh_tokens")
    asked, flows = query(request), flows_of(request)
    cursor, totals = cursor_of(asked), asked.flag("include_totals", False)
    found, total = await flows.access.tokens_of(request.path_params["id"], "", cursor.last, cursor.size + 1)
    items = [shown(each, flows.issuer.userinfo_audience) for each in found]
    return cursor.answer("tokens", items, [each.details.id for each in found], total=total if totals else None)


async def delete_of_user(request: Request) -> Response:
    """``DELETE /users/{id}/refresh-tokens``: 202."""
    operation = operation_of(request, await require(request, "delete:refresh_tokens"))
    await flows_of(request).access.end_tokens_of(request.path_params["id"], operation)
    return Json({}, 202)


def shown(listed: ListedToken, userinfo: str) -> dict[str, Any]:
    """Return a refresh token as the wire shows it; ``userinfo`` is the audience of one that is for no API."""
    found, authority = listed.details, listed.details.record.authority
    notes = {"refresh_token_metadata": found.about} if found.about else {}
    return {
        "id": found.id,
        "user_id": found.user_id,
        "created_at": iso(found.created_at),
        "idle_expires_at": iso(found.idle_expires_at) if found.idle_expires_at else None,
        "expires_at": iso(found.expires_at) if found.expires_at else None,
        "device": {
            "initial_ip": found.record.ip or None,
            "initial_user_agent": found.record.user_agent,
            "last_ip": found.ip or None,
            "last_user_agent": found.user_agent,
        },
        "client_id": found.client_id,
        "session_id": found.session_id or None,
        "rotating": listed.rotating,
        "resource_servers": [{"audience": authority.audience or userinfo, "scopes": " ".join(authority.scope)}],
        "last_exchanged_at": iso(found.last_exchanged_at) if found.last_exchanged_at else None,
        **notes,
    }
