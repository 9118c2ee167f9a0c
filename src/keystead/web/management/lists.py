"""Lists of the Management API: pages, totals, and the members that were asked for (client-demands)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from keystead.errors import InvalidQuery
from keystead.web.answers import Json
from keystead.web.endpoints import Asked
from keystead.web.parameters import Flag, Number, Text
from keystead.web.shapes import TEXT, WHOLE, Schema, Shape, each, either

Item = dict[str, Any]

MOST: Final = 100
FIRST: Final = 1000
"""How far a list that grows for ever is read by number: what comes before a page has to be counted off each time."""

MAX_CURSOR: Final = 1000

PAGE: Final = Number("page", 0, most=9_999_999)
PER_PAGE: Final = Number("per_page", 50, most=MOST)
SOME_PER_PAGE: Final = Number("per_page", 50, most=MOST, least=1)
TOTALS: Final = Flag("include_totals", False)
PAGED: Final = (PAGE, PER_PAGE, TOTALS)
"""A list by number and size of its pages."""

FROM: Final = Text("from", longest=MAX_CURSOR)
TAKE: Final = Number("take", 50, most=MOST, least=1)
BY_CURSOR: Final = (FROM, TAKE)
"""A list by what came before."""

FIELDS: Final = Text("fields")
INCLUDE_FIELDS: Final = Flag("include_fields", True)
PICKED: Final = (FIELDS, INCLUDE_FIELDS)
"""Only some members of each."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list by number and size."""

    number: int
    size: int
    totals: bool

    @property
    def start(self) -> int:
        """How many items come before it."""
        return self.number * self.size

    @property
    def is_far(self) -> bool:
        """Whether it is beyond what is read by number of a list that grows for ever."""
        return self.start + self.size > FIRST

    def answer(self, name: str, items: Sequence[Item], total: int, *, length: bool = False) -> Response:
        """Return a bare array, or with ``include_totals`` an object; ``length`` only where Auth0's schema has it."""
        if not self.totals:
            return Json(list(items))
        counted = {"length": len(items)} if length else {}
        return Json({"start": self.start, "limit": self.size, **counted, "total": total, name: list(items)})


def paged(asked: Asked, size: Number = PER_PAGE) -> Page:
    """Return the page that is asked for."""
    return Page(asked[PAGE], asked[size], asked[TOTALS])


def pages_of(name: str, item: Shape, *, length: bool = False) -> Schema:
    """Return what ``Page.answer`` looks like."""
    counted = {"length": WHOLE} if length else {}
    page = {"start": WHOLE, "limit": WHOLE, **counted, "total": WHOLE, name: each(item)}
    return either(each(item), Shape(f"{item.name}Page", page))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A part of a list by what comes before it."""

    last: str
    size: int

    def answer(self, name: str, items: Sequence[Item], ids: Sequence[str], *, total: int | None = None) -> Response:
        """Return the items; ``next`` only where there are more, since SDKs read on as long as it is there.

        ``items``, and ``ids`` beside them, hold one more than was asked for, if there is one.
        """
        more: dict[str, Any] = {"next": ids[self.size - 1]} if len(ids) > self.size else {}
        counted = {} if total is None else {"total": total}
        return Json({name: list(items[: self.size]), **more, **counted})


def cursor(asked: Asked, size: Number = TAKE) -> Cursor:
    """Return where to go on, and how far."""
    return Cursor(asked[FROM] or "", asked[size])


def cursors_of(name: str, item: Shape) -> Shape:
    """Return what ``Cursor.answer`` looks like."""
    return Shape(f"{item.name}Cursor", {name: each(item)}, {"next": TEXT, "total": WHOLE})


def by_cursor(asked: Asked) -> bool:
    """Whether a list is read by ``from`` and ``take``; ``include_totals`` means nothing then.

    Raises ``InvalidQuery`` for a page but the first, which SDKs name whatever they ask for.
    """
    if not asked.names(*BY_CURSOR):
        return False
    if asked[PAGE]:
        raise InvalidQuery("With from and take there are no pages", path="page")
    return True


def picked(item: Item, asked: Asked) -> Item:
    """Return the members that ``fields`` names, or with ``include_fields=false`` the rest."""
    names = {name.strip() for name in (asked[FIELDS] or "").split(",")} - {""}
    if not names:
        return item
    return {name: value for name, value in item.items() if (name in names) == asked[INCLUDE_FIELDS]}
