"""``keystead`` in the process of the test: the commands as they are, without the start of a program for each."""

import json
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from keystead.cli import app
from keystead.settings import Settings


def steered(drawn: str) -> set[str]:
    """Return what a terminal was given that is no text, no end of a line and not ours, which takes a bar away."""
    for ours in ("\r\x1b[K", "\r\n", "\n", "\t"):
        drawn = drawn.replace(ours, "")
    return {char for char in drawn if not char.isprintable()}


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

    def at_terminal(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command at a terminal, and return what that is given to draw: both outputs, in their order."""
        given = {f"KEYSTEAD_{name}": value for name, value in (self._here() | environment).items()}
        with _undisturbed(), _terminal() as drawn, pytest.MonkeyPatch.context() as patch:
            for name, value in ({"COLUMNS": "500"} | given).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                app(arguments, prog_name="keystead")
        assert ended.value.code == code, f"{arguments}: {drawn.decode()}"
        return drawn.decode()

    def _here(self) -> dict[str, str]:
        return {
            "DATA_DIR": str(self.data_dir),
            "DATABASE_URL": self.settings.database_url.reveal(),
            "SECRET_KEYS": ",".join(key.reveal() for key in self.settings.secret_keys),
            "HASH_COST": "4",
            "HASH_WORKERS": "2",
        }


@contextmanager
def _terminal() -> Iterator[bytearray]:
    """Have the outputs of this process be a terminal, and give what was written to it, once that is over."""
    ours, theirs = pty.openpty()
    drawn = bytearray()

    def draw() -> None:  # meanwhile: a terminal that nobody reads is full after some pages
        try:
            while part := os.read(ours, 4096):
                drawn.extend(part)
        except OSError:
            pass  # how Linux says that the other side was closed

    drawing = Thread(target=draw)
    drawing.start()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, redirect_stdout(terminal), redirect_stderr(terminal):
        yield drawn
    drawing.join()
    os.close(ours)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A command sets the log up as its process needs it."""
    before = structlog.get_config()
    try:
        yield
    finally:
        structlog.configure(**before)
