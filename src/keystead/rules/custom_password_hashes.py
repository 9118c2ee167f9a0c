"""Auth0's ``custom_password_hash``: eleven algorithms, each with its own members (auth0-behaviour 4.2)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, get_args

from keystead.rules import password_hash_texts as texts
from keystead.rules.hash_parts import hash_name, hex_octets, octets
from keystead.rules.hash_recipes import BadHash, Bcrypt, Digest, Encoding, HashName, ImportedHash, Preparation, Scrypt

PREFIX: Final = "auth0$"
"""What a stored object begins with."""

_DIGESTS: Final[tuple[HashName, ...]] = ("md4", "md5", "sha1", "sha256", "sha512")
_HMAC: Final = ("md4", "md5", "ripemd160", "sha1", "sha224", "sha256", "sha384", "sha512", "whirlpool")
_ENCODINGS: Final = ("base64", "hex", "utf8")
_SCRYPT: Final = ("keylen", "cost", "blockSize", "parallelization")
_TYPES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_MOST_CHARS: Final = 2000

Object = Mapping[str, Any]

_PASSWORDS: Final = get_args(Encoding)
_as_json: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
"""ASCII, and the same for the same object in whatever order it was written."""


def read(given: Object) -> ImportedHash:
    """Read the object. Raises ``BadHash`` with the path of the member below it."""
    _members(given, "", ("algorithm", "hash"), ("salt", "password", *_SCRYPT))
    algorithm = _one_of(given, "algorithm", "", _ALGORITHMS)
    hash_, salt = _inner(given, "hash", ("value",), ("encoding", "digest", "key")), _salt(given)
    _refuse_foreign(algorithm, given, hash_)
    encoding: Encoding = "utf8"
    if "password" in given:
        password = _inner(given, "password", (), ("encoding",))
        encoding = _one_of(password, "encoding", "password", _PASSWORDS, "utf8")  # type: ignore[assignment]
    try:
        found = _READERS[algorithm](given, hash_, salt)
    except BadHash as bad:
        # The texts of PHC and LDAP know nothing of the object around them.
        raise bad.at(
            {"": "hash.value", "salt": "salt.value", "key": "hash.key.value"}.get(bad.path, bad.path)
        ) from None
    preparation = found.preparation
    if encoding != "utf8":
        preparation = replace(preparation, encoding=encoding)
    return ImportedHash(f"custom {found.name}", PREFIX + _as_json(given), found.recipe, preparation)


def _refuse_foreign(algorithm: str, given: Object, hash_: Object) -> None:
    """Refuse members that belong to another algorithm (``not`` in Auth0's schema)."""
    foreign = ["salt"] if algorithm in ("argon2", "ldap", "pbkdf2") else []
    foreign += _SCRYPT if algorithm != "scrypt" else ()
    for name in foreign:
        if name in given:
            raise BadHash("NOT_PASSED", 'Data matches schema from "not"', name)
    for name in ("digest", "key"):
        if name in hash_ and algorithm != "hmac":
            raise BadHash("NOT_PASSED", 'Data matches schema from "not"', f"hash.{name}")


def _text_of(hash_: Object) -> str:
    """Return the value where only text is allowed."""
    _one_of(hash_, "encoding", "hash", ("utf8",), "utf8")
    return _string(hash_, "value", "hash")


def _octets_of(hash_: Object) -> bytes:
    """Return the value where it is hexadecimal or base64."""
    encoding = _one_of(hash_, "encoding", "hash", ("hex", "base64"))
    return _decoded(_string(hash_, "value", "hash"), encoding, "hash", "hash.value")


def _argon2(_: Object, hash_: Object, __: Preparation) -> ImportedHash:
    recipe = texts.argon2(_text_of(hash_))
    return ImportedHash(f"argon2{recipe.variant}", "", recipe)


def _bcrypt(_: Object, hash_: Object, salt: Preparation) -> ImportedHash:
    return ImportedHash("bcrypt", "", Bcrypt(_text_of(hash_)), salt)


def _ldap(_: Object, hash_: Object, __: Preparation) -> ImportedHash:
    text = _text_of(hash_)
    if not text.startswith("{"):
        raise BadHash("PATTERN", "A hash of LDAP begins with its scheme in braces")
    return texts.ldap(text)


def _pbkdf2(_: Object, hash_: Object, __: Preparation) -> ImportedHash:
    text = _text_of(hash_)
    if not text.startswith("$pbkdf2-"):
        raise BadHash("PATTERN", "Not the PHC string of PBKDF2: $pbkdf2-<digest>$i=..,l=..$salt$hash")
    recipe = texts.pbkdf2(text)
    return ImportedHash(f"pbkdf2-{recipe.algorithm}", "", recipe)


def _hmac(_: Object, hash_: Object, salt: Preparation) -> ImportedHash:
    for name in ("digest", "key"):
        if name not in hash_:
            raise BadHash("OBJECT_REQUIRED", f"Missing required property: {name}", f"hash.{name}")
    name = hash_name(_one_of(hash_, "digest", "hash", _HMAC))
    key = _inner(hash_, "key", ("value",), ("encoding",), "hash.")
    encoding = _one_of(key, "encoding", "hash.key", _ENCODINGS, "utf8")
    secret = _decoded(_string(key, "value", "hash.key"), encoding, "key", "hash.key.value")
    return ImportedHash(f"hmac-{name}", "", Digest(name, _octets_of(hash_), secret), salt)


def _digest(given: Object, hash_: Object, salt: Preparation) -> ImportedHash:
    name = hash_name(given["algorithm"])
    return ImportedHash(name, "", Digest(name, _octets_of(hash_)), salt)


def _scrypt(given: Object, hash_: Object, salt: Preparation) -> ImportedHash:
    """Its salt is its own, wherever the position says that it stands."""
    digest, length = _octets_of(hash_), _whole(given, "keylen", None)
    if length < 1:
        raise BadHash("MINIMUM", "Value of keylen is less than minimum 1", "keylen")
    if length != len(digest):
        raise BadHash("PATTERN", "The hash is not as long as keylen says", "hash.value")
    cost, block, lanes = (
        _whole(given, "cost", 16384),
        _whole(given, "blockSize", 8),
        _whole(given, "parallelization", 1),
    )
    return ImportedHash("scrypt", "", Scrypt(cost, block, lanes, salt.before + salt.after, digest))


_READERS: Final[dict[str, Callable[[Object, Object, Preparation], ImportedHash]]] = {
    "argon2": _argon2,
    "bcrypt": _bcrypt,
    "hmac": _hmac,
    "ldap": _ldap,
    **dict.fromkeys(_DIGESTS, _digest),
    "pbkdf2": _pbkdf2,
    "scrypt": _scrypt,
}
_ALGORITHMS: Final = tuple(_READERS)


def _salt(given: Object) -> Preparation:
    """Return the salt at its place, beside the password."""
    if "salt" not in given:
        return Preparation()
    salt = _inner(given, "salt", ("value",), ("encoding", "position"))
    encoding = _one_of(salt, "encoding", "salt", _ENCODINGS, "utf8")
    value = _decoded(_string(salt, "value", "salt"), encoding, "salt", "salt.value")
    try:
        if _one_of(salt, "position", "salt", ("prefix", "suffix"), "prefix") == "prefix":
            return Preparation(before=value)
        return Preparation(after=value)
    except BadHash as bad:
        raise bad.at("salt.value" if bad.path == "salt" else bad.path) from None


def _decoded(text: str, encoding: str, what: str, path: str) -> bytes:
    if encoding == "hex":
        return hex_octets(text, what, path)
    if encoding == "base64":
        return octets(text, what, path)
    return text.encode("utf-8")


def _members(given: Any, path: str, required: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    """Hold an object to its members."""
    if not isinstance(given, dict):
        raise BadHash("INVALID_TYPE", f"Expected type object but found type {_type(given)}", path)
    below = f"{path}." if path else ""
    for name in required:
        if name not in given:
            raise BadHash("OBJECT_REQUIRED", f"Missing required property: {name}", f"{below}{name}")
    for name in given:
        if name not in required and name not in allowed:
            raise BadHash("NOT_PASSED", f"Additional properties not allowed: {str(name)[:40]}", path)


def _inner(given: Object, name: str, required: tuple[str, ...], allowed: tuple[str, ...], below: str = "") -> Object:
    found = given.get(name, {})
    _members(found, f"{below}{name}", required, allowed)
    inner: Object = found
    return inner


def _string(holder: Object, name: str, below: str) -> str:
    path, found = f"{below}.{name}" if below else name, holder.get(name)
    if not isinstance(found, str):
        raise BadHash("INVALID_TYPE", f"Expected type string but found type {_type(found)}", path)
    if len(found) > _MOST_CHARS:
        raise BadHash("MAX_LENGTH", f"String is too long ({len(found)} chars), maximum {_MOST_CHARS}", path)
    if not found.isascii() and any("\ud800" <= char <= "\udfff" for char in found):
        raise BadHash("PATTERN", "Half a character of UTF-16 stands for none", path)
    return found


def _one_of(holder: Object, name: str, below: str, known: tuple[str, ...], default: str | None = None) -> str:
    path = f"{below}.{name}" if below else name
    if name not in holder and default is not None:
        return default
    if name not in holder:
        raise BadHash("OBJECT_REQUIRED", f"Missing required property: {name}", path)
    found = _string(holder, name, below)
    if found not in known:
        raise BadHash("ENUM_MISMATCH", f"No enum match for: {found[:40]}", path)
    return found


def _whole(holder: Object, name: str, default: int | None) -> int:
    """Return a whole number; JSON's ``1.0`` is one."""
    found = holder.get(name, default)
    if found is None and name not in holder:
        raise BadHash("OBJECT_REQUIRED", f"Missing required property: {name}", name)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool):
        raise BadHash("INVALID_TYPE", f"Expected type integer but found type {_type(found)}", name)
    return found


def _type(value: Any) -> str:
    return "null" if value is None else _TYPES.get(type(value), "object")
