"""Shadow mode: counts by connection, day and kind, and the newest differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Account, Connection, ShadowCount, ShadowDifference
from keystead.rules.shadow import KEPT, MOST_LISTED, Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """A login about which the customer's database and ours did not agree."""

    id: str
    connection_id: str
    user_id: str
    date: datetime
    kind: Kind
    about: dict[str, Any]


_COLUMNS: Final = tuple(getattr(ShadowDifference, name) for name in Difference.__dataclass_fields__)


def count(session: Session, connection_id: str, day: date, counts: Mapping[Kind, int]) -> bool:
    """Add to what was counted on a day; ``False`` where the connection is gone meanwhile."""
    if not session.connection().execute(select(col(Connection.id)).where(col(Connection.id) == connection_id)).first():
        return False
    for kind, more in counts.items():
        row = {"connection_id": connection_id, "day": day, "kind": kind, "count": more}
        statement = upsert(ShadowCount).values(row)
        together = {"count": col(ShadowCount.count) + more}
        key = ["connection_id", "day", "kind"]
        session.connection().execute(statement.on_conflict_do_update(index_elements=key, set_=together))
    return True


def add(session: Session, found: Difference) -> bool:
    """List a difference, and drop the oldest beyond the most that are kept; ``False`` where the account is gone."""
    known = select(col(Account.user_id)).where(col(Account.user_id) == found.user_id)
    if not session.connection().execute(known).first():
        return False
    session.connection().execute(insert(ShadowDifference), {name: getattr(found, name) for name in found.__slots__})
    newest = (
        select(col(ShadowDifference.id))
        .where(col(ShadowDifference.connection_id) == found.connection_id)
        .order_by(col(ShadowDifference.date).desc(), col(ShadowDifference.id).desc())
    )
    beyond = session.connection().execute(newest.offset(MOST_LISTED).limit(100)).scalars().all()
    if beyond:
        session.connection().execute(delete(ShadowDifference).where(col(ShadowDifference.id).in_(beyond)))
    return True


def counts(session: Session, connection_id: str, since: date) -> list[tuple[date, Kind, int]]:
    """Return what was counted from a day on."""
    columns = select(col(ShadowCount.day), col(ShadowCount.kind), col(ShadowCount.count))
    statement = columns.where(col(ShadowCount.connection_id) == connection_id, col(ShadowCount.day) >= since)
    ordered = statement.order_by(col(ShadowCount.day), col(ShadowCount.kind))
    return [(day, cast("Kind", kind), times) for day, kind, times in session.connection().execute(ordered)]


def newest(session: Session, connection_id: str, *, kind: str | None, offset: int, limit: int) -> list[Difference]:
    """Return differences of a connection, newest first; of one kind, where that is given."""
    statement = select(*_COLUMNS).where(*_of(connection_id, kind))
    ordered = statement.order_by(col(ShadowDifference.date).desc(), col(ShadowDifference.id).desc())
    return [Difference(*row) for row in session.connection().execute(ordered.offset(offset).limit(limit))]


def total(session: Session, connection_id: str, kind: str | None) -> int:
    """Return how many ``newest`` would find in all."""
    statement = select(func.count()).select_from(ShadowDifference).where(*_of(connection_id, kind))
    found: int = session.connection().execute(statement).scalar_one()
    return found


def forget(session: Session, connection_id: str) -> None:
    """Begin anew: delete counts and differences of a connection."""
    session.connection().execute(delete(ShadowDifference).where(col(ShadowDifference.connection_id) == connection_id))
    session.connection().execute(delete(ShadowCount).where(col(ShadowCount.connection_id) == connection_id))


def sweep(session: Session, now: datetime) -> int:
    """Delete what is older than thirty days; return how many rows went."""
    old = session.connection().execute(delete(ShadowDifference).where(col(ShadowDifference.date) <= now - KEPT))
    counted = delete(ShadowCount).where(col(ShadowCount.day) <= (now - KEPT).date())
    return old.rowcount + session.connection().execute(counted).rowcount


def _of(connection_id: str, kind: str | None) -> list[Any]:
    found = [col(ShadowDifference.connection_id) == connection_id]
    return [*found, col(ShadowDifference.kind) == kind] if kind else found
