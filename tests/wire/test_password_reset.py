"""Somebody who forgot their password chooses a new one (RS-1 to RS-5)."""

from typing import Any

import pytest

from authenticator import Authenticator
from keystead.db import tables
from visitor import Landed, Visitor
from world import PASSWORD, World

NEW = "another horse battery"
SAID = "We've just sent you an email to reset your password."
PHONE = "+14155552671"


async def ask(world: World, email: str = "ann@example.com", **more: Any) -> Any:
    """Ask for a link by API."""
    body = {"client_id": world.client_id, "connection": world.connection, "email": email}
    return await world.client.post("/dbconnections/change_password", json=body | more)


async def choose(world: World, link: str, password: str = NEW, visitor: Visitor | None = None) -> Landed:
    """Follow a link and choose a password."""
    visitor = visitor or Visitor.of(world)
    page = await visitor.open(link.rstrip("#"))
    assert page.response.status_code == 200, page.text
    assert 'autocomplete="new-password"' in page.text
    return await visitor.send(page.form("/reset-password"), password=password)


async def test_a_link_sets_a_password_once(world: World) -> None:
    user_id = await world.person()
    answer = await ask(world)
    assert (answer.status_code, answer.text) == (200, SAID)
    link = await world.link()
    assert (await choose(world, link)).response.status_code == 200
    assert (await world.login(password=NEW)).status_code == 200
    assert (await world.login()).status_code == 403
    assert (await Visitor.of(world).open(link.rstrip("#"))).response.status_code == 400
    user = (await world.manage("GET", f"/users/{user_id}")).json()
    assert user["last_password_reset"]
    assert user["email_verified"] is True
    assert {"scpr", "scp"} <= set(await world.journal(user_id))


async def test_everybody_gets_the_same_answer(world: World) -> None:
    await world.signup()
    known, unknown = await ask(world), await ask(world, "nobody@example.com")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert [letter.to for letter in await world.letters() if "/u/reset-password" in letter.text] == ["ann@example.com"]


@pytest.mark.parametrize(
    "changes", [{"email": None}, {"email": ""}, {"email": 5}, {"connection": None}, {"client_id": None}]
)
async def test_what_is_missing(world: World, changes: dict[str, Any]) -> None:
    assert (await ask(world, **changes)).status_code == 400


async def test_resets_that_are_off(world: World) -> None:
    await world.signup()
    await world.patch_options(disable_self_service_change_password=True)
    assert (await ask(world)).status_code == 400
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    assert "Forgot your password" not in landed.text


async def test_a_newer_mail_ends_the_older_link(world: World) -> None:
    await world.signup()
    await ask(world)
    old = await world.link()
    await ask(world)
    assert (await Visitor.of(world).open(old.rstrip("#"))).response.status_code == 400
    assert (await choose(world, await world.link())).response.status_code == 200


async def test_a_password_that_was_changed_meanwhile_ends_the_link(world: World) -> None:
    user_id = await world.person()
    await ask(world)
    link = await world.link()
    changed = await world.manage(
        "PATCH", f"/users/{user_id}", {"password": "yet another horse", "connection": world.connection}
    )
    assert changed.status_code == 200
    assert (await Visitor.of(world).open(link.rstrip("#"))).response.status_code == 400


async def test_links_live_five_days_or_an_hour(world: World) -> None:
    await world.signup()
    await ask(world)
    link = await world.link()
    world.clock.advance(seconds=431_999)
    assert (await Visitor.of(world).open(link.rstrip("#"))).response.status_code == 200
    await world.patch_options(security_profile="hardened")
    world.clock.advance(hours=1)
    await ask(world)
    link = await world.link()
    world.clock.advance(seconds=3601)
    assert (await Visitor.of(world).open(link.rstrip("#"))).response.status_code == 400


async def test_sessions_and_tokens_end_and_blocks_are_lifted(world: World) -> None:
    await world.signup()
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    refresh = (await world.tokens(scope="openid offline_access"))["refresh_token"]
    for _ in range(11):
        blocked = await world.guess()
    assert blocked.status_code == 429
    await ask(world)
    await choose(world, await world.link(page="/u/reset-password"))
    assert (await world.login(password=NEW)).status_code == 200
    assert (await world.token("refresh_token", refresh_token=refresh)).status_code == 403
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"


