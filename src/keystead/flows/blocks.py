"""Administrators see who is blocked after too many failures, and let them try again (AP-7, AP-15)."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts, connections, journal
from keystead.db.session import Database
from keystead.errors import NoSuchUser
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.protection import Protection
from keystead.ports import Attempts, Charged, Clock
from keystead.rules.attack_protection import Guards, address_limits
from keystead.rules.buckets import BLOCK, LockKey, locks_of, read_lock_key
from keystead.rules.identifiers import KINDS, parse
from keystead.rules.profiles import Profile


@dataclass(frozen=True, slots=True)
class Block:
    """One identifier that is blocked on one connection: from an address, or, without one, wherever from."""

    key: str
    identifier: str
    address: str
    connection: str


@dataclass(frozen=True)
class Blocks:
    """Blocks are full buckets; to lift one is to empty it."""

    db: Database
    attempts: Attempts
    protection: Protection
    clock: Clock
    journal: Journal

    async def of_identifier(self, identifier: str, *, heed_settings: bool = False) -> list[Block]:
        """Return the blocks of whoever logs in with an identifier, on every connection.

        ``heed_settings`` leaves out what does not count while brute-force protection is off.
        """
        found = parse(identifier, KINDS)
        wanted = {(each.kind, each.value) for each in (found, *found.otherwise)} if found else set()
        where = await self.db.read(_connections)
        return await self._blocks(where, wanted, heed_settings)

    async def of_user(self, user_id: str, *, heed_settings: bool = False) -> list[Block]:
        """Return the blocks of an account. Raises ``NoSuchUser``."""
        profile, connection = await self.db.read(_profile, user_id)
        values = {each for each in (profile.email, profile.phone_number, profile.username) if each}
        wanted = {(kind, value) for kind in KINDS for value in values}
        return await self._blocks({profile.connection_id: connection}, wanted, heed_settings)

    async def lift(self, blocks: list[Block], operation: Operation) -> None:
        """Let whoever is blocked try again."""
        for block in blocks:
            await self.attempts.forgive(block.key)
        await self.db.write(journal.add, operation.event(self.journal, "Unblock a user", blocks=len(blocks)))

    async def is_blocked(self, address: str) -> bool:
        """Whether an address has failed, or signed up, too often (AP-15)."""
        return bool([key for key, spent, capacity in await self._addresses(address) if spent + 1 > capacity])

    async def lift_address(self, address: str, operation: Operation) -> None:
        """Let an address try again; no error where it may."""
        for key, _, _ in await self._addresses(address):
            await self.attempts.forgive(key)
        event = operation.event(self.journal, "Unblock an IP address", address=address)
        await self.db.write(journal.add, event)

    async def _addresses(self, address: str) -> list[tuple[str, float, float]]:
        """Return the buckets of an address: key, what is spent of it by now, and its size."""
        guards, now = await self.protection.guards(), self.clock()
        buckets = [limit.bucket for stage in ("login", "signup") for limit in address_limits(guards, address, stage)]
        found: list[tuple[str, float, float]] = []
        for bucket in buckets:
            for charged in await self.attempts.list(bucket.key):
                if charged.key == bucket.key:
                    spent = charged.spent - (now - charged.since).total_seconds() * bucket.refill
                    found.append((bucket.key, spent, bucket.capacity))
        return found

    async def _blocks(
        self, where: dict[str, str], wanted: Iterable[tuple[str, str]], heed_settings: bool
    ) -> list[Block]:
        guards, found = await self.protection.guards(), []
        if heed_settings and not guards.brute_force.enabled:
            return []
        for connection_id, name in where.items():
            for kind, value in sorted(wanted):
                for charged in await self.attempts.list(locks_of(connection_id, kind, value)):
                    key = read_lock_key(charged.key)
                    if key and (key.kind, key.value) == (kind, value) and self._is_full(guards, key, charged):
                        address = key.which if key.where == "from" else ""
                        found.append(Block(charged.key, value, address, name))
        return found

    def _is_full(self, guards: Guards, key: LockKey, charged: Charged) -> bool:
        """Whether a lock has no room for another attempt, by the settings as they are now."""
        passed = (self.clock() - charged.since).total_seconds() / BLOCK.total_seconds()
        by_address = guards.brute_force.mode == "count_per_identifier_and_ip"
        if key.where == "strangers" and by_address:
            most = guards.lock.max_attempts_by_strangers
            return charged.spent - passed * most + 1 > most
        return passed < 1 and charged.spent + 1 > guards.brute_force.max_attempts


def _profile(session: Session, user_id: str) -> tuple[Profile, str]:
    """Return an account, but no administrator's (out of this API's reach), and the name of its connection."""
    profile = accounts.by_id(session, user_id)
    connection = connections.get(session, profile.connection_id) if profile else None
    if profile is None or connection is None or connection.for_administrators:
        raise NoSuchUser
    return profile, connection.name


def _connections(session: Session) -> dict[str, str]:
    """Return the names of all connections by id, but of the administrators': it is out of this API's reach."""
    return {record.id: record.name for record in connections.every(session) if not record.for_administrators}
