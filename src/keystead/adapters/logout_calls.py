"""Calls to clients whose sessions have ended (OpenID Connect Back-Channel Logout 1.0 §2.5)."""

from dataclasses import dataclass
from typing import Final

import httpx2

from keystead.adapters.mail import system_trust
from keystead.errors import DeliveryFailed
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 10.0
"""How long each step of a call may take."""

_TAKEN: Final = (200, 204)
_REFUSED: Final = 400


@dataclass(frozen=True)
class HttpLogoutCaller:
    """Posts logout tokens to the addresses that administrators registered: over TLS, or on this machine."""

    async def call(self, url: str, token: Secret[str]) -> None:
        """Post one token. Raises ``DeliveryFailed``: for good, where the client says 400 (§2.8).

        No redirect is followed, or a client could send us to a machine that only we can reach (SSRF); and nothing of
        the answer is read but its status.
        """
        trust = system_trust() if url.lower().startswith("https:") else False
        form, headers = {"logout_token": token.reveal()}, {"cache-control": "no-store"}
        try:
            async with (
                httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, verify=trust, follow_redirects=False) as client,
                client.stream("POST", url, data=form, headers=headers) as answer,
            ):
                status = answer.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise DeliveryFailed(detail=type(error).__name__) from None
        if status not in _TAKEN:
            raise DeliveryFailed(permanent=status == _REFUSED, detail=f"HTTP {status}")
