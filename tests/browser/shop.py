"""Another application: an OAuth client on an origin of its own, with a callback page that works without JavaScript."""

import base64
import hashlib
import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from browser.site import Json, Site
from world import claims_of

VERIFIER = "a-verifier-that-is-long-enough-to-be-one-0123456789"


class _Page(BaseHTTPRequestHandler):
    """Shows the query that a redirect brought."""

    def do_GET(self) -> None:
        query = html.escape(urlsplit(self.path).query)
        body = f"<!doctype html><html lang=en><title>Shop</title><link rel=icon href=data:,><h1>Shop</h1><p>{query}"
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass
class Shop:
    """The application, registered at the site."""

    site: Site
    client_id: str
    callback: str

    def login_url(self, **parameters: Any) -> str:
        """Return the address that begins a login."""
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "scope": "openid profile email",
            "state": "from the shop",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self.site.url}/authorize?{urlencode(asked | parameters)}"

    def answer(self, url: str) -> dict[str, str]:
        """Return the parameters that a login came back with."""
        assert url.startswith(f"{self.callback}?"), url
        found = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert found["state"] == "from the shop"
        assert found["iss"] == f"{self.site.url}/"
        return found

    def redeem(self, url: str) -> Json:
        """Exchange the code that a login came back with for the claims of the ID token."""
        body = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "code": self.answer(url)["code"],
            "code_verifier": VERIFIER,
        }
        answer = self.site.http.post("/oauth/token", data=body)
        assert answer.status_code == 200, answer.text
        return claims_of(answer.json()["id_token"])

    def may_use(self, connection_id: str) -> None:
        """Enable a connection for the application."""
        switch = [{"client_id": self.client_id, "status": True}]
        self.site.manage("PATCH", f"/connections/{connection_id}/clients", switch)


@contextmanager
def open_shop(site: Site) -> Iterator[Shop]:
    """Open a shop on another host and port, and register it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="shop").start()
    try:
        callback = f"http://127.0.0.1:{server.server_port}/callback"
        settings = {"name": "The Shop", "app_type": "spa", "callbacks": [callback]}
        yield Shop(site, site.manage("POST", "/clients", settings)["client_id"], callback)
    finally:
        server.shutdown()
        server.server_close()
