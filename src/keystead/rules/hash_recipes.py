"""How a hash of another system is computed again: frozen values, with the bounds that keep a login affordable.

Whoever can import users chooses the parameters, and every login of theirs pays for them (security.md F13): a recipe
beyond the bounds cannot be made, neither while a file is read nor while somebody logs in. Nothing is computed for that.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

HashName = Literal[
    "md4", "md5", "ripemd160", "sha1", "sha224", "sha256", "sha384", "sha512", "whirlpool"
]  # fmt: skip
DIGEST_BYTES: Final[dict[HashName, int]] = {
    "md4": 16,
    "md5": 16,
    "ripemd160": 20,
    "sha1": 20,
    "sha224": 28,
    "sha256": 32,
    "sha384": 48,
    "sha512": 64,
    "whirlpool": 64,
}
"""How long each digest is, in bytes."""

Encoding = Literal["ascii", "utf8", "utf16le", "ucs2", "latin1", "binary"]
"""How the system that made the hash turned a password into bytes (auth0-behaviour 4.2)."""

MOST_BCRYPT: Final = 14
MOST_ARGON2_KIB: Final = 262_144
MOST_ARGON2_WORK: Final = 1 << 20
"""KiB times passes: what the whole of the memory comes to, gone over again and again."""
MOST_ARGON2_LANES: Final = 64
MOST_PBKDF2: Final = 5_000_000
_PBKDF2_SPEED: Final[dict[HashName, float]] = {
    "md4": 60,
    "md5": 1500,
    "ripemd160": 1000,
    "sha1": 1900,
    "sha224": 1800,
    "sha256": 1800,
    "sha384": 850,
    "sha512": 850,
    "whirlpool": 0.5,
}
"""Rounds in a millisecond, as measured on the machine of docs/performance.md."""
_SLOW_PBKDF2: Final[dict[HashName, int]] = {"md4": 400_000, "whirlpool": 500}
"""Rounds of what only Python itself can compute, for all parts of the hash. MD4's are those of Auth0's own example."""
_SLOW_ROUNDS: Final[dict[HashName, int]] = {"md4": 100_000}
"""Rounds of each part likewise: parts of MD4 are computed side by side, so that it is these that take the time."""
MOST_SCRYPT: Final = 1 << 24
"""N times r times p. One lane is held to half of it, a gigabyte: OpenSSL cannot be asked for two."""
MOST_CRYPT: Final = 1_000_000
MOST_PHPASS: Final = 20
MOST_SALT: Final = 512
"""Bytes, of keys and separators likewise."""
LEAST_DIGEST: Final = 8
"""Bytes. A hash of a byte or two would be matched by guessing, one of none by any password."""
MOST_DIGEST: Final = 512

_BCRYPT_ALPHABET: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|[1-2][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_CRYPT: Final = re.compile(
    r"\$(?:1|apr1)\$[./0-9A-Za-z]{0,8}\$[./0-9A-Za-z]{22}"
    r"|\$5\$(?:rounds=([1-9][0-9]{3,8})\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{43}"
    r"|\$6\$(?:rounds=([1-9][0-9]{3,8})\$)?[./0-9A-Za-z]{0,16}\$[./0-9A-Za-z]{86}"
)


class BadHash(ValueError):
    """A hash that is not taken.

    ``code`` is one of the import's (auth0-behaviour 4.4), ``path`` the member at fault below the object that was read
    (empty for a text as a whole), ``text`` the reason for people. It never quotes a hash.
    """

    def __init__(self, code: str, text: str, path: str = "") -> None:
        self.code, self.path, self.text = code, path, text
        super().__init__(text)

    def at(self, path: str) -> "BadHash":
        """Return the same of another member."""
        return BadHash(self.code, self.text, path)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What becomes of a typed password before it is hashed: encoded, perhaps hashed once, put between two texts."""

    encoding: Encoding = "utf8"
    first: Literal["", "sha256", "wordpress"] = ""
    """``sha256``: its digest in hex (Django); ``wordpress``: base64 of an HMAC (WordPress since 6.8)."""
    before: bytes = field(default=b"", repr=False)
    after: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        _at_most("bytes of salt", len(self.before) + len(self.after), MOST_SALT, path="salt")


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """``text`` is ``$2a$``, ``$2b$`` or ``$2y$`` with cost, salt and digest."""

    kind: ClassVar[str] = "bcrypt"
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        found = _BCRYPT.fullmatch(self.text)
        if found is None:
            raise BadHash("PATTERN", "Not a bcrypt hash: $2a$, $2b$ or $2y$, a cost, 22 characters of salt, 31 of hash")
        _at_most("bcrypt cost", int(found[1]), MOST_BCRYPT)

    @property
    def canonical(self) -> str:
        """The same with a salt that bcrypt of today takes: of its last character only two bits count."""
        last = ".Oeu"[_BCRYPT_ALPHABET.index(self.text[28]) >> 4]
        return self.text[:28] + last + self.text[29:]

    @property
    def milliseconds(self) -> float:
        """What one comparison costs, about, of one core."""
        return 71 * 2.0 ** (int(self.text[4:6]) - 10)


