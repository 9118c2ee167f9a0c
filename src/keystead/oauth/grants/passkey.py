"""``urn:okta:params:oauth:grant-type:webauthn``: the answer to a ceremony of ``/passkey/*`` (PK-20 to PK-26)."""

import json
from dataclasses import dataclass

from keystead.db import journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, CeremonyExpired, DomainError
from keystead.flows.accounts import Admitted
from keystead.flows.ceremonies import Ceremonies
from keystead.flows.directory import Directory
from keystead.flows.journal import Journal
from keystead.flows.passkey_login import PasskeyLogin
from keystead.flows.signup import Signup
from keystead.oauth.issue import Issuer, Tokens, Wish
from keystead.oauth.token_endpoint import Asked, TokenRequest
from keystead.rules.ceremonies import Ceremony
from keystead.rules.events import Caller


@dataclass(frozen=True)
class PasskeyGrant:
    """One grant for both ceremonies: what the ``auth_session`` was made for decides which."""

    directory: Directory
    ceremonies: Ceremonies
    login: PasskeyLogin
    signup: Signup
    issuer: Issuer
    journal: Journal
    db: Database

    async def __call__(self, request: TokenRequest, asked: Asked) -> Tokens:
        """Return the tokens of whoever answered the ceremony, or of the account that it created."""
        auth_session, response = request.text("auth_session"), _response(request.parameters.get("authn_response"))
        client_id = asked.client.client_id
        scope = await self.issuer.audiences.scope_for(asked.client, asked.scope, asked.audience)
        try:
            ceremony, connection = await self._claim(auth_session, request.optional("realm"), client_id)
        except DomainError as refusal:
            about = {"client_id": client_id, "description": refusal.text, "reason": refusal.detail}
            await self.db.write(journal.add, self.journal.event("f", request.caller, **about))
            raise
        admitted = await self._admitted(connection, ceremony, response, request.caller)
        wish = Wish(scope, asked.audience, caller=request.caller, is_login=True)
        return await self.issuer.for_person(admitted, asked.client, wish)

    async def _claim(self, auth_session: str, realm: str | None, client_id: str) -> tuple[Ceremony, ConnectionRecord]:
        ceremony = await self.ceremonies.claim(auth_session, ("login", "signup"), client_id=client_id)
        if realm is not None and (await self.directory.by_realm(realm, client_id)).id != ceremony.connection_id:
            raise CeremonyExpired(detail="begun for another realm")
        return ceremony, await self.directory.by_id(ceremony.connection_id, client_id)

    async def _admitted(
        self, connection: ConnectionRecord, ceremony: Ceremony, response: object, caller: Caller
    ) -> Admitted:
        if ceremony.kind == "signup":
            return await self.signup.finish_passkey(connection, ceremony, response, caller)
        return (await self.login.finish(ceremony, response, caller)).admitted


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
