"""The journal as administrators read it: by page, by checkpoint, by id, and all of it as a stream."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from keystead.db import journal, journal_seals
from keystead.db.journal import LogFilter
from keystead.db.session import Database
from keystead.errors import InvalidQuery, NoSuchLog
from keystead.flows.journal import Journal
from keystead.flows.long_reads import LongReads
from keystead.flows.operations import Operation
from keystead.rules.claims import iso
from keystead.rules.journal_chain import Seal
from keystead.rules.log_entries import LogEntry

_PIECE: Final = 500


@dataclass(frozen=True)
class Logs:
    """Reads the journal. What administrators do is in it too: it is of the whole tenant."""

    db: Database
    long: LongReads
    journal: Journal

    async def get(self, log_id: str) -> LogEntry:
        """Return one entry. Raises ``NoSuchLog``."""
        found = await self.db.read(journal.get, log_id)
        if found is None:
            raise NoSuchLog
        return found

    async def page(self, which: LogFilter, offset: int, limit: int, *, newest_first: bool) -> list[LogEntry]:
        """Return entries by time. Raises ``Unavailable``, as ``LongReads.search``."""
        return await self.long.search(journal.page, which, offset, limit, newest_first=newest_first)

    async def count(self, which: LogFilter) -> int:
        """Return how many there are in all. Raises ``Unavailable``, as ``LongReads.search``."""
        return await self.long.search(journal.count, which)

    async def after(self, log_id: str, limit: int) -> list[LogEntry]:
        """Return what follows an entry in the chain; the first entries, where none is named.

        What is not sealed yet comes later, so that nothing is ever missed. Raises ``InvalidQuery``.
        """
        if not log_id:
            return await self.db.read(journal.sealed_after, 0, "", limit)
        seal = await self._place(log_id)
        return [] if seal is None else await self.db.read(journal.sealed_after, seal, log_id, limit)

    async def of_user(self, user_id: str, log_id: str, limit: int, *, newest_first: bool) -> list[LogEntry]:
        """Return what follows an entry among those about a user, by time; the first, where none is named.

        Raises ``InvalidQuery``, and ``Unavailable``, as ``LongReads.search``.
        """
        if log_id:
            await self._place(log_id)
        which = LogFilter(user_id, after=log_id)
        return await self.long.search(journal.page, which, 0, limit, newest_first=newest_first)

    async def seals(self, after: int, limit: int) -> list[Seal]:
        """Return batches of the chain, without their leaves."""
        return await self.db.read(journal_seals.listed, after, limit)

    async def export(
        self, since: datetime | None, until: datetime | None, operation: Operation
    ) -> AsyncIterator[LogEntry]:
        """Return the entries of a while, in order, read a piece at a time. The journal says who asked."""
        about = {"since": iso(since) if since else None, "until": iso(until) if until else None}
        event = operation.event(self.journal, "Export the journal", type="mgmt_api_read", **about)
        await self.db.write(journal.add, event)
        return self._entries(_first_id(since), _first_id(until))

    async def _place(self, log_id: str) -> int | None:
        """Return the batch that an entry is in, if it is sealed. Raises ``InvalidQuery`` where there is none."""
        place = await self.db.read(journal.place, log_id)
        if place is None:
            raise InvalidQuery("There is no log event by that id, or it is no longer kept", path="from")
        return place[0]

    async def _entries(self, after: str, end: str) -> AsyncIterator[LogEntry]:
        while piece := await self.long.read(journal.within, after, end, _PIECE):
            for each in piece:
                yield each
            after = piece[-1].log_id


def _first_id(moment: datetime | None) -> str:
    """Return what ids of entries from a moment on are not before: they begin with their time."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S%f") if moment else ""
