"""The children of one connection: how many at once, which may run which script, and when they go."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter

from keystead.custom_db.child_process import Child
from keystead.custom_db.limits import Limits
from keystead.custom_db.messages import digest, edition
from keystead.rules.action_scripts import Script


class Full(Exception):
    """As many calls as may wait do."""


class Pool:
    """Used on one event loop at a time; nothing here waits but whoever asks for a place."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: list[Child] = []
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place; ``leave`` gives it back. Raises ``Full``, and ``TimeoutError`` where none comes free."""
        if self._taken < self._limits.concurrency:
            self._taken += 1
            return
        if len(self._waiting) >= self._limits.queue:
            raise Full
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await asyncio.wait_for(mine, self._limits.seconds)
        except BaseException:
            if mine in self._waiting:
                self._waiting.remove(mine)
            elif mine.done() and not mine.cancelled():
                self.leave()  # it was handed over in the very moment that nobody wanted it any more
            raise

    def leave(self) -> None:
        """Give a place to whoever waits longest, or back."""
        while self._waiting:
            next_ = self._waiting.popleft()
            if not next_.done():
                next_.set_result(None)
                return
        self._taken -= 1

    def take(self, script: Script) -> Child | None:
        """Take an idle child that may run the script. Children of another configuration make room.

        One that has loaded another source of the same name is not used: a new source begins in a new process, and one
        that is only tried does not reach the people who log in.
        """
        wanted, source = edition(script), digest(script)
        for child in reversed(self._idle):
            if child.edition == wanted and child.loaded.get(script.name, source) == source:
                self._idle.remove(child)
                return child
        while self._idle and len(self._idle) + self._taken > self._limits.concurrency:
            self._idle.pop(0).end()
        return None

    def put_back(self, child: Child) -> None:
        """Keep a child for the next call, unless it has had its share."""
        if child.ended or child.calls >= self._limits.calls:
            child.end()
            return
        child.idle_since = perf_counter()
        self._idle.append(child)

    def tidy(self) -> None:
        """End children that nobody needed for long."""
        for child in self._old():
            self._idle.remove(child)
            child.end()

    def _old(self) -> Iterator[Child]:
        since = perf_counter() - self._limits.idle
        yield from [child for child in self._idle if child.idle_since <= since]


Started = Callable[[Child], None]
