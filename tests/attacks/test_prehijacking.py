"""Somebody signs up with a stranger's address and waits in the account: nothing they left works for the stranger.

Whatever was there before an identifier was verified stops working when somebody else shows that it is theirs.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from authenticator import Authenticator
from keystead.db import tables
from keystead.ports import Verdict
from keystead.secrecy import Secret
from visitor import Form, Visitor
from world import PASSWORD, PUBLIC_URL, World

VICTIM = "victim@example.com"
Json = dict[str, Any]

NEW = "the password of the victim"
PHONE = "+14155552671"


async def squat(world: World) -> tuple[str, Authenticator, Json]:
    """Take a stranger's address: a password, a passkey, tokens, metadata; return what is to be dead later."""
    user_id = await world.person(VICTIM)
    await world.manage("PATCH", f"/users/{user_id}", {"user_metadata": {"a": "trap"}, "app_metadata": {"is": "ours"}})
    me = {"audience": f"{PUBLIC_URL}/me/", "scope": "openid offline_access create:me:authentication_methods"}
    tokens = await world.tokens(VICTIM, **me)
    device = Authenticator()
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username=VICTIM)
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    form = landed.form("/passkey-enrollment")
    options = await visitor.options(landed, "/passkey-enrollment")
    response = device.create(options["authn_params_public_key"], origin=PUBLIC_URL)
    await visitor.send(form, auth_session=options["auth_session"], response=json.dumps(response))
    assert (await world.passkey_login(device)).status_code == 200
    world.clock.advance(seconds=1)
    return user_id, device, tokens


async def is_dead(world: World, user_id: str, device: Authenticator, tokens: Json) -> None:
    """Nothing of the squatter's is left."""
    assert (await world.login(VICTIM)).status_code == 403
    assert (await world.passkey_login(device)).status_code >= 400
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 403
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    methods = "/me/v1/authentication-methods"
    assert (await world.client.post(methods, json={"type": "passkey"}, headers=bearer)).status_code == 401
    assert await world.open_sessions() == 0
    user = (await world.manage("GET", f"/users/{user_id}")).json()
    assert "user_metadata" not in user or user["user_metadata"] == {}
    assert "app_metadata" not in user or user["app_metadata"] == {}
    assert user["email_verified"] is True


async def test_a_reset_empties_an_account_that_nobody_had_verified(world: World) -> None:
    trap = await squat(world)
    body = {"client_id": world.client_id, "connection": world.connection, "email": VICTIM}
    await world.client.post("/dbconnections/change_password", json=body)
    visitor = Visitor.of(world)
    page = await visitor.open((await world.link(VICTIM)).rstrip("#"))
    await visitor.send(page.form(), password=NEW)
    await is_dead(world, *trap)
    assert (await world.login(VICTIM, NEW)).status_code == 200


async def test_opening_the_link_of_a_stranger_verifies_nothing_without_a_proof(world: World) -> None:
    user_id, _, _ = await squat(world)
    link, victim = await world.link(VICTIM), Visitor.of(world)
    page = await victim.open(link.rstrip("#"))
    await victim.send(Form(page.form().action), action="confirm")
    assert (await world.manage("GET", f"/users/{user_id}")).json()["email_verified"] is False


async def test_it_was_not_me(world: World) -> None:
    trap = await squat(world)
    victim = Visitor.of(world)
    page = await victim.open((await world.link(VICTIM, "/u/email-verification")).rstrip("#"))
    taken = await victim.send(Form(page.form().action), action="take-over")
    await is_dead(world, *trap)
    assert "/u/reset-password?ticket=" in taken.text
    address = taken.text.partition('href="' + PUBLIC_URL)[2].partition('"')[0]
    page = await victim.open(address.rstrip("#"))
    await victim.send(page.form(), password=NEW)
    assert (await world.login(VICTIM, NEW)).status_code == 200


async def test_it_was_not_me_where_there_are_only_passkeys(world: World) -> None:
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    device = Authenticator()
    await world.register(device, VICTIM)
    victim = Visitor.of(world)
    page = await victim.open((await world.link(VICTIM)).rstrip("#"))
    assert 'name="password"' not in page.text
    await victim.send(Form(page.form().action), action="take-over")
    assert (await world.passkey_login(device)).status_code >= 400
    assert await world.count(tables.Account) == 0
    await world.register(Authenticator(), VICTIM)


