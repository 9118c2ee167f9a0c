"""Files that commands leave behind."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_PIECE: Final = 256 * 1024


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is there whole or not at all, and its owner's alone from the start. Raises ``OSError``."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _keep(path.parent)
    finally:
        draft.unlink(missing_ok=True)


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """Give a file piece by piece. Raises ``OSError``."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _keep(directory: Path) -> None:
    """Have the system write down that a file has its name."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
