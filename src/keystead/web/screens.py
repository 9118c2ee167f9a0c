"""Renders the hosted pages, with the headers that keep other sites out of them.

What a tenant made of them is put in when they are sent: whoever shows a page need not know of it.
"""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from keystead.flows.looks import PLAIN, Look
from keystead.rules.branding import stylesheet
from keystead.rules.languages import preferred_language
from keystead.rules.oauth import origin_of
from keystead.rules.page_texts import PAGE_TITLE, PIECES, SCREENS

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
)
_SOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:(?://[A-Za-z0-9.\-_\[\]:]+)?")
"""A source of a policy that cannot be anything more. Registered URLs are no other; this is the second lock."""

_SCREENS: Final = {
    "login-identifier.html": "login-id",
    "login-password.html": "login-password",
    "signup-identifier.html": "signup-id",
    "signup-password.html": "signup-password",
    "signup-passkey.html": "passkey-enrollment",
    "reset-password-request.html": "reset-password-request",
    "reset-password-code.html": "reset-password-code",
    "reset-password.html": "reset-password",
    "reset-password-done.html": "reset-password-success",
    "email-verification-done.html": "email-verification-result",
    "unblock.html": "brute-force-protection-unblock",
    "unblock-done.html": "brute-force-protection-unblock-success",
    "logout.html": "logout",
    "signed-out.html": "logout-complete",
}
"""Which texts a page has, where it does not say so itself by ``screen``."""


class _Html(str):
    """Text that is HTML already, as templates understand it."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


class Page(HTMLResponse):
    """A page, rendered as it is sent: in the look of the tenant, and in the language of whoever gets it."""

    def __init__(self, template: str, context: Mapping[str, Any], status: int, framing: tuple[str, str]) -> None:
        self._template, self._context, self._framing = template, context, framing
        policy = {"content-security-policy": _policy(*framing), "cache-control": "no-store"}
        super().__init__("", status, policy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        app = scope.get("app")
        look = await app.state.flows.looks.now() if app else PLAIN
        self.body = self._rendered(look, Headers(scope=scope).get("accept-language", "")).encode("utf-8")
        self.headers["content-length"] = str(len(self.body))
        self.headers["content-security-policy"] = _policy(*self._framing, look.branding.origins())
        await super().__call__(scope, receive, send)

    def _rendered(self, look: Look, accept_language: str) -> str:
        asked = str(self._context.get("ui_locales", "")).replace(" ", ",")
        language = preferred_language(asked, preferred_language(accept_language))
        screen = self._context.get("screen") or _SCREENS.get(self._template, "")
        texts = look.texts.get(language, {}).get(screen, {})
        named = {"clientName": self._context.get("client_name") or "", "companyName": look.company}
        shown = {
            "lang": language if texts else "en",
            "branding": look.branding,
            "branded": bool(stylesheet(look.branding)),
            "company": look.company,
            "page_title": "".join(_pieces(texts.get(PAGE_TITLE, ""), named)),
            "says": lambda key: _put_in(texts.get(key) or SCREENS[screen][key], named),
        }
        return _TEMPLATES.get_template(self._template).render(shown | dict(self._context))


def show(
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
    redirects_to: str = "",
    framed_by: str = "",
) -> Response:
    """Render a page. ``redirects_to`` is where its form may end: Chromium holds redirects to ``form-action`` too.

    ``framed_by`` is the one origin whose pages may show it in a frame; for all others there is none.
    """
    return Page(template, context or {}, status, (redirects_to, framed_by))


def error(request: Request, title: str, text: str, status: int) -> Response:
    """Render an error page; its text is ours, never the request's."""
    return show("error.html", {"title": title, "text": text, "home_url": "/"}, status=status)


def _policy(redirects_to: str, framed_by: str, pictures: tuple[str, ...] = ()) -> str:
    """Return what the page may load and lead to: pictures of the tenant's own from their origins, and no others."""
    target = _source(origin_of(redirects_to)) if redirects_to else ""
    images = " ".join(("img-src 'self' data:", *(_source(origin) for origin in pictures))).rstrip()
    ancestor = _source(framed_by) or "'none'"
    return "; ".join((*_POLICY, images, f"frame-ancestors {ancestor}", f"form-action 'self' {target}".rstrip()))


def _put_in(text: str, named: Mapping[str, str]) -> _Html:
    """Return a text with its variables, each on its own: a name may be long, or run the other way."""
    pieces = (escape(piece) for piece in _pieces(text, named))
    return _Html("".join(f"<bdi>{piece}</bdi>" if at % 2 else piece for at, piece in enumerate(pieces)))


def _pieces(text: str, named: Mapping[str, str]) -> list[str]:
    """Return what a text is made of: its own words and, at every second place, the value of a variable."""
    return [named[piece] if at % 2 else piece for at, piece in enumerate(PIECES.split(text))]


def _source(origin: str) -> str:
    return origin if _SOURCE.fullmatch(origin) else ""
