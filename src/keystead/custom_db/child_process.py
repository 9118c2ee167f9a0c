"""One child: started apart from us, asked one question at a time, ended with everything that it started."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PIECE: Final = 65536
_LAUNCH: Final = str(Path(__file__).with_name("launch.py"))


class Ended(Exception):
    """The child is of no use any more; the text says why, for administrators."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a child is started."""

    interpreter: str
    """Of ``launch.py``: ours."""
    program: Sequence[str]
    resources: dict[str, int]
    wrapper: Sequence[str] = ()


@dataclass(eq=False)
class Child:
    """A process and the pipes to it. Nothing of it belongs to an event loop between two questions."""

    process: "subprocess.Popen[bytes]"
    place: str
    lifeline: int
    edition: str
    loaded: dict[str, str] = field(default_factory=dict)
    """The digests of the sources that it has loaded, by the names of scripts."""
    calls: int = 0
    idle_since: float = 0.0
    ended: bool = False

    @property
    def asked(self) -> int:
        """The pipe of questions."""
        assert self.process.stdin is not None
        return self.process.stdin.fileno()

    @property
    def answered(self) -> int:
        """The pipe of answers."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    @property
    def printed(self) -> int:
        """The pipe of whatever is printed past the console."""
        assert self.process.stderr is not None
        return self.process.stderr.fileno()

    def end(self) -> None:
        """Kill it and all that it started, at once; what is left of it is cleared away by and by."""
        if self.ended:
            return
        self.ended = True
        # Before it is waited for: until then no other process can have its number.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        os.close(self.lifeline)
        threading.Thread(target=_bury, args=(self.process, self.place), daemon=True).start()


def _bury(process: "subprocess.Popen[bytes]", place: str) -> None:
    """Wait for a process that was killed, so that no zombie is left, and take its directory away."""
    process.wait()
    shutil.rmtree(place, ignore_errors=True)


def started(plan: Plan, edition: str) -> Child:
    """Start a child. Blocks for some milliseconds. Raises ``OSError``."""
    place = tempfile.mkdtemp(prefix="keystead-script-")
    theirs, ours = os.pipe()
    given = json.dumps({"lifeline": theirs, "resources": plan.resources})
    launch = [plan.interpreter, "-I", "-S", "-B", _LAUNCH, given]
    try:
        process = subprocess.Popen(
            [*plan.wrapper, *launch, *plan.program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            close_fds=True,
            pass_fds=(theirs,),
            cwd=place,
            env={},
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        os.close(theirs)
    child = Child(process, place, ours, edition)
    for pipe in (child.asked, child.answered, child.printed):
        os.set_blocking(pipe, False)
    return child


class Exchange:
    """One question and what comes of it, on the event loop that asks. Whoever makes one calls ``close``."""

    def __init__(self, child: Child, question: bytes, most: int, hear: Callable[[bytes], bool]) -> None:
        """``hear`` is given each line of an answer, and says whether it was the last; ``most`` counts bytes."""
        self._child, self._left, self._most, self._hear = child, memoryview(question), most, hear
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._buffer = bytearray()
        self.printed = bytearray()
        self._loop.add_reader(child.answered, self._guarded, self._read)
        self._loop.add_reader(child.printed, self._guarded, self._read_printed)
        self._loop.add_writer(child.asked, self._guarded, self._write)

    async def done(self) -> None:
        """Wait for the answer. Raises ``Ended``, and what ``hear`` raises."""
        await self._done

    def close(self) -> None:
        """Leave the event loop."""
        if not self._child.ended:
            self._loop.remove_reader(self._child.answered)
            self._loop.remove_reader(self._child.printed)
            self._loop.remove_writer(self._child.asked)

    def fail(self, why: Exception) -> None:
        """End it with an error."""
        if not self._done.done():
            self._done.set_exception(why)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            self.fail(error)

    def _write(self) -> None:
        with suppress(BlockingIOError):
            try:
                self._left = self._left[os.write(self._child.asked, self._left[:_PIECE]) :]
            except BrokenPipeError:
                self._left = self._left[:0]  # why, is said by the end of its answers
        if not self._left:
            self._loop.remove_writer(self._child.asked)

    def _read(self) -> None:
        piece = self._piece(self._child.answered)
        if piece == b"":
            raise Ended("its process ended")
        if piece is None:
            return
        self._buffer += piece
        while not self._done.done() and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if self._hear(line):
                self._done.set_result(None)

    def _read_printed(self) -> None:
        piece = self._piece(self._child.printed)
        if piece == b"":
            self._loop.remove_reader(self._child.printed)
        elif piece is not None:
            self.printed += piece

    def _piece(self, pipe: int) -> bytes | None:
        try:
            piece = os.read(pipe, _PIECE)
        except BlockingIOError:
            return None
        self._most -= len(piece)
        if self._most < 0:
            raise Ended("it printed or answered more than it may")
        return piece
