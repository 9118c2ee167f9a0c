"""Jobs: added in the transaction of what asks for them, claimed by one statement, tried again until they are done."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, text, tuple_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from keystead.db.tables import Job

LEASE: Final = timedelta(minutes=2)
"""How long a worker has before another may take the job over."""

_KEPT: Final = timedelta(hours=24)

_CLAIMED: Final = "processing"
_UNDONE: Final = ("pending", _CLAIMED)

_CLAIMED_COLUMNS: Final = tuple(getattr(Job, name) for name in ("id", "type", "sealed", "tries", "created_at", "about"))

_HOLD: Final = text("LOCK TABLE job_file IN SHARE ROW EXCLUSIVE MODE")
"""Pieces of files wait for it, for the moment that it takes to count; jobs themselves, such as mail, never do."""

_TURN: Final = ":"
"""Between a job's type and whose turn it waits for, in the column of the type."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that is this worker's until the lease ends."""

    id: str
    type: str
    sealed: bytes
    tries: int
    """Which try this is, from 1: a worker whose lease ended has an older number, and changes nothing any more."""
    created_at: datetime
    about: dict[str, Any] | None = None
    """What administrators may see of it, and how far it is."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as administrators see it. ``error`` is why the last try failed."""

    id: str
    type: str
    status: str
    created_at: datetime
    error: str | None
    about: dict[str, Any] | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobDetails:
    """A job with how it goes on: what it is about stays sealed, but for where and how it imports or exports."""

    id: str
    type: str
    status: str
    created_at: datetime
    run_at: datetime
    tries: int
    finished_at: datetime | None
    error: str | None
    about: dict[str, Any] | None = None

    @property
    def connection_id(self) -> str | None:
        """Which connection it is for, where it is for one."""
        return (self.about or {}).get("connection_id") or None

    @property
    def is_rehearsal(self) -> bool:
        """Whether it writes nobody."""
        return bool((self.about or {}).get("dry_run"))


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant; ``None`` for any."""

    type: str | None = None
    status: str | None = None


def kind_of(type: str) -> str:
    """Return the type of a job without whose turn it waits for."""
    return type.partition(_TURN)[0]


def add(session: Session, id: str, type: str, sealed: bytes, now: datetime, *, turn: str = "") -> None:
    """Ask for something to be done, in the transaction of what asks.

    Of the jobs of one type and ``turn`` (up to 20 characters) one is done at a time; without a turn, any number.
    """
    stored = f"{type}{_TURN}{turn}" if turn else type
    values = {"id": id, "type": stored, "status": "pending", "sealed": sealed, "created_at": now, "run_at": now}
    session.connection().execute(insert(Job).values(**values, tries=0))


def describe(session: Session, job_id: str, about: dict[str, Any], *, run_at: datetime | None = None) -> bool:
    """Say what administrators may see of a job that nobody has begun, and with ``run_at`` when it is due.

    ``False`` where somebody has begun it, or it is over or gone.
    """
    due = {} if run_at is None else {"run_at": run_at}
    waiting = (col(Job.id) == job_id, col(Job.status) == "pending")
    return session.connection().execute(update(Job).where(*waiting).values(about=about, **due)).rowcount == 1


def remove(session: Session, job_id: str) -> None:
    """Delete a job that came to nothing, with its files."""
    session.connection().execute(delete(Job).where(col(Job.id) == job_id))


def due(session: Session, now: datetime, types: Collection[str]) -> bool:
    """Whether there is anything to claim: a look that writes nothing, so that an idle worker costs nothing."""
    waiting_now = select(col(Job.id)).where(*_waiting(now, types))
    return session.connection().execute(waiting_now.limit(1)).first() is not None


def claim(session: Session, now: datetime, types: Collection[str]) -> Claimed | None:
    """Take the job of these types that has waited longest: of any number of workers, one gets it.

    A worker asks for what it can do, so that a newer process beside it can add jobs of a type that this one never saw.
    The lease is in ``run_at``: a claimed job is due again when the lease ends, so a worker that died is nobody's worry.
    """
    due = (
        select(col(Job.id))
        .where(*_waiting(now, types))
        .order_by(col(Job.run_at), col(Job.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(Job)
        .where(col(Job.id) == due.scalar_subquery(), col(Job.run_at) <= now)
        .values(status=_CLAIMED, run_at=now + LEASE, tries=col(Job.tries) + 1)
        .returning(*_CLAIMED_COLUMNS)
    )
    row = session.connection().execute(statement).first()
    return Claimed(*row) if row else None


def get(session: Session, job_id: str) -> JobRecord | None:
    """Return a job, until a day after its end."""
    columns = tuple(getattr(Job, name) for name in JobRecord.__dataclass_fields__)
    row = session.connection().execute(select(*columns).where(col(Job.id) == job_id)).first()
    return replace(JobRecord(*row), type=kind_of(row.type)) if row else None


def details(session: Session, job_id: str) -> JobDetails | None:
    """Return a job with how it goes on."""
    row = session.connection().execute(select(*_details()).where(col(Job.id) == job_id)).first()
    return _shown(row) if row else None


def page(session: Session, wanted: JobFilter, last: str, size: int) -> list[JobDetails]:
    """Return jobs, newest first, that come after the one of the id ``last``; of an unknown one, none do."""
    order = tuple_(col(Job.created_at), col(Job.id))
    statement = select(*_details()).order_by(col(Job.created_at).desc(), col(Job.id).desc()).limit(size)
    if wanted.type is not None:
        of_turn = col(Job.type).startswith(f"{wanted.type}{_TURN}", autoescape=True)
        statement = statement.where(or_(col(Job.type) == wanted.type, of_turn))
    if wanted.status is not None:
        statement = statement.where(col(Job.status) == wanted.status)
    if last:
        before = select(col(Job.created_at), col(Job.id)).where(col(Job.id) == last).subquery()
        statement = statement.where(order < tuple_(before.c.created_at, before.c.id))
    return [_shown(row) for row in session.connection().execute(statement)]


def keep(session: Session, job: Claimed, now: datetime, about: dict[str, Any]) -> bool:
    """Note how far a job is, and hold it for another lease; ``False`` where another worker has taken it over."""
    return _set(session, job, about=about, run_at=now + LEASE)


def held(session: Session, job: Claimed) -> dict[str, Any] | None:
    """Return how far a job is, and keep it there until the unit of work is over; ``None`` where it was taken over."""
    statement = select(col(Job.about)).where(*_mine(job)).with_for_update()
    row = session.connection().execute(statement).first()
    return None if row is None else row.about or {}


def has_room(session: Session, types: Collection[str], most: int) -> bool:
    """Whether fewer than ``most`` jobs of these types wait or are under way, for whoever adds one in this transaction.

    Whoever counts holds the count still: two requests at once do not both find room.
    """
    if session.connection().dialect.name == "postgresql":  # SQLite has one writer at a time
        session.connection().execute(_HOLD)
    of_types = [
        or_(col(Job.type) == each, col(Job.type).startswith(f"{each}{_TURN}", autoescape=True)) for each in types
    ]
    statement = select(func.count()).select_from(Job).where(or_(*of_types), col(Job.finished_at).is_(None))
    return int(session.connection().execute(statement).scalar_one()) < most


def finish(session: Session, job: Claimed, now: datetime, *, error: str | None = None) -> bool:
    """Note that a job is done, or that it failed for good; what it was about is forgotten.

    ``False`` where another worker has taken it over.
    """
    status = "completed" if error is None else "failed"
    return _set(session, job, status=status, finished_at=now, error=error and error[:500], sealed=b"")


def again(session: Session, job: Claimed, now: datetime, error: str, *, tries: int | None = None) -> bool:
    """Put a job back, to be tried later: after 5 seconds, and four times as long after each try that follows.

    ``tries`` are those that count, where not all of them do. ``False`` where another worker has taken it over.
    """
    later = now + timedelta(seconds=5 * 4 ** ((tries or job.tries) - 1))
    return _set(session, job, status="pending", run_at=later, error=error[:500])


def release(session: Session, job: Claimed, now: datetime, *, after: timedelta = timedelta(), error: str = "") -> bool:
    """Give a job back before its lease ends, to be done at once or after a while.

    What its worker began before and has not stored yet is stored no more. Nor does this try count among those that
    nobody came back from, where ``about`` counts them as ``stuck``. ``False`` where it has been taken over.
    """
    about = held(session, job) or {}
    values: dict[str, Any] = {"status": "pending", "run_at": now + after}
    if "stuck" in about:
        values["about"] = about | {"stuck": min(about["stuck"], (job.about or {}).get("stuck", 0))}
    return _set(session, job, **values | ({"error": error[:500]} if error else {}))


def waiting(session: Session) -> int:
    """Return how many jobs are not done."""
    statement = select(func.count()).select_from(Job).where(col(Job.finished_at).is_(None))
    return int(session.connection().execute(statement).scalar_one())


def standing(session: Session, now: datetime) -> list[tuple[str, str, int, float]]:
    """Return how many jobs there are of each type and status, and for how many seconds the oldest of them is due."""
    columns = (col(Job.type), col(Job.status), func.count(), func.min(col(Job.run_at)))
    rows = session.connection().execute(select(*columns).group_by(col(Job.type), col(Job.status)))
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for type_, status, count, first in rows:
        before, oldest = found.get((kind_of(type_), status), (0, 0.0))
        late = (now - first).total_seconds() if status in _UNDONE else 0.0
        found[kind_of(type_), status] = (before + count, max(oldest, late))
    return [(*key, *value) for key, value in found.items()]


def sweep(session: Session, now: datetime) -> int:
    """Delete jobs that ended a day ago; return how many."""
    return session.connection().execute(delete(Job).where(col(Job.finished_at) <= now - _KEPT)).rowcount


def _details() -> tuple[Any, ...]:
    about = (col(Job.id), col(Job.type), col(Job.status), col(Job.created_at))
    return (*about, col(Job.run_at), col(Job.tries), col(Job.finished_at), col(Job.error), col(Job.about))


def _shown(row: Sequence[Any]) -> JobDetails:
    """Return a job without whose turn it waits for, which is of use to workers alone."""
    found = JobDetails(*row)
    return replace(found, type=found.type.partition(_TURN)[0])


def _waiting(now: datetime, types: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    in_turn = or_(*(col(Job.type).startswith(f"{each}{_TURN}", autoescape=True) for each in types))
    wanted = or_(col(Job.type).in_(types), in_turn & ~_ahead(now))
    return col(Job.finished_at).is_(None), col(Job.run_at) <= now, wanted


def _ahead(now: datetime) -> ColumnElement[bool]:
    """Whether another job of the same turn is being done, or is due before.

    Of those that are due only the first can be claimed: two workers that do not see each other's claims yet must not
    take one each.
    """
    other = aliased(Job)
    leased = (col(other.status) == _CLAIMED) & (col(other.run_at) > now)
    earlier = or_(
        col(other.run_at) < col(Job.run_at), (col(other.run_at) == col(Job.run_at)) & (col(other.id) < col(Job.id))
    )
    same = (col(other.type) == col(Job.type), col(other.id) != col(Job.id), col(other.status).in_(_UNDONE))
    return select(col(other.id)).where(*same, or_(leased, earlier)).exists()


def _set(session: Session, job: Claimed, **values: Any) -> bool:
    return session.connection().execute(update(Job).where(*_mine(job)).values(**values)).rowcount == 1


def _mine(job: Claimed) -> tuple[ColumnElement[bool], ...]:
    return col(Job.id) == job.id, col(Job.tries) == job.tries, col(Job.status) == _CLAIMED
