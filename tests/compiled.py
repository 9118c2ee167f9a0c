"""Statements that are compiled once for a whole run.

Every test has a database of its own, and so engines of its own, each of which would compile whatever it is asked
again: a quarter of all that the suite has to do.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event

_DIALECTS: dict[str, Any] = {}
"""The first of each kind: what was compiled is found again by the dialect that it was compiled for."""
_COMPILED: dict[str, dict[Any, Any]] = {}


def compile_once() -> None:
    """Let all connections to databases of one kind use what was compiled for any of them."""

    @event.listens_for(Engine, "engine_connect")
    def on_connect(connection: Connection) -> None:
        name = connection.dialect.name
        connection.dialect = _DIALECTS.setdefault(name, connection.dialect)
        connection.execution_options(compiled_cache=_COMPILED.setdefault(name, {}))
