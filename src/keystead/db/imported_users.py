"""Many accounts at a time: looked up, and written, in a few statements for all of them."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Table, func, insert, select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from keystead.db.accounts import PROFILE, Known, profile_of
from keystead.db.tables import Account, AccountIdentifier, Moment, Passkey
from keystead.rules.identifiers import Identifier, IdentifierKind

T = TypeVar("T")

_AT_ONCE: Final = 500
"""Values of one list in a statement."""
_MOST_PARAMETERS: Final = 32_000
"""Of one statement, where SQLite allows as many."""


class Clashed(Exception):
    """Somebody else was faster with one of many accounts."""


@dataclass
class Addition:
    """Rows to be inserted."""

    accounts: list[dict[str, Any]] = field(default_factory=list)
    identifiers: list[dict[str, Any]] = field(default_factory=list)
    passkeys: list[dict[str, Any]] = field(default_factory=list)


def holders(session: Session, connection_id: str, wanted: Collection[Identifier]) -> dict[Identifier, str]:
    """Return who keeps these from others."""
    found: dict[Identifier, str] = {}
    by_kind: dict[IdentifierKind, list[str]] = {}
    for each in wanted:
        by_kind.setdefault(each.kind, []).append(each.value)
    for kind, values in by_kind.items():
        for some in _parts(values):
            statement = select(col(AccountIdentifier.value), col(AccountIdentifier.user_id)).where(
                col(AccountIdentifier.connection_id) == connection_id,
                col(AccountIdentifier.kind) == kind,
                col(AccountIdentifier.value).in_(some),
            )
            rows = session.connection().execute(statement)
            found |= {Identifier(kind, row.value): row.user_id for row in rows}
    return found


def known(session: Session, user_ids: Collection[str], *, lock: bool) -> dict[str, Known]:
    """Return accounts by id; locked in one order for everybody, where what is read decides what is written."""
    found: dict[str, Known] = {}
    for some in _parts(sorted(user_ids)):
        statement = select(*PROFILE, col(Account.password_hash)).where(col(Account.user_id).in_(some))
        statement = statement.order_by(col(Account.user_id))
        rows = session.connection().execute(statement.with_for_update() if lock else statement)
        found |= {row.user_id: Known(profile_of(row), row.password_hash) for row in rows}
    return found


def handles(session: Session, wanted: Collection[bytes]) -> dict[bytes, str]:
    """Return whose these user handles are."""
    found: dict[bytes, str] = {}
    for some in _parts(list(wanted)):
        statement = select(col(Account.user_handle), col(Account.user_id)).where(col(Account.user_handle).in_(some))
        found |= {row.user_handle: row.user_id for row in session.connection().execute(statement)}
    return found


def credentials(session: Session, wanted: Collection[bytes]) -> dict[bytes, str]:
    """Return whose passkeys with these credential ids are."""
    found: dict[bytes, str] = {}
    for some in _parts(list(wanted)):
        columns = (col(Passkey.credential_id), col(Passkey.user_id))
        statement = select(*columns).where(col(Passkey.credential_id).in_(some))
        found |= {row.credential_id: row.user_id for row in session.connection().execute(statement)}
    return found


def passkey_counts(session: Session, user_ids: Collection[str]) -> dict[str, int]:
    """Return how many passkeys these accounts have: those that have any."""
    found: dict[str, int] = {}
    for some in _parts(list(user_ids)):
        statement = select(col(Passkey.user_id), func.count().label("passkeys")).where(col(Passkey.user_id).in_(some))
        rows = session.connection().execute(statement.group_by(col(Passkey.user_id)))
        found |= {row.user_id: row.passkeys for row in rows}
    return found


def add(session: Session, addition: Addition) -> None:
    """Insert accounts with all that is their own. Raises ``Clashed`` where somebody was first.

    Nothing of the transaction may be kept then. No savepoint stands for the whole transaction: behind one SQLite
    copies each page that it changes, which is most of them, for what hardly ever happens.
    Identifiers in one order for everybody, so that two imports do not wait for each other for ever.
    """
    ordered = sorted(addition.identifiers, key=lambda each: (each["kind"], each["value"]))
    try:
        for table, rows in ((Account, addition.accounts), (AccountIdentifier, ordered), (Passkey, addition.passkeys)):
            if rows:
                _insert(session, table.__table__, rows)  # type: ignore[union-attr]
    except IntegrityError:
        raise Clashed from None


def _insert(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns.

    On SQLite many in one statement: its driver takes Python's lock anew for each step of ``executemany``, and waits for
    whoever reads the next rows meanwhile.
    """
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        connection.execute(insert(table), rows)
        return
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    most = min(_MOST_PARAMETERS, driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))
    names = list(rows[0])
    columns = [_bound(table, name, [row[name] for row in rows], connection.dialect) for name in names]
    values = list(zip(*columns, strict=True))
    one = f"({', '.join('?' * len(names))})"
    for at in range(0, len(rows), most // len(names)):
        some = values[at : at + most // len(names)]
        listed = ", ".join([one] * len(some))
        text = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {listed}"  # noqa: S608 - names of ours
        connection.exec_driver_sql(text, tuple(chain.from_iterable(some)))


def _bound(table: Table, name: str, values: list[Any], dialect: Dialect) -> list[Any]:
    """Return values of a column as the driver takes them."""
    kind = table.c[name].type
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return values
    if isinstance(kind, Moment):  # mostly one and the same
        process = cache(process)
    return list(map(process, values))


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(values), _AT_ONCE):
        yield values[at : at + _AT_ONCE]
