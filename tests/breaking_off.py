"""Processes that end in the middle of a unit of work: at whichever statement a test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from sqlalchemy import Engine, event


class Killed(BaseException):
    """Nobody catches it: what was not committed is lost."""


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """End whoever sends the statement of a number, counted from 0."""
    numbers = count()

    def look(*_: Any) -> None:
        if next(numbers) == number:
            raise Killed

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)
