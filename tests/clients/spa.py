"""A single-page app on an origin of its own, on the same site as the server, and somebody who has it open."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme
from playwright.sync_api import expect

from browser.people import Person
from browser.site import Json, Site, listening, port_of
from browser.tls import in_front_of
from world import PASSKEY_GRANT

PAGES = Path(__file__).with_name("page")
SDK = "@auth0/auth0-spa-js/dist/auth0-spa-js.production.js"
HOST = "app.example.localhost"


@dataclass
class App:
    """The app, registered at the server."""

    site: Site
    origin: str
    client_id: str

    def configuration(self, **more: Any) -> Json:
        """Return what the SDK is configured with."""
        asked = {"redirect_uri": f"{self.origin}/", "scope": "openid profile email"}
        domain = self.site.url.removeprefix("https://")
        return {"domain": domain, "clientId": self.client_id, "authorizationParams": asked} | more


@dataclass
class Customer:
    """Somebody who has the app open."""

    person: Person
    app: App

    def opens(self, **configuration: Any) -> None:
        """Open the app, with settings of the SDK."""
        told = json.dumps(self.app.configuration(**configuration))
        self.person.page.add_init_script(f"window.configuration = {told}")
        self.person.opens(f"{self.app.origin}/")

    def reads(self, text: str) -> None:
        """See what the app says."""
        expect(self.person.page.locator("#state")).to_have_text(text)

    def gets_token(self, **options: Any) -> Json:
        """Have the SDK get an access token silently, and return what it got or the error."""
        script = """options => client.getTokenSilently({detailedResponse: true, ...options})
            .catch(error => ({error: error.error, message: error.message}))"""
        found: Json = self.person.page.evaluate(script, options)
        return found


@contextmanager
def open_app(site: Site, modules: Path, ca: trustme.CA, host: str = HOST) -> Iterator[App]:
    """Serve the app with TLS, and register it."""
    inside, outside = ThreadingHTTPServer(("127.0.0.1", 0), _handler(modules)), listening()
    origin = f"https://{host}:{port_of(outside)}"
    settings = {
        "name": "The Shop",
        "app_type": "spa",
        "callbacks": [f"{origin}/"],
        "allowed_logout_urls": [f"{origin}/"],
        "web_origins": [origin],
        "refresh_token": {"rotation_type": "rotating", "expiration_type": "expiring"},
        "grant_types": ["authorization_code", "refresh_token", PASSKEY_GRANT],
    }
    client_id = site.manage("POST", "/clients", settings)["client_id"]
    threading.Thread(target=inside.serve_forever, kwargs={"poll_interval": 0.05}, name="app").start()
    try:
        with in_front_of(inside.server_port, bound=outside, names=(host,), ca=ca):
            yield App(site, origin, client_id)
    finally:
        inside.shutdown()
        inside.server_close()


def _handler(modules: Path) -> type[BaseHTTPRequestHandler]:
    """Return what answers for the app: its page, its script and the SDK."""
    files = {
        "/": ("text/html", PAGES / "index.html"),
        "/page.js": ("text/javascript", PAGES / "page.js"),
        "/auth0-spa-js.js": ("text/javascript", modules / SDK),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, path = files[urlsplit(self.path).path]
            body = path.read_bytes()
            self.send_response(200)
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
