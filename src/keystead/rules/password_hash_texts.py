"""Hashes as texts, the way other systems write them down. docs/password-hashes.md has an example of each.

A reader gets the whole text and gives a value whose text is the same, so that what is stored is what was imported.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal

from keystead.rules import keycloak_hashes
from keystead.rules.hash_parts import fields, hash_name, hex_octets, number, octets, parameters, plain
from keystead.rules.hash_recipes import (
    DIGEST_BYTES,
    Argon2,
    BadHash,
    Bcrypt,
    Crypt,
    Digest,
    HashName,
    ImportedHash,
    Pbkdf2,
    Phpass,
    Preparation,
    Recipe,
    Scrypt,
)

Reader = Callable[[str], ImportedHash]

_LDAP: Final[dict[str, tuple[HashName, bool]]] = {
    "MD5": ("md5", False),
    "SMD5": ("md5", True),
    "SHA": ("sha1", False),
    "SHA1": ("sha1", False),
    "SSHA": ("sha1", True),
    "SSHA1": ("sha1", True),
    "SHA224": ("sha224", False),
    "SSHA224": ("sha224", True),
    "SHA256": ("sha256", False),
    "SSHA256": ("sha256", True),
    "SHA384": ("sha384", False),
    "SSHA384": ("sha384", True),
    "SHA512": ("sha512", False),
    "SSHA512": ("sha512", True),
}
"""The hash function of a scheme of RFC 2307 and its later kin, and whether a salt follows the digest."""

_PHPASS_ALPHABET: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_UNREADABLE: Final = (
    (re.compile(r"[!*]"), "This marks a password that is locked or unusable: leave the hash out"),
    (re.compile(r"\$2x\$"), "$2x$ marks hashes of a faulty bcrypt, which cannot be compared safely"),
    (re.compile(r"\$(?:y|gy|7|sm3|md5,.*)\$"), "yescrypt and its kin cannot be computed here"),
    (
        re.compile(r"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})\Z"),
        "A digest in hex says not which algorithm made it: custom_password_hash does",
    ),
)


def read(text: str) -> ImportedHash:
    """Read a hash as another system wrote it. Raises ``BadHash``: ``PATTERN`` where the format is unknown."""
    if text.startswith("{") and not text[1:2].isalnum():
        return keycloak_hashes.read(text)
    for start, reader in _READERS.items():
        if text.startswith(start):
            return reader(text)
    for start_of, reason in _UNREADABLE:
        if start_of.match(text):
            raise BadHash("PATTERN", reason)
    if re.fullmatch(r"A[A-Q][A-Za-z0-9+/]{40,1000}={0,2}", text, re.ASCII):
        return _aspnet(text)
    raise BadHash("PATTERN", "No format of a password hash that is known here")


def _bcrypt(text: str) -> ImportedHash:
    return ImportedHash("bcrypt", text, Bcrypt(text))


def argon2(text: str) -> Argon2:
    """Read the PHC string of argon2i, argon2d or argon2id. Without a version it is the first one, 16."""
    found = re.fullmatch(r"\$argon2(i|d|id)(?:\$v=([0-9]{1,3}))?\$([^$]*)\$([^$]*)\$([^$]*)", text, re.ASCII)
    if found is None:
        raise BadHash("PATTERN", "Not the PHC string of argon2: $argon2id$v=19$m=..,t=..,p=..$salt$hash")
    given = parameters(found[3], "m", "t", "p")
    if len(given) != 3:
        raise BadHash("PATTERN", "argon2 needs its parameters m, t and p")
    version = int(found[2] or 16)
    variant: Literal["i", "d", "id"] = "id" if found[1] == "id" else "i" if found[1] == "i" else "d"
    salt, digest = octets(found[4], "salt"), octets(found[5])
    return Argon2(variant, version, given["m"], given["t"], given["p"], salt, digest)


def _argon2(text: str) -> ImportedHash:
    recipe = argon2(text)
    return ImportedHash(f"argon2{recipe.variant}", text, recipe)


def pbkdf2(text: str) -> Pbkdf2:
    """Read ``$pbkdf2-<digest>$i=..,l=..$salt$hash``, or passlib's form with the bare number of rounds.

    100,000 rounds where it does not say (auth0-behaviour 4.2). ``l`` is the length of the hash, or the text is wrong.
    """
    _, kind, *given, salt, digest = fields(text, 4, 5)
    name = hash_name(kind.removeprefix("pbkdf2").removeprefix("-") or "sha1")
    stated: Mapping[str, int] = {}
    if given:
        stated = {"i": number(given[0])} if given[0].isdigit() else parameters(given[0], "i", "l")
    found = Pbkdf2(name, stated.get("i", 100_000), octets(salt, "salt"), octets(digest))
    if stated.get("l", len(found.digest)) != len(found.digest):
        raise BadHash("PATTERN", "The hash is not as long as its parameter l says")
    return found


def _pbkdf2(text: str) -> ImportedHash:
    recipe = pbkdf2(text)
    return ImportedHash(f"pbkdf2-{recipe.algorithm}", text, recipe)


def _scrypt(text: str) -> ImportedHash:
    """``ln`` is the logarithm of N in PHC strings, and N itself as Kratos writes it; no logarithm is beyond 30."""
    _, _, given, salt, digest = fields(text, 5)
    cost, block, lanes = _scrypt_parameters(given)
    return ImportedHash("scrypt", text, Scrypt(cost, block, lanes, octets(salt, "salt"), octets(digest)))


def _firebase(text: str) -> ImportedHash:
    """Firebase's scrypt with what its project adds, as Kratos writes it: salt, hash, salt separator, signer key."""
    _, _, given, salt, digest, separator, key = fields(text, 7)
    cost, block, lanes = _scrypt_parameters(given)
    salted = octets(salt, "salt") + octets(separator, "salt separator")
    recipe = Scrypt(cost, block, lanes, salted, octets(digest), octets(key, "signer key"))
    return ImportedHash("firebase scrypt", text, recipe)


