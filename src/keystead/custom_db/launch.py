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

_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
"""What ``prctl`` sets."""
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
_TRUNCATES_SINCE, _SCOPED_SINCE = 3, 6
"""The versions of Landlock that know of truncating, and have scopes."""

_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Where its numbers are in the tables below, and what the kernel calls it (linux/audit.h)."""
_SECCOMP: Final = (317, 277)
_NONE: Final = -1
"""The number of what a machine has not."""
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
_PROCESSES: Final = {"fork": (57, _NONE), "vfork": (58, _NONE), "setsid": (112, 157), "setpgid": (109, 154)}
"""Start processes, or leave the group that is ended as one: nothing of a script's goes on without it."""
_CLONE: Final = (56, 220)
_A_THREAD: Final = 0x10000
"""CLONE_THREAD: what ``clone`` makes with it is no process."""
_UNJUDGED: Final = {"clone3": (435, 435), "openat2": (437, 437)}
"""They are told in memory what to do, where no filter reads. Older kernels have none, and callers do without."""
_LASTING: Final = {"shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180)}
"""What is still there, and takes memory, when all processes that used it are gone; no limit counts shared memory."""
_MODES: Final = {
    "chmod": (90, _NONE),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, _NONE),
    "fchown": (93, 55),
    "lchown": (94, _NONE),
    "fchownat": (260, 54),
    "file_setattr": (469, 469),
}
_TIMES: Final = {"utime": (132, _NONE), "utimes": (235, _NONE), "futimesat": (261, _NONE), "utimensat": (280, 88)}
_ATTRIBUTES: Final = {
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
}
"""Of these and the two before Landlock knows nothing: they change every file of the user's, such as our database."""
_PAST_US: Final = {"io_uring_setup": (425, 425), "open_by_handle_at": (304, 265)}
"""Do without a call what calls do, and open files without a path."""
_TRUNCATE: Final = {"truncate": (76, 45)}
_OPEN: Final = {(2, _NONE): 1, (257, 56): 2}
"""``open`` and ``openat``: which argument says how."""
_FOR_NOTHING: Final = 3
"""Neither to read nor to write: Landlock asks for no right then, and a lock on the file, say, needs no more."""
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
_COMMANDS: Final = {
    (157, 167): (0, (_DEATH_SIGNAL,)),
    (16, 29): (1, (0x40086602, 0x40046602, 0x401C5820, 0x40806685)),
}
"""Which argument refuses a call, by which values: ``prctl`` by PR_SET_PDEATHSIG, since with it a script would outlive
the server; ``ioctl`` by FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, FS_IOC_FSSETXATTR and FS_IOC_ENABLE_VERITY."""
_OWNERS: Final = {(72, 25): (1, (8, 10, 15)), (16, 29): (1, (0x8901, 0x8902))}
"""The same for what has a file signal somebody: ``fcntl`` by F_SETOWN, F_SETSIG and F_SETOWN_EX, ``ioctl`` by FIOSETOWN
and SIOCSPGRP."""
_LOAD, _AND, _IS, _IS_FROM, _HAS, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOWED, _REFUSED, _UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026
"""The second is EPERM, as of somebody else's process; the third ENOSYS, as of an older kernel."""


def main(given: dict[str, Any], program: list[str]) -> None:
    """Become the program."""
    _move_pipes(given["lifeline"])
    _limit(given["resources"], given["processes"])
    with suppress(OSError):  # an older kernel: the doctor says so
        here = os.getcwd()  # a wrapper may have put us elsewhere, where nothing is ours
        _lock(given["readable"], [here] if os.path.basename(here).startswith(given["place"]) else [])
    if sys.platform == "linux" and os.getppid() == given["server"]:
        # It comes when the thread ends that started us: ours lives as long as the server, a wrapper's we do not know.
        _set(_DEATH_SIGNAL, signal.SIGKILL)
    with suppress(OSError):  # another kernel or machine: the doctor says that, too
        refuse_calls(landlock_version())
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
    """Be killed when the other end is closed, by whatever ended the process that has it; and all our group.

    The kernel does it, so that a loop without end does not outlive the server. A script may close it, so that it is
    not all: see ``main``. The group was made for us, and has but the wrapper and what that started beside us.
    """
    if hasattr(fcntl, "F_SETSIG"):
        group = os.getpgrp()  # 0 where it is in another namespace
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -group or os.getpid())
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


