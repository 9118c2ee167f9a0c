"""``/oauth/par``: a client leaves its authorization request with us first, and sends the browser with a name for it.

So nobody between the client and us can read or change what it asks for (RFC 9126, TK-8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from keystead.db import pushed_requests
from keystead.db.session import Database
from keystead.errors import BadRequest, InvalidScope
from keystead.oauth.authorize import Authorize, ErrorForClient
from keystead.oauth.client_auth import ClientAuth, ClientCredentials
from keystead.ports import Clock, Entropy
from keystead.rules.authorization import PARAMETERS, REQUEST_URI
from keystead.rules.events import Caller

LIFETIME: Final = 90
"""Seconds that a pushed request waits for its browser (TK-8), unless the client has a ``par_request_expiry``."""

_LONGEST: Final = 8192
"""Characters of all parameters together: as much as a URL may bring. A public client is anybody, and it is stored."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a client is told: a name that works once, and for how many seconds."""

    request_uri: str
    expires_in: int


@dataclass(frozen=True)
class PushedRequests:
    """Takes authorization requests from authenticated clients."""

    db: Database
    client_auth: ClientAuth
    authorize: Authorize
    clock: Clock
    entropy: Entropy

    async def __call__(
        self, credentials: ClientCredentials, parameters: Mapping[str, object], caller: Caller
    ) -> Pushed:
        """Store a request. It is refused here as it would be in the browser, where the client could not see why.

        Raises ``BadClient``, ``BadRequest``, ``InvalidScope``.
        """
        client = await self.client_auth(credentials, caller)
        if "request_uri" in parameters:
            raise BadRequest("A pushed request cannot refer to another", path="request_uri")
        asked = _asked(parameters) | {"client_id": client.client_id}
        request = self.authorize.readable(asked, client)
        try:
            await self.authorize.checked(asked, request, client)
        except ErrorForClient as error:
            refusal = InvalidScope if error.problem.error == "invalid_scope" else BadRequest
            raise refusal(error.problem.description) from None
        uri = REQUEST_URI + self.entropy.token(32)
        lifetime = client.settings.par_request_expiry or LIFETIME
        expires_at = self.clock() + timedelta(seconds=lifetime)
        await self.db.write(pushed_requests.put, uri, client.client_id, asked, expires_at)
        return Pushed(uri, lifetime)


def _asked(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters of the request itself, as a browser would bring them. Raises ``BadRequest``."""
    found = {name: parameters[name] for name in PARAMETERS if parameters.get(name) is not None}
    for name, value in found.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise BadRequest(f"Parameter {name} must be a string", path=name)
    asked = {name: str(value) for name, value in found.items()}
    if sum(map(len, (*asked, *asked.values()))) > _LONGEST:
        raise BadRequest("The request is too long.")
    return asked
