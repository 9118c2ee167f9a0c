"""Log streams: what is stored of them, and whose turn it is to deliver one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, case, delete, func, insert, or_, select, update
from sqlmodel import Session, col

from keystead.db.tables import JournalSeal, LogStream

LEASE: Final = timedelta(seconds=45)
"""For how long a stream is one process's: longer than a delivery may take."""

FIRST: Final = (0, "")
"""Where a stream stands that has seen nothing."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A log stream as it is stored."""

    id: str
    name: str
    type: str
    status: str
    settings: dict[str, Any]
    sealed: bytes
    after_seal: int
    after_id: str
    tries: int
    run_at: datetime
    error: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def failures(self) -> int:
        """How often in a row it failed before."""
        return abs(self.tries) - 1 if self.tries < 0 else self.tries


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches that were pruned before a stream had them: at most so many entries."""

    first: int
    last: int
    last_id: str
    entries: int


_NAMES: Final = tuple(StreamRecord.__dataclass_fields__)
_COLUMNS: Final = tuple(getattr(LogStream, name) for name in _NAMES)
_BEHIND: Final = or_(
    col(JournalSeal.number) > col(LogStream.after_seal),
    and_(col(JournalSeal.number) == col(LogStream.after_seal), col(JournalSeal.last_id) > col(LogStream.after_id)),
)


def add(session: Session, record: StreamRecord) -> None:
    """Store a new stream."""
    session.connection().execute(insert(LogStream).values({name: getattr(record, name) for name in _NAMES}))


def get(session: Session, stream_id: str, *, lock: bool = False) -> StreamRecord | None:
    """Return a stream; locked, where what is read decides what is written."""
    statement = select(*_COLUMNS).where(col(LogStream.id) == stream_id)
    row = session.connection().execute(statement.with_for_update() if lock else statement).first()
    return StreamRecord(*row) if row else None


def known(session: Session) -> list[StreamRecord]:
    """Return all streams, the oldest first."""
    ordered = select(*_COLUMNS).order_by(col(LogStream.created_at), col(LogStream.id))
    return [StreamRecord(*row) for row in session.connection().execute(ordered)]


def is_named(session: Session, name: str, but: str = "") -> bool:
    """Whether another stream has a name."""
    statement = select(col(LogStream.id)).where(col(LogStream.name) == name, col(LogStream.id) != but)
    return session.connection().execute(statement).first() is not None


def change(session: Session, stream_id: str, now: datetime, **values: Any) -> None:
    """Change what administrators say of a stream."""
    statement = update(LogStream).where(col(LogStream.id) == stream_id)
    session.connection().execute(statement.values(**values, updated_at=now))


def resume(session: Session, stream_id: str, now: datetime) -> None:
    """Let a stream go on at once, where it stopped; whoever delivers it at the moment keeps it until then."""
    under_way = col(LogStream.tries) < 0
    values = {
        "run_at": case((under_way, col(LogStream.run_at)), else_=now),
        "tries": case((under_way, col(LogStream.tries)), else_=0),
    }
    change(session, stream_id, now, status="active", **values)


def remove(session: Session, stream_id: str) -> bool:
    """Delete a stream; ``False`` where there is none."""
    return session.connection().execute(delete(LogStream).where(col(LogStream.id) == stream_id)).rowcount == 1


def place_before(session: Session, since: datetime | None) -> tuple[int, str]:
    """Return the end of the chain, or of what of it was sealed before a moment: nothing from then on comes earlier."""
    last = select(col(JournalSeal.number), col(JournalSeal.last_id)).order_by(col(JournalSeal.number).desc()).limit(1)
    statement = last.where(col(JournalSeal.sealed_at) < since) if since else last
    row = session.connection().execute(statement).first()
    return (row[0], row[1]) if row else FIRST


def due(session: Session, now: datetime) -> list[str]:
    """Return the ids of streams with something to deliver: a look that writes nothing."""
    something = select(col(JournalSeal.number)).where(_BEHIND).exists()
    statement = select(col(LogStream.id)).where(*_waiting(now), something).order_by(col(LogStream.run_at))
    return list(session.connection().execute(statement).scalars())


def claim(session: Session, stream_id: str, now: datetime) -> StreamRecord | None:
    """Take a stream that is due until the lease ends; of any number of processes, one gets it."""
    statement = (
        update(LogStream)
        .where(col(LogStream.id) == stream_id, *_waiting(now))
        .values(
            run_at=now + LEASE, tries=-func.abs(col(LogStream.tries)) - case((col(LogStream.tries) < 0, 0), else_=1)
        )
        .returning(*_COLUMNS)
    )
    row = session.connection().execute(statement).first()
    return StreamRecord(*row) if row else None


def gap(session: Session, stream: StreamRecord) -> Gap | None:
    """Return which batches were pruned before the stream had them, if any were: the oldest are pruned first."""
    at = (stream.after_seal, stream.after_id)
    missed = or_(
        col(JournalSeal.number) > at[0], and_(col(JournalSeal.number) == at[0], col(JournalSeal.last_id) > at[1])
    )
    pruned = (missed, col(JournalSeal.pruned_at).is_not(None))
    numbers = (col(JournalSeal.number), col(JournalSeal.last_id))
    first = session.connection().execute(select(*numbers).where(*pruned).order_by(numbers[0]).limit(1)).first()
    last = session.connection().execute(select(*numbers).where(*pruned).order_by(numbers[0].desc()).limit(1)).first()
    if first is None or last is None:
        return None
    count = session.connection().execute(select(func.sum(col(JournalSeal.entries))).where(*pruned)).scalar_one()
    return Gap(first[0], last[0], last[1], int(count))


def advance(session: Session, stream: StreamRecord, to: tuple[int, str], now: datetime) -> StreamRecord | None:
    """Note how far a stream is, and keep it for another while; ``None`` where it is somebody else's, or paused."""
    seal, log_id = to
    moved = replace(stream, after_seal=seal, after_id=log_id, tries=-1, run_at=now + LEASE, error=None)
    values = {name: getattr(moved, name) for name in ("after_seal", "after_id", "tries", "run_at", "error")}
    if not _set(session, stream, **values):
        return None
    found = get(session, stream.id)
    if found and found.status != "active":
        release(session, found, now)
        return None
    return found


