"""Every way to try a secret begins here: the attempt is charged before it is tried, and forgiven on success."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from keystead.errors import Busy, TooManyAttempts, Unavailable
from keystead.ports import Attempts
from keystead.rules.attack_protection import Bucket, source


@dataclass(frozen=True)
class Protection:
    """Charges attempts. Counting after the fact is a race: of 60 concurrent guesses all would be tried.

    ``places`` is how many hashes one source may have under way in this process: made-up names are never over a limit
    of their own, and enough of them at once would leave no room in the queue for anybody else.
    """

    attempts: Attempts
    places: int
    _under_way: Counter[str] = field(default_factory=Counter, repr=False)

    @asynccontextmanager
    async def charged(
        self, bucket: Bucket, *, active: bool = True, refusal: type[TooManyAttempts] = TooManyAttempts
    ) -> AsyncIterator[None]:
        """Charge one attempt for the block. Raises ``TooManyAttempts`` before the block is entered.

        ``active`` is off where a connection has switched its protection off (AP-2).

        An attempt that we were not able to try is given back: a full queue must not lock people out.
        """
        if not active:
            yield
            return
        charge = await self.attempts.take(bucket.key, bucket.capacity, bucket.refill)
        if not charge.allowed:
            raise refusal(charge.retry_after, detail=bucket.prefix)
        try:
            yield
        except Unavailable:
            await self.attempts.take(bucket.key, bucket.capacity, bucket.refill, -1.0)
            raise

    async def allows(self, bucket: Bucket) -> bool:
        """Charge once, for what is left undone in silence where the bucket is full."""
        return (await self.attempts.take(bucket.key, bucket.capacity, bucket.refill)).allowed

    async def has_room(self, bucket: Bucket) -> bool:
        """Whether an attempt would be allowed, for choosing what to do; nothing is charged."""
        return (await self.attempts.take(bucket.key, bucket.capacity, bucket.refill, 0.0)).left >= 1

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold one of the places of an address, for the block that hashes. Raises ``Busy`` where it has none left."""
        # Only ever touched on the event loop, so counting needs no lock.
        who = source(address)
        if self._under_way[who] >= self.places:
            raise Busy(detail=f"{who} has {self.places} hashes under way")
        self._under_way[who] += 1
        try:
            yield
        finally:
            self._under_way[who] -= 1
            if not self._under_way[who]:
                del self._under_way[who]

    async def forgive(self, bucket: Bucket) -> None:
        """Empty the bucket after a success."""
        await self.attempts.forgive(bucket.key)
