"""Transactions that stop in the middle, so that somebody else comes in between."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text

from breaking_off import before_each_statement
from world import World

_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Halt:
    """A point in somebody's transaction at which it stops until it is told to go on."""

    def __init__(self) -> None:
        self.reached, self.may_go_on = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Stop here. Runs on the thread of the transaction."""
        self.reached.set()
        assert self.may_go_on.wait(30)


@contextmanager
def halted_before(beginning: str) -> Iterator[Halt]:
    """Stop the first transaction that is about to send such a statement."""
    halt = Halt()

    def look(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith(beginning) and not halt.reached.is_set():
            halt.stop()

    with before_each_statement(look):
        try:
            yield halt
        finally:
            halt.may_go_on.set()


async def reached(halt: Halt) -> None:
    assert await asyncio.to_thread(halt.reached.wait, 30)


async def in_the_way(world: World, task: "asyncio.Future[Any]") -> None:
    """Wait until a task waits for a lock, or is over. With SQLite it is in the queue behind the only writer."""
    waiting = text(_WAITING)
    while not task.done() and not world.db.is_sqlite:
        if await world.db.read(lambda session: session.connection().execute(waiting).scalar()):
            return
        await asyncio.sleep(0)
