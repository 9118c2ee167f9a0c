"""Signing keys: of each algorithm one that signs, one that is to sign next, and those before them."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, update
from sqlmodel import Session, col

from keystead.db.tables import Setting, SigningKey
from keystead.rules.signing_keys import VERIFIES_FOR, KeyRecord

_FORGOTTEN: Final = b""
"""What is left of a private half that signs no more: nothing, so that no copy of the database can sign with it."""

_NAMES: Final = tuple(KeyRecord.__dataclass_fields__)
_COLUMNS: Final = tuple(getattr(SigningKey, name) for name in _NAMES)
_ORDER: Final = ("current", "next", "previous", "revoked")
_IS_GOOD: Final = col(SigningKey.revoked_at).is_(None)
_IS_NEXT: Final = (col(SigningKey.current_since).is_(None), _IS_GOOD)
_IS_CURRENT: Final = (col(SigningKey.current_since).is_not(None), col(SigningKey.current_until).is_(None), _IS_GOOD)


def add(session: Session, record: KeyRecord) -> None:
    """Store a key."""
    session.connection().execute(insert(SigningKey).values({name: getattr(record, name) for name in _NAMES}))


def add_current(session: Session, record: KeyRecord) -> bool:
    """Store a key that signs at once; ``False`` where its algorithm has one meanwhile."""
    take_turns(session)
    if any(each.state == "current" for each in known(session, record.algorithm)):
        return False
    add(session, record)
    return True


def add_next(session: Session, record: KeyRecord) -> bool:
    """Publish a key that is to sign next; ``False`` where its algorithm has one meanwhile."""
    take_turns(session)
    if any(each.state == "next" for each in known(session, record.algorithm)):
        return False
    add(session, record)
    return True


def take_turns(session: Session) -> None:
    """Wait for whoever else changes the set of keys; the row of the first start is what all of them lock.

    Changes are rare, and two at once would leave an algorithm with two keys that are to sign next.
    """
    session.connection().execute(select(col(Setting.name)).where(col(Setting.name) == "first_run").with_for_update())


def published(session: Session, now: datetime) -> list[KeyRecord]:
    """Return the keys that verify: those that sign first, then those that will, then the others, newest first."""
    recent = or_(col(SigningKey.current_until).is_(None), col(SigningKey.current_until) > now - VERIFIES_FOR)
    return _ordered(session, select(*_COLUMNS).where(_IS_GOOD, recent))


def known(session: Session, algorithm: str | None = None) -> list[KeyRecord]:
    """Return every key that has not been swept out, revoked ones last; of one algorithm, where given."""
    statement = select(*_COLUMNS)
    return _ordered(session, statement.where(col(SigningKey.algorithm) == algorithm) if algorithm else statement)


def get(session: Session, kid: str) -> KeyRecord | None:
    """Return a key."""
    row = session.connection().execute(select(*_COLUMNS).where(col(SigningKey.kid) == kid)).first()
    return KeyRecord(**row._mapping) if row else None


def retire(session: Session, kid: str, now: datetime) -> bool:
    """End the time in which a key signs, and forget its private half; ``False`` where it does not sign any more."""
    values = {"current_until": now, "sealed_private": _FORGOTTEN}
    statement = update(SigningKey).where(col(SigningKey.kid) == kid, *_IS_CURRENT).values(values)
    return session.connection().execute(statement).rowcount == 1


def promote(session: Session, algorithm: str, now: datetime) -> str | None:
    """Let the next key of an algorithm sign, and return its ``kid``; ``None`` where there is no next one."""
    statement = update(SigningKey).where(col(SigningKey.algorithm) == algorithm, *_IS_NEXT).values(current_since=now)
    return session.connection().execute(statement.returning(col(SigningKey.kid))).scalar()


def revoke(session: Session, kid: str, now: datetime) -> bool:
    """Let a key verify nothing from now on, and forget its private half; ``False`` where that was done before."""
    values = {"revoked_at": now, "sealed_private": _FORGOTTEN}
    statement = update(SigningKey).where(col(SigningKey.kid) == kid, _IS_GOOD).values(values)
    return session.connection().execute(statement).rowcount == 1


def replace(session: Session, record: KeyRecord) -> None:
    """Store a key's halves as they are now: sealed with another secret key, or with a certificate."""
    values = {"sealed_private": record.sealed_private, "public_jwk": record.public_jwk}
    was = col(SigningKey.sealed_private) != _FORGOTTEN  # else a key that was replaced meanwhile would sign again
    session.connection().execute(update(SigningKey).where(col(SigningKey.kid) == record.kid, was).values(values))


def sweep(session: Session, now: datetime) -> int:
    """Delete what verifies nothing any more; a revoked key stays as long, so that people see what it was."""
    end = now - VERIFIES_FOR
    old = or_(col(SigningKey.current_until) <= end, col(SigningKey.revoked_at) <= end)
    return session.connection().execute(delete(SigningKey).where(old)).rowcount


def _ordered(session: Session, statement: Any) -> list[KeyRecord]:
    rows = session.connection().execute(statement.order_by(col(SigningKey.created_at).desc(), col(SigningKey.kid)))
    found = [KeyRecord(**row._mapping) for row in rows]
    return sorted(found, key=lambda record: _ORDER.index(record.state))
