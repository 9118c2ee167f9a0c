"""Imports of users, done by whichever process has the job: a few rows at a time, each time with how far it is.

Killed at any moment, whoever has it next goes on behind the last rows that were committed. No row is lost or doubled,
and one that cannot be stored ends as an error with its reason.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from sqlmodel import Session

from keystead.db import connections, import_jobs, job_files, jobs, journal
from keystead.db.imported_users import Clashed
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.errors import InternalError, Unavailable
from keystead.flows.import_batch import ImportBatch, Overtaken
from keystead.flows.import_canaries import Canaries
from keystead.flows.import_notices import ImportNotices
from keystead.flows.jobs import given_back
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
_AGAIN: Final = timedelta(seconds=5)
_LATE: Final = "The job took longer than {hours} hours. What is imported stays; the rest of the file can be sent again."
_BROKEN_OFF: Final = "The file did not arrive as a whole."
_MALFORMED: Final = "Failed to parse the users file: {why}. Nothing was imported."
_GONE: Final = "The file of the job is gone."


class _Failed(Exception):
    """The job is over; the text says why, to whoever asked for it."""


@dataclass
class _Source:
    """A file that is being read."""

    reader: RowReader
    number: int
    terms: Terms | None


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
            passwords = self._passwords(job)
            terms = await self._terms(state)
            async with aclosing(self._batches(job, state, terms)) as batches:
                async for rows in batches:
                    if self.hours and self.clock().timestamp() - state.begun_at > self.hours * 3600:
                        raise _Failed(_LATE.format(hours=self.hours))
                    state = await self._write(job, state, terms, rows, passwords)
            await self.db.write(self._finish, job, state, None)
        except Overtaken:
            return
        except _Failed as error:
            await self.db.write(self._finish, job, state, str(error))

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put a job back that met a database that is away; end one that cannot be done. Return why."""
        why = getattr(error, "detail", "") or type(error).__name__
        if isinstance(error, Unavailable) and not isinstance(error, InternalError):
            await self.db.write(jobs.release, job, self.clock(), after=_AGAIN, error=why)
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

    async def _batches(self, job: Claimed, state: Import, terms: Terms | None) -> AsyncGenerator[list[ReadRow], None]:
        """Give the rows that are not done yet, a few at a time; the next are read while the last are written."""
        source = _Source(RowReader(at=state.at, kind=state.kind if state.done else None), state.done, terms)
        first, most = state.at // PIECE, 1 if state.stuck > _CAREFUL_AFTER else self.rows
        reading = asyncio.create_task(self._piece(job, state, source, first))
        try:
            for following in range(first + 1, state.pieces + 2):
                rows = await reading
                if following <= state.pieces:
                    reading = asyncio.create_task(self._piece(job, state, source, following))
                for at in range(0, len(rows), most):
                    yield rows[at : at + most]
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

    async def _piece(self, job: Claimed, state: Import, source: "_Source", place: int) -> list[ReadRow]:
        """Return the rows that a piece of the file completes, or after the last piece those that its end does."""
        if place == state.pieces:
            return await asyncio.to_thread(self._read, source, source.reader.close)
        sealed = await self.db.read(job_files.piece, job.id, place)
        if sealed is None:
            raise _Failed(_GONE)
        begun = state.at % PIECE if place == state.at // PIECE else 0
        return await asyncio.to_thread(
            self._read, source, lambda: source.reader.feed(self.sealer.open(sealed, PURPOSE)[begun:])
        )

    def _read(self, source: "_Source", rows: Callable[[], Iterator[Row]]) -> list[ReadRow]:
        terms, found = source.terms, []
        for row in rows():
            read = self.batch.reading.read(source.number, row, terms) if terms else ReadRow(source.number, row)
            found.append(read)
            source.number += 1
        return found

    async def _write(
        self, job: Claimed, state: Import, terms: Terms | None, rows: list[ReadRow], passwords: list[Secret[str]]
    ) -> Import:
        """Write rows, one by one where they cannot be written together. Raises ``Overtaken``, ``Unavailable``."""
        if state.stuck > _HOPELESS_AFTER:
            why = RowError("NOT_PASSED", "Whoever reads this row ends: it is passed over.")
            state = await self.db.write(self.batch.skip, job, state, rows[0], why)
            rows = rows[1:]
        if not rows:
            return state
        checked = await self.canaries.checked(state, terms, rows, passwords)
        try:
            return await self._store(job, checked, terms, rows)
        except (Overtaken, Unavailable):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a row does to a database, the others go on
            if len(rows) == 1:
                why = RowError("NOT_PASSED", f"The row cannot be stored: {type(error).__name__}")
                return await self.db.write(self.batch.skip, job, state, rows[0], why)
            for row in rows:
                state = await self._write(job, state, terms, [row], passwords)
            return state

    async def _store(self, job: Claimed, state: Import, terms: Terms | None, rows: list[ReadRow]) -> Import:
        """Write rows together, decided anew until nobody was faster. Raises ``Overtaken``, ``Unavailable``."""
        for attempt in range(_TRIES):
            with suppress(Clashed):
                return await self.db.write(self.batch.store, job, state, terms, rows, hopeful=attempt == 0)
        raise Unavailable("somebody else is changing the same users")

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
