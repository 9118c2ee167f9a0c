"""Connections, their realms, and the clients that may use them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db import decisions
from keystead.db.tables import Client, Connection, EnabledClient, Realm
from keystead.errors import NameTaken, NoSuchClient, RealmTaken
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.connections import read_options


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A connection as it is stored."""

    id: str
    name: str
    strategy: str
    display_name: str | None
    is_domain_connection: bool
    show_as_button: bool | None
    active: bool
    connected_accounts: dict[str, Any]
    about: dict[str, Any] | None
    options: dict[str, Any]
    for_administrators: bool
    created_at: datetime
    realms: tuple[str, ...] = ()

    def policy(self) -> ConnectionOptions:
        """Return the options as a value that rules understand."""
        return read_options(self.options)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which connections a list is about."""

    name: str | None = None
    strategies: tuple[str, ...] = ()
    client_id: str | None = None
    """Those that a client may use."""


_NAMES: Final = tuple(name for name in ConnectionRecord.__dataclass_fields__ if name != "realms")
_COLUMNS: Final = tuple(getattr(Connection, name) for name in _NAMES)

_RESERVED: Final = -1
"""The position of a realm that a connection holds without answering to it: its own name."""

# What every login asks, built once: building a statement costs as much as running it.
_GET: Final = select(*_COLUMNS).where(col(Connection.id) == bindparam("id"))
_BY_NAME: Final = select(*_COLUMNS).where(col(Connection.name) == bindparam("name"))
_BY_REALM: Final = (
    select(*_COLUMNS)
    .join(Realm, col(Realm.connection_id) == col(Connection.id))
    .where(col(Realm.name) == bindparam("name"), col(Realm.position) > _RESERVED)
)
_ALL_REALMS: Final = (
    select(col(Realm.connection_id), col(Realm.name))
    .where(col(Realm.position) > _RESERVED)
    .order_by(col(Realm.position))
)
_REALMS: Final = _ALL_REALMS.where(col(Realm.connection_id) == bindparam("id"))
_REALMS_OF_EACH: Final = _ALL_REALMS.where(col(Realm.connection_id).in_(bindparam("ids", expanding=True)))
_ALLOWS: Final = select(col(EnabledClient.client_id)).where(
    col(EnabledClient.connection_id) == bindparam("connection_id"),
    col(EnabledClient.client_id) == bindparam("client_id"),
)


def create(session: Session, record: ConnectionRecord) -> None:
    """Insert a connection and its realms.

    Raises ``NameTaken`` where another connection has the name, or answers to it, and ``RealmTaken`` where one of the
    realms is another's, or another's name.
    """
    values = {name: getattr(record, name) for name in _NAMES}
    if session.connection().execute(upsert(Connection).values(values).on_conflict_do_nothing()).rowcount != 1:
        raise NameTaken
    _add_realms(session, record.id, record.name, record.realms)


def save(session: Session, connection_id: str, values: Mapping[str, Any], realms: Sequence[str] | None) -> None:
    """Set columns of a connection, and its realms where they are given. Raises ``RealmTaken``."""
    if values:
        session.connection().execute(update(Connection).where(col(Connection.id) == connection_id).values(**values))
    if realms is not None:
        session.connection().execute(delete(Realm).where(col(Realm.connection_id) == connection_id))
        _add_realms(session, connection_id, names(session, [connection_id])[connection_id], realms)


def get(session: Session, connection_id: str, *, lock: bool = False) -> ConnectionRecord | None:
    """Return a connection; locked, where what is read decides what is written. New accounts need not wait for that."""
    return _first(session, _GET.with_for_update(key_share=True) if lock else _GET, id=connection_id)


def by_name(session: Session, name: str) -> ConnectionRecord | None:
    """Return the connection with that name."""
    return _first(session, _BY_NAME, name=name)


def by_realm(session: Session, realm: str) -> ConnectionRecord | None:
    """Return the connection that answers to a realm."""
    return _first(session, _BY_REALM, name=realm)


def first(session: Session) -> ConnectionRecord | None:
    """Return the oldest connection that is not the administrators' own: the default directory."""
    statement = select(*_COLUMNS).where(col(Connection.for_administrators).is_(False))
    return _first(session, statement.order_by(col(Connection.created_at), col(Connection.id)).limit(1))


