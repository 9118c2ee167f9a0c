"""The SQL side of the ``Attempts`` port: token buckets, each charged by one statement."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, select, text
from sqlmodel import Session, col

from keystead.db.session import Database
from keystead.db.tables import Attempt
from keystead.ports import Charge, Charged, Clock
from keystead.rules.attack_protection import BLOCK, read_login_key

# One statement decides and counts. "Read, check, write" let 60 of 60 concurrent guesses through a limit of 10. A charge
# that would go over the limit changes nothing, so hammering a full bucket does not keep it full.
_REGAINED: Final = "(:now - attempt.at) * :refill"
_LEFT_OVER: Final = f"(CASE WHEN attempt.spent > {_REGAINED} THEN attempt.spent - {_REGAINED} ELSE 0 END)"
_AFTER: Final = f"(CASE WHEN {_LEFT_OVER} + :cost > 0 THEN {_LEFT_OVER} + :cost ELSE 0 END)"
_TAKE: Final = text(
    "INSERT INTO attempt (key, spent, at) VALUES (:key, :first, :now) "  # noqa: S608 - constants
    f"ON CONFLICT (key) DO UPDATE SET spent = {_AFTER}, at = :now "
    f"WHERE {_AFTER} <= :capacity RETURNING spent"
)
_FORGIVE: Final = delete(Attempt).where(col(Attempt.key) == bindparam("which"))


@dataclass(frozen=True)
class SqlAttempts:
    """Buckets in the database: right for any number of processes."""

    db: Database
    clock: Clock

    async def take(self, key: str, capacity: float, refill: float, cost: float = 1.0) -> Charge:
        """Charge ``cost`` to a bucket; see the port."""
        return await self.db.write(_take, key, capacity, refill, cost, self.clock().timestamp())

    async def forgive(self, key: str) -> None:
        """Empty a bucket."""
        await self.db.write(_forgive, key)

    async def list(self, prefix: str) -> list[Charged]:
        """Return the buckets whose key begins with ``prefix``."""
        return await self.db.read(_list, prefix)


def sweep(session: Session, now: datetime) -> int:
    """Delete buckets that nobody was charged to for as long as a block lasts; return how many rows went."""
    statement = delete(Attempt).where(col(Attempt.at) < (now - BLOCK).timestamp())
    return session.connection().execute(statement).rowcount


def _forgive(session: Session, key: str) -> None:
    session.connection().execute(_FORGIVE, {"which": key})


def forgive_logins(session: Session, connection_id: str, identifiers: set[tuple[str, str]]) -> None:
    """Lift the blocks of somebody's identifiers (kind, value), from every address (RS-5)."""
    for charged in _list(session, f"login/{connection_id}/"):
        key = read_login_key(charged.key)
        if key and (key.kind, key.value) in identifiers:
            _forgive(session, charged.key)


def _take(session: Session, key: str, capacity: float, refill: float, cost: float, now: float) -> Charge:
    values = {"key": key, "first": max(cost, 0.0), "cost": cost, "refill": refill, "capacity": capacity, "now": now}
    spent = session.connection().execute(_TAKE, values).scalar()
    if cost < 0 and spent == 0:
        # Whoever is turned away with 503 must not leave a row behind for each name that they made up.
        _forgive(session, key)
    if spent is not None:
        return Charge(allowed=True, left=capacity - spent, retry_after=0.0)
    row = session.connection().execute(select(col(Attempt.spent), col(Attempt.at)).where(col(Attempt.key) == key)).one()
    missing = row.spent - max(now - row.at, 0.0) * refill + cost - capacity
    return Charge(allowed=False, left=0.0, retry_after=missing / refill if refill else 0.0)


def _list(session: Session, prefix: str) -> list[Charged]:
    # Not LIKE, which takes capitals for small letters on SQLite.
    begins = func.substr(col(Attempt.key), 1, len(prefix)) == prefix
    rows = session.connection().execute(select(col(Attempt.key), col(Attempt.spent), col(Attempt.at)).where(begins))
    return [Charged(row.key, row.spent, datetime.fromtimestamp(row.at, UTC)) for row in rows]
