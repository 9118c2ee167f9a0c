"""Jobs that import users: their files, what was found of each row, and what earlier rows are known by."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session, col

from keystead.db import jobs
from keystead.db.jobs import Claimed
from keystead.db.tables import Job, JobClaim, JobFile, JobRow
from keystead.rules.import_jobs import JOB


def begin(session: Session, job_id: str, about: dict[str, Any], now: datetime, until: datetime, most: int) -> bool:
    """Add a job whose file is on its way, which nobody begins before ``until``; ``False`` where ``most`` are active."""
    if not jobs.has_room(session, (JOB,), most):
        return False
    jobs.add(session, job_id, JOB, b"", now)
    session.connection().execute(update(Job).where(col(Job.id) == job_id).values(about=about, run_at=until))
    return True


def ready(session: Session, job_id: str, sealed: bytes, about: dict[str, Any], now: datetime) -> bool:
    """Let a job be done whose file is there; ``False`` where it was given up meanwhile, or is gone."""
    values = {"sealed": sealed, "about": about, "run_at": now}
    waiting = (col(Job.id) == job_id, col(Job.status) == "pending")
    return session.connection().execute(update(Job).where(*waiting).values(values)).rowcount == 1


def finish(session: Session, job: Claimed, now: datetime, about: dict[str, Any], *, error: str | None = None) -> bool:
    """End a job: its file, which holds hashes, goes at once; what was found of its rows stays for a day.

    ``False`` where another worker has taken it over.
    """
    if not jobs.keep(session, job, now, about) or not jobs.finish(session, job, now, error=error):
        return False
    for table in (JobFile, JobClaim):
        session.connection().execute(delete(table).where(table.job_id == job.id))  # type: ignore[arg-type]
    return True


def noted(session: Session, job_id: str, after: int, limit: int, *, only: str = "") -> list[tuple[int, dict[str, Any]]]:
    """Return what was found of the rows behind one, in the order of the file; with ``only``, of one verdict."""
    conditions = [col(JobRow.job_id) == job_id, col(JobRow.number) > after]
    if only:
        conditions.append(col(JobRow.found)["verdict"].as_string() == only)
    statement = select(col(JobRow.number), col(JobRow.found)).where(*conditions).order_by(col(JobRow.number))
    return [(row.number, row.found) for row in session.connection().execute(statement.limit(limit))]


def claim(session: Session, job_id: str, claims: Mapping[bytes, int]) -> None:
    """Keep what rows are known by."""
    if claims:
        rows = [{"job_id": job_id, "claim": each, "number": number} for each, number in claims.items()]
        session.connection().execute(insert(JobClaim), rows)


def claimed(session: Session, job_id: str, claims: Collection[bytes]) -> dict[bytes, int]:
    """Return which earlier row is known by each of these."""
    found: dict[bytes, int] = {}
    wanted: Sequence[bytes] = list(claims)
    for at in range(0, len(wanted), 1000):
        mine = (col(JobClaim.job_id) == job_id, col(JobClaim.claim).in_(wanted[at : at + 1000]))
        rows = session.connection().execute(select(col(JobClaim.claim), col(JobClaim.number)).where(*mine))
        found |= {row.claim: row.number for row in rows}
    return found
