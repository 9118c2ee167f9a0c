"""The journal sent on: every entry of the chain to every stream, in order, at least once, whoever restarts when."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from keystead.db import journal, log_streams
from keystead.db.log_streams import Gap, StreamRecord
from keystead.db.session import Database
from keystead.errors import DatabaseUnavailable
from keystead.flows.journal import Journal
from keystead.flows.log_streams import PURPOSE
from keystead.ports import Clock, LogReceiver, Received, Sealer
from keystead.rules import log_streams as rules
from keystead.rules.events import Caller, Event
from keystead.rules.log_entries import LogEntry
from keystead.rules.log_streams import Batch, Secrets, read_secrets
from keystead.secrecy import Secret

IDLE_SECONDS: Final = 1.0
"""How often a process looks for streams with something to deliver: one read."""

_AT_ONCE: Final = 500
"""How many entries are read at a time; of those that nobody wants, more than one delivery holds."""


Tell = Callable[[str, Exception], None]
"""Tells the operator what was wrong with a stream."""


@dataclass(frozen=True)
class LogDelivery:
    """Delivers streams, each by one process at a time; where each stands is moved on only when all was taken.

    Cancelled or killed in between, it leaves a stream to the lease: another process delivers the same batch again.
    """

    db: Database
    receiver: LogReceiver
    sealer: Sealer
    journal: Journal
    clock: Clock
    hostname: str
    tell: Tell

    async def run(self) -> None:
        """Deliver until cancelled. Each stream has a task of its own: one that hangs holds up no other."""
        busy: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                busy = {each: task for each, task in busy.items() if not task.done()}
                with suppress(DatabaseUnavailable):  # it comes back
                    for stream_id in await self.db.read(log_streams.due, self.clock()):
                        if stream_id not in busy:
                            busy[stream_id] = group.create_task(self._alone(stream_id))
                await asyncio.sleep(IDLE_SECONDS)

    async def _alone(self, stream_id: str) -> None:
        """Deliver one. Whatever is wrong with it is its own affair: it is tried again once the lease has ended."""
        try:
            await self.deliver(stream_id)
        except DatabaseUnavailable:  # it comes back
            pass
        except Exception as error:  # noqa: BLE001 - what is stored of it, a defect: nothing may end the others
            self.tell(stream_id, error)

    async def deliver_due(self) -> None:
        """Deliver what is due, to the end of it or to the first failure of each stream."""
        due = await self.db.read(log_streams.due, self.clock())
        await asyncio.gather(*(self.deliver(stream_id) for stream_id in due))

    async def deliver(self, stream_id: str) -> None:
        """Deliver one stream, batch after batch, until nothing is left or nothing was taken."""
        stream = await self.db.write(log_streams.claim, stream_id, self.clock())
        while stream is not None:
            gap, found = await self.db.read(_next, stream)
            if gap is not None:
                stream = await self.db.write(self._pass_over, stream, gap)
                continue
            batch = rules.next_batch(found, stream.settings)
            if batch is None:
                await self.db.write(log_streams.release, stream, self.clock())
                return
            if batch.entries and not await self._taken(stream, batch):
                return
            stream = await self.db.write(log_streams.advance, stream, batch.last, self.clock())

    async def _taken(self, stream: StreamRecord, batch: Batch) -> bool:
        """Hand a batch over, and return whether it was taken; where it was not, see to the next try."""
        try:
            answer = await self._post(stream, batch)
        except Exception as error:  # noqa: BLE001 - nobody answers, the key is gone: nothing may end the others
            await self._failed(stream, None, getattr(error, "detail", "") or type(error).__name__)
            return False
        if 200 <= answer.status < 300:
            return True
        await self._failed(stream, answer, f"HTTP {answer.status}")
        return False

    async def _post(self, stream: StreamRecord, batch: Batch) -> Received:
        private, sink = read_secrets(self.sealer.open(stream.sealed, PURPOSE)), stream.settings["sink"]
        body = rules.body_of(batch, sink["httpContentFormat"], self.hostname)
        about = rules.signature(private.signing, self.clock(), body) | {
            "content-type": sink["httpContentType"],
            "keystead-batch": batch.name(stream.id),
            "keystead-stream": stream.id,
            "keystead-stream-position": batch.position,
        }
        return await self.receiver.post(sink["httpEndpoint"], _headers(private, about), body)

    async def _failed(self, stream: StreamRecord, answer: Received | None, why: str) -> None:
        failures, now = stream.failures + 1, self.clock()
        if rules.is_given_up(failures, answer.status if answer else None):
            await self.db.write(self._give_up, stream, why)
        else:
            at = now + rules.wait(failures, answer.retry_after if answer else None)
            await self.db.write(log_streams.again, stream, at, why)

    def _give_up(self, session: Session, stream: StreamRecord, why: str) -> None:
        if log_streams.suspend(session, stream, self.clock(), why):
            journal.add(session, self._event("log_stream_suspended", stream, why, error=why))
        else:
            log_streams.release(session, stream, self.clock())

    def _pass_over(self, session: Session, stream: StreamRecord, gap: Gap) -> StreamRecord | None:
        moved = log_streams.advance(session, stream, (gap.last, gap.last_id), self.clock())
        said = f"at most {gap.entries} entries were pruned before they were delivered"
        details = {"first": gap.first, "last": gap.last, "entries": gap.entries}
        journal.add(session, self._event("log_stream_gap", stream, said, **details))
        return moved

    def _event(self, type: str, stream: StreamRecord, description: str, **details: Any) -> Event:
        about = {"log_stream_id": stream.id, "name": stream.name}
        return self.journal.event(type, Caller(), description=description, **about, **details)


def _next(session: Session, stream: StreamRecord) -> tuple[Gap | None, list[LogEntry]]:
    """Return what was pruned before the stream had it, and what comes next.

    The gap last: what is pruned in between is then said to be missing, rather than passed over without a word.
    """
    found = journal.sealed_after(session, stream.after_seal, stream.after_id, _AT_ONCE)
    return log_streams.gap(session, stream), found


def _headers(private: Secrets, about: dict[str, str]) -> dict[str, Secret[str]]:
    own = {name: Secret(value) for name, value in about.items()}
    authorization = {"authorization": private.authorization} if private.authorization else {}
    return dict(private.headers) | authorization | own
