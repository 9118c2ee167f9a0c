"""How much happened, day by day, and how many people are active (``/stats``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Final

from sqlmodel import Session

from keystead.db import daily_counts
from keystead.db.session import Database
from keystead.flows.long_reads import LongReads
from keystead.ports import Clock
from keystead.rules.stats import ACTIVE, Counts, asked_for, days, last_settled

_AT_ONCE: Final = 31
"""How many days are summed up in one go, where many are left."""


@dataclass(frozen=True)
class Stats:
    """Counts the days that are not over, and sums up those that are, so that each is counted once and not at logins."""

    db: Database
    long: LongReads
    clock: Clock

    async def daily(self, first: str | None, last: str | None) -> list[Counts]:
        """Return the days from one to another that have begun. Raises ``InvalidQuery``."""
        since, to = asked_for(first, last, self.clock())
        return await self.long.read(self._daily, since, min(to, self.clock().date()))

    async def active_users(self) -> int:
        """Return how many people signed in within thirty days."""
        return await self.long.read(daily_counts.active_users, self.clock() - ACTIVE)

    async def sum_up(self) -> None:
        """Sum up the days that are over: a chore, which finds nothing to do on most of its rounds.

        Counted by reading alone, however large a day is: nobody who writes waits for it.
        """
        found = await self.long.read(self._over)
        if found:
            await self.db.write(_store, found, self.clock())

    def _daily(self, session: Session, since: date, to: date) -> list[Counts]:
        known = daily_counts.stored(session, since, to)
        begun = daily_counts.first_unsummed(session)
        return [
            known.get(day) or (daily_counts.journalled(session, day) if begun and day >= begun else Counts(day))
            for day in days(since, to)
        ]

    def _over(self, session: Session) -> list[Counts]:
        begun = daily_counts.first_unsummed(session)
        left = days(begun, last_settled(self.clock())) if begun else iter(())
        return [daily_counts.journalled(session, day) for day in islice(left, _AT_ONCE)]


def _store(session: Session, found: Sequence[Counts], at: datetime) -> None:
    for each in found:
        daily_counts.store(session, each, at)
