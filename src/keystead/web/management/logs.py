"""``/api/v2/logs``, ``/users/{id}/logs``, ``/keystead/journal``: what happened, and that it is told as it was."""

import re
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from keystead import __version__
from keystead.db.journal import LogFilter
from keystead.errors import BeyondPaging, Busy, InvalidQuery, NoSuchLog
from keystead.rules import log_entries, log_search
from keystead.rules.journal_chain import Head
from keystead.rules.json_lines import json_line
from keystead.rules.log_entries import LogEntry
from keystead.rules.log_search import Condition
from keystead.rules.ocsf import ocsf
from keystead.web.answers import Json
from keystead.web.endpoints import Asked, Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.management.lists import (
    BY_CURSOR,
    FIRST,
    FROM,
    PAGED,
    PICKED,
    by_cursor,
    cursor,
    cursors_of,
    paged,
    pages_of,
    picked,
)
from keystead.web.management.operations import operation_of
from keystead.web.parameters import Choice, Text
from keystead.web.shapes import FLAG, MOMENT, NOTHING, OBJECT, TEXT, WHOLE, Content, Shape, each, either

_OF_ALL: Final = ("read:logs",)
_OF_USERS: Final = ("read:logs", "read:logs_users")
_OLDEST_FIRST: Final = "date:1"
_SORT: Final = Choice("sort", (_OLDEST_FIRST, "date:-1"), says="Logs can be sorted by date:1 or date:-1 only")
_QUERY: Final = Text("q")
_SEARCH: Final = Text("search")
"""What Auth0's description calls ``q``."""

_FAR: Final = f"You can only page through the first {FIRST} records. Search by date, or read all with from and take."
_EXPECT: Final = Text("expect", longest=100)
_UNTIL: Final = Text("until", longest=40)
_FORMAT: Final = Choice("format", ("json", "ocsf"))
_NDJSON: Final = "application/x-ndjson"

LOG: Final = Shape(
    "Log",
    {"_id": TEXT, "log_id": TEXT, "date": MOMENT, "type": TEXT, "isMobile": FLAG, "details": OBJECT},
    {
        "description": either(TEXT, NOTHING),
        **dict.fromkeys(("connection", "connection_id", "strategy", "strategy_type", "client_id", "client_name"), TEXT),
        **dict.fromkeys(("ip", "hostname", "user_id", "user_name", "user_agent"), TEXT),
        **dict.fromkeys(("actor", "request_id", "decision_id"), TEXT),
        "seal": WHOLE,
    },
)
_HEAD: Final = Shape("JournalHead", {"number": WHOLE, "digest": TEXT})
_COUNTED: Final = Shape("JournalCount", {"batches": WHOLE, "entries": WHOLE})
VERIFICATION: Final = Shape(
    "JournalVerification",
    {
        "ok": FLAG,
        "head": _HEAD,
        "batches": WHOLE,
        "entries": WHOLE,
        "pruned": _COUNTED,
        "unsealed": Shape("JournalUnsealed", {"entries": WHOLE, "oldest": either(MOMENT, NOTHING)}),
        "found": WHOLE,
        "problems": each(
            Shape("JournalProblem", {"seal": WHOLE, "what": TEXT, "log_id": either(TEXT, NOTHING), "says": TEXT})
        ),
    },
)
SEAL: Final = Shape(
    "JournalSeal",
    {
        "number": WHOLE,
        "sealed_at": MOMENT,
        "first_id": TEXT,
        "last_id": TEXT,
        "entries": WHOLE,
        "digest": TEXT,
        "pruned_at": either(MOMENT, NOTHING),
    },
)

INDEX: Final = Scoped(
    "Search the journal",
    scopes=_OF_ALL,
    query=(*PAGED, *BY_CURSOR, *PICKED, _SORT, _QUERY, _SEARCH),
    answers={200: pages_of("logs", LOG.part(), length=True)},
    refuses=(BeyondPaging,),
)


async def index(request: Request) -> Response:
    """``GET /logs``: by page, newest first; or by checkpoint (``from``, ``take``), in the order of the chain."""
    asked = await INDEX.read(request)
    search = _search(asked)
    if by_cursor(asked):
        if search is not None:  # a filter that is ignored would show what was not asked for
            raise InvalidQuery("A search is read by page and per_page", path="from")
        if asked[_SORT] not in (None, _OLDEST_FIRST):
            raise InvalidQuery("With from and take logs come in the order of the chain, the oldest first", path="sort")
        part = cursor(asked)
        found = await management_of(request).logs.after(part.last, part.size)
        return Json([picked(_shown(request, each), asked) for each in found])
    return await _page(request, asked, LogFilter(search=search), _FAR)


