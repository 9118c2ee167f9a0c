"""Somebody shows that an address is theirs by opening a link that was sent to it (VF-1, VF-7).

Opening a link says that its reader owns the address, not that they made the account: whoever signed up may have used a
stranger's. So a link alone verifies only in the browser that asked for it, or for whoever is signed in as the account;
elsewhere it takes the account's password, or else the account is emptied first.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, clients, connections, journal, templates, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import InvalidTicket, NoSuchUser, ProofNeeded, WrongCredentials
from keystead.flows.emptying import close, empty
from keystead.flows.journal import Journal
from keystead.flows.password_reset import PasswordReset
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.post import JOB, Post
from keystead.flows.protection import Protection
from keystead.ports import Clock, Entropy
from keystead.rules import account_changes
from keystead.rules.attack_protection import Guess
from keystead.rules.buckets import message_bucket
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.letters import About, link_lifetime, result_url
from keystead.rules.messages import CHANNELS, Message, verification_lifetime
from keystead.rules.profiles import Profile
from keystead.rules.resets import Destination
from keystead.rules.revocation import Event, Subject
from keystead.rules.signups import identifiers_of_profile
from keystead.rules.verification import NO_TERMS, Link, Terms, Verifiable
from keystead.secrecy import Secret

PURPOSES: Final[dict[Verifiable, str]] = {"email": "verify-email", "phone_number": "verify-phone"}


@dataclass(frozen=True, slots=True)
class Verifying:
    """What a link is about, as things stand."""

    link: Link
    profile: Profile
    connection: ConnectionRecord

    @property
    def already(self) -> bool:
        """Whether the address was verified by other means since (VF-7)."""
        return self.profile.is_verified(self.link.kind)

    @property
    def kept_elsewhere(self) -> bool:
        """Whether the person is kept in the customer's own database."""
        return self.connection.policy().store == "scripted"

    @property
    def about(self) -> dict[str, Any]:
        """What the journal says of it."""
        return {"user_id": self.profile.user_id, "connection_id": self.connection.id}

    @property
    def takes_password(self) -> bool:
        """Whether the account's password can stand for the browser that asked."""
        return self.profile.has_password and self.connection.policy().methods.password.enabled

    def same_person(self, caller: Caller, user_id: str | None) -> bool:
        """Whether it is whoever made the account: the browser that asked, or one that is signed in as the account."""
        return user_id == self.profile.user_id or bool(self.link.browser and self.link.browser == caller.browser)


