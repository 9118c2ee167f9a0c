"""Archives of users put back, line by line, by whichever process has the job: here, or from another Keystead."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

from sqlmodel import Session

from keystead.db import archived_users, census, job_files, job_rows, jobs, journal
from keystead.db.jobs import Claimed, JobRecord
from keystead.db.session import Database
from keystead.errors import (
    BadRequest,
    Conflict,
    DomainError,
    InvalidArchive,
    NoSuchConnection,
    TooManyRequests,
    Unavailable,
)
from keystead.flows import reach
from keystead.flows.archive_making import PURPOSE
from keystead.flows.archive_reading import ArchiveReader, is_archive
from keystead.flows.import_uploads import TO_ARRIVE, TOO_LONG
from keystead.flows.jobs import MOST_ACTIVE, MOST_STUCK, given_back, put_back
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.relying_party import current
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.archive_imports import ArchiveImport, NewArchiveImport, refused
from keystead.rules.events import Caller
from keystead.rules.profiles import EXTRAS
from keystead.rules.user_archives import ArchivedUser, Unusable, read_user

JOB: Final = "users_archive_import"
_TURN: Final = "all"
_WAIT: Final = 60.0
_PIECE: Final = 256 * 1024
_TOLD: Final = 1000
_AT_ONCE: Final = 100
"""Users that are put back in one transaction."""

Line = tuple[int, ArchivedUser | Unusable]
Put = Callable[[Session, ArchivedUser, str, bytes | None, datetime], None]


class ArchiveVerifier(Protocol):
    """Tells whose archive it is."""

    def signer(self, manifest: bytes, signature: bytes, jwks: bytes) -> str:
        """Return the thumbprint of the key that signed a manifest. Raises ``InvalidArchive``."""
        ...

    async def is_ours(self, key: str) -> bool:
        """Whether a thumbprint is of a key of this installation."""
        ...


@dataclass(frozen=True)
class ArchiveImports:
    """Imports of archives. None makes an administrator, nor changes anybody who is there."""

    db: Database
    sealer: Sealer
    verifier: ArchiveVerifier
    journal: Journal
    clock: Clock
    entropy: Entropy
    public_url: str
    tell: Callable[[str, Exception], None]
    """Tells the operator of a defect that a line met, with the id of the job."""
    types: ClassVar[tuple[str, ...]] = (JOB,)
    """The jobs that it does."""

    async def receive(
        self, file: AsyncIterator[bytes], wanted: Callable[[], NewArchiveImport], operation: Operation
    ) -> tuple[JobRecord, ArchiveImport]:
        """Take a file in, and have it imported; ``wanted`` says how, once all of it is there.

        Raises ``BadRequest``, ``TooManyRequests``, ``InvalidArchive``.
        """
        state = ArchiveImport(actor=operation.caller.actor)
        job = await self.db.write(self._start, self.entropy.id("job_"), state)
        try:
            async for piece in _pieces(file):
                if not state.pieces and not is_archive(piece):
                    raise InvalidArchive("it is not packed with gzip")
                sealed = await asyncio.to_thread(self.sealer.seal, piece, PURPOSE)
                if not await self.db.write(job_files.arrive, job.id, state.pieces, sealed):
                    raise BadRequest(TOO_LONG)
                state = state.having(pieces=state.pieces + 1, size=state.size + len(piece))
            if not state.pieces:
                raise InvalidArchive("it is empty")
            asked = wanted()
            state = state.having(is_complete=True, connection_id=asked.connection_id, key=asked.key)
            await self.db.write(self._arrived, job.id, state, operation)
        except BaseException:  # whoever sends it may have gone away
            await asyncio.shield(self.db.write(jobs.remove, job.id))
            raise
        return job, state

    async def errors(self, job_id: str) -> list[dict[str, Any]]:
        """Return what is told of the lines that nothing came of, the first of them."""
        return await self.db.read(job_rows.first, job_id, _TOLD)

    @given_back
    async def deliver(self, job: Claimed) -> None:
        """Go on where an import is, to its end. Raises whatever went wrong.

        All of the file is read, and what was signed is held against it, before anything is written.
        """
        state = _begun(ArchiveImport.model_validate(job.about or {}))
        if not await self.db.write(jobs.keep, job, self.clock(), state.stored()):
            return
        if not state.is_verified:
            state = await self._verified(job, state)
        if not await self.db.write(jobs.keep, job, self.clock(), state.stored()):
            return
        number, waiting = 0, list[tuple[int, bytes]]()
        async for lines in self._lines(job, ArchiveReader(self.verifier.signer), state.pieces):
            waiting += [(number + at, line) for at, line in enumerate(lines) if number + at >= state.done]
            number += len(lines)
            while len(waiting) >= _AT_ONCE:
                batch, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
                state = await self._put(job, state, batch)
        if waiting:
            state = await self._put(job, state, waiting)
        await self.db.write(self._finish, job, state)

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put an import back, or give it up: at once, where its file is no good. Return why."""
        is_final = isinstance(error, InvalidArchive)
        why = str(error) if is_final else type(error).__name__
        if isinstance(error, _LostError):
            # Where it is still ours, and only an answer was lost, whoever has it next goes on from what is stored.
            await self.db.write(jobs.release, job, self.clock())
        elif is_final or not await self.db.write(put_back, job, self.clock(), error, why):
            await self.db.write(self._give_up, job, why)
        return why

    async def _verified(self, job: Claimed, state: ArchiveImport) -> ArchiveImport:
        """Return the import of a file that is what was signed, by whoever is trusted. Raises ``InvalidArchive``."""
        reader = ArchiveReader(self.verifier.signer)
        async for _ in self._lines(job, reader, state.pieces):
            if reader.signed_by and not await self._is_trusted(reader.signed_by, state):
                raise InvalidArchive(
                    "another installation signed it, or a key that is no longer kept here; "
                    f"whoever trusts it names the key {reader.signed_by}"
                )
            if not await self.db.write(jobs.keep, job, self.clock(), state.stored()):
                raise _LostError
        manifest = reader.close()
        now = self.clock().timestamp()
        return state.having(
            is_verified=True, signed_by=reader.signed_by, issuer=manifest.issuer, total=manifest.users, begun_at=now
        )

    async def _is_trusted(self, key: str, state: ArchiveImport) -> bool:
        return key == state.key or await self.verifier.is_ours(key)

    async def _lines(self, job: Claimed, reader: ArchiveReader, pieces: int) -> AsyncIterator[list[bytes]]:
        for number in range(pieces):
            sealed = await self.db.read(job_files.piece, job.id, number)
            if sealed is None:
                raise InvalidArchive("its file is gone")
            reader.feed(await asyncio.to_thread(self.sealer.open, sealed, PURPOSE))
            found = reader.lines()
            while (lines := await asyncio.to_thread(next, found, None)) is not None:
                yield lines
        reader.close()

    async def _put(self, job: Claimed, state: ArchiveImport, batch: Sequence[tuple[int, bytes]]) -> ArchiveImport:
        """Put a few users back, with how far that leads: all of it is stored, or nothing."""
        read = await asyncio.to_thread(_read, batch)
        try:
            return await self.db.write(self._import, job, state, read, archived_users.put)
        except (_LostError, Unavailable):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a line does to a database, the others go on
            if not isinstance(error, DomainError):
                self.tell(job.id, error)
            return await self.db.write(self._import, job, state, read, archived_users.put_with_care)

    def _import(
        self, session: Session, job: Claimed, state: ArchiveImport, batch: Sequence[Line], put: Put
    ) -> ArchiveImport:
        about = jobs.held(session, job)
        if about is None or about.get("done", 0) != state.done:
            raise _LostError  # a commit whose answer was lost is run again, and would find its own users there
        census.join(session)
        targets, wrong = _Targets(session, state.connection_id), dict[int, dict[str, Any]]()
        rp_ids, now = current(session, self.public_url).ids, self.clock()
        for number, user in batch:
            try:
                if isinstance(user, Unusable):
                    raise user
                extras = self.sealer.seal(json.dumps(user.extras).encode(), EXTRAS) if user.extras else None
                put(session, user, targets.of(user.connection), extras, now)
                state = state.having(inserted=state.inserted + 1, foreign=state.with_passkeys(user, rp_ids))
            except (Unusable, Conflict, NoSuchConnection) as error:
                known = None if isinstance(user, Unusable) else user
                wrong[number] = refused(number, known, error)
        state = state.having(done=batch[-1][0] + 1, stuck=0, failed=state.failed + len(wrong))
        if not jobs.keep(session, job, self.clock(), state.stored()):
            raise _LostError  # which takes back what was put: another worker does it
        job_rows.add(session, job.id, wrong)
        return state

    def _start(self, session: Session, job_id: str, state: ArchiveImport) -> JobRecord:
        if not jobs.has_room(session, (JOB,), MOST_ACTIVE):
            raise TooManyRequests(_WAIT, detail="imports are under way")
        now = self.clock()
        jobs.add(session, job_id, JOB, b"", now, turn=_TURN)
        jobs.describe(session, job_id, state.stored(), run_at=now + TO_ARRIVE)
        return JobRecord(job_id, JOB, "pending", now, None, state.stored())

    def _arrived(self, session: Session, job_id: str, state: ArchiveImport, operation: Operation) -> None:
        if state.connection_id is not None and reach.connection_at(session, state.connection_id) is None:
            raise BadRequest("The connection does not exist.", path="connection_id")
        if not jobs.describe(session, job_id, state.stored(), run_at=self.clock()):
            raise BadRequest(TOO_LONG)
        event = operation.event(
            self.journal,
            "Archive of users received",
            type="users_archive_received",
            connection_id=state.connection_id,
            job_id=job_id,
            size=state.size,
            key=state.key,
        )
        journal.add(session, event)

    def _finish(self, session: Session, job: Claimed, state: ArchiveImport) -> None:
        if jobs.keep(session, job, self.clock(), state.stored()) and jobs.finish(session, job, self.clock()):
            job_files.forget(session, job.id)
            self._note(session, job, state, "users_archive_imported", None)

    def _give_up(self, session: Session, job: Claimed, why: str) -> None:
        if jobs.finish(session, job, self.clock(), error=why):
            job_files.forget(session, job.id)
            self._note(session, job, ArchiveImport.model_validate(job.about or {}), "users_archive_refused", why)

    def _note(self, session: Session, job: Claimed, state: ArchiveImport, type: str, why: str | None) -> None:
        about: dict[str, Any] = {"job_id": job.id, "issuer": state.issuer, "signed_by": state.signed_by}
        about |= {"inserted": state.inserted, "failed": state.failed, "passkeys_elsewhere": sum(state.foreign.values())}
        caller = Caller(actor=state.actor)
        event = self.journal.event(type, caller, connection_id=state.connection_id, description=why, **about)
        journal.add(session, event)


