"""Somebody who lost their passkeys proves a verified address by a code, and makes a new one: that, and nothing else.

A code never ends in a session or in tokens (V6.3.6). What it opens is one page of one login in one browser, which can
store one passkey; whoever made it logs in with it like anybody else, through the one gate. So a mailbox alone gives
nothing without a registration that everybody concerned hears of.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, connections, journal, passkeys, tickets
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, CeremonyExpired, DomainError, TooManyMessages, WrongCode
from keystead.flows.ceremonies import Party
from keystead.flows.journal import Journal
from keystead.flows.one_time_codes import OneTimeCodes, RightGuess
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import Options
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.refusals import whose
from keystead.flows.revocation import Revocation
from keystead.rules import identifiers, revocation
from keystead.rules.buckets import Bucket, asked_bucket, recovery_bucket, reset_bucket
from keystead.rules.ceremonies import Ceremony, NewPasskey
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.messages import CHANNELS, RECOVERY_LIFETIME, Message, in_groups
from keystead.rules.passkey_policy import is_full, policy_of, recoverable
from keystead.rules.profiles import Profile
from keystead.rules.resets import Destination, Recovery, verified_destination

PURPOSE: Final = "passkey-recovery"


@dataclass(frozen=True, slots=True)
class Recovering:
    """Whose passkey is about to be made, and what they have."""

    profile: Profile
    proves: Destination
    connection: ConnectionRecord
    passkeys: int
    is_full: bool
    """Whether there is room for a new passkey only where the others go."""

    @property
    def name(self) -> str:
        """What the person is known by."""
        return self.profile.best_identifier(self.connection.policy().precedence)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a code, as its unit of work needs it."""

    connection: ConnectionRecord
    client_id: str
    identifier: Identifier | None
    page: str
    guesses: Bucket
    long: bool
    caller: Caller


@dataclass(frozen=True, slots=True)
class _Found:
    """Whose identifier it is, and to where they are sent a code; nothing of nobody."""

    user_id: str | None = None
    recovery: Recovery | None = None


