"""Files that jobs read or have written, piece by piece: each is sealed, and goes when its job goes."""

from sqlalchemy import delete, insert, select
from sqlmodel import Session, col

from keystead.db.tables import Job, JobFile


def add(session: Session, job_id: str, number: int, sealed: bytes) -> None:
    """Store a piece, in the transaction that notes how far the job is."""
    session.connection().execute(insert(JobFile).values(job_id=job_id, number=number, sealed=sealed))


def arrive(session: Session, job_id: str, number: int, sealed: bytes) -> bool:
    """Store a piece of a file on its way; ``False`` where its job is over or gone, and nobody would ever forget it."""
    waiting = select(col(Job.id)).where(col(Job.id) == job_id, col(Job.status) == "pending")
    if session.connection().execute(waiting).first() is None:
        return False
    add(session, job_id, number, sealed)
    return True


def piece(session: Session, job_id: str, number: int) -> bytes | None:
    """Return a piece; ``None`` where there is none, or the job is gone."""
    statement = select(col(JobFile.sealed)).where(col(JobFile.job_id) == job_id, col(JobFile.number) == number)
    found: bytes | None = session.connection().execute(statement).scalar()
    return found


def forget(session: Session, job_id: str) -> None:
    """Delete the pieces of a job."""
    session.connection().execute(delete(JobFile).where(col(JobFile.job_id) == job_id))