SHOW: Final = Scoped("Show an entry of the journal", scopes=_OF_USERS, answers={200: LOG}, refuses=(NoSuchLog,))


async def show(request: Request) -> Response:
    """``GET /logs/{id}``."""
    await SHOW.read(request)
    return Json(_shown(request, await management_of(request).logs.get(request.path_params["id"])))


OF_USER: Final = Scoped(
    "List the journal of a user",
    scopes=_OF_USERS,
    query=(*PAGED, *BY_CURSOR, *PICKED, _SORT),
    answers={200: pages_of("logs", LOG.part(), length=True)},
    refuses=(BeyondPaging,),
)


async def of_user(request: Request) -> Response:
    """``GET /users/{id}/logs``: of whoever is gone too, since the journal stays; by page, or by what came before."""
    asked, user_id = await OF_USER.read(request), request.path_params["id"]
    if not by_cursor(asked):
        return await _page(request, asked, LogFilter(user_id), BeyondPaging.default_text)
    part, newest_first = cursor(asked), asked[_SORT] != _OLDEST_FIRST
    found = await management_of(request).logs.of_user(user_id, part.last, part.size, newest_first=newest_first)
    return Json([picked(_shown(request, each), asked) for each in found])


VERIFY: Final = Scoped(
    "Verify the journal", scopes=_OF_ALL, query=(_EXPECT,), answers={200: VERIFICATION}, refuses=(Busy,)
)


async def verify(request: Request) -> Response:
    """``GET /keystead/journal/verification``: the whole chain; ``expect`` is ``number:digest`` as kept elsewhere."""
    asked = await VERIFY.read(request)
    found = await management_of(request).verification(_head(asked[_EXPECT]))
    return Json(found.on_wire())


SEALS: Final = Scoped(
    "List the batches of the journal",
    scopes=_OF_ALL,
    query=BY_CURSOR,
    answers={200: cursors_of("seals", SEAL)},
)


async def seals(request: Request) -> Response:
    """``GET /keystead/journal/seals``: the batches of the chain, oldest first."""
    part = cursor(await SEALS.read(request))
    if not re.fullmatch("[0-9]{0,9}", part.last):
        raise InvalidQuery("Expected the number of a batch", path="from")
    found = await management_of(request).logs.seals(int(part.last or 0), part.size + 1)
    return part.answer("seals", [each.on_wire() for each in found], [str(each.number) for each in found])


EXPORT: Final = Scoped(
    "Export the journal",
    scopes=_OF_ALL,
    query=(_FORMAT, FROM, _UNTIL),
    answers={200: Content(_NDJSON)},
)


async def export(request: Request) -> Response:
    """``GET /keystead/journal/export``: one line for each entry, in order, from a moment and before another."""
    asked = await EXPORT.read(request)
    since, until = _moment(asked, FROM), _moment(asked, _UNTIL)
    if request.method == "HEAD":
        return Response(media_type=_NDJSON)
    entries = await management_of(request).logs.export(since, until, operation_of(request, asked.bearer))
    write = partial(ocsf, version=__version__) if asked[_FORMAT] == "ocsf" else partial(_shown, request)
    return StreamingResponse((f"{json_line(write(each))}\n" async for each in entries), media_type=_NDJSON)


async def _page(request: Request, asked: Asked, which: LogFilter, far: str) -> Response:
    page, logs = paged(asked), management_of(request).logs
    if page.is_far:
        raise BeyondPaging(far)
    found = await logs.page(which, page.start, page.size, newest_first=asked[_SORT] != _OLDEST_FIRST)
    total = await logs.count(which) if page.totals else 0
    return page.answer("logs", [picked(_shown(request, each), asked) for each in found], total, length=True)


def _shown(request: Request, entry: LogEntry) -> dict[str, Any]:
    host = urlsplit(flows_of(request).settings.public_url).hostname or ""
    return log_entries.on_wire(entry, host)


def _search(asked: Asked) -> Condition | None:
    given = [(each.name, text) for each in (_QUERY, _SEARCH) if (text := asked[each])]
    if len(given) > 1:
        raise InvalidQuery("q and search are the same: give one of them", path="search")
    return log_search.read(given[0][1], given[0][0]) if given else None


def _head(text: str | None) -> Head | None:
    if text is None:
        return None
    found = re.fullmatch("([0-9]{1,9}):([0-9a-f]{64})", text)
    if found is None:
        raise InvalidQuery("Expected the number of a batch, a colon and its digest", path="expect")
    return Head(int(found[1]), found[2])


def _moment(asked: Asked, parameter: Text) -> datetime | None:
    text = asked[parameter]
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidQuery("Expected a date such as 2026-06-01T12:00:00Z", path=parameter.name) from None
