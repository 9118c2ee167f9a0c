"""``keystead`` in the process of the test: the commands as they are, without the start of a program for each."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from typer.testing import CliRunner

from keystead.cli import app
from keystead.settings import Settings


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    @property
    def items(self) -> list[dict[str, Any]]:
        """What it printed, a JSON document a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the table that it printed, below the head."""
        return [line.split() for line in self.out.splitlines()[1:]]


@dataclass(frozen=True)
class Shell:
    """A shell on the machine of an installation."""

    settings: Settings

    @property
    def data_dir(self) -> Path:
        """Where the installation is."""
        return self.settings.data_dir

    def __call__(self, *arguments: str, code: int = 0, input: str = "", **environment: str) -> Told:
        """Run a command, which must end with a status."""
        found = self.elsewhere(*arguments, code=code, input=input, **(self._here() | environment))
        assert "Traceback" not in found.err, found.err
        return found

    @staticmethod
    def elsewhere(*arguments: str, code: int = 0, input: str = "", **environment: str) -> Told:
        """Run a command that knows of no installation here."""
        with _undisturbed():
            given = {f"KEYSTEAD_{name}" if name.isupper() else name: value for name, value in environment.items()}
            given = {"COLUMNS": "500"} | given  # what is run in parallel has a terminal of 80
            done = CliRunner().invoke(app, arguments, input=input, env=given, prog_name="keystead")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.stdout}\n{done.stderr}"
        return Told(done.exit_code, done.stdout, done.stderr)

    def _here(self) -> dict[str, str]:
        return {
            "DATA_DIR": str(self.data_dir),
            "DATABASE_URL": self.settings.database_url.reveal(),
            "SECRET_KEYS": ",".join(key.reveal() for key in self.settings.secret_keys),
            "HASH_COST": "4",
            "HASH_WORKERS": "2",
        }


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A command sets the log up as its process needs it."""
    before = structlog.get_config()
    try:
        yield
    finally:
        structlog.configure(**before)
