"""One-time links: stored by hash, claimed by deletion."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlmodel import Session, col

from keystead.db.tables import Ticket
from keystead.secrecy import fingerprint


def put(session: Session, token: str, purpose: str, record: dict[str, Any], expires_at: datetime) -> None:
    """Store a ticket under its hash."""
    values = {"token_hash": fingerprint(token), "purpose": purpose, "record": record, "expires_at": expires_at}
    session.connection().execute(insert(Ticket).values(values))


def valid(session: Session, token: str, purpose: str, now: datetime) -> bool:
    """Whether the ticket could be used now; using it is ``take``."""
    statement = select(col(Ticket.token_hash)).where(*_this(token, purpose, now))
    return session.connection().execute(statement).first() is not None


def take(session: Session, token: str, purpose: str, now: datetime) -> dict[str, Any] | None:
    """Delete and return a ticket: of any number of concurrent uses, one gets it."""
    statement = delete(Ticket).where(*_this(token, purpose, now)).returning(col(Ticket.record))
    record: dict[str, Any] | None = session.connection().execute(statement).scalar()
    return record


def _this(token: str, purpose: str, now: datetime) -> tuple[Any, ...]:
    return (col(Ticket.token_hash) == fingerprint(token), col(Ticket.purpose) == purpose, col(Ticket.expires_at) > now)


def sweep(session: Session, now: datetime) -> int:
    """Delete what nobody used in time; return how many."""
    return session.connection().execute(delete(Ticket).where(col(Ticket.expires_at) <= now)).rowcount
