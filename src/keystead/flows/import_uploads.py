"""Files of users taken in: kept piece by piece as they arrive, sealed, and looked through once for what is wrong.

What a file is wrong about as a whole is found before any of its rows is imported.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from sqlmodel import Session

from keystead.db import import_jobs, job_files, jobs, journal
from keystead.db.connections import ConnectionRecord
from keystead.db.jobs import JobRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, BodyTooLarge, NoSuchJob, TooManyImports
from keystead.flows import reach
from keystead.flows.jobs import MOST_ACTIVE
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.import_jobs import JOB, PIECE, PURPOSE, Canary, Import, NewImport, read_import
from keystead.rules.row_files import Malformed, RowReader

_WAIT: Final = 60.0
TO_ARRIVE: Final = timedelta(hours=1)
"""How long a file may take to arrive; what is not there by then is given up."""
TOO_LONG: Final = "The upload took too long."


class Form(Protocol):
    """What came beside the file, whole once the file is read to its end."""

    texts: dict[str, list[str]]

    def has_file(self) -> bool:
        """Whether the file was there, be it empty."""
        ...


@dataclass
class _Arrival:
    """A file on its way."""

    job_id: str
    state: Import
    waiting: bytearray
    reader: RowReader
    malformed: str = ""


@dataclass(frozen=True)
class ImportUploads:
    """Takes imports in."""

    db: Database
    sealer: Sealer
    journal: Journal
    clock: Clock
    entropy: Entropy
    most_bytes: int
    """Of one file; 0 for any size."""

    async def receive(
        self,
        file: AsyncIterator[bytes],
        form: Form,
        operation: Operation,
        *,
        may_add_passkeys: bool = False,
        may_set_passwords: bool = False,
    ) -> tuple[JobRecord, Import]:
        """Take a file in, and have it imported; what may be given to accounts that are there is noted.

        Raises ``BadRequest``, ``BodyTooLarge``, ``TooManyImports``.
        """
        job_id = self.entropy.id("job_")
        state = Import(
            uploading=True,
            client_id=operation.client_id,
            actor=operation.caller.actor,
            may_add_passkeys=may_add_passkeys,
            may_set_passwords=may_set_passwords,
        )
        await self.db.write(self._begin, job_id, state)
        arrival = _Arrival(job_id, state, bytearray(), RowReader())
        try:
            async for octets in file:
                await self._take(arrival, octets)
            wanted = read_import(form.texts, has_file=form.has_file())
            await self._last(arrival)
            if not arrival.state.size:
                raise BadRequest("Users file must not be empty.")
            return await self.db.write(self._ready, arrival, wanted, operation)
        except BaseException:
            await asyncio.shield(self.db.write(jobs.remove, job_id))
            raise

    async def rows(self, job_id: str, after: int, limit: int, *, only: str) -> list[tuple[int, dict[str, Any]]]:
        """Return what was found of the rows behind one; with ``only``, of one verdict. Raises ``NoSuchJob``."""
        return await self.db.read(_rows, job_id, after, limit, only)

    async def _take(self, arrival: _Arrival, octets: bytes) -> None:
        arrival.waiting += octets
        if self.most_bytes and arrival.state.size + len(arrival.waiting) > self.most_bytes:
            raise BodyTooLarge.import_beyond(self.most_bytes)
        while len(arrival.waiting) >= PIECE:
            piece = bytes(arrival.waiting[:PIECE])
            del arrival.waiting[:PIECE]
            await self._keep(arrival, piece)

    async def _last(self, arrival: _Arrival) -> None:
        if arrival.waiting:
            await self._keep(arrival, bytes(arrival.waiting))
        await asyncio.to_thread(_closed, arrival)

    async def _keep(self, arrival: _Arrival, piece: bytes) -> None:
        # On a thread: what is looked through is as long as whoever sends it likes.
        sealed = await asyncio.to_thread(self._looked_through, arrival, piece)
        state = arrival.state
        if not await self.db.write(job_files.arrive, arrival.job_id, state.pieces, sealed):
            raise BadRequest(TOO_LONG)
        arrival.state = state.having(
            pieces=state.pieces + 1, size=state.size + len(piece), rows=arrival.state.rows, kind=arrival.reader.kind
        )

    def _looked_through(self, arrival: _Arrival, piece: bytes) -> bytes:
        if not arrival.malformed:
            try:
                found = sum(1 for _ in arrival.reader.feed(piece))
                arrival.state = arrival.state.having(rows=arrival.state.rows + found)
            except Malformed as error:
                arrival.malformed = str(error)
        return self.sealer.seal(piece, PURPOSE)

    def _begin(self, session: Session, job_id: str, state: Import) -> None:
        now = self.clock()
        if not import_jobs.begin(session, job_id, state.stored(), now, now + TO_ARRIVE, MOST_ACTIVE):
            raise TooManyImports(_WAIT)

    def _ready(
        self, session: Session, arrival: _Arrival, wanted: NewImport, operation: Operation
    ) -> tuple[JobRecord, Import]:
        connection = _target(session, wanted.connection_id)
        state = arrival.state.having(
            uploading=False,
            connection_id=connection.id,
            connection=connection.name,
            upsert=wanted.upsert,
            external_id=wanted.external_id,
            send_completion_email=wanted.send_completion_email,
            dry_run=wanted.dry_run,
            malformed=arrival.malformed,
            canaries=[Canary(user=user) for user, _ in wanted.canaries],
        )
        passwords = json.dumps([[user, password.reveal()] for user, password in wanted.canaries]).encode()
        now = self.clock()
        sealed = self.sealer.seal(passwords, PURPOSE)
        if not import_jobs.ready(session, arrival.job_id, sealed, state.stored(), now):
            raise BadRequest(TOO_LONG)
        about: dict[str, Any] = {"job_id": arrival.job_id, "rows": state.rows, "dry_run": state.dry_run}
        event = operation.event(self.journal, "Create a job to import users", connection_id=connection.id, **about)
        journal.add(session, event)
        job = jobs.get(session, arrival.job_id)
        assert job is not None
        return job, state


def _target(session: Session, connection_id: str) -> ConnectionRecord:
    """Return where users are to be put (IM-13). Raises ``BadRequest``, in the words of 4.3."""
    connection = reach.connection_at(session, connection_id)
    if connection is None:
        raise BadRequest("The connection does not exist.")
    if connection.strategy != "auth0":
        raise BadRequest("Connection must be a database connection.")
    if not connection.active:
        raise BadRequest("Connection must be enabled.")
    if connection.policy().store == "scripted":
        raise BadRequest("Custom Database Connections without import mode are not allowed.")
    return connection


def _rows(session: Session, job_id: str, after: int, limit: int, only: str) -> list[tuple[int, dict[str, Any]]]:
    job = jobs.get(session, job_id)
    if job is None or job.type != JOB:
        raise NoSuchJob
    return import_jobs.noted(session, job_id, after, limit, only=only)


def _closed(arrival: _Arrival) -> None:
    if not arrival.malformed:
        try:
            found = sum(1 for _ in arrival.reader.close())
            arrival.state = arrival.state.having(rows=arrival.state.rows + found)
        except Malformed as error:
            arrival.malformed = str(error)
    arrival.state = arrival.state.having(kind=arrival.reader.kind)
