"""PBKDF2 with HMAC-MD4 (RFC 8018, RFC 1320), which OpenSSL 3 leaves to a provider that nobody loads.

The parts of the hash are computed side by side, each in 64 bits of one large number, so that Python takes for four of
them little more than for one. It is slow all the same (see the bounds in ``rules/hash_recipes``), and while Python
computes, nothing else of a server does: what takes long is left to a process of its own.
"""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from passlib.crypto.digest import lookup_hash

_BLOCK, _SIZE = 64, 16
_AT_ONCE: Final = 20_000
"""Rounds for all parts that are computed here, in about a second."""
_SECONDS: Final = 60
"""After which a process is given up: ten times what the most that the bounds allow takes."""
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SHIFTS: Final = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15))
_ADDED: Final = (0, 0x5A827999, 0x6ED9EBA1)
_ORDER: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
    (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
)

Words = Sequence[int]


def md4(message: bytes) -> bytes:
    """Return the digest of a message."""
    return bytes(lookup_hash("md4").const(message).digest())


def hmac_md4(key: bytes, message: bytes) -> bytes:
    """Return the HMAC of a message."""
    inner, outer = _pads(key)
    return md4(outer + md4(inner + message))


def pbkdf2_md4(password: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    """Return the first ``size`` bytes of the key that is derived of a password.

    Raises ``MemoryError`` where there is no room for a process.
    """
    is_short = rounds * -(-size // _SIZE) <= _AT_ONCE
    return _derived(password, salt, rounds, size) if is_short else _apart(password, salt, rounds, size)


def _apart(password: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    """Have a process do it, which is told what it needs where no other user of the machine sees it."""
    command = [sys.executable, "-P", "-B", "-m", "keystead.users.md4"]
    asked = json.dumps([password.hex(), salt.hex(), rounds, size]).encode()
    found = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(command, input=asked, capture_output=True, check=True, timeout=_SECONDS, env=found)
    except (OSError, subprocess.SubprocessError):
        raise MemoryError("no process computes MD4") from None
    return done.stdout


def _answer() -> None:
    password, salt, rounds, size = json.load(sys.stdin)
    sys.stdout.buffer.write(_derived(bytes.fromhex(password), bytes.fromhex(salt), rounds, size))


def _derived(password: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    lanes = _Lanes(-(-size // _SIZE))
    inner, outer = (lanes.of_pad(pad) for pad in _pads(password))
    first = [hmac_md4(password, salt + part.to_bytes(4, "big")) for part in range(1, lanes.count + 1)]
    last = lanes.packed([struct.unpack("<4I", each) for each in first])
    found = list(last)
    # What follows sixteen bytes in their block: a bit, and how many bits there were with the pad's.
    end = [lanes.spread(0x80), *[0] * 9, lanes.spread(8 * (_BLOCK + _SIZE)), 0]
    for _ in range(rounds - 1):
        last = lanes.compressed(outer, [*lanes.compressed(inner, [*last, *end]), *end])
        found = [old ^ new for old, new in zip(found, last, strict=True)]
    return b"".join(struct.pack("<4I", *words) for words in lanes.unpacked(found))[:size]


def _pads(key: bytes) -> tuple[bytes, bytes]:
    padded = (md4(key) if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return bytes(each ^ 0x36 for each in padded), bytes(each ^ 0x5C for each in padded)


@dataclass(frozen=True)
class _Lanes:
    """Words of 32 bits, ``count`` of them in one number; above each is room for what runs over."""

    count: int

    def spread(self, word: int) -> int:
        return sum(word << 64 * lane for lane in range(self.count))

    def packed(self, rows: Sequence[Words]) -> list[int]:
        """Return for each place the words that the lanes have there."""
        return [sum(word << 64 * lane for lane, word in enumerate(place)) for place in zip(*rows, strict=True)]

    def unpacked(self, words: Words) -> list[list[int]]:
        return [[word >> 64 * lane & 0xFFFFFFFF for word in words] for lane in range(self.count)]

    def of_pad(self, pad: bytes) -> list[int]:
        """Return the state after the block that all lanes begin with."""
        start = [self.spread(word) for word in _START]
        return self.compressed(start, [self.spread(word) for word in struct.unpack("<16I", pad)])

    def compressed(self, state: Words, block: Words) -> list[int]:
        """Return the state after one more block."""
        whole = self.spread(0xFFFFFFFF)
        a, b, c, d = state
        for turn in range(3):
            added, shifts = self.spread(_ADDED[turn]), _SHIFTS[turn]
            for step, place in enumerate(_ORDER[turn]):
                if turn == 0:
                    mixed = d ^ (b & (c ^ d))
                elif turn == 1:
                    mixed = (b & c) | (d & (b | c))
                else:
                    mixed = b ^ c ^ d
                total = (a + mixed + block[place] + added) & whole
                shift = shifts[step & 3]
                a, d, c, b = d, c, b, (total << shift | total >> 32 - shift) & whole
        return [(old + new) & whole for old, new in zip(state, (a, b, c, d), strict=True)]


if __name__ == "__main__":
    _answer()
