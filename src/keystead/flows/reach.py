"""What the Management API reaches: every connection and everybody, but the administrators' own.

Whoever may change connections and people must not make themselves an administrator that way.
"""

from sqlmodel import Session

from keystead.db import accounts, connections
from keystead.db.connections import ConnectionRecord
from keystead.errors import NoSuchConnection, NoSuchUser
from keystead.rules.profiles import Profile


def connection_at(session: Session, connection_id: str, *, lock: bool = False) -> ConnectionRecord | None:
    """Return a connection by its id."""
    return _within(connections.get(session, connection_id, lock=lock))


def connection_named(session: Session, name: str) -> ConnectionRecord | None:
    """Return a connection by its name."""
    return _within(connections.by_name(session, name))


def connection(session: Session, connection_id: str, *, lock: bool = False) -> ConnectionRecord:
    """Return a connection by its id. Raises ``NoSuchConnection``."""
    found = connection_at(session, connection_id, lock=lock)
    if found is None:
        raise NoSuchConnection
    return found


def person(session: Session, user_id: str, *, lock: bool = False) -> tuple[Profile, ConnectionRecord]:
    """Return an account and its connection. Raises ``NoSuchUser``."""
    profile = accounts.by_id(session, user_id, lock=lock)
    found = connection_at(session, profile.connection_id) if profile else None
    if profile is None or found is None:
        raise NoSuchUser
    return profile, found


def holds(session: Session, user_id: str) -> bool:
    """Whether an account is there, and within reach."""
    profile = accounts.by_id(session, user_id)
    return profile is not None and connection_at(session, profile.connection_id) is not None


def _within(found: ConnectionRecord | None) -> ConnectionRecord | None:
    return None if found is None or found.for_administrators else found