def _scrypt_parameters(text: str) -> tuple[int, int, int]:
    given = parameters(text, "ln", "r", "p")
    if len(given) != 3:
        raise BadHash("PATTERN", "scrypt needs its parameters ln, r and p")
    cost = 1 << given["ln"] if given["ln"] <= 30 else given["ln"]
    return cost, given["r"], given["p"]


def _crypt(text: str) -> ImportedHash:
    names = {"$1$": "md5-crypt", "$ap": "apr1-crypt", "$5$": "sha256-crypt", "$6$": "sha512-crypt"}
    return ImportedHash(names[text[:3]], text, Crypt(text))


def _kratos_crypt(text: str) -> ImportedHash:
    for long, short in {"$md5-crypt$": "$1$", "$sha256-crypt$": "$5$", "$sha512-crypt$": "$6$"}.items():
        if text.startswith(long):
            return _as(f"kratos {long.strip('$')}", text, _crypt(short + text.removeprefix(long)))
    raise BadHash("PATTERN", "Not a hash of crypt")


def _phpass(text: str) -> ImportedHash:
    if not re.fullmatch(r"\$[PH]\$[./0-9A-Za-z]{31}", text, re.ASCII):
        raise BadHash("PATTERN", "A hash of phpass has 34 characters of ./0-9A-Za-z after $P$ or $H$")
    rounds = _PHPASS_ALPHABET.index(text[3])
    return ImportedHash("phpass", text, Phpass(rounds, text[4:12].encode("ascii"), _phpass_digest(text[12:])))


def _phpass_digest(text: str) -> bytes:
    """Return sixteen bytes of the alphabet of phpass: three at a time, the lowest six bits first."""
    values = [_PHPASS_ALPHABET.index(char) for char in text]
    groups = [values[start : start + 4] for start in range(0, len(values), 4)]
    whole = b"".join(
        sum(value << (6 * place) for place, value in enumerate(group)).to_bytes(3, "little") for group in groups
    )
    if whole[16:].strip(b"\0"):
        raise BadHash("PATTERN", "The last character of a hash of phpass is one of . / 0 1")
    return whole[:16]


