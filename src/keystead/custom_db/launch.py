"""The first that runs in a child: takes limits on, and becomes the program that runs scripts.

Run as ``python -I -S -B launch.py LIMITS PROGRAM ARGUMENT...`` in a process of its own, with nothing but the standard
library; what it does to itself holds for whatever it becomes, and for whatever that starts. Questions come in at 0 and
answers leave by 1. Both are moved to where no library looks for them, so that what a script prints is no answer.
"""

import fcntl
import json
import os
import resource
import signal
import sys
from typing import Any

ASKED, ANSWERED, LIFELINE = 3, 4, 5
_HIGH = 64
"""Above whatever is open at the start."""


def main(given: dict[str, Any], program: list[str]) -> None:
    """Become the program."""
    _move_pipes(given["lifeline"])
    _limit(given)
    os.execve(program[0], program, {})


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


def _limit(given: dict[str, Any]) -> None:
    for name, most in given["resources"].items():
        number = getattr(resource, name, None)
        if number is not None:
            _, hard = resource.getrlimit(number)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(number, (least, least))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
