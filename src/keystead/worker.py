"""Work that nobody waits for: messages that were asked for, and sweeping out what has expired."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog
from sqlmodel import Session

from keystead.db import (
    attempts,
    ceremonies,
    codes,
    jobs,
    one_time_codes,
    outbox,
    refresh_tokens,
    sessions,
    tickets,
    transactions,
)
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.flows.post import Post
from keystead.ports import Clock

SWEEP_SECONDS: Final = 60
IDLE_SECONDS: Final = 1.0
"""How often an idle process looks for work: one read that finds nothing."""

LANES: Final = 4
"""How many messages a process delivers at once: a server that answers slowly holds up its own lane."""

log = structlog.get_logger("keystead.worker")


_SWEPT: Final = (
    *(attempts, ceremonies, transactions, codes, one_time_codes),
    *(sessions, refresh_tokens, tickets, jobs, outbox),
)


def sweep(session: Session, now: datetime) -> int:
    """Delete what has expired; return how many rows went. Nothing expired is ever honoured: this only saves room."""
    return sum(part.sweep(session, now) for part in _SWEPT)


async def deliver_due(db: Database, post: Post, clock: Clock) -> int:
    """Deliver what is due, one message after the other; return how many were tried.

    Of any number of workers, one gets each. Cancelled, it leaves the message to the lease: another worker sends it.
    """
    tried = 0
    while await db.read(jobs.due, clock()):
        job = await db.write(jobs.claim, clock())
        if job is None:
            break
        await _attempt(post, job)
        tried += 1
    return tried


async def run(db: Database, post: Post, clock: Clock) -> None:
    """Work until cancelled. Any number of processes may do so at once."""
    swept, lanes = clock(), set[asyncio.Task[None]]()
    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(IDLE_SECONDS)
            lanes = {lane for lane in lanes if not lane.done()}
            with _logged():
                if len(lanes) < LANES and await db.read(jobs.due, clock()):
                    lanes |= {group.create_task(_lane(db, post, clock)) for _ in range(LANES - len(lanes))}
                if (clock() - swept).total_seconds() >= SWEEP_SECONDS:
                    swept = clock()
                    await db.write(sweep, swept)


async def _lane(db: Database, post: Post, clock: Clock) -> None:
    with _logged():
        await deliver_due(db, post, clock)


async def _attempt(post: Post, job: Claimed) -> None:
    """Try a message. Whatever is wrong with it is its own affair: the others go on."""
    try:
        await post.deliver(job)
    except Exception as error:  # noqa: BLE001 - a template, a payload, a server: nothing may stop the worker
        reason = await post.failed(job, error)
        log.warning("a message was not delivered", job=job.id, tries=job.tries, error=type(error).__name__, why=reason)


@contextmanager
def _logged() -> Iterator[None]:
    """Go on after anything that goes wrong: a database that is away comes back."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the worker outlives everything but being cancelled
        log.warning("work failed", error=type(error).__name__, detail=getattr(error, "detail", ""))
