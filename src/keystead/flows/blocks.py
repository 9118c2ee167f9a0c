"""Administrators see who is blocked after too many wrong passwords, and let them try again (AP-7)."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts, connections, journal
from keystead.db.session import Database
from keystead.errors import NoSuchUser
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Attempts, Clock
from keystead.rules.attack_protection import LoginKey, is_full, read_login_key
from keystead.rules.identifiers import KINDS, parse
from keystead.rules.profiles import Profile


@dataclass(frozen=True, slots=True)
class Block:
    """One identifier, blocked from one address, on one connection."""

    key: str
    identifier: str
    address: str
    connection: str


@dataclass(frozen=True)
class Blocks:
    """Blocks are full buckets; to lift one is to empty it."""

    db: Database
    attempts: Attempts
    clock: Clock
    journal: Journal

    async def of_identifier(self, identifier: str) -> list[Block]:
        """Return the blocks of whoever logs in with an identifier, on every connection."""
        found = parse(identifier, KINDS)
        wanted = {(each.kind, each.value) for each in (found, *found.otherwise)} if found else set()
        return await self._blocks(lambda key: (key.kind, key.value) in wanted)

    async def of_user(self, user_id: str) -> list[Block]:
        """Return the blocks of an account. Raises ``NoSuchUser``."""
        profile = await self.db.read(_profile, user_id)
        mine = {("email", profile.email), ("phone_number", profile.phone_number), ("username", profile.username)}
        return await self._blocks(
            lambda key: key.connection_id == profile.connection_id and (key.kind, key.value) in mine
        )

    async def lift(self, blocks: list[Block], operation: Operation) -> None:
        """Let whoever is blocked try again."""
        for block in blocks:
            await self.attempts.forgive(block.key)
        await self.db.write(journal.add, operation.event(self.journal, "Unblock a user", blocks=len(blocks)))

    async def _blocks(self, wanted: Callable[[LoginKey], bool]) -> list[Block]:
        now, found = self.clock(), []
        for charged in await self.attempts.list("login/"):
            key = read_login_key(charged.key)
            if key and wanted(key) and is_full(charged.spent, charged.since, now):
                found.append((charged.key, key))
        names = await self.db.read(_names, {key.connection_id for _, key in found})
        return [Block(raw, key.value, key.source, names.get(key.connection_id, "")) for raw, key in found]


def _profile(session: Session, user_id: str) -> Profile:
    """Return an account that is not an administrator's: those are out of this API's reach."""
    profile = accounts.by_id(session, user_id)
    connection = connections.get(session, profile.connection_id) if profile else None
    if profile is None or connection is None or connection.for_administrators:
        raise NoSuchUser
    return profile


def _names(session: Session, connection_ids: set[str]) -> dict[str, str]:
    records = [connections.get(session, each) for each in connection_ids]
    return {record.id: record.name for record in records if record}
