"""The threads that units of work run on, each with a connection of its own.

An executor with a pool of connections behind it costs as much as a statement or two at every unit of work: a lock, a
future of its own, a connection to look after. These threads keep their connection, and wake the event loop once.
"""

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session

from keystead.errors import Conflict, DatabaseUnavailable
from keystead.ports import Telemetry
from keystead.rules.telemetry import UNIT_WAIT

Result = TypeVar("Result")
Unit = Callable[[Session], Result]

_TRIES: Final = 5
_SERIALIZATION: Final = ("40001", "40P01")


class Held:
    """A connection, and a session on it, that are opened when first needed, and kept. For one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: _Session | None = None

    def run(self, unit: Unit[Result]) -> Result:
        """Run a unit of work in a transaction, again where it lost a race or its connection.

        Raises ``DatabaseUnavailable``, ``Conflict`` for a reference to what is gone, and whatever the unit raises,
        which rolls back.
        """
        for tries_left in range(_TRIES - 1, -1, -1):
            try:
                session = self._open()
                with session.connection().begin(), session:
                    return unit(session)
            except IntegrityError as error:
                # A lost race, such as an account whose connection was deleted between two units of work.
                text = "Something that this needs was changed or removed meanwhile."
                raise Conflict(text, detail=_constraint(error)) from None
            except DBAPIError as error:
                if not (tries_left and _may_pass(error)):
                    if isinstance(error, OperationalError):
                        raise DatabaseUnavailable(detail=str(error.orig)) from error
                    raise
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.connection().close()
            self._session = None

    def _open(self) -> "_Session":
        if self._session is None:
            self._session = _Session(self._engine.connect())
        return self._session


class Threads:
    """Threads that take units of work from one queue."""

    def __init__(self, engine: Engine, count: int, name: str, telemetry: Telemetry) -> None:
        self._engine, self._telemetry = engine, telemetry
        self._queue: SimpleQueue[Callable[[Held], None] | None] = SimpleQueue()
        # Daemons: a program that fails before it could close us must not hang. What they leave undone is rolled back.
        self._threads = [Thread(target=self._work, name=f"{name}-{each}", daemon=True) for each in range(count)]
        for thread in self._threads:
            thread.start()

    async def run(self, unit: Unit[Result], kind: str) -> Result:
        """Run a unit of work on one of the threads; see ``Held.run``."""
        asked = perf_counter()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def job(held: Held) -> None:
            if future.cancelled():
                return
            self._telemetry.observe(UNIT_WAIT, perf_counter() - asked, kind)
            try:
                result = held.run(unit)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
                _tell(loop, _fail, future, error)
            else:
                _tell(loop, _succeed, future, result)

        self._queue.put(job)
        return await future

    def close(self) -> None:
        """Finish what is queued, close the connections and end the threads."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        with closing(Held(self._engine)) as held:
            while (job := self._queue.get()) is not None:
                job(held)
                del job  # what it was given and found must not stay until the next one comes


class _Session(Session):
    """A session whose transaction is its connection's, already begun: asking for the connection costs nothing."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, expire_on_commit=False)
        self._given = connection

    def connection(self, *_: Any, **__: Any) -> Connection:
        return self._given


def _tell(loop: asyncio.AbstractEventLoop, how: Callable[..., None], *what: object) -> None:
    with suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(how, *what)


def _succeed(future: "asyncio.Future[Result]", result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _constraint(error: IntegrityError) -> str:
    """Name the constraint that refused, and not the values that it refused: they would end up in the log."""
    diagnosis = getattr(error.orig, "diag", None)
    return str(diagnosis.constraint_name if diagnosis else error.orig)


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same work may succeed when it is run again: a lost race, not a wrong statement."""
    state = getattr(error.orig, "sqlstate", None)
    return state in _SERIALIZATION or "database is locked" in str(error.orig) or error.connection_invalidated
