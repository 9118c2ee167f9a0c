"""What people allowed clients to do on their behalf: the scopes of one audience each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, insert, select, update
from sqlmodel import Session, col

from keystead.db.tables import Account, Connection, Consent


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A person's consent."""

    id: str
    user_id: str
    client_id: str
    audience: str
    scope: tuple[str, ...]
    created_at: datetime


_COLUMNS: Final = tuple(getattr(Consent, name) for name in ConsentRecord.__dataclass_fields__)
_SCOPE: Final = select(col(Consent.scope)).where(
    col(Consent.user_id) == bindparam("user_id"),
    col(Consent.client_id) == bindparam("client_id"),
    col(Consent.audience) == bindparam("audience"),
)


def granted(session: Session, user_id: str, client_id: str, audience: str) -> frozenset[str] | None:
    """Return the scopes that a person allowed a client for an audience; ``None`` where they never said yes."""
    values = {"user_id": user_id, "client_id": client_id, "audience": audience}
    found = session.connection().execute(_SCOPE, values).scalar()
    return None if found is None else frozenset(found)


def add(session: Session, record: ConsentRecord) -> None:
    """Store a consent; where there is one already, its scopes are added to it. The account must be locked."""
    before = granted(session, record.user_id, record.client_id, record.audience)
    if before is None:
        values = {name: getattr(record, name) for name in _FIELDS} | {"scope": list(record.scope)}
        session.connection().execute(insert(Consent).values(values))
        return
    theirs = (col(getattr(Consent, name)) == getattr(record, name) for name in ("user_id", "client_id", "audience"))
    session.connection().execute(update(Consent).where(*theirs).values(scope=sorted({*before, *record.scope})))


def of_account(session: Session, user_id: str) -> list[ConsentRecord]:
    """Return what a person consented to, the newest first."""
    return _found(session, _ALL.where(col(Consent.user_id) == user_id))


@dataclass(frozen=True, slots=True)
class ConsentFilter:
    """Which consents a list is about; what is empty does not matter. Those of administrators are in none."""

    user_id: str = ""
    client_id: str = ""
    audience: str = ""


def page(session: Session, offset: int, limit: int, wanted: ConsentFilter) -> list[ConsentRecord]:
    """Return consents, the newest first."""
    return _found(session, _ALL.where(*_conditions(wanted)).offset(offset).limit(limit))


def total(session: Session, wanted: ConsentFilter) -> int:
    """Return how many consents ``page`` would find in all."""
    statement = select(func.count(col(Consent.id))).where(*_conditions(wanted))
    return session.connection().execute(statement).scalar_one()


def _conditions(wanted: ConsentFilter) -> list[ColumnElement[bool]]:
    given = {name: getattr(wanted, name) for name in ConsentFilter.__dataclass_fields__ if getattr(wanted, name)}
    return [_OF_PEOPLE, *(col(getattr(Consent, name)) == value for name, value in given.items())]


def get(session: Session, consent_id: str) -> ConsentRecord | None:
    """Return one consent."""
    return next(iter(_found(session, _ALL.where(col(Consent.id) == consent_id))), None)


def remove(session: Session, consent_id: str) -> bool:
    """Delete a consent; ``False`` where there is none."""
    return session.connection().execute(delete(Consent).where(col(Consent.id) == consent_id)).rowcount == 1


def remove_of(session: Session, user_id: str, client_id: str) -> int:
    """Delete what a person allowed one client; return how many consents it was."""
    theirs = (col(Consent.user_id) == user_id, col(Consent.client_id) == client_id)
    return session.connection().execute(delete(Consent).where(*theirs)).rowcount


_FIELDS: Final = tuple(ConsentRecord.__dataclass_fields__)
_OF_PEOPLE: Final = col(Consent.user_id).in_(
    select(col(Account.user_id))
    .join(Connection, col(Connection.id) == col(Account.connection_id))
    .where(col(Connection.for_administrators).is_(False))
)
_ALL: Final = select(*_COLUMNS).order_by(col(Consent.created_at).desc(), col(Consent.id))


def _found(session: Session, statement: Select[*tuple[Any, ...]]) -> list[ConsentRecord]:
    rows = session.connection().execute(statement)
    return [ConsentRecord(**{**row._mapping, "scope": tuple(row.scope)}) for row in rows]
