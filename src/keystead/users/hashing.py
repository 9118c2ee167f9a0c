"""Passwords are compared here and nowhere else: bcrypt, off the event loop, in a bounded number of threads.

bcrypt releases the GIL, so threads use every core; they run at ``nice`` 10, so that everything else stays quick while
they do (measured: a session check keeps a p99 of 5 ms during a storm of logins, against 10 s with hashes on the loop).
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import Final, TypeVar

import bcrypt

from keystead.errors import Busy
from keystead.ports import Telemetry, Verdict
from keystead.rules.telemetry import HASH, HASH_WAIT, HASHES, SILENCE

Result = TypeVar("Result")
Compare = Callable[[bytes, bytes], bool]

_NICE: Final = 10
_DECOY: Final = "$2b${cost:02d}$NobodyHasThisPasswordu" + "." * 31
"""A well-formed hash that no password has: comparing with it is the same work as comparing with a real one."""


class BcryptHasher:
    """bcrypt at one cost. Beyond ``queue`` waiting calls it refuses at once, so that waiting has an end.

    ``compare`` is where all the work of a comparison is done.
    """

    def __init__(
        self,
        cost: int,
        *,
        workers: int,
        queue: int,
        compare: Compare = bcrypt.checkpw,
        telemetry: Telemetry = SILENCE,
    ) -> None:
        self._cost, self._telemetry = cost, telemetry
        self._compare = compare
        self._limit = workers + queue
        self._under_way = 0
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="hash", initializer=_be_nice)

    async def hash(self, password: bytes) -> str:
        """Hash what already fits. Raises ``Busy``."""
        return await self._run(lambda: self._hash(password))

    async def verify(self, password: bytes, stored: str | None) -> Verdict:
        """Compare, or do the same work for nobody. Raises ``Busy``.

        A hash of another cost is replaced by one of today's when it matched.
        """
        return await self._run(lambda: self._verify(password, stored))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        with self._telemetry.timed(HASH):
            # Only ever touched on the event loop, so counting needs no lock.
            if self._under_way >= self._limit:
                raise Busy(detail="the hashing queue is full")
            self._count(1)
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._begun, work, perf_counter()
                )
            finally:
                self._count(-1)

    def _count(self, by: int) -> None:
        self._under_way += by
        self._telemetry.count(HASHES, by=by)

    def _begun(self, work: Callable[[], Result], asked: float) -> Result:
        self._telemetry.observe(HASH_WAIT, perf_counter() - asked)
        return work()

    def _hash(self, password: bytes) -> str:
        return bcrypt.hashpw(password, bcrypt.gensalt(self._cost)).decode("ascii")

    def _verify(self, password: bytes, stored: str | None) -> Verdict:
        cost = _cost_of(stored) if stored is not None else None
        if stored is None or not self._compare(password, stored.encode("ascii")):
            for each in decoys(cost, self._cost):
                self._compare(password, _DECOY.format(cost=each).encode("ascii"))
            return Verdict(ok=False)
        return Verdict(ok=True, better=None if cost == self._cost else self._hash(password))


def decoys(stored: int | None, today: int) -> Sequence[int]:
    """Return the costs of the comparisons with nobody that a refusal still owes, so that all refusals cost the same.

    ``stored`` is the cost of the hash that did not match, ``None`` where there was none. A hash that is older than a
    rise of the cost took less, and 2^c + 2^(c+1) + ... + 2^(today-1) is what it lacks of 2^today: without it, the time
    of an answer would tell who has an account. One that cost more cannot be helped (see ``KEYSTEAD_HASH_COST``).
    """
    return (today,) if stored is None else range(stored, today)


def _cost_of(stored: str) -> int:
    """Return the cost in ``$2b$10$...``."""
    return int(stored[4:6])


def _be_nice() -> None:
    """Lower the priority of this thread alone: on Linux each thread has its own."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
