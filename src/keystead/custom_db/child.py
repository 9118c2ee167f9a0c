"""The child that runs scripts in Python; ``launch.py`` becomes it.

Reads one question a line and answers each in one line. It is a program of its own, in a process of its own: nothing
here is imported by the server, and nothing of the server is imported here.
"""

import asyncio
import datetime
import inspect
import io
import json
import linecache
import os
import sys
import traceback
import types
import uuid
from importlib import util as loading
from pathlib import Path
from typing import Any

ASKED, ANSWERED = 3, 4
NAME = "keystead_scripts"


class _Console(io.TextIOBase):
    """What scripts print into; each piece leaves at once, so that it is not lost with a script that is killed."""

    def __init__(self, child: "_Child") -> None:
        self._child = child

    def write(self, text: str) -> int:
        if text:
            self._child.say({"print": str(text)})
        return len(text)

    def writable(self) -> bool:
        return True


class _Child:
    def __init__(self, outcomes: types.ModuleType) -> None:
        self._outcomes = outcomes
        self._answers = os.fdopen(ANSWERED, "wb", buffering=0)
        self._scripts: dict[str, Any] = {}
        self._id = ""
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def say(self, what: dict[str, Any]) -> None:
        line = json.dumps({"id": self._id, **what}, default=_plain).encode("utf-8", "surrogatepass") + b"\n"
        view = memoryview(line)
        while view:
            view = view[self._answers.write(view) or 0 :]

    def answer(self, question: dict[str, Any]) -> None:
        self._id = question["id"]
        try:
            said: dict[str, Any] = {"value": self._run(question)}
            json.dumps(said, default=_plain, allow_nan=False)
        except BaseException as error:  # a script may raise what it likes, SystemExit too
            said = {"refusal": self._refusal(error)}
        self.say({"answer": said})
        self._id = ""

    def _run(self, question: dict[str, Any]) -> Any:
        function = self._function(question)
        given = {}
        parameters = inspect.signature(function).parameters
        if "context" in parameters:
            given["context"] = question.get("context")
        value = function(*question["arguments"], **given)
        return self._loop.run_until_complete(_awaited(value)) if inspect.isawaitable(value) else value

    def _function(self, question: dict[str, Any]) -> Any:
        digest, name = question["digest"], question["name"]
        if digest not in self._scripts:
            self._scripts[digest] = _loaded(question["source"], name, digest)
        return self._scripts[digest]

    def _refusal(self, error: BaseException) -> dict[str, Any]:
        ours = self._outcomes
        if isinstance(error, ours.WrongUsernameOrPasswordError):
            user_id = str(error.user_id) if error.user_id else None
            return {"kind": "wrong_credentials", "message": str(error.message), "user_id": user_id}
        if isinstance(error, ours.ValidationError):
            return {"kind": "validation", "code": str(error.code), "message": str(error.message)}
        if isinstance(error, ours.UnauthorizedError):
            return {"kind": "unauthorized", "message": str(error.message)}
        self.say({"print": "".join(traceback.format_exception(error, limit=-8))})
        return {"kind": "error", "message": f"{type(error).__name__}: {error}"}


async def _awaited(value: Any) -> Any:
    return await value


def _loaded(source: str, name: str, digest: str) -> Any:
    where = f"<{name}>"
    module = types.ModuleType(f"script_{name}_{digest[:8]}")
    linecache.cache[where] = (len(source), None, source.splitlines(keepends=True), where)
    sys.modules[module.__name__] = module
    exec(compile(source, where, "exec", dont_inherit=True), module.__dict__)
    function = module.__dict__.get(name)
    if not callable(function):
        raise TypeError(f"the script must define the function {name}")
    return function


def _plain(value: Any) -> Any:
    """Write what JSON has no word for as JavaScript would."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _outcomes(configuration: dict[str, str]) -> types.ModuleType:
    found = loading.spec_from_file_location(NAME, Path(__file__).with_name(f"{NAME}.py"))
    assert found is not None and found.loader is not None
    module = loading.module_from_spec(found)
    found.loader.exec_module(module)
    module.__dict__["configuration"] = types.MappingProxyType(configuration)
    sys.modules[NAME] = module
    return module


def main() -> None:
    """Answer until there is no question any more."""
    os.set_inheritable(ASKED, False)
    os.set_inheritable(ANSWERED, False)
    with os.fdopen(ASKED, "rb") as questions:
        first = json.loads(questions.readline())
        sys.path.extend(first["packages"])
        child = _Child(_outcomes(first["configuration"]))
        sys.stdout = sys.stderr = _Console(child)
        for line in questions:
            child.answer(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
