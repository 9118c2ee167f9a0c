"""Signing keys change: the next one takes over, one is revoked, and what lacks is made."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel import Session

from keystead.db import journal, keys
from keystead.db.session import Database
from keystead.errors import Conflict, NoSuchKey
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.oauth.key_pairs import ALGORITHMS, DEFAULT, KeyMaker
from keystead.oauth.keys import CACHE_SECONDS, FOLLOWED, KeyRing
from keystead.ports import Clock
from keystead.rules.signing_keys import KeyRecord

KNOWN_AFTER: Final = timedelta(seconds=CACHE_SECONDS) + FOLLOWED
"""How long after it was published every client has a key, caches and other processes included."""


@dataclass(frozen=True)
class SigningKeys:
    """What administrators do to the keys. The ring of this process knows at once; others within ``FOLLOWED``."""

    db: Database
    ring: KeyRing
    maker: KeyMaker
    journal: Journal
    clock: Clock

    async def of(self, algorithm: str | None = None) -> list[KeyRecord]:
        """Return the keys, or those of one algorithm: the current one, the next one, those before, those revoked."""
        return await self.db.read(keys.known, algorithm)

    async def show(self, kid: str) -> KeyRecord:
        """Return a key. Raises ``NoSuchKey``."""
        found = await self.db.read(keys.get, kid)
        if found is None:
            raise NoSuchKey
        return found

    async def rotate(self, operation: Operation, algorithm: str = DEFAULT) -> KeyRecord:
        """Let the next key sign, publish another next one, and return the one that signs now.

        The one before it verifies on. Of two rotations at once one raises ``Conflict``: were both done, the second
        would let a key sign that no client has seen yet.
        """
        current = next((key.kid for key in await self.of(algorithm) if key.state == "current"), "")
        fresh = await self._made(algorithm)
        try:
            kid = await self.db.write(self._rotate, current, fresh, operation)
        finally:
            self.ring.forget()
        await self.supply()
        return await self.show(kid)

    async def revoke(self, kid: str, operation: Operation) -> KeyRecord:
        """Let a key verify nothing any more, and return it. Raises ``NoSuchKey``.

        What is revoked while it signs, or is to sign next, is replaced in the same transaction.
        """
        found = await self.show(kid)
        if found.revoked_at is None:
            fresh = await self._made(found.algorithm) if found.has_private_half else None
            try:
                await self.db.write(self._revoke, found, fresh, operation)
            finally:
                self.ring.forget()
            await self.supply()
        return await self.show(kid)

    async def supply(self) -> None:
        """Publish a next key for each algorithm that has none.

        The worker does this, and not the first start or a login: an RSA key takes from a tenth of a second to several,
        and nobody needs it before the next rotation.
        """
        found = await self.of()
        for algorithm in ALGORITHMS:
            if not any(key.state == "next" for key in found if key.algorithm == algorithm):
                await self.db.write(keys.add_next, await self._made(algorithm))
                self.ring.forget()

    async def _made(self, algorithm: str) -> KeyRecord:
        """Make a key on a thread, which leaves the event loop free meanwhile."""
        return await asyncio.to_thread(self.maker.make, algorithm, self.clock())

    def _rotate(self, session: Session, current: str, fresh: KeyRecord, operation: Operation) -> str:
        keys.take_turns(session)
        if not keys.retire(session, current, self.clock()):
            raise Conflict("The signing keys were rotated or revoked by somebody else at the same time.")
        kid = self._succeed(session, fresh)
        about = {"algorithm": fresh.algorithm, "kid": kid, "previous": current}
        journal.add(session, operation.event(self.journal, "Rotate the signing keys", **about))
        return kid

    def _revoke(self, session: Session, asked: KeyRecord, fresh: KeyRecord | None, operation: Operation) -> None:
        keys.take_turns(session)
        found = keys.get(session, asked.kid)
        if found is None or found.revoked_at is not None:
            return  # somebody else did so, or it went meanwhile
        if found.state == "current":
            keys.retire(session, found.kid, self.clock())
        keys.revoke(session, found.kid, self.clock())
        if fresh is not None and found.state == "current":
            self._succeed(session, fresh)
        elif fresh is not None and found.state == "next":
            keys.add(session, fresh)
        about = {"algorithm": found.algorithm, "kid": found.kid, "was": found.state}
        journal.add(session, operation.event(self.journal, "Revoke a signing key", **about))

    def _succeed(self, session: Session, fresh: KeyRecord) -> str:
        """Let the next key sign and publish a fresh one in its place; without a next key, the fresh one signs."""
        now = self.clock()
        waiting = keys.promote(session, fresh.algorithm, now)
        keys.add(session, fresh)
        if waiting is None:
            keys.promote(session, fresh.algorithm, now)
        return waiting or fresh.kid
