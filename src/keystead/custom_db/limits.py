"""How much a script may have of everything, and which programs run it."""

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may have."""

    seconds: float = 20.0
    """For one call, and for waiting until a child is free (CD-3)."""
    memory: int = 256
    """MiB that a child, with whatever it started, may keep in memory."""
    concurrency: int = 4
    """Children of one connection in this process, each of which runs one call at a time."""
    queue: int = 32
    """Calls of one connection that may wait for a child."""
    output: int = 1024
    """KiB that one call may print and answer."""
    calls: int = 1000
    """After which a child is replaced: what scripts lose by and by has an end."""
    idle: float = 300.0
    """Seconds after which a child that nobody needed is ended."""
    start: float = 20.0
    """Seconds that a child may take until it is ready."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What runs scripts, and where their modules are."""

    node: str = "node"
    """A path, or a name to look for."""
    modules: Path | None = None
    """Where ``npm install`` was done: the directory above ``node_modules``, or that itself."""
    python: Path | None = None
    """An interpreter with the packages that scripts import, or a directory of packages; else our interpreter."""
    wrapper: tuple[str, ...] = ()
    """A command that takes the command to run as its last arguments."""

    @property
    def interpreter(self) -> str:
        """The interpreter of Python scripts."""
        return str(self.python) if self.python and self.python.is_file() else sys.executable

    @property
    def packages(self) -> str:
        """A directory of packages; empty where there is none."""
        return str(self.python.resolve()) if self.python and self.python.is_dir() else ""

    @property
    def above_modules(self) -> str:
        """The directory that has ``node_modules`` in it; empty where there is none."""
        if self.modules is None:
            return ""
        here = self.modules.resolve()
        return str(here.parent if here.name == "node_modules" else here)
