"""The one-time links that make an administrator: of the first start, an invitation, or a recovery in the shell."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from sqlmodel import Session

from keystead.db import accounts, administrators, connections, journal, old_passwords, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import IdentifierTaken, InvalidTicket
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.directory import StoreFor
from keystead.flows.journal import Journal
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.revocation import Revocation
from keystead.ports import Clock, Entropy, Hasher
from keystead.rules import password_policy, revocation, signups
from keystead.rules.authority import OWNER, Role
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller
from keystead.rules.messages import Message
from keystead.rules.password_policy import history_size
from keystead.rules.profiles import Draft, Profile
from keystead.secrecy import Secret

PURPOSE: Final = "first-owner"
NEW_OWNER: Final = "nobody|owner"
"""The subject of a link that makes an owner of whoever opens it: the next one takes its place."""

_INVITED: Final = "You are invited already: open the link of the invitation, which is yours alone."

Kind = Literal["first", "owner", "invitation", "recovery"]
"""What a link is for: the first owner, another one, somebody who was invited, an owner who lost their way in."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a link is about: with a profile somebody who is there, without one whoever opens it."""

    kind: Kind
    connection: ConnectionRecord
    profile: Profile | None = None
    role: Role = OWNER

    @property
    def options(self) -> ConnectionOptions:
        """The policy that the password is held to."""
        return self.connection.policy()


@dataclass(frozen=True)
class AdministratorSetup:
    """Gives an administrator a password, once for each link."""

    db: Database
    store_for: StoreFor
    protection: Protection
    hasher: Hasher
    breaches: Breaches
    revocation: Revocation
    post: Post
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def look(self, ticket: str, caller: Caller) -> Setup:
        """Return what a link is about, without using it. Raises ``InvalidTicket``, ``AddressBlocked``."""
        async with self.protection.showing(caller, {}, wrong=(InvalidTicket,)):
            return await self.db.read(_look, ticket, self.clock())

    async def __call__(self, ticket: str, email: str, password: Secret[str], caller: Caller) -> None:
        """Set the password; of a new owner the address too, which is nobody's to choose for anybody else.

        Raises ``InvalidTicket``, ``AddressBlocked``, ``InvalidIdentifier``, ``IdentifierTaken``, ``WeakPassword``,
        ``PasswordLeaked``, ``PasswordUnchecked``, ``Busy``. The link is claimed in the transaction that does it: of two
        who hold it one can use it.
        """
        setup = await self.look(ticket, caller)
        if setup.profile is None:
            await self._make(setup, ticket, email, password, caller)
            return
        subject = Subject(setup.connection.id, "", setup.profile)
        await self.breaches.check("pre-change-password", password, subject, caller)
        with self.protection.place(caller.address):
            hashed = await self.store_for(setup.connection).prepare(setup.profile, password)
        await self.db.write(self._finish, ticket, hashed, caller)
        await self.protection.lift(setup.profile.user_id)

    async def _make(self, setup: Setup, ticket: str, email: str, password: Secret[str], caller: Caller) -> None:
        draft = signups.read_draft({"email": email}, setup.options)
        draft = draft.model_copy(update={"user_handle": self.entropy.bytes(32)})
        fitted = password_policy.check(password, setup.options, {"email": email})
        await self.breaches.check("pre-user-registration", password, Subject(setup.connection.id), caller)
        with self.protection.place(caller.address):
            hashed = await self.hasher.hash(fitted)
        await self.db.write(self._create, ticket, draft, hashed, caller)

    def _create(self, session: Session, ticket: str, draft: Draft, hashed: str, caller: Caller) -> None:
        now = self.clock()
        setup = _take(session, ticket, now)
        local_id = self.entropy.bytes(12).hex()
        for each in draft.identifiers:
            there = administrators.by_email(session, each.value) if each.kind == "email" else None
            if there is not None and not there.can_enter:
                raise IdentifierTaken("email", _INVITED)
        owner = accounts.create(session, setup.connection.id, draft, hashed, local_id=local_id, now=now)
        administrators.add(session, owner.user_id, OWNER)
        self._record(session, "ss", replace(setup, profile=owner), caller)

    def _finish(self, session: Session, ticket: str, hashed: str, caller: Caller) -> None:
        """Set the password and end all that was there before: of an invitation there is nothing."""
        now = self.clock()
        setup = _take(session, ticket, now)
        assert setup.profile is not None
        user_id = setup.profile.user_id
        old_passwords.replace(session, user_id, hashed, now, size=history_size(setup.options))
        self.revocation.apply(session, revocation.Event.PASSWORD_RESET, revocation.Subject(user_id), now)
        self._record(session, "ss" if setup.kind == "invitation" else "scp", setup, caller)
        if setup.kind == "recovery" and setup.profile.email:
            about = {"user_id": user_id, "connection_id": setup.connection.id, "language": caller.language}
            message = Message(channel="email", template="security_notice", to=setup.profile.email, **about)
            self.post.send(session, message)

    def _record(self, session: Session, type: str, setup: Setup, caller: Caller) -> None:
        user_id = setup.profile.user_id if setup.profile else None
        about = {"user_id": user_id, "connection_id": setup.connection.id}
        journal.add(session, self.journal.event(type, caller, **about, role=setup.role, link=setup.kind))


def _look(session: Session, ticket: str, now: datetime) -> Setup:
    return _behind(session, tickets.look(session, ticket, PURPOSE, now))


def _take(session: Session, ticket: str, now: datetime) -> Setup:
    """Claim a link. Raises ``InvalidTicket``. The account first: its deletion takes its links along."""
    setup = _look(session, ticket, now)
    if setup.profile is not None:
        accounts.by_id(session, setup.profile.user_id, lock=True)
    return _behind(session, tickets.take(session, ticket, PURPOSE, now))


def _behind(session: Session, record: dict[str, Any] | None) -> Setup:
    """Return what a link is about, as things stand now: there is none for whoever is gone or blocked."""
    connection = connections.of_administrators(session)
    if record is None or connection is None:
        raise InvalidTicket
    if "user_id" not in record:
        return Setup(record.get("kind", "first"), connection)
    profile = accounts.by_id(session, record["user_id"])
    role = administrators.standing(session, record["user_id"]).role
    if profile is None or profile.blocked or role is None:
        raise InvalidTicket
    return Setup(record["kind"], connection, profile, role)