def of_administrators(session: Session, *, lock: bool = False) -> ConnectionRecord | None:
    """Return the connection that administrators belong to; locked, where who they are decides what is written."""
    statement = select(*_COLUMNS).where(col(Connection.for_administrators).is_(True))
    return _first(session, statement.with_for_update(key_share=True) if lock else statement)


def page(
    session: Session, wanted: Wanted, *, after: str = "", offset: int = 0, limit: int = 50
) -> list[ConnectionRecord]:
    """Return connections by id, from behind ``after``; never the administrators' own."""
    statement = _filtered(select(*_COLUMNS), wanted)
    if after:
        statement = statement.where(col(Connection.id) > after)
    rows = session.connection().execute(statement.order_by(col(Connection.id)).offset(offset).limit(limit)).all()
    return _with_realms(session, rows)


def every(session: Session) -> list[ConnectionRecord]:
    """Return all connections, the administrators' own included."""
    return _with_realms(session, session.connection().execute(select(*_COLUMNS).order_by(col(Connection.id))).all())


def configured(session: Session) -> list[tuple[str, dict[str, Any]]]:
    """Return the options of the connections that have a ``configuration``, by id; locked, since they are changed."""
    said = col(Connection.options)["configuration"].as_string().is_not(None)
    statement = select(col(Connection.id), col(Connection.options)).where(said).with_for_update(key_share=True)
    rows = session.connection().execute(statement)
    return [(row.id, row.options) for row in rows]


def total(session: Session, wanted: Wanted) -> int:
    """Return how many connections ``page`` would find in all."""
    statement = _filtered(select(func.count(col(Connection.id))), wanted)
    found: int = session.connection().execute(statement).scalar_one()
    return found


def remove(session: Session, connection_id: str) -> bool:
    """Delete a connection and its accounts; ``False`` where there is none."""
    decisions.forget(session, decisions.about_connection(connection_id))
    return session.connection().execute(delete(Connection).where(col(Connection.id) == connection_id)).rowcount == 1


def allows(session: Session, connection_id: str, client_id: str) -> bool:
    """Whether a client may use a connection."""
    values = {"connection_id": connection_id, "client_id": client_id}
    return session.connection().execute(_ALLOWS, values).first() is not None


def clients_of(session: Session, connection_id: str, *, after: str = "", limit: int | None = None) -> list[str]:
    """Return the clients that may use a connection, by id, from behind ``after``."""
    statement = select(col(EnabledClient.client_id)).where(
        col(EnabledClient.connection_id) == connection_id, col(EnabledClient.client_id) > after
    )
    return list(session.connection().execute(statement.order_by(col(EnabledClient.client_id)).limit(limit)).scalars())


