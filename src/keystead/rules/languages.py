"""Which language somebody would like, out of those that there are."""

from typing import Final

from keystead.rules.letter_texts import LANGUAGES

_MOST: Final = 20


def preferred_language(accept_language: str, otherwise: str = "en") -> str:
    """Read an ``Accept-Language`` header (RFC 9110 §12.5.4): the first of ours by weight, or ``otherwise``."""
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate(accept_language[:1000].split(",")[:_MOST]):
        tag, _, parameter = part.strip().partition(";")
        wanted.append((-_weight(parameter), position, tag.strip().lower().partition("-")[0]))
    return next((tag for weight, _, tag in sorted(wanted) if tag in LANGUAGES and weight < 0), otherwise)


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
