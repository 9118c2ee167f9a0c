"""Clients, the APIs they ask for, and what they were granted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, delete, false, func, insert, select, true, update
from sqlmodel import Session, col

from keystead.db.tables import Api, Client, ClientGrant
from keystead.rules.clients import ClientSettings


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client as it is stored; of its secret only the hash is."""

    client_id: str
    secret_hash: str | None
    settings: ClientSettings
    is_system: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiRecord:
    """An API. Ours have an identifier that begins with ``/``, so that they move with the public URL."""

    id: str
    identifier: str
    name: str
    scopes: tuple[str, ...]
    token_lifetime: int
    allow_offline_access: bool
    is_system: bool


@dataclass(frozen=True, slots=True)
class ClientFilter:
    """Which clients a list is about."""

    is_first_party: bool | None = None
    app_types: tuple[str, ...] = ()


_COLUMNS: Final = tuple(getattr(Client, name) for name in ClientRecord.__dataclass_fields__)
_GET: Final = select(*_COLUMNS).where(col(Client.client_id) == bindparam("client_id"))
_API_COLUMNS: Final = tuple(getattr(Api, name) for name in ApiRecord.__dataclass_fields__)
_API: Final = select(*_API_COLUMNS).where(col(Api.identifier) == bindparam("identifier"))


_GRANTED_FOR: Final = (
    select(col(ClientGrant.scope))
    .join(Api, col(Api.id) == col(ClientGrant.api_id))
    .where(col(ClientGrant.client_id) == bindparam("client_id"), col(Api.identifier) == bindparam("identifier"))
)


def create(session: Session, record: ClientRecord) -> None:
    """Insert a client."""
    values = {name: getattr(record, name) for name in ClientRecord.__dataclass_fields__}
    values["settings"] = _stored(record.settings)
    session.connection().execute(insert(Client).values(values))


def get(session: Session, client_id: str, *, lock: bool = False) -> ClientRecord | None:
    """Return a client; locked, where what is read decides what is written."""
    statement = _GET.with_for_update() if lock else _GET
    row = session.connection().execute(statement, {"client_id": client_id}).first()
    return _record(row) if row else None


def save(session: Session, client_id: str, settings: ClientSettings, secret_hash: str | None) -> None:
    """Replace a client's settings and the hash of its secret."""
    statement = update(Client).where(col(Client.client_id) == client_id)
    session.connection().execute(statement.values(settings=_stored(settings), secret_hash=secret_hash))


def remove(session: Session, client_id: str) -> bool:
    """Delete a client and all that it holds; ``False`` where there is none."""
    return session.connection().execute(delete(Client).where(col(Client.client_id) == client_id)).rowcount == 1


def page(session: Session, offset: int, limit: int, wanted: ClientFilter) -> list[ClientRecord]:
    """Return clients, oldest first."""
    statement = _filtered(select(*_COLUMNS), wanted).order_by(col(Client.created_at), col(Client.client_id))
    return [_record(row) for row in session.connection().execute(statement.offset(offset).limit(limit))]


def total(session: Session, wanted: ClientFilter) -> int:
    """Return how many clients ``page`` would find in all."""
    statement = _filtered(select(func.count(col(Client.client_id))), wanted)
    found: int = session.connection().execute(statement).scalar_one()
    return found


def create_api(session: Session, record: ApiRecord, now: datetime) -> None:
    """Insert an API."""
    values = {name: getattr(record, name) for name in ApiRecord.__dataclass_fields__} | {"created_at": now}
    values["scopes"] = [{"value": scope} for scope in record.scopes]
    values["settings"] = {}
    session.connection().execute(insert(Api).values(values))


def api(session: Session, identifier: str) -> ApiRecord | None:
    """Return the API with that identifier."""
    row = session.connection().execute(_API, {"identifier": identifier}).first()
    if row is None:
        return None
    values: dict[str, Any] = dict(row._mapping)
    return ApiRecord(**values | {"scopes": tuple(scope["value"] for scope in row.scopes)})


def grant(session: Session, grant_id: str, client_id: str, api_id: str, scope: tuple[str, ...]) -> None:
    """Allow a client to get tokens for an API in its own name."""
    values = {"id": grant_id, "client_id": client_id, "api_id": api_id, "scope": list(scope)}
    session.connection().execute(insert(ClientGrant).values(values))


def granted(session: Session, client_id: str, api_id: str) -> tuple[str, ...] | None:
    """Return the scopes that a client was granted for an API; ``None`` where it was granted nothing."""
    statement = select(col(ClientGrant.scope)).where(
        col(ClientGrant.client_id) == client_id, col(ClientGrant.api_id) == api_id
    )
    found = session.connection().execute(statement).scalar()
    return tuple(found) if found is not None else None


def _filtered(statement: Select[Any], wanted: ClientFilter) -> Select[Any]:
    """Settings are a document, in which what was never said is absent."""
    settings = col(Client.settings)
    if wanted.is_first_party is not None:
        first_party = func.coalesce(settings["is_first_party"].as_boolean(), true())
        statement = statement.where(first_party == (true() if wanted.is_first_party else false()))
    if wanted.app_types:
        statement = statement.where(settings["app_type"].as_string().in_(wanted.app_types))
    return statement


def granted_for(session: Session, client_id: str, identifier: str) -> tuple[str, ...] | None:
    """Return the scopes that a client holds for the API with that identifier; ``None`` where either is gone."""
    found = session.connection().execute(_GRANTED_FOR, {"client_id": client_id, "identifier": identifier}).scalar()
    return tuple(found) if found is not None else None


def _stored(settings: ClientSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_unset=True)


def _record(row: Row[Any]) -> ClientRecord:
    values: dict[str, Any] = dict(row._mapping)
    return ClientRecord(**values | {"settings": ClientSettings.model_validate(row.settings)})
