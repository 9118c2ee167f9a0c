"""A backup made: one consistent picture of everything, packed, and vouched for with the secret keys."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from io import BufferedWriter, BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import BinaryIO, Final

from sqlmodel import Session

from keystead.db import jobs, journal, schema, snapshot
from keystead.db.session import Database
from keystead.errors import Conflict
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Sealer
from keystead.rules import backups
from keystead.rules.backups import Head, Manifest
from keystead.rules.claims import iso
from keystead.secrecy import Secret

PURPOSE: Final = "backups"
"""What the keyed hash at the end of a backup is made for."""

_PIECE: Final = 64 * 1024
_EFFORT: Final = 6
"""How hard to pack: twice the effort would save a few per cent."""

_UNDER_WAY: Final = "A backup is being made already. Ask again when it is done."


@dataclass(frozen=True)
class Backup:
    """Makes backups, while others work on."""

    db: Database
    sealer: Sealer
    journal: Journal
    clock: Clock
    version: str
    _turn: Lock = field(default_factory=Lock, repr=False)

    def write(self, out: BinaryIO, operation: Operation, secret_keys: Sequence[Secret[str]] = ()) -> Manifest:
        """Write a backup, and return what is in it. Raises ``DatabaseUnavailable``.

        Who had one is in the journal before its first byte. Nobody waits for it: it reads what was there when it began.
        """
        self.db.write_now(self._note, operation, with_secret_keys=bool(secret_keys))
        return self.db.read_once(self._write, out, tuple(secret_keys))

    async def spool(self, operation: Operation, directory: Path) -> "Spool":
        """Return a backup as a file without a name, to be read once and closed; there is one at a time.

        So whoever reads it slowly keeps no old picture of the database alive, and what fails is refused rather than cut
        off. Raises ``Conflict`` while another one is read, ``DatabaseUnavailable``.
        """
        if not self._turn.acquire(blocking=False):
            raise Conflict(_UNDER_WAY)
        spool = Spool(self._turn)
        try:
            spool.file = TemporaryFile(dir=directory)  # noqa: SIM115 - whoever reads it closes it
            await asyncio.to_thread(self.write, spool.file, operation)
            spool.rewind()
        except BaseException:
            spool.close()
            raise
        return spool

    def undone(self) -> int:
        """Return how many messages wait to be sent, which a backup leaves out."""
        return self.db.read_now(jobs.waiting)

    def _note(self, session: Session, operation: Operation, *, with_secret_keys: bool) -> None:
        event = operation.event(self.journal, "Make a backup", type="backup_made", with_secret_keys=with_secret_keys)
        journal.add(session, event)

    def _write(self, session: Session, out: BinaryIO, secret_keys: tuple[Secret[str], ...]) -> Manifest:
        head = Head(schema.latest(), self.version, iso(self.clock()), secret_keys)

        def sign(text: str) -> str:
            return self.sealer.sign(text, PURPOSE)

        pieces = backups.written(head, snapshot.tables(session), sign)
        moment = int(self.clock().timestamp())
        with (
            gzip.GzipFile(fileobj=out, mode="wb", filename="", compresslevel=_EFFORT, mtime=moment) as packed,
            BufferedWriter(packed, _PIECE) as buffered,
        ):
            while True:
                try:
                    buffered.write(next(pieces))
                except StopIteration as end:
                    manifest: Manifest = end.value
                    return manifest


@dataclass
class Spool:
    """A backup that waits to be read. The next one can be made once this is closed."""

    turn: Lock
    file: BinaryIO = field(default_factory=BytesIO)
    size: int = 0
    _is_open: bool = True

    def rewind(self) -> None:
        """Go to its beginning, once it was written."""
        self.size = self.file.tell()
        self.file.seek(0)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give it piece by piece."""
        while piece := await asyncio.to_thread(self.file.read, _PIECE):
            yield piece

    def close(self) -> None:
        """Forget it."""
        if self._is_open:
            self._is_open = False
            self.file.close()
            self.turn.release()
