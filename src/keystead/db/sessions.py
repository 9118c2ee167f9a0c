"""Login sessions of browsers. One that was ended stays as a row for a while: tokens of it are refused by that."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import LoginSession, SessionClient
from keystead.rules.events import Caller
from keystead.secrecy import fingerprint

_AT_ONCE: Final = 1_000
"""How many sessions that are over are looked through in one transaction."""

_PROOFS: Final = 25
"""How many proofs a session lists: the latest."""

KEPT: Final = timedelta(days=30)
"""How long the row of an ended session stays: the longest life of an access token."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A login session that is still good."""

    id: str
    user_id: str
    methods: list[dict[str, str]]
    authenticated_at: datetime
    seen_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    persistent: bool = True


@dataclass(frozen=True, slots=True)
class SessionDetails:
    """A login session as administrators see it, and its owner."""

    id: str
    user_id: str
    methods: list[dict[str, str]]
    authenticated_at: datetime
    created_at: datetime
    seen_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
    last_ip: str
    last_user_agent: str
    persistent: bool
    about: dict[str, Any] | None
    client_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that was ended just now, and the clients that may want to know."""

    id: str
    user_id: str
    client_ids: tuple[str, ...]


_COLUMNS: Final = tuple(getattr(LoginSession, name) for name in SessionRecord.__dataclass_fields__)
_DETAILS: Final = tuple(
    getattr(LoginSession, name) for name in SessionDetails.__dataclass_fields__ if name != "client_ids"
)
_LIVE: Final = (
    col(LoginSession.ended_at).is_(None),
    col(LoginSession.expires_at) > bindparam("now"),
    col(LoginSession.idle_expires_at) > bindparam("now"),
)
_ANY: Final = select(*_COLUMNS, col(LoginSession.secret_hash)).where(
    col(LoginSession.id) == bindparam("id"), col(LoginSession.ended_at).is_(None)
)
_GET: Final = _ANY.where(*_LIVE)


def put(session: Session, record: SessionRecord, secret: str, caller: Caller) -> None:
    """Store a new session."""
    values: dict[str, Any] = {name: getattr(record, name) for name in SessionRecord.__dataclass_fields__}
    values |= {
        "secret_hash": fingerprint(secret),
        "created_at": record.authenticated_at,
        "ip": caller.address[:45],
        "user_agent": caller.user_agent[:300],
    }
    session.connection().execute(insert(LoginSession).values(values | _last_seen(caller)))


def renew(session: Session, record: SessionRecord, secret: str, caller: Caller) -> bool:
    """Give a session a new cookie value, after its owner proved themselves again; ``False`` where it has ended.

    The old value is dead from then on (V7.2.4). Methods are added to those before.
    """
    mine = (col(LoginSession.id) == record.id, col(LoginSession.ended_at).is_(None))
    before = session.connection().execute(select(col(LoginSession.methods)).where(*mine).with_for_update()).scalar()
    if before is None:
        return False
    values: dict[str, Any] = {name: getattr(record, name) for name in SessionRecord.__dataclass_fields__}
    values |= {"secret_hash": fingerprint(secret), "methods": [*before, *record.methods][-_PROOFS:]}
    session.connection().execute(update(LoginSession).where(*mine).values(values | _last_seen(caller)))
    return True


def get(session: Session, session_id: str, secret: str, now: datetime) -> SessionRecord | None:
    """Return the session whose cookie this is."""
    return _proved(session.connection().execute(_GET, {"id": session_id, "now": now}).first(), secret)


def not_ended(session: Session, session_id: str, secret: str) -> SessionRecord | None:
    """Return the session whose cookie this is, also where it is over and nobody has ended it."""
    return _proved(session.connection().execute(_ANY, {"id": session_id}).first(), secret)


def alive(session: Session, session_id: str, now: datetime) -> bool:
    """Whether a session is still good: neither over nor ended by a logout, a block or a reset."""
    return session.connection().execute(_GET, {"id": session_id, "now": now}).first() is not None


def touch(session: Session, session_id: str, now: datetime, idle_expires_at: datetime, caller: Caller | None) -> None:
    """Note that the session is in use, and from where, if that is known."""
    statement = update(LoginSession).where(col(LoginSession.id) == session_id, col(LoginSession.ended_at).is_(None))
    values = {"seen_at": now, "idle_expires_at": idle_expires_at} | (_last_seen(caller) if caller else {})
    session.connection().execute(statement.values(values))


def used_by(session: Session, session_id: str, client_id: str) -> None:
    """Note that a client was given a code out of a session."""
    statement = upsert(SessionClient).values(session_id=session_id, client_id=client_id).on_conflict_do_nothing()
    session.connection().execute(statement)


def end(session: Session, session_id: str, now: datetime) -> EndedSession | None:
    """End a session; ``None`` where there is none that has not ended."""
    return next(iter(_end(session, now, col(LoginSession.id) == session_id)), None)


def end_of_account(session: Session, user_id: str, now: datetime, *, but: str = "") -> list[EndedSession]:
    """End every session of an account, but one where it is named."""
    return _end(session, now, col(LoginSession.user_id) == user_id, col(LoginSession.id) != but)


def details(session: Session, session_id: str, now: datetime) -> SessionDetails | None:
    """Return a session that is still good."""
    statement = select(*_DETAILS).where(col(LoginSession.id) == session_id, *_LIVE)
    row = session.connection().execute(statement, {"now": now}).mappings().first()
    return _shown(session, [row])[0] if row else None


def of_account(
    session: Session, user_id: str, now: datetime, *, after: str = "", limit: int | None = None
) -> list[SessionDetails]:
    """Return the good sessions of an account, from behind a session id."""
    statement = select(*_DETAILS).where(col(LoginSession.user_id) == user_id, col(LoginSession.id) > after, *_LIVE)
    rows = session.connection().execute(statement.order_by(col(LoginSession.id)).limit(limit), {"now": now})
    return _shown(session, list(rows.mappings()))


def count(session: Session, user_id: str, now: datetime) -> int:
    """Return how many good sessions an account has."""
    statement = select(func.count(col(LoginSession.id))).where(col(LoginSession.user_id) == user_id, *_LIVE)
    return session.connection().execute(statement, {"now": now}).scalar_one()


def describe(session: Session, session_id: str, about: Mapping[str, Any] | None) -> None:
    """Replace an administrator's notes about a session."""
    statement = update(LoginSession).where(col(LoginSession.id) == session_id)
    session.connection().execute(statement.values(about=dict(about) if about else None))


