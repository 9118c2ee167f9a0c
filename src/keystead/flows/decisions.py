"""Support asks why somebody was refused; here the answer is kept, and given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, connections, decisions, tenant
from keystead.db.decisions import Whose
from keystead.db.session import Database
from keystead.errors import Busy, DomainError, NoSuchDecision
from keystead.flows import reach
from keystead.flows.protection import is_noted
from keystead.ports import Attempts, Clock
from keystead.rules.attack_protection import SETTINGS, Guards, read_guards
from keystead.rules.decisions import Asking, Decision, Explanation, State, bucket_of, decide, state_of
from keystead.rules.identifiers import KINDS, parse

AT_ONCE: Final = 100
"""Refusals that one process writes down at once: more than that is a flood, which must not hold up the database."""

_SHOWN: Final = 20
_ID: Final = "dec_"


@dataclass
class Decisions:
    """Keeps why requests were refused, and explains it with the counts as they are now."""

    db: Database
    attempts: Attempts
    noted: Attempts
    """Counts, in memory, what is written down of each address's refusals."""
    clock: Clock
    _under_way: int = field(default=0, repr=False)

    async def record(self, error: DomainError, asking: Asking) -> None:
        """Keep a refusal, in a transaction of its own. Raises ``Busy`` in a flood, and ``DatabaseUnavailable``."""
        if self._under_way >= AT_ONCE:
            raise Busy(detail=f"{AT_ONCE} refusals are being written down")
        if not await is_noted(self.noted, "decision", asking.address):
            raise Busy(detail="too many refusals of one address")
        self._under_way += 1
        try:
            await self.db.write(decisions.add, decide(error, asking, self.clock()))
        finally:
            self._under_way -= 1

    async def show(self, decision_id: str) -> Explanation:
        """Explain a decision. Raises ``NoSuchDecision``, also for one about an administrator, out of this reach."""
        decision = await self.db.read(_within_reach, decision_id)
        return (await self._explained([decision]))[0]

    async def of_user(self, user_id: str, offset: int, limit: int) -> list[Explanation]:
        """Explain the refusals of an account, newest first. Raises ``NoSuchUser``."""
        return await self._explained(await self.db.read(_of_user, user_id, offset, limit))

    async def count_of_user(self, user_id: str) -> int:
        """Return how many there are in all. Raises ``NoSuchUser``."""
        return await self.db.read(_count_of_user, user_id)

    async def find(self, wanted: str) -> list[Explanation]:
        """Explain the decision of an id, or the newest ones about a user id or identifier: for the command line."""
        return await self._explained(await self.db.read(_find, wanted))

    async def _explained(self, found: Sequence[Decision]) -> list[Explanation]:
        if not found:
            return []
        guards, names, events = await self.db.read(_around, found)
        return [
            Explanation(
                each,
                names.get(each.connection_id or ""),
                events.get(each.id, ()),
                await self._limit(each, guards),
            )
            for each in found
        ]

    async def _limit(self, decision: Decision, guards: Guards) -> State | None:
        bucket = bucket_of(decision.facts, guards)
        if bucket is None:
            return None
        charged = next((each for each in await self.attempts.list(bucket.key) if each.key == bucket.key), None)
        spent, since = (charged.spent, charged.since) if charged else (0.0, None)
        return state_of(bucket, spent, since, self.clock())


def _within_reach(session: Session, decision_id: str) -> Decision:
    found = decisions.get(session, decision_id)
    if found is None:
        raise NoSuchDecision
    profile = accounts.by_id(session, found.user_id) if found.user_id else None
    for connection_id in (found.connection_id, profile.connection_id if profile else None):
        connection = connections.get(session, connection_id) if connection_id else None
        if connection is not None and connection.for_administrators:
            raise NoSuchDecision
    return found


def _about(session: Session, user_id: str) -> Whose:
    profile, _ = reach.person(session, user_id)
    return decisions.about_user(profile)


def _of_user(session: Session, user_id: str, offset: int, limit: int) -> list[Decision]:
    return decisions.newest(session, _about(session, user_id), offset=offset, limit=limit)


def _count_of_user(session: Session, user_id: str) -> int:
    return decisions.count(session, _about(session, user_id))


def _find(session: Session, wanted: str) -> list[Decision]:
    if wanted.startswith(_ID):
        one = decisions.get(session, wanted)
        return [one] if one else []
    profile = accounts.by_id(session, wanted)
    if profile is not None:
        return decisions.newest(session, decisions.about_user(profile), limit=_SHOWN)
    read = parse(wanted, KINDS)
    pairs = [(each.kind, each.value) for each in (read, *read.otherwise)] if read else []
    return decisions.newest(session, decisions.about_identifiers(pairs), limit=_SHOWN) if pairs else []


def _around(
    session: Session, found: Sequence[Decision]
) -> tuple[Guards, dict[str, str], dict[str, tuple[tuple[str, Any], ...]]]:
    guards = read_guards(tenant.some(session, SETTINGS))
    names = connections.names(session, {each.connection_id for each in found if each.connection_id})
    return guards, names, decisions.events_of(session, [each.id for each in found])
