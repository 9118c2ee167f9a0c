"""The whole database as it was at one moment, read row by row; and put into another one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Connection,
    Date,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import DataError
from sqlalchemy.sql.expression import column, table
from sqlalchemy.types import TypeEngine
from sqlmodel import AutoString, Session, SQLModel

from keystead.db.tables import Document, Moment
from keystead.errors import InvalidBackup
from keystead.rules.backups import LEFT_OUT, Kind, Row, Table

_AT_ONCE: Final = 500
"""How many rows are held at a time."""

_REVISION: Final = "alembic_version"
_READ: Final[dict[type[TypeEngine[Any]], Kind]] = {
    Moment: "moment",
    Date: "date",
    LargeBinary: "bytes",
    Boolean: "boolean",
    Integer: "integer",
    Float: "number",
    String: "text",
    AutoString: "text",
    JSON: "json",
}
_WRITTEN: Final[dict[Kind, Any]] = {
    "text": String(),
    "integer": BigInteger(),
    "number": Float(),
    "boolean": Boolean(),
    "bytes": LargeBinary(),
    "moment": Moment(),
    "date": Date(),
    "json": Document,
}


def tables(session: Session) -> Iterator[tuple[Table, Iterator[Row]]]:
    """Give every table that a backup holds, each behind those that it refers to, with its rows.

    All are as they were at one moment, whatever is written meanwhile, and nobody waits: SQLite's readers look at what
    was there when they began, and PostgreSQL is told to do the same.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    for found in SQLModel.metadata.sorted_tables:
        if found.name not in LEFT_OUT:
            columns = tuple((each.name, _kind(each.type)) for each in found.columns)
            yield Table(found.name, columns), _rows(connection, found)


def is_empty(connection: Connection) -> bool:
    """Whether nothing of ours is there."""
    return not _ours(connection)


def drop(connection: Connection) -> None:
    """Drop all that is ours, as a part of a transaction."""
    there = MetaData()
    there.reflect(connection, only=_ours(connection))
    there.drop_all(connection, checkfirst=False)


def load(connection: Connection, into: Table, rows: Iterable[Row]) -> None:
    """Put rows into a table, as a part of a transaction. Raises ``InvalidBackup`` where the database refuses one."""
    kinds = [column(name, _WRITTEN[kind]) for name, kind in into.columns]
    statement, names = insert(table(into.name, *kinds)), [name for name, _ in into.columns]
    rows = iter(rows)
    while batch := [dict(zip(names, row, strict=True)) for row in islice(rows, _AT_ONCE)]:
        try:
            connection.execute(statement, batch)
        except DataError:  # what it says may hold a part of the row
            raise InvalidBackup(f"the database does not take a row of {into.name}") from None
    if connection.dialect.name == "postgresql":
        _count_on(connection, into)


def _count_on(connection: Connection, into: Table) -> None:
    """Have PostgreSQL number new rows behind those that came with a number; SQLite does by itself."""
    for name, kind in into.columns:
        named = {"table": into.name, "column": name}
        sequence = (
            kind == "integer"
            and connection.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), named).scalar()
        )
        if sequence:
            highest = connection.execute(select(func.max(column(name))).select_from(table(into.name))).scalar()
            connection.execute(select(func.setval(sequence, highest or 1, highest is not None)))


def _rows(connection: Connection, found: SqlTable) -> Iterator[Row]:
    statement = select(found).order_by(*found.primary_key).execution_options(yield_per=_AT_ONCE)
    yield from connection.execute(statement)


def _kind(type: TypeEngine[Any]) -> Kind:
    return next(kind for each, kind in _READ.items() if isinstance(type, each))


def _ours(connection: Connection) -> Sequence[str]:
    known = {*SQLModel.metadata.tables, _REVISION}
    return [name for name in inspect(connection).get_table_names() if name in known]
