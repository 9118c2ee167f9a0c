"""The journal sealed: batch after batch in a chain, so that whoever changes an entry afterwards is found out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Literal

from sqlmodel import Session

from keystead.db import journal_seals
from keystead.db.journal_seals import Lost
from keystead.db.session import Database
from keystead.ports import Clock, Sealer
from keystead.rules.journal_chain import NOTHING, Head, Seal, digest, leaves_of
from keystead.rules.log_entries import LogEntry

SECONDS: Final = 5.0
"""How often a process looks for entries to seal."""

BATCH: Final = 500
_SETTLED: Final = timedelta(seconds=2)
"""By then nearly everything is committed that got its id before; what comes later is in a later batch."""

_PURPOSE: Final = "journal seal"

Tell = Callable[[Literal["sealed", "cut"], Head], None]
"""Where the operator hears of each new batch, and that one is gone which this process has seen."""


@dataclass
class JournalChain:
    """Seals what was recorded, beside the transactions that record: no login waits for it."""

    db: Database
    sealer: Sealer
    clock: Clock
    tell: Tell
    _seen: Head = field(default=NOTHING, repr=False)

    async def seal(self) -> int:
        """Seal what is in no batch yet; return how many entries were. Any number of processes may do so at once."""
        sealed, full = 0, True
        while full:
            head, entries = await self.db.read(self._next)
            if head.number < self._seen.number:
                # Going on from what was seen leaves a gap in the chain for ever, for all to find.
                self.tell("cut", self._seen)
                head = self._seen
            full = len(entries) == BATCH
            if entries:
                batch = self._batch(head, entries)
                try:
                    await self.db.write(journal_seals.add, batch, [each.log_id for each in entries])
                except Lost:  # another process has sealed them
                    break
                head = batch.head
                self.tell("sealed", head)
            self._seen = head
            sealed += len(entries)
        return sealed

    def _next(self, session: Session) -> tuple[Head, list[LogEntry]]:
        """Return where the chain ends, and what comes next. In this order: a new head belongs to no old entries."""
        head = journal_seals.head(session)
        return head, journal_seals.unsealed(session, self.clock() - _SETTLED, BATCH)

    def _batch(self, head: Head, entries: Sequence[LogEntry]) -> Seal:
        number, leaves = head.number + 1, leaves_of(entries)
        seal = Seal(
            number=number,
            sealed_at=self.clock(),
            first_id=entries[0].log_id,
            last_id=entries[-1].log_id,
            entries=len(entries),
            leaves=leaves,
            digest=digest(head.digest, number, leaves),
            mac="",
        )
        return replace(seal, mac=self.sealer.sign(seal.claim, _PURPOSE))