def _wordpress(text: str) -> ImportedHash:
    return ImportedHash("wordpress bcrypt", text, Bcrypt(text.removeprefix("$wp")), Preparation(first="wordpress"))


def ldap(text: str) -> ImportedHash:
    """Read ``{SCHEME}base64``: MD5, SHA and their salted kin; the digest comes first, the salt is the rest."""
    scheme, brace, rest = text[1:].partition("}")
    found = _LDAP.get(scheme.upper().replace("-", ""))
    if found is None or not brace:
        raise BadHash("PATTERN", "No scheme of LDAP that is known here: MD5, SMD5, SHA, SSHA and longer ones are")
    (name, salted), whole = found, octets(rest)
    size = DIGEST_BYTES[name]
    if salted != (len(whole) > size):
        raise BadHash("PATTERN", f"A hash of {scheme} has {size} bytes, and a salt after them or not by its scheme")
    recipe = Digest(name, whole[:size])
    return ImportedHash(f"ldap {scheme.lower()}", text, recipe, Preparation(after=whole[size:]))


def _braces(text: str) -> ImportedHash:
    """LDAP's schemes; of those that hold another text, ``{CRYPT}``, and Spring's ``{bcrypt}`` and ``{argon2}``."""
    scheme, _, rest = text[1:].partition("}")
    inner = {"CRYPT": ("$1$", "$5$", "$6$", "$2"), "BCRYPT": ("$2",), "ARGON2": ("$argon2",)}.get(scheme.upper())
    if scheme.upper() == "NOOP":
        raise BadHash("PATTERN", "{noop} is a password in clear, and no hash")
    if inner is None:
        return ldap(text)
    if not rest.startswith(inner):
        raise BadHash("PATTERN", f"Within {{{scheme.upper()}}} a hash begins with {' or '.join(inner)}")
    return _as(None, text, read(rest))


def _django_pbkdf2(text: str) -> ImportedHash:
    kind, rounds, salt, digest = fields(text, 4)
    name: HashName = "sha256" if kind == "pbkdf2_sha256" else "sha1"
    return ImportedHash(f"django {kind}", text, Pbkdf2(name, number(rounds), plain(salt), octets(digest)))


def _django_scrypt(text: str) -> ImportedHash:
    _, cost, salt, block, lanes, digest = fields(text, 6)
    recipe = Scrypt(number(cost), number(block), number(lanes), plain(salt), octets(digest))
    return ImportedHash("django scrypt", text, recipe)


def _django_wrapped(text: str) -> ImportedHash:
    """Its argon2 and bcrypt: the name of the hasher, a dollar, and the text of the library."""
    kind, _, rest = text.partition("$")
    return _as(f"django {kind}", text, _argon2(f"${rest}") if kind == "argon2" else _bcrypt(rest))


def _django_bcrypt_sha256(text: str) -> ImportedHash:
    recipe = Bcrypt(text.removeprefix("bcrypt_sha256$"))
    return ImportedHash("django bcrypt_sha256", text, recipe, Preparation(first="sha256"))


def _django_digest(text: str) -> ImportedHash:
    kind, salt, digest = fields(text, 3)
    recipe = Digest(hash_name(kind), hex_octets(digest))
    return ImportedHash(f"django {kind}", text, recipe, Preparation(before=plain(salt)))


def _werkzeug(text: str) -> ImportedHash:
    method, salt, digest = fields(text, 3)
    kind, *given = method.split(":")
    recipe: Recipe
    if kind == "scrypt" and len(given) == 3:
        cost, block, lanes = (number(each) for each in given)
        recipe = Scrypt(cost, block, lanes, plain(salt), hex_octets(digest))
    elif kind == "pbkdf2" and len(given) == 2:
        recipe = Pbkdf2(hash_name(given[0]), number(given[1]), plain(salt), hex_octets(digest))
    else:
        raise BadHash("PATTERN", "Not Werkzeug's scrypt:N:r:p or pbkdf2:digest:rounds")
    return ImportedHash(f"werkzeug {kind}", text, recipe)


