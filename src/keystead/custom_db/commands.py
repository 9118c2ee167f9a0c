"""The command lines of children: which program, which of its flags, which limits of the kernel."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from keystead.custom_db.child_process import Plan
from keystead.custom_db.limits import Limits, Programs
from keystead.rules.action_scripts import ScriptLanguage

_HERE: Final = Path(__file__).parent
_WANTED: Final = ("--permission", "--experimental-permission", "--allow-addons", "--allow-net")
_ASKS: Final = (
    f"process.stdout.write(JSON.stringify({{version: process.versions.node, flags: {json.dumps(_WANTED)}"
    ".filter(flag => process.allowedNodeEnvironmentFlags.has(flag))}))"
)
_MIB: Final = 1 << 20
_VIRTUAL: Final = 512
"""MiB of addresses that an interpreter has beside what it uses: stacks of threads, libraries."""
_FILES: Final = 256
_PROCESSES: Final = 512
_LARGEST_FILE: Final = _MIB
_SPARE_SECONDS: Final = 60
"""Of processor time that a child may have for all of its calls together, for each second that one may take."""


class NoProgram(Exception):
    """There is nothing that runs the language; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js that was asked what it is."""

    path: str
    version: str
    flags: frozenset[str]


@lru_cache(maxsize=8)
def node_at(name: str) -> Node:
    """Return the Node.js of a path or name. Blocks until it has started once. Raises ``NoProgram``."""
    path = shutil.which(name)
    if path is None:
        raise NoProgram(f"there is no program {name}")
    try:
        asked = subprocess.run([path, "-e", _ASKS], env={}, capture_output=True, check=True, timeout=20)
        said = json.loads(asked.stdout)
        return Node(path, str(said["version"]), frozenset(said["flags"]))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        raise NoProgram(f"{path} is no Node.js that works") from None


def plan_of(language: ScriptLanguage, limits: Limits, programs: Programs, interpreter: str) -> Plan:
    """Return how a child of a language is started; ``interpreter`` is ours. Raises ``NoProgram``."""
    program = _node(limits, programs) if language == "node" else _python(programs)
    resources = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": _LARGEST_FILE,
        "RLIMIT_NOFILE": _FILES,
        "RLIMIT_NPROC": _PROCESSES,
        "RLIMIT_CPU": max(1, round(limits.seconds * _SPARE_SECONDS)),
    }
    if language == "python":  # Node.js reserves more addresses than there is memory
        resources["RLIMIT_AS"] = (limits.memory + _VIRTUAL) * _MIB
    return Plan(interpreter, program, resources, _wrapper(programs.wrapper))


def _wrapper(given: Sequence[str]) -> Sequence[str]:
    if not given:
        return ()
    path = shutil.which(given[0])
    if path is None:
        raise NoProgram(f"there is no program {given[0]}")
    return (path, *given[1:])


def _python(programs: Programs) -> list[str]:
    return [programs.interpreter, "-I", "-B", "-X", "utf8", str(_HERE / "child.py")]


def _node(limits: Limits, programs: Programs) -> list[str]:
    node, child = node_at(programs.node), str(_HERE / "child.cjs")
    flags = [f"--max-old-space-size={limits.memory}", "--no-warnings"]
    permission = next((flag for flag in _WANTED[:2] if flag in node.flags), None)
    if permission:
        above = programs.above_modules
        flags += [permission, f"--allow-fs-read={child}"]
        flags += [f"--allow-fs-read={above.resolve()}/*"] if above else []
        # Modules such as bcrypt are compiled, and most scripts are for the sake of a database elsewhere.
        flags += [flag for flag in _WANTED[2:] if flag in node.flags]
    return [node.path, *flags, child]
