"""Objects in another interpreter: ``users = elsewhere.make("auth0.authentication.Users", domain=...)``."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tally import TALLY

PROGRAM = Path(__file__).with_name("programs") / "objects.py"


class RaisedThere(Exception):
    """What the client raised: the name of its class, its text, and what a client's error says about the answer."""

    def __init__(self, kind: str, text: str, **about: Any) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text, self.about = kind, text, about

    @property
    def status(self) -> int | None:
        """The status of the answer that it was raised for."""
        found: int | None = self.about["status_code"]
        return found


class There:
    """One object of the other interpreter, or a member of one; calling it calls it there."""

    def __init__(self, interpreter: "Elsewhere", number: int, path: tuple[str, ...] = ()) -> None:
        self._interpreter, self._number, self._path = interpreter, number, path

    def __getattr__(self, name: str) -> "There":
        return There(self._interpreter, self._number, (*self._path, name))

    def __call__(self, *positional: Any, **named: Any) -> Any:
        asked = {"on": self._number, "path": ".".join(self._path), "positional": positional, "named": named}
        return self._interpreter.ask(asked)

    def as_argument(self) -> dict[str, int]:
        """Return what stands for this object among the arguments of a call."""
        return {"object": self._number}


class Elsewhere:
    """An interpreter of another environment, which makes objects and calls their methods."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._made: list[str] = []

    def make(self, name: str, *positional: Any, **named: Any) -> There:
        """Make an object of a class that is named with its module."""
        made = There(self, self.ask({"make": name, "positional": positional, "named": named}))
        self._made.append(name)
        return made

    def ask(self, asked: Mapping[str, Any]) -> Any:
        """Send one line, and return what is answered, or raise what was raised there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "raised" in answer:
            raise RaisedThere(**answer["raised"])
        if "on" in asked:
            TALLY[f"called {self._made[asked['on']]}.{asked['path']}"] += 1
        return answer["answer"]


@contextmanager
def interpreter(python: Path, environment: Mapping[str, str]) -> Iterator[Elsewhere]:
    """Start an interpreter, and end it."""
    command = [str(python), "-I", str(PROGRAM)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=dict(environment)) as process:
        yield Elsewhere(process)
