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
_SCOPED_SINCE: Final = 6
"""The version of Landlock that has them."""

_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Where its numbers are in the tables below, and what the kernel calls it (linux/audit.h)."""
_SECCOMP: Final = (317, 277)
_STRANGERS: Final = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
}
"""System calls that are about other processes, or hardly needed: refused. Landlock knows nothing of most of them, and
the kernel lets a user do to each of their processes what these do."""
_ITSELF: Final = {
    "prlimit64": (302, 261),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}
"""System calls that begin with whom they are about: only itself. One second of processor time would be a limit of the
server's that kills it."""
_SIGNALS: Final = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
"""The same, where Landlock does not see to signals."""
_HANDLES: Final = {"pidfd_send_signal": (424, 424), "pidfd_open": (434, 434)}
_OWNERS: Final = {(72, 25): (8, 10, 15), (16, 29): (0x8901, 0x8902)}
"""What has a file signal somebody: ``fcntl`` with F_SETOWN, F_SETSIG and F_SETOWN_EX, ``ioctl`` with FIOSETOWN and
SIOCSPGRP."""
_LOAD, _IS, _IS_FROM, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOWED, _REFUSED = 0x7FFF0000, 0x00050001
"""The second is EPERM, as of somebody else's process."""


def main(given: dict[str, Any], program: list[str]) -> None:
    """Become the program."""
    _move_pipes(given["lifeline"])
    _limit(given["resources"], given["processes"])
    with suppress(OSError):  # an older kernel: the doctor says so
        here = os.getcwd()  # a wrapper may have put us elsewhere, where nothing is ours
        _lock(given["readable"], [here] if os.path.basename(here).startswith(given["place"]) else [])
    with suppress(OSError):  # another kernel or machine: the doctor says that, too
        refuse_calls(signals=landlock_version() < _SCOPED_SINCE)
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
    _give_up_privileges()
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = rights if os.path.isdir(path) else rights & _OF_FILES
        _call(_ADD_RULE, ruleset, 1, struct.pack("=Qi", allowed, place), 0)
    finally:
        os.close(place)


# --- other processes --------------------------------------------------------------------------------------------------


def filters_calls() -> bool:
    """Whether this machine is known, and its kernel filters system calls."""
    machine = _MACHINES.get(os.uname().machine)
    if os.uname().sysname != "Linux" or machine is None or sys.maxsize < 1 << 32:
        return False
    try:
        return _call(_SECCOMP[machine[0]], 2, 0, struct.pack("I", _REFUSED & ~0xFFFF)) == 0
    except (OSError, AttributeError):
        return False


def refuse_calls(*, signals: bool) -> None:
    """Give up system calls about other processes: whatever this process becomes. Raises ``OSError``.

    ``signals`` where those are to be refused as well.
    """
    if not filters_calls():
        return
    which, machine = _MACHINES[os.uname().machine]
    steps = _filter(which, machine, signals=signals)
    program = ctypes.create_string_buffer(b"".join(steps))
    _give_up_privileges()
    _call(_SECCOMP[which], 1, 0, struct.pack("HP", len(steps), ctypes.addressof(program)))


def _filter(which: int, machine: int, *, signals: bool) -> list[bytes]:
    """Return the program that judges each call (Linux: seccomp(2), struct seccomp_data)."""
    refused = _step(_RETURN, _REFUSED)
    # What is of another machine, 32 bits or x32, has other numbers for the same.
    steps = [_step(_LOAD, 4), _step(_IS, machine, 1), refused, _step(_LOAD, 0), _step(_IS_FROM, 1 << 30, 0, 1), refused]
    for numbers in [*_STRANGERS.values(), *(_HANDLES.values() if signals else ())]:
        steps += [_step(_IS, numbers[which], 0, 1), refused]
    for numbers in [*_ITSELF.values(), *(_SIGNALS.values() if signals else ())]:
        steps += [_step(_IS, numbers[which], 0, 5), _step(_LOAD, 16), _step(_IS, 0, 1), _step(_IS, os.getpid(), 0, 1)]
        steps += [_step(_RETURN, _ALLOWED), refused]
    for numbers, commands in _OWNERS.items() if signals else ():
        steps += [_step(_IS, numbers[which], 0, 2 * len(commands) + 2), _step(_LOAD, 24)]
        for command in commands:
            steps += [_step(_IS, command, 0, 1), refused]
        steps.append(_step(_RETURN, _ALLOWED))
    return [*steps, _step(_RETURN, _ALLOWED)]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """Return one step: how many are left out where it holds, and where it does not."""
    return struct.pack("HBBI", code, yes, no, value)


# --- the kernel -------------------------------------------------------------------------------------------------------


def _give_up_privileges() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    long = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    found = int(libc.syscall(ctypes.c_long(number), *long))
    if found < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