@dataclass(frozen=True)
class Verification:
    """A link shows a page; only its buttons do anything, so that mail scanners which open links verify nobody."""

    db: Database
    post: Post
    protection: Protection
    elsewhere: PeopleElsewhere
    reset: PasswordReset
    journal: Journal
    clock: Clock
    entropy: Entropy
    public_url: str

    def request(
        self, session: Session, profile: Profile, client_id: str, caller: Caller, kind: Verifiable = "email"
    ) -> None:
        """Send a link as a part of a unit of work; a welcome where links are switched off (SU-7)."""
        template = templates.in_force(session, "verify_email", profile.connection_id)
        about = {"user_id": profile.user_id, "client_id": client_id, "connection_id": profile.connection_id}
        to = profile.email if kind == "email" else profile.phone_number
        message = Message(
            channel=CHANNELS[kind], template="verify_email", to=to or "", language=caller.language, **about
        )
        if kind == "email" and template is not None and not template.enabled:
            self.post.send(session, message.model_copy(update={"template": "welcome_email"}))
            return
        self.send_link(session, profile, message, kind=kind, browser=caller.browser)
        journal.add(session, self.journal.event("svr", caller, **{kind: to}, **about))

    def pretend(self, session: Session, connection_id: str, client_id: str) -> None:
        """Do the work of a link that is sent to nobody, as a part of a unit of work.

        Where a stranger must not learn who has an account, a sign-up that makes none takes as long as one that does.
        """
        for _ in range(2):  # a link that is sent looks first whether it is to be
            template = templates.in_force(session, "verify_email", connection_id)
        clients.get(session, client_id)
        token, lifetime = self.entropy.token(32), link_lifetime(template, self._lifetime(session, connection_id))
        record = Link(user_id="", kind="email", value="", client_id=client_id).model_dump()
        expires_at = self.clock() + lifetime
        tickets.put(session, token, PURPOSES["email"], record, expires_at, subject=tickets.nobody(token))

    def send_link(
        self,
        session: Session,
        profile: Profile,
        message: Message,
        *,
        kind: Verifiable = "email",
        browser: str = "",
        job: str = JOB,
    ) -> str:
        """Send a link that behaves as its template says, as a part of a unit of work; return the id of the job."""
        template = templates.in_force(session, message.template, profile.connection_id)
        client = clients.get(session, message.client_id) if message.client_id else None
        about = About(self.public_url, self.clock(), client=client.settings if client else None)
        url = self.link(
            session,
            profile,
            kind=kind,
            client_id=message.client_id or "",
            browser=browser,
            terms=Terms(
                link_lifetime(template, self._lifetime(session, profile.connection_id)),
                result_url(template, message, about),
                template.include_email_in_redirect if template else True,
            ),
        )
        return self.post.send(session, message.model_copy(update={"variables": {"url": url}}), type=job)

    def link(
        self,
        session: Session,
        profile: Profile,
        *,
        kind: Verifiable = "email",
        client_id: str = "",
        browser: str = "",
        terms: Terms = NO_TERMS,
    ) -> str:
        """Make a link as a part of a unit of work, and return it. An older one stops working."""
        token = self.entropy.token(32)
        value = profile.email if kind == "email" else profile.phone_number
        record = Link(
            user_id=profile.user_id,
            kind=kind,
            value=value or "",
            client_id=client_id,
            browser=browser,
            result_url=terms.result_url,
            include_email=terms.include_email,
        )
        expires_at = self.clock() + (terms.lifetime or self._lifetime(session, profile.connection_id))
        tickets.put(session, token, PURPOSES[kind], record.model_dump(), expires_at, subject=profile.user_id)
        return f"{self.public_url}/u/email-verification?ticket={token}"

    async def look(self, token: str, caller: Caller) -> Verifying:
        """Return what a link is about. Raises ``InvalidTicket``, ``AddressBlocked``."""
        async with self.protection.showing(caller, {}, wrong=(InvalidTicket,)):
            return await self.db.read(_look, token, self.clock())

    async def confirm(self, token: str, caller: Caller, *, user_id: str | None) -> Verifying:
        """Take the link: the address is verified. ``user_id`` is whoever is signed in.

        Raises ``InvalidTicket``, and ``ProofNeeded`` where it may be somebody else than who made the account;
        ``ScriptFailed`` and ``RefusedByScript`` where the customer's database did not take it: it is not verified then.
        """
        found = await self.look(token, caller)
        if not found.already and not found.same_person(caller, user_id):
            raise ProofNeeded().because(user_id=found.profile.user_id, connection_id=found.connection.id)
        return await self._settled(token, found, caller)

    async def confirm_with_password(self, token: str, password: Secret[str], caller: Caller) -> Verifying:
        """The same, anywhere, for whoever knows the password of the account.

        Raises ``InvalidTicket``, ``WrongCredentials``, ``TooManyAttempts``, ``Busy``, and what ``confirm`` raises.
        """
        found = await self.look(token, caller)
        options = found.connection.policy()
        named = [each for each in identifiers_of_profile(found.profile) if each.kind in options.active_identifiers()]
        if not named or not found.takes_password:
            raise WrongCredentials().because(rule="passwords_off", user_id=found.profile.user_id)
        guess = Guess(
            *(found.connection.id, named[0], "", caller.address, caller.device),
            protected=options.brute_force_protection,
            administers=found.connection.for_administrators,
        )
        about: dict[str, str | None] = {"connection_id": found.connection.id, "user_id": found.profile.user_id}
        async with self.protection.guessing(guess, password, caller, about) as attempt:
            with self.protection.place(caller.address, found.connection):
                verdict = await self.elsewhere.store_for(found.connection).verify(named[0], password)
            attempt.right = isinstance(verdict, Profile) and verdict.user_id == found.profile.user_id
            attempt.account = verdict.user_id if options.store != "hosted" else None
        if not attempt.right:
            await self.db.write(journal.add, self.journal.event("fp", caller, **about))
            raise WrongCredentials().because(rule="wrong_password", **about)
        return await self._settled(token, found, caller)

    async def take_over(self, token: str, caller: Caller) -> str:
        """Take the link for somebody who did not make the account: all that was in it goes, and the address is theirs.

        Return a link to choose a password with. Empty where the connection has none, and the account is gone; and where
        the account is of somebody who has shown it for another address, and they lose this one: then it is free to sign
        up with. Raises ``InvalidTicket``.
        """
        await self.look(token, caller)
        return await self.db.write(self._take_over, token, caller)

    async def _settled(self, token: str, found: Verifying, caller: Caller) -> Verifying:
        """Verify the address; of somebody kept elsewhere once the customer's database has it, which may say no."""
        if not found.kept_elsewhere:
            return await self.db.write(self._settle, token, caller)
        taken = await self.db.write(_take, token, self.clock())
        if not taken.already:
            verified = account_changes.Verified(taken.link.kind, taken.link.value)
            failed = self.journal.event("fv", caller, identifier=taken.link.kind, **taken.about)
            await self.elsewhere.tell(taken.connection, taken.profile, verified, failed)
        return await self.db.write(self._settle_taken, taken, caller)

    def _settle(self, session: Session, token: str, caller: Caller) -> Verifying:
        return self._settle_taken(session, _take(session, token, self.clock()), caller)

    def _settle_taken(self, session: Session, found: Verifying, caller: Caller) -> Verifying:
        """Note what a link that was taken shows. Raises ``InvalidTicket`` where the address is another one by now."""
        found = _fitting(session, found.link.model_dump(), lock=True)
        self._mark(session, found.profile, found.link.kind, caller)
        return replace(found, profile=accounts.by_id(session, found.profile.user_id) or found.profile)

    def _mark(self, session: Session, profile: Profile, kind: Verifiable, caller: Caller) -> None:
        """Note that an identifier is verified, as a part of a unit of work. The first time they are welcomed."""
        accounts.change(session, profile.user_id, profile.verifying(kind) | {"updated_at": self.clock()})
        about: dict[str, Any] = {"user_id": profile.user_id, "connection_id": profile.connection_id}
        journal.add(session, self.journal.event("sv", caller, identifier=kind, **about))
        if kind == "email" and profile.email and not profile.email_verified:
            language = caller.language
            welcome = Message(channel="email", template="welcome_email", to=profile.email, language=language, **about)
            self.post.send(session, welcome)

    def _take_over(self, session: Session, token: str, caller: Caller) -> str:
        now = self.clock()
        found = _take(session, token, now)
        if found.already or found.profile.blocked:
            raise InvalidTicket
        journal.add(session, self.journal.event("fv", caller, reason="made by somebody else", **found.about))
        if found.profile.verified_kinds():
            # Somebody has shown that another of its addresses is theirs: they keep the account, and lose this one.
            self.reset.revocation.apply(session, Event.IDENTIFIER_CHANGED, Subject(found.profile.user_id), now)
            accounts.lose(session, found.profile, Identifier(found.link.kind, found.link.value), now)
            return ""
        if not found.connection.policy().methods.password.enabled:
            self.reset.revocation.apply(session, Event.DELETED, Subject(found.profile.user_id), now)
            accounts.remove(session, found.profile.user_id)
            return ""
        if found.kept_elsewhere:
            return self._take_over_elsewhere(session, found, now)
        empty(session, found.profile, found.link.kind, self.reset.revocation, now)
        accounts.change(session, found.profile.user_id, found.profile.verifying(found.link.kind) | {"must_verify": []})
        emptied = accounts.with_password(session, found.profile.user_id)
        if emptied is None:
            raise NoSuchUser
        return self.reset.link(session, emptied.profile, found.link.client_id, emptied.password_hash)

    def _take_over_elsewhere(self, session: Session, found: Verifying, now: datetime) -> str:
        """Keep whoever made the account out until the customer's database has another password.

        Theirs is good there until then. The link proves the address once more: nothing is verified before it is used.
        """
        close(session, found.profile, self.reset.revocation, now)
        accounts.change(session, found.profile.user_id, {"must_verify": [found.link.kind]})
        known = accounts.with_password(session, found.profile.user_id)
        if known is None:
            raise NoSuchUser
        proves = Destination(kind=found.link.kind, value=found.link.value)
        return self.reset.link(session, known.profile, found.link.client_id, known.password_hash, proves=proves)

    async def remind(self, user_id: str, client_id: str, caller: Caller) -> None:
        """Send the link again to somebody who cannot log in before they follow it; now and then, and saying nothing."""
        profile = await self.db.read(accounts.by_id, user_id)
        if profile is None:
            return
        for kind in PURPOSES:
            if kind in profile.must_verify:
                identifier = Identifier(kind, profile.value_of(kind) or "")
                if await self.protection.allows(message_bucket(profile.connection_id, identifier, "verify")):
                    await self.db.write(self.request, profile, client_id, caller, kind)

    def _lifetime(self, session: Session, connection_id: str) -> timedelta:
        connection = connections.get(session, connection_id)
        return verification_lifetime(hardened=bool(connection and connection.policy().hardened))


def _look(session: Session, token: str, now: datetime) -> Verifying:
    for purpose in PURPOSES.values():
        record = tickets.look(session, token, purpose, now)
        if record is not None:
            return _fitting(session, record, lock=False)
    raise InvalidTicket


def _take(session: Session, token: str, now: datetime) -> Verifying:
    for purpose in PURPOSES.values():
        record = tickets.take(session, token, purpose, now)
        if record is not None:
            return _fitting(session, record, lock=True)
    raise InvalidTicket


def _fitting(session: Session, record: dict[str, Any], *, lock: bool) -> Verifying:
    """Return the account of a link whose address it still has. Raises ``InvalidTicket``."""
    link = Link.model_validate(record)
    profile = accounts.by_id(session, link.user_id, lock=lock)
    connection = connections.get(session, profile.connection_id) if profile else None
    if profile is None or profile.value_of(link.kind) != link.value or connection is None or not connection.active:
        raise InvalidTicket
    return Verifying(link, profile, connection)
