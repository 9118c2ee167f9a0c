"""Whirlpool (ISO/IEC 10118-3, dedicated hash-function 7), for HMACs that were made with it.

OpenSSL keeps it in a provider that nobody loads, and no library of ours has it. Slow, and good enough for one login.
"""

from collections.abc import Iterator, Sequence
from functools import cache, reduce
from operator import xor
from typing import Final

SIZE: Final = 64
"""Bytes of a digest, and of a block."""

_ROUNDS: Final = 10
_LENGTH_BYTES: Final = 32
_REDUCED_BY: Final = 0x11D  # x^8 + x^4 + x^3 + x^2 + 1
_FIRST_ROW: Final = (1, 1, 4, 1, 8, 5, 2, 9)
_E: Final = (0x1, 0xB, 0x9, 0xC, 0xD, 0x6, 0xF, 0x3, 0xE, 0x8, 0x7, 0x4, 0xA, 0x2, 0x5, 0x0)
_R: Final = (0x7, 0xC, 0xB, 0xD, 0xE, 0x4, 0x9, 0xF, 0x6, 0x3, 0x8, 0xA, 0x2, 0x5, 0x1, 0x0)


def whirlpool(message: bytes) -> bytes:
    """Return the digest of a message."""
    padding = b"\x80" + bytes((SIZE - _LENGTH_BYTES - 1 - len(message)) % SIZE)
    padded = message + padding + (8 * len(message)).to_bytes(_LENGTH_BYTES, "big")
    state = [0] * 8
    for start in range(0, len(padded), SIZE):
        block = [int.from_bytes(padded[at : at + 8], "big") for at in range(start, start + SIZE, 8)]
        state = [old ^ new ^ given for old, new, given in zip(state, _encrypted(state, block), block, strict=True)]
    return b"".join(row.to_bytes(8, "big") for row in state)


def _encrypted(key: Sequence[int], block: Sequence[int]) -> Sequence[int]:
    """Return a block in the cipher of Whirlpool. Rows are numbers of 64 bits, the first byte the highest."""
    found = [row ^ part for row, part in zip(block, key, strict=True)]
    for constant in _CONSTANTS:
        key = _mixed(key)
        key[0] ^= constant
        found = [row ^ part for row, part in zip(_mixed(found), key, strict=True)]
    return found


def _mixed(rows: Sequence[int]) -> list[int]:
    """Substitute, move each column on by its number, and multiply each row: one look into a table does all three."""
    tables = _tables()
    return [
        tables[0][rows[row] >> 56]
        ^ tables[1][rows[row - 1] >> 48 & 255]
        ^ tables[2][rows[row - 2] >> 40 & 255]
        ^ tables[3][rows[row - 3] >> 32 & 255]
        ^ tables[4][rows[row - 4] >> 24 & 255]
        ^ tables[5][rows[row - 5] >> 16 & 255]
        ^ tables[6][rows[row - 6] >> 8 & 255]
        ^ tables[7][rows[row - 7] & 255]
        for row in range(8)
    ]


def _substitutes() -> Iterator[int]:
    """Give the substitute of each byte, out of the two small boxes."""
    inverse = [_E.index(value) for value in range(16)]
    for value in range(256):
        high, low = _E[value >> 4], inverse[value & 15]
        middle = _R[high ^ low]
        yield _E[high ^ middle] << 4 | inverse[low ^ middle]


def _times(value: int, factor: int) -> int:
    """Multiply in the field of 256 elements."""
    parts = []
    while factor:
        if factor & 1:
            parts.append(value)
        value, factor = value << 1, factor >> 1
        if value > 255:
            value ^= _REDUCED_BY
    return reduce(xor, parts, 0)


def _turned(row: int, by: int) -> int:
    """Move the bytes of a row to the right, in a circle."""
    return (row >> 8 * by | row << 64 - 8 * by) & (1 << 64) - 1


@cache
def _tables() -> Sequence[Sequence[int]]:
    """Return for each column what a byte there becomes. Made where it is needed: it takes longer than a digest."""
    rows = [int.from_bytes(bytes(_times(each, factor) for factor in _FIRST_ROW), "big") for each in _BOX]
    return [[_turned(row, by) for row in rows] for by in range(8)]


_BOX: Final = tuple(_substitutes())
_CONSTANTS: Final = [int.from_bytes(bytes(_BOX[8 * at : 8 * at + 8]), "big") for at in range(_ROUNDS)]
