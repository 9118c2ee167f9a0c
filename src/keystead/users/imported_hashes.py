"""Hashes of other systems, computed again for one typed password and compared in constant time.

Everything here blocks, for seconds at the bounds of ``rules/hash_recipes``: it runs in the threads of
``users/hashing``.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import bcrypt
from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from passlib.hash import apr_md5_crypt, md5_crypt, sha256_crypt, sha512_crypt

from keystead.rules.hash_recipes import (
    DIGEST_BYTES,
    Argon2,
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
from keystead.users.md4 import md4, pbkdf2_md4
from keystead.users.whirlpool import whirlpool

_BCRYPT_BYTES: Final = 72
_CRYPT_BYTES: Final = 512
"""The longest password that crypt and phpass get: they hash all of it in every one of their rounds."""
_BLOCK: Final = 64
"""Bytes of a block of MD4 and of Whirlpool."""
_CODECS: Final = {
    "ascii": "ascii",
    "utf8": "utf-8",
    "utf16le": "utf-16-le",
    "ucs2": "utf-16-le",
    "latin1": "latin-1",
    "binary": "latin-1",
}
_TYPES: Final = {"i": Type.I, "d": Type.D, "id": Type.ID}
_CRYPTS: Final = {"$1": md5_crypt, "$a": apr_md5_crypt, "$5": sha256_crypt, "$6": sha512_crypt}
_PHP_SPACE: Final = b" \t\n\r\0\x0b"
_OWN: Final[dict[HashName, Callable[[bytes], bytes]]] = {
    "md4": md4,
    "whirlpool": whirlpool,
}


def matches(imported: ImportedHash, password: str) -> bool:
    """Whether a hash is of a password, which is taken as it stands. Raises ``MemoryError`` where there is too little.

    A password with a character that the encoding of the hash does not have matches nothing: a substitute for it would
    let in whoever types the substitute.
    """
    prepared = _prepared(imported.preparation, password)
    return prepared is not None and _compared(imported.recipe, prepared)


def _prepared(preparation: Preparation, password: str) -> bytes | None:
    try:
        encoded = password.encode(_CODECS[preparation.encoding])
    except UnicodeEncodeError:
        return None
    if preparation.first == "sha256":
        encoded = hashlib.sha256(encoded).hexdigest().encode("ascii")
    elif preparation.first == "wordpress":
        encoded = base64.b64encode(hmac.digest(b"wp-sha384", encoded.strip(_PHP_SPACE), "sha384"))
    return preparation.before + encoded + preparation.after


def _compared(recipe: Recipe, password: bytes) -> bool:
    if isinstance(recipe, Bcrypt):
        # What is beyond never counted where the hash was made; bcrypt of today refuses it instead.
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], recipe.canonical.encode("ascii"))
    if isinstance(recipe, Crypt | Phpass) and len(password) > _CRYPT_BYTES:
        return False
    if isinstance(recipe, Crypt):
        return _crypt(recipe.text, password)
    return hmac.compare_digest(_computed(recipe, password), recipe.digest)


def _computed(recipe: Argon2 | Pbkdf2 | Scrypt | Digest | Phpass, password: bytes) -> bytes:
    match recipe:
        case Argon2():
            return _argon2(recipe, password)
        case Pbkdf2():
            return _pbkdf2(recipe, password)
        case Scrypt():
            return _scrypt(recipe, password)
        case Phpass():
            return _phpass(recipe, password)
        case Digest(algorithm, _, key):
            return _digest(algorithm, password) if key is None else _hmac(algorithm, key, password)


def _crypt(text: str, password: bytes) -> bool:
    try:
        return bool(_CRYPTS[text[:2]].verify(password, text))
    except ValueError:  # bits that no such hash has, in its last character
        return False


def _argon2(recipe: Argon2, password: bytes) -> bytes:
    try:
        return hash_secret_raw(
            password,
            recipe.salt,
            time_cost=recipe.passes,
            memory_cost=recipe.memory,
            parallelism=recipe.lanes,
            hash_len=len(recipe.digest),
            type=_TYPES[recipe.variant],
            version=recipe.version,
        )
    except HashingError as error:  # its parameters were checked: what is left is memory
        raise MemoryError(str(error)) from error


def _pbkdf2(recipe: Pbkdf2, password: bytes) -> bytes:
    size = len(recipe.digest)
    if recipe.algorithm == "md4":
        return pbkdf2_md4(password, recipe.salt, recipe.rounds, size)
    if recipe.algorithm not in _OWN:
        return hashlib.pbkdf2_hmac(recipe.algorithm, password, recipe.salt, recipe.rounds, size)
    found = b""
    while len(found) < size:
        number = len(found) // DIGEST_BYTES[recipe.algorithm] + 1
        last = _hmac(recipe.algorithm, password, recipe.salt + number.to_bytes(4, "big"))
        part = int.from_bytes(last, "big")
        for _ in range(recipe.rounds - 1):
            last = _hmac(recipe.algorithm, password, last)
            part ^= int.from_bytes(last, "big")
        found += part.to_bytes(len(last), "big")
    return found[:size]


def _scrypt(recipe: Scrypt, password: bytes) -> bytes:
    memory = 128 * recipe.block * (recipe.cost + recipe.lanes + 2) + 4096
    size = len(recipe.digest) if recipe.signer_key is None else 32
    try:
        derived = hashlib.scrypt(
            password, salt=recipe.salt, n=recipe.cost, r=recipe.block, p=recipe.lanes, maxmem=memory, dklen=size
        )
    except ValueError as error:  # its parameters were checked: what is left is memory
        raise MemoryError(str(error)) from error
    if recipe.signer_key is None:
        return derived
    cipher = Cipher(algorithms.AES(derived), modes.CTR(bytes(16))).encryptor()
    return cipher.update(recipe.signer_key)


def _phpass(recipe: Phpass, password: bytes) -> bytes:
    found = _digest("md5", recipe.salt + password)
    for _ in range(1 << recipe.log_rounds):
        found = hashlib.md5(found + password, usedforsecurity=False).digest()
    return found


def _digest(name: HashName, message: bytes) -> bytes:
    own = _OWN.get(name)
    return own(message) if own else hashlib.new(name, message, usedforsecurity=False).digest()


def _hmac(name: HashName, key: bytes, message: bytes) -> bytes:
    own = _OWN.get(name)
    if own is None:
        return hmac.digest(key, message, name)
    padded = (own(key) if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = own(bytes(each ^ 0x36 for each in padded) + message)
    return own(bytes(each ^ 0x5C for each in padded) + inner)
