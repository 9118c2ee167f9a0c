"""Calls to addresses that others have named: of log streams, and of clients that are told of a logout."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx2

from keystead.adapters.mail import system_trust
from keystead.errors import DeliveryFailed
from keystead.rules.receivers import Receivers

TIMEOUT_SECONDS: Final = 10.0
"""How long each step of a call may take."""

CALL_SECONDS: Final = 30.0
"""How long a call may take in all: less than the lease of whoever makes it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is read of an answer."""

    status: int
    retry_after: str
    """Empty, where it does not say."""


@dataclass(frozen=True)
class OutwardCalls:
    """Posts over TLS to public addresses, and to what else the operator has named."""

    receivers: Receivers
    trust: ssl.SSLContext | None = None
    """Whom to trust, where that is not whom the system trusts."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once. Raises ``DeliveryFailed``.

        It goes to an address that was looked at, whatever the name stands for a moment later; no redirect is followed,
        and no proxy of the environment used: or we could be sent to a machine that only we can reach (SSRF).
        """
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await self._post(httpx2.URL(url), headers, body)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise DeliveryFailed(detail=type(error).__name__) from None

    async def _post(self, url: httpx2.URL, headers: Mapping[str, str], body: bytes) -> Answer:
        *others, last = await self._addresses(url)
        for address in others:
            with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                return await self._post_to(address, url, headers, body)
        return await self._post_to(last, url, headers, body)

    async def _post_to(self, address: str, url: httpx2.URL, headers: Mapping[str, str], body: bytes) -> Answer:
        trust = self.trust or system_trust() if url.scheme == "https" else False
        there, named = url.copy_with(host=address), {**headers, "host": url.netloc.decode("ascii")}
        extensions = {"sni_hostname": url.host}  # whose certificate must be shown
        async with (
            httpx2.AsyncClient(
                timeout=TIMEOUT_SECONDS, verify=trust, trust_env=False, follow_redirects=False
            ) as client,
            client.stream("POST", there, content=body, headers=named, extensions=extensions) as answer,
        ):
            return Answer(answer.status_code, answer.headers.get("retry-after", ""))

    async def _addresses(self, url: httpx2.URL) -> list[str]:
        """Return the addresses of a host that may be called, one at least. Raises ``DeliveryFailed``."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise DeliveryFailed(detail="ConnectError") from None
        addresses = dict.fromkeys(str(to[0]) for *_, to in found)
        good = [each for each in addresses if self.receivers.admit(url.scheme, url.host, each)]
        if not good:
            raise DeliveryFailed(detail=self.receivers.refusal)
        return good
