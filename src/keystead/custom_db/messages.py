"""The JSON that is spoken with a child: a line for each question, lines printed, and a line that answers."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from keystead.custom_db.failures import Failure
from keystead.rules.action_scripts import RefusalKind, Script, ScriptAnswer, ScriptRefusal
from keystead.secrecy import Secret

MOST_LINES: Final = 1000
"""Of what a call prints, so many lines are kept."""
_LONGEST_LINE: Final = 2000
_LONGEST_TEXT: Final = 4000
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
"""No database stores a NUL, and no UTF-8 has half of a surrogate pair."""
_DEEPEST: Final = 100
"""Levels of an answer: what reads it calls itself for each."""
READY: Final = b'{"ready":true}'
FAILED: Final = ("it ended and never called back",)
"""What a child may say of itself: no text of a script's reaches the log by it."""
_KINDS: Final = get_args(RefusalKind)


def digest(script: Script) -> str:
    """Return what tells a source apart from every other of the same name."""
    whole = f"{script.language}\0{script.name}\0{script.source}"
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def edition(script: Script) -> str:
    """Return what children that may run the script have in common: language and configuration values."""
    plain = json.dumps([script.language, _revealed(script.configuration)], sort_keys=True)
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def greeting(script: Script, **more: object) -> bytes:
    """Return the first line that a child gets: what holds for every call. It answers when it is ready."""
    return _line({"configuration": _revealed(script.configuration), **more})


def is_ready(line: bytes) -> bool:
    """Whether a child says that it is ready. Raises ``Failure`` where it says anything else."""
    if line != READY:
        raise nonsense("something before it was asked")
    return True


def question(id: str, script: Script, arguments: Sequence[Any], context: Mapping[str, Any] | None) -> bytes:
    """Return the line that asks for one call."""
    asked = {"id": id, "name": script.name, "digest": digest(script), "source": script.source}
    asked["arguments"] = _revealed(list(arguments))
    return _line(asked if context is None else asked | {"context": _revealed(context)})


def _line(what: Any) -> bytes:
    # In ASCII: what JavaScript or Python take for the end of a line cannot be in it.
    return json.dumps(what).encode("ascii") + b"\n"


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {str(key): _revealed(each) for key, each in value.items()}
    return [_revealed(each) for each in value] if isinstance(value, list | tuple) else value


@dataclass
class Heard:
    """What a child has said so far of one call."""

    id: str
    """Random, and known to the child since it was asked: an answer without it is none."""
    printed: list[str] = field(default_factory=list)
    answer: ScriptAnswer | None = None
    last: bool = False
    """Whether the child is of no use any more."""
    _open: str = ""
    _dropped: int = 0

    def line(self, line: bytes) -> bool:
        """Take in a line, and say whether it was the last. Raises ``Failure``."""
        try:
            said = json.loads(line, parse_constant=_no_number)
        except RecursionError:
            raise _too_deep() from None
        except ValueError:
            raise nonsense("a line that is no JSON") from None
        if not isinstance(said, dict) or said.get("id") not in (self.id, ""):
            raise nonsense("an answer to a question that nobody asked")
        if isinstance(said.get("print"), str):
            self.text(said["print"])
            return False
        return self._said(said)

    def _said(self, said: dict[str, Any]) -> bool:
        if said["id"] != self.id:
            raise nonsense("an answer to no question")
        if said.get("failed") in FAILED:
            raise Failure("silent", said["failed"])
        if not isinstance(said.get("answer"), dict):
            raise nonsense("neither a line printed nor an answer")
        self.last = said.get("last") is True
        self.answer = _answer(said["answer"])
        return True

    def text(self, text: str) -> None:
        """Take in what was printed."""
        *whole, self._open = (self._open + _cleaned(text)).split("\n")
        self._open = self._open[: _LONGEST_LINE + 1]
        for each in whole:
            self._keep(each)

    def console(self) -> tuple[str, ...]:
        """Return what was printed, cut where it was too much."""
        if self._open:
            self._keep(self._open)
            self._open = ""
        return (*self.printed, *([f"... and {self._dropped} lines more"] if self._dropped else []))

    def _keep(self, line: str) -> None:
        if len(self.printed) >= MOST_LINES:
            self._dropped += 1
        else:
            self.printed.append(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}...")


def nonsense(what: str) -> Failure:
    """Return that a child said what is no answer."""
    return Failure("nonsense", f"it said {what}")


def _no_number(name: str) -> None:
    raise ValueError(name)


def _too_deep() -> Failure:
    return Failure("answer", f"its answer has more than {_DEEPEST} levels")


def _cleaned(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _clean(value: Any, levels: int) -> Any:
    """Return a value with U+FFFD where text cannot be stored. Raises ``Failure``.

    It is not refused for that: people choose what is in their own profile.
    """
    if isinstance(value, str):
        return _cleaned(value)
    if not isinstance(value, list | dict):
        return value
    if levels <= 0:
        raise _too_deep()
    if isinstance(value, list):
        return [_clean(each, levels - 1) for each in value]
    return {_cleaned(name): _clean(each, levels - 1) for name, each in value.items()}


def _answer(given: dict[str, Any]) -> ScriptAnswer:
    said = {name: _clean(each, _DEEPEST) for name, each in given.items()}
    if "refusal" not in said:
        more = said.get("more", [])
        return ScriptAnswer(said.get("value"), more=tuple(more) if isinstance(more, list) else ())
    refusal = said["refusal"]
    if not isinstance(refusal, dict) or refusal.get("kind") not in _KINDS:
        raise nonsense("a refusal of no known kind")
    user_id = refusal.get("user_id")
    text, code = (str(refusal.get(name) or "")[:_LONGEST_TEXT] for name in ("message", "code"))
    return ScriptAnswer(refusal=ScriptRefusal(refusal["kind"], text, code, str(user_id) if user_id else None))
