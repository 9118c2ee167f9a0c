"""``GET /api/v2/users`` and ``/users-by-email``: lists, searches, and all by the piece (auth0-behaviour 2.5)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.db.user_search import Listed, Order
from keystead.errors import BeyondPaging, InvalidQuery
from keystead.flows.users import Person
from keystead.rules.lucene import MAX_LENGTH, parse
from keystead.rules.user_search import SORTED_BY, bookmark, condition, email_as_stored, read_bookmark
from keystead.web.answers import Json
from keystead.web.endpoints import Asked, Scoped
from keystead.web.flows import flows_of, management_of
from keystead.web.management.lists import (
    BY_CURSOR,
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
from keystead.web.management.users import USER, shown
from keystead.web.parameters import Choice, Flag, Needed, Text
from keystead.web.shapes import each, either

_OLDEST_FIRST: Final = "created_at:1"
_SORT: Final = Choice(
    "sort",
    tuple(f"{field}:{way}" for field in SORTED_BY for way in ("1", "-1")),
    says=f"Users can be sorted by {', '.join(SORTED_BY)}, each with :1 or :-1",
)
_ENGINE: Final = Choice(
    "search_engine",
    ("v3",),
    about={
        "v1": "You are not allowed to use search_engine=v1.",
        "v2": "You are not allowed to use search_engine=v2, use search_engine=v3 instead.",
    },
)
_Q: Final = Text("q", longest=MAX_LENGTH)
_CONNECTION: Final = Text("connection", longest=128)
_PRIMARY_ORDER: Final = Flag("primary_order", True)
_EMAIL: Final = Needed("email")

INDEX: Final = Scoped(
    "List users",
    scopes=("read:users",),
    query=(*PAGED, *BY_CURSOR, *PICKED, _SORT, _Q, _ENGINE, _CONNECTION, _PRIMARY_ORDER),
    answers={200: either(pages_of("users", USER.part(), length=True), cursors_of("users", USER.part()))},
    refuses=(BeyondPaging,),
)


async def index(request: Request) -> Response:
    """``GET /users``: by number and size of the pages, or by ``from`` and ``take``."""
    asked = await INDEX.read(request)
    whom, search = _listed(asked), management_of(request).user_search
    if by_cursor(asked):
        if asked[_SORT] not in (None, _OLDEST_FIRST):
            raise InvalidQuery("With from and take users come by age, the oldest first", path="sort")
        part = cursor(asked)
        found = await search.behind(whom, read_bookmark(part.last) if asked[FROM] else None, part.size + 1)
        places = [bookmark(each.profile.created_at, each.profile.user_id) for each in found]
        return part.answer("users", _items(request, asked, found), places)
    page = paged(asked)
    if page.is_far:
        raise BeyondPaging
    found = await search.page(whom, _order(asked), page.start, page.size)
    total = await search.count(whom) if page.totals else 0
    return page.answer("users", _items(request, asked, found), total, length=True)


BY_EMAIL: Final = Scoped(
    "Find users by their e-mail address",
    scopes=("read:users",),
    query=(_EMAIL, *PICKED),
    answers={200: each(USER.part())},
)


async def by_email(request: Request) -> Response:
    """``GET /users-by-email?email=``: whoever has the address, in every connection (US-7)."""
    asked = await BY_EMAIL.read(request)
    found = await management_of(request).user_search.by_email(email_as_stored(asked[_EMAIL]))
    return Json(_items(request, asked, found))


def _items(request: Request, asked: Asked, found: list[Person]) -> list[dict[str, Any]]:
    public_url = flows_of(request).settings.public_url
    return [picked(shown(each, public_url), asked) for each in found]


def _listed(asked: Asked) -> Listed:
    """Return whom a list is of. Raises ``InvalidQuery``, with texts as recorded."""
    query = asked[_Q] or ""
    if not query.strip():
        return Listed(asked[_CONNECTION])
    if asked[_ENGINE] is None:
        raise InvalidQuery("The 'q' parameter is available only if you specify 'search_engine=v2|v3'.")
    return Listed(asked[_CONNECTION], condition(parse(query)))


def _order(asked: Asked) -> Order:
    field, _, way = (asked[_SORT] or _OLDEST_FIRST).partition(":")
    return Order(SORTED_BY[field], descending=way == "-1")
