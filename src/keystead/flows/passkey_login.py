"""Somebody logs in with a passkey."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import connections, journal, passkeys
from keystead.db.connections import ConnectionRecord
from keystead.db.passkeys import Owned
from keystead.db.session import Database
from keystead.errors import BadRequest, CeremonyRefused, DomainError, NotVerified, UnknownCredential
from keystead.flows.accounts import Admitted, enter, unwrap
from keystead.flows.ceremonies import Begun, Ceremonies, Party
from keystead.flows.journal import Journal
from keystead.flows.verification import Verification
from keystead.ports import WebAuthn
from keystead.rules import base64url
from keystead.rules.ceremonies import Assertion, AssertionResponse, Ceremony
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller
from keystead.rules.passkey_policy import TIMEOUT_MS, judge_counter, user_verification


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
    ceremonies: Ceremonies
    webauthn: WebAuthn
    verification: Verification
    journal: Journal

    async def begin(self, connection: ConnectionRecord, party: Party, caller: Caller) -> Options:
        """Return a challenge for any passkey of ours (PK-26). Raises ``BadRequest`` where passkeys are off."""
        about = {"connection_id": connection.id, "client_id": party.client_id}
        try:
            require_passkeys(connection.policy())
        except BadRequest as refusal:
            failure = self.journal.event("passkey_challenge_failed", caller, purpose="login", **about)
            await self.db.write(journal.add, failure.model_copy(update={"description": refusal.text}))
            raise
        asked = user_verification(connection.policy())
        begun: Begun = await self.ceremonies.begin("login", party, user_verification=asked)
        event = self.journal.event("passkey_challenge_started", caller, purpose="login", **about)
        if not party.transaction:  # our own pages ask for one on every view; a client asks when somebody logs in
            await self.db.write(journal.add, event)
        return Options(begun.auth_session, self.webauthn.request_options(begun.ceremony, timeout_ms=TIMEOUT_MS))

    async def finish(self, ceremony: Ceremony, response: object, caller: Caller) -> PasskeyEntry:
        """Return who answered a ceremony that was claimed.

        Raises ``UnknownCredential``, ``CeremonyRefused``, and what ``admit`` raises. Checks come first, all of them;
        then one transaction holds every effect (WebAuthn Level 3 §7.2 step 24).
        """
        about = {"connection_id": ceremony.connection_id, "client_id": ceremony.client_id}
        try:
            answer = self.webauthn.parse_assertion(response)
            owned = await self.db.read(_look, ceremony.connection_id, answer.credential_id)
            if owned is None:
                raise UnknownCredential(
                    base64url.encode(answer.credential_id), detail="§7.2 step 6: nobody owns the credential"
                )
            if owned.connection_id != ceremony.connection_id:
                raise CeremonyRefused(detail="§7.2 step 6: the owner is in another connection")
            assertion = self.webauthn.verify_assertion(ceremony, answer, owned.key)
        except DomainError as refusal:
            failure = self.journal.event("f", caller, description=refusal.text, reason=refusal.detail, **about)
            await self.db.write(journal.add, failure)
            raise
        outcome = await self.db.write(self._enter, ceremony, answer, assertion, caller, about)
        if isinstance(outcome, NotVerified):
            await self.verification.remind(owned.user_id, ceremony.client_id, caller)
            raise CeremonyRefused(detail="an identifier must be verified first")
        return PasskeyEntry(unwrap(outcome), assertion.attachment)

    def _enter(
        self,
        session: Session,
        ceremony: Ceremony,
        answer: AssertionResponse,
        assertion: Assertion,
        caller: Caller,
        about: dict[str, Any],
    ) -> Admitted | DomainError:
        """Judge the counter against the row as it is now, admit, and store what the assertion changed.

        The row is read again, and locked, because another assertion of the same passkey may be stored meanwhile.
        """
        owned = passkeys.owned(session, answer.credential_id, lock=True)
        if owned is None:
            return CeremonyRefused(detail="the passkey was removed meanwhile")
        key = owned.key
        verdict = judge_counter(key.sign_count, assertion.sign_count, backup_eligible=key.backup_eligible)
        counter = {"stored": key.sign_count, "reported": assertion.sign_count}
        failure = self.journal.event("f", caller, user_id=owned.user_id, **about)
        if verdict == "refuse":
            detail = "§7.2 step 22: the counter went back"
            journal.add(session, failure.model_copy(update={"details": {"reason": detail, "counter": counter}}))
            return CeremonyRefused(detail=detail)
        prompts = [{"name": "login", "performed_amr": ["phr"]}]
        success = self.journal.event("s", caller, user_id=owned.user_id, prompts=prompts, **about)
        if verdict == "warn":
            success = success.model_copy(update={"details": success.details | {"counter_went_back": counter}})
        outcome = enter(session, owned.user_id, ceremony.client_id, "phr", success, failure)
        if isinstance(outcome, Admitted):
            passkeys.used(session, owned.id, assertion, success.date)
        return outcome


def _look(session: Session, connection_id: str, credential_id: bytes) -> Owned | None:
    """Return whose passkey it is. Raises ``BadRequest`` where passkeys were switched off since the challenge."""
    connection = connections.get(session, connection_id)
    if connection is not None:
        require_passkeys(connection.policy())
    return passkeys.owned(session, credential_id)


def require_passkeys(options: ConnectionOptions) -> None:
    """Refuse what needs passkeys where the connection has them switched off. Raises ``BadRequest``."""
    if not options.methods.passkey.enabled:
        raise BadRequest("Passkeys are not enabled for the connection.")
