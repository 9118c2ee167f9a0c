"""One unit of work: a plain function of a session, run whole, in one transaction, on a worker thread.

A plain function cannot await, so no transaction can be open while a hash, a script, a mail or a person is waited for.
SQLite has one writer thread and a few readers per process (``BEGIN IMMEDIATE``: a read that turns into a write after
another writer would fail at once, whatever the time-out); PostgreSQL has a bounded number of threads for both.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from threading import Timer
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError
from sqlmodel import Session

from keystead.db.threads import Held, Threads
from keystead.errors import DatabaseUnavailable, Unavailable
from keystead.ports import Telemetry
from keystead.rules.telemetry import SILENCE, UNIT

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Work = Callable[Concatenate[Session, Arguments], Result]

_BUSY_MS: Final = 10_000
_READERS: Final = 4
WRITER_CACHE_KIB: Final = 16_384
"""Of pages that SQLite keeps while it writes: with its own 2 MiB it writes out, and reads again, pages of the indexes
within one batch of an import."""
_NOT_OURS: Final = "42501"
"""PostgreSQL's code for a right that is missing."""
_CANCELLED: Final = "57014"
"""PostgreSQL's code for a statement that took too long."""


class Database:
    """Runs units of work. Make one per process, after the workers forked."""

    def __init__(self, url: str, *, pool: int = 8, telemetry: Telemetry = SILENCE) -> None:
        self._telemetry = telemetry
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = _sqlite(url, "BEGIN IMMEDIATE", f"cache_size=-{WRITER_CACHE_KIB}")
            self._reader = _sqlite(url, "BEGIN")
            self._writing = Threads(self._writer, 1, "db-write", telemetry)
            self._reading = Threads(self._reader, _READERS, "db-read", telemetry)
        else:
            self._writer = self._reader = _postgresql(url)
            self._writing = self._reading = Threads(self._writer, pool, "db", telemetry)

    async def read(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run ``work`` in a transaction that writes nothing. Raises ``DatabaseUnavailable``."""
        with self._telemetry.timed(UNIT, "read") as unit:
            unit.note("keystead.unit", _name(work))
            return await self._reading.run(lambda session: work(session, *args, **kwargs), "read")

    async def write(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run ``work`` in a transaction and commit it; whatever it raises rolls back. Raises ``DatabaseUnavailable``.

        ``work`` may run more than once, so it must have no effect outside its session.
        """
        with self._telemetry.timed(UNIT, "write") as unit:
            unit.note("keystead.unit", _name(work))
            return await self._writing.run(lambda session: work(session, *args, **kwargs), "write")

    def read_now(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """The same on this thread, for the command line and the first start."""
        with usable(), closing(Held(self._reader)) as held:
            return held.run(lambda session: work(session, *args, **kwargs))

    def read_once(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """The same on this thread, and never again: for what hands on what it reads while it reads it.

        Raises ``DatabaseUnavailable``.
        """
        with usable(), self._reader.connect() as connection, connection.begin(), Session(connection) as session:
            return work(session, *args, **kwargs)

    def write_now(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """The same on this thread, for the command line and the first start."""
        with usable(), closing(Held(self._writer)) as held:
            return held.run(lambda session: work(session, *args, **kwargs))

    def close(self) -> None:
        """End the threads, each of which closes its connection."""
        for threads in {self._writing, self._reading}:
            threads.close()

    @property
    def engine(self) -> Engine:
        """The engine that writes, for migrations."""
        return self._writer


@contextmanager
def usable() -> Iterator[None]:
    """Tell a database that cannot be used (gone, not a database, not ours to change) from a statement that is wrong.

    Raises ``DatabaseUnavailable`` for the one; lets the other pass.
    """
    try:
        yield
    except DBAPIError as error:
        is_ours = getattr(error.orig, "sqlstate", None) != _NOT_OURS
        if is_ours and not isinstance(error, OperationalError) and type(error) is not DatabaseError:
            raise
        raise DatabaseUnavailable(detail=str(error.orig)) from error


def _name(work: object) -> str:
    """Return what a unit of work is called in our code."""
    return str(getattr(work, "__qualname__", ""))


def _postgresql(url: str) -> Engine:
    # Who was first is told by how many rows an INSERT made, which psycopg's dialect keeps to itself unasked.
    options = {"preserve_rowcount": True}
    try:
        return create_engine(url, poolclass=NullPool, execution_options=options, hide_parameters=True)
    except ModuleNotFoundError:
        raise DatabaseUnavailable(detail="PostgreSQL needs the extra 'postgres'") from None
    except (ArgumentError, ValueError):  # what it says may hold a part of the password
        raise DatabaseUnavailable(detail="the URL cannot be read; / @ : in a password are %2F %40 %3A") from None


def _sqlite(url: str, begin: str, *pragmas: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=NullPool,
        connect_args={"timeout": _BUSY_MS / 1000, "isolation_level": None},
        hide_parameters=True,  # an error that reaches the log must not carry hashes and identifiers there
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves: the driver would begin deferred ones
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_MS}",
            "synchronous=NORMAL",
            *pragmas,
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        try:
            driver.execute(begin).close()  # through SQLAlchemy it would cost four times as much
        except sqlite3.OperationalError as error:
            raise OperationalError(begin, None, error) from error

    return engine


@contextmanager
def limited(session: Session, seconds: float) -> Iterator[None]:
    """End a statement that takes longer, and the transaction with it. Raises ``Unavailable``.

    PostgreSQL holds everything to it that the transaction does from here on.
    """
    connection = session.connection()
    try:
        if connection.dialect.name == "sqlite":
            with _interrupted(cast("sqlite3.Connection", connection.connection.driver_connection), seconds):
                yield
        else:
            connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
            yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _CANCELLED or str(error.orig) == "interrupted":
            raise Unavailable("The query took too long. Ask for less, or for what is indexed.") from error
        raise


@contextmanager
def _interrupted(driver: sqlite3.Connection, seconds: float) -> Iterator[None]:
    timer = Timer(seconds, driver.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # the next statement is somebody else's


def reachable(session: Session) -> bool:
    """Whether the database answers."""
    with suppress(OperationalError):
        return session.connection().execute(text("SELECT 1")).scalar() == 1
    return False
