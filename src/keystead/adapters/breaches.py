"""Where breached passwords are known from: a file of SHA-1 hashes, or the range API of a host."""

import asyncio
import mmap
import os
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx2

from keystead.errors import PasswordUnchecked
from keystead.ports import Clock
from keystead.rules.breaches import digest
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 1.0
REST: Final = timedelta(seconds=30)
"""How long a host that did not answer is left alone, so that not every login waits for it."""

_HASH: Final = 40
_LONGEST_LINE: Final = 80
_SAMPLES: Final = 64
_PREFIX: Final = 5
_LARGEST_ANSWER: Final = 1_000_000
_HEX: Final = frozenset(string.hexdigits.encode("ascii"))


@dataclass
class HashFile:
    """A file of SHA-1 hashes in ascending order, one a line, as the downloader of Have I Been Pwned writes it.

    ``HEX:COUNT`` or ``HEX`` alone, with LF or CRLF. It is mapped into memory and searched by halves, so that its size
    (about 40 GB for all of it) costs nothing at the start. A file that takes its place is noticed.
    """

    path: Path
    _seen: tuple[int, int, int] | None = field(default=None, repr=False)
    _mapped: mmap.mmap | None = field(default=None, repr=False)

    async def is_breached(self, password: Secret[str]) -> bool:
        """Whether the file has a password. Raises ``PasswordUnchecked`` where it is no such file."""
        wanted = digest(password)
        if wanted is None:
            return False
        # On a thread: what is not in memory yet is read from the disk.
        return await asyncio.to_thread(self._has, wanted.encode("ascii"))

    def check(self) -> None:
        """Look whether it is such a file, before anybody relies on it. Raises ``PasswordUnchecked``."""
        self._has(b"0" * _HASH)

    async def close(self) -> None:
        """Forget the file; it is unmapped when nobody searches it any more."""
        self._mapped = None

    def _has(self, wanted: bytes) -> bool:
        try:
            data = self._current()
        except (OSError, ValueError) as error:
            raise PasswordUnchecked(detail=f"{self.path}: {error}") from None
        return _search(data, wanted)

    def _current(self) -> mmap.mmap:
        """Return the file as it is now. Whoever still searches an older one keeps it until they are done."""
        status = os.stat(self.path)
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        mapped = self._mapped
        if mapped is None or seen != self._seen:
            mapped = _map(self.path)
            self._mapped, self._seen = mapped, seen
        return mapped


@dataclass
class RangeApi:
    """The k-anonymity API of Have I Been Pwned, or of any host that speaks it: it learns five of the hash's 40 digits.

    ``Add-Padding`` asks for answers of one size, whose made-up lines have a count of 0.
    """

    url: str
    clock: Clock
    _http: httpx2.AsyncClient = field(init=False, repr=False)
    _rests_until: datetime | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        headers = {"add-padding": "true", "user-agent": "keystead"}
        # Redirects are not followed: the address is the operator's choice and nobody else's.
        self._http = httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=False)

    async def is_breached(self, password: Secret[str]) -> bool:
        """Whether the host knows a password. Raises ``PasswordUnchecked`` where it does not say so within a second."""
        wanted = digest(password)
        if wanted is None:
            return False
        if self._rests_until and self.clock() < self._rests_until:
            raise PasswordUnchecked(detail="the source of breached passwords did not answer a moment ago")
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._ask(wanted[:_PREFIX])
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            self._rests_until = self.clock() + REST
            raise PasswordUnchecked(
                detail=f"the source of breached passwords: {error or type(error).__name__}"
            ) from None
        return _lists(answer, wanted[_PREFIX:])

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def _ask(self, prefix: str) -> str:
        """Return an answer. Raises ``ValueError`` for one that is none."""
        read = bytearray()
        async with self._http.stream("GET", f"{self.url}/{prefix}") as response:
            if response.status_code != 200:
                raise ValueError(f"HTTP {response.status_code}")
            async for part in response.aiter_bytes():
                read += part
                if len(read) > _LARGEST_ANSWER:
                    raise ValueError("the answer is too long")
        return read.decode("ascii")


def _lists(answer: str, suffix: str) -> bool:
    """Whether an answer has a suffix that is not padding."""
    for line in answer.splitlines():
        found, _, count = line.partition(":")
        if found.strip().upper() == suffix:
            return count.strip() != "0"
    return False


def _map(path: Path) -> mmap.mmap:
    """Map a file. Raises ``ValueError`` for one that is not sorted by SHA-1: nothing would ever be found in it."""
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(data, "madvise"):  # not on every system
        data.madvise(mmap.MADV_RANDOM)
    samples = [_line(data, len(data) * part // _SAMPLES, 0, len(data))[2] for part in range(_SAMPLES)]
    if not all(len(each) == _HASH and _HEX.issuperset(each) for each in samples) or samples != sorted(samples):
        data.close()
        raise ValueError("is not a file of SHA-1 hashes in ascending order")
    return data


def _search(data: mmap.mmap, wanted: bytes) -> bool:
    """Search by halves, each cut to whole lines."""
    low, high = 0, len(data)
    while low < high:
        start, end, found = _line(data, (low + high) // 2, low, high)
        if found == wanted:
            return True
        low, high = (end + 1, high) if found < wanted else (low, start)
    return False


def _line(data: mmap.mmap, at: int, low: int, high: int) -> tuple[int, int, bytes]:
    """Return where the line around a position starts and ends, and its hash in capitals."""
    start = data.rfind(b"\n", max(low, at - _LONGEST_LINE), at) + 1 or max(low, at - _LONGEST_LINE)
    end = data.find(b"\n", at, min(high, at + _LONGEST_LINE))
    end = min(high, at + _LONGEST_LINE) if end < 0 else end
    return start, end, data[start : min(start + _HASH, end)].strip().upper()
