"""Users written to a file, piece by piece, by whichever process has the job; and that file read (IM-14, IM-16)."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from sqlmodel import Session

from keystead.db import job_files, jobs, journal, user_search
from keystead.db.jobs import Claimed, JobRecord
from keystead.db.session import Database
from keystead.db.user_search import Listed
from keystead.errors import BadRequest, NoSuchJob, TooManyRequests
from keystead.flows import reach
from keystead.flows.archive_making import PURPOSE, ArchiveMaking
from keystead.flows.gzip_pieces import HEADER, packed, trailer
from keystead.flows.jobs import MOST_ACTIVE, MOST_STUCK, given_back, put_back
from keystead.flows.journal import Journal
from keystead.flows.long_reads import LongReads
from keystead.flows.operations import Operation
from keystead.flows.users import Person, people
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.events import Event
from keystead.rules.user_exports import Export, csv_head, csv_line, user_line
from keystead.rules.user_search import bookmark, read_bookmark

JOB: Final = "users_export"
ARCHIVE_JOB: Final = "users_archive"
JOBS: Final = (JOB, ARCHIVE_JOB)
KEPT: Final = timedelta(hours=24)
"""How long a file can be had (IM-16)."""

_TURN: Final = "all"
"""One export of an installation is made at a time: each reads everybody."""
_AT_ONCE: Final = 100
"""Users that are held at a time: each may have 200 KB of metadata."""
_WAIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Lines:
    """What was read of the next users: their lines, how many they are, and the last of them."""

    text: bytes
    count: int = 0
    last: str = ""
    passkeys: tuple[str, ...] = ()
    """The RP ids of their passkeys."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that can be had: one member of gzip, however many pieces it was made in."""

    export: Export
    size: int
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True)
class UserExports:
    """Exports: asked for, made, and handed out. Administrators are on none of them, whoever asks."""

    db: Database
    long: LongReads
    sealer: Sealer
    journal: Journal
    clock: Clock
    entropy: Entropy
    show: Callable[[Person], dict[str, Any]]
    """A user as the Management API shows it."""
    archive: ArchiveMaking
    types: ClassVar[tuple[str, ...]] = JOBS
    """The jobs that it does."""

    async def start(self, wanted: Export, operation: Operation) -> JobRecord:
        """Ask for an export. Raises ``BadRequest``, ``TooManyRequests`` while two of them are not done."""
        return await self.db.write(self._start, self.entropy.id("job_"), wanted, operation)

    @given_back
    async def deliver(self, job: Claimed) -> None:
        """Go on where an export is, to its end. Raises whatever went wrong.

        Each piece is stored with how far it leads, by whoever has the lease: one that is killed loses a piece at most,
        and one whose lease ended stores nothing any more.
        """
        export = Export.model_validate(job.about or {})
        export = export.having(stuck=export.stuck + 1)
        if export.stuck > MOST_STUCK:  # each time, whoever had it ended with it
            raise _StuckError
        if not await self.db.write(jobs.keep, job, self.clock(), export.stored()):
            return
        if not export.begun_at:
            export = await self._begun(export)
        while (lines := await self.long.read(self._lines, export)).text:
            piece, export = await asyncio.to_thread(_grown, export, lines)
            if not await self.db.write(self._keep, job, export, export.pieces - 1, self._sealed(piece)):
                return
        if export.format == "archive":
            framed = await self.archive.frame(job, export)
            if framed is None:
                return
            export, head, tail = framed
            await self.db.write(self._finish, job, export, (self._sealed(head), self._sealed(tail)))
            return
        await self.db.write(self._finish, job, export, ())

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put an export back, or give it up. Return why."""
        why = "no try came to an end" if isinstance(error, _StuckError) else type(error).__name__
        if not await self.db.write(put_back, job, self.clock(), error, why):
            await self.db.write(self._give_up, job, why)
        return why

    async def download(self, job_id: str, operation: Operation) -> Download:
        """Return the file of an export; the journal says who had it before its first byte. Raises ``NoSuchJob``."""
        export = await self.db.write(self._handed_out, job_id, operation)
        around = 2 if export.format == "archive" else 0
        order = [export.pieces, *range(export.pieces), export.pieces + 1] if around else range(export.pieces)

        async def pieces() -> AsyncIterator[bytes]:
            yield HEADER
            for number in order:
                sealed = await self.db.read(job_files.piece, job_id, number)
                if sealed is None:
                    raise NoSuchJob(detail="its file went while it was read")
                yield await asyncio.to_thread(self.sealer.open, sealed, PURPOSE)
            yield trailer(export.crc, export.size)

        return Download(export, len(HEADER) + export.packed + len(trailer(0, 0)), pieces())

    def _start(self, session: Session, job_id: str, wanted: Export, operation: Operation) -> JobRecord:
        if wanted.connection_id is not None:
            found = reach.connection_at(session, wanted.connection_id)
            if found is None:
                raise BadRequest("The connection does not exist.", path="connection_id")
            wanted = wanted.having(connection=found.name)
        if not jobs.has_room(session, JOBS, MOST_ACTIVE):
            raise TooManyRequests(_WAIT, detail="exports are under way")
        now, about = self.clock(), wanted.stored()
        kind = ARCHIVE_JOB if wanted.format == "archive" else JOB
        jobs.add(session, job_id, kind, b"", now, turn=_TURN)
        jobs.describe(session, job_id, about)
        journal.add(session, self._event(wanted, job_id, operation, "started"))
        return JobRecord(job_id, kind, "pending", now, None, about)

    async def _begun(self, export: Export) -> Export:
        total = await self.long.read(user_search.count, Listed(export.connection))
        return export.having(total=min(total, export.limit or total), begun_at=self.clock().timestamp())

    def _lines(self, session: Session, export: Export) -> Lines:
        """Read the next users and return their lines; no text at the end."""
        size = _AT_ONCE if export.left is None else min(_AT_ONCE, export.left)
        last = read_bookmark(export.after) if export.after else None
        if export.format == "archive":
            return _archived(self.archive.lines(session, export.connection_id, last, size))
        found = people(session, user_search.behind(session, Listed(export.connection), last, size)) if size else []
        columns, line = export.columns, csv_line if export.format == "csv" else user_line
        text = csv_head(columns) if export.format == "csv" and not export.pieces else ""
        text += "".join(line(self.show(each), columns) for each in found)
        place = bookmark(found[-1].profile.created_at, found[-1].profile.user_id) if found else export.after
        return Lines(text.encode(), len(found), place)

    def _sealed(self, piece: bytes) -> bytes:
        return self.sealer.seal(piece, PURPOSE)

    def _keep(self, session: Session, job: Claimed, export: Export, number: int, sealed: bytes) -> bool:
        if not jobs.keep(session, job, self.clock(), export.stored()):
            return False  # another worker has taken it over
        job_files.add(session, job.id, number, sealed)
        return True

    def _finish(self, session: Session, job: Claimed, export: Export, around: tuple[bytes, ...]) -> None:
        now = self.clock()
        if jobs.keep(session, job, now, export.stored()) and jobs.finish(session, job, now):
            for number, sealed in enumerate(around, export.pieces):
                job_files.add(session, job.id, number, sealed)

    def _give_up(self, session: Session, job: Claimed, why: str) -> None:
        if jobs.finish(session, job, self.clock(), error=f"The export could not be made: {why}"):
            job_files.forget(session, job.id)

    def _handed_out(self, session: Session, job_id: str, operation: Operation) -> Export:
        found = jobs.get(session, job_id)
        if found is None or found.type not in JOBS or found.status != "completed" or found.finished_at is None:
            raise NoSuchJob
        if self.clock() - found.finished_at >= KEPT:
            raise NoSuchJob
        export = Export.model_validate(found.about)
        journal.add(session, self._event(export, job_id, operation, "downloaded"))
        return export

    def _event(self, export: Export, job_id: str, operation: Operation, what: str) -> Event:
        kind = "archive" if export.format == "archive" else "export"
        return operation.event(
            self.journal,
            f"{kind.capitalize()} of users {what}",
            type=f"users_{kind}_{what}",
            connection_id=export.connection_id,
            job_id=job_id,
            format=export.format,
            limit=export.limit,
            users=export.done,
            fields=[each.name for each in export.fields] if export.fields else None,
        )


class _StuckError(Exception):
    """Whoever had it last, and whoever had it before, ended with it."""


def _archived(found: list[Any]) -> Lines:
    last = bookmark(found[-1].created_at, found[-1].user_id) if found else ""
    rp_ids = tuple(passkey.rp_id for each in found for passkey in each.passkeys)
    return Lines(b"".join(each.line() for each in found), len(found), last, rp_ids)


def _grown(export: Export, lines: Lines) -> tuple[bytes, Export]:
    """Return the next piece, and the export with it."""
    piece, counted = packed(lines.text), dict(export.passkeys)
    for each in lines.passkeys:
        counted[each] = counted.get(each, 0) + 1
    return piece, export.having(
        done=export.done + lines.count,
        after=lines.last,
        pieces=export.pieces + 1,
        stuck=0,
        size=export.size + len(lines.text),
        packed=export.packed + len(piece),
        crc=zlib.crc32(lines.text, export.crc),
        passkeys=counted,
    )
