"""``authorization_code``: what the hosted login ended with, for whoever began it."""

import hmac
from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import codes, journal
from keystead.db.codes import Replayed
from keystead.db.session import Database
from keystead.errors import DomainError, InvalidGrant
from keystead.flows.accounts import Admission, Admitted
from keystead.flows.revocation import Revocation
from keystead.oauth.exchanges import Exchanges
from keystead.oauth.issue import Issuer, Tokens, Wish
from keystead.oauth.token_endpoint import Asked, TokenRequest
from keystead.ports import Clock
from keystead.rules.clients import CODE
from keystead.rules.oauth import verifier_fits
from keystead.rules.revocation import Event, Subject
from keystead.rules.tokens import CodeRecord
from keystead.secrecy import Secret, fingerprint


@dataclass(frozen=True)
class CodeGrant:
    """A code is bound to its client, its redirect URI and its PKCE challenge, and works once."""

    db: Database
    admission: Admission
    issuer: Issuer
    revocation: Revocation
    clock: Clock
    exchanges: Exchanges

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Exchange a code. Raises ``InvalidGrant``, and what ``admit`` raises: things may have changed meanwhile."""
        outcome = await self.db.write(self._use, request, asked)
        if isinstance(outcome, DomainError):
            raise outcome
        found, admitted, refresh_token = outcome
        who = found.authority
        wish = Wish(who.scope, who.audience, found.nonce, who.session_id, request.caller, refresh_token)
        return await self.issuer.for_person(admitted, asked.client, wish)

    def _use(
        self, session: Session, request: TokenRequest, asked: Asked
    ) -> tuple[CodeRecord, Admitted, Secret[str] | None] | DomainError:
        """Claim the code; a second use ends what the first one gave (RFC 9700 §4.5.3).

        Refusals are returned, so that the code is spent and nobody can try again.
        """
        code = request.text("code")
        found = codes.use(session, code, self.clock())
        if isinstance(found, Replayed):
            return self._replayed(session, found, request, asked)
        if found is None:
            return InvalidGrant(detail="unknown or late")
        try:
            _check(found, request, asked)
            who = found.authority
            whose = (who.user_id, who.client_id, who.method, who.authenticated_at, who.session_id)
            admitted = self.admission.admit(session, *whose)
            left = self.issuer.audiences.permitted(session, asked.client, who.scope, who.audience, user_id=who.user_id)
        except DomainError as refusal:
            return refusal.because(user_id=found.authority.user_id)
        about = {"user_id": who.user_id, "connection_id": admitted.profile.connection_id}
        journal.add(session, self.exchanges.done(CODE, request.caller, asked.client.client_id, **about))
        who = who.model_copy(update={"scope": left.scope})
        found = found.model_copy(update={"authority": who})
        if "offline_access" not in who.scope:
            return found, admitted, None
        renewal = self.issuer.renewal(who, asked.client, family=fingerprint(code))
        renewal.store(session, request.caller)
        return found, admitted, renewal.token

    def _replayed(self, session: Session, found: Replayed, request: TokenRequest, asked: Asked) -> DomainError:
        """End what the first use gave, if whoever comes now could have been the first.

        Used codes lie in histories and logs. Without the client's proof and the verifier they must sign nobody out.
        """
        try:
            _check(found.record, request, asked)
        except InvalidGrant:
            return InvalidGrant(detail="used before, by another").because(user_id=found.record.authority.user_id)
        whose = Subject(found.record.authority.user_id, families=(found.family,))
        self.revocation.apply(session, Event.CODE_REPLAYED, whose, self.clock())
        return InvalidGrant(detail="used before").because(rule="code_reused", user_id=whose.user_id)


def _check(found: CodeRecord, request: TokenRequest, asked: Asked) -> None:
    """Hold the exchange against what the code is bound to. Raises ``InvalidGrant``."""
    if found.authority.client_id != asked.client.client_id:
        raise InvalidGrant(detail="another client's code")
    redirect_uri = request.optional("redirect_uri")
    if redirect_uri is None and not found.code_challenge:
        raise InvalidGrant("The redirect URI of the authorization request is missing.")
    if redirect_uri is not None and not hmac.compare_digest(redirect_uri.encode(), found.redirect_uri.encode()):
        raise InvalidGrant("The redirect URI is not the one of the authorization request.")
    _check_verifier(found.code_challenge, request.optional("code_verifier"))


def _check_verifier(challenge: str, verifier: str | None) -> None:
    """Hold a PKCE verifier against its challenge (RFC 7636 §4.6). Raises ``InvalidGrant``."""
    if not challenge and verifier is None:
        return
    # A verifier without a challenge is refused too: it is what is left when somebody strips PKCE (RFC 9700 §4.8.2).
    if not challenge or verifier is None or not verifier_fits(verifier, challenge):
        raise InvalidGrant("Failed to verify code verifier")
