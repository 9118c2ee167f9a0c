"""Run by the clients' interpreter: makes objects of its packages and calls them, as each line of JSON asks.

``{"make": "auth0.authentication.Users", "named": {...}}`` is answered by ``{"answer": 0}``, the number of the object;
``{"on": 0, "path": "userinfo", "positional": [...], "named": {...}}`` by ``{"answer": ...}`` or by ``{"raised": ...}``.
An argument ``{"object": 0}`` is the object with that number.
"""

import importlib
import json
import sys
from datetime import datetime
from functools import reduce
from typing import Any

MADE: list[Any] = []


def do(asked: dict[str, Any]) -> Any:
    """Make or call what a line asks for."""
    positional = [_argument(each) for each in asked.get("positional", ())]
    named = {name: _argument(value) for name, value in asked.get("named", {}).items()}
    if "make" in asked:
        module, name = asked["make"].rsplit(".", 1)
        MADE.append(getattr(importlib.import_module(module), name)(*positional, **named))
        return len(MADE) - 1
    found = reduce(getattr, asked["path"].split("."), MADE[asked["on"]])
    return _plain(found(*positional, **named))


def _argument(value: Any) -> Any:
    return MADE[value["object"]] if isinstance(value, dict) and set(value) == {"object"} else value


def _plain(value: Any) -> Any:
    """Turn what a client returned into JSON: models into objects, pagers into all that is on their pages."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(by_alias=True))
    return [_plain(each) for each in value] if hasattr(value, "__iter__") else str(value)


def _told(raised: Exception) -> dict[str, Any]:
    about = {name: _plain(getattr(raised, name, None)) for name in ("status_code", "error_code", "error", "body")}
    return {"kind": type(raised).__name__, "text": str(raised)} | about


def main() -> None:
    """Answer until there are no more lines."""
    for line in sys.stdin:
        try:
            answer = {"answer": do(json.loads(line))}
        except Exception as raised:  # noqa: BLE001 - whatever the client raises is for the test to judge
            answer = {"raised": _told(raised)}
        print(json.dumps(answer), flush=True)


main()