def sweep_of(session: Session, client_ids: Sequence[str], now: datetime) -> list[EndedSession]:
    """Delete the sessions that are over and gave one of these clients a code; of many workers one gets each."""
    theirs = select(col(SessionClient.session_id)).where(col(SessionClient.client_id).in_(client_ids))
    idle, late = col(LoginSession.idle_expires_at) <= now, col(LoginSession.expires_at) <= now
    over = (col(LoginSession.ended_at).is_(None), or_(idle, late), col(LoginSession.id).in_(theirs))
    ids = list(session.connection().execute(select(col(LoginSession.id)).where(*over).limit(_AT_ONCE)).scalars())
    clients = _clients(session, ids)
    statement = delete(LoginSession).where(col(LoginSession.id).in_(ids), *over)
    rows = session.connection().execute(statement.returning(col(LoginSession.id), col(LoginSession.user_id)))
    return [EndedSession(row.id, row.user_id, clients.get(row.id, ())) for row in rows]


def sweep(session: Session, now: datetime) -> int:
    """Delete what is over, and what was ended so long ago that no token of it is left; return how many."""
    over = (col(LoginSession.ended_at).is_(None) & (col(LoginSession.expires_at) <= now)).self_group()
    statement = delete(LoginSession).where(or_(over, col(LoginSession.ended_at) <= now - KEPT))
    return session.connection().execute(statement).rowcount


def _proved(row: Row[*tuple[Any, ...]] | None, secret: str) -> SessionRecord | None:
    if row is None or not hmac.compare_digest(row.secret_hash, fingerprint(secret)):
        return None
    return SessionRecord(**{name: getattr(row, name) for name in SessionRecord.__dataclass_fields__})


def _end(session: Session, now: datetime, *which: ColumnElement[bool]) -> list[EndedSession]:
    statement = update(LoginSession).where(*which, col(LoginSession.ended_at).is_(None)).values(ended_at=now)
    columns = (col(LoginSession.id), col(LoginSession.user_id))
    rows = session.connection().execute(statement.returning(*columns)).all()
    clients = _clients(session, [row.id for row in rows])
    return [EndedSession(row.id, row.user_id, clients.get(row.id, ())) for row in rows]


def _clients(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    if not ids:
        return {}
    statement = select(col(SessionClient.session_id), col(SessionClient.client_id))
    found: dict[str, tuple[str, ...]] = {}
    for row in session.connection().execute(
        statement.where(col(SessionClient.session_id).in_(ids)).order_by(col(SessionClient.client_id))
    ):
        found[row.session_id] = (*found.get(row.session_id, ()), row.client_id)
    return found


def _shown(session: Session, rows: Sequence[Mapping[Any, Any]]) -> list[SessionDetails]:
    clients = _clients(session, [row["id"] for row in rows])
    return [SessionDetails(**row, client_ids=clients.get(row["id"], ())) for row in rows]


def _last_seen(caller: Caller) -> dict[str, str]:
    return {"last_ip": caller.address[:45], "last_user_agent": caller.user_agent[:300]}
