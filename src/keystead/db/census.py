"""Everybody of a connection with all that they could log in with, read as a stream: few are held at a time.

Whoever decides by what is counted here holds still what is counted; whoever gives or takes a way in by what options
say waits for them. One lock for both, so that there are not two to wait for each other.
"""

from collections.abc import Generator, Iterator
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Executable, Row, Select, TextClause, bindparam, exists, func, select, text
from sqlmodel import Session, col

from keystead.db.tables import Account, Passkey
from keystead.rules.identifiers import KINDS, IdentifierKind
from keystead.rules.passkey_policy import Credential
from keystead.rules.passkey_preview import Held, Person

_AT_ONCE: Final = 500
"""How many rows come from the database at a time."""

_OWNED: Final = (
    col(Account.password_hash).is_not(None).label("has_password"),
    *(getattr(Account, kind).is_not(None).label(kind) for kind in KINDS),
)
_JUDGED: Final = tuple(name for name in Credential.__dataclass_fields__ if name != "transports")
_PASSKEYS: Final = (col(Passkey.id), col(Passkey.backed_up), col(Passkey.transports))
_ROWS: Final[Select[Any]] = (
    select(col(Account.user_id), *_OWNED, *_PASSKEYS, *(getattr(Passkey, name) for name in _JUDGED))
    .where(col(Account.connection_id) == bindparam("connection_id"))
    .order_by(col(Account.user_id))
    .execution_options(yield_per=_AT_ONCE)
)
_WITH_PASSKEYS: Final = _ROWS.join(Passkey, col(Passkey.user_id) == col(Account.user_id))
_BEHIND: Final = _ROWS.outerjoin(Passkey, col(Passkey.user_id) == col(Account.user_id)).where(
    col(Account.user_id) > bindparam("last")
)
_WITHOUT_PASSKEYS: Final = (
    select(*_OWNED, func.count().label("alike"))
    .where(
        col(Account.connection_id) == bindparam("connection_id"),
        ~exists().where(col(Passkey.user_id) == col(Account.user_id)),
    )
    .group_by(*_OWNED)
)
_ONE_MOMENT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
_HOLD: Final = text("LOCK TABLE passkey IN SHARE ROW EXCLUSIVE MODE")
_JOIN: Final = text("LOCK TABLE passkey IN ROW EXCLUSIVE MODE")


def everybody(session: Session, connection_id: str) -> Iterator[Person]:
    """Give everybody: each who has a passkey, and one for all those without who are alike."""
    yield from _people(session, _WITH_PASSKEYS, connection_id=connection_id)
    for row in session.connection().execute(_WITHOUT_PASSKEYS, {"connection_id": connection_id}):
        yield Person("", row.has_password, _identifiers(row), alike=row.alike)


def behind(session: Session, connection_id: str, last: str) -> Generator[Person, None, None]:
    """Give everybody by id, each alone, from behind an id."""
    return _people(session, _BEHIND, connection_id=connection_id, last=last)


def at_one_moment(session: Session) -> None:
    """See everything as it is now, however long the unit of work reads. Nothing may have been read before."""
    _on_postgresql(session, _ONE_MOMENT)


def hold(session: Session) -> None:
    """Let nobody gain or lose a passkey until the unit of work is over, and nobody else hold them.

    What decides who gets in is read afterwards: two changes that each leave everybody a way in may leave none together.
    """
    _on_postgresql(session, _HOLD)


def join(session: Session) -> None:
    """Wait for whoever holds passkeys still, and keep from it whoever would, until the unit of work is over.

    Whoever reads options of a connection afterwards, and gives somebody a way in by them, can be sure of both.
    """
    _on_postgresql(session, _JOIN)


def _on_postgresql(session: Session, statement: TextClause) -> None:
    """SQLite has one writer at a time, and shows each reader one moment."""
    if session.connection().dialect.name == "postgresql":
        session.connection().execute(statement)


def _people(session: Session, statement: Executable, **values: str) -> Generator[Person, None, None]:
    with session.connection().execute(statement, values) as rows:
        for _, own in groupby(rows, key=lambda row: row.user_id):
            yield _person(list(own))


def _person(rows: list[Row[Any]]) -> Person:
    first = rows[0]
    held = tuple(_held(row) for row in rows if row.id is not None)
    return Person(first.user_id, first.has_password, _identifiers(first), held)


def _held(row: Row[Any]) -> Held:
    judged = {name: getattr(row, name) for name in _JUDGED}
    return Held(row.id, row.backed_up, Credential(transports=tuple(row.transports), **judged))


def _identifiers(row: Any) -> frozenset[IdentifierKind]:
    return frozenset(kind for kind in KINDS if getattr(row, kind))