def clients_of_each(session: Session, connection_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the clients of several connections at once; connections without any are absent."""
    statement = select(col(EnabledClient.connection_id), col(EnabledClient.client_id)).where(
        col(EnabledClient.connection_id).in_(connection_ids)
    )
    found: dict[str, list[str]] = {}
    for connection_id, client_id in session.connection().execute(statement.order_by(col(EnabledClient.client_id))):
        found.setdefault(connection_id, []).append(client_id)
    return {connection_id: tuple(client_ids) for connection_id, client_ids in found.items()}


def names(session: Session, connection_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of connections, by id."""
    statement = select(col(Connection.id), col(Connection.name)).where(col(Connection.id).in_(set(connection_ids)))
    return {row.id: row.name for row in session.connection().execute(statement)}


def of_client(session: Session, client_id: str) -> list[ConnectionRecord]:
    """Return the connections that a client may use, oldest first."""
    statement = (
        select(*_COLUMNS)
        .join(EnabledClient, col(EnabledClient.connection_id) == col(Connection.id))
        .where(col(EnabledClient.client_id) == client_id)
        .order_by(col(Connection.created_at), col(Connection.id))
    )
    return _with_realms(session, session.connection().execute(statement).all())


def enable(session: Session, connection_id: str, client_ids: Iterable[str]) -> None:
    """Let clients use a connection. Raises ``NoSuchClient``.

    Keystead's own clients are there for the administrators' connection alone, and no other client is for that one.
    """
    of_ours = select(col(Connection.for_administrators)).where(col(Connection.id) == connection_id).scalar_subquery()
    for client_id in client_ids:
        # Locked against deletion: the reference below must not fail on a client that was there a moment ago.
        fitting = (col(Client.client_id) == client_id, col(Client.is_system) == of_ours)
        known = select(col(Client.client_id)).where(*fitting)
        if session.connection().execute(known.with_for_update(read=True, key_share=True)).first() is None:
            raise NoSuchClient
        values = {"connection_id": connection_id, "client_id": client_id}
        session.connection().execute(upsert(EnabledClient).values(values).on_conflict_do_nothing())


def enable_everywhere(session: Session, client_id: str, *, domain_only: bool) -> None:
    """Let a new client use every connection but the administrators' (CN-5), or every one that is open to all."""
    wanted = select(col(Connection.id), literal(client_id)).where(col(Connection.for_administrators).is_(False))
    if domain_only:
        wanted = wanted.where(col(Connection.is_domain_connection).is_(True))
    session.connection().execute(insert(EnabledClient).from_select(["connection_id", "client_id"], wanted))


def disable(session: Session, connection_id: str, client_ids: Iterable[str]) -> None:
    """Stop clients from using a connection."""
    session.connection().execute(
        delete(EnabledClient).where(
            col(EnabledClient.connection_id) == connection_id, col(EnabledClient.client_id).in_(list(client_ids))
        )
    )


def _add_realms(session: Session, connection_id: str, own: str, realms: Sequence[str]) -> None:
    positions = {own: _RESERVED} | {name: position for position, name in enumerate(realms)}
    for name, position in positions.items():
        values = {"name": name, "connection_id": connection_id, "position": position}
        if session.connection().execute(upsert(Realm).values(values).on_conflict_do_nothing()).rowcount != 1:
            raise NameTaken if name == own else RealmTaken


def _filtered(statement: Select[Any], wanted: Wanted) -> Select[Any]:
    statement = statement.where(col(Connection.for_administrators).is_(False))
    if wanted.name is not None:
        statement = statement.where(col(Connection.name) == wanted.name)
    if wanted.client_id is not None:
        allowed = select(col(EnabledClient.connection_id)).where(col(EnabledClient.client_id) == wanted.client_id)
        statement = statement.where(col(Connection.id).in_(allowed))
    return statement.where(col(Connection.strategy).in_(wanted.strategies)) if wanted.strategies else statement


def _first(session: Session, statement: Select[Any], **values: str) -> ConnectionRecord | None:
    row = session.connection().execute(statement, values).first()
    if row is None:
        return None
    realms = session.connection().execute(_REALMS, {"id": row.id})
    return _record(row, [name for _, name in realms])


def _with_realms(session: Session, rows: Sequence[Row[Any]]) -> list[ConnectionRecord]:
    if not rows:
        return []
    realms: dict[str, list[str]] = {}
    for connection_id, name in session.connection().execute(_REALMS_OF_EACH, {"ids": [row.id for row in rows]}):
        realms.setdefault(connection_id, []).append(name)
    return [_record(row, realms.get(row.id, ())) for row in rows]


def _record(row: Row[Any], realms: Sequence[str]) -> ConnectionRecord:
    return ConnectionRecord(**row._mapping, realms=tuple(realms))
