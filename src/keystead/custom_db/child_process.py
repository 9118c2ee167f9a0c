"""One child: started apart from us, and ended with everything that it started."""

import asyncio
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
_PLACE: Final = "keystead-script-"
_DYING: Final = 0.5
"""Seconds until it is known how a process ended that has just closed its pipes."""
_BURIAL: Final = 10.0
"""Seconds that a process may take to be gone once it was killed."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a child is started."""

    interpreter: str
    """Of ``launch.py``: ours."""
    program: Sequence[str]
    given: Mapping[str, Any]
    """What ``launch.py`` is told; nothing secret, since command lines are there for all to read."""
    wrapper: Sequence[str] = ()


@dataclass(eq=False)
class Child:
    """A process and the pipes to it. Nothing of it belongs to an event loop between two questions."""

    process: "subprocess.Popen[bytes]"
    place: str
    """Its working directory, which is empty and its own."""
    lifeline: int
    """While it is open here, the child lives."""
    edition: str
    owner: int
    """The process that started it."""
    unread: bytearray = field(default_factory=bytearray)
    """What was read of it past its last answer: the next that it says begins there, in the midst of a line perhaps."""
    loaded: dict[str, str] = field(default_factory=dict)
    """The digests of the sources that it has loaded, by the names of scripts."""
    calls: int = 0
    idle_since: float = 0.0
    ended: bool = False
    leave: Callable[[], None] | None = None
    """Takes its pipes from the event loop that listens to them."""

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

    def is_there(self) -> bool:
        """Whether it still listens: one that ended while nobody asked it anything is of no use."""
        if self.ended:
            return False
        poll = select.poll()
        poll.register(self.answered, 0)
        return not poll.poll(0)  # nothing but the end of the pipe is reported without being asked for

    def resident(self) -> int:
        """Return how many bytes it and whatever it started keep in memory; 0 where the system does not say."""
        return _resident(self.process.pid)

    def end(self) -> None:
        """Kill it and all that it started, at once; what is left of it is cleared away by and by."""
        if self.ended:
            return
        self.ended = True
        if self.leave:
            self.leave()
        if os.getpid() == self.owner:
            # Before it is waited for: until then no other process can have its number.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        os.close(self.lifeline)
        if os.getpid() == self.owner:
            self._bury()
        else:
            self.process.returncode = 0  # it is not ours to wait for

    def _bury(self) -> None:
        """Wait for it, so that no zombie is left, and take its directory away."""

        def bury() -> None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_BURIAL)
            shutil.rmtree(self.place, ignore_errors=True)

        try:
            threading.Thread(target=bury, name="bury").start()
        except RuntimeError:  # the interpreter ends, and starts no thread any more
            bury()


_parents: Final[dict[int, ThreadPoolExecutor]] = {}
"""The thread that starts children, which lives as long as its process: they die with it (``launch.py``).

By processes, since what is forked off has none of our threads.
"""


def started(plan: Plan, edition: str) -> Child:
    """Start a child. Blocks for some milliseconds. Raises ``OSError``."""
    place = tempfile.mkdtemp(prefix=_PLACE)
    theirs, ours = os.pipe()
    launch = [
        plan.interpreter,
        "-I",
        "-S",
        "-B",
        _LAUNCH,
        json.dumps({"server": os.getpid(), "lifeline": theirs, "place": _PLACE, **plan.given}),
    ]
    try:
        process = _parent().submit(_begun, [*plan.wrapper, *launch, *plan.program], place, theirs).result()
    except BaseException:
        os.close(ours)
        shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        os.close(theirs)
    child = Child(process, place, ours, edition, os.getpid())
    for pipe in (child.asked, child.answered, child.printed):
        os.set_blocking(pipe, False)
    return child


def _begun(command: Sequence[str], place: str, lifeline: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        close_fds=True,
        pass_fds=(lifeline,),
        cwd=place,
        env={},
        start_new_session=True,
    )


def _parent() -> ThreadPoolExecutor:
    # Whoever comes second, at the same moment, lets go of an executor that has started no thread yet.
    return _parents.setdefault(os.getpid(), ThreadPoolExecutor(1, "parent"))


async def how_it_ended(child: Child) -> str:
    """Return how a child ended that has closed its pipes; it is not waited for yet."""
    until = time.perf_counter() + _DYING
    while hasattr(os, "waitid") and not child.ended:
        found = os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # noqa: ASYNC222 - never waits
        if found is not None:
            is_code = found.si_code == os.CLD_EXITED
            return f"code {found.si_status}" if is_code else signal.Signals(found.si_status).name
        if time.perf_counter() > until:
            break
        await asyncio.sleep(0.01)
    return "its pipes are closed"


def _resident(pid: int) -> int:
    """Read of Linux how much memory a process and its children have; a wrapper counts with what it wraps."""
    found, left = 0, [pid]
    while left:
        each = Path(f"/proc/{left.pop()}")
        with suppress(OSError, ValueError, IndexError):
            found += int((each / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
            for thread in list((each / "task").iterdir()):  # each has the children that it started
                with suppress(OSError):  # it has ended meanwhile
                    left += map(int, (thread / "children").read_text(encoding="ascii").split())
    return found
