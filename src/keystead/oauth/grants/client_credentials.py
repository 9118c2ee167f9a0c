"""``client_credentials``: a client in its own name, for an API that it holds a grant for."""

from dataclasses import dataclass

from keystead.db import journal
from keystead.errors import BadRequest
from keystead.oauth.exchanges import Exchanges
from keystead.oauth.issue import Issuer, Tokens
from keystead.oauth.token_endpoint import Asked, TokenRequest
from keystead.rules.clients import CLIENT_CREDENTIALS


@dataclass(frozen=True)
class ClientCredentialsGrant:
    """A client gets the scope that it was granted, or the part of it that it asks for; never more."""

    issuer: Issuer
    exchanges: Exchanges

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return a token for the client itself. Raises ``BadRequest``, ``AudienceNotAllowed``, ``InvalidScope``."""
        if not asked.audience:
            raise BadRequest("Missing required parameter: audience", path="audience")
        api, scope = await self.issuer.audiences.scope_of_client(asked.client, asked.scope, asked.audience)
        event = self.exchanges.done(CLIENT_CREDENTIALS, request.caller, asked.client.client_id)
        await self.exchanges.db.write(journal.add, event)
        return await self.issuer.for_client(asked.client, api, scope)
