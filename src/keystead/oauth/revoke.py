"""``/oauth/revoke``: a client gives back a refresh token (RFC 7009)."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import consents, refresh_tokens, tenant
from keystead.db.session import Database
from keystead.flows.clients import FLAGS
from keystead.flows.revocation import Revocation
from keystead.oauth.client_auth import ClientAuth, ClientCredentials
from keystead.ports import Clock
from keystead.rules.events import Caller
from keystead.rules.revocation import Event, Subject


@dataclass(frozen=True)
class Revoke:
    """Ends the family of a token. What is unknown, ended or another client's is answered as if it had been good.

    With the tenant's flag ``revoke_refresh_token_grant`` the client gives back all that the person allowed it.
    """

    db: Database
    client_auth: ClientAuth
    revocation: Revocation
    clock: Clock

    async def __call__(self, credentials: ClientCredentials, token: str, caller: Caller) -> None:
        """End everything that came of the login that gave the token. Raises ``BadClient``."""
        client = await self.client_auth(credentials, caller)
        await self.db.write(self._end, token, client.client_id)

    def _end(self, session: Session, token: str, client_id: str) -> None:
        record = refresh_tokens.find(session, token, self.clock())
        if record is None or record.authority.client_id != client_id:
            return
        now, user_id = self.clock(), record.authority.user_id
        self.revocation.apply(session, Event.TOKEN_REVOKED, Subject(user_id, families=(record.family,)), now)
        if (tenant.get(session, FLAGS) or {}).get("revoke_refresh_token_grant"):
            consents.remove_of(session, user_id, client_id)
            self.revocation.apply(session, Event.CONSENT_REVOKED, Subject(user_id, client_id=client_id), now)
