"""``password`` and ``password-realm``: an identifier and its password (auth0-behaviour 2.4, LG-1 to LG-3)."""

from dataclasses import dataclass

from keystead.errors import GrantNotAllowed
from keystead.flows.directory import Directory
from keystead.flows.password_login import PasswordLogin
from keystead.oauth.issue import Issuer, Tokens, Wish
from keystead.oauth.token_endpoint import Asked, TokenRequest


@dataclass(frozen=True)
class PasswordGrant:
    """Both grants: ``password`` goes to the default directory, but names a realm in some SDKs (client-demands)."""

    directory: Directory
    login: PasswordLogin
    issuer: Issuer
    realm_required: bool = False

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return the tokens of whoever knows the password."""
        username, password = request.text("username"), request.secret("password")
        realm = request.text("realm") if self.realm_required else request.optional("realm")
        scope = await self.issuer.audiences.scope_for(asked.client, asked.scope, asked.audience)
        connection = await self.directory.by_realm(realm, asked.client.client_id)
        if connection.policy().hardened:
            raise GrantNotAllowed(request.grant_type, by="connection")
        admitted = await self.login(connection, asked.client.client_id, username, password, request.caller)
        wish = Wish(scope, asked.audience, caller=request.caller, is_login=True)
        return await self.issuer.for_person(admitted, asked.client, wish)
