"""The whole journal held against its chain, piece by piece, in an amount of memory that does not grow with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final

from sqlmodel import Session

from keystead.db import journal_seals
from keystead.errors import Busy
from keystead.flows.journal_chain import JournalChain, is_signed
from keystead.flows.long_reads import LongReads
from keystead.ports import Clock, Sealer
from keystead.rules.journal_chain import LEAF_BYTES, NOTHING, Head, Seal, leaf
from keystead.rules.journal_verification import Problem, Verification, batch_problems, entry_problems
from keystead.rules.log_entries import LogEntry

SHOWN: Final = 1000
"""Problems that a report names; it counts the others."""

BATCHES: Final = 200
ENTRIES: Final = 2500
"""What is looked at in one piece: that many batches, or as many as have that many entries."""

_SPARE: Final = 1000
"""Entries more than a batch was sealed with that are named."""

_LOOKED_FOR: Final = 10
"""Entries of a batch that are looked for in others."""

_AGAIN: Final = 10.0
_LATE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A few batches, and what is wrong with them."""

    seals: tuple[Seal, ...]
    problems: tuple[Problem, ...]


@dataclass
class _Tally:
    head: Head = NOTHING
    batches: int = 0
    entries: int = 0
    pruned_batches: int = 0
    pruned_entries: int = 0
    found: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, piece: _Piece) -> None:
        """Count a piece."""
        for seal in piece.seals:
            self.batches += 1
            if seal.pruned_at is None:
                self.entries += seal.entries
            else:
                self.pruned_batches += 1
                self.pruned_entries += seal.entries
        self.head = piece.seals[-1].head
        self.note(piece.problems)

    def note(self, problems: Sequence[Problem]) -> None:
        """Count problems, and keep the first."""
        self.found += len(problems)
        self.problems += problems[: SHOWN - len(self.problems)]


@dataclass
class JournalVerification:
    """Says whether every entry is what was sealed, and what is wrong where not; one look at a time."""

    long: LongReads
    sealer: Sealer
    clock: Clock
    chain: JournalChain
    _looking: bool = field(default=False, repr=False)

    async def __call__(self, expect: Head | None = None) -> Verification:
        """Walk along the chain.

        ``expect`` is what somebody keeps of it elsewhere: that its end was cut off shows by nothing else.
        Raises ``Busy`` while somebody else has it verified.
        """
        if self._looking:
            raise Busy(_AGAIN, detail="the journal is being verified")
        self._looking = True
        try:
            return await self._walk(expect)
        finally:
            self._looking = False

    async def _walk(self, expect: Head | None) -> Verification:
        tally, known = _Tally(), [each for each in (expect, self.chain.seen) if each and each != NOTHING]
        while piece := await self._piece(tally.head):
            tally.add(piece)
            tally.note([*_other_than_known(piece.seals, known)])
        beyond = (each for each in known if each.number > tally.head.number)
        tally.note([Problem(each.number, "cut_off", about=f"it ends at {tally.head.number}") for each in beyond])
        astray = await self.long.read(journal_seals.astray, SHOWN)
        tally.note(
            [Problem(number, "batch_missing", about=f"{count} entries say they are in it") for number, count in astray]
        )
        waiting, oldest = await self.long.read(journal_seals.waiting, self.clock() - _LATE, self.clock() + _LATE)
        return Verification(
            head=tally.head,
            batches=tally.batches,
            entries=tally.entries,
            pruned_batches=tally.pruned_batches,
            pruned_entries=tally.pruned_entries,
            waiting=waiting,
            oldest_waiting=oldest,
            found=tally.found,
            problems=tuple(tally.problems),
        )

    async def _piece(self, before: Head) -> _Piece | None:
        """Return the next piece. One with problems is looked at again: it may have been pruned between two looks."""
        piece = await self.long.read(self._look, before)
        return await self.long.read(self._look, before) if piece and piece.problems else piece

    def _look(self, session: Session, before: Head) -> _Piece | None:
        last = _last_of(journal_seals.sizes(session, before.number, BATCHES))
        if last is None:
            return None
        found = journal_seals.between(session, before.number, last)  # with the one before, as it is now
        seals = [each for each in found if each.number > before.number]
        is_kept = len(seals) < len(found) and found[0].pruned_at is None
        problems: list[Problem] = []
        read = partial(journal_seals.entries_between, session)
        for seal, entries in _with_entries(seals, read):
            problems += batch_problems(before, seal, partial(is_signed, self.sealer), before_is_kept=is_kept)
            problems += _told(session, entry_problems(seal, entries), entries)
            before, is_kept = seal.head, seal.pruned_at is None
        return _Piece(tuple(replace(each, leaves=None) for each in seals), tuple(problems))


def _last_of(sizes: Iterable[tuple[int, int]]) -> int | None:
    """Return the last batch of a piece."""
    last, total = None, 0
    for number, entries in sizes:
        total += entries
        if last is not None and total > ENTRIES:
            break
        last = number
    return last


def _with_entries(
    seals: Sequence[Seal], read: Callable[[int, int, int], list[LogEntry]]
) -> Iterator[tuple[Seal, Sequence[LogEntry]]]:
    """Give each batch with its entries: all read at once, unless there are far more than were sealed."""
    most = sum(each.entries for each in seals) + _SPARE
    found = read(seals[0].number, seals[-1].number, most)
    if len(found) == most and len(seals) > 1:
        for seal in seals:
            yield seal, read(seal.number, seal.number, seal.entries + _SPARE)
        return
    by_seal: Mapping[int | None, list[LogEntry]] = {
        number: list(group) for number, group in groupby(found, key=attrgetter("seal"))
    }
    for seal in seals:
        yield seal, by_seal.get(seal.number, ())


def _told(session: Session, problems: Iterable[Problem], entries: Sequence[LogEntry]) -> Iterator[Problem]:
    """Give problems told apart: what seems to be new or changed may be an entry of another batch, as it was there."""
    by_id, looked = {each.log_id: each for each in entries}, 0
    for problem in problems:
        entry = by_id.get(problem.log_id or "")
        home = None
        if entry and looked < _LOOKED_FOR:
            looked += 1
            home = _home(journal_seals.around(session, entry.log_id), leaf(entry), problem.number)
        if home is None:
            yield problem
            continue
        yield replace(problem, what="entry_moved", about=f"of batch {home}")
        if problem.what == "entry_changed":
            yield Problem(problem.number, "entry_missing", about=f"where {problem.log_id} is")


def _home(batches: Iterable[Seal], hashed: bytes, but: int) -> int | None:
    for each in batches:
        leaves = each.leaves or b""
        if each.number != but and any(leaves.startswith(hashed, at) for at in range(0, len(leaves), LEAF_BYTES)):
            return each.number
    return None


def _other_than_known(seals: Iterable[Seal], known: Sequence[Head]) -> Iterator[Problem]:
    for seal in seals:
        for each in known:
            if each.number == seal.number and each.digest != seal.digest:
                yield Problem(seal.number, "cut_off", about=f"its digest was {each.digest}")
