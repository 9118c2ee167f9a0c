"""Reads that look through much, one after the other, so that whoever signs in always finds a reader."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlmodel import Session

from keystead.db.session import Database, limited
from keystead.errors import Busy

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Work = Callable[Concatenate[Session, Arguments], Result]

SECONDS: Final = 2.0
"""What a search may take, and how long it waits for its turn: a database that is looked through row by row has no time
for logins (US-6)."""


@dataclass(frozen=True)
class LongReads:
    """Has one reader of a process, which has few, work for all who look through much."""

    db: Database
    seconds: float = SECONDS
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def read(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run a unit of work, however long others take before it, and it itself.

        Raises ``DatabaseUnavailable``.
        """
        await self._turn.acquire()
        return await self._held(work, *args, **kwargs)

    async def search(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run one that somebody may have thought up so that it takes long.

        Raises ``Busy`` where others take too long before it, ``Unavailable`` where it takes too long itself,
        ``DatabaseUnavailable``.
        """

        @wraps(work)
        def unit(session: Session) -> Result:
            with limited(session, self.seconds):
                return work(session, *args, **kwargs)

        try:
            async with asyncio.timeout(self.seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise Busy(self.seconds, detail="others search") from None
        return await self._held(unit)

    async def _held(self, work: Work[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        # Whoever goes away meanwhile leaves the statement behind, which goes on: the turn is over when that is.
        reading = asyncio.create_task(self.db.read(work, *args, **kwargs))
        reading.add_done_callback(lambda _: self._turn.release())
        return await asyncio.shield(reading)
