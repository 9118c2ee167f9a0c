"""An archive of users read while it is unpacked, in little memory, whoever packed it."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from keystead.errors import InvalidArchive
from keystead.rules.tar_files import Part, TarReader
from keystead.rules.user_archives import (
    CONNECTIONS,
    KEYS,
    LONGEST_LINE,
    MANIFEST,
    MOST_BESIDE,
    PEM,
    SIGNATURE,
    SMALL,
    USERS,
    Manifest,
    read_manifest,
    thumbprint,
)

Verify = Callable[[bytes, bytes, bytes], str]
"""Returns the thumbprint of the key that made a signature (the second) of a manifest (the first); the third is the key.

Raises ``InvalidArchive``.
"""

GZIP: Final = b"\x1f\x8b"
"""What every archive begins with."""

_BEGINNING: Final = 64 * 1024
_GZIP: Final = 31
_AT_ONCE: Final = 256 * 1024
"""Bytes that are unpacked at a time: a file of a thousandth of that may unfold to them."""
_NO_ARCHIVE: Final = "it is no archive, or damaged"
_NAMES: Final = frozenset((MANIFEST, SIGNATURE, KEYS, PEM, CONNECTIONS, USERS))


@dataclass(frozen=True, slots=True)
class Summary:
    """What an archive says of itself, and nobody has verified."""

    issuer: str
    users: int
    signed_by: str


def is_archive(beginning: bytes) -> bool:
    """Whether a file that begins so may be one."""
    return beginning.startswith(GZIP)


def summary_of(file: BinaryIO) -> Summary:
    """Return what an archive says of itself. Raises ``InvalidArchive`` for what is none."""
    reader = ArchiveReader(lambda manifest, signature, jwks: _named(jwks))
    while reader.manifest is None and (octets := file.read(_BEGINNING)):
        reader.feed(octets)
        next((lines for lines in reader.lines() if lines), None)
    return _summary(reader.manifest, reader.signed_by)


def _summary(manifest: Manifest | None, signed_by: str) -> Summary:
    if manifest is None:
        raise InvalidArchive(_NO_ARCHIVE)
    return Summary(manifest.issuer, manifest.users, signed_by)


def _named(jwks: bytes) -> str:
    try:
        return thumbprint(json.loads(jwks)["keys"][0])
    except (ValueError, TypeError, LookupError, RecursionError):
        raise InvalidArchive("its key cannot be read") from None


@dataclass
class ArchiveReader:
    """Takes an archive apart as its bytes arrive. All raise ``InvalidArchive``."""

    verify: Verify
    manifest: Manifest | None = None
    """What it says it is, once its signature fitted."""
    signed_by: str = ""
    _packed: bytes = b""
    _unpacking: Any = field(default_factory=lambda: zlib.decompressobj(_GZIP))
    _files: TarReader = field(default_factory=TarReader)
    _small: dict[str, bytes] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    """The files that were met, each of them once."""
    _unpacked: int = 0
    _digest: Any = None
    _read: int = 0
    _line: bytes = b""
    _is_whole: bool = False

    def feed(self, octets: bytes) -> None:
        """Take the next bytes; ``lines`` gives what they hold."""
        if not self._unpacking.eof:  # what follows a file of gzip is of no interest, and there may be gigabytes of it
            self._packed += octets

    def lines(self) -> Iterator[list[bytes]]:
        """Give the lines of users that have arrived, a few at a time."""
        while self._packed and not self._unpacking.eof:
            try:
                plain = self._unpacking.decompress(self._packed, _AT_ONCE)
            except zlib.error:
                raise InvalidArchive(_NO_ARCHIVE) from None
            self._packed = self._unpacking.unconsumed_tail
            found = [line for part in self._files.feed(plain) for line in self._part(part)]
            # Zeros pack a thousandfold, and nobody has vouched for what stands before or behind the users.
            self._unpacked += len(plain)
            if self._unpacked - self._read > MOST_BESIDE:
                raise InvalidArchive(f"there is too much in it besides {USERS}")
            yield found

    def close(self) -> Manifest:
        """Return what was read, all of which is as its manifest says."""
        if self.manifest is None or not self._is_whole or not self._files.is_over:
            raise InvalidArchive("it is not complete")
        return self.manifest

    def _part(self, part: Part) -> list[bytes]:
        if part.is_first and part.name in _NAMES:
            if part.name in self._begun:
                raise InvalidArchive(f"{part.name} is in it twice")
            self._begun.add(part.name)
        if part.name == USERS:
            return self._users(part)
        if part.name in (MANIFEST, SIGNATURE, KEYS, CONNECTIONS):
            if part.size > SMALL:
                raise InvalidArchive(f"{part.name} is too large")
            self._small[part.name] = self._small.get(part.name, b"") + part.content
        return []

    def _users(self, part: Part) -> list[bytes]:
        manifest = self.manifest or self._opened(part)
        self._digest.update(part.content)
        self._read += len(part.content)
        *lines, self._line = (self._line + part.content).split(b"\n")
        if len(self._line) > LONGEST_LINE or any(len(each) > LONGEST_LINE for each in lines):
            raise InvalidArchive("a line of it is too long")
        if part.is_last:
            said = manifest.file(USERS)
            if self._line or self._is_whole or (self._read, self._digest.hexdigest()) != (said.size, said.sha256):
                raise InvalidArchive(f"{USERS} is not what was signed")
            self._is_whole = True
        return lines

    def _opened(self, part: Part) -> Manifest:
        """Return the manifest, before anything that it vouches for is looked at."""
        missing = next((name for name in (MANIFEST, SIGNATURE, KEYS, CONNECTIONS) if name not in self._small), None)
        if missing:
            raise InvalidArchive(f"{missing} does not come before {USERS}")
        text = self._small[MANIFEST]
        self.signed_by = self.verify(text, self._small[SIGNATURE], self._small[KEYS])
        self.manifest = manifest = read_manifest(text)
        said, connections = manifest.file(CONNECTIONS), self._small[CONNECTIONS]
        if (said.size, said.sha256) != (len(connections), hashlib.sha256(connections).hexdigest()):
            raise InvalidArchive(f"{CONNECTIONS} is not what was signed")
        if part.size != manifest.file(USERS).size:
            raise InvalidArchive(f"{USERS} is not what was signed")
        self._digest = hashlib.sha256()
        return manifest
