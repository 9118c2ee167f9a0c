"""Somebody becomes an account: with a password, or with a passkey, or (where the connection allows it) with neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import accounts, journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import (
    CeremonyExpired,
    DomainError,
    IdentifierTaken,
    InvalidSignup,
    NotVerified,
    RefusedByScript,
    ScriptFailed,
    SignupDisabled,
)
from keystead.flows.accounts import Admission, Admitted, unwrap
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.ceremonies import Ceremonies, Party
from keystead.flows.directory import StoreFor
from keystead.flows.journal import Journal
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import Options, require_passkeys
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.refusals import concerning, told, whose
from keystead.flows.verification import PURPOSES, Verification
from keystead.ports import Clock, Entropy, WebAuthn
from keystead.rules import base64url, signups
from keystead.rules.buckets import message_bucket
from keystead.rules.ceremonies import Ceremony, NewPasskey
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller, Event
from keystead.rules.identifiers import KINDS, Identifier
from keystead.rules.messages import CHANNELS, Message
from keystead.rules.passkey_policy import policy_of
from keystead.rules.profiles import HANDLE_BYTES, Draft, Profile, defaults, look_alike
from keystead.secrecy import Secret

_WAITS = "The account is there. Follow the link that was sent, then log in."


@dataclass(frozen=True)
class Signup:
    """Public sign-up. Administrators create users by another way (``flows/users``)."""

    db: Database
    admission: Admission
    protection: Protection
    store_for: StoreFor
    ceremonies: Ceremonies
    enrolment: PasskeyEnrolment
    verification: Verification
    breaches: Breaches
    post: Post
    webauthn: WebAuthn
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def __call__(
        self,
        connection: ConnectionRecord,
        client_id: str,
        draft: Draft,
        password: Secret[str] | None,
        caller: Caller,
        *,
        counted: bool = False,
    ) -> Profile:
        """Create an account with a password; nobody is logged in by it (SU-1).

        Raises ``InvalidSignup`` (which does not say whether somebody has the identifier), ``WeakPassword``,
        ``PasswordLeaked``, ``PasswordUnchecked``, ``BadRequest``, ``Busy``, ``AddressBlocked``. The hash is made before
        anybody looks whether the identifier is free, so a taken one takes as long. In the hardened profile a taken
        address is answered like a free one: what is returned then is stored nowhere, and whoever has the address is
        told. ``counted`` says that the sign-up was charged where it began, by ``available``.
        """
        options, about = connection.policy(), _about(connection, client_id)
        signups.check_password_given(options, given=password is not None)
        with concerning(next(iter(draft.identifiers), None), **about):
            if not counted:
                await self.protection.signing_up(caller, about)
            return await self._create(connection, client_id, draft, password, caller)

    async def _create(
        self,
        connection: ConnectionRecord,
        client_id: str,
        draft: Draft,
        password: Secret[str] | None,
        caller: Caller,
    ) -> Profile:
        options, about = connection.policy(), _about(connection, client_id)
        if password is not None:
            await self.breaches.check("pre-user-registration", password, Subject(connection.id, client_id), caller)
        draft = draft.model_copy(update={"client_id": client_id})
        try:
            with self.protection.place(caller.address, connection):
                profile = await self.store_for(connection).create(draft, password)
        except (ScriptFailed, RefusedByScript) as refusal:
            await self.db.write(journal.add, told(self.journal.event("fs", caller, **about), refusal))
            raise
        except IdentifierTaken as taken:
            await self.db.write(journal.add, self.journal.event("fs", caller, reason=taken.code, **about))
            if options.hardened and not await self.db.read(_name_taken, connection.id, draft):
                await self.tell_owners(connection, client_id, draft.identifiers, caller)
                return look_alike(draft, connection.id, self.entropy.bytes(12).hex(), self.clock())
            raise InvalidSignup(detail=f"{taken.attribute} is taken").because(rule="signup_taken") from None
        methods = ["pwd"] if password else []
        event = self.journal.event("ss", caller, user_id=profile.user_id, authentication_methods=methods, **about)
        await self._welcome(connection, draft, profile, event)
        return profile

    def draft(
        self, connection: ConnectionRecord, body: Mapping[str, object], proved: Mapping[str, str] | None = None
    ) -> Draft:
        """Read a sign-up; ``proved`` are identifiers that were proved by a code.

        Raises ``SignupDisabled`` and what ``read_draft`` raises.
        """
        options = connection.policy()
        if options.disable_signup:
            raise SignupDisabled().because(connection_id=connection.id)
        return signups.read_draft(body, options, proved)

    async def available(self, connection: ConnectionRecord, draft: Draft, client_id: str, caller: Caller) -> None:
        """Charge a sign-up on our pages where it begins, and refuse early what would be refused in the end.

        Codes will be asked for: an identifier that its holder never proved may yet be this person's, as it is once they
        have proved it. In the hardened profile nothing is said of addresses. Raises ``InvalidSignup``,
        ``AddressBlocked``.
        """
        await self.protection.signing_up(caller, _about(connection, client_id))
        await self._available(connection, draft, proving=True)

    async def tell_owners(
        self, connection: ConnectionRecord, client_id: str, identifiers: tuple[Identifier, ...], caller: Caller
    ) -> None:
        """Tell whoever has an address that somebody tried to sign up with it; now and then.

        Whoever is not told, and nobody, are sent the same to nowhere.
        """
        for identifier in identifiers:
            if identifier.kind != "username":
                to = identifier.value if await self.may_tell(connection, identifier) else ""
                await self.db.write(self._tell_owner, connection.id, client_id, identifier, to, caller)

    async def may_tell(self, connection: ConnectionRecord, identifier: Identifier) -> bool:
        """Whether whoever has an address may be told once more; charged whether it is somebody's or not."""
        return await self.protection.allows(message_bucket(connection.id, identifier, "signup"))

    async def begin_passkey(self, connection: ConnectionRecord, draft: Draft, party: Party, caller: Caller) -> Options:
        """Return the options for an account's first passkey. The account exists nowhere but in the ceremony (PK-23).

        Raises ``BadRequest`` where passkeys are off, ``InvalidSignup`` where somebody has an identifier (PK-24),
        ``AddressBlocked``.
        """
        options = connection.policy()
        about = {"connection_id": connection.id, "client_id": party.client_id, "purpose": "register"}
        try:
            require_passkeys(options)
            if not party.transaction:  # our own pages count it where it begins, by ``available``
                await self.protection.signing_up(caller, _about(connection, party.client_id))
            await self._available(connection, draft, proving=False)
        except DomainError as refusal:
            await self.db.write(
                journal.add, told(self.journal.event("passkey_challenge_failed", caller, **about), refusal)
            )
            raise
        handle, policy = self.entropy.bytes(HANDLE_BYTES), policy_of(options)
        begun = await self.ceremonies.begin(
            "signup",
            party,
            policy,
            user_handle=base64url.encode(handle),
            draft=draft.model_dump(mode="json", exclude={"user_handle"}),
        )
        event = self.journal.event("passkey_challenge_started", caller, **about)
        await self.db.write(journal.add, event)
        by_kind = {each.kind: each.value for each in draft.identifiers}
        name = next(by_kind[kind] for kind in (*options.precedence, *KINDS) if kind in by_kind)
        public_key = self.webauthn.creation_options(
            begun.ceremony,
            rp_name=begun.rp_name,
            user_name=name,
            user_display_name=defaults(draft)["name"],
            policy=policy,
        )
        return Options(begun.auth_session, public_key)

    async def finish_passkey(
        self, connection: ConnectionRecord, ceremony: Ceremony, response: object, caller: Caller
    ) -> Admitted:
        """Verify the passkey of a ceremony that was claimed, and create the account with it, whole or not at all.

        Raises ``CeremonyRefused``, ``PasskeyNotAllowed``, ``InvalidSignup``, ``SignupDisabled``, ``PasskeyTaken``, and
        ``NotVerified`` where the account is there and waits for its owner to verify it. In the hardened profile a taken
        address ends like a ceremony that is late: ``CeremonyExpired``.
        """
        about = {"connection_id": connection.id, "client_id": ceremony.client_id}
        try:
            if connection.policy().disable_signup:
                raise SignupDisabled
            new = self.webauthn.verify_registration(ceremony, response)
            made = await self._made_elsewhere(connection, ceremony, new)
            outcome = await self.db.write(self._create_with_passkey, connection, ceremony, new, caller, made)
        except DomainError as refusal:
            await self.db.write(journal.add, told(self.journal.event("fs", caller, **about), refusal))
            whom = _whose(connection, _draft(ceremony))
            if not isinstance(refusal, IdentifierTaken):
                refusal.because(**whom)
                raise
            if connection.policy().hardened:
                await self.tell_owners(connection, ceremony.client_id, _draft(ceremony).identifiers, caller)
                raise CeremonyExpired(detail=refusal.detail).because(rule="signup_taken", **whom) from None
            raise InvalidSignup(detail=refusal.detail).because(rule="signup_taken", **whom) from None
        return unwrap(outcome)

    async def _made_elsewhere(
        self, connection: ConnectionRecord, ceremony: Ceremony, new: NewPasskey
    ) -> Profile | None:
        """Have somebody created by the customer's script, where people live there; our row is there then, too (PK-4).

        A passkey that the policy refuses creates nobody. Whoever is on the way from there to here is adopted first: the
        primary keys decide then.
        """
        store, draft, where = self.store_for(connection), _draft(ceremony), connection.policy().store
        if where == "migrating":
            for identifier in draft.identifiers:
                await store.find(identifier)
        if where != "scripted":
            return None
        await self.db.read(_judged, self.enrolment, ceremony, new)
        return await store.create(draft.model_copy(update={"client_id": ceremony.client_id}), None)

    async def _available(self, connection: ConnectionRecord, draft: Draft, *, proving: bool) -> None:
        options, store = connection.policy(), self.store_for(connection)
        provable = {*draft.proved, *(options.proved_at_signup() if proving else ())}
        for identifier in draft.identifiers:
            holder = await store.find(identifier)
            if holder and not _unsaid(options, holder, identifier, identifier.kind in provable):
                refusal = InvalidSignup(detail=f"{identifier.kind} is taken")
                raise refusal.because(rule="signup_taken", **_whose(connection, draft))

    async def _welcome(self, connection: ConnectionRecord, draft: Draft, profile: Profile, event: Event) -> None:
        """Greet whoever signed up."""
        hardened = connection.policy().hardened
        addresses = [each for each in draft.identifiers if hardened and each.kind != "username"]
        for identifier in addresses:  # what is asked of a taken one
            await self.may_tell(connection, identifier)
        if "email" in draft.shared and profile.email:
            # One address may have any number of accounts: they must not be a way to flood it.
            address = Identifier("email", profile.email)
            if not await self.protection.allows(message_bucket(connection.id, address, "verify")):
                await self.db.write(journal.add, event)
                return
        await self.db.write(self._greet, profile, event.client_id or "", event, hardened)

    def _greet(self, session: Session, profile: Profile, client_id: str, event: Event, hardened: bool = False) -> None:
        """Record a sign-up and ask whether the addresses are theirs (SU-7).

        In the hardened profile a number of which nobody asks costs a message all the same: a taken one does.
        """
        journal.add(session, event)
        for kind in PURPOSES:
            asked = kind == "email" or kind in profile.must_verify
            if not profile.value_of(kind) or profile.is_verified(kind):
                continue
            if asked:
                self.verification.request(session, profile, client_id, event.caller, kind)
            elif hardened:
                self.post.send(session, Message(channel=CHANNELS[kind], template="signup_attempt", to=""))

    def _tell_owner(
        self, session: Session, connection_id: str, client_id: str, identifier: Identifier, to: str, caller: Caller
    ) -> None:
        known = accounts.by_identifier(session, connection_id, identifier)
        about: dict[str, Any] = {
            "user_id": known.profile.user_id if known else None,
            "connection_id": connection_id,
            "client_id": client_id,
        }
        # What a sign-up does that makes an account, so that the clock does not tell which one it was.
        if identifier.kind == "email":
            self.verification.pretend(session, connection_id, client_id)
        attempt = Message(
            channel="email" if identifier.kind == "email" else "sms",
            template="signup_attempt",
            to=to if known else "",
            language=caller.language,
            **about,
        )
        self.post.send(session, attempt)
        if identifier.kind == "email":
            reason = "owner_told" if attempt.to else "untold"
            journal.add(session, self.journal.event("fs", caller, reason=reason, **about))

    def _create_with_passkey(
        self,
        session: Session,
        connection: ConnectionRecord,
        ceremony: Ceremony,
        new: NewPasskey,
        caller: Caller,
        made: Profile | None,
    ) -> Admitted | DomainError:
        draft = _draft(ceremony)
        # First, so that a passkey that is refused anyway tells nothing of who has an account.
        accepted = self.enrolment.judge(session, ceremony, new, passkeys=0)
        local_id = self.entropy.bytes(12).hex()
        profile = made or accounts.create(session, connection.id, draft, None, local_id=local_id, now=self.clock())
        self.enrolment.store(session, profile.user_id, ceremony, accepted, caller)
        about: dict[str, Any] = {
            "user_id": profile.user_id,
            "connection_id": connection.id,
            "client_id": ceremony.client_id,
        }
        success = self.journal.event("ss", caller, authentication_methods=["passkey"], **about)
        if profile.must_verify:
            self._greet(session, profile, ceremony.client_id, success)
            return NotVerified(_WAITS, detail=" ".join(profile.must_verify))
        failure = self.journal.event("fs", caller, **about)
        outcome = self.admission.enter(session, "phr", success, failure)
        if isinstance(outcome, DomainError):
            raise outcome  # nothing of an account may be left behind that cannot come in
        if profile.email and not profile.email_verified:
            self.verification.request(session, profile, ceremony.client_id, caller)
        return outcome


