"""The way back in when no owner can sign in: a link that is made in the shell, by whoever holds the database anyway."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from keystead.db import administrators, journal, tickets
from keystead.db.session import Database
from keystead.errors import NoSuchUser, OperationNotSupported
from keystead.flows.administrator_setup import NEW_OWNER, PURPOSE
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Clock, Entropy
from keystead.rules.administrators import RECOVERY_LIFETIME
from keystead.rules.authority import OWNER
from keystead.rules.identifiers import canonical


@dataclass(frozen=True, slots=True)
class RecoveryLink:
    """A link, whose it is (empty for whoever opens it), and until when it works."""

    url: str
    email: str
    expires_at: datetime


@dataclass(frozen=True)
class AdministratorRecovery:
    """Makes the link. It changes nothing by itself: nobody is signed out before somebody uses it."""

    db: Database
    journal: Journal
    clock: Clock
    entropy: Entropy
    public_url: str

    async def __call__(self, email: str, operation: Operation) -> RecoveryLink:
        """Return a link to a new owner, or with an address one to a new password for the owner who has it.

        Raises ``InvalidIdentifier``, ``NoSuchUser``, and ``OperationNotSupported`` for whoever is no owner, or blocked:
        an owner can put that right.
        """
        return await self.db.write(self._make, email, operation)

    def _make(self, session: Session, email: str, operation: Operation) -> RecoveryLink:
        user_id = _owner(session, canonical("email", email).value) if email else ""
        ticket, expires_at = self.entropy.token(32), self.clock() + RECOVERY_LIFETIME
        record = {"user_id": user_id, "kind": "recovery"} if user_id else {"kind": "owner"}
        tickets.put(session, ticket, PURPOSE, record, expires_at, subject=user_id or NEW_OWNER)
        event = operation.event(self.journal, "Make a link that recovers the administration", user_id=user_id or None)
        journal.add(session, event)
        return RecoveryLink(f"{self.public_url}/u/setup?ticket={ticket}", email, expires_at)


def _owner(session: Session, email: str) -> str:
    found = administrators.by_email(session, email)
    if found is None:
        raise NoSuchUser(f"No administrator has the address {email}.")
    if found.role != OWNER:
        raise OperationNotSupported(f"{email} is no owner but {found.role}: make a link for a new owner instead.")
    if found.blocked:
        raise OperationNotSupported(f"{email} is blocked: make a link for a new owner, who can lift that.")
    return found.user_id
