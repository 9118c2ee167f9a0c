"""Secrets that a script is given in clear, and says again: in an error, a message or a line that it prints."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from keystead.secrecy import Secret

_MASK: Final = "***"
_SHORT: Final = 4
"""Below so many characters a secret is masked where it stands alone, and not within a longer text: a value of ``1``
would otherwise make every number unreadable."""


def secrets_in(given: Any) -> Iterator[str]:
    """Give every secret among values that a script is given: passwords, and values of the configuration."""
    if isinstance(given, Secret):
        yield given.reveal()
    elif isinstance(given, Mapping):
        yield from secrets_in(list(given.values()))
    elif isinstance(given, list | tuple):
        for each in given:
            yield from secrets_in(each)


def masked(value: Any, hidden: Iterable[str]) -> Any:
    """Return a value of JSON without the texts that must not be shown: whoever tries a script need not see them."""
    longest_first = sorted({each for each in hidden if each}, key=len, reverse=True)
    return _masked(value, longest_first) if longest_first else value


def _masked(value: Any, hidden: Sequence[str]) -> Any:
    if isinstance(value, str):
        for secret in hidden:
            if value == secret:
                return _MASK
            if len(secret) >= _SHORT:
                value = value.replace(secret, _MASK)
        return value
    if isinstance(value, dict):
        return {_masked(name, hidden): _masked(member, hidden) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each, hidden) for each in value]
    return value
