"""The one-time link of the first start: whoever opens it becomes the owner."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, connections, journal, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import InvalidTicket
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.journal import Journal
from keystead.flows.protection import Protection
from keystead.ports import Clock, Entropy, Hasher
from keystead.rules import password_policy, signups
from keystead.rules.authority import OWNER
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller
from keystead.rules.profiles import Draft
from keystead.secrecy import Secret

PURPOSE: Final = "first-owner"


@dataclass(frozen=True)
class FirstOwner:
    """Makes the first administrator, once."""

    db: Database
    protection: Protection
    hasher: Hasher
    breaches: Breaches
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def options(self, ticket: str, caller: Caller) -> ConnectionOptions:
        """Return the policy of the administrators' connection to whoever has a good link.

        Raises ``InvalidTicket``, ``AddressBlocked``.
        """
        return (await self._connection(ticket, caller)).policy()

    async def __call__(self, ticket: str, email: str, password: Secret[str], caller: Caller) -> None:
        """Create the owner.

        Raises ``InvalidTicket``, ``AddressBlocked``, ``InvalidIdentifier``, ``WeakPassword``, ``PasswordLeaked``,
        ``PasswordUnchecked``, ``Busy``.
        The ticket is claimed in the transaction that creates the account: two who hold the link cannot both use it.
        """
        connection = await self._connection(ticket, caller)
        draft = signups.read_draft({"email": email}, connection.policy())
        draft = draft.model_copy(update={"user_handle": self.entropy.bytes(32)})
        fitted = password_policy.check(password, connection.policy(), {"email": email})
        await self.breaches.check("pre-user-registration", password, Subject(connection.id), caller)
        with self.protection.place(caller.address):
            hashed = await self.hasher.hash(fitted)
        await self.db.write(self._create, connection.id, ticket, draft, hashed, caller)

    async def _connection(self, ticket: str, caller: Caller) -> ConnectionRecord:
        async with self.protection.showing(caller, {}, wrong=(InvalidTicket,)):
            found = await self.db.read(_connection_behind, ticket, self.clock())
            if found is None:
                raise InvalidTicket
            return found

    def _create(
        self, session: Session, connection_id: str, ticket: str, draft: Draft, hashed: str, caller: Caller
    ) -> None:
        now = self.clock()
        if tickets.take(session, ticket, PURPOSE, now) is None:
            raise InvalidTicket
        local_id = self.entropy.bytes(12).hex()
        owner = accounts.create(session, connection_id, draft, hashed, local_id=local_id, now=now)
        accounts.make_administrator(session, owner.user_id, OWNER)
        event = self.journal.event("ss", caller, user_id=owner.user_id, connection_id=connection_id, role=OWNER)
        journal.add(session, event)


def _connection_behind(session: Session, ticket: str, now: datetime) -> ConnectionRecord | None:
    if not tickets.look(session, ticket, PURPOSE, now) is not None:
        return None
    return connections.of_administrators(session)
