"""Signing keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select
from sqlmodel import Session, col

from keystead.db.tables import SigningKey


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A signing key; the private half is sealed."""

    kid: str
    algorithm: str
    public_jwk: dict[str, Any]
    sealed_private: bytes
    created_at: datetime


_COLUMNS: Final = tuple(getattr(SigningKey, name) for name in KeyRecord.__dataclass_fields__)


def add(session: Session, record: KeyRecord) -> None:
    """Store a key."""
    values = {name: getattr(record, name) for name in KeyRecord.__dataclass_fields__}
    session.connection().execute(insert(SigningKey).values(values))


def good(session: Session) -> list[KeyRecord]:
    """Return the keys that are not revoked, newest first: the first signs, all verify."""
    statement = select(*_COLUMNS).where(col(SigningKey.revoked_at).is_(None))
    rows = session.connection().execute(statement.order_by(col(SigningKey.created_at).desc(), col(SigningKey.kid)))
    return [KeyRecord(**row._mapping) for row in rows]
