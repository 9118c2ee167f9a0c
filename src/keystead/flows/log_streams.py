"""Log streams, as administrators make, change and end them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlmodel import Session

from keystead.db import journal, log_streams
from keystead.db.log_streams import StreamRecord
from keystead.db.session import Database
from keystead.errors import Conflict, NoSuchLogStream
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules import log_streams as rules
from keystead.rules.log_streams import MOST_STREAMS, LogStreamEdit, NewLogStream, Secrets, read_secrets
from keystead.rules.receivers import Receivers
from keystead.secrecy import Secret

PURPOSE: Final = "log streams"
"""What the secrets of a sink are sealed for."""

_TAKEN: Final = "A log stream with the same name already exists"
_MOST: Final = f"There are {MOST_STREAMS} log streams already, which is as many as there can be."


@dataclass(frozen=True, slots=True)
class Shown:
    """A stream, as its answer shows it; the signing secret only where it was just made."""

    record: StreamRecord
    authorization: bool
    headers: tuple[str, ...]
    signing_secret: Secret[str] | None = None


@dataclass(frozen=True)
class LogStreams:
    """Everything that is said about log streams through the Management API."""

    db: Database
    sealer: Sealer
    journal: Journal
    clock: Clock
    entropy: Entropy
    receivers: Receivers

    async def index(self) -> list[Shown]:
        """Return all of them: there are few."""
        return [self._shown(each) for each in await self.db.read(log_streams.known)]

    async def show(self, stream_id: str) -> Shown:
        """Return one. Raises ``NoSuchLogStream``."""
        return self._shown(await self.db.read(_found, stream_id))

    async def create(self, body: Mapping[str, Any], operation: Operation) -> Shown:
        """Make one that begins now, or at a moment that is named. Raises ``BadRequest``, ``Conflict``."""
        asked = rules.read_new(body)
        self.receivers.check(asked.sink.endpoint, "sink.httpEndpoint")
        return await self.db.write(self._create, asked, operation)

    async def update(self, stream_id: str, body: Mapping[str, Any], operation: Operation) -> Shown:
        """Change one. Raises ``NoSuchLogStream``, ``BadRequest``, ``Conflict``."""
        asked = rules.read_edit(body)
        if asked.sink is not None:
            self.receivers.check(asked.sink.endpoint, "sink.httpEndpoint")
        return await self.db.write(self._update, stream_id, asked, operation)

    async def rotate_secret(self, stream_id: str, operation: Operation) -> Shown:
        """Sign with a new secret from now on, and show it once. Raises ``NoSuchLogStream``."""
        return await self.db.write(self._rotate, stream_id, operation)

    async def delete(self, stream_id: str, operation: Operation) -> None:
        """End one; no error where there is none."""
        await self.db.write(self._delete, stream_id, operation)

    def _create(self, session: Session, asked: NewLogStream, operation: Operation) -> Shown:
        if len(log_streams.known(session)) >= MOST_STREAMS:
            raise Conflict(_MOST)
        if log_streams.is_named(session, asked.name):
            raise Conflict(_TAKEN)
        now, signing = self.clock(), Secret(self.entropy.token(32))
        private = rules.secrets_of(asked.sink, "", Secrets(signing))
        seal, log_id = log_streams.place_before(session, asked.start_from)
        record = StreamRecord(
            id=self.entropy.id("lst_", 16),
            name=asked.name,
            type=asked.type,
            status="active",
            settings=rules.settings_of(asked),
            sealed=self._sealed(private),
            after_seal=seal,
            after_id=log_id,
            tries=0,
            run_at=now,
            error=None,
            created_at=now,
            updated_at=now,
        )
        log_streams.add(session, record)
        event = operation.event(self.journal, "Create a log stream", log_stream_id=record.id, name=record.name)
        journal.add(session, event)
        return replace(self._shown(record), signing_secret=signing)

    def _update(self, session: Session, stream_id: str, asked: LogStreamEdit, operation: Operation) -> Shown:
        found = _found(session, stream_id, lock=True)
        if asked.name is not None and log_streams.is_named(session, asked.name, stream_id):
            raise Conflict(_TAKEN)
        values: dict[str, Any] = {"settings": found.settings | rules.changed_settings(asked)}
        values |= {"name": asked.name} if asked.name is not None else {}
        values |= {"status": "paused"} if asked.status == "paused" else {}
        if asked.sink is not None:
            endpoint = found.settings["sink"]["httpEndpoint"]
            values["sealed"] = self._sealed(rules.secrets_of(asked.sink, endpoint, self._opened(found)))
        now = self.clock()
        log_streams.change(session, stream_id, now, **values)
        if asked.status == "active":
            log_streams.resume(session, stream_id, now)
        members = asked.members
        event = operation.event(self.journal, "Update a log stream", log_stream_id=stream_id, changed=members)
        journal.add(session, event)
        return self._shown(_found(session, stream_id))

    def _rotate(self, session: Session, stream_id: str, operation: Operation) -> Shown:
        found, signing = _found(session, stream_id, lock=True), Secret(self.entropy.token(32))
        sealed = self._sealed(replace(self._opened(found), signing=signing))
        log_streams.change(session, stream_id, self.clock(), sealed=sealed)
        event = operation.event(self.journal, "Rotate the signing secret of a log stream", log_stream_id=stream_id)
        journal.add(session, event)
        return replace(self._shown(_found(session, stream_id)), signing_secret=signing)

    def _delete(self, session: Session, stream_id: str, operation: Operation) -> None:
        if log_streams.remove(session, stream_id):
            journal.add(session, operation.event(self.journal, "Delete a log stream", log_stream_id=stream_id))

    def _shown(self, record: StreamRecord) -> Shown:
        private = self._opened(record)
        return Shown(record, private.authorization is not None, tuple(name for name, _ in private.headers))

    def _sealed(self, private: Secrets) -> bytes:
        return self.sealer.seal(private.written(), PURPOSE)

    def _opened(self, record: StreamRecord) -> Secrets:
        return read_secrets(self.sealer.open(record.sealed, PURPOSE))


def _found(session: Session, stream_id: str, *, lock: bool = False) -> StreamRecord:
    found = log_streams.get(session, stream_id, lock=lock)
    if found is None:
        raise NoSuchLogStream
    return found
