"""Dates and times as searches write them: each means all of the year, the day or the millisecond that it names."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from keystead.rules.lucene import Match, Pattern, Range, wrong

_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")
_MOMENT: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6})\d*)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?"
)
_LEAST: Final = (1, 1, 1, 0, 0, 0)
"""What a date or time has where it names less."""
_SIZES: Final = {3: timedelta(days=1), 5: timedelta(minutes=1)}
"""How long it takes, by how many of year, month, day, hour, minute and second it names."""
_END: Final = datetime.max.replace(tzinfo=UTC)


def bounds(match: Match, *, name: str = "q") -> tuple[datetime | None, datetime | None]:
    """Return the first moment that is meant, and the first after it that is not; ``None`` where there is no bound.

    ``name`` is the parameter that the query came in. Raises ``InvalidQuery``, which says where.
    """
    value = match.value
    if isinstance(value, Pattern):
        raise wrong(match.at, f"wildcards are not available for {match.field}", name=name)
    if not isinstance(value, Range):
        value = Range(value.text, value.text)
    low = None if value.low is None else _read(value.low, match, name)[0 if value.with_low else 1]
    high = None if value.high is None else _read(value.high, match, name)[1 if value.with_high else 0]
    return low, high


def _read(text: str, match: Match, name: str) -> tuple[datetime, datetime]:
    """Return when a date or time begins, and when it is over."""
    found = _MOMENT.fullmatch(_DATE.sub(r"\1-\2-\3", text) if _DATE.fullmatch(text) else text)
    try:
        if found is None:
            raise ValueError(text)
        return _span(found)
    except (ValueError, OverflowError):
        why = f"'{text[:40]}' is not a date such as 2026-01-31 or 2026-01-31T12:00:00Z"
        raise wrong(match.at, why, name=name) from None


def _span(found: re.Match[str]) -> tuple[datetime, datetime]:
    parts = [int(each) for each in found.groups()[:6] if each]
    given, fraction = len(parts), found[7] or ""
    zone = datetime.strptime(found[8], "%z").tzinfo if found[8] else UTC
    year, month, day, hour, minute, second = (*parts, *_LEAST[given:])
    begin = datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    begin += timedelta(microseconds=int(fraction.ljust(6, "0")))
    if given < len(("year", "month", "day")):
        last = begin.year == _END.year
        return begin, _END if last else _months_later(begin, 1 if given > 1 else 12)
    size = _SIZES.get(given, timedelta(microseconds=10 ** (6 - len(fraction))))
    return begin, min(begin, _END - size) + size


def _months_later(begin: datetime, months: int) -> datetime:
    years, month = divmod(begin.month - 1 + months, 12)
    return begin.replace(year=begin.year + years, month=month + 1)
