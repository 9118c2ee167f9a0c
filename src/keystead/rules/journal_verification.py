"""What is wrong with the journal: entries held against the leaves of their batch, batches against each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from keystead.rules.claims import iso
from keystead.rules.journal_chain import LEAF_BYTES, Head, Seal, digest, leaf
from keystead.rules.log_entries import LogEntry

What = Literal[
    "entry_changed",
    "entry_missing",
    "entry_added",
    "entry_moved",
    "batch_changed",
    "batch_missing",
    "batch_not_ours",
    "key_unknown",
    "pruning_not_ours",
    "pruned_early",
    "pruned_in_between",
    "cut_off",
]

_SAYS: Final[dict[What, str]] = {
    "entry_changed": "the entry is not what was sealed",
    "entry_missing": "an entry that was sealed is gone",
    "entry_added": "the entry was not there when its batch was sealed",
    "entry_moved": "the entry was sealed in another batch",
    "batch_changed": "the batch is not what was sealed, or does not follow the one before it",
    "batch_missing": "a batch is gone",
    "batch_not_ours": "the batch was not sealed by Keystead: its mac is wrong",
    "key_unknown": "KEYSTEAD_SECRET_KEYS lists the batch's key no more: nothing shows that it is ours",
    "pruning_not_ours": "the batch was not pruned by Keystead: its mac of pruning is wrong",
    "pruned_early": "the batch was pruned within a day of its sealing: entries are kept for longer",
    "pruned_in_between": "the batch was pruned, and the one before it was not: the oldest go first",
    "cut_off": "the chain does not have what is known of it from elsewhere",
}

_SHORTEST: Final = timedelta(days=1)
"""For how long entries are kept at least."""

Signed = Callable[[str, str], bool | None]
"""Whether a mac was made of a text; ``None`` where its key is unknown."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: with a batch, or with an entry of it, where that is known."""

    number: int
    what: What
    log_id: str | None = None
    about: str = ""

    @property
    def says(self) -> str:
        """What it means, in a sentence."""
        return _SAYS[self.what] + (f" ({self.about})" if self.about else "")


def batch_problems(before: Head, seal: Seal, signed: Signed, *, before_is_kept: bool) -> Iterator[Problem]:
    """Give what is wrong with a batch in itself, and as the one after ``before``, which may have its entries still."""
    follows = seal.number == before.number + 1
    if not follows:
        gap = range(before.number + 1, seal.number)
        yield Problem(gap.start, "batch_missing", about=f"up to {gap[-1]}" if len(gap) > 1 else "")
    yield from _mac_problem(seal, signed(seal.mac, seal.claim), "batch_not_ours")
    if seal.pruned_at is not None:
        yield from _pruning_problems(seal, seal.pruned_at, signed)
        if before_is_kept:
            yield Problem(seal.number, "pruned_in_between")
        return
    leaves = seal.leaves or b""
    whole = len(leaves) == LEAF_BYTES * seal.entries
    if not whole or (follows and digest(before.digest, seal.number, leaves) != seal.digest):
        yield Problem(seal.number, "batch_changed")


def _pruning_problems(seal: Seal, at: datetime, signed: Signed) -> Iterator[Problem]:
    yield from _mac_problem(seal, signed(seal.pruned_mac or "", seal.claim_of_pruning(at)), "pruning_not_ours")
    if at - seal.sealed_at < _SHORTEST:
        yield Problem(seal.number, "pruned_early")


def _mac_problem(seal: Seal, is_ours: bool | None, otherwise: What) -> Iterator[Problem]:
    if not is_ours:
        yield Problem(seal.number, "key_unknown" if is_ours is None else otherwise)


def entry_problems(seal: Seal, entries: Sequence[LogEntry]) -> Iterator[Problem]:
    """Give what is wrong with the entries of a batch, which come in the order of their ids.

    Between two entries that are as they were sealed, others stand for as many that were changed.
    """
    leaves = seal.leaves or b""
    sealed = [leaves[at : at + LEAF_BYTES] for at in range(0, len(leaves), LEAF_BYTES)]
    known = {each: at for at, each in enumerate(sealed)}
    here, others, after = 0, list[str](), ""
    for entry in entries:
        found = known.get(leaf(entry), -1)
        if found < here:
            others.append(entry.log_id)
            continue
        yield from _between(seal.number, found - here, others, after)
        here, others, after = found + 1, [], entry.log_id
    yield from _between(seal.number, len(sealed) - here, others, after)


def _between(number: int, gone: int, others: Sequence[str], after: str) -> Iterator[Problem]:
    where = f"after {after}" if after else "the first"
    yield from (Problem(number, "entry_changed", log_id) for log_id in others[:gone])
    yield from (Problem(number, "entry_added", log_id) for log_id in others[gone:])
    yield from (Problem(number, "entry_missing", about=where) for _ in range(gone - len(others)))


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the whole chain found."""

    head: Head
    batches: int
    entries: int
    """Those that are there and in a batch, as the batches count them."""
    pruned_batches: int
    pruned_entries: int
    waiting: int
    """Entries older than a minute that are in no batch: nobody seals, or their transactions were that slow."""
    oldest_waiting: datetime | None
    found: int
    """How many problems there are; ``problems`` holds the first of them."""
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that was sealed is as it was."""
        return not self.found

    def on_wire(self) -> dict[str, Any]:
        """Return what administrators are shown."""
        return {
            "ok": self.ok,
            "head": self.head._asdict(),
            "batches": self.batches,
            "entries": self.entries,
            "pruned": {"batches": self.pruned_batches, "entries": self.pruned_entries},
            "unsealed": {
                "entries": self.waiting,
                "oldest": iso(self.oldest_waiting) if self.oldest_waiting else None,
            },
            "found": self.found,
            "problems": [
                {"seal": each.number, "what": each.what, "log_id": each.log_id, "says": each.says}
                for each in self.problems
            ],
        }
