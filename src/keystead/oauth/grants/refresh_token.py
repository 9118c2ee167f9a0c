"""``refresh_token``: new tokens of an old login, as long as the account still may come in."""

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlmodel import Session

from keystead.db import journal, refresh_tokens
from keystead.db.clients import ClientRecord
from keystead.db.session import Database
from keystead.errors import AccountGone, DomainError, InvalidGrant, InvalidScope, UserBlocked
from keystead.flows.accounts import Admitted, admit
from keystead.flows.journal import Journal
from keystead.oauth.issue import Issuer, Tokens, Wish
from keystead.oauth.token_endpoint import Asked, TokenRequest
from keystead.ports import Clock
from keystead.rules.events import Event
from keystead.rules.tokens import RefreshRecord, refresh_expiry

_UNKNOWN = "Unknown or invalid refresh token."


@dataclass(frozen=True)
class RefreshGrant:
    """Rotating tokens are replaced at each use; a replaced one that comes back ends its family (RFC 9700 §4.14.2)."""

    db: Database
    issuer: Issuer
    journal: Journal
    clock: Clock

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return fresh tokens. Raises ``InvalidGrant``, ``InvalidScope``."""
        token = request.text("refresh_token")
        reuse = self.journal.event("ferrt", request.caller, client_id=asked.client.client_id)
        outcome = await self.db.write(self._use, token, asked.client, reuse)
        if isinstance(outcome, DomainError):
            raise outcome
        record, admitted = outcome
        scope = asked.scope or record.authority.scope
        if not set(scope) <= set(record.authority.scope):
            raise InvalidScope
        wish = Wish(
            scope,
            record.authority.audience,
            session_id=record.authority.session_id,
            family=record.family,
            began=record.created_at,
        )
        if asked.client.settings.refresh_token.rotation_type == "rotating":
            return await self.issuer.for_person(admitted, asked.client, wish)
        kept = tuple(each for each in scope if each != "offline_access")
        tokens = await self.issuer.for_person(admitted, asked.client, replace(wish, scope=kept))
        return replace(tokens, scope=scope)

    def _use(
        self, session: Session, token: str, client: ClientRecord, reuse: Event
    ) -> tuple[RefreshRecord, Admitted] | DomainError:
        """Claim the token and admit its owner anew; refusals are returned, so that what they end is committed."""
        now, settings = self.clock(), client.settings.refresh_token
        record = refresh_tokens.find(session, token, now)
        if record is None or record.authority.client_id != client.client_id:
            return InvalidGrant(_UNKNOWN)
        if settings.rotation_type == "rotating":
            late = record.rotated_at is not None and now - record.rotated_at > timedelta(seconds=settings.leeway)
            if late or (record.rotated_at is None and not refresh_tokens.rotate(session, record.id, now)):
                refresh_tokens.end_family(session, record.family)
                journal.add(session, reuse.model_copy(update={"user_id": record.authority.user_id}))
                return InvalidGrant(_UNKNOWN, detail="reused")
        else:
            refresh_tokens.touch(session, record.id, refresh_expiry(settings, record.created_at, now)[0])
        try:
            who = record.authority
            return record, admit(session, who.user_id, who.client_id, who.method, who.authenticated_at)
        except (UserBlocked, AccountGone) as refusal:
            refresh_tokens.end_family(session, record.family)
            return InvalidGrant(refusal.text)
        except DomainError as refusal:
            return refusal
