"""What gets in the way of a unit of work, at whichever statement a test says: its process ends, or no answer comes."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect


class Killed(BaseException):
    """Nobody catches it: what was not committed is lost."""


INSERTED = "INSERT INTO account"
"""How statements begin by which people get their accounts."""


@contextmanager
def before_each_statement(look: Callable[..., None]) -> Iterator[None]:
    """Have something look at each statement that is about to be sent."""
    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)


@contextmanager
def ends_at(statement: str, error: type[BaseException], of: str = "") -> Iterator[None]:
    """Have a unit of work end with an error at each statement that begins so, and has a value in it."""

    def look(_: Any, __: Any, text: str, values: Any, *___: Any) -> None:
        if text.startswith(statement) and of in str(values):
            raise error

    with before_each_statement(look):
        yield


@contextmanager
def answer_lost_behind(statement: str) -> Iterator[None]:
    """Have the first commit arrive behind a statement that begins so, and its answer not."""
    seen: list[str] = []
    commit: Any = DefaultDialect.do_commit

    def look(_: Any, __: Any, text: str, *___: Any) -> None:
        if text.startswith(statement) and not seen:
            seen.append(text)

    def committed(self: DefaultDialect, connection: Any) -> None:
        commit(self, connection)
        if len(seen) == 1:
            seen.append("lost")
            raise sqlite3.OperationalError("database is locked")  # as good a reason to run it again as a lost server

    with before_each_statement(look), pytest.MonkeyPatch.context() as patched:
        patched.setattr(DefaultDialect, "do_commit", committed)
        yield
    assert len(seen) == 2


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """End whoever sends the statement of a number, counted from 0."""
    numbers = count()

    def look(*_: Any) -> None:
        if next(numbers) == number:
            raise Killed

    with before_each_statement(look):
        yield
