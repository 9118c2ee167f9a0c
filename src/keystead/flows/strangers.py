"""Every public door at which somebody can be named, and how a stranger goes there.

A probe names one person, once, and gives the answers on the way, each under a name of its own.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from keystead.ports import Entropy, Stranger
from keystead.rules import base64url
from keystead.rules.clients import PASSKEY, PASSWORD, PASSWORD_REALM
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.enumeration import Ask, Kind, Reply
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.passkey_policy import recoverable
from keystead.rules.resets import may_choose

Answers = AsyncIterator[tuple[str, Reply]]
Probe = Callable[[str], Answers]

_MOVED: Final = (301, 302, 303, 307, 308)
_VERIFIER: Final = hashlib.sha256(b"nobody exchanges the code").digest()


@dataclass(frozen=True, slots=True)
class Target:
    """Where strangers go: a connection, by a client that may use it."""

    client_id: str
    connection: str
    callback: str
    options: ConnectionOptions
    by: IdentifierKind
    """What people are named by."""
    failures: int = 10
    """So many wrong passwords lock somebody."""

    def told_apart(self) -> dict[str, tuple[Kind, ...]]:
        """Return which kinds may be told from the others, by probe: where a name must be free, or the profile says so.

        In the standard profile a sign-up says what is taken. Where its pages ask for a code, an address that nobody
        has proved is as good as free.
        """
        if self.options.hardened and self.by != "username":
            return {}
        proved = self.by in self.options.proved_at_signup()
        page: tuple[Kind, ...] = ("nobody", "unverified") if proved else ("nobody",)
        return {
            "sign-up": ("nobody",),
            "passkey sign-up": ("nobody",),
            "sign-up page": page,
            "sign-up page, next": page,
            "sign-up page, code again": page,
        }


@dataclass
class Browser:
    """A browser without scripts, on pages of ours."""

    stranger: Stranger
    _cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> Reply:
        """Open a page."""
        return await self._send("GET", path)

    async def post(self, path: str, **form: str) -> Reply:
        """Send a form of a page of ours."""
        return await self._send("POST", path, form)

    async def on_the_way(self, name: str, reply: Reply) -> Answers:
        """Give an answer, and the page that it leads to, if it does."""
        yield name, reply
        path, page = await self.follow(reply)
        if path:
            yield f"{name}, next", page

    async def follow(self, reply: Reply) -> tuple[str, Reply]:
        """Go on as far as redirects stay here; return the page, and where it is."""
        path = ""
        while reply.status in _MOVED and reply.header("location").startswith("/"):
            path = reply.header("location")
            reply = await self.get(path)
        return path, reply

    async def _send(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Reply:
        headers = {"accept-language": "en"}
        if self._cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if form is not None:
            headers["sec-fetch-site"] = "same-origin"
        reply = await self.stranger.ask(Ask(method, path, form=form, headers=headers))
        for name, value in reply.headers:
            if name.lower() == "set-cookie":
                key, _, content = value.partition(";")[0].partition("=")
                self._cookies[key] = content
        return reply


@dataclass(frozen=True)
class Strangers:
    """What strangers try. Each probe takes what they type."""

    stranger: Stranger
    entropy: Entropy
    target: Target

    def asking(self) -> list[Probe]:
        """Return the probes that make sense at the target and leave nobody behind."""
        options = self.target.options
        found: list[Probe] = [self.password, self.realm, self.login_page]
        if not options.disable_signup:
            found.append(self.signup_page)
        if options.methods.passkey.enabled:
            found += [self.challenge, self.unknown_passkey]
        if options.methods.passkey.enabled and not options.disable_signup:
            found.append(self.register)
        if may_choose(options):
            found += [self.reset_page, self.reset_alone]
            if options.unique_emails:
                found.append(self.reset)
        if recoverable(options):
            found.append(self.recovery_page)
        return found

    def locking(self) -> list[Probe]:
        """Return the probes that lock whom they name."""
        return [self.locked_on_pages, self.locked] if self.target.options.methods.password.enabled else []

    def making(self) -> list[Probe]:
        """Return the probes that make an account of nobody."""
        return [] if self.target.options.disable_signup else [self.signup]

    async def password(self, typed: str) -> Answers:
        """A wrong password, by API."""
        yield "password grant", await self._grant(typed, grant_type=PASSWORD)

    async def realm(self, typed: str) -> Answers:
        """The same at a connection that is named."""
        wanted = {"grant_type": PASSWORD_REALM, "realm": self.target.connection}
        yield "password-realm grant", await self._grant(typed, **wanted)

    async def locked(self, typed: str) -> Answers:
        """One more, after so many that somebody is locked. On the pages, where there is no grant."""
        wanted = {"grant_type": PASSWORD_REALM, "realm": self.target.connection}
        for _ in range(self.target.failures):
            await self._grant(typed, **wanted)
        yield "password-realm grant, locked", await self._grant(typed, **wanted)

    async def locked_on_pages(self, typed: str) -> Answers:
        """The same at the login page."""
        browser, state = await self._login()
        await browser.post(f"/u/login/identifier?{state}", username=typed)
        for _ in range(self.target.failures):
            await browser.post(f"/u/login/password?{state}", password=self._wrong())
        yield "login page, locked", await browser.post(f"/u/login/password?{state}", password=self._wrong())

    async def signup(self, typed: str) -> Answers:
        """A sign-up by API."""
        body = {**self._named(), **self._profile(typed), "password": self.entropy.token(24)}
        yield "sign-up", await self._post("/dbconnections/signup", body)

    async def reset(self, typed: str) -> Answers:
        """A request for a new password, by API."""
        yield "reset", await self._post("/dbconnections/change_password", {**self._named(), "email": typed})

    async def register(self, typed: str) -> Answers:
        """The beginning of a sign-up with a passkey."""
        body = {"client_id": self.target.client_id, "realm": self.target.connection}
        yield "passkey sign-up", await self._post("/passkey/register", body | {"user_profile": self._profile(typed)})

    async def challenge(self, typed: str) -> Answers:
        """A challenge, which is for nobody in particular."""
        body = {"client_id": self.target.client_id, "realm": self.target.connection, "username": typed}
        yield "passkey challenge", await self._post("/passkey/challenge", body)

    async def unknown_passkey(self, typed: str) -> Answers:
        """An answer to a challenge by a passkey that nobody has."""
        begun = await self._post(
            "/passkey/challenge", {"client_id": self.target.client_id, "realm": self.target.connection}
        )
        if begun.status != 200:
            yield "unknown passkey", begun
            return
        asked = json.loads(begun.body)
        body = {
            "grant_type": PASSKEY,
            "client_id": self.target.client_id,
            "username": typed,
            "auth_session": asked["auth_session"],
            "authn_response": self._assertion(asked["authn_params_public_key"]["challenge"]),
        }
        yield "unknown passkey", await self._post("/oauth/token", body)

    async def login_page(self, typed: str) -> Answers:
        """A name, and then a wrong password."""
        browser, state = await self._login()
        named = await browser.post(f"/u/login/identifier?{state}", username=typed)
        yield "login page, name", named
        path, page = await browser.follow(named)
        yield "login page, next", page
        if path.startswith("/u/login/password"):
            yield "login page, password", await browser.post(path, password=self._wrong())

    async def signup_page(self, typed: str) -> Answers:
        """A name that an account is to be known by; a second code, where one is asked for."""
        browser, state = await self._login(screen_hint="signup")
        sent = await browser.post(f"/u/signup/identifier?{state}", **self._profile(typed))
        yield "sign-up page", sent
        path, page = await browser.follow(sent)
        yield "sign-up page, next", page
        if "identifier-challenge" in path:
            yield "sign-up page, code again", await browser.post(path, action="resend")

    async def reset_page(self, typed: str) -> Answers:
        """A request for a new password, at a login."""
        browser, state = await self._login()
        sent = await browser.post(f"/u/reset-password/request?{state}", username=typed)
        async for each in browser.on_the_way("reset page", sent):
            yield each

    async def reset_alone(self, typed: str) -> Answers:
        """The same where password managers send people."""
        yield "reset without a login", await Browser(self.stranger).post("/u/change-password", username=typed)

    async def recovery_page(self, typed: str) -> Answers:
        """A request for a code, for whoever lost their passkeys."""
        browser, state = await self._login()
        sent = await browser.post(f"/u/passkey-recovery?{state}", username=typed)
        async for each in browser.on_the_way("recovery page", sent):
            yield each

    async def _login(self, **more: str) -> tuple[Browser, str]:
        """Begin a login in a new browser; return it and the query that names the login."""
        browser, challenge = Browser(self.stranger), base64url.encode(hashlib.sha256(_VERIFIER).digest())
        asked = {
            "client_id": self.target.client_id,
            "connection": self.target.connection,
            "redirect_uri": self.target.callback,
            "response_type": "code",
            "scope": "openid",
            "state": self.entropy.token(16),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        path, _ = await browser.follow(await browser.get(f"/authorize?{urlencode(asked | more)}"))
        state = parse_qs(urlsplit(path).query).get("state", [""])[0]
        return browser, urlencode({"state": state})

    async def _grant(self, typed: str, **more: str) -> Reply:
        body = {"client_id": self.target.client_id, "username": typed, "password": self._wrong(), "scope": "openid"}
        return await self._post("/oauth/token", body | more)

    def _wrong(self) -> str:
        """Return another wrong password: the same one again costs less, and would say who was tried before."""
        return self.entropy.token(18)

    async def _post(self, path: str, body: Mapping[str, object]) -> Reply:
        return await self.stranger.ask(Ask("POST", path, json=body))

    def _named(self) -> dict[str, str]:
        return {"client_id": self.target.client_id, "connection": self.target.connection}

    def _profile(self, typed: str) -> dict[str, str]:
        """Return what somebody signs up with: what was typed, and what else is required, which nobody has."""
        asked = self.target.options.signup_attributes()
        others = (kind for kind, status in asked.items() if status == "required" and kind != self.target.by)
        return {**{kind: unused(kind, self.entropy) for kind in others}, self.target.by: typed}

    def _assertion(self, challenge: str) -> dict[str, object]:
        said = json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": "https://elsewhere.example"})
        raw = base64url.encode(self.entropy.bytes(32))
        response = {
            "clientDataJSON": base64url.encode(said.encode()),
            "authenticatorData": base64url.encode(self.entropy.bytes(32) + b"\x05\x00\x00\x00\x00"),
            "signature": base64url.encode(self.entropy.bytes(70)),
            "userHandle": base64url.encode(self.entropy.bytes(32)),
        }
        return {"id": raw, "rawId": raw, "type": "public-key", "response": response, "clientExtensionResults": {}}


def unused(kind: IdentifierKind, entropy: Entropy, domain: str = "example.com") -> str:
    """Return an identifier that nobody has; all of a kind are of one length."""
    if kind == "phone_number":
        number = int.from_bytes(entropy.bytes(8))
        return f"+1415{2 + number % 8}{number // 8 % 1_000_000:06}"
    name = base64.b32encode(entropy.bytes(10)).decode("ascii").lower()[:14]
    return f"x{name}" if kind == "username" else f"x{name}@{domain}"
