"""Somebody who has an account adds a passkey to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from keystead.db import accounts, census, connections, journal, passkeys
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import PasskeyRecord, Registration
from keystead.db.session import Database
from keystead.errors import (
    CeremonyExpired,
    DomainError,
    NoSuchUser,
    PasskeyLimitReached,
    StepUpRequired,
)
from keystead.flows.authenticator_models import AuthenticatorModels
from keystead.flows.ceremonies import Ceremonies, Party
from keystead.flows.journal import Journal
from keystead.flows.passkey_login import Options, advice, refusal, require_passkeys
from keystead.flows.passkey_notices import PasskeyNotices
from keystead.ports import Clock, Entropy, WebAuthn
from keystead.rules import base64url
from keystead.rules.ceremonies import Ceremony, CeremonyKind, Mediation, NewPasskey
from keystead.rules.enrolment import snoozed
from keystead.rules.events import Caller
from keystead.rules.passkey_policy import (
    Context,
    Verdict,
    as_begun,
    evaluate,
    is_full,
    of_new,
    policy_of,
)
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.rules.profiles import Profile
from keystead.rules.ways_in import opens


@dataclass(frozen=True, slots=True)
class Proved:
    """Who wants a passkey, and when they last showed who they are."""

    user_id: str
    at: datetime
    session_id: str = ""
    """The session in which they did; empty for an app that has none."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A new passkey that may be stored, with its trust, and with what an advising policy has against it."""

    passkey: NewPasskey
    verdict: Verdict


@dataclass(frozen=True)
class PasskeyEnrolment:
    """A passkey is added to what an account has; nothing else about the account changes (PK-10)."""

    db: Database
    ceremonies: Ceremonies
    webauthn: WebAuthn
    models: AuthenticatorModels
    notices: PasskeyNotices
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def begin(
        self,
        connection: ConnectionRecord,
        user_id: str,
        party: Party,
        *,
        exclude: bool = True,
        mediation: Mediation = "",
    ) -> Options:
        """Return the options for one more passkey; ``exclude`` names those that the person has (PK-31).

        Not those that open nothing: the device that holds one must be able to make another. Raises ``BadRequest``,
        ``NoSuchUser`` and ``PasskeyLimitReached``.
        """
        require_passkeys(connection.policy())
        policy = policy_of(connection.policy())
        profile, owned, rp_id = await self.db.read(_owner, user_id, party, self.ceremonies)
        if is_full(policy, sum(each.rp_id == rp_id for each in owned)):
            raise PasskeyLimitReached
        known = [each for each in owned if exclude and opens(policy, each.credential, (rp_id,))]
        return await self.options("enrolment", connection, profile, party, exclude=known, mediation=mediation)

    async def options(
        self,
        kind: CeremonyKind,
        connection: ConnectionRecord,
        profile: Profile,
        party: Party,
        *,
        exclude: Sequence[PasskeyRecord] = (),
        mediation: Mediation = "",
    ) -> Options:
        """Return the options for a passkey of an account, whatever made sure whose it is. Raises ``BadRequest``."""
        options = connection.policy()
        require_passkeys(options)
        policy, handle = policy_of(options), base64url.encode(profile.user_handle)
        begun = await self.ceremonies.begin(
            kind, party, policy, mediation=mediation, user_id=profile.user_id, user_handle=handle
        )
        public_key = self.webauthn.creation_options(
            begun.ceremony,
            rp_name=begun.rp_name,
            user_name=profile.best_identifier(options.precedence),
            user_display_name=profile.display_name(options.precedence),
            policy=policy,
            # The browser looks among the passkeys of the ceremony's id alone: others would only be told to it.
            exclude=[(each.credential_id, each.transports) for each in exclude if each.rp_id == begun.ceremony.rp_id],
        )
        return Options(begun.auth_session, public_key)

    async def finish(self, ceremony: Ceremony, proved: Proved, response: object, caller: Caller) -> PasskeyRecord:
        """Store the passkey of a ceremony that was claimed, for whoever proved themselves.

        Raises ``CeremonyExpired`` where it was begun for another account, or whoever it is was signed out since they
        proved themselves; ``CeremonyRefused``, ``PasskeyNotAllowed``, ``PasskeyTaken``, ``PasskeyLimitReached``.
        """
        return await self.complete(ceremony, proved.user_id, response, caller, self._store_own, proved)

    async def complete(
        self,
        ceremony: Ceremony,
        user_id: str,
        response: object,
        caller: Caller,
        store: Callable[..., PasskeyRecord],
        *whose: Any,
    ) -> PasskeyRecord:
        """Verify the passkey of a ceremony that was claimed, and run the unit of work that stores it.

        ``store`` takes ``whose``, the ceremony, the new passkey and the caller: it is for whoever made sure whose it is
        to say on what conditions. A refusal is written down in any case. Raises what ``finish`` raises, and ``store``.
        """
        about = {"user_id": user_id, **_about(ceremony)}
        try:
            if ceremony.user_id != user_id:
                raise CeremonyExpired(detail="begun for another account")
            new = self.webauthn.verify_registration(ceremony, response)
            return await self.db.write(store, *whose, ceremony, new, caller)
        except DomainError as refusal:
            failure = self.journal.event("gd_webauthn_enrollment_failed", caller, reason=refusal.detail, **about)
            await self.db.write(journal.add, failure)
            raise

    async def snooze(self, user_id: str, policy: PasskeyPolicy, *, never: bool) -> None:
        """Stop offering a passkey for a while (PK-7), or for good where the policy allows it."""
        until = snoozed(policy, self.clock(), never=never)
        await self.db.write(accounts.change, user_id, {"passkey_prompt_snoozed_until": until})

    async def policy_for(self, user_id: str) -> PasskeyPolicy:
        """Return the policy that holds for somebody's passkeys."""
        return await self.db.read(_policy_for, user_id)

    def require_fresh(self, authenticated_at: datetime | None, within: timedelta) -> None:
        """Refuse a change whose login is too old, or that no login stands behind. Raises ``StepUpRequired``."""
        if authenticated_at is None or self.clock() - authenticated_at > within:
            raise StepUpRequired(int(within.total_seconds()))

    def _store_own(
        self, session: Session, proved: Proved, ceremony: Ceremony, new: NewPasskey, caller: Caller
    ) -> PasskeyRecord:
        """Store it while nobody can sign the account out, nor add another: they are counted under its lock."""
        owner = still_in(session, proved, ceremony.client_id)
        owned = passkeys.count_by_rp_id(session, proved.user_id).get(ceremony.rp_id, 0)
        accepted = self.judge(session, ceremony, new, passkeys=owned)
        stored = self.store(session, proved.user_id, ceremony, accepted, caller)
        self.notices.send(session, "passkey_added", owner, stored, caller)
        return stored

    def judge(self, session: Session, ceremony: Ceremony, new: NewPasskey, *, passkeys: int) -> Accepted:
        """Hold a verified passkey against the policy, for an account that has ``passkeys`` already.

        Raises ``BadRequest`` where passkeys were switched off since the options were handed out,
        ``PasskeyLimitReached`` and ``PasskeyNotAllowed``.
        """
        # A policy that is being saved has counted who has which passkeys: this one is of before, or judged by it.
        census.join(session)
        connection = connections.get(session, ceremony.connection_id)
        if connection is None:
            raise CeremonyExpired(detail="the connection is gone")
        require_passkeys(connection.policy())
        policy = as_begun(policy_of(connection.policy()), ceremony)
        new = self.models.judged(session, new)
        credential = of_new(new, ceremony.rp_id)
        rp_ids = self.ceremonies.relying_party(session).ids
        context = Context(registers=True, attachment=new.attachment, passkeys=passkeys, rp_ids=rp_ids)
        verdict = evaluate(policy, credential, context)
        if is_full(policy, passkeys):
            raise PasskeyLimitReached(detail=verdict.text)
        if verdict.refused:
            raise refusal(verdict)
        return Accepted(new, verdict)

    def store(
        self, session: Session, user_id: str, ceremony: Ceremony, accepted: Accepted, caller: Caller
    ) -> PasskeyRecord:
        """Store a passkey that was judged, and record it, as a part of a larger unit of work such as a sign-up.

        Raises ``PasskeyTaken``, ``CeremonyExpired``.
        """
        passkey_id = self.entropy.id("passkey|dev_")
        registration = Registration(passkey_id, ceremony.rp_id, caller.user_agent, self.clock())
        stored = passkeys.add(session, user_id, accepted.passkey, registration)
        if base64url.encode(stored.user_handle) != ceremony.user_handle:
            # The passkey would name an account that there is not: an imported one brought another handle meanwhile.
            raise CeremonyExpired(detail="the account has another user handle since")
        about = {"user_id": user_id, **_about(ceremony)}
        shown = {"type": "passkey", "id": stored.id}
        journal.add(session, self.journal.event("gd_enrollment_complete", caller, authenticator=shown, **about))
        if accepted.verdict.reasons:
            about |= {"purpose": "register", "passkey": stored.id}
            journal.add(session, advice(self.journal, accepted.verdict, caller, **about))
        return stored