async def test_a_weak_password_leaves_the_link_as_it_was(world: World) -> None:
    await world.signup()
    await ask(world)
    link, visitor = await world.link(), Visitor.of(world)
    assert (await choose(world, link, "short", visitor)).response.status_code == 400
    assert (await choose(world, link, NEW, visitor)).response.status_code == 200


async def test_ten_mails_and_then_one_a_minute(world: World) -> None:
    await world.signup()
    answers = [(await ask(world)).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]
    world.clock.advance(seconds=61)
    assert (await ask(world)).status_code == 200


async def test_passkeys_of_a_proved_account_stay(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    (user,) = (await world.manage("GET", "/users")).json()
    await world.manage("PATCH", f"/users/{user['user_id']}", {"email_verified": True})
    await ask(world)
    await choose(world, await world.link())
    assert (await world.passkey_login(device)).status_code == 200


async def at_the_request(visitor: Visitor, typed: str) -> Landed:
    """Go to where a way in is asked for, and ask."""
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username=typed)
    state = landed.form().action.partition("state=")[2].partition("&")[0]
    page = await visitor.open(f"/u/reset-password/request?state={state}")
    return await visitor.send(page.form("/reset-password/request"), username=typed)


async def test_the_page_sends_a_link(world: World) -> None:
    await world.signup()
    visitor = Visitor.of(world)
    known = await at_the_request(visitor, "ann@example.com")
    unknown = await at_the_request(Visitor.of(world), "nobody@example.com")
    assert "we have sent a message with a link" in known.text
    assert known.text.count("<form") == unknown.text.count("<form")
    assert (await choose(world, await world.link())).response.status_code == 200


@pytest.mark.parametrize(("kind", "value"), [("email", "ann@example.com"), ("phone_number", PHONE)])
async def test_the_page_sends_a_code(world: World, kind: str, value: str) -> None:
    options = {kind: {"verification_method": "code"} if kind == "email" else {}}
    assert (await world.patch_options(attributes=options)).status_code == 200
    body = {"client_id": world.client_id, "connection": world.connection, "password": PASSWORD, kind: value}
    assert (await world.client.post("/dbconnections/signup", json=body)).status_code == 200
    visitor = Visitor.of(world)
    landed = await at_the_request(visitor, value)
    assert landed.path == "/u/reset-password/code"
    code = await world.code(value)
    assert "wrong" in (await visitor.send(landed.form(), code=f"{(int(code) + 1) % 10**6:06d}")).text
    landed = await visitor.send(landed.form(), code=code)
    assert landed.path == "/u/reset-password"
    assert (await visitor.send(landed.form(), password=NEW)).response.status_code == 200
    assert (await world.login(value, NEW)).status_code == 200


async def test_the_page_asks_nobody_for_a_code_all_the_same(world: World) -> None:
    await world.patch_options(attributes={"email": {"verification_method": "code"}})
    visitor = Visitor.of(world)
    landed = await at_the_request(visitor, "nobody@example.com")
    assert landed.path == "/u/reset-password/code"
    assert await world.letters() == []
    assert await world.count(tables.OneTimeCode) == 1
    assert "wrong" in (await visitor.send(landed.form(), code="123456")).text


async def test_another_browser_cannot_use_the_code(world: World) -> None:
    await world.patch_options(attributes={"email": {"verification_method": "code"}})
    await world.signup()
    await at_the_request(Visitor.of(world), "ann@example.com")
    code = await world.code()
    other = Visitor.of(world)
    landed = await at_the_request(other, "nobody@example.com")
    assert "wrong" in (await other.send(landed.form(), code=code)).text


async def test_password_managers_find_the_page(world: World) -> None:
    await world.signup()
    answer = await world.client.get("/.well-known/change-password")
    assert (answer.status_code, answer.headers["location"]) == (303, "/u/change-password")
    visitor = Visitor.of(world)
    page = await visitor.open("/.well-known/change-password")
    assert "message with a link" in (await visitor.send(page.form(), username="ann@example.com")).text
    assert (await choose(world, await world.link())).response.status_code == 200
