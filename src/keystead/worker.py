"""Work that nobody waits for: messages that were asked for, and sweeping out what has expired."""

import asyncio
from datetime import datetime
from typing import Final

import structlog
from sqlmodel import Session

from keystead.db import attempts, ceremonies, codes, jobs, refresh_tokens, sessions, tickets, transactions
from keystead.db.session import Database
from keystead.errors import DomainError
from keystead.flows.post import Post
from keystead.ports import Clock

SWEEP_SECONDS: Final = 60
IDLE_SECONDS: Final = 1.0

log = structlog.get_logger("keystead.worker")


def sweep(session: Session, now: datetime) -> int:
    """Delete what has expired; return how many rows went. Nothing expired is ever honoured: this only saves room."""
    parts = (attempts, ceremonies, transactions, codes, sessions, refresh_tokens, tickets, jobs)
    return sum(part.sweep(session, now) for part in parts)


async def deliver_due(db: Database, post: Post, clock: Clock) -> int:
    """Deliver every message that is due; return how many were tried. Of any number of workers, one gets each."""
    tried = 0
    while await db.read(jobs.due, clock()):
        job = await db.write(jobs.claim, clock())
        if job is None:
            break
        await post.deliver(job)
        tried += 1
    return tried


async def run(db: Database, post: Post, clock: Clock) -> None:
    """Work until cancelled. Any number of processes may do so at once."""
    swept = clock()
    while True:
        await asyncio.sleep(IDLE_SECONDS)
        try:
            await deliver_due(db, post, clock)
            if (clock() - swept).total_seconds() >= SWEEP_SECONDS:
                swept = clock()
                await db.write(sweep, swept)
        except DomainError as error:
            log.warning("work failed", error=error.code, detail=error.detail)
