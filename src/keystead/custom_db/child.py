"""The child that runs scripts in Python; ``launch.py`` becomes it.

Reads one question a line and answers each in one line. It is a program of its own, in a process of its own: nothing
here is imported by the server, and nothing of the server is imported here.
"""

import asyncio
import datetime as dt
import inspect
import io
import json
import linecache
import os
import site
import sys
import threading
import traceback
import types
import uuid
from collections.abc import Callable
from importlib import util as loading
from pathlib import Path
from typing import Any, Final, NoReturn

ASKED: Final = 3
ANSWERED: Final = 4
NAME: Final = "keystead_scripts"
_PROCESSES: Final = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn"),
        *("subprocess.Popen", "os.kill", "os.killpg", "signal.pthread_kill", "resource.prlimit"),
    }
)
"""What Node.js's permissions refuse, or it has no way to: other processes."""


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
        self._scripts: dict[str, Callable[..., Any]] = {}
        self._id = ""
        self._lock = threading.RLock()  # scripts may have threads, which print
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def say(self, what: dict[str, Any]) -> None:
        with self._lock:  # with the id, too: after the answer, no line may have that of its call
            line = memoryview(json.dumps({"id": self._id, **what}, default=_plain).encode("ascii") + b"\n")
            while line:
                line = line[self._answers.write(line) or 0 :]

    def ready(self) -> None:
        self._answers.write(b'{"ready":true}\n')

    def answer(self, question: dict[str, Any]) -> None:
        self._id = question["id"]
        said: dict[str, Any]
        try:
            said = {"answer": {"value": self._run(question)}}
            json.dumps(said, default=_plain, allow_nan=False)
        except SystemExit as error:
            os._exit(error.code if isinstance(error.code, int) else 1)
        except BaseException as error:  # noqa: BLE001 - a script may raise what it likes
            # After these, nobody knows what was left half done.
            last = isinstance(error, MemoryError | KeyboardInterrupt)
            said = {"answer": {"refusal": self._refusal(error)}, "last": last}
        with self._lock:
            self.say(said)
            self._id = ""

    def _run(self, question: dict[str, Any]) -> Any:
        function = self._function(question)
        takes_context = "context" in inspect.signature(function).parameters
        more = {"context": question.get("context")} if takes_context else {}
        value = function(*question["arguments"], **more)
        return self._loop.run_until_complete(_awaited(value)) if inspect.isawaitable(value) else value

    def _function(self, question: dict[str, Any]) -> Callable[..., Any]:
        digest = question["digest"]
        if digest not in self._scripts:
            self._scripts[digest] = self._loaded(question["source"], question["name"])
        return self._scripts[digest]

    def _loaded(self, source: str, name: str) -> Callable[..., Any]:
        where = f"<{name}>"
        module = types.ModuleType(f"script_{name}")
        module.__dict__.update({each: value for each, value in vars(self._outcomes).items() if each[:1] != "_"})
        linecache.cache[where] = (len(source), None, source.splitlines(keepends=True), where)
        sys.modules[module.__name__] = module
        exec(compile(source, where, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - what this is for
        function = module.__dict__.get(name)
        if not callable(function):
            raise TypeError(f"the script must define the function {name}")
        return function  # type: ignore[no-any-return]

    def _refusal(self, error: BaseException) -> dict[str, Any]:
        ours = self._outcomes
        if isinstance(error, ours.WrongUsernameOrPasswordError):
            user_id = _text(error.user_id) if error.user_id else None
            return {"kind": "wrong_credentials", "message": _text(error.message), "user_id": user_id}
        if isinstance(error, ours.ValidationError):
            return {"kind": "validation", "code": _text(error.code), "message": _text(error.message)}
        if isinstance(error, ours.UnauthorizedError):
            return {"kind": "unauthorized", "message": _text(error.message)}
        self.say({"print": _trace(error)})
        return {"kind": "error", "message": f"{type(error).__name__}: {_text(error)}"}


async def _awaited(value: Any) -> Any:
    return await value


def _text(value: object) -> str:
    try:
        return str(value)
    except BaseException:  # noqa: BLE001 - what a script raised may not even be printable
        return "it cannot be shown"


def _trace(error: BaseException) -> str:
    """Return the traceback, from the script on."""
    try:
        every = traceback.extract_tb(error.__traceback__)
        first = next((at for at, frame in enumerate(every) if frame.filename[:1] == "<"), len(every))
        frames = every[first:]
        return "".join([*traceback.format_list(frames[:20]), *traceback.format_exception_only(error)])
    except BaseException:  # noqa: BLE001 - the same
        return f"{type(error).__name__}\n"


def _plain(value: Any) -> Any:
    """Write what JSON has no word for as JavaScript would."""
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _outcomes(configuration: dict[str, str]) -> types.ModuleType:
    found = loading.spec_from_file_location(NAME, Path(__file__).with_name(f"{NAME}.py"))
    assert found is not None
    assert found.loader is not None
    module = loading.module_from_spec(found)
    found.loader.exec_module(module)
    module.__dict__["configuration"] = types.MappingProxyType(configuration)
    sys.modules[NAME] = module
    return module


def _refuse_processes() -> None:
    """Refuse what starts, ends or limits processes, for good: a seat belt, since compiled code asks nobody."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _PROCESSES:
            _refuse(event)

    def _refuse(event: str) -> NoReturn:
        raise PermissionError(f"{event} is not for action scripts")

    sys.addaudithook(refuse)


def main() -> None:
    """Answer until there is no question any more."""
    os.set_inheritable(ASKED, False)
    os.set_inheritable(ANSWERED, False)
    with os.fdopen(ASKED, "rb") as questions:
        first = json.loads(questions.readline())
        if first["place"]:
            site.addsitedir(first["place"])
        child = _Child(_outcomes(first["configuration"]))
        sys.stdout = sys.stderr = _Console(child)
        _refuse_processes()
        child.ready()
        for line in questions:
            child.answer(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
