"""What is done to batches of the journal later: old ones are pruned, all are signed with the newest key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from keystead.db import journal_seals
from keystead.db.session import Database
from keystead.flows.journal_chain import Tell, is_signed, sign
from keystead.ports import Clock, Sealer
from keystead.rules.journal_chain import Seal

AT_ONCE: Final = 200
"""Batches that one look prunes, each in a write of its own."""

_PIECE: Final = 500
_KEY_NAME: Final = 8


@dataclass
class JournalRetention:
    """Deletes entries older than the setting says, by whole batches, which stay in the chain without them."""

    db: Database
    sealer: Sealer
    clock: Clock
    days: int
    """For how long entries are kept; ``0``: for ever."""
    tell: Tell
    _pruned: int = field(default=0, repr=False)
    _withheld: int = field(default=0, repr=False)
    _signed: bool = field(default=False, repr=False)

    async def __call__(self) -> None:
        """Do what there is to do; the worker asks each minute."""
        if not self._signed:
            await self.sign_anew()
        await self.prune()

    async def prune(self) -> int:
        """Prune what is old enough, oldest first; return how many batches were.

        What nothing shows to be as old as it says is left, and so is what comes behind it: the operator is told once.
        """
        count = 0
        while self.days and count < AT_ONCE:
            now = self.clock()
            seal = await self._due(now - timedelta(days=self.days))
            if seal is None:
                break
            mac = sign(self.sealer, seal.claim_of_pruning(now))
            if await self.db.write(journal_seals.prune, seal.number, now, mac):
                self.tell("pruned", seal.head)
                count += 1
            self._pruned = seal.number
        return count

    async def _due(self, until: datetime) -> Seal | None:
        """Return the batch that is next, if it is ours, sealed before ``until`` and behind none but pruned ones."""
        found = await self.db.read(journal_seals.oldest, self._pruned)
        if found is None:
            return None
        before, seal = found
        if is_signed(self.sealer, seal.mac, seal.claim) and (before is None or self._was_pruned(before)):
            return seal if seal.sealed_at <= until else None
        if self._withheld != seal.number:
            self._withheld = seal.number
            self.tell("withheld", seal.head)
        return None

    def _was_pruned(self, seal: Seal) -> bool:
        if seal.pruned_at is None or not is_signed(self.sealer, seal.mac, seal.claim):
            return False
        return bool(is_signed(self.sealer, seal.pruned_mac or "", seal.claim_of_pruning(seal.pruned_at)))

    async def sign_anew(self) -> int:
        """Sign batches of older keys with the newest, so that those can be given up; return how many were.

        What no listed key has signed is left as it is: verifying shows it.
        """
        newest, after, count = sign(self.sealer, "")[:_KEY_NAME], 0, 0
        while found := await self.db.read(journal_seals.signed_otherwise, newest, after, _PIECE):
            fresh = list(self._fresh(found))
            await self.db.write(journal_seals.sign, fresh)
            count, after = count + len(fresh), found[-1].number
        self._signed = True
        return count

    def _fresh(self, seals: Sequence[Seal]) -> Iterator[tuple[Seal, str, str | None]]:
        for seal in seals:
            if seal.pruned_at is None and seal.pruned_mac is None and is_signed(self.sealer, seal.mac, seal.claim):
                yield seal, sign(self.sealer, seal.claim), None
            elif seal.pruned_at is not None and self._was_pruned(seal):
                yield seal, sign(self.sealer, seal.claim), sign(self.sealer, seal.claim_of_pruning(seal.pruned_at))
