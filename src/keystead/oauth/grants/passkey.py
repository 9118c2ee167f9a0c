"""``urn:okta:params:oauth:grant-type:webauthn``: the answer to a ceremony of ``/passkey/*`` (PK-20 to PK-26)."""

import json
from dataclasses import dataclass

from keystead.errors import BadRequest, CeremonyExpired
from keystead.flows.accounts import Admitted
from keystead.flows.ceremonies import Ceremonies
from keystead.flows.directory import Directory
from keystead.flows.passkey_login import PasskeyLogin
from keystead.flows.signup import Signup
from keystead.oauth.issue import Issuer, Tokens, Wish
from keystead.oauth.token_endpoint import Asked, TokenRequest
from keystead.rules.ceremonies import Ceremony


@dataclass(frozen=True)
class PasskeyGrant:
    """One grant for both ceremonies: what the ``auth_session`` was made for decides which."""

    directory: Directory
    ceremonies: Ceremonies
    login: PasskeyLogin
    signup: Signup
    issuer: Issuer

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return the tokens of whoever answered the ceremony, or of the account that it created."""
        auth_session, response = request.text("auth_session"), _response(request.parameters.get("authn_response"))
        client_id = asked.client.client_id
        scope = await self.issuer.scope_for(asked.scope, asked.audience, default_all=True)
        ceremony = await self.ceremonies.claim(auth_session, ("login", "signup"), client_id=client_id)
        realm = request.optional("realm")
        if realm is not None and (await self.directory.by_realm(realm, client_id)).id != ceremony.connection_id:
            raise CeremonyExpired(detail="begun for another realm")
        admitted = await self._admitted(ceremony, response, request)
        return await self.issuer.for_person(admitted, asked.client, Wish(scope, asked.audience))

    async def _admitted(self, ceremony: Ceremony, response: object, request: TokenRequest) -> Admitted:
        connection = await self.directory.by_id(ceremony.connection_id, ceremony.client_id)
        if ceremony.kind == "signup":
            return await self.signup.finish_passkey(connection, ceremony, response, request.caller)
        return (await self.login.finish(ceremony, response, request.caller)).admitted


def _response(given: object) -> object:
    """Return the authenticator's answer: an object, or its JSON, as forms carry it. Raises ``BadRequest``."""
    if given is None or given == "":
        raise BadRequest("Missing required parameter: authn_response", path="authn_response")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise BadRequest("authn_response must be an object or its JSON", path="authn_response") from None
    if not isinstance(given, dict):
        raise BadRequest("authn_response must be an object or its JSON", path="authn_response")
    return given
