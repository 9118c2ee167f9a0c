"""Somebody who forgot their password proves who they are by their address, and chooses a new one (RS-1 to RS-5)."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session

from keystead.db import (
    accounts,
    connections,
    journal,
    old_passwords,
    templates,
    tickets,
)
from keystead.db.accounts import Known
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import (
    BadRequest,
    InvalidTicket,
    PasswordLeaked,
    RefusedByScript,
    ScriptFailed,
    TooManyMessages,
    WeakPassword,
    WrongCode,
)
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.emptying import close, empty
from keystead.flows.journal import Journal
from keystead.flows.one_time_codes import OneTimeCodes
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.refusals import whose
from keystead.flows.revocation import Revocation
from keystead.ports import Clock, Entropy
from keystead.rules import identifiers, revocation
from keystead.rules.account_changes import NewPassword, Verified
from keystead.rules.buckets import asked_bucket, guesses_bucket, reset_bucket
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.letters import link_lifetime
from keystead.rules.messages import CHANNELS, Message, reset_lifetime
from keystead.rules.password_policy import history_size
from keystead.rules.profiles import Profile
from keystead.rules.resets import Destination, ResetLink, destination, goes_by_code, may_choose
from keystead.rules.returned_profiles import is_mark
from keystead.rules.verification import NO_TERMS, Terms
from keystead.secrecy import Secret, fingerprint

PURPOSE: Final = "reset-password"


@dataclass(frozen=True, slots=True)
class Resetting:
    """Whose password is about to be chosen, and under which policy."""

    link: ResetLink
    profile: Profile
    connection: ConnectionRecord
    proved_before: bool = True
    """Whether the address that the link was sent to had been shown to be theirs before."""

    is_from_there: bool = False
    """Whether nobody but the customer's database ever said what is in the account: its password is kept there."""

    @property
    def kept_elsewhere(self) -> bool:
        """Whether the password is kept by the customer's own database."""
        return self.options.store == "scripted"

    @property
    def about(self) -> dict[str, Any]:
        """What the journal says of it."""
        return {"user_id": self.profile.user_id, "connection_id": self.connection.id}

    @property
    def options(self) -> ConnectionOptions:
        """The policy."""
        return self.connection.policy()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a reset, as its unit of work needs it."""

    connection: ConnectionRecord
    client_id: str
    identifier: Identifier | None
    handle: str
    caller: Caller
    noted: bool
    """Whether it is written down already that nobody was found."""


@dataclass(frozen=True)
class PasswordReset:
    """A request is answered the same for everybody; a link works once, and only while the password is what it was."""

    db: Database
    elsewhere: PeopleElsewhere
    breaches: Breaches
    protection: Protection
    codes: OneTimeCodes
    post: Post
    revocation: Revocation
    journal: Journal
    clock: Clock
    entropy: Entropy
    public_url: str

    async def request(
        self, connection: ConnectionRecord, client_id: str, typed: str, caller: Caller, *, page: str = ""
    ) -> bool:
        """Send a link or a code, if there is somebody to send it to; return whether ``page`` is to ask for a code.

        ``page`` is what a code is bound to; without one there is no page to type a code into, so a link is sent.
        Whether there is somebody changes nothing that the caller could see: messages are sent by the worker. Raises
        ``TooManyMessages``, ``ScriptFailed``, ``BadRequest`` where resets are off.
        """
        options = connection.policy()
        if not may_choose(options):
            raise BadRequest("Password reset is not available for this connection.")
        rules = options.username_rules()
        identifier = identifiers.parse(typed, options.active_identifiers(), options.precedence, rules)
        by_code = bool(page) and goes_by_code(identifier, options)
        # What is no identifier may be a password in the wrong field: its bucket must not be a copy of it.
        bucket = reset_bucket(connection.id, identifier, self.protection.unread(typed), caller.address)
        about = whose(identifier, connection_id=connection.id, client_id=client_id)
        asking = self.protection.charged(asked_bucket(caller.address), about, refusal=TooManyMessages)
        async with asking, self.protection.charged(bucket, about, refusal=TooManyMessages):
            # Beyond so many codes for one identifier, whoever asks, a link is sent instead: nobody can guess that, and
            # nobody is kept from it. The page says the same.
            code = by_code and identifier and await self.codes.may_be_short("reset", connection.id, identifier)
            failed = self.journal.event("fcpr", caller, connection_id=connection.id, client_id=client_id)
            with self.protection.asking(caller.address, connection):
                noted = await self.elsewhere.bring_unseen(connection, identifier, failed)
            asked = _Asked(connection, client_id, identifier, _handle(page) if code else "", caller, noted)
            await self.db.write(self._request, asked)
        return by_code

    async def with_code(self, page: str, typed: str, caller: Caller) -> str:
        """Return the link that a right code stands for. Raises ``WrongCode``, ``AddressBlocked``."""
        record = await self.codes.check(_handle(page), typed, caller)
        url = await self.db.write(self._link_for_code, record)
        if url is None:
            raise WrongCode(detail="the account changed since the code was sent")
        return url

    def link(
        self,
        session: Session,
        profile: Profile,
        client_id: str,
        password_hash: str | None,
        *,
        proves: Destination | None = None,
        terms: Terms = NO_TERMS,
    ) -> str:
        """Make a link as a part of a unit of work, and return it. Older links stop working (RS-3).

        ``proves`` is the address that only its owner can have read the link at. Without one, whoever asked for the link
        vouches for who opens it (RS-7).
        """
        token = self.entropy.token(32)
        record = ResetLink(
            user_id=profile.user_id,
            client_id=client_id,
            password=fingerprint(password_hash or ""),
            proves=proves,
            marks=Destination(kind="email", value=profile.email) if terms.mark_verified and profile.email else None,
            result_url=terms.result_url,
            include_email=terms.include_email,
        )
        expires_at = self.clock() + (terms.lifetime or self._lifetime(session, profile.connection_id))
        tickets.put(session, token, PURPOSE, record.model_dump(mode="json"), expires_at, subject=profile.user_id)
        return f"{self.public_url}/u/reset-password?ticket={token}"

    async def look(self, token: str, caller: Caller) -> Resetting:
        """Return what a link is about, without using it. Raises ``InvalidTicket``, ``AddressBlocked``."""
        async with self.protection.showing(caller, {}, wrong=(InvalidTicket,)):
            return await self.db.read(_look, token, self.clock())

    async def finish(self, token: str, password: Secret[str], caller: Caller) -> Resetting:
        """Set the password.

        Raises ``InvalidTicket``, ``AddressBlocked``, ``WeakPassword``, ``PasswordLeaked``, ``PasswordUnchecked``,
        ``Busy``; ``ScriptFailed`` and ``RefusedByScript`` where the customer's database did not take it.

        Sessions and refresh tokens end and blocks are lifted (RS-5). An address that the link was sent to is proved by
        this; where nobody had proved it before, whatever somebody else had put into the account goes first.
        """
        found = await self.look(token, caller)
        subject = Subject(found.connection.id, found.link.client_id, found.profile)
        try:
            await self.breaches.check("pre-change-password", password, subject, caller)
            with self.protection.place(caller.address):
                hashed = await self.elsewhere.store_for(found.connection).prepare(found.profile, password)
        except (WeakPassword, PasswordLeaked) as refusal:
            await self.db.write(journal.add, self.journal.event("fcp", caller, reason=refusal.code, **found.about))
            raise
        if found.kept_elsewhere:
            done = await self._finish_elsewhere(found, token, hashed, password, caller)
        else:
            done = await self.db.write(self._finish, token, hashed, caller)
        await self.protection.lift(done.profile.user_id)
        after = await self.db.read(accounts.by_id, done.profile.user_id)
        return replace(done, profile=after or done.profile)

    def _request(self, session: Session, asked: _Asked) -> None:
        """Do the same for everybody: nobody, or somebody who gets nothing, is sent a message that goes nowhere."""
        known, to = _found(session, asked)
        code = self._code(session, asked, known.profile if known else None, to)
        about: dict[str, Any] = {"connection_id": asked.connection.id, "client_id": asked.client_id}
        if known is None or to is None or known.profile.blocked:
            known, channel, address = None, CHANNELS["email"], ""
        else:
            channel, address, about["user_id"] = CHANNELS[to.kind], to.value, known.profile.user_id
        url = self._url(session, asked, None if code else known, to)
        message = Message(
            channel=channel,
            template="reset_email_by_code" if code else "reset_email",
            to=address,
            language=asked.caller.language,
            variables={"code": code} if code else {"url": url},
            **about,
        )
        self.post.send(session, message)
        self._record(session, asked, about)

    def _record(self, session: Session, asked: _Asked, about: dict[str, Any]) -> None:
        if "user_id" in about:
            journal.add(session, self.journal.event("scpr", asked.caller, **about))
        elif not asked.noted:
            journal.add(session, self.journal.event("fcpr", asked.caller, **about))

    def _url(self, session: Session, asked: _Asked, known: Known | None, to: Destination | None) -> str:
        """Make a link; for nobody, and for whoever is sent a code, one that leads nowhere: the clock tells nothing."""
        default = self._lifetime(session, asked.connection.id)
        lifetime = link_lifetime(templates.in_force(session, "reset_email", asked.connection.id), default)
        if known:
            terms = Terms(lifetime)
            return self.link(session, known.profile, asked.client_id, known.password_hash, proves=to, terms=terms)
        token = self.entropy.token(32)
        record = ResetLink(user_id="", client_id=asked.client_id, password="").model_dump(mode="json")
        tickets.put(session, token, PURPOSE, record, self.clock() + lifetime, subject=tickets.nobody(token))
        return ""

    def _code(self, session: Session, asked: _Asked, profile: Profile | None, to: Destination | None) -> str:
        """Make the code that the page will ask for; return it if it is to be sent to where the page says."""
        if not asked.handle or asked.identifier is None:
            return ""
        right = profile is not None and to is not None and asked.identifier == Identifier(to.kind, to.value)
        record = {"user_id": profile.user_id, "client_id": asked.client_id} if profile and right else {}
        guesses = guesses_bucket("reset", asked.connection.id, asked.identifier)
        shown = record | ({"proves": to.model_dump()} if to and right else {})
        code = self.codes.issue(session, asked.handle, shown, guesses=guesses)
        return code if right else ""

    def _link_for_code(self, session: Session, record: dict[str, Any]) -> str | None:
        known = accounts.with_password(session, str(record.get("user_id", "")))
        if known is None:
            return None
        proves = Destination.model_validate(record["proves"])
        return self.link(session, known.profile, str(record["client_id"]), known.password_hash, proves=proves)

    async def _finish_elsewhere(
        self, found: Resetting, token: str, hashed: str, password: Secret[str], caller: Caller
    ) -> Resetting:
        """Use the link up, have the customer's database changed, and only then say that anything was proved.

        In this order: a password that somebody else chose is good there until the script has run, and must not open an
        account whose address is said to be verified. Whoever lost the address there has lost the link.
        """
        failed, proves = self.journal.event("fcp", caller, **found.about), found.link.proves
        identifier = Identifier(proves.kind, proves.value) if proves else None
        if await self.elsewhere.again(found.connection, found.profile, failed, identifier=identifier) is None:
            raise InvalidTicket(detail="gone from the customer's database, or somebody else's by now")
        done = await self.db.write(self._claim, token, hashed)
        failed = self.journal.event("fcp", caller, **done.about)
        await self.elsewhere.tell(done.connection, done.profile, NewPassword(password), failed)
        await self.db.write(self._settle_elsewhere, done, caller)
        if proves and not done.proved_before:
            # There the address is not verified yet. The password is changed, whatever comes of this.
            with suppress(ScriptFailed, RefusedByScript):
                failed = self.journal.event("fv", caller, **done.about)
                await self.elsewhere.tell(done.connection, done.profile, Verified(proves.kind, proves.value), failed)
        return done

    def _finish(self, session: Session, token: str, hashed: str, caller: Caller) -> Resetting:
        done = self._claim(session, token, hashed)
        self._settle(session, done, caller)
        return done

    def _claim(self, session: Session, token: str, hashed: str) -> Resetting:
        """Use the link up, with whatever ends with it."""
        now = self.clock()
        found = _look(session, token, now)
        proves, proved_before = found.link.proves, True
        profile = accounts.by_id(session, found.profile.user_id, lock=True) or found.profile
        if tickets.take(session, token, PURPOSE, now) is None:
            raise InvalidTicket
        if proves and not profile.is_verified(proves.kind):
            if profile.verified_kinds():  # since the message was sent, somebody showed that it is their account
                raise InvalidTicket
            proved_before = False
            if found.is_from_there:
                close(session, profile, self.revocation, now)
            else:
                empty(session, profile, proves.kind, self.revocation, now)
            if found.kept_elsewhere:
                accounts.change(session, profile.user_id, {"must_verify": [proves.kind]})
            profile = accounts.by_id(session, profile.user_id) or profile
        old_passwords.replace(session, profile.user_id, hashed, now, size=history_size(found.options))
        self._end(session, profile.user_id)
        return replace(found, profile=profile, proved_before=proved_before)

    def _end(self, session: Session, user_id: str) -> None:
        """End whatever is signed in to an account."""
        self.revocation.apply(session, revocation.Event.PASSWORD_RESET, revocation.Subject(user_id), self.clock())

    def _settle_elsewhere(self, session: Session, done: Resetting, caller: Caller) -> None:
        """End everything again: a login with the password from before may have begun meanwhile, and have been right."""
        self._end(session, done.profile.user_id)
        self._settle(session, done, caller)

    def _settle(self, session: Session, done: Resetting, caller: Caller) -> None:
        """Note that the password is another one, what that proves, and have its owner told."""
        profile = accounts.by_id(session, done.profile.user_id, lock=True) or done.profile
        shown = done.link.proves or done.link.marks
        if shown and profile.value_of(shown.kind) == shown.value:
            accounts.change(session, profile.user_id, profile.verifying(shown.kind))
        journal.add(session, self.journal.event("scp", caller, **done.about))
        if profile.email:
            notice = Message(
                channel="email",
                template="security_notice",
                to=profile.email,
                language=caller.language,
                **done.about,
            )
            self.post.send(session, notice)

    def _lifetime(self, session: Session, connection_id: str) -> timedelta:
        connection = connections.get(session, connection_id)
        return reset_lifetime(hardened=bool(connection and connection.policy().hardened))


def _found(session: Session, asked: _Asked) -> tuple[Known | None, Destination | None]:
    """Return whose identifier it is, and to where they would be sent something."""
    known = accounts.by_identifier(session, asked.connection.id, asked.identifier) if asked.identifier else None
    return known, destination(known.profile, asked.identifier) if known and asked.identifier else None


def _handle(page: str) -> str:
    return f"reset/{page}"


def _look(session: Session, token: str, now: datetime) -> Resetting:
    """Return what a link is about, if it fits the password as it is now: a changed password has used every link up.

    Where passwords were switched off since, nobody gets one.
    """
    record = tickets.look(session, token, PURPOSE, now)
    link = ResetLink.model_validate(record) if record else None
    known = accounts.with_password(session, link.user_id) if link else None
    if link is None or known is None or not _fits(link, known):
        raise InvalidTicket
    connection = connections.get(session, known.profile.connection_id)
    if connection is None or known.profile.blocked or not _takes_passwords(connection):
        raise InvalidTicket
    is_from_there = connection.policy().store == "scripted" or is_mark(known.password_hash)
    return Resetting(link, known.profile, connection, is_from_there=is_from_there)


def _takes_passwords(connection: ConnectionRecord) -> bool:
    """Whether there is a password to be chosen, and somebody who takes it."""
    options = connection.policy()
    return connection.active and options.methods.password.enabled and not options.lacks("change_password")


def _fits(link: ResetLink, known: Known) -> bool:
    """Whether password and address are still what they were when the link was made."""
    addresses = [each for each in (link.proves, link.marks) if each]
    stayed = all(known.profile.value_of(each.kind) == each.value for each in addresses)
    return fingerprint(known.password_hash or "") == link.password and stayed
