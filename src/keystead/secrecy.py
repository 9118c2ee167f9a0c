"""A value that must not be printed: passwords, tokens, cookies, keys."""

import hashlib
import traceback
from typing import Final, Generic, TypeVar

Value = TypeVar("Value", str, bytes)

_MASK: Final = "***"


class Secret(Generic[Value]):
    """Wraps a secret so that no log line, traceback, f-string or JSON encoder can show it.

    ``reveal()`` is the one way to the value: search for it to see every place that handles a secret in clear.
    There is no ``__eq__``, since comparing secrets with ``==`` leaks how much of them was right.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value: Value = value

    def reveal(self) -> Value:
        """Return the value in clear."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return _MASK

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")


def fingerprint(token: str) -> str:
    """Return the SHA-256 of a random token, in hex: what the database keeps of bearer secrets.

    Only for values of 128 random bits or more: a fast hash of a password would be no protection.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def trace_of(error: BaseException) -> str:
    """Return where an error comes from, as a traceback without its text: that may quote what must not be printed."""
    return "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__
