"""The command lines of children: which program, which of its flags, what of the kernel's limits."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from keystead.custom_db.child_process import Plan
from keystead.custom_db.failures import Failure
from keystead.custom_db.launch import filters_calls, landlock_version
from keystead.custom_db.limits import Limits, Programs
from keystead.rules.action_scripts import ScriptLanguage
from keystead.rules.health import Interpreters

_HERE: Final = Path(__file__).parent
_WANTED: Final = ("--permission", "--experimental-permission", "--allow-addons", "--allow-net")
_ASKS_NODE: Final = (
    f"process.stdout.write(JSON.stringify({{version: process.versions.node, flags: {json.dumps(_WANTED)}"
    ".filter(flag => process.allowedNodeEnvironmentFlags.has(flag))}))"
)
_ASKS_PYTHON: Final = (
    "import json, platform, sys; print(json.dumps({'version': platform.python_version(), "
    "'places': [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]}))"
)
_MIB: Final = 1 << 20
_BESIDE: Final = 192
"""MiB of private memory that an interpreter asks for and hardly touches, such as the stacks of its threads."""
_VIRTUAL: Final = 4096
"""MiB of addresses beside what it uses: the same, libraries, and 64 for each thread that the allocator sets aside and
never touches. Too few would end drivers that have threads of their own; what counts is the private memory above."""
_LEAST_HEAP: Final = 32
_BESIDE_HEAP: Final = 64
"""MiB that Node.js takes beside its heap."""
_FILES: Final = 256
_PROCESSES: Final = 256
_CPU_CALLS: Final = 60
"""How many calls' worth of processor time a child may use up in its life: where nobody is left to kill it."""
_SYSTEM: Final = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt/node", "/nix/store"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ssl", "/etc/pki", "/etc/ca-certificates"),
    *("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services"),
    *("/etc/protocols", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/alternatives"),
    *("/etc/alpine-release", "/etc/os-release"),  # modules that are compiled look for theirs by it
    *("/etc/odbc.ini", "/etc/odbcinst.ini", "/etc/freetds", "/etc/krb5.conf", "/run/systemd/resolve"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
)
"""What programs of the system need to read, to run and to find a host. Data, homes and other settings are not there."""
_KERNEL: Final = (
    *("/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/fs/cgroup", "/sys/devices/system/cpu"),
)
"""The same of the kernel. Node.js compares paths by their text, and below ``/proc/self`` is a way to every other."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js that was asked what it is."""

    path: str
    version: str
    flags: frozenset[str]

    @property
    def permission(self) -> str:
        """Its flag that restricts scripts; empty where it has none."""
        return next((flag for flag in _WANTED[:2] if flag in self.flags), "")


@dataclass(frozen=True, slots=True)
class Python:
    """A Python that was asked what it is."""

    path: str
    version: str
    places: tuple[str, ...]
    """Where its libraries are."""


@lru_cache(maxsize=8)
def node_at(name: str) -> Node:
    """Return the Node.js of a path or name. Blocks until it has run once. Raises ``Failure``."""
    path, said = _asked(name, "-e", _ASKS_NODE, "Node.js")
    return Node(path, str(said["version"]), frozenset(said["flags"]))


@lru_cache(maxsize=8)
def python_at(name: str) -> Python:
    """Return the Python of a path. Blocks until it has run once. Raises ``Failure``."""
    path, said = _asked(name, "-Ic", _ASKS_PYTHON, "Python")
    return Python(path, str(said["version"]), tuple(dict.fromkeys(said["places"])))


def _asked(name: str, flag: str, question: str, language: str) -> tuple[str, dict[str, Sequence[str]]]:
    path = shutil.which(name)
    if path is None:
        raise Failure("program", f"there is no program {name}")
    try:
        asked = subprocess.run([path, flag, question], env={}, capture_output=True, check=True, timeout=20)
        return path, json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        raise Failure("program", f"{path} is no {language} that works") from None


def interpreters(programs: Programs) -> Interpreters:
    """Return what runs scripts here, for the doctor. Blocks."""
    try:
        node = node_at(programs.node)
        found = (node.version, node.permission, "")
    except Failure as failed:
        found = ("", "", str(failed))
    try:
        python, why = python_at(programs.interpreter).version, ""
    except Failure as failed:
        python, why = "", str(failed)
    return Interpreters(*found, python, why, landlock_version() > 0, filters_calls())


def plan_of(language: ScriptLanguage, limits: Limits, programs: Programs) -> Plan:
    """Return how a child of a language is started. Blocks where that was never asked for. Raises ``Failure``."""
    program, readable = (_node if language == "node" else _python)(limits, programs)
    resources = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": max(1, round(limits.seconds * _CPU_CALLS)),
        "RLIMIT_DATA": (limits.memory + _BESIDE) * _MIB,
        "RLIMIT_FSIZE": _MIB,
        "RLIMIT_NOFILE": _FILES,
    }
    if language == "python":  # Node.js reserves more addresses than there is memory
        resources["RLIMIT_AS"] = (limits.memory + _VIRTUAL) * _MIB
    given = {"resources": resources, "processes": _PROCESSES, "readable": [*_SYSTEM, *_KERNEL, *readable]}
    return Plan(sys.executable, program, given, _wrapper(programs.wrapper))


def _wrapper(given: Sequence[str]) -> Sequence[str]:
    if not given:
        return ()
    path = shutil.which(given[0])
    if path is None:
        raise Failure("program", f"there is no program {given[0]}")
    return (path, *given[1:])


def _python(limits: Limits, programs: Programs) -> tuple[list[str], list[str]]:
    python, child = python_at(programs.interpreter), str(_HERE / "child.py")
    own = [str(Path(python.path).resolve()), child, str(_HERE / "keystead_scripts.py"), programs.packages]
    return [python.path, "-I", "-B", "-X", "utf8", child], [*python.places, *filter(None, own)]


def _node(limits: Limits, programs: Programs) -> tuple[list[str], list[str]]:
    node, child, above = node_at(programs.node), str((_HERE / "child.cjs").resolve()), programs.above_modules
    flags = ["--no-warnings", f"--max-old-space-size={max(_LEAST_HEAP, limits.memory - _BESIDE_HEAP)}"]
    if node.permission:
        readable = [*_SYSTEM, *([above] if above else [])]
        flags += [node.permission, f"--allow-fs-read={child}"]
        flags += [
            f"--allow-fs-read={each}/*" if Path(each).is_dir() else f"--allow-fs-read={each}" for each in readable
        ]
        # Modules such as bcrypt are compiled, and most scripts are for the sake of a database elsewhere.
        flags += [flag for flag in _WANTED[2:] if flag in node.flags]
    return [node.path, *flags, child], [str(Path(node.path).resolve()), child, *([above] if above else [])]
