"""Client grants: which client may ask for which scopes of an API."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Api, ClientGrant
from keystead.rules.client_grants import Granted


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A client grant, with the identifier of its API as it is stored."""

    id: str
    client_id: str
    api_id: str
    identifier: str
    subject_type: str
    granted: Granted
    is_system: bool
    """Whether its API is Keystead's own."""


@dataclass(frozen=True, slots=True)
class GrantFilter:
    """Which grants a list is about; ``identifier`` is the API's as it is stored."""

    client_id: str | None = None
    identifier: str | None = None
    subject_type: str | None = None


_GRANT: Final = (
    *(col(ClientGrant.id), col(ClientGrant.client_id), col(ClientGrant.api_id), col(ClientGrant.subject_type)),
    *(col(ClientGrant.scope), col(ClientGrant.allow_all_scopes), col(Api.identifier), col(Api.is_system)),
)
_ALL: Final = select(*_GRANT).join(Api, col(Api.id) == col(ClientGrant.api_id))


def create(session: Session, record: GrantRecord) -> bool:
    """Insert a grant; ``False`` where the client has one of the kind for the API."""
    values = {
        "id": record.id,
        "client_id": record.client_id,
        "api_id": record.api_id,
        "subject_type": record.subject_type,
        **_scope(record.granted),
    }
    return session.connection().execute(upsert(ClientGrant).values(values).on_conflict_do_nothing()).rowcount == 1


def get(session: Session, grant_id: str, *, lock: bool = False) -> GrantRecord | None:
    """Return a grant; locked, where what is read decides what is written."""
    statement = _ALL.where(col(ClientGrant.id) == grant_id)
    row = session.connection().execute(statement.with_for_update(of=ClientGrant) if lock else statement).first()
    return _record(row) if row else None


def save(session: Session, grant_id: str, granted: Granted) -> None:
    """Replace what a grant gives."""
    session.connection().execute(update(ClientGrant).where(col(ClientGrant.id) == grant_id).values(_scope(granted)))


def remove(session: Session, grant_id: str) -> bool:
    """Delete a grant; ``False`` where there is none."""
    return session.connection().execute(delete(ClientGrant).where(col(ClientGrant.id) == grant_id)).rowcount == 1


def page(session: Session, offset: int, limit: int, wanted: GrantFilter) -> list[GrantRecord]:
    """Return grants by id."""
    return _found(session, offset, limit, _conditions(wanted))


def after(session: Session, last: str, limit: int, wanted: GrantFilter) -> list[GrantRecord]:
    """Return the grants whose id comes after ``last``."""
    return _found(session, 0, limit, [*_conditions(wanted), col(ClientGrant.id) > last])


def total(session: Session, wanted: GrantFilter) -> int:
    """Return how many grants ``page`` would find in all."""
    joined = select(func.count()).select_from(ClientGrant).join(Api, col(Api.id) == col(ClientGrant.api_id))
    found: int = session.connection().execute(joined.where(*_conditions(wanted))).scalar_one()
    return found


def _found(session: Session, offset: int, limit: int, conditions: list[ColumnElement[bool]]) -> list[GrantRecord]:
    statement = _ALL.where(*conditions).order_by(col(ClientGrant.id)).offset(offset).limit(limit)
    return [_record(row) for row in session.connection().execute(statement)]


def _conditions(wanted: GrantFilter) -> list[ColumnElement[bool]]:
    asked = (
        (col(ClientGrant.client_id), wanted.client_id),
        (col(Api.identifier), wanted.identifier),
        (col(ClientGrant.subject_type), wanted.subject_type),
    )
    return [column == value for column, value in asked if value is not None]


def _scope(granted: Granted) -> dict[str, Any]:
    return {"scope": list(granted.scope), "allow_all_scopes": granted.all_scopes}


def _record(row: Row[*tuple[Any, ...]]) -> GrantRecord:
    return GrantRecord(
        id=row.id,
        client_id=row.client_id,
        api_id=row.api_id,
        identifier=row.identifier,
        subject_type=row.subject_type,
        granted=Granted(tuple(row.scope), row.allow_all_scopes),
        is_system=row.is_system,
    )
