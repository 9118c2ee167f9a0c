"""What each day came to: out of the journal, which may be pruned, and from then on out of a row for the day."""

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Account, Connection, DailyCount, JournalRow
from keystead.rules.stats import COUNTED, Counts, counts, start_of

_COLUMNS: Final = tuple(getattr(DailyCount, name) for name in Counts.__dataclass_fields__)
_OWN: Final = select(col(Connection.id)).where(col(Connection.for_administrators).is_(True))


def stored(session: Session, first: date, last: date) -> dict[date, Counts]:
    """Return the days that were summed up."""
    statement = select(*_COLUMNS).where(col(DailyCount.day) >= first, col(DailyCount.day) <= last)
    return {row.day: Counts(**row._mapping) for row in session.connection().execute(statement)}


def journalled(session: Session, day: date) -> Counts:
    """Count a day by the journal; the administrators' own sign-ins and sign-ups are none of the tenant's."""
    begins = start_of(day)
    # By the date alone: asked for types too, SQLite goes through every entry of these, whatever their day.
    statement = (
        select(col(JournalRow.type), func.count())
        .where(
            col(JournalRow.date) >= begins,
            col(JournalRow.date) < begins + timedelta(days=1),
            or_(col(JournalRow.connection_id).is_(None), col(JournalRow.connection_id).not_in(_OWN)),
        )
        .group_by(col(JournalRow.type))
    )
    return counts(day, {row[0]: row[1] for row in session.connection().execute(statement) if row[0] in COUNTED})


def first_unsummed(session: Session) -> date | None:
    """Return the day to sum up next: behind the last that was, or the journal's first; ``None`` where there is none."""
    last: date | None = session.connection().execute(select(func.max(col(DailyCount.day)))).scalar()
    if last is not None:
        return last + timedelta(days=1)
    began = session.connection().execute(select(col(JournalRow.date)).order_by(col(JournalRow.date)).limit(1)).scalar()
    return began.date() if began else None


def store(session: Session, found: Counts, at: datetime) -> None:
    """Keep what a day came to; of two processes that sum it up, either says the same."""
    values = {name: getattr(found, name) for name in Counts.__dataclass_fields__} | {"summed_at": at}
    session.connection().execute(upsert(DailyCount).values(values).on_conflict_do_nothing())


def active_users(session: Session, since: datetime) -> int:
    """Return how many people signed in since then, administrators not among them."""
    statement = select(func.count()).where(col(Account.last_login) >= since, col(Account.connection_id).not_in(_OWN))
    found: int = session.connection().execute(statement).scalar_one()
    return found
