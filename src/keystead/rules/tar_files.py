"""Files behind one another, as ``tar`` has them (POSIX.1-1988, ustar): what an archive is made of, and read by.

Our own few lines rather than the library's: it would read whatever size a hostile heading names into memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

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


class Part(NamedTuple):
    """A part of a file within an archive, in order. ``name`` is without the directories before it."""

    name: str
    size: int
    """Of the whole file."""
    content: bytes
    is_first: bool
    is_last: bool


@dataclass
class TarReader:
    """Takes an archive apart as it arrives. What is no regular file is passed over."""

    is_over: bool = False
    """Whether its end was read; whatever follows is of no interest."""
    _waiting: bytes = b""
    _name: str = ""
    _size: int = 0
    _left: int = -1
    """Bytes of the file that are still to come; below zero before a heading."""
    _skip: int = 0

    def feed(self, octets: bytes) -> Iterator[Part]:
        """Give what these bytes complete, and of large files what is there. Raises ``InvalidArchive``."""
        self._waiting += octets
        while self._waiting and not self.is_over:
            if self._skip:
                skipped = min(self._skip, len(self._waiting))
                self._skip, self._waiting = self._skip - skipped, self._waiting[skipped:]
            elif self._left >= 0:
                yield self._content()
            elif len(self._waiting) < BLOCK:
                return
            elif self._begins():
                yield self._content()

    def _begins(self) -> bool:
        """Read a heading; return whether it is of a file that has no content, which nothing else would give."""
        block, self._waiting = self._waiting[:BLOCK], self._waiting[BLOCK:]
        if not any(block):
            self.is_over = True
            return False
        self._size = self._left = _size(block)
        name = block[:100].partition(b"\0")[0].decode("utf-8", "replace").rpartition("/")[2]
        self._name = name if block[156:157] in _REGULAR else ""
        return self._size == 0

    def _content(self) -> Part:
        is_first = self._left == self._size
        content, self._waiting = self._waiting[: self._left], self._waiting[self._left :]
        self._left -= len(content)
        is_last = self._left == 0
        if is_last:
            self._left, self._skip = -1, -self._size % BLOCK
        return Part(self._name, self._size, content, is_first, is_last)


def _size(block: bytes) -> int:
    said, plain = block[_CHECKSUM], block[:148] + b" " * 8 + block[156:]
    field = block[124:136]
    try:
        if int(said.strip(b"\0 ") or b"0", 8) != sum(plain):
            raise InvalidArchive("it is no archive, or damaged")
        return int.from_bytes(field[1:], "big") if field[0] & _BINARY else int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise InvalidArchive("it is no archive, or damaged") from None
