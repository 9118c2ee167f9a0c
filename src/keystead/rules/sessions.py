"""How long login sessions last, as an administrator decided; and what one may note about a session."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from keystead.errors import BadRequest
from keystead.rules.complaints import type_of

CookieMode = Literal["persistent", "non-persistent"]

_TOUCH: Final = timedelta(hours=1)
MOST_NOTES: Final = 25
LONGEST_NOTE: Final = 255


@dataclass(frozen=True, slots=True)
class Span:
    """The limits of a session: from when its owner last proved themselves, and since it was last used."""

    lifetime: timedelta
    idle: timedelta

    @classmethod
    def of_hours(cls, lifetime: float, idle: float) -> "Span":
        """Return hours as they were meant: a third of an hour is twenty minutes."""
        return cls(timedelta(minutes=round(lifetime * 60)), timedelta(minutes=round(idle * 60)))

    @property
    def touch(self) -> timedelta:
        """How often use is noted, at most: so that reading a session rarely writes."""
        return min(_TOUCH, self.idle / 10)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of sessions whose cookie a browser keeps when it is closed, and of the others."""

    persistent: Span = Span(timedelta(hours=168), timedelta(hours=72))
    ephemeral: Span = Span(timedelta(hours=72), timedelta(hours=24))
    mode: CookieMode = "persistent"
    """What new sessions are."""

    def of(self, *, persistent: bool) -> Span:
        """Return the limits of a session."""
        return self.persistent if persistent else self.ephemeral


def read_notes(body: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return the notes that an administrator makes about a session or a token; ``None`` for none.

    At most 25 members, with names and texts of at most 255 characters. Raises ``BadRequest`` by path.
    """
    others = [each for each in body if each != name]
    if others:
        raise BadRequest(f"Additional properties not allowed: {others[0][:100]}", path="")
    if name not in body:
        raise BadRequest(f"Missing required property: {name}", path="")
    notes = body[name]
    if notes is None:
        return None
    if not isinstance(notes, dict):
        raise BadRequest(f"Expected type object but found type {type_of(notes)}", path=name)
    if len(notes) > MOST_NOTES:
        raise BadRequest(f"Too many properties defined ({len(notes)}), maximum {MOST_NOTES}", path=name)
    for key, value in notes.items():
        _check_note(name, key, value)
    return notes


def _check_note(name: str, key: str, value: object) -> None:
    if len(key) > LONGEST_NOTE:
        raise BadRequest(f"String is too long ({len(key)} chars), maximum {LONGEST_NOTE}", path=name)
    if not isinstance(value, str):
        raise BadRequest(f"Expected type string but found type {type_of(value)}", path=f"{name}.{key[:100]}")
    if len(value) > LONGEST_NOTE:
        raise BadRequest(f"String is too long ({len(value)} chars), maximum {LONGEST_NOTE}", path=f"{name}.{key[:100]}")
