"""Imports of users, done by whichever process has the job: a few rows at a time, each time with how far it is.

Killed at any moment, whoever has it next goes on behind the last rows that were committed. No row is lost or doubled,
and one that cannot be stored ends as an error with its reason.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from sqlmodel import Session

from keystead.db import connections, import_jobs, job_files, jobs, journal
from keystead.db.imported_users import Clashed
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.errors import Unavailable
from keystead.flows.import_batch import ImportBatch, Overtaken
from keystead.flows.import_canaries import Canaries, Sought
from keystead.flows.import_notices import ImportNotices
from keystead.flows.jobs import AGAIN, given_back, is_passing
from keystead.flows.journal import Journal
from keystead.flows.row_reading import ReadRow
from keystead.ports import Clock, Sealer
from keystead.rules.events import Caller
from keystead.rules.import_jobs import JOB, PIECE, PURPOSE, Import
from keystead.rules.import_rows import Terms
from keystead.rules.row_complaints import RowError
from keystead.rules.row_files import Row, RowReader
from keystead.secrecy import Secret

ROWS: Final = 2500
"""Rows of one transaction at most."""
_CAREFUL_AFTER: Final = 3
"""After how many tries without a step rows are written one by one."""
_HOPELESS_AFTER: Final = 12
"""After how many of these the first of them is what ends whoever reads it."""
_TRIES: Final = 4
"""How often rows are decided anew because somebody else was faster."""
_LATE: Final = "The job took longer than {hours} hours. What is imported stays; the rest of the file can be sent again."
_BROKEN_OFF: Final = "The file did not arrive as a whole."
_MALFORMED: Final = "Failed to parse the users file: {why}. Nothing was imported."
_GONE: Final = "The file of the job is gone."
_ENDS: Final = RowError("NOT_PASSED", "Whoever reads this row ends: it is passed over.")
_CHANGING: Final = "somebody else is changing the same user"


class _Failed(Exception):
    """The job is over; the text says why, to whoever asked for it."""


@dataclass(frozen=True)
class _Rows:
    """Rows that are written together, and by what they were read."""

    read: list[ReadRow]
    terms: Terms | None
    sought: Sought | None
    """The canaries that may be among them."""

    def part(self, at: int, most: int = 1) -> "_Rows":
        """Return some of them."""
        return replace(self, read=self.read[at : at + most])


@dataclass
class _Source:
    """A file that is being read."""

    reader: RowReader
    number: int
    passwords: list[Secret[str]]
    """Those of the canaries."""
    terms: Terms | None = None
    sought: Sought | None = None


@dataclass(frozen=True)
class UserImport:
    """Does jobs that import users."""

    db: Database
    sealer: Sealer
    batch: ImportBatch
    canaries: Canaries
    notices: ImportNotices
    journal: Journal
    clock: Clock
    tell: Callable[[str, Exception], None]
    """Tells the operator of a defect that a row met, with the id of the job."""
    hours: int = 2
    """How long a job may take in all (IM-3); 0 for as long as it likes."""
    rows: int = ROWS
    types: ClassVar[tuple[str, ...]] = (JOB,)
    """The jobs that it does."""

    @given_back
    async def deliver(self, job: Claimed) -> None:
        """Go on where a job is, to its end. Raises whatever went wrong."""
        state = Import.model_validate(job.about or {})
        try:
            state = await self._begun(job, state)
            async with aclosing(self._batches(job, state)) as batches:
                async for rows in batches:
                    if self.hours and self.clock().timestamp() - state.begun_at > self.hours * 3600:
                        raise _Failed(_LATE.format(hours=self.hours))
                    state = await self._write(job, state, rows)
            await self.db.write(self._finish, job, state, None)
        except Overtaken:
            # Where it is still ours, and only an answer was lost, whoever has it next goes on from what is stored.
            await self.db.write(jobs.release, job, self.clock())
        except _Failed as error:
            await self.db.write(self._finish, job, state, str(error))

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put a job back that met a database that is away; end one that cannot be done. Return why."""
        why = getattr(error, "detail", "") or type(error).__name__
        if is_passing(error):
            await self.db.write(jobs.release, job, self.clock(), after=AGAIN, error=why)
        else:
            state = Import.model_validate((await self.db.read(_about, job.id)) or {})
            await self.db.write(self._finish, job, state, f"The job could not be done: {why}")
        return why

    async def _begun(self, job: Claimed, state: Import) -> Import:
        """Return a job that is begun, or gone on with. Raises ``_Failed``, ``Overtaken``."""
        if state.uploading:
            raise _Failed(_BROKEN_OFF)
        if state.malformed:
            raise _Failed(_MALFORMED.format(why=state.malformed))
        state = state.having(begun_at=state.begun_at or self.clock().timestamp(), stuck=state.stuck + 1)
        if not await self.db.write(jobs.keep, job, self.clock(), state.stored()):
            raise Overtaken
        return state

    def _passwords(self, job: Claimed) -> list[Secret[str]]:
        return [Secret(password) for _, password in json.loads(self.sealer.open(job.sealed, PURPOSE))]

    async def _terms(self, state: Import) -> Terms | None:
        connection = await self.db.read(connections.get, state.connection_id)
        return Terms.of(connection.policy()) if connection else None

    async def _batches(self, job: Claimed, state: Import) -> AsyncGenerator[_Rows, None]:
        """Give the rows that are not done yet, a few at a time; the next are read while the last are written."""
        reader = RowReader(at=state.at, kind=state.kind if state.done else None)
        source = _Source(reader, state.done, self._passwords(job))
        first, most = state.at // PIECE, 1 if state.stuck > _CAREFUL_AFTER else self.rows
        reading = asyncio.create_task(self._piece(job, state, source, first))
        try:
            for following in range(first + 1, state.pieces + 2):
                rows = await reading
                if following <= state.pieces:
                    reading = asyncio.create_task(self._piece(job, state, source, following))
                for at in range(0, len(rows.read), most):
                    yield rows.part(at, most)
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

    async def _piece(self, job: Claimed, state: Import, source: _Source, place: int) -> _Rows:
        """Return the rows that a piece of the file completes, or after the last piece those that its end does.

        By the terms of now: rows that were read by others are read again where they are written, while all wait.
        """
        terms = await self._terms(state)
        if place == state.pieces:
            return await asyncio.to_thread(self._read, state, source, terms, source.reader.close)
        sealed = await self.db.read(job_files.piece, job.id, place)
        if sealed is None:
            raise _Failed(_GONE)
        begun = state.at % PIECE if place == state.at // PIECE else 0
        return await asyncio.to_thread(
            self._read, state, source, terms, lambda: source.reader.feed(self.sealer.open(sealed, PURPOSE)[begun:])
        )

    def _read(self, state: Import, source: _Source, terms: Terms | None, rows: Callable[[], Iterator[Row]]) -> _Rows:
        if terms != source.terms:
            source.terms = terms
            source.sought = Sought.of(state.canaries, source.passwords, terms) if terms and source.passwords else None
        found = []
        for row in rows():
            read = self.batch.reading.read(source.number, row, terms) if terms else ReadRow(source.number, row)
            found.append(read)
            source.number += 1
        return _Rows(found, terms, source.sought)

    async def _write(self, job: Claimed, state: Import, rows: _Rows) -> Import:
        """Write rows, one by one where they cannot be written together. Raises ``Overtaken``, ``Unavailable``."""
        if state.stuck > _HOPELESS_AFTER:
            state = await self._passed_over(job, state, rows, _ENDS)
            rows = rows.part(1, len(rows.read))
        if not rows.read:
            return state
        checked = await self.canaries.checked(state, rows.sought, rows.read)
        try:
            return await self._store(job, checked, rows)
        except (Overtaken, Unavailable):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a row does to a database, the others go on
            if not isinstance(error, Clashed):
                self.tell(job.id, error)
            if len(rows.read) == 1:
                why = _CHANGING if isinstance(error, Clashed) else type(error).__name__
                why = f"The row cannot be stored: {why}"
                return await self._passed_over(job, checked, rows, RowError("NOT_PASSED", why))
            for at in range(len(rows.read)):
                checked = await self._write(job, checked, rows.part(at))
            return checked

    async def _store(self, job: Claimed, state: Import, rows: _Rows) -> Import:
        """Write rows together, decided anew where somebody was faster. Raises ``Overtaken``, ``Clashed``."""
        for attempt in range(_TRIES - 1):
            with suppress(Clashed):
                return await self.db.write(self.batch.store, job, state, rows.terms, rows.read, hopeful=attempt == 0)
        return await self.db.write(self.batch.store, job, state, rows.terms, rows.read)

    async def _passed_over(self, job: Claimed, state: Import, rows: _Rows, why: RowError) -> Import:
        """Pass over the first of some rows, with the canary that it may be of. Raises ``Overtaken``."""
        row = rows.read[0]
        checked = await self.canaries.checked(state, rows.sought, [replace(row, errors=(why,))])
        return await self.db.write(self.batch.skip, job, checked, row, why)

    def _finish(self, session: Session, job: Claimed, state: Import, error: str | None) -> None:
        """End a job, with its entry in the journal, and tell whoever is to be told; once, whoever else is at it."""
        if not import_jobs.finish(session, job, self.clock(), state.stored(), error=error):
            return
        about: dict[str, Any] = {"job_id": job.id, "dry_run": state.dry_run, **state.summary}
        event = self.journal.event(
            "sui" if error is None else "fui",
            Caller(actor=state.actor),
            connection_id=state.connection_id or None,
            client_id=state.client_id or None,
            description=error,
            **about,
        )
        journal.add(session, event)
        if state.send_completion_email and state.connection_id:
            self.notices.send(session, job.id, state, error)


def _about(session: Session, job_id: str) -> dict[str, object] | None:
    found = jobs.get(session, job_id)
    return found.about if found else None