@dataclass(frozen=True, slots=True)
class Argon2:
    """``memory`` in KiB; ``version`` 16 or 19."""

    kind: ClassVar[str] = "argon2"
    variant: Literal["i", "d", "id"]
    version: int
    memory: int
    passes: int
    lanes: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.version not in (16, 19):
            raise BadHash("ENUM_MISMATCH", f"There is no version {self.version} of argon2")
        _between("argon2 p", self.lanes, 1, MOST_ARGON2_LANES)
        _between("argon2 m", self.memory, 8 * self.lanes, MOST_ARGON2_KIB)
        _between("argon2 t", self.passes, 1, MOST_ARGON2_WORK)
        _at_most("argon2 m times t", self.memory * self.passes, MOST_ARGON2_WORK)
        _between("bytes of salt", len(self.salt), 8, MOST_SALT)
        _between("bytes of hash", len(self.digest), LEAST_DIGEST, MOST_DIGEST)

    @property
    def milliseconds(self) -> float:
        """What one comparison costs, about, of one core."""
        return self.memory * self.passes / 800


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """PBKDF2 with HMAC of ``algorithm``."""

    kind: ClassVar[str] = "pbkdf2"
    algorithm: HashName
    rounds: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __post_init__(self) -> None:
        most = _SLOW_PBKDF2.get(self.algorithm, 2 * MOST_PBKDF2)
        _between("pbkdf2 i", self.rounds, 1, _SLOW_ROUNDS.get(self.algorithm, MOST_PBKDF2))
        _at_most("bytes of salt", len(self.salt), MOST_SALT)
        _between("bytes of hash", len(self.digest), LEAST_DIGEST, MOST_DIGEST)
        _at_most(f"pbkdf2-{self.algorithm} i for all parts of the hash", self._work, most)

    @property
    def _work(self) -> int:
        """Each part of the hash, as long as the digest, takes all the rounds."""
        return self.rounds * -(-len(self.digest) // DIGEST_BYTES[self.algorithm])

    @property
    def milliseconds(self) -> float:
        """What one comparison costs, about, of one core."""
        return self._work / _PBKDF2_SPEED[self.algorithm]


@dataclass(frozen=True, slots=True)
class Scrypt:
    """``cost`` is N itself. With a ``signer_key`` it is Firebase's: what was derived encrypts that key."""

    kind: ClassVar[str] = "scrypt"
    cost: int
    block: int
    lanes: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    signer_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _between("scrypt cost", self.cost, 2, MOST_SCRYPT, path="cost")
        if self.cost & (self.cost - 1):
            raise BadHash("PATTERN", "The cost of scrypt is a power of two", "cost")
        _between("scrypt block size", self.block, 1, MOST_SCRYPT, path="blockSize")
        _between("scrypt parallelization", self.lanes, 1, MOST_SCRYPT, path="parallelization")
        _at_most("scrypt cost times block size", self.cost * self.block, MOST_SCRYPT // 2, path="cost")
        # The blocks that the lanes begin with are memory too.
        _at_most("scrypt block size times parallelization", self.block * self.lanes, 1 << 16, path="parallelization")
        work = self.cost * self.block * self.lanes
        _at_most("scrypt cost times block size times parallelization", work, MOST_SCRYPT, path="parallelization")
        _at_most("bytes of salt", len(self.salt), MOST_SALT, path="salt")
        _between("bytes of hash", len(self.digest), LEAST_DIGEST, MOST_DIGEST, path="keylen")
        if self.signer_key is not None and len(self.signer_key) != len(self.digest):
            raise BadHash("PATTERN", "A hash of Firebase is as long as the signer key of its project")

    @property
    def milliseconds(self) -> float:
        """What one comparison costs, about, of one core."""
        return self.cost * self.block * self.lanes / 1800


@dataclass(frozen=True, slots=True)
class Digest:
    """One pass of a hash function; with a ``key``, of HMAC."""

    kind: ClassVar[str] = "digest"
    algorithm: HashName
    digest: bytes = field(repr=False)
    key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(self.digest) != DIGEST_BYTES[self.algorithm]:
            wanted = DIGEST_BYTES[self.algorithm]
            raise BadHash("PATTERN", f"A hash of {self.algorithm} has {wanted} bytes, this one {len(self.digest)}")
        _at_most("bytes of key", len(self.key or b""), MOST_SALT, path="key")

    @property
    def milliseconds(self) -> float:
        """What one comparison costs, about, of one core."""
        return 0.01


@dataclass(frozen=True, slots=True)
class Crypt:
    """``text`` is of crypt(3): ``$1$``, ``$apr1$``, ``$5$`` or ``$6$``."""

    kind: ClassVar[str] = "crypt"
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if _CRYPT.fullmatch(self.text) is None:
            raise BadHash("PATTERN", "Not a hash of crypt: $1$, $apr1$, $5$ or $6$, a salt and a hash of its length")
        _between("crypt rounds", self.rounds, 1000, MOST_CRYPT)

    @property
    def rounds(self) -> int:
        """How often it goes round; 5000 where a SHA-crypt does not say, always 1000 for MD5."""
        found = _CRYPT.fullmatch(self.text)
        given = (found[1] or found[2]) if found else None
        return int(given or (1000 if self.text.startswith(("$1$", "$a")) else 5000))

    @property
    def milliseconds(self) -> float:
        """What one comparison costs, about, of one core."""
        return self.rounds / 900


@dataclass(frozen=True, slots=True)
class Phpass:
    """MD5, ``2 ** log_rounds`` times."""

    kind: ClassVar[str] = "phpass"
    log_rounds: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _between("phpass rounds as a power of two", self.log_rounds, 7, MOST_PHPASS)
        if len(self.salt) != 8 or len(self.digest) != DIGEST_BYTES["md5"]:
            raise BadHash("PATTERN", "A hash of phpass has eight characters of salt and 22 of hash")

    @property
    def milliseconds(self) -> float:
        """What one comparison costs, about, of one core."""
        return 2.0**self.log_rounds / 1400


Recipe = Bcrypt | Argon2 | Pbkdf2 | Scrypt | Digest | Crypt | Phpass


@dataclass(frozen=True, slots=True)
class ImportedHash:
    """A hash that another system made.

    ``name`` says the format for reports ("django pbkdf2-sha256"). ``recipe`` and ``preparation`` say how a typed
    password is compared with it (``users/imported_hashes``).
    """

    name: str
    text: str = field(repr=False)
    recipe: Recipe
    preparation: Preparation = field(default_factory=Preparation)

    def stored(self) -> str:
        """Return what goes into ``account.password_hash``, at most 4000 characters; ``of_stored`` reads it back."""
        return self.text

    @property
    def milliseconds(self) -> float:
        """What the comparison at a login costs, about, in milliseconds of one core; for rehearsals."""
        return self.recipe.milliseconds


def _at_most(what: str, value: int, most: int, *, path: str = "") -> None:
    if value > most:
        raise BadHash("MAXIMUM", f"Value {_shown(value)} of {what} is greater than maximum {most}", path)


def _between(what: str, value: int, least: int, most: int, *, path: str = "") -> None:
    if value < least:
        raise BadHash("MINIMUM", f"Value {_shown(value)} of {what} is less than minimum {least}", path)
    _at_most(what, value, most, path=path)


def _shown(value: int) -> str:
    """Return a number for a text about it. One of thousands of digits is not spelled out: that takes long."""
    return str(value) if abs(value) < 10**18 else "of more than 18 digits"
