"""One question to a child, on the event loop that asks: until it is answered, or has taken too much of anything."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from keystead.custom_db.child_process import Child
from keystead.custom_db.failures import Failure
from keystead.custom_db.limits import Limits

_PIECE: Final = 65536
_LOOK: Final = 0.05
"""Seconds between two looks at how much memory a child has."""


class Exchange:
    """Listens to a child for as long as one question takes."""

    def __init__(self, child: Child, limits: Limits, hear: Callable[[bytes], bool]) -> None:
        """``hear`` is given each line of the child's, and says whether it was the last."""
        self._child, self._limits, self._hear = child, limits, hear
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._timers: list[asyncio.TimerHandle] = []
        self._left = memoryview(b"")
        self._most = limits.output * 1024
        self.printed = bytearray()
        """What was printed past the console."""

    async def ask(self, question: bytes, seconds: float) -> None:
        """Ask and wait. Raises ``Failure``, and whatever ``hear`` raises."""
        self._left = memoryview(question)
        self._begin(seconds)
        try:
            await self._done
        finally:
            self._leave()
            self._child.leave = None
            if not self._done.cancelled():
                self._done.exception()  # it was looked at, also where the caller was cancelled in that moment

    def _begin(self, seconds: float) -> None:
        self._child.leave = self._abandon
        self._loop.add_reader(self._child.answered, self._guarded, self._read)
        self._loop.add_reader(self._child.printed, self._guarded, self._read_printed)
        self._loop.add_writer(self._child.asked, self._guarded, self._write)
        late = Failure("timeout", f"it took longer than {seconds:g} s")
        self._timers = [self._loop.call_later(seconds, self._fail, late), self._loop.call_later(_LOOK, self._look)]

    def _leave(self) -> None:
        for timer in self._timers:
            timer.cancel()
        if not self._child.ended:
            self._loop.remove_reader(self._child.answered)
            self._loop.remove_reader(self._child.printed)
            self._loop.remove_writer(self._child.asked)
            with suppress(Failure):
                self._read_printed()

    def _abandon(self) -> None:
        """Let go of the pipes before somebody closes them: the loop must not listen to whatever is opened next."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.remove_reader(self._child.answered)
            self._loop.remove_reader(self._child.printed)
            self._loop.remove_writer(self._child.asked)
            self._fail(Failure("closed", "it was ended from outside"))

    def _fail(self, why: BaseException) -> None:
        if not self._done.done():
            self._done.set_exception(why)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
            self._fail(error)

    def _look(self) -> None:
        if self._child.resident() > self._limits.memory << 20:
            self._fail(Failure("memory", f"it took more than {self._limits.memory} MiB of memory"))
        self._timers[1] = self._loop.call_later(_LOOK, self._look)

    def _write(self) -> None:
        try:
            self._left = self._left[os.write(self._child.asked, self._left[:_PIECE]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._left = self._left[:0]  # why, is said by the end of its answers
        if not self._left:
            self._loop.remove_writer(self._child.asked)

    def _read(self) -> None:
        piece = self._piece(self._child.answered)
        if piece == b"":
            raise Failure("ended", "its process ended")
        unread = self._child.unread
        unread += piece or b""
        while not self._done.done() and (end := unread.find(b"\n")) >= 0:
            line = bytes(unread[:end])
            del unread[: end + 1]
            if self._hear(line):
                self._done.set_result(None)

    def _read_printed(self) -> None:
        while piece := self._piece(self._child.printed):
            self.printed += piece
        if piece == b"" and not self._done.done():
            self._loop.remove_reader(self._child.printed)

    def _piece(self, pipe: int) -> bytes | None:
        """Return what there is, ``None`` where there is nothing yet."""
        try:
            piece = os.read(pipe, _PIECE)
        except BlockingIOError:
            return None
        self._most -= len(piece)
        if self._most < 0:
            raise Failure("output", f"it printed or answered more than {self._limits.output} KiB")
        return piece
