"""Work that nobody waits for: messages and notices that were asked for, and sweeping out what has expired."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog
from sqlmodel import Session
from structlog.contextvars import bound_contextvars

from keystead.db import (
    attempts,
    ceremonies,
    codes,
    credentials,
    decisions,
    jobs,
    keys,
    one_time_codes,
    outbox,
    pushed_requests,
    refresh_tokens,
    sessions,
    shadow,
    tickets,
    transactions,
)
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.ports import Clock, Telemetry
from keystead.rules.telemetry import JOB, SILENCE

SWEEP_SECONDS: Final = 60
IDLE_SECONDS: Final = 1.0
"""How often an idle process looks for work: one read that finds nothing."""

LANES: Final = 4
"""How many jobs of one handler a process does at once: a server that answers slowly holds up its own lane."""

log = structlog.get_logger("keystead.worker")


class Handler(Protocol):
    """Does the jobs of some types. Each handler has lanes of its own: a client that hangs holds up nobody's mail."""

    @property
    def types(self) -> Collection[str]:
        """The types of jobs that it does."""
        ...

    async def deliver(self, job: Claimed) -> None:
        """Do a job and finish it. Raises whatever went wrong."""
        ...

    async def failed(self, job: Claimed, error: Exception) -> str:
        """Put a job back or give it up; return why."""
        ...


Chore = Callable[[], Awaitable[None]]
"""Does what must be done now and then, beside the jobs; nothing, where there is nothing to do."""


@dataclass(frozen=True)
class Pulse:
    """A chore with an interval of its own, in seconds: one that is slow holds up no other."""

    work: Callable[[], Awaitable[object]]
    seconds: float


_SWEPT: Final = (
    *(attempts, ceremonies, transactions, codes, one_time_codes, decisions),
    *(pushed_requests, credentials, sessions, refresh_tokens, tickets, jobs, outbox, keys, shadow),
)


def sweep(session: Session, now: datetime) -> int:
    """Delete what has expired; return how many rows went. Nothing expired is ever honoured: this only saves room."""
    return sum(part.sweep(session, now) for part in _SWEPT)


async def deliver_due(db: Database, handler: Handler, clock: Clock, telemetry: Telemetry = SILENCE) -> int:
    """Do what is due of a handler's jobs, one after the other; return how many were tried.

    Of any number of workers, one gets each. Cancelled, it leaves the job to the lease, unless its handler
    gives it back: another worker does it.
    """
    tried = 0
    while await db.read(jobs.due, clock(), handler.types):
        job = await _claimed(db, handler, clock)
        if job is None:
            break
        await _attempt(handler, job, telemetry)
        tried += 1
    return tried


async def _claimed(db: Database, handler: Handler, clock: Clock) -> Claimed | None:
    """Take the next job. Cancelled while it is being taken, nobody would know of it until the lease ends."""
    claiming = asyncio.ensure_future(db.write(jobs.claim, clock(), handler.types))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        job = await claiming
        if job is not None:
            await db.write(jobs.release, job, clock())
        raise


async def run(
    db: Database,
    handlers: Sequence[Handler],
    clock: Clock,
    chores: Sequence[Chore] = (),
    pulses: Sequence[Pulse] = (),
    telemetry: Telemetry = SILENCE,
) -> None:
    """Work until cancelled. Any number of processes may do so at once. Chores are done first, and at each sweep."""
    swept = clock()
    lanes: list[set[asyncio.Task[None]]] = [set() for _ in handlers]
    async with asyncio.TaskGroup() as group:
        group.create_task(_do(chores))
        for pulse in pulses:
            group.create_task(_beat(pulse))
        while True:
            await asyncio.sleep(IDLE_SECONDS)
            with _logged():
                for handler, busy in zip(handlers, lanes, strict=True):
                    busy -= {lane for lane in busy if lane.done()}
                    if len(busy) < LANES and await db.read(jobs.due, clock(), handler.types):
                        busy |= {
                            group.create_task(_lane(db, handler, clock, telemetry)) for _ in range(LANES - len(busy))
                        }
                if (clock() - swept).total_seconds() >= SWEEP_SECONDS:
                    swept = clock()
                    group.create_task(_tidy(db, chores, swept))


async def _tidy(db: Database, chores: Sequence[Chore], now: datetime) -> None:
    """Do the chores, then sweep out what had expired before them: one of them tells who asked to be told of it."""
    await _do(chores)
    with _logged():
        await db.write(sweep, now)


async def _do(chores: Sequence[Chore]) -> None:
    for chore in chores:
        with _logged():
            await chore()


async def _beat(pulse: Pulse) -> None:
    while True:
        with _logged():
            await pulse.work()
        await asyncio.sleep(pulse.seconds)


async def _lane(db: Database, handler: Handler, clock: Clock, telemetry: Telemetry) -> None:
    with _logged():
        await deliver_due(db, handler, clock, telemetry)


async def _attempt(handler: Handler, job: Claimed, telemetry: Telemetry) -> None:
    """Try a job. Whatever is wrong with it is its own affair: the others go on."""
    try:
        with telemetry.timed(JOB, jobs.kind_of(job.type)), bound_contextvars(job=job.id):
            await handler.deliver(job)
    except Exception as error:  # noqa: BLE001 - a template, a payload, a server: nothing may stop the worker
        reason = await handler.failed(job, error)
        log.warning("a job was not done", job=job.id, tries=job.tries, error=type(error).__name__, why=reason)


@contextmanager
def _logged() -> Iterator[None]:
    """Go on after anything that goes wrong: a database that is away comes back."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the worker outlives everything but being cancelled
        log.warning("work failed", error=type(error).__name__, detail=getattr(error, "detail", ""))
