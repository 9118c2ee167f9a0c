"""Passwords as Keycloak exports them: a credential with ``credentialData`` and ``secretData``, JSON inside JSON."""

import json
from collections.abc import Mapping
from typing import Any, Final

from keystead.rules.hash_parts import octets
from keystead.rules.hash_recipes import Argon2, BadHash, HashName, ImportedHash, Pbkdf2, Recipe

_PBKDF2: Final[dict[str, HashName]] = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}
_VERSIONS: Final = {"1.0": 16, "1.3": 19}


def read(text: str) -> ImportedHash:
    """Read a credential of a user. Raises ``BadHash``.

    Older exports have everything at the top, with ``hashedSaltedValue`` for the value.
    """
    credential = _object(text, "the credential")
    if "hashedSaltedValue" in credential:
        data = credential
        secret: Mapping[str, Any] = {**credential, "value": credential["hashedSaltedValue"]}
    else:
        data = _object(credential.get("credentialData"), "credentialData")
        secret = _object(credential.get("secretData"), "secretData")
    algorithm = data.get("algorithm")
    if not isinstance(algorithm, str):
        raise BadHash("OBJECT_REQUIRED", "Missing required property: algorithm")
    salt, value, rounds = _text(secret, "salt"), _text(secret, "value"), _whole(data, "hashIterations")
    recipe: Recipe
    if algorithm in _PBKDF2:
        recipe = Pbkdf2(_PBKDF2[algorithm], rounds, octets(salt, "salt"), octets(value))
    elif algorithm == "argon2":
        recipe = _argon2(data.get("additionalParameters"), rounds, octets(salt, "salt"), octets(value))
    else:
        raise BadHash("ENUM_MISMATCH", f"No enum match for: {algorithm[:40]}")
    return ImportedHash(f"keycloak {algorithm}", _compact(data, secret), recipe)


def _argon2(given: Any, passes: int, salt: bytes, digest: bytes) -> Argon2:
    """Each parameter is a list of one text."""
    parameters = given if isinstance(given, Mapping) else {}

    def first(name: str, default: str) -> str:
        found = parameters.get(name)
        found = found[0] if isinstance(found, list) and found else found
        return found if isinstance(found, str) and len(found) <= 12 else default

    memory, lanes = first("memory", ""), first("parallelism", "1")
    version, variant = _VERSIONS.get(first("version", "1.3")), first("type", "id")
    if not (memory.isdecimal() and lanes.isdecimal() and version):
        raise BadHash("PATTERN", "The parameters of argon2 are memory, parallelism, type and version")
    if variant == "id":
        return Argon2("id", version, int(memory), passes, int(lanes), salt, digest)
    if variant == "i":
        return Argon2("i", version, int(memory), passes, int(lanes), salt, digest)
    if variant == "d":
        return Argon2("d", version, int(memory), passes, int(lanes), salt, digest)
    raise BadHash("ENUM_MISMATCH", "There is no such type of argon2")


def _compact(data: Mapping[str, Any], secret: Mapping[str, Any]) -> str:
    """Return the credential with what is needed of it, ASCII and without a byte too many."""
    kept = {name: data[name] for name in ("hashIterations", "algorithm", "additionalParameters") if data.get(name)}
    both = {"credentialData": kept, "secretData": {name: secret[name] for name in ("value", "salt")}}
    return json.dumps(both, separators=(",", ":"))


def _object(given: Any, what: str) -> Mapping[str, Any]:
    """Return an object, or the one that a text holds."""
    found = given
    if isinstance(given, str):
        try:
            found = json.loads(given)
        except (ValueError, RecursionError):
            raise BadHash("PATTERN", f"{what} is not JSON") from None
    if not isinstance(found, dict):
        raise BadHash("INVALID_TYPE", f"{what} is not an object")
    return found


def _text(holder: Mapping[str, Any], name: str) -> str:
    found = holder.get(name)
    if not isinstance(found, str):
        raise BadHash("OBJECT_REQUIRED", f"Missing required property: {name}")
    return found


def _whole(holder: Mapping[str, Any], name: str) -> int:
    found = holder.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        raise BadHash("OBJECT_REQUIRED", f"Missing required property: {name}")
    return found
