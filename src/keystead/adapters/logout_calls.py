"""Calls to clients whose sessions have ended (OpenID Connect Back-Channel Logout 1.0 §2.5)."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from keystead.adapters.outward_calls import OutwardCalls
from keystead.errors import DeliveryFailed
from keystead.secrecy import Secret

_TAKEN: Final = (200, 204)
_REFUSED: Final = 400
_HEADERS: Final = {"content-type": "application/x-www-form-urlencoded", "cache-control": "no-store"}


@dataclass(frozen=True)
class HttpLogoutCaller:
    """Posts logout tokens to the addresses that administrators registered."""

    calls: OutwardCalls

    async def call(self, url: str, token: Secret[str]) -> None:
        """Post one token. Raises ``DeliveryFailed``: for good, where the client says 400 (§2.8)."""
        form = urlencode({"logout_token": token.reveal()}).encode()
        status = (await self.calls.post(url, _HEADERS, form)).status
        if status not in _TAKEN:
            raise DeliveryFailed(permanent=status == _REFUSED, detail=f"HTTP {status}")
