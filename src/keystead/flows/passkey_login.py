"""Somebody logs in with a passkey."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import connections, journal, passkeys
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import Owned
from keystead.db.session import Database
from keystead.errors import (
    AccountGone,
    BadRequest,
    CeremonyExpired,
    CeremonyRefused,
    DomainError,
    NotVerified,
    PasskeyNotAllowed,
    UnknownCredential,
    WrongSignature,
)
from keystead.flows.accounts import Admission, Admitted, unwrap
from keystead.flows.ceremonies import Begun, Ceremonies, Party
from keystead.flows.journal import Journal
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.protection import Protection
from keystead.flows.refusals import concerning, told
from keystead.flows.verification import Verification
from keystead.ports import Telemetry, WebAuthn
from keystead.rules import base64url
from keystead.rules.ceremonies import Assertion, Ceremony
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller, Event
from keystead.rules.passkey_policy import Context, Counters, Verdict, as_begun, evaluate, of_known, policy_of
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.rules.telemetry import LOGIN, SILENCE


@dataclass(frozen=True, slots=True)
class Options:
    """What goes to whoever shows the dialog."""

    auth_session: str
    public_key: dict[str, object]


@dataclass(frozen=True, slots=True)
class PasskeyEntry:
    """Who logged in, and where the passkey lives that they used (``platform``, ``cross-platform`` or empty)."""

    admitted: Admitted
    attachment: str


@dataclass(frozen=True)
class PasskeyLogin:
    """Begin hands out a challenge to anybody; finish says who answered it."""

    db: Database
    admission: Admission
    protection: Protection
    elsewhere: PeopleElsewhere
    ceremonies: Ceremonies
    webauthn: WebAuthn
    verification: Verification
    journal: Journal
    telemetry: Telemetry = SILENCE

    async def begin(self, connection: ConnectionRecord, party: Party, caller: Caller) -> Options:
        """Return a challenge for any passkey of ours (PK-26). Raises ``BadRequest`` where passkeys are off."""
        about = {"connection_id": connection.id, "client_id": party.client_id}
        try:
            require_passkeys(connection.policy())
        except BadRequest as refusal:
            failure = self.journal.event("passkey_challenge_failed", caller, purpose="login", **about)
            await self.db.write(journal.add, failure.model_copy(update={"description": refusal.text}))
            raise
        policy = policy_of(connection.policy())
        begun: Begun = await self.ceremonies.begin("login", party, policy)
        event = self.journal.event("passkey_challenge_started", caller, purpose="login", **about)
        if not party.transaction:  # our own pages ask for one on every view; a client asks when somebody logs in
            await self.db.write(journal.add, event)
        return Options(begun.auth_session, self.webauthn.request_options(begun.ceremony, policy=policy))

    async def finish(self, ceremony: Ceremony, response: object, caller: Caller) -> PasskeyEntry:
        """Return who answered a ceremony that was claimed.

        Raises ``UnknownCredential``, ``CeremonyExpired``, ``CeremonyRefused``, ``PasskeyNotAllowed``, and what
        ``admit`` raises; ``TooManyAttempts`` and ``AddressBlocked`` in place of what was wrong, where that came too
        often; ``AccountGone`` for somebody whom the customer's database does not have any more, and ``ScriptFailed``
        where that cannot be found out. Checks come first, all of them; then one transaction holds every effect
        (WebAuthn Level 3 §7.2 step 24).
        """
        with self.telemetry.timed(LOGIN, "passkey"):
            return await self._finish(ceremony, response, caller)

    async def _finish(self, ceremony: Ceremony, response: object, caller: Caller) -> PasskeyEntry:
        about: dict[str, str | None] = {"connection_id": ceremony.connection_id, "client_id": ceremony.client_id}
        try:
            answer = self.webauthn.parse_assertion(response)
            wrong, passkey = (UnknownCredential, WrongSignature), answer.credential_id
            async with self.protection.showing(caller, about, wrong=wrong, passkey=passkey):
                owned, connection = await self.db.read(_look, ceremony.connection_id, answer.credential_id)
                if owned is None:
                    raise _unknown(answer.credential_id, ceremony.rp_id)
                if owned.connection_id != ceremony.connection_id:
                    raise CeremonyRefused(detail="§7.2 step 6: the owner is in another connection")
                with concerning(user_id=owned.user_id):
                    assertion = self.webauthn.verify_assertion(ceremony, answer, owned.key)
                    # After the signature: nobody but the owner of a passkey has a script run by it.
                    if not await self.elsewhere.has(connection, owned.user_id):
                        raise AccountGone(detail="gone from the customer's database")
        except DomainError as refusal:
            refusal.because(**about)
            await self.db.write(journal.add, told(self.journal.event("f", caller, **about), refusal))
            raise
        settled = as_begun(policy_of(connection.policy()), ceremony)
        shown = _Shown(ceremony.client_id, ceremony.rp_id, answer.credential_id, assertion, settled)
        outcome = await self.db.write(self._enter, shown, caller, about)
        with concerning(None, **about | {"user_id": owned.user_id}):
            if isinstance(outcome, NotVerified):
                await self.verification.remind(owned.user_id, ceremony.client_id, caller)
                refused = CeremonyRefused(detail="an identifier must be verified first")
                raise refused.because(rule=NotVerified.code)
            return PasskeyEntry(unwrap(outcome), assertion.attachment)

    def _enter(
        self, session: Session, shown: "_Shown", caller: Caller, about: dict[str, Any]
    ) -> Admitted | DomainError:
        """Judge the passkey by the row as it is now, admit, and store what the assertion changed.

        The row is read again, and locked, because another assertion of the same passkey may be stored meanwhile.
        """
        owned = passkeys.owned(session, shown.credential_id, lock=True)
        if owned is None:
            return CeremonyRefused(detail="the passkey was removed meanwhile")
        about = about | {"user_id": owned.user_id}
        credential = of_known(owned.key, user_verified=shown.assertion.user_verified)
        counters = Counters(owned.key.sign_count, shown.assertion.sign_count)
        in_use = shown.rp_id in self.ceremonies.relying_party(session).ids
        context = Context(registers=False, counters=counters, rp_ids=(shown.rp_id,) if in_use else ())
        verdict = evaluate(shown.policy, credential, context)
        failure = self.journal.event("f", caller, **about)
        if verdict.refused:
            details: dict[str, Any] = {"reason": verdict.text, "policy": reasons(verdict)}
            if verdict.suspicious_counter:
                details["counter"] = asdict(counters)
            journal.add(session, failure.model_copy(update={"details": details}))
            return refusal(verdict)
        prompts = [{"name": "login", "performed_amr": ["phr"]}]
        success = self.journal.event("s", caller, prompts=prompts, **about)
        if verdict.suspicious_counter:
            success = success.model_copy(update={"details": success.details | {"counter_went_back": asdict(counters)}})
        outcome = self.admission.enter(session, "phr", success, failure)
        if isinstance(outcome, Admitted):
            passkeys.used(session, owned.id, shown.assertion, success.date)
            if verdict.reasons:
                journal.add(session, advice(self.journal, verdict, caller, purpose="login", passkey=owned.id, **about))
        return outcome


@dataclass(frozen=True, slots=True)
class _Shown:
    """A passkey whose signature is right, and what it is judged by."""

    client_id: str
    rp_id: str
    credential_id: bytes
    assertion: Assertion
    policy: PasskeyPolicy


def _unknown(credential_id: bytes, rp_id: str) -> UnknownCredential:
    return UnknownCredential(base64url.encode(credential_id), rp_id, detail="§7.2 step 6: nobody owns the credential")


def refusal(verdict: Verdict) -> CeremonyRefused:
    """Return what is said of a refused passkey; whoever may hold a copy of one is not told that it was noticed."""
    noticed = any(each.field == "counter" for each in verdict.reasons)
    refused = CeremonyRefused(detail=verdict.text) if noticed else PasskeyNotAllowed(detail=verdict.text)
    return refused.because(rule="passkey_policy", reasons=[f"{each.field}: {each.why}" for each in verdict.reasons])


def reasons(verdict: Verdict) -> list[dict[str, str]]:
    """Return the reasons as the journal keeps them."""
    return [{"field": each.field, "why": each.why} for each in verdict.reasons]


def advice(made_by: Journal, verdict: Verdict, caller: Caller, *, passkey: str, **about: Any) -> Event:
    """Return the entry that says who would have been turned away if the policy were enforced, and why."""
    authenticator = {"type": "passkey", "id": passkey}
    return made_by.event("passkey_policy_advice", caller, authenticator=authenticator, policy=reasons(verdict), **about)


def _look(session: Session, connection_id: str, credential_id: bytes) -> tuple[Owned | None, ConnectionRecord]:
    """Return whose passkey it is, in whichever connection, and the connection as it is today.

    Raises ``BadRequest`` where passkeys were switched off, and ``CeremonyExpired`` where the connection is gone.
    """
    connection = connections.get(session, connection_id)
    if connection is None:
        raise CeremonyExpired(detail="the connection is gone")
    require_passkeys(connection.policy())
    return passkeys.owned(session, credential_id), connection


def require_passkeys(options: ConnectionOptions) -> None:
    """Refuse what needs passkeys where the connection has them switched off. Raises ``BadRequest``."""
    if not options.methods.passkey.enabled:
        raise BadRequest("Passkeys are not enabled for the connection.")
