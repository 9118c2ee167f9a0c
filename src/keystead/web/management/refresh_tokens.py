"""``/api/v2/refresh-tokens`` (auth0-behaviour 2.5). Only what can still be used is there: a rotated one is none."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.refresh_tokens import TokenFilter
from keystead.errors import NoSuchRefreshToken, NoSuchUser
from keystead.flows.access import ListedToken
from keystead.rules.claims import iso
from keystead.rules.sessions import read_notes
from keystead.rules.token_selection import TokenSelection, read_selection
from keystead.web.answers import Json
from keystead.web.endpoints import Body, Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.management.lists import BY_CURSOR, PICKED, TOTALS, cursor, cursors_of, picked
from keystead.web.management.operations import ACCEPTED, NOTES, operation_of
from keystead.web.parameters import Needed, Text
from keystead.web.shapes import FLAG, MOMENT, NOTHING, OBJECT, TEXT, Shape, each, either

_USER_ID: Final = Needed("user_id")
_CLIENT_ID: Final = Text("client_id")
_TEXT: Final = either(TEXT, NOTHING)
_MOMENT: Final = either(MOMENT, NOTHING)
_READ: Final = ("read:refresh_tokens",)
_DELETE: Final = ("delete:refresh_tokens",)

TOKEN: Final = Shape(
    "RefreshToken",
    {
        "id": TEXT,
        "user_id": TEXT,
        "created_at": MOMENT,
        "idle_expires_at": _MOMENT,
        "expires_at": _MOMENT,
        "device": Shape(
            "Device",
            {"initial_ip": _TEXT, "initial_user_agent": _TEXT, "last_ip": _TEXT, "last_user_agent": _TEXT},
        ),
        "client_id": TEXT,
        "session_id": _TEXT,
        "rotating": FLAG,
        "resource_servers": each(Shape("TokenAudience", {"audience": TEXT, "scopes": TEXT})),
        "last_exchanged_at": _MOMENT,
    },
    {"refresh_token_metadata": OBJECT},
)

INDEX: Final = Scoped(
    "List refresh tokens",
    scopes=_READ,
    query=(_USER_ID, _CLIENT_ID, *BY_CURSOR, *PICKED),
    answers={200: cursors_of("refresh_tokens", TOKEN.part())},
    refuses=(NoSuchUser,),
)


async def index(request: Request) -> Response:
    """``GET /refresh-tokens?user_id=&client_id=``."""
    asked, flows = await INDEX.read(request), flows_of(request)
    part = cursor(asked)
    found, _ = await flows.management.access.tokens_of(
        asked[_USER_ID], asked[_CLIENT_ID] or "", part.last, part.size + 1
    )
    items = [picked(shown(token, flows.issuer.userinfo_audience), asked) for token in found]
    return part.answer("refresh_tokens", items, [token.details.id for token in found])


SHOW: Final = Scoped("Show a refresh token", scopes=_READ, answers={200: TOKEN}, refuses=(NoSuchRefreshToken,))


async def show(request: Request) -> Response:
    """``GET /refresh-tokens/{id}``."""
    await SHOW.read(request)
    flows = flows_of(request)
    return Json(shown(await flows.management.access.token(request.path_params["id"]), flows.issuer.userinfo_audience))


UPDATE: Final = Scoped(
    "Note something about a refresh token",
    scopes=("update:refresh_tokens",),
    body=Body(Shape("RefreshTokenNotes", {"refresh_token_metadata": either(NOTES, NOTHING)}, others=False)),
    answers={200: TOKEN},
    refuses=(NoSuchRefreshToken,),
)


async def update(request: Request) -> Response:
    """``PATCH /refresh-tokens/{id}``: the notes about a token, replaced as a whole."""
    asked, flows = await UPDATE.read(request), flows_of(request)
    notes, operation = read_notes(asked.body, "refresh_token_metadata"), operation_of(request, asked.bearer)
    found = await flows.management.access.describe_token(request.path_params["id"], notes, operation)
    return Json(shown(found, flows.issuer.userinfo_audience))


DELETE: Final = Scoped("End a refresh token", scopes=_DELETE, answers={202: ACCEPTED})


async def delete(request: Request) -> Response:
    """``DELETE /refresh-tokens/{id}``: 202, also where there is none. It ends with its family."""
    operation = operation_of(request, (await DELETE.read(request)).bearer)
    await management_of(request).access.end_tokens(TokenFilter(ids=(request.path_params["id"],)), operation)
    return Json({}, 202)


REVOKE: Final = Scoped("End some refresh tokens", scopes=_DELETE, body=Body(TokenSelection), answers={202: ACCEPTED})


async def revoke(request: Request) -> Response:
    """``POST /refresh-tokens/revoke``: 202."""
    asked = await REVOKE.read(request)
    wanted, operation = read_selection(asked.body), operation_of(request, asked.bearer)
    meant = TokenFilter(tuple(wanted.ids), wanted.user_id or "", wanted.client_id or "", wanted.audience or "")
    await management_of(request).access.end_tokens(meant, operation)
    return Json({}, 202)


OF_USER: Final = Scoped(
    "List the refresh tokens of a user",
    scopes=_READ,
    query=(*BY_CURSOR, TOTALS),
    answers={200: cursors_of("tokens", TOKEN)},
    refuses=(NoSuchUser,),
)


async def of_user(request: Request) -> Response:
    """``GET /users/{id}/refresh-tokens``."""
    asked, flows = await OF_USER.read(request), flows_of(request)
    part = cursor(asked)
    found, total = await flows.management.access.tokens_of(request.path_params["id"], "", part.last, part.size + 1)
    items = [shown(token, flows.issuer.userinfo_audience) for token in found]
    ids = [token.details.id for token in found]
    return part.answer("tokens", items, ids, total=total if asked[TOTALS] else None)


DELETE_OF_USER: Final = Scoped(
    "End the refresh tokens of a user", scopes=_DELETE, answers={202: ACCEPTED}, refuses=(NoSuchUser,)
)


async def delete_of_user(request: Request) -> Response:
    """``DELETE /users/{id}/refresh-tokens``: 202."""
    operation = operation_of(request, (await DELETE_OF_USER.read(request)).bearer)
    await management_of(request).access.end_tokens_of(request.path_params["id"], operation)
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