def _kratos_digest(text: str) -> ImportedHash:
    """``$sha256$pf=<pattern>$salt$hash``, or ``$md5$hash``. The pattern says where salt and password go, in base64."""
    _, kind, *given, digest = fields(text, 3, 5)
    preparation = Preparation()
    if given:
        pattern, salt = octets(given[0].removeprefix("pf="), "pattern"), octets(given[1], "salt")
        before, password, after = pattern.partition(b"{PASSWORD}")
        if not password or b"{PASSWORD}" in after:
            raise BadHash("PATTERN", "The pattern has {PASSWORD} in it once")
        preparation = Preparation(before=before.replace(b"{SALT}", salt), after=after.replace(b"{SALT}", salt))
    return ImportedHash(f"kratos {kind}", text, Digest(hash_name(kind), octets(digest)), preparation)


def _kratos_hmac(text: str) -> ImportedHash:
    """``$hmac-sha256$hash$key``, where the hash is the base64 of hexadecimal digits."""
    _, kind, digest, key = fields(text, 4)
    digits = octets(digest).decode("ascii", "replace")
    recipe = Digest(hash_name(kind.removeprefix("hmac-")), hex_octets(digits), octets(key, "key"))
    return ImportedHash(f"kratos {kind}", text, recipe)


def _aspnet(text: str) -> ImportedHash:
    """ASP.NET Identity: a byte of the version, in 3 a header of three numbers, the salt, the hash."""
    whole = octets(text)
    if whole[0] == 0 and len(whole) == 49:
        return ImportedHash("aspnet identity v2", text, Pbkdf2("sha1", 1000, whole[1:17], whole[17:]))
    function, rounds, salt = (int.from_bytes(whole[at : at + 4], "big") for at in (1, 5, 9))
    names: dict[int, HashName] = {0: "sha1", 1: "sha256", 2: "sha512"}
    if whole[0] != 1 or function not in names or salt < 8:
        raise BadHash("PATTERN", "Not a hash of ASP.NET Identity, version 2 or 3")
    recipe = Pbkdf2(names[function], rounds, whole[13 : 13 + salt], whole[13 + salt :])
    return ImportedHash("aspnet identity v3", text, recipe)


def _as(name: str | None, text: str, inner: ImportedHash) -> ImportedHash:
    """Return a hash that was found inside another text."""
    return ImportedHash(name or inner.name, text, inner.recipe, inner.preparation)


_READERS: Final[dict[str, Reader]] = {
    "{": _braces,
    **dict.fromkeys(("$2a$", "$2b$", "$2y$"), _bcrypt),
    "$argon2": _argon2,
    "$pbkdf2": _pbkdf2,
    "$scrypt$": _scrypt,
    "$firescrypt$": _firebase,
    **dict.fromkeys(("$1$", "$apr1$", "$5$", "$6$"), _crypt),
    **dict.fromkeys(("$md5-crypt$", "$sha256-crypt$", "$sha512-crypt$"), _kratos_crypt),
    **dict.fromkeys(("$P$", "$H$"), _phpass),
    "$wp$2": _wordpress,
    **dict.fromkeys(("$md5$", "$sha1$", "$sha256$", "$sha512$"), _kratos_digest),
    "$hmac-": _kratos_hmac,
    **dict.fromkeys(("pbkdf2_sha256$", "pbkdf2_sha1$"), _django_pbkdf2),
    "scrypt$": _django_scrypt,
    **dict.fromkeys(("argon2$", "bcrypt$"), _django_wrapped),
    "bcrypt_sha256$": _django_bcrypt_sha256,
    **dict.fromkeys(("md5$", "sha1$"), _django_digest),
    **dict.fromkeys(("scrypt:", "pbkdf2:"), _werkzeug),
}
