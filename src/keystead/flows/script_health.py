"""Administrators look how the action scripts of a connection fare."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from keystead.db import journal, password_counts
from keystead.db.connections import ConnectionRecord
from keystead.db.password_counts import PasswordCount
from keystead.flows import reach
from keystead.flows.long_reads import LongReads
from keystead.ports import Clock, ScriptRuntime
from keystead.rules.health import Interpreters
from keystead.rules.script_health import LATELY, Failed, ScriptHealth

_SHOWN: Final = 10
"""How many of the failures of late are shown."""


class Fared(NamedTuple):
    """How the scripts of a connection fare, and who still needs them."""

    connection: ConnectionRecord
    health: ScriptHealth
    interpreters: Interpreters
    failed: Sequence[Failed]
    failures: int
    people: PasswordCount


@dataclass(frozen=True)
class ScriptStatus:
    """Looks at this process, at the machine, and in the journal, where the failures of every process are."""

    long: LongReads
    runtime: ScriptRuntime
    interpreters: Callable[[], Interpreters]
    clock: Clock

    async def show(self, connection_id: str, *, examples: int) -> Fared:
        """Return how the scripts of a connection fare, with ids of ``examples`` people who have not moved.

        Raises ``NoSuchConnection``, ``Busy``, ``Unavailable``.
        """
        record = await self.long.db.read(reach.connection, connection_id)
        since = self.clock() - LATELY
        failures, failed = await self.long.search(journal.failed_scripts, connection_id, since, _SHOWN)
        # However many there are: whoever is about to switch a database off must be able to see whom it would cost.
        people = await self.long.read(password_counts.of_connection, connection_id, examples)
        found = await asyncio.to_thread(self.interpreters)
        return Fared(record, self.runtime.health(connection_id), found, failed, failures, people)
