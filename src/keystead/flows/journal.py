"""Makes journal entries; whoever records writes them in the transaction of what they record."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from keystead.ports import Clock, Entropy
from keystead.rules.events import Caller, Event


@dataclass(frozen=True)
class Journal:
    """Gives events their time and their id."""

    clock: Clock
    entropy: Entropy
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def event(
        self,
        type: str,
        caller: Caller,
        *,
        user_id: str | None = None,
        connection_id: str | None = None,
        client_id: str | None = None,
        description: str | None = None,
        **details: Any,
    ) -> Event:
        """Return an entry. Ids sort by time, and within one by the order in which this process made them."""
        now, number = self.clock(), next(self._numbers) % 1_000_000
        return Event(
            log_id=f"{now.strftime('%Y%m%d%H%M%S%f')}{number:06d}{self.entropy.bytes(6).hex()}",
            date=now,
            type=type,
            caller=caller,
            user_id=user_id,
            connection_id=connection_id,
            client_id=client_id,
            description=description,
            details=details,
        )
