"""Somebody who lost their passkeys, on the pages: as far as the code, as far as the new passkey, all the way."""

import json
import re
from typing import Any

from authenticator import Authenticator
from visitor import Form, Landed, Visitor
from world import PUBLIC_URL, World

PAGE = "/u/passkey-recovery"
ENTRY = "Can\N{RIGHT SINGLE QUOTATION MARK}t sign in?"
NO_PASSWORDS: dict[str, Any] = {
    "authentication_methods": {
        "password": {"enabled": False, "api_behavior": "optional"},
        "passkey": {"enabled": True},
    }
}
"""Of a connection that has none."""
PASSWORDLESS: dict[str, Any] = {"passkey_policy": {"passwordless_accounts": True}}
"""Of a connection with passwords, whose accounts may live without."""


async def ann_with_a_passkey(world: World, device: Authenticator, email: str = "ann@example.com") -> str:
    """Have somebody sign up with a passkey, and show that the address is theirs; return the user id."""
    await world.register(device, email)
    user_id = next(each["user_id"] for each in (await world.manage("GET", "/users")).json() if each["email"] == email)
    answer = await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    assert answer.status_code == 200, answer.text
    return str(user_id)


async def at_the_request(visitor: Visitor, **asked: str | None) -> Landed:
    """Go from the first page of a login to where somebody goes who cannot sign in."""
    landed = await visitor.authorize(asked)
    href = re.search(r'href="(/u/passkey-recovery\?state=[^"]+)"', landed.text)
    assert href, landed.text
    return await visitor.open(href[1])


async def at_the_code(visitor: Visitor, typed: str = "ann@example.com", **asked: str | None) -> Landed:
    """Ask for a code."""
    page = await at_the_request(visitor, **asked)
    return await visitor.send(page.form(PAGE), username=typed)


async def enter(visitor: Visitor, at: Landed, code: str) -> Landed:
    """Enter a code."""
    return await visitor.send(at.form(f"{PAGE}/code"), code=code)


async def at_the_passkey(world: World, visitor: Visitor, typed: str = "ann@example.com", to: str = "") -> Landed:
    """Ask for a code, and enter it."""
    landed = await enter(visitor, await at_the_code(visitor, typed), await world.code(to or typed))
    assert landed.path == f"{PAGE}/passkey", landed.text
    return landed


async def create(visitor: Visitor, at: Landed, device: Authenticator, **fields: str) -> Landed:
    """Create a passkey, as the page's script does; ``remove_others`` is a box, which is not ticked by itself."""
    form = at.form(f"{PAGE}/passkey")
    options = await visitor.options(at, f"{PAGE}/passkey")
    response = device.create(options["authn_params_public_key"], origin=PUBLIC_URL)
    answer = {"auth_session": options["auth_session"], "response": json.dumps(response)}
    return await visitor.send(Form(form.action, form.fields), **answer | fields)


async def recover(world: World, device: Authenticator, **fields: str) -> Landed:
    """Ann, all the way, with a browser of her own."""
    visitor = Visitor.of(world)
    return await create(visitor, await at_the_passkey(world, visitor), device, **fields)
