"""``client_credentials``: a client in its own name, for an API that it holds a grant for."""

from dataclasses import dataclass

from keystead.db import clients
from keystead.db.session import Database
from keystead.errors import AudienceNotAllowed, BadRequest, InvalidScope
from keystead.oauth.issue import Issuer, Tokens
from keystead.oauth.token_endpoint import Asked, TokenRequest


@dataclass(frozen=True)
class ClientCredentialsGrant:
    """A client gets the scope that it was granted, or the part of it that it asks for; never more."""

    db: Database
    issuer: Issuer

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return a token for the client itself. Raises ``BadRequest``, ``AudienceNotAllowed``, ``InvalidScope``."""
        if not asked.audience:
            raise BadRequest("Missing required parameter: audience", path="audience")
        api = await self.issuer.api(asked.audience)
        scope = await self.db.read(clients.granted, asked.client.client_id, api.id) if api else None
        if api is None or scope is None:
            raise AudienceNotAllowed(f'Client is not authorized to access "{asked.audience}".')
        if not set(asked.scope) <= set(scope):
            raise InvalidScope
        return await self.issuer.for_client(asked.client, api, asked.scope or scope)
