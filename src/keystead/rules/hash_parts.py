"""What hashes are written with: base64 in its dialects, parameters, the names of hash functions."""

import binascii
import hashlib
import re
from typing import Final

from keystead.rules import base64url
from keystead.rules.hash_recipes import BadHash, HashName

_ALIASES: Final[dict[HashName, tuple[str, ...]]] = {
    "md4": ("md4", "rsa-md4", "md4withrsaencryption"),
    "md5": ("md5", "rsa-md5", "md5withrsaencryption", "ssl3-md5"),
    "ripemd160": ("ripemd160", "ripemd", "rmd160", "rsa-ripemd160", "ripemd160withrsa"),
    "sha1": ("sha1", "rsa-sha1", "rsa-sha1-2", "sha1withrsaencryption", "ssl3-sha1"),
    "sha224": ("sha224", "rsa-sha224", "sha224withrsaencryption"),
    "sha256": ("sha256", "rsa-sha256", "sha256withrsaencryption"),
    "sha384": ("sha384", "rsa-sha384", "sha384withrsaencryption"),
    "sha512": ("sha512", "rsa-sha512", "sha512withrsaencryption"),
    "whirlpool": ("whirlpool",),
}
"""What OpenSSL calls them, as Auth0 takes them (auth0-behaviour 4.2), in lower case."""

NAMES: Final = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}

NOWHERE: Final = ("mdc2", "rsa-mdc2", "mdc2withrsa")
"""MDC-2 is made of DES. No library that comes with Python computes it, and nobody is known to keep passwords so."""

_PARAMETER: Final = re.compile(r"([a-z]{1,10})=([0-9]{1,12})")


def hash_name(text: str, path: str = "") -> HashName:
    """Return the hash function by one of its names. Raises ``BadHash`` for those that nobody here can compute."""
    if text.lower() in NOWHERE:
        raise BadHash("ENUM_MISMATCH", "MDC-2 cannot be computed here: the person has to reset the password", path)
    found = NAMES.get(text.lower())
    if found is None:
        raise BadHash("ENUM_MISMATCH", f"No enum match for: {text[:40]}", path)
    if found == "ripemd160" and found not in hashlib.algorithms_available:  # OpenSSL 3.0 before 3.0.7
        raise BadHash("ENUM_MISMATCH", "RIPEMD-160 is missing from the OpenSSL of this machine", path)
    return found


def octets(text: str, what: str = "hash", path: str = "") -> bytes:
    """Return the bytes of base64 in any dialect: padded or not, with ``+/``, ``-_`` or passlib's ``./``."""
    try:
        return base64url.read(text.replace(".", "+"))
    except ValueError:
        raise BadHash("PATTERN", f"The {what} is not base64", path) from None


def hex_octets(text: str, what: str = "hash", path: str = "") -> bytes:
    """Return the bytes of hexadecimal digits, in either case."""
    try:
        return binascii.unhexlify(text)
    except ValueError:
        raise BadHash("PATTERN", f"The {what} is not hexadecimal", path) from None


def parameters(text: str, *names: str) -> dict[str, int]:
    """Return parameters such as ``m=65536,t=2,p=1``, in any order. Raises ``BadHash`` where one is not of ``names``."""
    found: dict[str, int] = {}
    for each in text.split(","):
        parts = _PARAMETER.fullmatch(each)
        if parts is None or parts[1] not in names or parts[1] in found:
            raise BadHash("PATTERN", f"The parameters are not {', '.join(names)} with a whole number each")
        found[parts[1]] = int(parts[2])
    return found


def number(text: str) -> int:
    """Return a whole number of at most twelve digits."""
    if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
        raise BadHash("PATTERN", "A parameter is not a whole number of at most twelve digits")
    return int(text)


def plain(text: str, what: str = "salt") -> bytes:
    """Return text that is used as it stands: printable ASCII."""
    if not all(" " <= char <= "~" for char in text):
        raise BadHash("PATTERN", f"The {what} is not printable ASCII")
    return text.encode("ascii")


def fields(text: str, *counts: int) -> list[str]:
    """Return what stands between the dollars. Raises ``BadHash`` where it is not one of ``counts``."""
    found = text.split("$")
    if len(found) not in counts:
        raise BadHash("PATTERN", "The hash does not have the parts of its format")
    return found