def _about(ceremony: Ceremony) -> dict[str, Any]:
    """Return what the journal says of a registration; of one that nobody asked for, that too."""
    about = {"connection_id": ceremony.connection_id, "client_id": ceremony.client_id or None}
    return about | ({"automatic": True} if ceremony.mediation == "conditional" else {})


def _policy_for(session: Session, user_id: str) -> PasskeyPolicy:
    profile = accounts.by_id(session, user_id)
    connection = connections.get(session, profile.connection_id) if profile else None
    return policy_of(connection.policy()) if connection else PasskeyPolicy()


def _owner(
    session: Session, user_id: str, party: Party, ceremonies: Ceremonies
) -> tuple[Profile, list[PasskeyRecord], str]:
    """Return who enrols, what they have, and the relying party id that counts: of another they may have as many."""
    profile = accounts.by_id(session, user_id)
    if profile is None:
        raise NoSuchUser
    return profile, passkeys.of_account(session, user_id), party.id_at(ceremonies.relying_party(session))


def still_in(session: Session, proved: Proved, client_id: str) -> Profile:
    """Return the account of whoever proved themselves, locked. Raises ``CeremonyExpired`` where that is over.

    Nobody can be signed out from here to the end of the unit of work: a slow answer must not outlive a reset.
    """
    accounts.by_id(session, proved.user_id, lock=True)
    standing = accounts.standing(session, proved.user_id, client_id, proved.session_id)
    if standing is None or standing.signed_out_since(proved.at):
        raise CeremonyExpired(detail="signed out since the login")
    return standing.profile
