"""JSON on one line, which is also looked at: in a terminal, or by ``grep`` in one."""

import json
from typing import Any, Final

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_line(value: Any) -> str:
    """Return a value as a line of JSON, without its end.

    What steers a terminal, such as the C1 control characters that anybody may call themselves, or hides from a reader
    is written as an escape: whoever reads the JSON finds the same. Letters of any language stay.
    """
    line = _ENCODE(value)
    return line if line.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in line)


def _escape(char: str) -> str:
    """Return a character as JSON escapes it, which is by UTF-16."""
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
