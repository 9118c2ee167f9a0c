"""Calls to the receivers of log streams."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from keystead.adapters.mail import system_trust
from keystead.errors import DeliveryFailed
from keystead.ports import Clock, Received
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 10.0
"""How long each step of a call may take."""

CALL_SECONDS: Final = 30.0
"""How long a call may take in all: less than the lease of a stream."""


@dataclass(frozen=True)
class HttpLogReceiver:
    """Posts entries over TLS, or on this machine."""

    clock: Clock
    trust: ssl.SSLContext | None = None
    """Whom to trust, where that is not whom the system trusts."""

    async def post(self, url: str, headers: Mapping[str, Secret[str]], body: bytes) -> Received:
        """Post once. Raises ``DeliveryFailed``.

        No redirect is followed, or a receiver could send us to a machine that only we can reach (SSRF); and nothing of
        the answer is read but its status and when to come back.
        """
        trust = self.trust or system_trust() if url.startswith("https:") else False
        shown = {name: value.reveal() for name, value in headers.items()}
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, verify=trust, follow_redirects=False) as client,
                client.stream("POST", url, content=body, headers=shown) as answer,
            ):
                return Received(answer.status_code, self._seconds(answer.headers.get("retry-after", "")))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise DeliveryFailed(detail=type(error).__name__) from None

    def _seconds(self, text: str) -> float | None:
        """Read ``Retry-After``: a number of seconds, or a date."""
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((aware - self.clock()).total_seconds(), 0.0)
