"""Calls of the Management API of a Keystead that runs elsewhere, over HTTP."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from keystead.errors import Unavailable
from keystead.rules.calls import Answer, Call
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 60.0


class HttpCalls:
    """Makes calls with a token. No redirect is followed: it would take the token with it."""

    def __init__(
        self, url: str, token: Secret[str], agent: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._url, self._token, self._agent = url, token, agent
        trust = ssl.create_default_context() if url.startswith("https:") else False
        self._http = httpx2.AsyncClient(
            base_url=url, timeout=TIMEOUT_SECONDS, verify=trust, follow_redirects=False, transport=transport
        )

    @asynccontextmanager
    async def ask(self, call: Call) -> AsyncIterator[Answer]:
        """Make a call; the answer lasts as long as the context. Raises ``Unavailable`` where nobody answers."""
        headers = call.headers(self._agent) | {"authorization": f"Bearer {self._token.reveal()}"}
        try:
            content = call.file.pieces() if call.file else call.content or None
            async with self._http.stream(call.method, call.target, content=content, headers=headers) as answer:
                yield Answer(answer.status_code, answer.aiter_bytes(), dict(answer.headers))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(f"{self._url} cannot be reached", detail=str(error) or type(error).__name__) from None

    async def work(self) -> None:
        """Nothing to do here: the server does the jobs that are asked for."""

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()