def release(session: Session, stream: StreamRecord, now: datetime) -> bool:
    """Give a stream back that has nothing to deliver."""
    return _set(session, stream, tries=0, run_at=now)


def again(session: Session, stream: StreamRecord, at: datetime, error: str) -> bool:
    """Note that nothing was taken: it is tried at another time. ``False`` where it is somebody else's by now."""
    return _set(session, stream, tries=abs(stream.tries), run_at=at, error=error[:500])


def suspend(session: Session, stream: StreamRecord, now: datetime, error: str) -> bool:
    """Give a stream up, until an administrator lets it go on; ``False`` where it is somebody else's, or paused."""
    held = update(LogStream).where(*_held(stream), col(LogStream.status) == "active")
    values = {"status": "suspended", "tries": 0, "run_at": now, "error": error[:500]}
    return session.connection().execute(held.values(values)).rowcount == 1


def _waiting(now: datetime) -> Sequence[Any]:
    return col(LogStream.status) == "active", col(LogStream.run_at) <= now


def _held(stream: StreamRecord) -> Sequence[Any]:
    """Select a stream as long as it is the one that was claimed: the end of a lease is nobody else's."""
    return (
        col(LogStream.id) == stream.id,
        col(LogStream.run_at) == stream.run_at,
        col(LogStream.tries) == stream.tries,
    )


def _set(session: Session, stream: StreamRecord, **values: Any) -> bool:
    return session.connection().execute(update(LogStream).where(*_held(stream)).values(**values)).rowcount == 1
