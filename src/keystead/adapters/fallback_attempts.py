"""Counting that goes on elsewhere while the place for it is lost."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from keystead.errors import DatabaseUnavailable
from keystead.ports import Attempts, Charge, Charged, Clock, Wanted

REST: Final = timedelta(seconds=5)
"""How long a place that was lost is left alone, so that not everybody waits for it."""

Tell = Callable[[str, str], None]
"""Where it is said that the place is ``"lost"`` or ``"back"``, each once, and why."""

Answer = TypeVar("Answer")


@dataclass
class FallbackAttempts:
    """Counts in the first place, and in the second while the first is lost: never nowhere, which would let all in.

    Counts are not carried over, either way: whoever tries while it is lost has one more limit, and not more. An attempt
    that was lost on its way may be counted twice.
    """

    first: Attempts
    second: Attempts
    clock: Clock
    tell: Tell
    _rests_until: datetime | None = field(default=None, repr=False)

    async def take(
        self, key: str, capacity: float, refill: float, cost: float = 1.0, *, lasts: float | None = None
    ) -> Charge:
        """Charge ``cost`` to a bucket; see the port."""
        return await self._ask(lambda place: place.take(key, capacity, refill, cost, lasts=lasts))

    async def take_all(self, wanted: Sequence[Wanted]) -> list[Charge]:
        """Charge several buckets, all or none; see the port."""
        return await self._ask(lambda place: place.take_all(wanted))

    async def forgive(self, key: str) -> None:
        """Empty a bucket."""
        await self._ask(lambda place: place.forgive(key))

    async def list(self, prefix: str) -> list[Charged]:
        """Return the buckets whose key begins with ``prefix``."""
        return await self._ask(lambda place: place.list(prefix))

    async def close(self) -> None:
        """Let go of what both hold open."""
        await self.first.close()
        await self.second.close()

    async def _ask(self, question: Callable[[Attempts], Awaitable[Answer]]) -> Answer:
        was_lost = self._rests_until is not None
        if self._rests_until and self.clock() < self._rests_until:
            return await question(self.second)
        if was_lost:
            self._rest()  # one of those who come now waits for an answer; the others need not
        try:
            answer = await question(self.first)
        except DatabaseUnavailable as error:
            if not self._rests_until:
                self.tell("lost", error.detail)
            self._rest()
            return await question(self.second)
        if was_lost and self._rests_until:
            self._rests_until = None
            self.tell("back", "")
        return answer

    def _rest(self) -> None:
        self._rests_until = self.clock() + REST
