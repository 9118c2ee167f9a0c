"""Every way to try a secret begins here: the attempt is charged before it is tried, and forgiven on success."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from keystead.errors import TooManyAttempts, Unavailable
from keystead.ports import Attempts
from keystead.rules.attack_protection import Bucket


@dataclass(frozen=True)
class Protection:
    """Charges attempts. Counting after the fact is a race: of 60 concurrent guesses all would be tried."""

    attempts: Attempts

    @asynccontextmanager
    async def charged(self, bucket: Bucket, *, active: bool = True) -> AsyncIterator[None]:
        """Charge one attempt for the block. Raises ``TooManyAttempts`` before the block is entered.

        ``active`` is off where a connection has switched its protection off (AP-2).

        An attempt that we were not able to try is given back: a full queue must not lock people out.
        """
        if not active:
            yield
            return
        charge = await self.attempts.take(bucket.key, bucket.capacity, bucket.refill)
        if not charge.allowed:
            raise TooManyAttempts(charge.retry_after, detail=bucket.key)
        try:
            yield
        except Unavailable:
            await self.attempts.take(bucket.key, bucket.capacity, bucket.refill, -1.0)
            raise

    async def forgive(self, bucket: Bucket) -> None:
        """Empty the bucket after a success."""
        await self.attempts.forgive(bucket.key)
