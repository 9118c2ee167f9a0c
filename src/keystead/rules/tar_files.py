"""Files behind one another, as ``tar`` has them (POSIX.1-1988, ustar): what an archive is made of, and read by.

Our own few lines rather than the library's: it would read whatever size a hostile heading names into memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from keystead.errors import InvalidArchive

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)

_SMALL_ENOUGH: Final = 8**11 - 1
_BINARY: Final = 0x80
_CHECKSUM: Final = slice(148, 156)
_REGULAR: Final = (b"0", b"\0")


def heading(name: str, size: int, moment: int) -> bytes:
    """Return what stands before a file of so many bytes; ``moment`` is when it was made, in seconds."""
    # 8 GiB and more are written in binary, as GNU tar does and Python and BSD read.
    length = b"%011o\0" % size if size <= _SMALL_ENOUGH else bytes([_BINARY]) + size.to_bytes(11, "big")
    parts = (
        *(name.encode("ascii").ljust(100, b"\0"), b"0000600\0", b"0000000\0", b"0000000\0", length),
        *(b"%011o\0" % moment, b" " * 8, b"0", bytes(100), b"ustar\x0000", bytes(64), b"0000000\0" * 2),
    )
    block = b"".join(parts).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padding(size: int) -> bytes:
    """Return what stands behind a file of so many bytes."""
    return bytes(-size % BLOCK)


def whole(name: str, content: bytes, moment: int) -> bytes:
    """Return a file with what stands before and behind it."""
    return heading(name, len(content), moment) + content + padding(len(content))


@dataclass
class Entry:
    """A file within an archive, to be read once and in order. ``name`` is without the directories before it."""

    name: str
    size: int
    _read: Callable[[int], bytes]
    _left: int

    def read(self, most: int) -> bytes:
        """Return at most so many bytes; none at its end. Raises ``InvalidArchive`` where the archive ends before."""
        wanted = min(most, self._left)
        found = self._read(wanted) if wanted else b""
        if len(found) < wanted:
            raise InvalidArchive("it is not complete")
        self._left -= wanted
        return found


def entries(read: Callable[[int], bytes]) -> Iterator[Entry]:
    """Give the files, in order; what is left unread of one is passed over. Raises ``InvalidArchive``.

    ``read`` returns as many bytes as it is asked for, and fewer only at the end.
    """
    while True:
        block = read(BLOCK)
        if len(block) < BLOCK:
            raise InvalidArchive("it is not complete")
        if not any(block):
            return
        size = _size(block)
        name = block[:100].partition(b"\0")[0].decode("utf-8", "replace").rpartition("/")[2]
        entry = Entry(name if block[156:157] in _REGULAR else "", size, read, size)
        yield entry
        while entry.read(64 * 1024):
            pass
        read(len(padding(size)))


def _size(block: bytes) -> int:
    said, plain = block[_CHECKSUM], block[:148] + b" " * 8 + block[156:]
    field = block[124:136]
    try:
        if int(said.strip(b"\0 ") or b"0", 8) != sum(plain):
            raise InvalidArchive("it is no archive, or damaged")
        return int.from_bytes(field[1:], "big") if field[0] & _BINARY else int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise InvalidArchive("it is no archive, or damaged") from None
