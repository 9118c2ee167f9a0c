"""What is to be done later, as administrators see it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Final, NamedTuple, Protocol, TypeVar, cast

from sqlmodel import Session

from keystead.db import connections, jobs
from keystead.db.jobs import Claimed, JobDetails, JobFilter
from keystead.db.session import Database
from keystead.errors import InternalError, NoSuchJob, Unavailable
from keystead.ports import Clock

MAX_TRIES: Final = 5
"""Tries without a step after which an export or an archive's import is given up at an error."""
AGAIN: Final = timedelta(seconds=5)
"""When a job is gone on with that found the service busy, or the database away."""
_PATIENCE: Final = timedelta(hours=24)
"""How long after it was asked for a job may find that, as often as it likes."""
MOST_STUCK: Final = 12
"""Tries without a step that nobody came back from: a server may be stopped a few times, and is not for ever."""
MOST_ACTIVE: Final = 2
"""Jobs of a kind, such as imports, that wait or are under way; more are told to come back (IM-2)."""


class Resuming(Protocol):
    """Does jobs that note how far they are, so that anybody goes on at any point."""

    @property
    def db(self) -> Database:
        """Where they are."""
        ...

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...


Deliver = TypeVar("Deliver", bound=Callable[..., Awaitable[None]])


def given_back(deliver: Deliver) -> Deliver:
    """Have a job given back where its worker is cancelled: whoever goes on need not wait for the end of the lease.

    Not for messages: one that is on its way may arrive all the same.
    """

    @wraps(deliver)
    async def wrapped(handler: Resuming, job: Claimed) -> None:
        try:
            await deliver(handler, job)
        except asyncio.CancelledError:
            with suppress(Exception):  # then the lease ends by itself
                await asyncio.shield(handler.db.write(jobs.release, job, handler.clock()))
            raise

    return cast(Deliver, wrapped)


def put_back(session: Session, job: Claimed, now: datetime, error: Exception, why: str) -> bool:
    """Put back a job that an error ended; ``False`` where it is to be given up instead.

    What counts is tries since its last step (``stuck``): a long job outlives any number of restarts, and of errors
    that it got past. Nothing counts of which it is not the cause.
    """
    if is_passing(error) and now - job.created_at < _PATIENCE:
        jobs.release(session, job, now, after=AGAIN, error=why)
        return True
    stuck = int((jobs.held(session, job) or {}).get("stuck", 0))
    if stuck >= MAX_TRIES:
        return False
    jobs.again(session, job, now, why, tries=max(stuck, 1))
    return True


def is_passing(error: Exception) -> bool:
    """Whether an error is none of a job's own: the service is busy, or the database away."""
    return isinstance(error, Unavailable) and not isinstance(error, InternalError)


class Named(NamedTuple):
    """A job, and the name that its connection has today."""

    job: JobDetails
    connection: str | None


@dataclass(frozen=True)
class Jobs:
    """Looks at jobs; what does them is ``worker.py``."""

    db: Database

    async def after(self, wanted: JobFilter, last: str, size: int) -> list[Named]:
        """Return jobs, newest first, that come after the one of the id ``last``."""
        return await self.db.read(_page, wanted, last, size)

    async def show(self, job_id: str) -> Named:
        """Return a job, until a day after its end. Raises ``NoSuchJob``."""
        return await self.db.read(_details, job_id)


def _page(session: Session, wanted: JobFilter, last: str, size: int) -> list[Named]:
    return _named(session, jobs.page(session, wanted, last, size))


def _details(session: Session, job_id: str) -> Named:
    found = jobs.details(session, job_id)
    if found is None:
        raise NoSuchJob
    return _named(session, [found])[0]


def _named(session: Session, found: Sequence[JobDetails]) -> list[Named]:
    names = connections.names(session, {each.connection_id for each in found if each.connection_id})
    return [Named(each, names.get(each.connection_id or "")) for each in found]
