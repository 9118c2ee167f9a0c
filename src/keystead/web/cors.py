"""Which pages of other sites may call us from a browser: those of the clients (PK-13), on the routes made for them.

No answer ever allows credentials: none of these routes looks at a cookie. What pages of all other sites send there is
refused before it is looked at: they can read no answer, but could use up what their visitors' addresses may do.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keystead.errors import ForeignOrigin
from keystead.ports import Clock
from keystead.rules.oauth import origin_listed
from keystead.rules.request_limits import HEADERS

OPEN: Final = ("/.well-known/", "/openapi.json")
"""For everybody's pages: what is there is the same for all."""

FOR_CLIENTS: Final = (
    *("/oauth/token", "/oauth/revoke", "/userinfo", "/passkey/", "/dbconnections/", "/me/"),
    "/api/v2/users/",  # where people see themselves, and change their own metadata
)

_METHODS: Final = "GET, POST, PATCH, DELETE"
_REQUEST_HEADERS: Final = "authorization, content-type, auth0-client, dpop, accept-language, keystead-device"
_EXPOSED: Final = ", ".join(
    ("location", "www-authenticate", "retry-after", "x-request-id", "keystead-device", "keystead-decision", *HEADERS)
)
_PREFLIGHT_SECONDS: Final = "600"
_REREAD: Final = timedelta(seconds=10)
"""How long a change to a client's origins may take to be seen by every process."""

_UNLISTED: Final = "keystead.unlisted"


@dataclass
class Origins:
    """Origins, read again every few seconds: those of all clients, since a preflight does not say which it is for."""

    read: Callable[[], Awaitable[frozenset[str]]]
    clock: Clock
    _known: frozenset[str] = frozenset()
    _read_at: datetime | None = field(default=None, repr=False)

    async def __call__(self) -> frozenset[str]:
        """Return them."""
        now = self.clock()
        if self._read_at is None or not timedelta() <= now - self._read_at < _REREAD:
            self._known, self._read_at = await self.read(), now
        return self._known


@dataclass
class Cors:
    """Answers preflights and marks answers, for origins that are listed; for others there is nothing to see.

    ``passkey_pages`` are those that may use our passkeys. Where they are no client's they can read nothing either, but
    their servers may say which page they ask for.
    """

    app: ASGIApp
    origins: Origins
    passkey_pages: Origins
    public_url: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer a preflight."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith((*OPEN, *FOR_CLIENTS)):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        allowed = await self._allowed(path, origin)
        if scope["method"] == "OPTIONS" and origin and "access-control-request-method" in headers:
            await _preflight(allowed)(scope, receive, send)
            return
        if origin and not allowed and await self._is_unlisted(headers, origin):
            scope[_UNLISTED] = origin
        await self.app(scope, receive, _marking(send, allowed))

    async def _allowed(self, path: str, origin: str) -> str:
        if path.startswith(OPEN):
            return "*"
        return origin if origin and origin_listed(origin, await self.origins()) else ""

    async def _is_unlisted(self, headers: Headers, origin: str) -> bool:
        return bool(foreign_page(headers, self.public_url)) and origin not in await self.passkey_pages()


def foreign_page(headers: Headers, public_url: str) -> str:
    """Return what shows that another site's page had a browser send a request; nothing where it did not.

    ``Sec-Fetch-Site`` cannot be set by a page. Browsers without it send ``Origin``; a client that sends neither is not
    a browser, and carries no cookie of anybody else's.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return "" if site in ("same-origin", "none") else f"sec-fetch-site: {site[:40]}"
    origin = headers.get("origin", public_url)
    return "" if origin == public_url else f"origin: {origin[:200]}"


def refuse_unlisted(scope: Scope) -> None:
    """Refuse what a page of an origin sent that nobody listed. Raises ``ForeignOrigin``.

    Once the request is counted: a refusal is written down, and of those there must not be any number.
    """
    if _UNLISTED in scope:
        raise ForeignOrigin(detail=f"origin: {scope[_UNLISTED][:200]}")


def _preflight(allowed: str) -> Response:
    headers = {"vary": "origin"}
    if allowed:
        headers |= {
            "access-control-allow-origin": allowed,
            "access-control-allow-methods": _METHODS,
            "access-control-allow-headers": _REQUEST_HEADERS,
            "access-control-max-age": _PREFLIGHT_SECONDS,
        }
    return Response(status_code=204, headers=headers)


def _marking(send: Send, allowed: str) -> Send:
    async def mark(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header("origin")
            if allowed:
                headers["access-control-allow-origin"] = allowed
                headers["access-control-expose-headers"] = _EXPOSED
        await send(message)

    return mark
