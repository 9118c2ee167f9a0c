"""Hashes that other systems made, as frozen values: read, named, stored, and read again at a login.

    read_custom(object)   Auth0's ``custom_password_hash`` (auth0-behaviour 4.2)
    read_text(text)       a text as people leave other systems with: bcrypt, PHC, crypt, LDAP, Django, Firebase, ...
    ImportedHash          ``.stored()``, ``.name``, ``.milliseconds``
    of_stored(text)       what ``account.password_hash`` holds, as such a value
    is_native(text)       whether that is plain bcrypt, as of a password that was set here
    BadHash               the one refusal of all of them: ``.code`` (4.4), ``.path``, ``.text``

Each format has an example in docs/password-hashes.md. Nothing here computes a hash.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from keystead.rules import custom_password_hashes, password_hash_texts
from keystead.rules.hash_recipes import BadHash, ImportedHash

__all__ = ["BadHash", "ImportedHash", "is_native", "of_stored", "read_custom", "read_text"]

STORED_CHARS: Final = 4000
"""What ``account.password_hash`` takes."""

_NATIVE: Final = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
"""With a salt as bcrypt writes it: of its last character two bits count, and bcrypt of today refuses the others."""


def read_custom(given: Mapping[str, Any]) -> ImportedHash:
    """Read the ``custom_password_hash`` of a row. Raises ``BadHash``, by path below the object (``hash.encoding``)."""
    return _storable(custom_password_hashes.read(given))


def read_text(text: str) -> ImportedHash:
    """Read a hash as another system wrote it. Raises ``BadHash``: ``PATTERN`` where the format is unknown."""
    if not isinstance(text, str):
        raise BadHash("INVALID_TYPE", "A hash is a text")
    if len(text) > STORED_CHARS:
        raise BadHash("MAX_LENGTH", f"String is too long ({len(text)} chars), maximum {STORED_CHARS}")
    return _storable(password_hash_texts.read(text.strip()))


def of_stored(text: str) -> ImportedHash:
    """Read back what ``stored`` gave. Raises ``BadHash`` for anything else, the mark of a password kept elsewhere too.

    The bounds hold again: what a backup or another program put into the table is no better than a file.
    """
    if not text.startswith(custom_password_hashes.PREFIX) or len(text) > STORED_CHARS:
        return read_text(text)
    try:
        return read_custom(json.loads(text.removeprefix(custom_password_hashes.PREFIX)))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, BadHash) else BadHash("PATTERN", "Not an object of Auth0") from None


def is_native(text: str) -> bool:
    """Whether a stored text is plain bcrypt, as of a password that was set here.

    A row's ``password_hash`` is stored as one; whatever came as ``custom_password_hash`` is none, bcrypt or not, until
    it was used for the first time. An upsert may replace the latter only (IM-10).
    """
    return _NATIVE.fullmatch(text) is not None


def _storable(found: ImportedHash) -> ImportedHash:
    if len(found.stored()) > STORED_CHARS:
        raise BadHash("MAX_LENGTH", f"The hash with its parameters is longer than {STORED_CHARS} characters")
    return found
