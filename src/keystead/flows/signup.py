"""Somebody becomes an account: with a password, or with a passkey, or (where the connection allows it) with neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import accounts, journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import DomainError, IdentifierTaken, InvalidSignup, SignupDisabled
from keystead.flows.accounts import Admitted, enter, unwrap
from keystead.flows.ceremonies import Ceremonies, Party
from keystead.flows.email_verification import EmailVerification
from keystead.flows.journal import Journal
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import Options, require_passkeys
from keystead.flows.password_login import StoreFor
from keystead.flows.protection import Protection
from keystead.ports import Clock, Entropy, WebAuthn
from keystead.rules import base64url, signups
from keystead.rules.ceremonies import Ceremony, NewPasskey
from keystead.rules.events import Caller, Event
from keystead.rules.identifiers import KINDS
from keystead.rules.passkey_policy import TIMEOUT_MS
from keystead.rules.profiles import Draft, Profile, defaults
from keystead.secrecy import Secret

_HANDLE_BYTES = 32


@dataclass(frozen=True)
class Signup:
    """Public sign-up. Administrators create users by another way (``flows/users``)."""

    db: Database
    protection: Protection
    store_for: StoreFor
    ceremonies: Ceremonies
    enrolment: PasskeyEnrolment
    verification: EmailVerification
    webauthn: WebAuthn
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def __call__(
        self,
        connection: ConnectionRecord,
        client_id: str,
        body: Mapping[str, object],
        password: Secret[str] | None,
        caller: Caller,
    ) -> Profile:
        """Create an account with a password; nobody is logged in by it (SU-1).

        Raises ``SignupDisabled``, ``InvalidIdentifier``, ``InvalidSignup`` (which does not say whether somebody has the
        identifier), ``WeakPassword``, ``BadRequest``, ``Busy``. The hash is made before anybody looks whether the
        identifier is free, so a taken one takes as long.
        """
        about = {"connection_id": connection.id, "client_id": client_id}
        draft = self.draft(connection, body)
        signups.check_password_given(connection.policy(), given=password is not None)
        try:
            with self.protection.place(caller.address):
                profile = await self.store_for(connection).create(draft, password)
        except IdentifierTaken as taken:
            await self.db.write(journal.add, self.journal.event("fs", caller, reason=taken.code, **about))
            raise InvalidSignup(detail=f"{taken.attribute} is taken") from None
        methods = ["pwd"] if password else []
        event = self.journal.event("ss", caller, user_id=profile.user_id, authentication_methods=methods, **about)
        await self.db.write(self._greet, profile, client_id, event)
        return profile

    def _greet(self, session: Session, profile: Profile, client_id: str, event: Event) -> None:
        """Record a sign-up and ask whether the address is theirs (SU-7)."""
        journal.add(session, event)
        if profile.email and not profile.email_verified:
            self.verification.request(session, profile, client_id, event.caller)

    def draft(self, connection: ConnectionRecord, body: Mapping[str, object]) -> Draft:
        """Read a sign-up. Raises ``SignupDisabled`` and what ``read_draft`` raises."""
        options = connection.policy()
        if options.disable_signup:
            raise SignupDisabled
        return signups.read_draft(body, options)

    async def available(self, connection: ConnectionRecord, draft: Draft) -> None:
        """Refuse early what the primary key would refuse in the end. Raises ``InvalidSignup``."""
        taken = await self.db.read(accounts.taken, connection.id, draft.identifiers)
        if taken is not None:
            raise InvalidSignup(detail=f"{taken} is taken")

    async def begin_passkey(self, connection: ConnectionRecord, draft: Draft, party: Party, caller: Caller) -> Options:
        """Return the options for an account's first passkey. The account exists nowhere but in the ceremony (PK-23).

        Raises ``BadRequest`` where passkeys are off, ``InvalidSignup`` where somebody has an identifier (PK-24).
        """
        options = connection.policy()
        about = {"connection_id": connection.id, "client_id": party.client_id, "purpose": "register"}
        try:
            require_passkeys(options)
            await self.available(connection, draft)
        except DomainError as refusal:
            failure = self.journal.event("passkey_challenge_failed", caller, reason=refusal.detail, **about)
            await self.db.write(journal.add, failure.model_copy(update={"description": refusal.text}))
            raise
        handle = self.entropy.bytes(_HANDLE_BYTES)
        begun = await self.ceremonies.begin(
            "signup",
            party,
            user_handle=base64url.encode(handle),
            draft=draft.model_dump(mode="json", exclude={"user_handle"}),
        )
        event = self.journal.event("passkey_challenge_started", caller, **about)
        await self.db.write(journal.add, event)
        by_kind = {each.kind: each.value for each in draft.identifiers}
        name = next(by_kind[kind] for kind in (*options.precedence, *KINDS) if kind in by_kind)
        public_key = self.webauthn.creation_options(
            begun.ceremony,
            rp_name=self.ceremonies.relying_party.name,
            user_name=name,
            user_display_name=defaults(draft)["name"],
            timeout_ms=TIMEOUT_MS,
        )
        return Options(begun.auth_session, public_key)

    async def finish_passkey(
        self, connection: ConnectionRecord, ceremony: Ceremony, response: object, caller: Caller
    ) -> Admitted:
        """Verify the passkey of a ceremony that was claimed, and create the account with it, whole or not at all.

        Raises ``CeremonyRefused``, ``InvalidSignup``, ``SignupDisabled``, ``PasskeyTaken``.
        """
        about = {"connection_id": connection.id, "client_id": ceremony.client_id}
        try:
            if connection.policy().disable_signup:
                raise SignupDisabled
            new = self.webauthn.verify_registration(ceremony, response)
            outcome = await self.db.write(self._create_with_passkey, connection, ceremony, new, caller)
        except DomainError as refusal:
            await self.db.write(journal.add, self.journal.event("fs", caller, reason=refusal.detail, **about))
            if isinstance(refusal, IdentifierTaken):
                raise InvalidSignup(detail=refusal.detail) from None
            raise
        return unwrap(outcome)

    def _create_with_passkey(
        self, session: Session, connection: ConnectionRecord, ceremony: Ceremony, new: NewPasskey, caller: Caller
    ) -> Admitted | DomainError:
        now = self.clock()
        handle = base64url.decode(ceremony.user_handle)
        draft = Draft.model_validate({**(ceremony.draft or {}), "user_handle": handle})
        local_id = self.entropy.bytes(12).hex()
        profile = accounts.create(session, connection.id, draft, None, local_id=local_id, now=now)
        self.enrolment.store(session, profile.user_id, ceremony, new, caller)
        about: dict[str, Any] = {
            "user_id": profile.user_id,
            "connection_id": connection.id,
            "client_id": ceremony.client_id,
        }
        success = self.journal.event("ss", caller, authentication_methods=["passkey"], **about)
        failure = self.journal.event("fs", caller, **about)
        outcome = enter(session, profile.user_id, ceremony.client_id, "phr", success, failure)
        if isinstance(outcome, DomainError):
            raise outcome  # nothing of an account may be left behind that cannot come in
        if profile.email:
            self.verification.request(session, profile, ceremony.client_id, caller)
        return outcome
