"""Administrators at work: they are invited, log in with the command line's client, and call the Management API."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from visitor import VERIFIER, Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

AUDIENCE = f"{PUBLIC_URL}/api/v2/"
COMMAND_LINE = "keystead-cli"
CALLBACK = "http://127.0.0.1:51004/callback"


@dataclass
class Owner:
    """An administrator of any role, with a token."""

    world: World
    user_id: str
    email: str
    token: str
    scope: frozenset[str] = frozenset()
    visitor: Visitor | None = None

    async def manage(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Call the Management API; ``path`` is below ``/api/v2``."""
        return await call(self.world, self.token, method, path, body)

    async def invites(self, email: str, role: str) -> "Owner":
        """Invite somebody, who follows the link and logs in."""
        answer = await self.manage("POST", "/keystead/administrators", {"email": email, "role": role})
        assert answer.status_code == 201, answer.text
        await follow(self.world, answer.json()["ticket"])
        return await logged_in(self.world, email)

    async def patches(self, other: "Owner", **edit: Any) -> httpx.Response:
        """Change an administrator."""
        return await self.manage("PATCH", path_of(other), edit)

    async def deletes(self, other: "Owner") -> httpx.Response:
        """Delete an administrator."""
        return await self.manage("DELETE", path_of(other))


def path_of(who: Owner) -> str:
    """Return where an administrator is found."""
    return f"/keystead/administrators/{quote(who.user_id)}"


async def call(world: World, token: str, method: str, path: str, body: object = None) -> httpx.Response:
    """Call the Management API with a token."""
    content: dict[str, Any] = {"json": body} if body is not None else {}
    headers = {"authorization": f"Bearer {token}"}
    return await world.client.request(method, f"/api/v2{path}", headers=headers, **content)


async def follow(world: World, link: str, email: str = "", password: str = PASSWORD) -> httpx.Response:
    """Open a set-up link and choose a password."""
    form = {"email": email, "password": password}
    headers = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}
    return await world.client.post(link.removeprefix(PUBLIC_URL), data=form, headers=headers)


async def first_owner(world: World, email: str = "root@example.com") -> Owner:
    """Make the first owner, who logs in."""
    answer = await follow(world, world.first["administrator_setup_url"], email)
    assert answer.status_code == 200, answer.text
    return await logged_in(world, email)


async def logged_in(world: World, email: str, password: str = PASSWORD, **asked: str | None) -> Owner:
    """Log an administrator in with the command line's client, over the pages."""
    visitor = Visitor.of(world)
    landed = await signed_in(visitor, await visitor.authorize(request_of(**asked)), email, password)
    answer = await redeem(world, landed.answer["code"])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    me = await world.userinfo(found["access_token"]) if "openid" in found["scope"].split() else None
    user_id = me.json()["sub"] if me else ""
    return Owner(world, user_id, email, found["access_token"], frozenset(found["scope"].split()), visitor)


async def signed_in(visitor: Visitor, at: Landed, email: str, password: str = PASSWORD) -> Landed:
    """Go through the pages of the login, and say yes to the command line."""
    return await confirmed(visitor, await visitor.log_in(at, email, password))


async def confirmed(visitor: Visitor, at: Landed) -> Landed:
    """Say that it was oneself who began to sign in to the command line, where a page asks."""
    if at.path != "/u/consent":
        return at
    return await visitor.send(Form(at.form("/u/consent").action), action="accept")


def request_of(**more: str | None) -> dict[str, str | None]:
    """Return what the command line asks ``/authorize`` for."""
    asked = {"client_id": COMMAND_LINE, "redirect_uri": CALLBACK, "audience": AUDIENCE, "scope": None}
    return asked | more


async def redeem(world: World, code: str, client_id: str = COMMAND_LINE) -> httpx.Response:
    """Exchange a code, as the command line."""
    body = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER, "client_id": client_id}
    return await world.client.post("/oauth/token", json={"grant_type": "authorization_code", **body})
