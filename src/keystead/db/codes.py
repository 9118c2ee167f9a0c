"""Authorization codes: used once, and remembered for a while so that a second use is seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlmodel import Session, col

from keystead.db.selection import of_tokens
from keystead.db.tables import AuthorizationCode
from keystead.rules.revocation import Whose
from keystead.rules.tokens import CodeRecord
from keystead.secrecy import fingerprint

_KEPT: Final = timedelta(hours=1)
_USE: Final = (
    update(AuthorizationCode)
    .where(
        col(AuthorizationCode.code_hash) == bindparam("code"),
        col(AuthorizationCode.used_at).is_(None),
        col(AuthorizationCode.expires_at) > bindparam("now"),
    )
    .values(used_at=bindparam("now"))
    .returning(col(AuthorizationCode.record))
)


@dataclass(frozen=True, slots=True)
class Replayed:
    """The code was used before: whatever it gave must end (RFC 9700 §4.5.3), if its own client says so."""

    family: str
    record: CodeRecord


def put(session: Session, code: str, record: CodeRecord, expires_at: datetime) -> None:
    """Store a code under its hash."""
    values = {
        "code_hash": fingerprint(code),
        "client_id": record.authority.client_id,
        "user_id": record.authority.user_id,
        "session_id": record.authority.session_id,
        "record": record.model_dump(mode="json"),
        "expires_at": expires_at,
    }
    session.connection().execute(insert(AuthorizationCode).values(values))


def use(session: Session, code: str, now: datetime) -> CodeRecord | Replayed | None:
    """Claim a code; of any number of concurrent exchanges one gets it. ``None`` where it is unknown or late."""
    hashed = fingerprint(code)
    record = session.connection().execute(_USE, {"code": hashed, "now": now}).scalar()
    if record is not None:
        return CodeRecord.model_validate(record)
    seen = select(col(AuthorizationCode.record)).where(
        col(AuthorizationCode.code_hash) == hashed, col(AuthorizationCode.used_at).is_not(None)
    )
    used = session.connection().execute(seen).scalar()
    return Replayed(hashed, CodeRecord.model_validate(used)) if used is not None else None


def end(session: Session, whose: Whose) -> int:
    """Delete codes that nobody used; return how many. A used one stays, so that a second use is still seen."""
    which = (col(AuthorizationCode.used_at).is_(None), *of_tokens(AuthorizationCode, whose))
    return session.connection().execute(delete(AuthorizationCode).where(*which)).rowcount


def sweep(session: Session, now: datetime) -> int:
    """Delete codes that are too old to matter; return how many."""
    statement = delete(AuthorizationCode).where(col(AuthorizationCode.expires_at) <= now - _KEPT)
    return session.connection().execute(statement).rowcount
