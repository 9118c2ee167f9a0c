"""One unit of work: a plain function of a session, run whole, in one transaction, on a worker thread.

A plain function cannot await, so no transaction can be open while a hash, a script, a mail or a person is waited for.
SQLite has one writer thread and a few readers per process (``BEGIN IMMEDIATE``: a read that turns into a write after
another writer would fail at once, whatever the time-out); PostgreSQL has a bounded pool.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from sqlite3 import Connection as SQLiteConnection
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session

from keystead.errors import Conflict, DatabaseUnavailable

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Work = Callable[Concatenate[Session, Arguments], Result]

_TRIES: Final = 5
_BUSY_MS: Final = 10_000
_READERS: Final = 4
_SERIALIZATION: Final = ("40001", "40P01")


class Database:
    """Runs units of work. Make one per process, after the workers forked."""

    def __init__(self, url: str, *, pool: int = 8) -> None:
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._writer = _sqlite(url, "BEGIN IMMEDIATE")
            self._reader = _sqlite(url, "BEGIN")
            self._write_threads = ThreadPoolExecutor(1, thread_name_prefix="db-write")
            self._read_threads = ThreadPoolExecutor(_READERS, thread_name_prefix="db-read")
        else:
            self._writer = self._reader = create_engine(
                url,
                pool_size=pool,
                max_overflow=0,
                pool_pre_ping=True,
                pool_timeout=30,
                # Who was first is told by how many rows an INSERT made; SQLAlchemy does not ask psycopg by default.
                execution_options={"preserve_rowcount": True},
            )
            self._write_threads = self._read_threads = ThreadPoolExecutor(pool, thread_name_prefix="db")

    async def read(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run ``work`` in a transaction that writes nothing. Raises ``DatabaseUnavailable``."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_threads, lambda: self.read_now(work, *args, **kwargs))

    async def write(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run ``work`` in a transaction and commit it; whatever it raises rolls back. Raises ``DatabaseUnavailable``.

        ``work`` may run more than once, so it must have no effect outside its session.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._write_threads, lambda: self.write_now(work, *args, **kwargs))

    def read_now(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """The same on this thread, for the command line and the first start."""
        return self._run(self._reader, work, *args, **kwargs)

    def write_now(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """The same on this thread, for the command line and the first start."""
        return self._run(self._writer, work, *args, **kwargs)

    def close(self) -> None:
        """End the threads and close the connections."""
        for threads in {self._write_threads, self._read_threads}:
            threads.shutdown(wait=True)
        for engine in {self._writer, self._reader}:
            engine.dispose()

    @property
    def engine(self) -> Engine:
        """The engine that writes, for migrations."""
        return self._writer

    def _run(
        self, engine: Engine, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                with Session(engine, expire_on_commit=False) as session, session.begin():
                    return work(session, *args, **kwargs)
            except IntegrityError as error:
                # A lost race, such as an account whose connection was deleted between two units of work.
                raise Conflict(
                    "Something that this needs was changed or removed meanwhile.", detail=str(error.orig)
                ) from error
            except DBAPIError as error:
                if not (tries_left and _may_pass(error)):
                    if isinstance(error, OperationalError):
                        raise DatabaseUnavailable(detail=str(error.orig)) from error
                    raise
        raise AssertionError("the last try returns or raises")


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same work may succeed when it is run again: a lost race, not a wrong statement."""
    state = getattr(error.orig, "sqlstate", None)
    return state in _SERIALIZATION or "database is locked" in str(error.orig) or error.connection_invalidated


def _sqlite(url: str, begin: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000, "isolation_level": None},
        pool_size=_READERS,
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: SQLiteConnection, record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves: the driver would begin deferred ones
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def reachable(session: Session) -> bool:
    """Whether the database answers."""
    with suppress(OperationalError):
        return session.connection().execute(text("SELECT 1")).scalar() == 1
    return False
