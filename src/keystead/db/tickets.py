"""One-time links: stored by hash, claimed by deletion; a newer one of a kind replaces the older."""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select
from sqlmodel import Session, col

from keystead.db.selection import of_people
from keystead.db.tables import Ticket
from keystead.rules.revocation import Whose
from keystead.secrecy import fingerprint


def put(
    session: Session, token: str, purpose: str, record: dict[str, Any], expires_at: datetime, *, subject: str = ""
) -> None:
    """Store a ticket under its hash. Older ones of the same purpose and subject stop working (RS-3).

    So does one of the same token, be it late: a token that names a page may serve that page again.
    """
    replaced = col(Ticket.token_hash) == fingerprint(token)
    if subject:
        replaced = or_(replaced, and_(col(Ticket.purpose) == purpose, col(Ticket.subject) == subject))
    session.connection().execute(delete(Ticket).where(replaced))
    values = {"token_hash": fingerprint(token), "purpose": purpose, "subject": subject, "record": record}
    session.connection().execute(insert(Ticket).values(**values, expires_at=expires_at))


def nobody(token: str) -> str:
    """Return the subject of a ticket that is about nobody, and is stored for the time that it takes."""
    return f"nobody|{fingerprint(token)[:24]}"


def look(session: Session, token: str, purpose: str, now: datetime) -> dict[str, Any] | None:
    """Return what a ticket is about, without using it; using it is ``take``."""
    found = session.connection().execute(select(col(Ticket.record)).where(*_this(token, purpose, now))).first()
    return dict(found.record) if found else None


def take(session: Session, token: str, purpose: str, now: datetime) -> dict[str, Any] | None:
    """Delete and return a ticket: of any number of concurrent uses, one gets it."""
    statement = delete(Ticket).where(*_this(token, purpose, now)).returning(col(Ticket.record))
    record: dict[str, Any] | None = session.connection().execute(statement).scalar()
    return record


def waits(session: Session, purpose: str, subject: str, now: datetime) -> bool:
    """Whether somebody has a ticket of a purpose that is good and was not used."""
    good = (col(Ticket.purpose) == purpose, col(Ticket.subject) == subject, col(Ticket.expires_at) > now)
    return session.connection().execute(select(col(Ticket.token_hash)).where(*good).limit(1)).first() is not None


def end(session: Session, whose: Whose) -> int:
    """Delete every ticket about these accounts; return how many."""
    return session.connection().execute(delete(Ticket).where(*of_people(col(Ticket.subject), whose))).rowcount


def sweep(session: Session, now: datetime) -> int:
    """Delete what nobody used in time; return how many."""
    return session.connection().execute(delete(Ticket).where(col(Ticket.expires_at) <= now)).rowcount


def _this(token: str, purpose: str, now: datetime) -> tuple[Any, ...]:
    return (col(Ticket.token_hash) == fingerprint(token), col(Ticket.purpose) == purpose, col(Ticket.expires_at) > now)
