"""The SQL side of the ``Attempts`` port: buckets, each charged by one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import bindparam, delete, select, text
from sqlmodel import Session, col

from keystead.db.session import Database
from keystead.db.tables import Attempt
from keystead.ports import EVERYTHING, Charge, Charged, Clock, Wanted
from keystead.rules.buckets import EVER, empty_after, seconds_to_wait

# One statement decides and counts. "Read, check, write" let 60 of 60 concurrent guesses through a limit of 10. A charge
# that would go over the limit changes nothing, so hammering a full bucket does not keep it full. What lasts is as old
# as the last charge: to ask, or to give something back, makes it no younger.
# Clocks of machines differ, and are set back: nothing is regained then, and nothing spent.
_PASSED: Final = "(CASE WHEN :now > attempt.at THEN :now - attempt.at ELSE 0 END)"
_OLD: Final = f"{_PASSED} >= :lasts"
_REGAINED: Final = f"{_PASSED} * :refill"
_LEFT_OVER: Final = (
    f"(CASE WHEN {_OLD} THEN 0 WHEN attempt.spent > {_REGAINED} THEN attempt.spent - {_REGAINED} ELSE 0 END)"
)
_AFTER: Final = f"(CASE WHEN {_LEFT_OVER} + :cost > 0 THEN {_LEFT_OVER} + :cost ELSE 0 END)"
_YOUNGER: Final = "(:cost > 0 OR :refill > 0) AND :now > attempt.at"
_TAKE: Final = text(
    "INSERT INTO attempt (key, spent, at, until) VALUES (:key, :first, :now, :until) "  # noqa: S608 - constants
    f"ON CONFLICT (key) DO UPDATE SET spent = {_AFTER}, "
    f"at = CASE WHEN {_YOUNGER} THEN :now ELSE attempt.at END, "
    f"until = CASE WHEN {_YOUNGER} THEN :until ELSE attempt.until END "
    f"WHERE {_AFTER} <= :capacity RETURNING spent"
)
_FORGIVE: Final = delete(Attempt).where(col(Attempt.key) == bindparam("which"))


@dataclass(frozen=True)
class SqlAttempts:
    """Buckets in the database: right for any number of processes."""

    db: Database
    clock: Clock

    async def take(
        self, key: str, capacity: float, refill: float, cost: float = 1.0, *, lasts: float | None = None
    ) -> Charge:
        """Charge ``cost`` to a bucket; see the port."""
        (charge,) = await self.take_all([Wanted(key, capacity, refill, cost, lasts)])
        return charge

    async def take_all(self, wanted: Sequence[Wanted]) -> list[Charge]:
        """Charge several buckets, all or none; see the port."""
        try:
            return await self.db.write(_take_all, wanted, self.clock().timestamp())
        except _Refused as refused:
            return refused.charges

    async def forgive(self, key: str) -> None:
        """Empty a bucket."""
        await self.db.write(_forgive, key)

    async def list(self, prefix: str) -> list[Charged]:
        """Return the buckets whose key begins with ``prefix``."""
        return await self.db.read(_list, prefix, self.clock().timestamp())

    async def close(self) -> None:
        """Do nothing: whoever opened the database closes it."""


def sweep(session: Session, now: datetime) -> int:
    """Delete buckets that are empty by now; return how many rows went."""
    return session.connection().execute(delete(Attempt).where(col(Attempt.until) <= now.timestamp())).rowcount


def _forgive(session: Session, key: str) -> None:
    session.connection().execute(_FORGIVE, {"which": key})


class _Refused(Exception):
    """Rolls back what was charged before one was refused."""

    def __init__(self, charges: list[Charge]) -> None:
        self.charges = charges
        super().__init__("refused")


def _take_all(session: Session, wanted: Sequence[Wanted], now: float) -> list[Charge]:
    charges: list[Charge] = []
    for each in wanted:
        charges.append(_take(session, each, now))
        if each.must and not charges[-1].allowed:
            raise _Refused(charges)
    return charges


def _take(session: Session, wanted: Wanted, now: float) -> Charge:
    if wanted.cost <= EVERYTHING:
        _forgive(session, wanted.key)
        return Charge(allowed=True, left=wanted.capacity, retry_after=0.0)
    values = {
        **{name: getattr(wanted, name) for name in ("key", "capacity", "refill", "cost")},
        "first": max(wanted.cost, 0.0),
        "now": now,
        "lasts": wanted.lasts or EVER,
        "until": now + empty_after(wanted.capacity, wanted.refill, wanted.lasts),
    }
    spent = session.connection().execute(_TAKE, values).scalar()
    if spent is None:
        return _refusal(session, wanted, now)
    if wanted.cost <= 0 and spent == 0:
        # Whoever is turned away with 503 must not leave a row behind for each name that they made up.
        _forgive(session, wanted.key)
    return Charge(allowed=True, left=wanted.capacity - spent, retry_after=0.0)


def _refusal(session: Session, wanted: Wanted, now: float) -> Charge:
    """Say when to come back. The row is there: what conflicts stays locked, also where it is left as it is."""
    which = col(Attempt.key) == wanted.key
    row = session.connection().execute(select(col(Attempt.spent), col(Attempt.at)).where(which)).one()
    passed = max(now - row.at, 0.0)
    wait = seconds_to_wait(row.spent + wanted.cost - wanted.capacity, passed, wanted.refill, wanted.lasts)
    return Charge(allowed=False, left=0.0, retry_after=wait)


def _list(session: Session, prefix: str, now: float) -> list[Charged]:
    # By the index: not LIKE, which takes capitals for small letters on SQLite. No key holds the last code point.
    begins = col(Attempt.key).between(prefix, f"{prefix}\U0010ffff")
    columns = select(col(Attempt.key), col(Attempt.spent), col(Attempt.at))
    rows = session.connection().execute(columns.where(begins, col(Attempt.until) > now))
    return [Charged(row.key, row.spent, datetime.fromtimestamp(row.at, UTC)) for row in rows]
