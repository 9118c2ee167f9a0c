"""A file of rows taken apart while it arrives: a JSON array of objects, or one object a line (auth0-behaviour 4.1).

No more than one row is ever held, and none that is longer than ``LONGEST``: whoever sends a file decides neither how
much memory it takes nor how deep anything calls itself. What is wrong inside a row is wrong with that row alone; what
is wrong between rows is wrong with the file. Places are counted in bytes, so that reading can go on at any of them.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

LONGEST: Final = 1_048_576
"""Bytes of one row: metadata of both kinds at their largest, and as much again."""

DEPTH: Final = 32
"""How deep lists and objects of a row may be in each other."""

_TRIMMED: Final = 4096
"""Characters that are done with, after which they are let go of: the parser counts the lines before whatever is wrong,
and would read a file of bad rows anew for each of them."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_STEP: Final = re.compile(r'["{}\[\],]')
_STRING_END: Final = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_IN_STRING: Final = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_BOM: Final = "\xef\xbb\xbf"

Kind = Literal["array", "lines"]


class Malformed(ValueError):
    """A file that is no list of rows; the text says why, and where."""


class BadRow(ValueError):
    """A row that is no JSON that can be stored; the text says why."""


class Row(NamedTuple):
    """A row of a file: what it says, or why it says nothing."""

    value: Any
    wrong: str
    """Empty, or why ``value`` is ``None``."""
    end: int
    """Where the file goes on behind it, in bytes."""


@dataclass
class _Skip:
    """A row that is being passed over: its text is forgotten as it goes by."""

    why: str
    depth: int = 0
    in_string: bool = False
    escaped: bool = False


class RowReader:
    """Takes a file apart. ``feed`` it in pieces of any size, and ``close`` it at its end.

    ``at`` is the end of a row where reading goes on, and ``kind`` what the file was found to be then.
    """

    def __init__(self, *, at: int = 0, kind: Kind | None = None, longest: int = LONGEST) -> None:
        self.kind: Kind | None = kind
        self._text, self._base, self._longest = "", at, longest
        self._state: Literal["start", "first", "row", "after", "over"] = "after" if kind else "start"
        self._skip: _Skip | None = None

    def feed(self, piece: bytes) -> Iterator[Row]:
        """Give the rows that a piece completes. Raises ``Malformed``."""
        # One character a byte, whatever the bytes mean: places stay right, and only rows are read as UTF-8.
        self._text += piece.decode("latin-1")
        yield from self._rows(is_last=False)

    def close(self) -> Iterator[Row]:
        """Give what the end of the file completes. Raises ``Malformed``, most of all where it was cut off."""
        yield from self._rows(is_last=True)
        if self.kind is None:
            raise Malformed("the file is empty")
        if self._skip is not None or (self.kind == "array" and self._state != "over"):
            raise Malformed(f"the file ends within its list, at byte {self._base + len(self._text)}")

    def _rows(self, *, is_last: bool) -> Iterator[Row]:
        at = 0
        try:
            while True:
                if at >= _TRIMMED:
                    self._base, self._text, at = self._base + at, self._text[at:], 0
                found = self._next(at, is_last=is_last)
                if found is None:
                    at = len(self._text) if self._skip is not None else at
                    return
                row, at = found
                if row is not None:
                    yield row
        finally:
            at = max(at, self._behind_space(at))
            self._base, self._text = self._base + at, self._text[at:]

    def _behind_space(self, at: int) -> int:
        """Return how much of what is waiting need not wait: white space between rows, of which there may be much."""
        if self._skip is not None or self.kind == "lines":
            return at
        return _end(_SPACE, self._text, at)

    def _next(self, at: int, *, is_last: bool) -> tuple[Row | None, int] | None:
        """Return the next row and where it ends; ``None`` for the row is a step between rows, for all more is needed.

        Raises ``Malformed``.
        """
        if self._skip is not None:
            return self._skipped(at, is_last=is_last)
        if self.kind == "lines":
            return self._line(at, is_last=is_last)
        at = _end(_SPACE, self._text, at)
        if self._state == "start":
            return self._begun(at, is_last=is_last)
        if at == len(self._text):
            return None
        return self._row(at, is_last=is_last) if self._state == "row" else self._between(at)

    def _begun(self, at: int, *, is_last: bool) -> tuple[None, int] | None:
        text = self._text[at : at + len(_BOM)]
        if self._base + at == 0 and _BOM.startswith(text) and not (is_last or text == _BOM):
            return None
        at += len(_BOM) if text == _BOM else 0
        if at == len(self._text):
            return None
        first = self._text[at]
        if first not in "[{":
            raise Malformed(f"the file is no list of objects: it begins with {first!r}")
        self.kind = "array" if first == "[" else "lines"
        self._state = "first"
        return None, at + (first == "[")

    def _between(self, at: int) -> tuple[None, int]:
        """Step over what separates rows. Raises ``Malformed``."""
        char = self._text[at]
        if self._state == "over":
            raise Malformed(f"something follows the list, at byte {self._base + at}")
        if char == "]":
            self._state = "over"
            return None, at + 1
        if self._state == "first":
            self._state = "row"
            return None, at
        if char != ",":
            raise Malformed(f"a comma or the end of the list is missing at byte {self._base + at}")
        self._state = "row"
        return None, at + 1

    def _row(self, at: int, *, is_last: bool) -> tuple[Row | None, int] | None:
        """Read a row of an array: the parser finds where it ends, and where it cannot, its brackets tell."""
        if self._text[at] in ",]":
            raise Malformed(f"a row is missing at byte {self._base + at}")
        found = _parsed(self._text, at) if self._text[at] == "{" else None
        if found is not None:
            self._state = "after"
            return self._read(at, found[1], found[0]), found[1]
        skip = _Skip("")
        end = _behind(self._text, at, skip)
        if end is None:
            if len(self._text) - at > self._longest:
                self._skip = skip
                skip.why = f"a row is at most {self._longest} bytes"
                return None, len(self._text)
            return None
        self._state = "after"
        return self._read(at, end), end

    def _line(self, at: int, *, is_last: bool) -> tuple[Row | None, int] | None:
        end = self._text.find("\n", at)
        if end == -1 and not is_last:
            if len(self._text) - at <= self._longest:
                return None
            self._skip = _Skip(f"a row is at most {self._longest} bytes")
            return None, len(self._text)
        end = len(self._text) if end == -1 else end
        behind = min(end + 1, len(self._text))
        if not self._text[at:end].strip():
            return (None, behind) if behind > at else None
        return self._read(at, end)._replace(end=self._base + behind), behind

    def _skipped(self, at: int, *, is_last: bool) -> tuple[Row | None, int] | None:
        """Pass over what is left of a row that is too long."""
        skip = self._skip
        assert skip is not None
        if self.kind == "lines":
            found = self._text.find("\n", at)
            end = found + 1 if found != -1 else len(self._text) if is_last else None
        else:
            end = _behind(self._text, at, skip)
        if end is None:
            return None
        self._skip, self._state = None, "after"
        return Row(None, skip.why, self._base + end), end

    def _read(self, at: int, end: int, parsed: Any = None) -> Row:
        """Read a row; one of ASCII alone that was ``parsed`` need not be read again."""
        text = self._text[at:end]
        try:
            if len(text) > self._longest:
                raise BadRow(f"a row is at most {self._longest} bytes")
            if parsed is None or not text.isascii():
                return Row(read_row(text.encode("latin-1")), "", self._base + end)
            _check(parsed, text)
            return Row(parsed, "", self._base + end)
        except BadRow as error:
            return Row(None, str(error), self._base + end)


