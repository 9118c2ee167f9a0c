"""Whether this process can serve: for whoever sends it requests, in words that tell a stranger nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from keystead.db import schema
from keystead.db.session import Database, reachable
from keystead.errors import DomainError
from keystead.ports import Clock

State = Literal["ok", "failed", "unknown"]

PATIENCE_SECONDS: Final = 2.0
"""How long the database may take to answer."""

KEPT: Final = timedelta(seconds=1)
"""How long an answer is given again: whoever asks more often asks nobody but us."""

SILENT: Final = timedelta(seconds=60)
"""After how long without a beat the worker counts as dead. It looks around each second."""


@dataclass
class Readiness:
    """Looks at what every request needs, and at the worker, in this process."""

    db: Database
    can_sign: Callable[[], Awaitable[bool]]
    clock: Clock
    stopping: bool = False
    """Whether it was told to stop: it serves on, and should be sent no more."""
    _beat: datetime | None = field(default=None, repr=False)
    _needed: str = field(default="", repr=False)
    _found: dict[str, State] = field(default_factory=dict, repr=False)
    _at: datetime | None = field(default=None, repr=False)

    def beat(self) -> None:
        """Say that the worker has looked for work."""
        self._beat = self.clock()

    def stop(self) -> None:
        """Say that the process is about to end."""
        self.stopping = True

    async def checks(self) -> dict[str, State]:
        """Return each check, by name."""
        now = self.clock()
        if self._at is None or not timedelta() <= now - self._at < KEPT:
            self._found, self._at = await self._looked(), now
        beating = self._beat is not None and now - self._beat < SILENT
        return self._found | {"worker": _state(beating), "serving": _state(not self.stopping)}

    async def _looked(self) -> dict[str, State]:
        found: dict[str, State] = {"database": "failed", "schema": "unknown", "keys": "unknown"}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found["database"] = _state(await self.db.read(reachable))
                self._needed = self._needed or await asyncio.to_thread(schema.latest)
                found["schema"] = _state(await self.db.read(schema.stands_at) == self._needed)
                found["keys"] = _state(await self.can_sign())
        except (DomainError, TimeoutError):
            return {name: "failed" if state == "failed" else state for name, state in found.items()}
        return found


def _state(good: bool) -> State:
    return "ok" if good else "failed"
