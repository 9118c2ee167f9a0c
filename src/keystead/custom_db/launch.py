"""The first that runs in a child: takes limits on, and becomes the program that runs scripts.

Run as ``python -I -S -B launch.py LIMITS PROGRAM ARGUMENT...`` in a process of its own, with nothing but the standard
library; what it does to itself holds for whatever it becomes, and for whatever that starts. Questions come in at 0 and
answers leave by 1. Both are moved to where no library looks for them, so that what a script prints is no answer.
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

ASKED: Final = 3
ANSWERED: Final = 4
LIFELINE: Final = 5
_HIGH: Final = 64
"""Above whatever is open at the start."""

_NO_NEW_PRIVILEGES: Final = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Landlock's system calls have the same numbers on all architectures that Python knows (Linux: landlock(7))."""
_READ: Final = 0b1101
"""Execute, read a file, read a directory."""
_OF_FILES: Final = 0b1100_0000_0000_0111
"""The rights that a rule for a file, not a directory, may give."""
_BY_VERSION: Final = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights to files the first versions of Landlock know; later ones know 16."""
_SCOPES: Final = 0b11
"""Abstract sockets and signals: none to a process outside, such as the server."""


def main(given: dict[str, Any], program: list[str]) -> None:
    """Become the program."""
    _move_pipes(given["lifeline"])
    _limit(given["resources"], given["processes"])
    with suppress(OSError):  # an older kernel: the doctor says so
        here = os.getcwd()  # a wrapper may have put us elsewhere, where nothing is ours
        _lock(given["readable"], [here] if os.path.basename(here).startswith(given["place"]) else [])
    os.execve(program[0], program, {})  # noqa: S606 - a fixed command line, no shell


# --- pipes ------------------------------------------------------------------------------------------------------------


def _move_pipes(lifeline: int) -> None:
    asked, answered = (fcntl.fcntl(fd, fcntl.F_DUPFD, _HIGH) for fd in (0, 1))
    held = fcntl.fcntl(lifeline, fcntl.F_DUPFD, _HIGH) if _is_open(lifeline) else -1
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.dup2(asked, ASKED)
    os.dup2(answered, ANSWERED)
    if held >= 0:
        os.dup2(held, LIFELINE)
        _die_with(LIFELINE)
    os.closerange(LIFELINE + 1 if held >= 0 else LIFELINE, os.sysconf("SC_OPEN_MAX"))


def _is_open(fd: int) -> bool:
    """Whether a wrapper has let the descriptor through; some close all but the first three."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _die_with(lifeline: int) -> None:
    """Be killed when the other end is closed, by whatever ended the process that has it.

    The kernel does it, so that a loop without end does not outlive the server. The parent's death signal (``prctl``)
    would not do: it follows the thread that started the child, and comes when that alone ends.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


# --- limits -----------------------------------------------------------------------------------------------------------


def _limit(resources: dict[str, int], processes: int) -> None:
    with suppress(OSError, ValueError, IndexError), open("/proc/loadavg", encoding="ascii") as file:
        # The limit counts every thread of the same user, the server's too: so many more than there are now.
        resources["RLIMIT_NPROC"] = int(file.read().split()[3].partition("/")[2]) + processes
    for name, most in resources.items():
        number = getattr(resource, name, None)
        if number is not None:
            _, hard = resource.getrlimit(number)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            with suppress(OSError, ValueError):  # macOS knows some of them by name alone
                resource.setrlimit(number, (least, least))


# --- files ------------------------------------------------------------------------------------------------------------


def landlock_version() -> int:
    """Return the version of Landlock that the kernel has; 0 where it has none."""
    try:
        return _call(_CREATE_RULESET, None, 0, 1)
    except (OSError, AttributeError):
        return 0


def _lock(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Give up every file but these, and signals to strangers: whatever this process becomes. Raises ``OSError``."""
    version = landlock_version()
    if not version:
        return
    handled = (1 << _BY_VERSION.get(version, 16)) - 1
    asked = struct.pack("QQQ", handled, 0, _SCOPES)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _call(_CREATE_RULESET, asked, len(asked), 0)
    for paths, rights in ((readable, _READ), (writable, handled)):
        for path in paths:
            with suppress(OSError):  # what is not there need not be read
                _allow(ruleset, path, rights)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = rights if os.path.isdir(path) else rights & _OF_FILES
        _call(_ADD_RULE, ruleset, 1, struct.pack("=Qi", allowed, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    long = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    found = int(libc.syscall(ctypes.c_long(number), *long))
    if found < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
