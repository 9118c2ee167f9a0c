"""What the clients run in: a Python environment and Node modules of their own, made once for each lock file."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "clients.lock"
PYTHON = ROOT / ".venv-clients"
PACKAGES = [Path(__file__).with_name(name) for name in ("package.json", "package-lock.json")]
NODE = ROOT / ".cache" / "clients"
SECONDS = 300
"""How long an installation may take before a test gives up."""


class Missing(Exception):
    """There is no Node.js here, or what is locked could not be installed."""


def python_environment() -> Path:
    """Return the interpreter that has the Python clients, and nothing of ours."""
    _made(PYTHON, f"{LOCK.read_text(encoding='utf-8')} {sys.version}", _make_python)
    return PYTHON / "bin" / "python"


def node_modules() -> Path:
    """Return the directory of the clients from npm."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise Missing("there is no Node.js")
    _made(NODE, "".join(each.read_text(encoding="utf-8") for each in PACKAGES), _make_node)
    return NODE / "node_modules"


def _made(directory: Path, of: str, make: Callable[[], None]) -> None:
    """Make a directory unless it is there, by one of the processes of a parallel run."""
    want, stamp = hashlib.sha256(of.encode()).hexdigest(), directory / ".stamp"
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / f"{directory.name}.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text(encoding="utf-8") == want:
            return
        shutil.rmtree(directory, ignore_errors=True)
        make()
        stamp.write_text(want, encoding="utf-8")


def _make_python() -> None:
    uv = str(Path(sys.executable).with_name("uv"))
    _run(sys.executable, "-m", "venv", "--without-pip", str(PYTHON))
    _run(uv, "pip", "sync", "--python", str(PYTHON / "bin" / "python"), "--require-hashes", str(LOCK))


def _make_node() -> None:
    NODE.mkdir(parents=True)
    for each in PACKAGES:
        shutil.copy(each, NODE)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(NODE))


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command[:3])} failed: {done.stderr[-500:]}")