@pytest.mark.parametrize(("kind", "value"), [("email", VICTIM), ("phone_number", PHONE)])
async def test_whoever_proves_an_identifier_by_a_code_gets_it(world: World, kind: str, value: str) -> None:
    squatted = {kind: {"signup": {"status": "required"}}}
    await world.patch_options(attributes=squatted)
    body = {"client_id": world.client_id, "connection": world.connection, "password": PASSWORD, kind: value}
    trap = (await world.client.post("/dbconnections/signup", json=body)).json()["_id"]
    strict = {"status": "required", "verification": {"active": True}}
    method = {"verification_method": "code"} if kind == "email" else {}
    await world.patch_options(attributes={kind: {"signup": strict} | method})
    victim = Visitor.of(world)
    landed = await victim.authorize(screen_hint="signup")
    landed = await victim.send(landed.form("/signup/identifier"), **{kind: value})
    landed = await victim.send(landed.form("-identifier-challenge"), code=await world.code(value))
    landed = await victim.send(Form(landed.form("/signup/passkey").action), action="skip")
    landed = await victim.send(landed.form("/signup/password"), password=NEW)
    assert landed.answer["code"]
    assert (await world.login(value)).status_code == 403
    assert (await world.login(value, NEW)).status_code == 200
    (user,) = (await world.manage("GET", "/users")).json()
    assert user["user_id"] != f"auth0|{trap}"


async def test_a_proved_identifier_is_taken_from_nobody(world: World) -> None:
    user_id = await world.person(VICTIM)
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    strict = {"status": "required", "verification": {"active": True}}
    await world.patch_options(attributes={"email": {"verification_method": "code", "signup": strict}})
    other = Visitor.of(world)
    landed = await other.authorize(screen_hint="signup")
    landed = await other.send(landed.form("/signup/identifier"), email=VICTIM)
    assert landed.path == "/u/signup/identifier"
    assert [letter for letter in await world.letters() if "code" in letter.subject] == []


async def test_an_unverified_number_does_not_lead_into_an_account_of_somebody_verified(world: World) -> None:
    """Ann mistyped her phone number: whoever has that number must not get her account by a reset."""
    optional = {"signup": {"status": "optional"}}
    await world.patch_options(attributes={"email": optional, "phone_number": optional})
    answer = await world.signup(phone_number=PHONE)
    user_id = f"auth0|{answer.json()['_id']}"
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    stranger = Visitor.of(world)
    landed = await stranger.authorize()
    landed = await stranger.send(landed.form("/login/identifier"), username=PHONE)
    state = landed.form().action.partition("state=")[2]
    page = await stranger.open(f"/u/reset-password/request?state={state}")
    landed = await stranger.send(page.form(), username=PHONE)
    assert landed.path == "/u/reset-password/code"
    sent = [letter for letter in await world.letters() if "password" in letter.text]
    assert [letter.to for letter in sent] == ["ann@example.com"]


async def test_an_unverified_number_can_be_had_by_its_owner(world: World) -> None:
    """And Ann keeps her account, without the number."""
    optional = {"signup": {"status": "optional"}}
    await world.patch_options(attributes={"email": optional, "phone_number": optional})
    ann = f"auth0|{(await world.signup(phone_number=PHONE)).json()['_id']}"
    await world.manage("PATCH", f"/users/{ann}", {"email_verified": True})
    proved = {"signup": {"status": "optional", "verification": {"active": True}}}
    await world.patch_options(attributes={"email": optional, "phone_number": proved})
    owner = Visitor.of(world)
    landed = await owner.authorize(screen_hint="signup")
    landed = await owner.send(landed.form("/signup/identifier"), phone_number=PHONE)
    landed = await owner.send(landed.form("-identifier-challenge"), code=await world.code(PHONE))
    landed = await owner.send(Form(landed.form("/signup/passkey").action), action="skip")
    assert (await owner.send(landed.form("/signup/password"), password=NEW)).answer["code"]
    assert "phone_number" not in (await world.manage("GET", f"/users/{ann}")).json()
    assert (await world.login()).status_code == 200


async def both(world: World, password: str = PASSWORD) -> str:
    """Sign up with a stranger's address and one's own phone, on a connection that takes both; return the user id."""
    optional = {"signup": {"status": "optional"}}
    await world.patch_options(attributes={"email": optional, "phone_number": optional})
    return f"auth0|{(await world.signup(VICTIM, password, phone_number=PHONE)).json()['_id']}"


