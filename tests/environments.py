"""What programs of others run in: a Python environment and Node modules of their own, made once for each lock file."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 300
"""How long an installation may take before a test gives up."""


class Missing(Exception):
    """There is no Node.js here, or what is locked could not be installed."""


@dataclass(frozen=True)
class Environment:
    """Both environments of a package of tests."""

    name: str
    """Of the lock file in ``requirements``, with underscores; of the directories, with hyphens."""
    tests: Path
    """Where ``package.json`` and its lock file are."""

    @property
    def lock(self) -> Path:
        """What of Python is locked."""
        return ROOT / "requirements" / f"{self.name}.lock"

    @property
    def packages(self) -> list[Path]:
        """What of Node.js is asked for, and what is locked."""
        return [self.tests / "package.json", self.tests / "package-lock.json"]

    def python(self) -> Path:
        """Return the interpreter that has the Python packages, and nothing of ours."""
        directory = ROOT / f".venv-{self._hyphened}"
        _made(directory, f"{self.lock.read_text(encoding='utf-8')} {sys.version}", lambda: self._make_python(directory))
        return directory / "bin" / "python"

    def node_modules(self) -> Path:
        """Return the directory of the packages from npm."""
        if not shutil.which("node") or not shutil.which("npm"):
            raise Missing("there is no Node.js")
        directory = ROOT / ".cache" / self._hyphened
        wanted = "".join(each.read_text(encoding="utf-8") for each in self.packages)
        _made(directory, wanted, lambda: self._make_node(directory))
        return directory / "node_modules"

    @property
    def _hyphened(self) -> str:
        return self.name.replace("_", "-")

    def _make_python(self, directory: Path) -> None:
        uv = str(Path(sys.executable).with_name("uv"))
        _run(sys.executable, "-m", "venv", "--without-pip", str(directory))
        _run(uv, "pip", "sync", "--python", str(directory / "bin" / "python"), "--require-hashes", str(self.lock))

    def _make_node(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        for each in self.packages:
            shutil.copy(each, directory)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(directory))


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


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command[:3])} failed: {done.stderr[-500:]}")
