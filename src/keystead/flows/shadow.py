"""Shadow mode: logins that were decided here are decided by the customer's database too, when nobody waits any more."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final, NamedTuple

from sqlmodel import Session

from keystead.db import accounts, journal, shadow
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.db.shadow import Difference
from keystead.flows import reach
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.script_runs import ScriptRuns
from keystead.ports import Clock, Entropy, Refused
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Profile
from keystead.rules.shadow import LISTED, SERIOUS, Advice, Comparison, Kind, Ours, advise, compare, summed, window
from keystead.secrecy import Secret

AFTER: Final = 0.5
"""Seconds after the verdict here: the answer has left by then, and the script has the machine to itself."""

AT_ONCE: Final = 4
"""How many comparisons of a process run at once."""

MOST: Final = 12
"""How many there are that run or wait, each with a password in memory. Whoever logs in meanwhile is not compared, and
counted as dropped."""

Counted = list[tuple[date, Kind, int]]


class Report(NamedTuple):
    """What shadow mode found of a connection."""

    connection: ConnectionRecord
    advice: Advice
    days: Counted
    totals: dict[Kind, int]


@dataclass
class Shadow:
    """Compares, counts and lists.

    The password is in memory only, for as long as the script takes; a process that ends forgets what it was comparing.
    """

    db: Database
    runs: ScriptRuns
    journal: Journal
    clock: Clock
    entropy: Entropy
    after: float = AFTER
    _running: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, AT_ONCE), repr=False)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _dropped: Counter[str] = field(default_factory=Counter, repr=False)

    def note(
        self, connection: ConnectionRecord, identifier: Identifier, password: Secret[str], verdict: Profile | Refused
    ) -> None:
        """Have a login compared that was decided by a password that is kept here. Returns at once, and never raises.

        Whoever has no account here is not compared: the script decided, or there was nothing to decide.
        """
        user_id = verdict.user_id
        if user_id is None or not connection.policy().shadow_mode:
            return
        if len(self._under_way) >= MOST:
            self._dropped[connection.id] += 1
            return
        work = self._compare(connection, identifier, password, user_id, let_in=isinstance(verdict, Profile))
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(partial(self._ended, connection.id))

    async def settle(self) -> None:
        """Wait for what is under way."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def close(self) -> None:
        """Let go of what is under way."""
        for task in self._under_way:
            task.cancel()
        await self.settle()

    async def report(self, connection_id: str, *, days: int, enough: int) -> Report:
        """Return the counts of the last days, and whether a cut-over is advised. Raises ``NoSuchConnection``."""
        today = self.clock().date()
        record, found = await self.db.read(_counts, connection_id, window(today, days))
        totals = summed(found)
        return Report(record, advise(totals, enough=enough, days=days), found, totals)

    async def differences(
        self, connection_id: str, kind: str | None, offset: int, limit: int
    ) -> tuple[list[Difference], int]:
        """Return differences, newest first, and how many there are. Raises ``NoSuchConnection``."""
        return await self.db.read(_differences, connection_id, kind, offset, limit)

    async def forget(self, connection_id: str, operation: Operation) -> None:
        """Begin anew, as after something was mended. Raises ``NoSuchConnection``."""
        said = operation.event(self.journal, "Forget what shadow mode found", connection_id=connection_id)
        await self.db.write(_forget, connection_id, said)

    def _ended(self, connection_id: str, task: asyncio.Task[None]) -> None:
        """Whatever went wrong with a comparison, such as an account that went meanwhile: it is lost, and counted so."""
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._dropped[connection_id] += 1

    async def _compare(
        self, connection: ConnectionRecord, identifier: Identifier, password: Secret[str], user_id: str, *, let_in: bool
    ) -> None:
        options = connection.policy()
        script = self.runs.script(connection, "login", "shadow")
        if script is None:
            return
        context: dict[str, Any] | None = {} if options.enable_script_context else None
        await asyncio.sleep(self.after)
        async with self._running:
            theirs = await self.runs.run(script, (identifier.as_typed, password), context)
        profile = await self.db.read(accounts.by_id, user_id)
        if profile is None:
            return
        found = compare(Ours(profile, let_in, _changed_here(profile)), theirs, options, identifier)
        dropped = self._dropped.pop(connection.id, 0)
        try:
            await self.db.write(self._keep, profile, found, dropped)
        except BaseException:
            self._dropped[connection.id] += dropped
            raise

    def _keep(self, session: Session, profile: Profile, found: Comparison, dropped: int) -> None:
        connection_id = profile.connection_id
        counts: dict[Kind, int] = {found.kind: 1} | ({"dropped": dropped} if dropped else {})
        now = self.clock()
        if not shadow.count(session, connection_id, now.date(), counts) or found.kind not in LISTED:
            return
        made = self.entropy.id("shd_", 20)
        row = Difference(made, connection_id, profile.user_id, now, found.kind, dict(found.about))
        listed = shadow.add(session, row)
        if listed and found.kind in SERIOUS:
            about = {"user_id": profile.user_id, "connection_id": connection_id}
            journal.add(
                session, self.journal.event("shadow_difference", Caller(), **about, kind=found.kind, difference=made)
            )


def _changed_here(profile: Profile) -> bool:
    changed = profile.last_password_reset
    return changed is not None and changed > profile.created_at


def _counts(session: Session, connection_id: str, since: date) -> tuple[ConnectionRecord, Counted]:
    return reach.connection(session, connection_id), shadow.counts(session, connection_id, since)


def _differences(
    session: Session, connection_id: str, kind: str | None, offset: int, limit: int
) -> tuple[list[Difference], int]:
    reach.connection(session, connection_id)
    found = shadow.newest(session, connection_id, kind=kind, offset=offset, limit=limit)
    return found, shadow.total(session, connection_id, kind)


def _forget(session: Session, connection_id: str, said: Any) -> None:
    reach.connection(session, connection_id)
    shadow.forget(session, connection_id)
    journal.add(session, said)
