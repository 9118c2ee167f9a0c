"""Login sessions of browsers."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlmodel import Session, col

from keystead.db.tables import LoginSession
from keystead.rules.events import Caller
from keystead.secrecy import fingerprint


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A login session that is still good."""

    id: str
    user_id: str
    methods: list[dict[str, str]]
    authenticated_at: datetime
    seen_at: datetime
    expires_at: datetime


_COLUMNS: Final = tuple(getattr(LoginSession, name) for name in SessionRecord.__dataclass_fields__)
_GET: Final = select(*_COLUMNS, col(LoginSession.secret_hash)).where(
    col(LoginSession.id) == bindparam("id"),
    col(LoginSession.expires_at) > bindparam("now"),
    col(LoginSession.idle_expires_at) > bindparam("now"),
)


def put(session: Session, record: SessionRecord, secret: str, idle_expires_at: datetime, caller: Caller) -> None:
    """Store a new session."""
    values: dict[str, Any] = {name: getattr(record, name) for name in SessionRecord.__dataclass_fields__}
    values |= {
        "secret_hash": fingerprint(secret),
        "created_at": record.authenticated_at,
        "idle_expires_at": idle_expires_at,
        "ip": caller.address[:45],
        "user_agent": caller.user_agent[:300],
    }
    session.connection().execute(insert(LoginSession).values(values))


def get(session: Session, session_id: str, secret: str, now: datetime) -> SessionRecord | None:
    """Return the session whose cookie this is."""
    row = session.connection().execute(_GET, {"id": session_id, "now": now}).first()
    if row is None or not hmac.compare_digest(row.secret_hash, fingerprint(secret)):
        return None
    return SessionRecord(**{name: getattr(row, name) for name in SessionRecord.__dataclass_fields__})


def alive(session: Session, session_id: str, now: datetime) -> bool:
    """Whether a session is still good: neither over nor ended by a logout, a block or a reset."""
    return session.connection().execute(_GET, {"id": session_id, "now": now}).first() is not None


def touch(session: Session, session_id: str, now: datetime, idle_expires_at: datetime) -> None:
    """Note that the session is in use."""
    statement = update(LoginSession).where(col(LoginSession.id) == session_id)
    session.connection().execute(statement.values(seen_at=now, idle_expires_at=idle_expires_at))


def end(session: Session, session_id: str) -> bool:
    """Delete a session; ``False`` where there is none."""
    return session.connection().execute(delete(LoginSession).where(col(LoginSession.id) == session_id)).rowcount == 1


def end_of_account(session: Session, user_id: str) -> int:
    """Delete every session of an account; return how many."""
    return session.connection().execute(delete(LoginSession).where(col(LoginSession.user_id) == user_id)).rowcount


def sweep(session: Session, now: datetime) -> int:
    """Delete what is over; return how many."""
    return session.connection().execute(delete(LoginSession).where(col(LoginSession.expires_at) <= now)).rowcount
