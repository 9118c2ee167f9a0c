"""What is counted of each day, and which days are asked for (``/stats/daily``)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from keystead.errors import InvalidQuery

COUNTED: Final[Mapping[str, str]] = {
    "s": "logins",
    "ss": "signups",
    "pwd_leak": "leaked_passwords",
    "signup_pwd_leak": "leaked_passwords",
    "reset_pwd_leak": "leaked_passwords",
}
"""Which events count as what."""

MOST_DAYS: Final = 1000
USUAL_DAYS: Final = 30
ACTIVE: Final = timedelta(days=30)
"""Whoever signed in within this time is an active user."""

SETTLED: Final = timedelta(hours=1)
"""How long after its end a day is summed up: whatever began on it is committed by then."""

_FIRST: Final = date(1970, 1, 1)
_DAY: Final = re.compile(r"\d{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened on one day, in UTC."""

    day: date
    logins: int = 0
    signups: int = 0
    leaked_passwords: int = 0
    summed_at: datetime | None = None
    """When it was summed up for good; ``None`` while it may still change."""


def counts(day: date, by_type: Mapping[str, int], summed_at: datetime | None = None) -> Counts:
    """Return what the events of a day come to."""
    sums = {"logins": 0, "signups": 0, "leaked_passwords": 0}
    for kind, number in by_type.items():
        sums[COUNTED[kind]] += number
    return Counts(day, **sums, summed_at=summed_at)


def start_of(day: date) -> datetime:
    """Return when a day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days(first: date, last: date) -> Iterator[date]:
    """Return the days from one to another, both included."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def last_settled(now: datetime) -> date:
    """Return the last day of which nothing can come any more."""
    return (now - SETTLED).astimezone(UTC).date() - timedelta(days=1)


def asked_for(first: str | None, last: str | None, now: datetime) -> tuple[date, date]:
    """Read ``from`` and ``to``, such as ``20260131``. Raises ``InvalidQuery``."""
    to = _day("to", last) or now.astimezone(UTC).date()
    since = _day("from", first) or to - timedelta(days=USUAL_DAYS)
    if since > to:
        raise InvalidQuery("from must not be after to", path="from")
    if (to - since).days >= MOST_DAYS:
        raise InvalidQuery(f"At most {MOST_DAYS} days can be asked for", path="from")
    return since, to


def _day(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else date.min
    except ValueError:
        found = date.min
    if found < _FIRST:
        raise InvalidQuery(f"Must be a day such as 20260131: {text[:100]}", path=name)
    return found
