"""Which connection does a client mean, and may it use it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlmodel import Session

from keystead.db import accounts, connections, tenant
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import ConnectionNotAllowed
from keystead.ports import UserStore

DEFAULT_DIRECTORY = "default_directory"
"""The tenant setting that names the connection of requests that name none (LG-1)."""

HOME_CLIENT = "home_client"
"""The tenant setting that names the client of the landing page."""

StoreFor = Callable[[ConnectionRecord], UserStore]
"""Gives the store that holds the people of a connection."""


class Door(NamedTuple):
    """By which client somebody comes to a page of ours, to which connection, and by what name, if that is known."""

    client_id: str
    connection: ConnectionRecord
    hint: str = ""


@dataclass(frozen=True)
class Directory:
    """Finds connections for clients. What is unknown, switched off or another client's looks the same."""

    db: Database

    async def by_realm(self, realm: str | None, client_id: str) -> ConnectionRecord:
        """Return the connection of a realm, or the default one. Raises ``ConnectionNotAllowed``."""
        return await self.db.read(_by_realm, realm, client_id)

    async def by_name(self, name: str, client_id: str) -> ConnectionRecord:
        """Return the connection with a name. Raises ``ConnectionNotAllowed``."""
        return await self.db.read(_by_name, name, client_id)

    async def for_login(self, name: str, client_id: str) -> ConnectionRecord:
        """Return the connection of a hosted login: the one that was named, the default, or the client's only one."""
        return await self.db.read(_for_login, name, client_id)

    async def by_id(self, connection_id: str, client_id: str) -> ConnectionRecord:
        """Return a connection as it is now. Raises ``ConnectionNotAllowed``."""
        return await self.db.read(_by_id, connection_id, client_id)

    async def home_client(self) -> str:
        """Return the client of the landing page."""
        return str(await self.db.read(tenant.get, HOME_CLIENT) or "")

    async def door_of(self, user_id: str = "") -> Door:
        """Return how to come to a page of ours; for an account that is known, by a client of its connection.

        Raises ``ConnectionNotAllowed``.
        """
        home = await self.home_client()
        if user_id:
            return await self.db.read(_door_of, user_id, home)
        return Door(home, await self.for_login("", home))


def _by_realm(session: Session, realm: str | None, client_id: str) -> ConnectionRecord:
    if realm is not None:
        return _allowed(session, connections.by_realm(session, realm), client_id)
    return _allowed(session, _default(session), client_id)


def _by_name(session: Session, name: str, client_id: str) -> ConnectionRecord:
    return _allowed(session, connections.by_name(session, name), client_id)


def _by_id(session: Session, connection_id: str, client_id: str) -> ConnectionRecord:
    return _allowed(session, connections.get(session, connection_id), client_id)


def _for_login(session: Session, name: str, client_id: str) -> ConnectionRecord:
    if name:
        return _by_name(session, name, client_id)
    usable = [each for each in connections.of_client(session, client_id) if each.active]
    default = _default(session)
    chosen = next((each for each in usable if default and each.id == default.id), usable[0] if usable else None)
    return _allowed(session, chosen, client_id)


def _door_of(session: Session, user_id: str, home: str) -> Door:
    """The landing page's client may not use every connection: then any client will do that may."""
    profile = accounts.by_id(session, user_id)
    connection = connections.get(session, profile.connection_id) if profile else None
    if profile is None or connection is None:
        raise ConnectionNotAllowed
    known = connections.clients_of(session, connection.id)
    client_id = home if home in known else next(iter(known), "")
    hint = profile.best_identifier(connection.policy().precedence)
    return Door(client_id, _allowed(session, connection, client_id), hint)


def _default(session: Session) -> ConnectionRecord | None:
    name = tenant.get(session, DEFAULT_DIRECTORY)
    return connections.by_name(session, name) if name else connections.first(session)


def _allowed(session: Session, connection: ConnectionRecord | None, client_id: str) -> ConnectionRecord:
    if connection is None or not connection.active or not connections.allows(session, connection.id, client_id):
        raise ConnectionNotAllowed
    return connection
