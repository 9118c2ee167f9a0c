"""Renders the hosted pages, with the headers that keep other sites out of them."""

import re
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from keystead.rules.oauth import origin_of

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
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
)
_SOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:(?://[A-Za-z0-9.\-_\[\]:]+)?")
"""A source of a policy that cannot be anything more. Registered URLs are no other; this is the second lock."""


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
    html = _TEMPLATES.get_template(template).render(**(context or {}))
    target = _source(origin_of(redirects_to)) if redirects_to else ""
    ancestor = _source(framed_by) or "'none'"
    policy = "; ".join((*_POLICY, f"frame-ancestors {ancestor}", f"form-action 'self' {target}".rstrip()))
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    return HTMLResponse(html, status, headers)


def _source(origin: str) -> str:
    return origin if _SOURCE.fullmatch(origin) else ""


def error(request: Request, title: str, text: str, status: int) -> Response:
    """Render an error page; its text is ours, never the request's."""
    return show("error.html", {"title": title, "text": text, "home_url": "/"}, status=status)
