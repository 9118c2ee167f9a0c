"""One member of gzip (RFC 1952) out of pieces that are packed each by itself, so that any of them can be the last yet.

Pieces end at a byte and refer to nothing before them: put behind one another they are one stream.
"""

import zlib
from typing import Final

HEADER: Final = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))
"""What a file begins with: no name and no time, so that the same content is the same file."""

_EFFORT: Final = 6
_RAW: Final = -15
_LAST: Final = b"\x03\x00"
"""A block without content that says that it is the last."""
_ZEROS: Final = bytes(1024 * 1024)


def packed(content: bytes) -> bytes:
    """Return a piece."""
    packing = zlib.compressobj(_EFFORT, zlib.DEFLATED, _RAW)
    return packing.compress(content) + packing.flush(zlib.Z_FULL_FLUSH)


def unpacked(piece: bytes) -> bytes:
    """Return what a piece of ours holds."""
    return zlib.decompressobj(_RAW).decompress(piece)


def trailer(crc: int, size: int) -> bytes:
    """Return what a file ends with."""
    return _LAST + crc.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")


def joined(crc: int, behind: int, size: int) -> int:
    """Return the CRC-32 of two contents behind one another, by their own; ``size`` is the second one's.

    A CRC is linear: what the first one adds is what it would add to so many zeros.
    """
    shifted, plain = crc, 0
    for start in range(0, size, len(_ZEROS)):
        zeros = memoryview(_ZEROS)[: min(len(_ZEROS), size - start)]
        shifted, plain = zlib.crc32(zeros, shifted), zlib.crc32(zeros, plain)
    return behind ^ shifted ^ plain
