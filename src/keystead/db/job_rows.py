"""What jobs found of rows of their files."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session, col

from keystead.db.tables import JobRow


def add(session: Session, job_id: str, found: Mapping[int, dict[str, Any]]) -> None:
    """Store what was found, by the number of the row, in the transaction that notes how far the job is."""
    if found:
        rows = [{"job_id": job_id, "number": number, "found": each} for number, each in found.items()]
        session.connection().execute(insert(JobRow), rows)


def first(session: Session, job_id: str, most: int) -> list[dict[str, Any]]:
    """Return what was found of the first rows that anything was found of."""
    statement = select(col(JobRow.found)).where(col(JobRow.job_id) == job_id).order_by(col(JobRow.number)).limit(most)
    return list(session.connection().execute(statement).scalars())
