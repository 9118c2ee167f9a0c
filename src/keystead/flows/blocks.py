"""Administrators see who is blocked after too many failures, and let them try again (AP-7, AP-15)."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, connections, journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.flows import reach
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.protection import Protection
from keystead.ports import Attempts, Clock
from keystead.rules.attack_protection import Guards, address_limits, lock_that_counts
from keystead.rules.buckets import ACCOUNT, UNKNOWN, AddressStage, LockKey, address_key, locks_of, read_lock_key
from keystead.rules.identifiers import KINDS, parse

_SHOWN: Final = 254
"""How much of an identifier the journal keeps."""

_STAGES: Final[tuple[AddressStage, ...]] = ("login", "signup")


@dataclass(frozen=True, slots=True)
class Block:
    """One identifier that is blocked on one connection: from an address, or, without one, wherever from."""

    identifier: str
    connection: str
    address: str


@dataclass(frozen=True, slots=True)
class _Names:
    """The names whose locks are asked for on one connection."""

    connection_id: str
    connection: str
    protected: bool
    """Whether the connection has its brute-force protection on."""
    values: frozenset[str]
    account: str | None = None
    """Whose they are: attempts are counted by that, too, where people live in the customer's database."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return kinds and values: what is typed may be read as another kind than the account has it as."""
        pairs: list[tuple[str, str]] = [(kind, value) for value in sorted(self.values) for kind in KINDS]
        return [*pairs, (ACCOUNT, self.account)] if self.account else pairs

    def shown(self, key: LockKey) -> str:
        """Return the identifier that a lock keeps out; one of them, where it keeps out all."""
        return min(self.values, default=key.value) if key.kind == ACCOUNT else key.value


@dataclass(frozen=True)
class Blocks:
    """Blocks are full buckets; to lift one is to empty it."""

    db: Database
    attempts: Attempts
    protection: Protection
    clock: Clock
    journal: Journal

    async def of_identifier(self, typed: str, *, heed_settings: bool = False) -> list[Block]:
        """Return the blocks of whoever logs in with an identifier, on every connection.

        ``heed_settings`` leaves out what refuses nobody, since brute-force protection, its shield ``block``, or the
        protection of the connection is off.
        """
        return await self._blocks(await self.db.read(_named, typed), heed_settings)

    async def of_user(self, user_id: str, *, heed_settings: bool = False) -> list[Block]:
        """Return the blocks of an account, by any of its identifiers. Raises ``NoSuchUser``."""
        return await self._blocks([await self.db.read(_names_of, user_id)], heed_settings)

    async def lift_of_identifier(self, typed: str, operation: Operation) -> None:
        """Let whoever logs in with an identifier try again, as if nobody had failed; no error where nobody did."""
        for names in await self.db.read(_named, typed):
            await self.protection.open(names.connection_id, names.pairs)
        await self.db.write(journal.add, operation.event(self.journal, "Unblock a user", identifier=typed[:_SHOWN]))

    async def lift_of_user(self, user_id: str, operation: Operation) -> None:
        """Let an account try again by any of its identifiers. Raises ``NoSuchUser``."""
        names = await self.db.read(_names_of, user_id)
        await self.protection.open(names.connection_id, names.pairs)
        await self.db.write(journal.add, operation.event(self.journal, "Unblock a user", user_id=user_id))

    async def is_blocked(self, address: str) -> bool:
        """Whether an address has failed, or signed up, so often that it is refused (AP-15)."""
        guards = await self.protection.guards()
        limits = [limit for stage in _STAGES for limit in address_limits(guards, address, stage) if limit.blocks]
        for bucket in (limit.bucket for limit in limits):
            for charged in await self.attempts.list(bucket.key):
                if charged.key == bucket.key and bucket.is_full(charged.spent, self._passed(charged.since)):
                    return True
        return False

    async def lift_address(self, address: str, operation: Operation) -> None:
        """Let an address try again, also where it is not counted at the moment; no error where it may."""
        for stage in _STAGES:
            await self.attempts.forgive(address_key(stage, address))
        event = operation.event(self.journal, "Unblock an IP address", address=address)
        await self.db.write(journal.add, event)

    async def _blocks(self, asked: list[_Names], heed_settings: bool) -> list[Block]:
        guards, found = await self.protection.guards(), []
        refuses = guards.brute_force.enabled and "block" in guards.brute_force.shields
        for names in asked:
            if not heed_settings or (refuses and names.protected):
                async for key in self._full_locks(guards, names):
                    address = key.which if key.where == "from" and key.which != UNKNOWN else ""
                    found.append(Block(names.shown(key), names.connection, address))
        # Two devices of one person that are blocked look the same here.
        return list(dict.fromkeys(found))

    async def _full_locks(self, guards: Guards, names: _Names) -> AsyncIterator[LockKey]:
        """Give the locks that have no room for another attempt, by the settings as they are now."""
        for kind, value in names.pairs:
            for charged in await self.attempts.list(locks_of(names.connection_id, kind, value)):
                key = read_lock_key(charged.key)
                if key is None or (key.kind, key.value) != (kind, value):
                    continue
                bucket = lock_that_counts(guards, key)
                if bucket and bucket.is_full(charged.spent, self._passed(charged.since)):
                    yield key

    def _passed(self, since: datetime) -> float:
        return (self.clock() - since).total_seconds()


def _names_of(session: Session, user_id: str) -> _Names:
    """Return the names of an account. An administrator's is out of this API's reach: ``NoSuchUser``."""
    _, connection = reach.person(session, user_id)
    return _on(connection, (value for _, value in accounts.identifiers_of(session, user_id)), user_id)


def _named(session: Session, typed: str) -> list[_Names]:
    """Return what was typed as each connection reads it; the administrators' is out of this API's reach."""
    found: list[_Names] = []
    for connection in connections.every(session):
        options = connection.policy()
        read = parse(typed, options.active_identifiers(), options.precedence, options.username_rules())
        if read and not connection.for_administrators:
            known = accounts.by_identifier(session, connection.id, read)
            values = (each.value for each in (read, *read.otherwise))
            found.append(_on(connection, values, known.profile.user_id if known else None))
    return found


def _on(connection: ConnectionRecord, values: Iterable[str], account: str | None) -> _Names:
    protected = connection.policy().brute_force_protection
    return _Names(connection.id, connection.name, protected, frozenset(values), account)
