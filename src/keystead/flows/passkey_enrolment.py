"""Somebody who has an account adds a passkey to it, or removes one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from keystead.db import accounts, connections, journal, passkeys
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import PasskeyRecord, Registration
from keystead.db.session import Database
from keystead.errors import (
    CeremonyExpired,
    DomainError,
    LastWayIn,
    NoSuchPasskey,
    NoSuchUser,
    PasskeyLimitReached,
    StepUpRequired,
)
from keystead.flows.ceremonies import Ceremonies, Party
from keystead.flows.journal import Journal
from keystead.flows.passkey_login import Options, require_passkeys
from keystead.flows.revocation import Revocation
from keystead.ports import Clock, Entropy, WebAuthn
from keystead.rules import base64url, revocation
from keystead.rules.ceremonies import Ceremony, NewPasskey
from keystead.rules.events import Caller, Event
from keystead.rules.passkey_policy import MAX_PER_USER, SNOOZE, STEP_UP, TIMEOUT_MS, user_verification
from keystead.rules.profiles import Profile


@dataclass(frozen=True, slots=True)
class Proved:
    """Who wants a passkey, and when they last showed who they are."""

    user_id: str
    at: datetime
    session_id: str = ""
    """The session in which they did; empty for an app that has none."""


@dataclass(frozen=True)
class PasskeyEnrolment:
    """A passkey is added to what an account has; nothing else about the account changes (PK-10)."""

    db: Database
    ceremonies: Ceremonies
    webauthn: WebAuthn
    revocation: Revocation
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def begin(self, connection: ConnectionRecord, user_id: str, party: Party, *, exclude: bool = True) -> Options:
        """Return the options for one more passkey; ``exclude`` names those that the person has (PK-31).

        Raises ``BadRequest``, ``NoSuchUser`` and ``PasskeyLimitReached``.
        """
        options = connection.policy()
        require_passkeys(options)
        profile, owned = await self.db.read(_owner, user_id)
        if len(owned) >= MAX_PER_USER:
            raise PasskeyLimitReached
        handle = base64url.encode(profile.user_handle)
        begun = await self.ceremonies.begin(
            "enrolment", party, user_verification=user_verification(options), user_id=user_id, user_handle=handle
        )
        public_key = self.webauthn.creation_options(
            begun.ceremony,
            rp_name=self.ceremonies.relying_party.name,
            user_name=profile.best_identifier(options.precedence),
            user_display_name=profile.name or profile.best_identifier(options.precedence),
            timeout_ms=TIMEOUT_MS,
            exclude=[(each.credential_id, each.transports) for each in owned] if exclude else (),
        )
        return Options(begun.auth_session, public_key)

    async def finish(self, ceremony: Ceremony, proved: Proved, response: object, caller: Caller) -> PasskeyRecord:
        """Store the passkey of a ceremony that was claimed, for whoever proved themselves.

        Raises ``CeremonyExpired`` where it was begun for another account, or whoever it is was signed out since they
        proved themselves; ``CeremonyRefused``, ``PasskeyTaken``, ``PasskeyLimitReached``.
        """
        user_id = proved.user_id
        about = {"user_id": user_id, "connection_id": ceremony.connection_id, "client_id": ceremony.client_id}
        try:
            if ceremony.user_id != user_id:
                raise CeremonyExpired(detail="begun for another account")
            new = self.webauthn.verify_registration(ceremony, response)
            return await self.db.write(self._store_own, proved, ceremony, new, caller)
        except DomainError as refusal:
            failure = self.journal.event("gd_webauthn_enrollment_failed", caller, reason=refusal.detail, **about)
            await self.db.write(journal.add, failure)
            raise

    async def remove(self, proved: Proved, passkey_id: str, caller: Caller, *, client_id: str) -> None:
        """Remove a passkey of the person's own; whatever else is signed in to the account ends with it (V7.4.3).

        Raises ``NoSuchPasskey``, and ``LastWayIn`` for the last way in.
        """
        event = self.journal.event(
            "my_account_authentication_method_succeeded",
            caller,
            user_id=proved.user_id,
            client_id=client_id,
            operation="delete",
            authentication_method_id=passkey_id,
        )
        if not await self.db.write(self._remove, proved, passkey_id, event):
            raise NoSuchPasskey

    async def list(self, user_id: str) -> list[PasskeyRecord]:
        """Return the passkeys of an account."""
        return await self.db.read(passkeys.of_account, user_id)

    async def snooze(self, user_id: str) -> None:
        """Stop offering a passkey for a while (PK-7)."""
        await self.db.write(accounts.change, user_id, {"passkey_prompt_snoozed_until": self.clock() + SNOOZE})

    def require_fresh(self, authenticated_at: datetime | None, within: timedelta = STEP_UP) -> None:
        """Refuse a change whose login is too old, or that no login stands behind. Raises ``StepUpRequired``."""
        if authenticated_at is None or self.clock() - authenticated_at > within:
            raise StepUpRequired(int(within.total_seconds()))

    def _store_own(
        self, session: Session, proved: Proved, ceremony: Ceremony, new: NewPasskey, caller: Caller
    ) -> PasskeyRecord:
        """Store it while nobody can sign the account out."""
        still_in(session, proved, ceremony.client_id)
        return self.store(session, proved.user_id, ceremony, new, caller)

    def _remove(self, session: Session, proved: Proved, passkey_id: str, event: Event) -> bool:
        owner = accounts.by_id(session, proved.user_id, lock=True)
        if not passkeys.remove(session, proved.user_id, passkey_id):
            return False
        if owner and not passkeys.count(session, proved.user_id) and not _has_password_login(session, owner):
            raise LastWayIn
        acting = revocation.Subject(proved.user_id, proved.session_id)
        self.revocation.apply(session, revocation.Event.PASSKEY_REMOVED, acting, self.clock())
        journal.add(session, event)
        return True

    def store(
        self, session: Session, user_id: str, ceremony: Ceremony, new: NewPasskey, caller: Caller
    ) -> PasskeyRecord:
        """Store a verified passkey and record it, as a part of a larger unit of work such as a sign-up.

        Raises ``BadRequest`` where passkeys were switched off since the options were handed out.
        """
        connection = connections.get(session, ceremony.connection_id)
        if connection is not None:
            require_passkeys(connection.policy())
        passkey_id = self.entropy.id("passkey|dev_")
        registration = Registration(passkey_id, ceremony.rp_id, caller.user_agent, self.clock())
        stored = passkeys.add(session, user_id, new, registration, limit=MAX_PER_USER)
        event = self.journal.event(
            "gd_enrollment_complete",
            caller,
            user_id=user_id,
            connection_id=ceremony.connection_id,
            client_id=ceremony.client_id,
            authenticator={"type": "passkey", "id": stored.id},
        )
        journal.add(session, event)
        return stored


def _owner(session: Session, user_id: str) -> tuple[Profile, list[PasskeyRecord]]:
    profile = accounts.by_id(session, user_id)
    if profile is None:
        raise NoSuchUser
    return profile, passkeys.of_account(session, user_id)


def still_in(session: Session, proved: Proved, client_id: str) -> Profile:
    """Return the account of whoever proved themselves, locked. Raises ``CeremonyExpired`` where that is over.

    Nobody can be signed out from here to the end of the unit of work: a slow answer must not outlive a reset.
    """
    accounts.by_id(session, proved.user_id, lock=True)
    standing = accounts.standing(session, proved.user_id, client_id, proved.session_id)
    if standing is None or standing.signed_out_since(proved.at):
        raise CeremonyExpired(detail="signed out since the login")
    return standing.profile


def _has_password_login(session: Session, owner: Profile) -> bool:
    connection = connections.get(session, owner.connection_id)
    return owner.has_password and connection is not None and connection.policy().methods.password.enabled
