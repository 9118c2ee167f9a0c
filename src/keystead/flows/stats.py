"""How much happened, day by day, and how many people are active (``/stats``)."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlmodel import Session

from keystead.db import daily_counts
from keystead.db.session import Database
from keystead.ports import Clock
from keystead.rules.stats import ACTIVE, Counts, asked_for, days, last_settled

_AT_ONCE: Final = 31
"""How many days are summed up in one go, where many are left: no other writer waits long."""


@dataclass(frozen=True)
class Stats:
    """Counts the days that are not over, and sums up those that are, so that each is counted once and not at logins."""

    db: Database
    clock: Clock

    async def daily(self, first: str | None, last: str | None) -> list[Counts]:
        """Return the days from one to another that have begun. Raises ``InvalidQuery``."""
        since, to = asked_for(first, last, self.clock())
        return await self.db.read(self._daily, since, min(to, self.clock().date()))

    async def active_users(self) -> int:
        """Return how many people signed in within thirty days."""
        return await self.db.read(daily_counts.active_users, self.clock() - ACTIVE)

    async def sum_up(self) -> None:
        """Sum up the days that are over: a chore, which finds nothing to do on most of its rounds."""
        if await self.db.read(self._left):
            await self.db.write(self._sum_up)

    def _daily(self, session: Session, since: date, to: date) -> list[Counts]:
        known = daily_counts.stored(session, since, to)
        begun = daily_counts.first_unsummed(session)
        return [
            known.get(day) or (daily_counts.journalled(session, day) if begun and day >= begun else Counts(day))
            for day in days(since, to)
        ]

    def _left(self, session: Session) -> list[date]:
        begun = daily_counts.first_unsummed(session)
        return list(days(begun, last_settled(self.clock())))[:_AT_ONCE] if begun else []

    def _sum_up(self, session: Session) -> None:
        for day in self._left(session):
            daily_counts.store(session, daily_counts.journalled(session, day), self.clock())
