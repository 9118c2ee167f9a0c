"""Lists of the Management API: pages, totals, and the members that were asked for (client-demands)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from keystead.errors import InvalidQuery
from keystead.web.answers import Json
from keystead.web.body import Query

Item = dict[str, Any]

MOST: Final = 100
MAX_CURSOR: Final = 1000


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

    def answer(self, name: str, items: Sequence[Item], total: int, *, length: bool = False) -> Response:
        """Return a bare array, or with ``include_totals`` an object; ``length`` only where Auth0's schema has it."""
        if not self.totals:
            return Json(list(items))
        counted = {"length": len(items)} if length else {}
        return Json({"start": self.start, "limit": self.size, **counted, "total": total, name: list(items)})


def page_of(asked: Query, *, size: int = 50, least: int = 0) -> Page:
    """Read ``page``, ``per_page`` and ``include_totals``. Raises ``InvalidQuery``."""
    number = asked.number("page", 0, most=9_999_999)
    return Page(number, asked.number("per_page", size, most=MOST, least=least), asked.flag("include_totals", False))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A part of a list by what comes before it."""

    last: str
    size: int

    def answer(self, name: str, items: Sequence[Item], ids: Sequence[str]) -> Response:
        """Return the items; ``next`` only where there are more, since SDKs read on as long as it is there.

        ``items``, and ``ids`` beside them, hold one more than was asked for, if there is one.
        """
        more = {"next": ids[self.size - 1]} if len(ids) > self.size else {}
        return Json({name: list(items[: self.size]), **more})


def cursor_of(asked: Query, *, most: int = MOST) -> Cursor:
    """Read ``from`` and ``take``. Raises ``InvalidQuery``."""
    last = asked.text("from") or ""
    if len(last) > MAX_CURSOR:
        raise InvalidQuery(f"String is too long ({len(last)} chars), maximum {MAX_CURSOR}", path="from")
    return Cursor(last, asked.number("take", 50, most=most, least=1))


def by_cursor(asked: Query) -> bool:
    """Whether a list is read by ``from`` and ``take``; ``include_totals`` means nothing then."""
    return bool(asked.texts("take") or asked.texts("from"))


def picked(item: Item, asked: Query) -> Item:
    """Return the members that ``fields`` names, or with ``include_fields=false`` the rest. Raises ``InvalidQuery``."""
    include = asked.flag("include_fields", True)
    names = {name.strip() for name in (asked.text("fields") or "").split(",")} - {""}
    if not names:
        return item
    return {name: value for name, value in item.items() if (name in names) == include}
