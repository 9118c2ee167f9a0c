"""Work that nobody waits for: messages and notices that were asked for, and sweeping out what has expired."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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
from keystead.errors import DomainError, InternalError
from keystead.ports import Clock, Telemetry
from keystead.rules.telemetry import JOB, SILENCE
from keystead.secrecy import trace_of

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


def _no_beat() -> None:
    """Nobody asks whether this worker is alive."""


@dataclass(frozen=True)
class Beside:
    """What a worker does beside the jobs."""

    chores: Sequence[Chore] = ()
    """Done first, and at each sweep."""
    pulses: Sequence[Pulse] = ()
    beat: Callable[[], None] = _no_beat
    """Called behind each look for work that went well: a worker that cannot look is as good as none."""


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
    beside: Beside = Beside(),
    telemetry: Telemetry = SILENCE,
) -> None:
    """Work until cancelled. Any number of processes may do so at once."""
    swept = clock()
    lanes: list[set[asyncio.Task[None]]] = [set() for _ in handlers]
    async with asyncio.TaskGroup() as group:
        group.create_task(_do(beside.chores))
        for pulse in beside.pulses:
            group.create_task(_beat(pulse))
        while True:
            with _logged("the look for work"):
                for handler, busy in zip(handlers, lanes, strict=True):
                    busy -= {lane for lane in busy if lane.done()}
                    if len(busy) < LANES and await db.read(jobs.due, clock(), handler.types):
                        busy |= {
                            group.create_task(_lane(db, handler, clock, telemetry)) for _ in range(LANES - len(busy))
                        }
                beside.beat()
                if (clock() - swept).total_seconds() >= SWEEP_SECONDS:
                    swept = clock()
                    group.create_task(_tidy(db, beside.chores, swept))
            await asyncio.sleep(IDLE_SECONDS)


async def _tidy(db: Database, chores: Sequence[Chore], now: datetime) -> None:
    """Do the chores, then sweep out what had expired before them: one of them tells who asked to be told of it."""
    await _do(chores)
    with _logged("the sweep"):
        await db.write(sweep, now)


async def _do(chores: Sequence[Chore]) -> None:
    for chore in chores:
        with _logged(_name(chore)):
            await chore()


async def _beat(pulse: Pulse) -> None:
    while True:
        with _logged(_name(pulse.work)):
            await pulse.work()
        await asyncio.sleep(pulse.seconds)


async def _lane(db: Database, handler: Handler, clock: Clock, telemetry: Telemetry) -> None:
    with _logged(f"jobs: {', '.join(sorted(handler.types))}"):
        await deliver_due(db, handler, clock, telemetry)


async def _attempt(handler: Handler, job: Claimed, telemetry: Telemetry) -> None:
    """Try a job. Whatever is wrong with it is its own affair: the others go on."""
    try:
        with telemetry.timed(JOB, jobs.kind_of(job.type)), bound_contextvars(job=job.id):
            await handler.deliver(job)
    except Exception as error:  # noqa: BLE001 - a template, a payload, a server: nothing may stop the worker
        reason = await handler.failed(job, error)
        log.warning("a job was not done", job=job.id, tries=job.tries, why=reason, **_told(error))


@contextmanager
def _logged(chore: str) -> Iterator[None]:
    """Go on after anything that goes wrong: a database that is away comes back."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the worker outlives everything but being cancelled
        log.warning("work failed", chore=chore, detail=getattr(error, "detail", ""), **_told(error))


def _name(work: Callable[[], Awaitable[object]]) -> str:
    """Return what a chore is called in our code; of one that is a unit of work alone, the name of that."""
    named = work.args[0] if isinstance(work, partial) else work
    return str(getattr(named, "__qualname__", type(named).__qualname__))


def _told(error: Exception) -> dict[str, str]:
    """Return what the log says of an error; of a defect, where it is."""
    is_defect = isinstance(error, InternalError) or not isinstance(error, DomainError)
    return {"error": type(error).__name__} | ({"exception": trace_of(error)} if is_defect else {})
