"""Clients: what an application is, and the hash of its secret."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, delete, false, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Client
from keystead.rules.clients import ClientSettings, Mobile


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client as it is stored; of its secret only the hash is."""

    client_id: str
    secret_hash: str | None
    settings: ClientSettings
    is_system: bool
    created_at: datetime
    previous_secret_hash: str | None = None
    """Of the secret before the last one, for as long as that is still taken."""
    previous_secret_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientFilter:
    """Which clients a list is about."""

    is_first_party: bool | None = None
    app_types: tuple[str, ...] = ()


_COLUMNS: Final = tuple(getattr(Client, name) for name in ClientRecord.__dataclass_fields__)
_GET: Final = select(*_COLUMNS).where(col(Client.client_id) == bindparam("client_id"))


def create(session: Session, record: ClientRecord) -> None:
    """Insert a client."""
    session.connection().execute(insert(Client).values(_row(record)))


def get(session: Session, client_id: str, *, lock: bool = False) -> ClientRecord | None:
    """Return a client; locked, where what is read decides what is written."""
    statement = _GET.with_for_update() if lock else _GET
    row = session.connection().execute(statement, {"client_id": client_id}).first()
    return _record(row) if row else None


def known(session: Session, client_id: str, *, lock: bool = False) -> ClientRecord | None:
    """Return a client that administrators may know of: Keystead's own are nobody's to see, to name or to change."""
    found = get(session, client_id, lock=lock)
    return found if found and not found.is_system else None


def put_own(session: Session, record: ClientRecord) -> bool:
    """Insert a client of Keystead's own; ``False`` where it is there."""
    return session.connection().execute(upsert(Client).values(_row(record)).on_conflict_do_nothing()).rowcount == 1


def save(session: Session, client_id: str, settings: ClientSettings, secret_hash: str | None) -> None:
    """Replace a client's settings and the hash of its secret."""
    statement = update(Client).where(col(Client.client_id) == client_id)
    session.connection().execute(statement.values(settings=_stored(settings), secret_hash=secret_hash))


def origins(session: Session) -> frozenset[str]:
    """Return every origin that some client has pages on."""
    members = [col(Client.settings)[name] for name in ("web_origins", "allowed_origins")]
    rows = session.connection().execute(select(*members))
    return frozenset(origin for row in rows for listed in row for origin in listed or ())


def mobile_apps(session: Session) -> list[Mobile]:
    """Return the native apps of first-party clients: no other may run passkey ceremonies (PK-21)."""
    settings = col(Client.settings)
    first_party = func.coalesce(settings["is_first_party"].as_boolean(), true()) == true()
    named = select(settings["mobile"].label("mobile")).where(settings["mobile"].as_string().is_not(None), first_party)
    rows = session.connection().execute(named.order_by(col(Client.created_at), col(Client.client_id)))
    return [Mobile.model_validate(row.mobile) for row in rows]


def with_logout_settings(session: Session) -> list[tuple[str, ClientSettings]]:
    """Return the clients that said something about being told of logouts."""
    said = col(Client.settings)["oidc_logout"].as_string().is_not(None)
    rows = session.connection().execute(select(col(Client.client_id), col(Client.settings)).where(said))
    return [(row.client_id, ClientSettings.model_validate(row.settings)) for row in rows]


def rotate_secret(
    session: Session,
    client_id: str,
    secret_hash: str | None,
    previous: tuple[str | None, datetime | None] = (None, None),
) -> None:
    """Replace the hash of a client's secret, or forget it; ``previous`` is the one that lives on, and until when."""
    statement = update(Client).where(col(Client.client_id) == client_id)
    values = {"secret_hash": secret_hash, "previous_secret_hash": previous[0], "previous_secret_until": previous[1]}
    session.connection().execute(statement.values(values))


def remove(session: Session, client_id: str) -> bool:
    """Delete a client and all that it holds; ``False`` where there is none."""
    return session.connection().execute(delete(Client).where(col(Client.client_id) == client_id)).rowcount == 1


def page(session: Session, offset: int, limit: int, wanted: ClientFilter) -> list[ClientRecord]:
    """Return clients, oldest first."""
    statement = _filtered(select(*_COLUMNS), wanted).order_by(col(Client.created_at), col(Client.client_id))
    return [_record(row) for row in session.connection().execute(statement.offset(offset).limit(limit))]


def after(session: Session, last: str, limit: int, wanted: ClientFilter) -> list[ClientRecord]:
    """Return clients by id, from behind ``last``."""
    statement = _filtered(select(*_COLUMNS), wanted).where(col(Client.client_id) > last)
    return [
        _record(row) for row in session.connection().execute(statement.order_by(col(Client.client_id)).limit(limit))
    ]


def total(session: Session, wanted: ClientFilter) -> int:
    """Return how many clients ``page`` would find in all."""
    statement = _filtered(select(func.count(col(Client.client_id))), wanted)
    found: int = session.connection().execute(statement).scalar_one()
    return found


def _filtered(statement: Select[Any], wanted: ClientFilter) -> Select[Any]:
    """Settings are a document, in which what was never said is absent. Keystead's own clients are in no list."""
    settings, statement = col(Client.settings), statement.where(col(Client.is_system).is_(False))
    if wanted.is_first_party is not None:
        first_party = func.coalesce(settings["is_first_party"].as_boolean(), true())
        statement = statement.where(first_party == (true() if wanted.is_first_party else false()))
    if wanted.app_types:
        statement = statement.where(settings["app_type"].as_string().in_(wanted.app_types))
    return statement


def _row(record: ClientRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in ClientRecord.__dataclass_fields__}
    return values | {"settings": _stored(record.settings)}


def _stored(settings: ClientSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_unset=True)


def _record(row: Row[Any]) -> ClientRecord:
    values: dict[str, Any] = dict(row._mapping)
    return ClientRecord(**values | {"settings": ClientSettings.model_validate(row.settings)})
