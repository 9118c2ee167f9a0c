"""Somebody at a browser without scripts: follows redirects, keeps cookies, fills in forms.

visitor = Visitor.of(world)
landed = await visitor.authorize()                    # the first page of the hosted login
landed = await visitor.sign_up(landed, "ann@example.com")
code = landed.answer["code"]                          # where the walk left our pages
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from authenticator import FLAWLESS, Authenticator, Flaw
from world import HOOKS, PASSWORD, PUBLIC_URL, World

VERIFIER = "a-verifier-of-at-least-forty-three-characters.~"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = f"{PUBLIC_URL}/"

Asked = Mapping[str, str | None]
"""Parameters of an authorization request; ``None`` leaves one out."""

MOVED = (301, 302, 303, 307, 308)


@dataclass
class Form:
    """A form of a page: where it goes, and what is in it."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(values["action"]))
        elif self.found and tag in ("input", "button") and values.get("name") and values.get("type") != "checkbox":
            self.found[-1].fields[values["name"]] = values.get("value", "")


@dataclass(frozen=True)
class Landed:
    """Where a walk ended: on a page of ours, or at a redirect to a client."""

    response: httpx.Response

    @property
    def path(self) -> str:
        """The page."""
        return self.response.url.path

    @property
    def text(self) -> str:
        """What the page says, in HTML."""
        return self.response.text

    @property
    def target(self) -> str:
        """Where a client gets the browser back, whole."""
        assert self.response.status_code in MOVED, self.text
        return self.response.headers["location"]

    @property
    def answer(self) -> dict[str, str]:
        """What the client is told in the redirect's query."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def forms(self) -> list[Form]:
        """All forms of the page."""
        parser = _Forms()
        parser.feed(self.text)
        return parser.found

    def form(self, path: str = "") -> Form:
        """The form of the page that goes to ``path``, or its first."""
        return next(form for form in self.forms() if path in form.action)


@dataclass
class Visitor:
    """One browser, with a cookie jar of its own."""

    world: World
    client: httpx.AsyncClient

    @classmethod
    def of(cls, world: World) -> "Visitor":
        """Open a browser."""
        transport = httpx.ASGITransport(app=world.app, client=("203.0.113.9", 4711))
        client = httpx.AsyncClient(transport=transport, base_url=world.settings.public_url, event_hooks=HOOKS)
        return cls(world, client)

    async def open(self, url: str, **request: Any) -> Landed:
        """Go to a page, and on as far as redirects stay with us."""
        return await self._follow(await self.client.get(url, **request))

    async def send(self, form: Form, **fields: str) -> Landed:
        """Send a form as a browser does, from our own page."""
        headers = {"origin": self.world.settings.public_url, "sec-fetch-site": "same-origin"}
        return await self._follow(await self.client.post(form.action, data=form.fields | fields, headers=headers))

    async def authorize(self, changes: Asked | None = None, **more: Any) -> Landed:
        """Come with an authorization request of the default client; ``None`` leaves a parameter out."""
        return await self.open(authorize_url(self.world, changes, **more))

    async def log_in(self, at: Landed, email: str = "ann@example.com", password: str = PASSWORD) -> Landed:
        """Go through both pages of the login, and past an offer of a passkey."""
        landed = await self.send(at.form("/login/identifier"), username=email)
        return await self.decline(await self.send(landed.form("/login/password"), password=password))

    async def sign_up(self, at: Landed, email: str = "ann@example.com", password: str = PASSWORD) -> Landed:
        """Go through the pages of the sign-up, with a password."""
        landed = await self.send(at.form("/signup/identifier"), email=email)
        landed = await self.send(Form(landed.form("/signup/passkey").action), action="skip")
        return await self.send(landed.form("/signup/password"), password=password)

    async def decline(self, at: Landed) -> Landed:
        """Say not now, where a passkey is offered."""
        if at.path != "/u/passkey-enrollment":
            return at
        return await self.send(Form(at.form("/u/passkey-enrollment").action), action="skip")

    async def options(self, at: Landed, path: str) -> dict[str, Any]:
        """Ask for the options of a ceremony, as the page's script does."""
        form = Form(at.form(path).action.replace("?", "/options?"))
        landed = await self.send(form)
        found: dict[str, Any] = landed.response.json()
        return found

    async def log_in_with(self, device: Authenticator, at: Landed, flaw: Flaw = FLAWLESS) -> Landed:
        """Answer the login page's challenge, as its script does."""
        return await self.answer(at, await self.options(at, "/login/passkey"), device, flaw)

    async def answer(self, at: Landed, options: dict[str, Any], device: Authenticator, flaw: Flaw = FLAWLESS) -> Landed:
        """Answer a challenge that the login page's script has asked for."""
        response = device.get(options["authn_params_public_key"], origin=PUBLIC_URL, flaw=flaw)
        form = at.form("/login/passkey")
        return await self.send(form, auth_session=options["auth_session"], response=json.dumps(response))

    async def _follow(self, response: httpx.Response) -> Landed:
        while response.status_code in MOVED and response.headers["location"].startswith("/"):
            response = await self.client.get(response.headers["location"])
        return Landed(response)


def authorize_url(world: World, changes: Asked | None = None, **more: str | None) -> str:
    """Return an authorization request of the default client, with changes; ``None`` leaves a parameter out."""
    asked = {
        "client_id": world.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile email",
        "state": "a state",
        "nonce": "a nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    wanted = asked | dict(changes or {}) | more
    return "/authorize?" + urlencode({name: value for name, value in wanted.items() if value is not None})


async def exchange(world: World, code: str, **more: Any) -> httpx.Response:
    """Exchange a code, as the default client."""
    body = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return await world.token("authorization_code", **(body | more))