@dataclass(frozen=True)
class PasskeyRecovery:
    """``page`` is the login transaction that everything is bound to: the browser of another one can do nothing."""

    enrolment: PasskeyEnrolment
    elsewhere: PeopleElsewhere
    protection: Protection
    codes: OneTimeCodes
    post: Post
    revocation: Revocation

    @property
    def db(self) -> Database:
        """Where everything is."""
        return self.enrolment.db

    @property
    def journal(self) -> Journal:
        """What writes down what happened."""
        return self.enrolment.journal

    async def request(
        self, connection: ConnectionRecord, client_id: str, typed: str, caller: Caller, *, page: str
    ) -> None:
        """Send a code to a verified address, if there is one; an older code of the page stops working.

        Nobody could see whether there is: the same is looked up, stored and sent, to somebody or to nobody. Raises
        ``TooManyMessages``, ``ScriptFailed``, ``BadRequest`` where the connection has no recovery.
        """
        options = connection.policy()
        if not recoverable(options):
            raise BadRequest("Passkeys cannot be recovered here.")
        rules = options.username_rules()
        identifier = identifiers.parse(typed, options.active_identifiers(), options.precedence, rules)
        # What is no identifier may be a password in the wrong field: its bucket must not be a copy of it.
        unread = self.protection.unread(typed)
        bucket = reset_bucket(connection.id, identifier, unread, caller.address)
        about = whose(identifier, connection_id=connection.id, client_id=client_id)
        asking = self.protection.charged(asked_bucket(caller.address), about, refusal=TooManyMessages)
        async with asking, self.protection.charged(bucket, about, refusal=TooManyMessages):
            failed = self.journal.event("passkey_recovery_failed", caller, connection_id=connection.id)
            with self.protection.asking(caller.address, connection):
                await self.elsewhere.bring_unseen(connection, identifier, failed)
            user_id = await self.db.read(_user_id, connection.id, identifier)
            guesses = recovery_bucket(connection.id, user_id, identifier, unread)
            long = not await self.protection.has_room(guesses)
            asked = _Asked(connection, client_id, identifier, page, guesses, long, caller)
            await self.db.write(self._request, asked)

    async def prove(self, connection: ConnectionRecord, page: str, typed: str, caller: Caller) -> None:
        """Take a code; for ten minutes the page can make a passkey then. Raises ``WrongCode``, ``AddressBlocked``."""
        try:
            right = await self.codes.guess(_handle(page), typed, caller)
            if not await self.db.write(self._open, page, right):
                raise WrongCode(detail="sent to nobody, used meanwhile, or the account changed since")
        except WrongCode as refusal:
            failure = self.journal.event(
                "passkey_recovery_failed", caller, reason=refusal.detail, connection_id=connection.id
            )
            await self.db.write(journal.add, failure)
            raise

    async def look(self, page: str) -> Recovering | None:
        """Return who may make a passkey on a page; ``None`` where nobody may, or not any more."""
        return await self.db.read(self._look, page)

    async def begin(self, page: str, party: Party) -> Options:
        """Return the options for the new passkey. Raises ``CeremonyExpired``, ``BadRequest`` where passkeys are off.

        No passkey is excluded: what lies on this authenticator may be one that the policy refuses, and is replaced.
        """
        found = await self.look(page)
        if found is None:
            raise CeremonyExpired(detail="no code was entered, or it is long ago")
        return await self.enrolment.options("recovery", found.connection, found.profile, party)

    async def finish(
        self, page: str, ceremony: Ceremony, response: object, caller: Caller, *, remove_others: bool
    ) -> None:
        """Store the passkey of a ceremony that was claimed; everything else that the account was signed in to ends.

        The other passkeys stay, unless their owner says that they are lost (V6.4.3). Raises ``CeremonyExpired``,
        ``CeremonyRefused``, ``PasskeyNotAllowed``, ``PasskeyTaken``, ``PasskeyLimitReached``, ``ScriptFailed``.
        """
        try:
            new = self.enrolment.webauthn.verify_registration(ceremony, response)
            await self._still_theirs(page)
            await self.db.write(self._finish, page, ceremony, new, caller, remove_others)
            await self.protection.lift(ceremony.user_id)
        except DomainError as refusal:
            about = {"user_id": ceremony.user_id, "connection_id": ceremony.connection_id}
            failure = self.journal.event("passkey_recovery_failed", caller, reason=refusal.detail, **about)
            await self.db.write(journal.add, failure)
            raise

    async def _still_theirs(self, page: str) -> None:
        """See that whoever is kept elsewhere is there, with the address that the code was sent to.

        Raises ``CeremonyExpired``, ``ScriptFailed``.
        """
        found = await self.look(page)
        if found is None:
            return  # which is found once more where it is stored
        identifier = Identifier(found.proves.kind, found.proves.value)
        if await self.elsewhere.again(found.connection, found.profile, identifier=identifier) is None:
            raise CeremonyExpired(detail="gone from the customer's database, or the address is somebody else's")

    def _request(self, session: Session, asked: _Asked) -> None:
        found = _found(session, asked)
        record: dict[str, Any] = found.recovery.model_dump(mode="json") if found.recovery else {}
        terms: dict[str, Any] = {"lifetime": RECOVERY_LIFETIME, "guesses": asked.guesses, "long": asked.long}
        code = self.codes.issue(session, _handle(asked.page), record, **terms)
        about = {"user_id": found.user_id, "connection_id": asked.connection.id, "client_id": asked.client_id}
        message = Message(
            channel=CHANNELS[found.recovery.proves.kind] if found.recovery else "email",
            template="passkey_recovery_by_code",
            to=found.recovery.proves.value if found.recovery else "",
            language=asked.caller.language,
            variables={"code": in_groups(code), "minutes": int(RECOVERY_LIFETIME.total_seconds()) // 60},
            **about,
        )
        self.post.send(session, message)
        sent = found.recovery is not None
        journal.add(session, self.journal.event("passkey_recovery_requested", asked.caller, sent=sent, **about))

    def _open(self, session: Session, page: str, right: RightGuess) -> bool:
        """Exchange the code for the way that it opens, under the account's lock.

        Whatever ends the codes of the account finds one or the other, and ends it.
        """
        recovery = Recovery.model_validate(right.record) if "user_id" in right.record else None
        if recovery is not None:
            accounts.by_id(session, recovery.user_id, lock=True)
        if not self.codes.use(session, right) or recovery is None or self._recovering(session, recovery) is None:
            return False
        expires_at = self.enrolment.clock() + RECOVERY_LIFETIME
        about = recovery.model_dump(mode="json")
        tickets.put(session, _handle(page), PURPOSE, about, expires_at, subject=recovery.user_id)
        return True

    def _look(self, session: Session, page: str) -> Recovering | None:
        record = tickets.look(session, _handle(page), PURPOSE, self.enrolment.clock())
        return self._recovering(session, Recovery.model_validate(record)) if record else None

    def _recovering(self, session: Session, recovery: Recovery) -> Recovering | None:
        """Return who it is, while the address is theirs and verified, and nobody keeps them or everybody out."""
        profile = accounts.by_id(session, recovery.user_id)
        connection = connections.get(session, profile.connection_id) if profile else None
        if profile is None or connection is None or profile.blocked:
            return None
        proves, options = recovery.proves, connection.policy()
        if profile.value_of(proves.kind) != proves.value or not profile.is_verified(proves.kind):
            return None
        if not (connection.active and recoverable(options)):
            return None
        owned = passkeys.count_by_rp_id(session, profile.user_id)
        of_current = owned.get(self.enrolment.ceremonies.relying_party(session).id, 0)
        full = is_full(policy_of(options), of_current)
        return Recovering(profile, proves, connection, sum(owned.values()), full)

    def _finish(
        self, session: Session, page: str, ceremony: Ceremony, new: NewPasskey, caller: Caller, remove_others: bool
    ) -> None:
        """Claim the way that the code opened, under the account's lock, and use it whole or not at all."""
        now = self.enrolment.clock()
        if remove_others:
            passkeys.hold(session, ceremony.user_id)
        accounts.by_id(session, ceremony.user_id, lock=True)
        found = self._look(session, page)
        if found is None or found.profile.user_id != ceremony.user_id:
            raise CeremonyExpired(detail="the account changed since the code was entered, or it is long ago")
        if tickets.take(session, _handle(page), PURPOSE, now) is None:
            raise CeremonyExpired(detail="used meanwhile")
        profile = found.profile
        removed = passkeys.remove_all(session, profile.user_id) if remove_others else 0
        owned = passkeys.count_by_rp_id(session, profile.user_id).get(ceremony.rp_id, 0)
        accepted = self.enrolment.judge(session, ceremony, new, passkeys=owned)
        self.revocation.apply(session, revocation.Event.RECOVERED, revocation.Subject(profile.user_id), now)
        stored = self.enrolment.store(session, profile.user_id, ceremony, accepted, caller)
        about: dict[str, Any] = {
            "user_id": profile.user_id,
            "connection_id": profile.connection_id,
            "client_id": ceremony.client_id,
        }
        success = self.journal.event(
            "passkey_recovery_succeeded",
            caller,
            identifier=found.proves.kind,
            authenticator={"type": "passkey", "id": stored.id},
            removed=removed,
            **about,
        )
        journal.add(session, success)
        self.post.notify(session, profile, "passkey_recovered", caller, removed=removed > 0)


def _handle(page: str) -> str:
    return f"recovery/{page}"


def _found(session: Session, asked: _Asked) -> _Found:
    known = accounts.by_identifier(session, asked.connection.id, asked.identifier) if asked.identifier else None
    if known is None or asked.identifier is None:
        return _Found()
    profile = known.profile
    to = verified_destination(profile, asked.identifier)
    if to is None or profile.blocked:
        return _Found(profile.user_id)
    return _Found(profile.user_id, Recovery(user_id=profile.user_id, proves=to))


def _user_id(session: Session, connection_id: str, identifier: Identifier | None) -> str | None:
    known = accounts.by_identifier(session, connection_id, identifier) if identifier else None
    return known.profile.user_id if known else None
