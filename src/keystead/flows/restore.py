"""A backup checked from its first byte to its last; and put into a database, all of it or nothing."""

import gzip
import sys
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Final

from sqlmodel import Session

from keystead.db import journal, schema, snapshot
from keystead.db.session import Database
from keystead.errors import Conflict, InvalidBackup
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.rules.backups import LONGEST_LINE, Head, Manifest, Reading, Table, Vouch

_SIGNING_KEYS: Final = ("signing_key", "sealed_private")
_MOST_SEALED: Final = 16 * 1024 * 1024
"""Bytes of private halves that are held until it is known whether anybody vouches for them."""

_NOT_EMPTY: Final = "The database is not empty. With --replace, all that it holds is replaced."
_CHANGED: Final = "it was changed since it was made"
_NOT_OURS: Final = "it was made with other secret keys than those at hand (KEYSTEAD_SECRET_KEYS)"

Opens = Callable[[bytes], object]
"""Opens the private half of a signing key. Raises ``InternalError`` where the secret key that sealed it is gone."""


def head_of(file: BinaryIO) -> Head:
    """Return what a backup says first, which nothing vouches for yet. Raises ``InvalidBackup``."""
    with closing(_lines(file)) as lines:
        return Reading(lines).head


def examine(file: BinaryIO, vouch: Vouch | None, opens: Opens | None = None) -> Manifest:
    """Read a backup from end to end, and return what is in it; write nothing.

    Raises ``InvalidBackup`` where it is damaged, or where ``vouch`` says that it is not ours; ``InternalError`` where a
    signing key in it cannot be opened.
    """
    reading = Reading(_lines(file))
    sealed = _sealed(reading)
    vouched = reading.is_vouched_for(vouch) if vouch else True
    if reading.manifest is None or not vouched:
        raise InvalidBackup(_NOT_OURS if vouched is None else _CHANGED)
    if opens:
        for private in sealed:
            opens(private)
    return reading.manifest


def _sealed(reading: Reading) -> list[bytes]:
    """Read it to its end, and return the private halves of signing keys: not more than there can be of them."""
    found, size = list[bytes](), 0
    for table, rows in reading.tables():
        for at in _private(table):
            for private in (row[at] for row in rows if isinstance(row[at], bytes)):
                found.append(private)
                size += len(private) + sys.getsizeof(b"")
                if size > _MOST_SEALED:
                    raise InvalidBackup("it holds too many signing keys")
    return found


def _private(table: Table) -> list[int]:
    """Return where a table keeps private halves of signing keys."""
    return [at for at, (name, _) in enumerate(table.columns) if (table.name, name) == _SIGNING_KEYS]


@dataclass(frozen=True)
class Restore:
    """Puts a backup that was examined into a database."""

    db: Database
    journal: Journal

    def is_empty(self) -> bool:
        """Whether the database holds nothing of ours."""
        return self.db.read_now(lambda session: snapshot.is_empty(session.connection()))

    def __call__(self, file: BinaryIO, manifest: Manifest, operation: Operation, *, replace: bool = False) -> None:
        """Restore it, in one transaction: the database ends with all of it, or as it was.

        The schema is made as it was then, filled, and brought up to date. Raises ``Conflict`` where there is something
        already and ``replace`` does not say so, ``InvalidBackup``, ``DatabaseUnavailable``.
        """
        if not schema.knows(manifest.schema):
            raise InvalidBackup(f"a newer version made it: this one does not know schema {manifest.schema}")
        self.db.write_now(self._restore, file, manifest, operation, replace=replace)

    def _restore(
        self, session: Session, file: BinaryIO, manifest: Manifest, operation: Operation, *, replace: bool
    ) -> None:
        connection = session.connection()
        schema.take_turns(connection)
        if not snapshot.is_empty(connection):
            if not replace:
                raise Conflict(_NOT_EMPTY)
            snapshot.drop(connection)
        schema.upgrade_to(connection, manifest.schema)
        reading = Reading(_lines(file))
        for table, rows in reading.tables():
            snapshot.load(connection, table, rows)
        if reading.manifest != manifest:  # what was examined was another file
            raise InvalidBackup("it was changed while it was read")
        schema.upgrade_to(connection)
        event = operation.event(
            *(self.journal, "Restore a backup"),
            type="backup_restored",
            made_at=manifest.created_at,
            rows=manifest.rows,
            replaced=replace,
        )
        journal.add(session, event)


def _lines(file: BinaryIO) -> Generator[bytes, None, None]:
    """Give the lines of a packed file, from its beginning."""
    file.seek(0)
    with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
        try:
            while line := unpacked.readline(LONGEST_LINE):
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise InvalidBackup("it is damaged, or not complete") from None
