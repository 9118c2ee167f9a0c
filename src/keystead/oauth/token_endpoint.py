"""The phases that every grant shares, each once, so that no grant can forget one.

1. Is the grant known?  2. Is the client authentic, and may it use the grant?  3. Which scope and audience?
4. Which connection?  What is left is the grant's own: who proves what.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from keystead.db.clients import ClientRecord
from keystead.errors import BadRequest, DomainError, GrantNotAllowed, UnsupportedGrant
from keystead.flows.refusals import concerning
from keystead.oauth.client_auth import ClientAuth, ClientCredentials, asked_for
from keystead.oauth.exchanges import Exchanges
from keystead.oauth.issue import Tokens
from keystead.rules.clients import CLIENT_CREDENTIALS, CODE, REFRESH
from keystead.rules.events import Caller
from keystead.rules.oauth import scopes
from keystead.secrecy import Secret

_WITHOUT_SECRETS_OF_PEOPLE: Final = (CODE, REFRESH, CLIENT_CREDENTIALS)
"""The grants of third-party clients: in all others a person shows it a password, and nobody asks for consent."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to ``/oauth/token``: read once, secrets wrapped, and ``null`` or empty the same as absent."""

    credentials: ClientCredentials
    grant_type: str
    parameters: Mapping[str, object]
    caller: Caller

    def text(self, name: str) -> str:
        """Return a parameter that must be there. Raises ``BadRequest``."""
        found = self.optional(name)
        if found is None:
            raise BadRequest(f"Missing required parameter: {name}", path=name)
        return found

    def optional(self, name: str) -> str | None:
        """Return a parameter, or ``None`` where it is absent. Raises ``BadRequest`` where it is no text."""
        found = self.parameters.get(name)
        if found is None or found == "":
            return None
        if not isinstance(found, str):
            raise BadRequest(f"Parameter {name} must be a string", path=name)
        return found

    def secret(self, name: str) -> Secret[str]:
        """Return a secret parameter that must be there; an empty password is a wrong one. Raises ``BadRequest``."""
        found = self.parameters.get(name)
        if isinstance(found, Secret):
            return Secret(str(found.reveal()))
        raise BadRequest(f"Missing required parameter: {name}", path=name)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the shared phases found."""

    client: ClientRecord
    scope: tuple[str, ...]
    audience: str


class Grant(Protocol):
    """One way to get tokens."""

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return the tokens, or raise."""
        ...


@dataclass(frozen=True)
class TokenEndpoint:
    """``/oauth/token``: a table of grants behind the shared phases."""

    client_auth: ClientAuth
    grants: Mapping[str, Grant]
    exchanges: Exchanges

    async def __call__(self, request: TokenRequest) -> Tokens:
        """Answer a token request. Raises what the phases and the grant raise."""
        grant = self.grants.get(request.grant_type)
        if grant is None:
            raise UnsupportedGrant(request.grant_type[:100])
        client = await self.client_auth(request.credentials, request.caller)
        request = replace(request, caller=asked_for(client, request.credentials, request.caller))
        with concerning(client_id=client.client_id):
            try:
                return await self._granted(grant, request, client)
            except DomainError as refusal:
                await self.exchanges.failed(request.grant_type, request.caller, client.client_id, refusal)
                raise

    async def _granted(self, grant: Grant, request: TokenRequest, client: ClientRecord) -> Tokens:
        third_party = not client.settings.is_first_party
        if request.grant_type not in client.settings.grant_types:
            raise GrantNotAllowed(request.grant_type)
        if third_party and request.grant_type not in _WITHOUT_SECRETS_OF_PEOPLE:
            raise GrantNotAllowed(request.grant_type, detail="third party")
        scope = scopes(request.optional("scope") or "")
        if scope is None:
            raise BadRequest("Malformed scope", path="scope")
        return await grant(request, Asked(client, scope, request.optional("audience") or ""))
