"""Work that nobody waits for. Today: sweeping out what has expired, once a minute."""

import asyncio
from datetime import datetime
from typing import Final

import structlog
from sqlmodel import Session

from keystead.db import attempts, ceremonies, codes, refresh_tokens, sessions, tickets, transactions
from keystead.db.session import Database
from keystead.errors import DomainError
from keystead.ports import Clock

EVERY_SECONDS: Final = 60.0

log = structlog.get_logger("keystead.worker")


def sweep(session: Session, now: datetime) -> int:
    """Delete what has expired; return how many rows went. Nothing expired is ever honoured: this only saves room."""
    parts = (attempts, ceremonies, transactions, codes, sessions, refresh_tokens, tickets)
    return sum(part.sweep(session, now) for part in parts)


async def run(db: Database, clock: Clock) -> None:
    """Sweep until cancelled. Any number of processes may do so at once."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await db.write(sweep, clock())
        except DomainError as error:
            log.warning("sweep failed", error=error.code, detail=error.detail)