async def reset_by(world: World, typed: str) -> list[str]:
    """Ask on the pages for a way in; return to whom messages about it went."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username=typed)
    state = landed.form().action.partition("state=")[2]
    page = await visitor.open(f"/u/reset-password/request?state={state}")
    before = len(await world.letters())
    await visitor.send(page.form(), username=typed)
    return [letter.to for letter in (await world.letters())[: len(await world.letters()) - before]]


async def test_an_address_of_an_account_that_somebody_proved_otherwise_is_lost_and_not_the_account(
    world: World,
) -> None:
    """A squatter proved a phone of their own, or Ann mistyped her address: either keeps what is theirs."""
    owner = await both(world)
    link = await world.link(VICTIM)
    await world.manage("PATCH", f"/users/{owner}", {"phone_verified": True})
    victim = Visitor.of(world)
    page = await victim.open(link.rstrip("#"))
    taken = await victim.send(Form(page.form().action), action="take-over")
    assert "/u/reset-password" not in taken.text
    user = (await world.manage("GET", f"/users/{owner}")).json()
    assert "email" not in user
    assert (await world.login(PHONE)).status_code == 200, "whoever proved the phone keeps the account"
    assert (await world.signup(VICTIM, NEW)).status_code == 200, "and the address is free"


async def test_the_squatter_s_other_address_goes_with_the_rest(world: World) -> None:
    user_id = await both(world)
    body = {"client_id": world.client_id, "connection": world.connection, "email": VICTIM}
    await world.client.post("/dbconnections/change_password", json=body)
    victim = Visitor.of(world)
    page = await victim.open((await world.link(VICTIM)).rstrip("#"))
    await victim.send(page.form(), password=NEW)
    assert (await world.login(VICTIM, NEW)).status_code == 200
    assert "phone_number" not in (await world.manage("GET", f"/users/{user_id}")).json()
    assert await reset_by(world, PHONE) == []


async def test_what_the_squatter_had_to_verify_does_not_lock_the_owner_out(world: World) -> None:
    strict = {"signup": {"status": "optional", "verification": {"active": True}}}
    await world.patch_options(attributes={"email": {"signup": {"status": "optional"}}, "phone_number": strict})
    await world.signup(VICTIM, phone_number=PHONE)
    body = {"client_id": world.client_id, "connection": world.connection, "email": VICTIM}
    await world.client.post("/dbconnections/change_password", json=body)
    victim = Visitor.of(world)
    link = next(each.text for each in await world.letters() if each.to == VICTIM and "/u/reset-password" in each.text)
    page = await victim.open("/u/reset-password" + link.partition("/u/reset-password")[2].split()[0].rstrip("#"))
    await victim.send(page.form(), password=NEW)
    assert (await world.login(VICTIM, NEW)).status_code == 200


async def test_a_link_is_over_once_the_account_is_somebody_s(world: World) -> None:
    """Between the message and its use somebody proved the phone: the account is theirs."""
    user_id = await both(world)
    body = {"client_id": world.client_id, "connection": world.connection, "email": VICTIM}
    await world.client.post("/dbconnections/change_password", json=body)
    link = await world.link(VICTIM)
    await world.manage("PATCH", f"/users/{user_id}", {"phone_verified": True})
    page = await Visitor.of(world).open(link.rstrip("#"))
    refused = await Visitor.of(world).send(page.form(), password=NEW)
    assert refused.response.status_code == 400
    assert (await world.login(PHONE)).status_code == 200


async def test_an_address_that_looks_like_it_does_not_keep_it_from_its_owner(world: World) -> None:
    strict = {"status": "required", "verification": {"active": True}}
    await world.signup("stra\u00dfe@example.com")
    await world.patch_options(attributes={"email": {"verification_method": "code", "signup": strict}})
    owner = Visitor.of(world)
    landed = await owner.authorize(screen_hint="signup")
    landed = await owner.send(landed.form("/signup/identifier"), email="strasse@example.com")
    landed = await owner.send(landed.form("-identifier-challenge"), code=await world.code("strasse@example.com"))
    landed = await owner.send(Form(landed.form("/signup/passkey").action), action="skip")
    assert (await owner.send(landed.form("/signup/password"), password=NEW)).answer["code"]


async def test_a_passkey_that_comes_late_is_not_stored_after_a_reset(world: World) -> None:
    """The token was good when the request began; its body came after the account was signed out."""
    user_id, _, tokens = await squat(world)
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    begun = (await world.client.post("/me/v1/authentication-methods", json={"type": "passkey"}, headers=bearer)).json()
    device, sent = Authenticator(), asyncio.Event()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    body = json.dumps({"auth_session": begun["auth_session"], "authn_response": response}).encode()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:10]
        await sent.wait()
        yield body[10:]

    path = "/me/v1/authentication-methods/passkey%7Cnew/verify"
    headers = bearer | {"content-type": "application/json"}
    waiting = asyncio.create_task(world.client.post(path, content=slowly(), headers=headers))
    for _ in range(50):
        await asyncio.sleep(0)
    changed = await world.manage("PATCH", f"/users/{user_id}", {"password": NEW, "connection": world.connection})
    assert changed.status_code == 200
    sent.set()
    assert (await waiting).status_code >= 400
    assert (await world.passkey_login(device)).status_code >= 400


async def test_a_login_that_is_under_way_does_not_survive_a_new_password(world: World) -> None:
    """The old password was right when it was compared; before anybody is let in it is another."""
    user_id = await world.person()
    entered = asyncio.Event()
    verify = world.hasher.inner.verify

    async def slowly(password: bytes | None, stored: str | None, *, typed: Secret[str] | None = None) -> Verdict:
        verdict = await verify(password, stored, typed=typed)
        entered.set()
        await changed.wait()
        return verdict

    changed = asyncio.Event()
    world.hasher.inner.verify = slowly  # type: ignore[method-assign]  # bcrypt itself, on a slow machine
    waiting = asyncio.create_task(world.login(scope="openid offline_access"))
    await entered.wait()
    world.clock.advance(seconds=1)
    await world.manage("PATCH", f"/users/{user_id}", {"password": NEW, "connection": world.connection})
    world.clock.advance(seconds=1)
    changed.set()
    assert (await waiting).status_code == 403
    assert await world.count(tables.RefreshToken) == 0
