"""``refresh_token``: new tokens of an old login, as long as the account still may come in."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from keystead.db import consents, journal, refresh_tokens
from keystead.db.session import Database
from keystead.errors import AccountGone, AudienceNotAllowed, DomainError, InvalidGrant, InvalidScope, UserBlocked
from keystead.flows.accounts import Admission, Admitted
from keystead.flows.journal import Journal
from keystead.flows.revocation import Revocation
from keystead.oauth.exchanges import Exchanges
from keystead.oauth.issue import Issuer, Tokens, Wish
from keystead.oauth.token_endpoint import Asked, TokenRequest
from keystead.ports import Clock
from keystead.rules.authorization import covers, needs_consent
from keystead.rules.clients import REFRESH
from keystead.rules.events import Event
from keystead.rules.revocation import Event as Ending
from keystead.rules.revocation import Subject
from keystead.rules.tokens import RefreshRecord, refresh_expiry
from keystead.secrecy import Secret

_UNKNOWN = "Unknown or invalid refresh token."


@dataclass(frozen=True)
class RefreshGrant:
    """Rotating tokens are replaced at each use; a replaced one that comes back ends its family (RFC 9700 §4.14.2)."""

    db: Database
    admission: Admission
    issuer: Issuer
    revocation: Revocation
    journal: Journal
    clock: Clock
    exchanges: Exchanges

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return fresh tokens. Raises ``InvalidGrant``, ``InvalidScope``."""
        token = request.text("refresh_token")
        reuse = self.journal.event("ferrt", request.caller, client_id=asked.client.client_id)
        outcome = await self.db.write(self._use, token, asked, reuse)
        if isinstance(outcome, DomainError):
            raise outcome
        record, admitted, replacement, may = outcome
        who = record.authority
        scope = tuple(each for each in asked.scope or who.scope if each in may)
        # Only a rotating token is replaced; the other goes on as it is, so nothing may make a second one.
        kept = scope if replacement else tuple(each for each in scope if each != "offline_access")
        wish = Wish(kept, who.audience, session_id=who.session_id, refresh_token=replacement)
        return replace(await self.issuer.for_person(admitted, asked.client, wish), scope=scope)

    def _use(
        self, session: Session, token: str, asked: Asked, reuse: Event
    ) -> tuple[RefreshRecord, Admitted, Secret[str] | None, tuple[str, ...]] | DomainError:
        """Use the token and admit its owner anew; refusals are returned, so that what they end is committed.

        With it comes what the client may have today: an API, a grant or the person may allow less than before.
        """
        now, settings = self.clock(), asked.client.settings.refresh_token
        record = refresh_tokens.find(session, token, now)
        if record is None or record.authority.client_id != asked.client.client_id:
            return InvalidGrant(_UNKNOWN)
        if _spent(record, settings.leeway, now):
            self._end(session, Ending.TOKEN_REUSED, record)
            who = {"user_id": record.authority.user_id}
            journal.add(
                session, reuse.model_copy(update=who | {"details": {"session_id": record.authority.session_id}})
            )
            return InvalidGrant(_UNKNOWN, detail="reused").because(
                rule="token_reused", user_id=record.authority.user_id
            )
        admitted = self._admit(session, record, asked)
        if isinstance(admitted, DomainError):
            return admitted.because(user_id=record.authority.user_id)
        may = self._may(session, record, asked)
        if isinstance(may, DomainError):
            return may.because(
                user_id=record.authority.user_id
            )  # before the token is replaced: whoever may again tomorrow has it still
        about = {"user_id": record.authority.user_id, "connection_id": admitted.profile.connection_id}
        journal.add(session, self.exchanges.done(REFRESH, reuse.caller, asked.client.client_id, **about))
        if settings.rotation_type == "non-rotating":
            refresh_tokens.touch(
                session, record.id, refresh_expiry(settings, record.created_at, now)[0], now, reuse.caller
            )
            return record, admitted, None, may
        # The next token has the whole scope, however little was asked for this time (RFC 6749 §6).
        refresh_tokens.rotate(session, record.id, now)
        renewal = self.issuer.renewal(record.authority, asked.client, family=record.family, began=record.created_at)
        same = {"ip": record.ip, "user_agent": record.user_agent, "about": record.about, "exchanged_at": now}
        replace(renewal, record=renewal.record.model_copy(update=same)).store(session, reuse.caller)
        return record, admitted, renewal.token, may

    def _may(self, session: Session, record: RefreshRecord, asked: Asked) -> tuple[str, ...] | DomainError:
        """Return the scope that is left of what was granted, or why there is none."""
        who = record.authority
        try:
            left = self.issuer.audiences.permitted(session, asked.client, who.scope, who.audience, user_id=who.user_id)
        except AudienceNotAllowed as gone:
            return InvalidGrant(gone.text)
        if "offline_access" not in left.scope:
            return InvalidGrant(_UNKNOWN, detail="the API allows no offline access any more")
        if not needs_consent(asked.client.settings, asked_by_api=left.asks_consent):
            return left.scope
        if not covers(consents.granted(session, who.user_id, who.client_id, who.audience), left.scope):
            return InvalidGrant(_UNKNOWN, detail="without consent")
        return left.scope

    def _admit(self, session: Session, record: RefreshRecord, asked: Asked) -> Admitted | DomainError:
        """Admit the owner, or say why not; whoever is gone or blocked loses the family."""
        who = record.authority
        if not set(asked.scope) <= set(who.scope):
            return InvalidScope()
        try:
            whose = (who.user_id, who.client_id, who.method, who.authenticated_at, who.session_id)
            return self.admission.admit(session, *whose)
        except InvalidGrant as signed_out:
            self._end(session, Ending.TOKEN_REVOKED, record)
            return InvalidGrant(_UNKNOWN, detail=signed_out.detail)
        except (UserBlocked, AccountGone) as refusal:
            self._end(session, Ending.TOKEN_REVOKED, record)
            return InvalidGrant(refusal.text).because(rule=refusal.code)
        except DomainError as refusal:
            return refusal

    def _end(self, session: Session, event: Ending, record: RefreshRecord) -> None:
        whose = Subject(record.authority.user_id, families=(record.family,))
        self.revocation.apply(session, event, whose, self.clock())


def _spent(record: RefreshRecord, leeway: int, now: datetime) -> bool:
    """Whether a token was replaced, and longer ago than a client whose answer got lost is forgiven for.

    Without leeway any second use counts, also one that began before the first was over.
    """
    return record.rotated_at is not None and (leeway == 0 or now - record.rotated_at > timedelta(seconds=leeway))
