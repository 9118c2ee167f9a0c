"""Every request is counted before anything is done for it: how often may this address, client or person ask?

Counted in memory, or in Redis, and never in the database: a flood must not become a flood of statements.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from keystead.db import journal
from keystead.db.session import Database
from keystead.errors import TooManyRequests, Unavailable
from keystead.flows.journal import Journal
from keystead.ports import Attempts, Charge, Clock, Wanted
from keystead.rules.buckets import Bucket
from keystead.rules.events import Caller
from keystead.rules.request_limits import (
    Group,
    Standing,
    address_bucket,
    page_bucket,
    proved_bucket,
    standing,
    told_bucket,
)


@dataclass(frozen=True)
class RequestLimits:
    """The limits, ``factor`` times as large as they are written; with 0 there are none."""

    db: Database
    attempts: Attempts
    journal: Journal
    clock: Clock
    factor: int

    def begin(self, group: Group, caller: Callable[[], Caller]) -> "Counting":
        """Return the count of a request to a group of routes."""
        return Counting(self, group, caller, self.clock().timestamp())

    async def tell(self, bucket: Bucket, charge: Charge, caller: Caller, client_id: str | None) -> None:
        """Write into the journal that a bucket is full: once a minute, however many are refused (LO-8)."""
        told = told_bucket(bucket)
        if not (await self.attempts.take(told.key, told.capacity, told.refill)).allowed:
            return
        event = self.journal.event("api_limit", caller, client_id=client_id, **_facts(bucket, charge))
        with suppress(Unavailable):  # without a database there is a limit all the same
            await self.db.write(journal.add, event)


@dataclass
class Counting:
    """One request on its way, and how the tightest of its buckets stands. ``now`` is in seconds since 1970."""

    limits: RequestLimits
    group: Group
    caller: Callable[[], Caller]
    now: float
    shown: Standing | None = None
    refused: bool = False

    async def arrived(self, address: str, page: str, state: str) -> None:
        """Charge a request to where it came from. Raises ``TooManyRequests``."""
        factor = self.limits.factor
        if factor:
            of_page = page_bucket(self.group, address, page, state, factor)
            await self._charge([address_bucket(self.group, address, factor), *([of_page] if of_page else [])])

    async def proved(self, who: str, client_id: str | None = None) -> None:
        """Charge it to whoever has proved to be asking, never to who is only named. Raises ``TooManyRequests``."""
        bucket = proved_bucket(self.group, who, self.limits.factor)
        if self.limits.factor and bucket:
            await self._charge([bucket], client_id)

    async def _charge(self, buckets: list[Bucket], client_id: str | None = None) -> None:
        charges = await self.limits.attempts.take_all(
            [Wanted(each.key, each.capacity, each.refill) for each in buckets]
        )
        for bucket, charge in zip(buckets, charges, strict=False):
            found = standing(bucket, charge.left, charge.retry_after, self.now)
            if self.shown is None or not charge.allowed or found.left < self.shown.left:
                self.shown = found
            if not charge.allowed:
                self.refused = True
                await self.limits.tell(bucket, charge, self.caller(), client_id)
                raise TooManyRequests(charge.retry_after, detail=bucket.prefix).because(**_facts(bucket, charge))


def _facts(bucket: Bucket, charge: Charge) -> dict[str, Any]:
    facts = {"bucket": bucket.key, "capacity": bucket.capacity, "retry_after": round(charge.retry_after, 1)}
    return {"rule": "request_limit"} | facts
