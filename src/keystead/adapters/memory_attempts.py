"""The ``Attempts`` port in the memory of one process: for what is too frequent to pay a statement each time."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from keystead.ports import Charge, Charged, Clock, Wanted
from keystead.rules.buckets import EVER, empty_after, seconds_to_wait

MOST: Final = 50_000
"""How many buckets are kept: some 25 MB where every key was made up."""

_AT_A_TIME: Final = 4
"""How many of the oldest buckets a charge looks at, so that none waits for a sweep of all."""


class _Spent(NamedTuple):
    """What was in a bucket and when; and when it will be empty. In seconds."""

    spent: float
    at: float
    until: float

    def left_over(self, passed: float, refill: float, lasts: float | None) -> float:
        """Return what is still in it so many seconds later."""
        return 0.0 if passed >= (lasts or EVER) else max(self.spent - passed * refill, 0.0)


@dataclass(frozen=True)
class MemoryAttempts:
    """Buckets in a dictionary of at most ``most``: the one that was asked for least lately is the first to go.

    A flood of made-up keys pushes out who has not been here for a while, and nobody who is hammering: a bucket that is
    asked for is young again, whether it lets in or not. No method awaits anything, so each is whole on an event loop.
    """

    clock: Clock
    most: int = MOST
    _buckets: OrderedDict[str, _Spent] = field(default_factory=OrderedDict, repr=False)

    async def take(
        self, key: str, capacity: float, refill: float, cost: float = 1.0, *, lasts: float | None = None
    ) -> Charge:
        """Charge ``cost`` to a bucket; see the port."""
        return self._take(Wanted(key, capacity, refill, cost, lasts), self.clock().timestamp())

    async def take_all(self, wanted: Sequence[Wanted]) -> list[Charge]:
        """Charge several buckets, all or none; see the port."""
        now, before = self.clock().timestamp(), {each.key: self._buckets.get(each.key) for each in wanted}
        charges: list[Charge] = []
        for each in wanted:
            charges.append(self._take(each, now))
            if each.must and not charges[-1].allowed:
                self._restore(before)
                break
        return charges

    async def forgive(self, key: str) -> None:
        """Empty a bucket."""
        self._buckets.pop(key, None)

    async def list(self, prefix: str) -> list[Charged]:
        """Return the buckets whose key begins with ``prefix``."""
        now = self.clock().timestamp()
        found = [(key, kept) for key, kept in self._buckets.items() if key.startswith(prefix) and kept.until > now]
        return [Charged(key, kept.spent, datetime.fromtimestamp(kept.at, UTC)) for key, kept in found]

    async def close(self) -> None:
        """Do nothing: there is nothing open."""

    def _take(self, wanted: Wanted, now: float) -> Charge:
        capacity, refill, lasts = wanted.capacity, wanted.refill, wanted.lasts
        found = self._buckets.pop(wanted.key, None) or _Spent(0.0, now, now)
        passed = max(now - found.at, 0.0)
        spent = max(found.left_over(passed, refill, lasts) + wanted.cost, 0.0)
        allowed = spent <= capacity
        if allowed and (wanted.cost > 0 or refill > 0) and now >= found.at:
            found = _Spent(spent, now, now + empty_after(capacity, refill, lasts))
        elif allowed:
            found = found._replace(spent=spent)  # to ask, or to give back, makes what lasts no younger
        if found.spent > 0:
            self._buckets[wanted.key] = found
        self._forget(now)
        if allowed:
            return Charge(allowed=True, left=capacity - spent, retry_after=0.0)
        over = found.spent + wanted.cost - capacity
        return Charge(allowed=False, left=0.0, retry_after=seconds_to_wait(over, passed, refill, lasts))

    def _restore(self, before: Mapping[str, _Spent | None]) -> None:
        """Put back what was there before one of several was refused."""
        for key, found in before.items():
            self._buckets.pop(key, None)
            if found is not None:
                self._buckets[key] = found

    def _forget(self, now: float) -> None:
        """Drop what is empty by now among the oldest, and the oldest of too many."""
        for _ in range(_AT_A_TIME):
            oldest = next(iter(self._buckets), None)
            if oldest is None or (self._buckets[oldest].until > now and len(self._buckets) <= self.most):
                return
            del self._buckets[oldest]
