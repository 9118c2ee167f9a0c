"""``options.configuration``: secrets of a connection, taken in clear and shown as nothing but ciphertext (CN-7)."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

MEMBER: Final = "configuration"
MAX_VALUES: Final = 100
MAX_VALUE: Final = 4096
"""Characters of a value in clear."""

_PREFIX: Final = "2.0$"
_CIPHERTEXT: Final = re.compile(r"2\.0\$(?:[0-9a-f]{2}){28,33000}")
"""At least a nonce and a tag; at most what four bytes for each character make of the longest value."""


def _value(text: str) -> str:
    if len(text) > MAX_VALUE and not is_ciphertext(text):
        raise ValueError(f"String is too long ({len(text)} chars), maximum {MAX_VALUE}")
    return text


Configuration = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, AfterValidator(_value)] | None],
    Field(max_length=MAX_VALUES),
]
"""Names and values, as a request has them; ``null`` is the same as absent."""


def is_ciphertext(text: str) -> bool:
    """Whether a value has the form of those that are shown."""
    return _CIPHERTEXT.fullmatch(text) is not None


def as_ciphertext(sealed: bytes) -> str:
    """Return a sealed value as it is stored and shown."""
    return _PREFIX + sealed.hex()


def sealed_in(ciphertext: str) -> bytes:
    """Return the sealed value that a ciphertext is written from."""
    return bytes.fromhex(ciphertext.removeprefix(_PREFIX))


def purpose_of(connection_id: str, name: str) -> str:
    """Return what a value is sealed for: this name of this connection alone.

    A ciphertext that is carried elsewhere opens nothing there. Otherwise whoever may write one connection could have
    its scripts read the secrets of another.
    """
    return f"connection configuration/{connection_id}/{name}"


def values_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the names and values of some options."""
    return {name: value for name, value in (options.get(MEMBER) or {}).items() if value is not None}
