"""Refresh tokens and their families."""

from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, or_, select, update
from sqlmodel import Session, col

from keystead.db.tables import RefreshToken
from keystead.rules.tokens import RefreshRecord
from keystead.secrecy import fingerprint

PER_USER_AND_CLIENT: Final = 200
"""The oldest go when there are more (TK-4)."""


def put(
    session: Session, token: str, record: RefreshRecord, idle_expires_at: datetime | None, expires_at: datetime | None
) -> None:
    """Store a token under its hash, and let the oldest of the same person and client go."""
    who = (
        col(RefreshToken.user_id) == record.authority.user_id,
        col(RefreshToken.client_id) == record.authority.client_id,
        col(RefreshToken.rotated_at).is_(None),  # else one device that refreshes often would push out all others
    )
    kept = select(col(RefreshToken.id)).where(*who).order_by(col(RefreshToken.created_at).desc())
    old = list(session.connection().execute(kept.offset(PER_USER_AND_CLIENT - 1)).scalars())
    if old:
        session.connection().execute(delete(RefreshToken).where(col(RefreshToken.id).in_(old)))
    values = {
        "id": record.id,
        "token_hash": fingerprint(token),
        "family": record.family,
        "client_id": record.authority.client_id,
        "user_id": record.authority.user_id,
        "session_id": record.authority.session_id,
        "record": record.model_dump(mode="json", exclude={"rotated_at"}),
        "created_at": record.created_at,
        "idle_expires_at": idle_expires_at,
        "expires_at": expires_at,
    }
    session.connection().execute(insert(RefreshToken).values(values))


def find(session: Session, token: str, now: datetime) -> RefreshRecord | None:
    """Return a token that is still good, with its row locked; also one that was rotated, for its reuse to be seen."""
    statement = (
        select(col(RefreshToken.record), col(RefreshToken.rotated_at))
        .where(
            col(RefreshToken.token_hash) == fingerprint(token),
            or_(col(RefreshToken.expires_at).is_(None), col(RefreshToken.expires_at) > now),
            or_(col(RefreshToken.idle_expires_at).is_(None), col(RefreshToken.idle_expires_at) > now),
        )
        .with_for_update()
    )
    row = session.connection().execute(statement).first()
    return RefreshRecord.model_validate({**row.record, "rotated_at": row.rotated_at}) if row else None


def rotate(session: Session, token_id: str, now: datetime) -> bool:
    """Mark a token as replaced; ``False`` where somebody else did it first."""
    statement = update(RefreshToken).where(col(RefreshToken.id) == token_id, col(RefreshToken.rotated_at).is_(None))
    return session.connection().execute(statement.values(rotated_at=now)).rowcount == 1


def touch(session: Session, token_id: str, idle_expires_at: datetime | None) -> None:
    """Move the idle end of a token that does not rotate."""
    statement = update(RefreshToken).where(col(RefreshToken.id) == token_id)
    session.connection().execute(statement.values(idle_expires_at=idle_expires_at))


def end_family(session: Session, family: str) -> int:
    """Delete every token that one login gave; return how many."""
    return session.connection().execute(delete(RefreshToken).where(col(RefreshToken.family) == family)).rowcount


def end_of_account(session: Session, user_id: str) -> int:
    """Delete every token of an account; return how many."""
    return session.connection().execute(delete(RefreshToken).where(col(RefreshToken.user_id) == user_id)).rowcount


def sweep(session: Session, now: datetime) -> int:
    """Delete what is over; return how many."""
    over = or_(col(RefreshToken.expires_at) <= now, col(RefreshToken.idle_expires_at) <= now)
    return session.connection().execute(delete(RefreshToken).where(over)).rowcount
