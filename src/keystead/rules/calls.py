"""Calls of the Management API, as whoever makes them writes them down; and what an answer that is a refusal says."""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

BASE: Final = "/api/v2"
_PLACE: Final = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the Management API. ``path`` is in full, written as it goes over the wire."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: object | None = None
    file: "Upload | None" = None
    """What is sent instead of a body, as it is read."""

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{self.encoded_query}" if self.query else self.path

    @property
    def encoded_query(self) -> str:
        """The query as it goes over the wire."""
        return urlencode(self.query)

    @property
    def content(self) -> bytes:
        """The body as it goes over the wire; empty where there is none."""
        return b"" if self.body is None else json.dumps(self.body).encode()

    def headers(self, agent: str) -> dict[str, str]:
        """Return the headers that every call has."""
        media = "application/json" if self.file is None else self.file.media
        of_body = {} if self.body is None and self.file is None else {"content-type": media}
        return {"user-agent": agent, "accept": "application/json", **of_body}


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is larger than memory."""

    media: str
    pieces: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body may still be on its way."""

    status: int
    body: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_refusal(self) -> bool:
        """Whether nothing came of it."""
        return self.status >= 400


def call_of(route: str, ids: Sequence[str], query: Mapping[str, object], body: object | None) -> Call:
    """Return a call of a route such as ``GET /users/{id}``; ``ids`` take the places of what it leaves open.

    What the query says ``None`` to is left out.
    """
    method, _, template = route.partition(" ")
    parts = iter(ids)
    path = _PLACE.sub(lambda _: quote(next(parts), safe="~"), template)
    said = tuple((name, text_of(value)) for name, value in query.items() if value is not None)
    return Call(method, BASE + path, said, body)


def text_of(value: object) -> str:
    """Return how a value is written in a query."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def refusal(status: int, body: bytes) -> str:
    """Return what an answer says went wrong, in one line: its message, and its code where it has one."""
    found = json_of(body)
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        return f"the answer is {status}, and says no more"
    code = found.get("errorCode")
    return f"{found['message']} ({code})" if isinstance(code, str) else found["message"]


def json_of(body: bytes) -> Any:
    """Return what a body says; ``None`` where it is no JSON."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
