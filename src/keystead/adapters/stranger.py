"""A stranger's requests to a Keystead that is running somewhere."""

import time
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from keystead.adapters.mail import system_trust
from keystead.errors import Unavailable
from keystead.rules.enumeration import Ask, Reply

TIMEOUT_SECONDS: Final = 60.0


class HttpStranger:
    """Asks over HTTP, on connections that stay open: what is timed is the answer and not the handshake.

    No redirect is followed and no cookie kept: whoever asks says which cookies it sends. ``transport`` takes the
    network's place.
    """

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        trust = system_trust() if url.lower().startswith("https:") else False
        self._http = httpx2.AsyncClient(
            base_url=url, timeout=TIMEOUT_SECONDS, verify=trust, follow_redirects=False, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(self, request: Ask) -> Reply:
        """Send a request and read the answer whole. Raises ``Unavailable``."""
        headers = dict(request.headers)
        if request.token is not None:
            headers["authorization"] = f"Bearer {request.token.reveal()}"
        body: dict[str, Any] = {"json": request.json} if request.json is not None else {}
        if request.form is not None:
            body = {"data": dict(request.form)}
        try:
            built = self._http.build_request(request.method, request.path, headers=headers, **body)
            began = time.perf_counter()
            answer = await self._http.send(built)
            seconds = time.perf_counter() - began
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(f"{self._http.base_url}: nobody answers", detail=type(error).__name__) from None
        finally:
            self._http.cookies.clear()
        return Reply(answer.status_code, tuple(answer.headers.multi_items()), answer.text, seconds)