def _begun(state: ArchiveImport) -> ArchiveImport:
    """Return an import that is gone on with. Raises ``InvalidArchive`` for one that ends whoever has it."""
    if not state.is_complete:
        raise InvalidArchive("it did not arrive as a whole")
    if state.stuck >= MOST_STUCK:
        raise InvalidArchive("no try to read it came to an end")
    return state.having(stuck=state.stuck + 1)


class _LostError(Exception):
    """Another worker has the job, or it is further than this."""


@dataclass
class _Targets:
    """Where users are put, looked up once for a batch."""

    session: Session
    override: str | None

    def __post_init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Return the id of a connection. Raises ``NoSuchConnection``; administrators' is none of them."""
        if name not in self._known:
            self._known[name] = self._look_up(name)
        return self._known[name]

    def _look_up(self, name: str) -> str:
        if self.override is not None:
            return reach.connection(self.session, self.override).id
        found = reach.connection_named(self.session, name)
        if found is None:
            raise NoSuchConnection
        return found.id


async def _pieces(file: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give a file in pieces of one size, however it arrives."""
    waiting = bytearray()
    async for octets in file:
        waiting += octets
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    if waiting:
        yield bytes(waiting)


def _read(batch: Sequence[tuple[int, bytes]]) -> list[Line]:
    found: list[Line] = []
    for number, line in batch:
        try:
            found.append((number, read_user(line)))
        except Unusable as error:
            found.append((number, error))
    return found
