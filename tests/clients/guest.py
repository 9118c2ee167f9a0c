"""Somebody at a browser without scripts, who logs in on the hosted pages of a running server."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from browser.site import Site
from visitor import MOVED, Form, Landed
from world import PASSWORD


@dataclass
class Guest:
    """One browser, with a cookie jar of its own."""

    site: Site
    client: httpx.Client

    @classmethod
    @contextmanager
    def at(cls, site: Site, trust: ssl.SSLContext) -> "Iterator[Guest]":
        """Open a browser."""
        with httpx.Client(verify=trust, base_url=site.url) as client:
            yield cls(site, client)

    def opens(self, url: str) -> Landed:
        """Go to a page, and on as far as redirects stay at the server."""
        return self._follow(self.client.get(url))

    def sends(self, form: Form, **fields: Any) -> Landed:
        """Send a form as a browser does, from the server's own page."""
        headers = {"origin": self.site.url, "sec-fetch-site": "same-origin"}
        return self._follow(self.client.post(form.action, data=form.fields | fields, headers=headers))

    def logs_in(self, url: str, email: str = "ann@example.com") -> Landed:
        """Go to an authorization request, through both pages of a password login and past the offer of a passkey."""
        landed = self.opens(url)
        landed = self.sends(landed.form("/login/identifier"), username=email)
        landed = self.sends(landed.form("/login/password"), password=PASSWORD)
        return self.sends(Form(landed.form("/u/passkey-enrollment").action), action="skip")

    def _follow(self, response: httpx.Response) -> Landed:
        while response.status_code in MOVED and (path := self._here(response.headers["location"])):
            response = self.client.get(path)
        return Landed(response)

    def _here(self, location: str) -> str:
        path = location.removeprefix(self.site.url)
        return path if path.startswith("/") and not path.startswith("//") else ""
