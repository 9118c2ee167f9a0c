"""Passwords are compared here and nowhere else: bcrypt, off the event loop, in a bounded number of threads.

bcrypt releases the GIL, so threads use every core; they run at ``nice`` 10, so that everything else stays quick while
they do (measured: a session check keeps a p99 of 5 ms during a storm of logins, against 10 s with hashes on the loop).
"""

import asyncio
import os
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import Final, TypeVar

import bcrypt

from keystead.errors import Busy
from keystead.ports import Telemetry, Verdict
from keystead.rules.password_hashes import BadHash, ImportedHash, is_native, of_stored
from keystead.rules.password_policy import BCRYPT_BYTES
from keystead.rules.telemetry import HASH, HASH_WAIT, HASHES, SILENCE
from keystead.secrecy import Secret
from keystead.users import imported_hashes

Result = TypeVar("Result")
Compare = Callable[[bytes, bytes], bool]
CompareForeign = Callable[[ImportedHash, str], bool]

NICE = 10
"""How far hashes stand back for everything else."""
_NOBODY: Final = b"too long"
"""What is compared with a decoy where there is nothing that could be compared."""
_DECOY: Final = "$2b${cost:02d}$NobodyHasThisPasswordu" + "." * 31
"""A well-formed hash that no password has: comparing with it is the same work as comparing with a real one."""


class BcryptHasher:
    """bcrypt at one cost. Beyond ``queue`` waiting calls it refuses at once, so that waiting has an end.

    ``compare`` is where all the work of a comparison is done, and ``foreign`` where it is with a hash that another
    system made.
    """

    def __init__(
        self,
        cost: int,
        *,
        workers: int,
        queue: int,
        compare: Compare = bcrypt.checkpw,
        foreign: CompareForeign = imported_hashes.matches,
        telemetry: Telemetry = SILENCE,
    ) -> None:
        self._cost, self._telemetry = cost, telemetry
        self._compare, self._foreign = compare, foreign
        self._limit = workers + queue
        self._under_way = 0
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="hash", initializer=_be_nice)

    async def hash(self, password: bytes) -> str:
        """Hash what already fits. Raises ``Busy``."""
        return await self._run(lambda: self._hash(password))

    async def verify(self, password: bytes | None, stored: str | None, *, typed: Secret[str] | None = None) -> Verdict:
        """Compare, or do the same work for nobody. Raises ``Busy``.

        A hash of another cost is replaced by one of today's when it matched, and so is one of another system.
        """
        spellings = _spellings(typed, password)
        return await self._run(lambda: self._verify(password, stored, spellings))

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

    def _verify(self, password: bytes | None, stored: str | None, spellings: Sequence[str]) -> Verdict:
        tries = _tries(password, spellings)
        if stored is not None and not is_native(stored):
            return self._verify_imported(password, stored, spellings, len(tries))
        cost = None
        if stored is not None and password is not None:
            cost = _cost_of(stored)
            for each in tries:
                if self._compare(each, stored.encode("ascii")):
                    is_todays = cost == self._cost and each == password
                    return Verdict(ok=True, better=None if is_todays else self._hash(password))
        self._refuse(tries, decoys(cost, self._cost))
        return Verdict(ok=False)

    def _verify_imported(self, password: bytes | None, stored: str, spellings: Sequence[str], tries: int) -> Verdict:
        """Compare with what another system made: in the spelling that was typed, then in NFC.

        A refusal costs what it costs for nobody besides, so that no account is quicker to refuse than none (F14). What
        is no hash within the bounds, the mark of a password kept elsewhere among it, costs just that.
        """
        try:
            imported = of_stored(stored)
            found = any(self._foreign(imported, each) for each in spellings)
        except BadHash:
            found = False
        except MemoryError as error:
            raise Busy(detail="too little memory to compare with the hash of another system") from error
        if not found:
            self._refuse([_NOBODY] * tries, decoys(None, self._cost))
            return Verdict(ok=False)
        # Too long for our own: the hash stays as it is, until its owner chooses another password.
        return Verdict(ok=True, better=self._hash(password) if password is not None else None)

    def _refuse(self, tries: Sequence[bytes], costs: Sequence[int]) -> None:
        """Do the work that a refusal still owes."""
        for password in tries:
            for each in costs:
                self._compare(password, _DECOY.format(cost=each).encode("ascii"))


def _tries(password: bytes | None, spellings: Sequence[str]) -> Sequence[bytes]:
    """Return what bcrypt is tried with: our own form, and what was typed where that is another spelling.

    A row's ``password_hash`` may be of another system too, which never heard of NFC; nobody can tell it from ours.
    """
    own = _NOBODY if password is None else password
    return [own] + [each.encode("utf-8")[:BCRYPT_BYTES] for each in spellings[:-1]]


def _spellings(typed: Secret[str] | None, password: bytes | None) -> Sequence[str]:
    """Return a password as it was typed, and in NFC where that is another; where nobody says, it was typed so."""
    if typed is None:
        # Cut in the middle of a character it is of no hash that another system made.
        return () if password is None else (password.decode("utf-8", "ignore"),)
    raw, normal = typed.reveal(), unicodedata.normalize("NFC", typed.reveal())
    return (raw,) if raw == normal else (raw, normal)


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
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