def read_row(octets: bytes) -> Any:
    """Return what a row says, strictly: UTF-8, each member once, finite numbers, bounded depth, text that is stored.

    Raises ``BadRow``.
    """
    try:
        text = octets.decode("utf-8")
        found = _DECODER.decode(text)
        _check(found, text)
    except UnicodeDecodeError:
        raise BadRow("the row is not valid UTF-8") from None
    except RecursionError:
        raise BadRow(f"the row is nested deeper than {DEPTH}") from None
    except BadRow:
        raise
    except ValueError as error:
        raise BadRow(f"the row is not valid JSON: {str(error)[:100]}") from None
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRow("the row has a member twice")
    return found


def _not_finite(text: str) -> float:
    raise BadRow(f"{text} is not a number")


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise BadRow("the row has a number that is too large")
    return found


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_not_finite)
_EXTENT: Final = json.JSONDecoder()
"""Finds where an object ends, at the speed of C."""


def _parsed(text: str, at: int) -> tuple[Any, int] | None:
    """Return an object and where it ends; ``None`` for one that is refused, which is read again to learn why."""
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError:
        return None
    except (ValueError, RecursionError):
        pass
    try:
        return None, _EXTENT.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return None


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _behind(text: str, at: int, skip: _Skip) -> int | None:
    """Return where a row ends, by its brackets alone; ``None`` where that is not there yet, and ``skip`` knows more."""
    while at < len(text):
        if skip.in_string:
            at += skip.escaped
            skip.escaped = False
            found = _STRING_END.match(text, at)
            if found is None:
                tail = len(text) - len(text.rstrip("\\"))
                skip.escaped = tail % 2 == 1
                return None
            at, skip.in_string = found.end(), False
            continue
        step = _STEP.search(text, at)
        if step is None:
            return None
        char, at = step[0], step.end()
        if char == '"':
            skip.in_string = True
        elif char in "{[":
            skip.depth += 1
        elif skip.depth == 0:
            return step.start()  # a comma or the bracket of the list: what came before was a row without any
        elif char in "}]":
            skip.depth -= 1
            if skip.depth == 0:
                return at
    return None


def _check(value: Any, text: str) -> None:
    """Refuse what no database stores. Raises ``BadRow``.

    Only an escape can be NUL or half of a pair: the parser takes no control characters, and UTF-8 has no surrogates.
    """
    if "\\u" in text or text.count("{") + text.count("[") > DEPTH:
        _check_each(value, DEPTH)


def _check_each(value: Any, depth: int) -> None:
    """Refuse NUL, lone surrogates and what is too deep. Raises ``BadRow``."""
    if isinstance(value, str):
        if "\0" in value or not _is_sound(value):
            raise BadRow("the row contains characters that are not allowed")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise BadRow(f"the row is nested deeper than {DEPTH}")
        for member in (*value, *value.values()) if isinstance(value, dict) else value:
            _check_each(member, depth - 1)


def _is_sound(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
