"""Administrators list users, look for them, and read all of them piece by piece."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from keystead.db import user_search
from keystead.db.session import Database
from keystead.db.user_search import Listed, Order
from keystead.flows.long_reads import LongReads
from keystead.flows.users import Person, people
from keystead.ports import Clock

LARGE: Final = 10_000
KEPT: Final = timedelta(seconds=10)
"""How long the total of a large list is good for: whoever reads it page by page has it counted once."""
_LISTS: Final = 100
"""Of how many lists a total is kept."""


@dataclass(frozen=True)
class UserSearch:
    """Lists of people; administrators are on none of them."""

    db: Database
    long: LongReads
    clock: Clock
    _totals: dict[Listed, tuple[datetime, int]] = field(default_factory=dict)

    async def page(self, whom: Listed, order: Order, start: int, size: int) -> list[Person]:
        """Return a part of a list by number. Raises ``Unavailable``, as ``LongReads.search``."""
        return await self.long.search(_page, whom, order, start, size)

    async def behind(self, whom: Listed, last: tuple[datetime, str] | None, size: int) -> list[Person]:
        """Return who comes next, the oldest first. Raises ``Unavailable``, as ``LongReads.search``."""
        return await self.long.search(_behind, whom, last, size)

    async def count(self, whom: Listed) -> int:
        """Return how many are on a list, a large one as of a moment ago.

        Raises ``Unavailable``, as ``LongReads.search``.
        """
        now = self.clock()
        counted, total = self._totals.get(whom, (now - KEPT, 0))
        if now - counted < KEPT:
            return total
        total = await self.long.search(user_search.count, whom)
        self._totals.pop(whom, None)
        if total > LARGE:
            if len(self._totals) >= _LISTS:
                self._totals.clear()
            self._totals[whom] = (now, total)
        return total

    async def by_email(self, email: str) -> list[Person]:
        """Return everybody with an address."""
        return await self.db.read(_by_email, email)


def _page(session: Session, whom: Listed, order: Order, start: int, size: int) -> list[Person]:
    return people(session, user_search.page(session, whom, order, start, size))


def _behind(session: Session, whom: Listed, last: tuple[datetime, str] | None, size: int) -> list[Person]:
    return people(session, user_search.behind(session, whom, last, size))


def _by_email(session: Session, email: str) -> list[Person]:
    return people(session, user_search.by_email(session, email))