def _judged(session: Session, enrolment: PasskeyEnrolment, ceremony: Ceremony, new: NewPasskey) -> None:
    enrolment.judge(session, ceremony, new, passkeys=0)


def _about(connection: ConnectionRecord, client_id: str) -> dict[str, str | None]:
    return {"connection_id": connection.id, "client_id": client_id}


def _whose(connection: ConnectionRecord, draft: Draft) -> dict[str, str | None]:
    """Return whom a refusal of a sign-up is about."""
    return whose(next(iter(draft.identifiers), None), connection_id=connection.id)


def _draft(ceremony: Ceremony) -> Draft:
    return Draft.model_validate({**(ceremony.draft or {}), "user_handle": base64url.decode(ceremony.user_handle)})


def _name_taken(session: Session, connection_id: str, draft: Draft) -> bool:
    """Whether it is (also) a username that is taken: that has to be said, since another must be chosen."""
    names = (each for each in draft.identifiers if each.kind == "username")
    return any(accounts.claimed(session, connection_id, each) for each in names)


def _unsaid(options: ConnectionOptions, holder: Profile, identifier: Identifier, provable: bool) -> bool:
    """Whether a sign-up goes on although somebody has the identifier."""
    if identifier.kind == "username":
        return False
    return options.hardened or (provable and not holder.is_verified(identifier.kind))
