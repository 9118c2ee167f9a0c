"""Somebody shows that an address is theirs by opening a link that was sent to it (VF-1, VF-7)."""

from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, journal, tickets
from keystead.db.session import Database
from keystead.errors import InvalidTicket
from keystead.flows.emptying import empty
from keystead.flows.journal import Journal
from keystead.flows.post import Post
from keystead.ports import Clock, Entropy
from keystead.rules.events import Caller
from keystead.rules.messages import LINK_LIFETIME, Message
from keystead.rules.profiles import Profile

PURPOSE: Final = "verify-email"


@dataclass(frozen=True)
class EmailVerification:
    """A link shows a page; only its button does anything, so that mail scanners which open links verify nobody."""

    db: Database
    post: Post
    journal: Journal
    clock: Clock
    entropy: Entropy
    public_url: str

    def request(self, session: Session, profile: Profile, client_id: str, caller: Caller) -> str:
        """Send the link as a part of a unit of work, and return it. An older link stops working."""
        token = self.entropy.token(32)
        record = {"user_id": profile.user_id, "email": profile.email, "client_id": client_id}
        tickets.put(session, token, PURPOSE, record, self.clock() + LINK_LIFETIME, subject=profile.user_id)
        url = f"{self.public_url}/u/email-verification?ticket={token}#"
        about = {"user_id": profile.user_id, "client_id": client_id, "connection_id": profile.connection_id}
        self.post.send(
            session,
            Message(
                channel="email",
                template="verify_email",
                to=profile.email or "",
                language=caller.language,
                variables={"url": url},
                **about,
            ),
        )
        journal.add(session, self.journal.event("svr", caller, email=profile.email, **about))
        return url

    async def look(self, token: str) -> str:
        """Return the address that a link is about. Raises ``InvalidTicket``."""
        record = await self.db.read(tickets.look, token, PURPOSE, self.clock())
        if record is None:
            raise InvalidTicket
        return str(record["email"])

    async def confirm(self, token: str, caller: Caller) -> str:
        """Take the link: the address is verified. Return it. Raises ``InvalidTicket``."""
        return await self.db.write(self._settle, token, caller, confirmed=True)

    async def disown(self, token: str, caller: Caller) -> str:
        """Take the link, for somebody who never signed up: the account is emptied, so that whoever made it is out."""
        return await self.db.write(self._settle, token, caller, confirmed=False)

    def _settle(self, session: Session, token: str, caller: Caller, *, confirmed: bool) -> str:
        now = self.clock()
        record = tickets.take(session, token, PURPOSE, now)
        profile = accounts.by_id(session, str(record["user_id"]), lock=True) if record else None
        if record is None or profile is None or profile.email != record["email"]:
            raise InvalidTicket
        about: dict[str, Any] = {"user_id": profile.user_id, "connection_id": profile.connection_id}
        if not confirmed:
            empty(session, profile, now)
            journal.add(session, self.journal.event("fv", caller, reason="disowned", **about))
            return str(profile.email)
        accounts.change(session, profile.user_id, {"email_verified": True, "updated_at": now})
        journal.add(session, self.journal.event("sv", caller, email=profile.email, **about))
        if not profile.email_verified:
            welcome = Message(
                channel="email",
                template="welcome_email",
                to=str(profile.email),
                language=caller.language,
                client_id=str(record["client_id"]),
                **about,
            )
            self.post.send(session, welcome)
        return str(profile.email)
