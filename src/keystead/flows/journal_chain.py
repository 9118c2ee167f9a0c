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

_AHEAD: Final = timedelta(minutes=1)
"""What is dated further ahead is not waited for: a clock was set back since, or somebody changed the date."""

_PURPOSE: Final = "journal seal"

Word = Literal["sealed", "pruned", "withheld", "cut"]
Tell = Callable[[Word, Head], None]
"""Where the operator hears of batches: sealed, pruned, not pruned as nothing shows that they are ours, or gone
although this process has seen them."""


@dataclass
class JournalChain:
    """Seals what was recorded, beside the transactions that record: no login waits for it."""

    db: Database
    sealer: Sealer
    clock: Clock
    tell: Tell
    seen: Head = field(default=NOTHING, repr=False)
    """Where the chain ended when this process last looked."""

    async def seal(self) -> int:
        """Seal what is in no batch yet; return how many entries were. Any number of processes may do so at once."""
        sealed, full = 0, True
        while full:
            head, entries, has_seen = await self.db.read(self._next)
            if not has_seen:
                self.tell("cut", self.seen)
            if head.number < self.seen.number:
                # Going on from what was seen leaves a gap in the chain for ever, for all to find.
                head = self.seen
            full = len(entries) == BATCH
            if entries:
                batch = self._batch(head, entries)
                try:
                    await self.db.write(journal_seals.add, batch, [each.log_id for each in entries])
                except Lost:  # another process has sealed them
                    break
                head = batch.head
                self.tell("sealed", head)
            self.seen = head
            sealed += len(entries)
        return sealed

    def _next(self, session: Session) -> tuple[Head, list[LogEntry], bool]:
        """Return where the chain ends, what comes next, and whether the end that was seen is in the chain still.

        In this order: a new head belongs to no old entries.
        """
        head, now = journal_seals.head(session), self.clock()
        entries = journal_seals.unsealed(session, now - _SETTLED, now + _AHEAD, BATCH)
        return head, entries, self.seen in (head, NOTHING) or journal_seals.has(session, self.seen)

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
        return replace(seal, mac=sign(self.sealer, seal.claim))


def is_signed(sealer: Sealer, signed: str, text: str) -> bool | None:
    """Whether a mac of the chain was made of a text; ``None`` where its key is not among ours."""
    return sealer.is_signed(signed, text, _PURPOSE)


def sign(sealer: Sealer, text: str) -> str:
    """Return the mac of a text of the chain, under the newest key."""
    return sealer.sign(text, _PURPOSE)