def refuse_calls(landlock: int) -> None:
    """Give up system calls about other processes, and what Landlock of this version lets pass of files.

    It holds for whatever this process becomes. Raises ``OSError``.
    """
    if not filters_calls():
        return
    which, machine = _MACHINES[os.uname().machine]
    steps = _filter(which, machine, landlock)
    program = ctypes.create_string_buffer(b"".join(steps))
    _give_up_privileges()
    _call(_SECCOMP[which], 1, 0, struct.pack("HP", len(steps), ctypes.addressof(program)))


def _filter(which: int, machine: int, landlock: int) -> list[bytes]:
    """Return the program that judges each call (Linux: seccomp(2), struct seccomp_data).

    No judgement jumps further than over itself, since a step has 8 bits for that.
    """
    refused, to_itself, commands = _step(_RETURN, _REFUSED), _ITSELF, [*_COMMANDS.items()]
    never = _STRANGERS | _PROCESSES | _LASTING | _MODES | _TIMES | _ATTRIBUTES | _PAST_US
    if landlock < _SCOPED_SINCE:
        never, to_itself, commands = never | _HANDLES, to_itself | _SIGNALS, [*commands, *_OWNERS.items()]
    if landlock < _TRUNCATES_SINCE:
        never |= _TRUNCATE
    # What is of another machine, 32 bits or x32, has other numbers for the same.
    steps = [_step(_LOAD, 4), _step(_IS, machine, 1), refused, _step(_LOAD, 0), _step(_IS_FROM, 1 << 30, 0, 1), refused]
    for numbers in never.values():
        steps += _judged(numbers[which], refused)
    for numbers in _UNJUDGED.values():
        steps += _judged(numbers[which], _step(_RETURN, _UNKNOWN))
    steps += _judged(_CLONE[which], _argument(0), _step(_HAS, _A_THREAD, 1), refused)
    for numbers in to_itself.values():
        steps += _judged(numbers[which], _argument(0), _step(_IS, 0, 2), _step(_IS, os.getpid(), 1), refused)
    for numbers, (place, values) in commands:
        of = [step for each in values for step in (_step(_IS, each, 0, 1), refused)]
        steps += _judged(numbers[which], _argument(place), *of)
    for numbers, place in _OPEN.items():
        steps += _judged(numbers[which], *_of_opening(place, truncates=landlock < _TRUNCATES_SINCE))
    return [*steps, _step(_RETURN, _ALLOWED)]


def _of_opening(place: int, *, truncates: bool) -> list[bytes]:
    """Return what judges how a file is opened; ``truncates`` where Landlock lets one that is to be read be emptied."""
    refused = _step(_RETURN, _REFUSED)
    steps = [_argument(place), _step(_AND, _FOR_NOTHING), _step(_IS, _FOR_NOTHING, 0, 1), refused]
    if truncates:
        empties = os.O_TRUNC | os.O_RDONLY
        steps += [_argument(place), _step(_AND, os.O_TRUNC | _FOR_NOTHING), _step(_IS, empties, 0, 1), refused]
    return steps


def _judged(number: int, *judges: bytes) -> list[bytes]:
    """Return what judges a call, and goes on with its number where it was not refused."""
    if number == _NONE:
        return []
    return [_step(_IS, number, 0, len(judges) + 1), *judges, _step(_LOAD, 0)]


def _argument(place: int) -> bytes:
    """Return the step that loads an argument, of which the lower half counts here: its places are in 8 bytes each."""
    return _step(_LOAD, 16 + 8 * place)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """Return one step: how many are left out where it holds, and where it does not."""
    return struct.pack("HBBI", code, yes, no, value)


# --- the kernel -------------------------------------------------------------------------------------------------------


def _give_up_privileges() -> None:
    _set(_NO_NEW_PRIVILEGES, 1)


def _set(what: int, value: int) -> None:
    ctypes.CDLL(None).prctl(what, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    long = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    found = int(libc.syscall(ctypes.c_long(number), *long))
    if found < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
