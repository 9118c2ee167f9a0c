"""Secrets that a script is given in clear, and says again: in an error, a message or a line that it prints."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote, quote_plus

from keystead.rules.action_scripts import ScriptRefusal
from keystead.secrecy import Secret

_MASK: Final = "***"
_SHORT: Final = 4
"""Below so many characters a secret is masked where it stands alone, and not within a longer text: a value of ``1``
would otherwise make every number unreadable."""

_Spelling = Callable[[str], str]
_ESCAPED: Final[Sequence[_Spelling]] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"'),  # within other quotes, by Node.js
    lambda text: repr(text)[1:-1],
    lambda text: repr(text.encode("utf-8", "replace"))[2:-1],
)
"""How errors and printed objects spell a text: as JSON, Python and Node.js do."""
_QUOTED: Final[Sequence[_Spelling]] = (
    partial(quote, safe="", errors="replace"),
    partial(quote, safe="!'()*", errors="replace"),  # encodeURIComponent
    partial(quote_plus, errors="replace"),
)
"""How addresses and forms spell it."""


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
    """Return a value of JSON without the texts that must not be shown: whoever tries a script need not see them.

    Nor is any of their lines shown, since what is printed comes line by line, nor what escaping makes of them.
    """
    longest_first = sorted({each for secret in hidden if secret for each in _spelled(secret)}, key=len, reverse=True)
    return _masked(value, longest_first) if longest_first else value


def masked_refusal(refusal: ScriptRefusal, hidden: Iterable[str]) -> ScriptRefusal:
    """Return a refusal without them, to be shown. Nothing may be decided by it: a code can be somebody's password."""
    message, code, user_id = masked([refusal.message, refusal.code, refusal.user_id], hidden)
    return replace(refusal, message=message, code=code, user_id=user_id)


def _spelled(secret: str) -> Iterator[str]:
    yield secret
    if len(secret) < _SHORT:
        return
    yield from (spell(secret) for spell in (*_ESCAPED, *_QUOTED))
    for line in map(str.strip, secret.splitlines()):
        if len(line) >= _SHORT:
            yield line
            yield from (spell(line) for spell in _ESCAPED)


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
