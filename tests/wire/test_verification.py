"""Addresses are verified by links and by codes, before or after the account can be used (VF-1 to VF-7, ID-19)."""

from typing import Any

import pytest

from authenticator import Authenticator
from keystead.db import tables
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

PHONE = "+14155552671"


def attributes(kind: str = "email", *, method: str = "link", active: bool = True) -> dict[str, Any]:
    """Options whose one identifier must be verified at sign-up."""
    signup = {"status": "required", "verification": {"active": active}}
    return {kind: {"signup": signup} | ({"verification_method": method} if kind == "email" else {})}


async def verified(world: World, user_id: str) -> dict[str, Any]:
    """What the Management API says about what was verified."""
    found = (await world.manage("GET", f"/users/{user_id}")).json()
    return {name: found.get(name) for name in ("email_verified", "phone_verified") if name in found}


async def confirmed(world: World, visitor: Visitor, link: str, **fields: str) -> Landed:
    """Open a link, and send the page's form."""
    page = await visitor.open(link.rstrip("#"))
    assert page.response.status_code == 200, page.text
    return await visitor.send(page.form("/email-verification"), **fields)


async def identified(visitor: Visitor, **identifiers: str) -> Landed:
    """Begin to sign up, as far as the first page after the identifiers."""
    landed = await visitor.authorize(screen_hint="signup")
    return await visitor.send(landed.form("/signup/identifier"), **identifiers)


async def with_password(visitor: Visitor, at: Landed) -> Landed:
    """Go on with a password."""
    if at.path == "/u/signup/passkey":
        at = await visitor.send(Form(at.form("/signup/passkey").action), action="skip")
    return await visitor.send(at.form("/signup/password"), password=PASSWORD)


async def test_a_sign_up_sends_a_link_that_verifies_once(world: World) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await identified_page(visitor))
    assert landed.answer["code"]
    link = await world.link()
    (user,) = (await world.manage("GET", "/users")).json()
    assert await verified(world, user["user_id"]) == {"email_verified": False}
    seen = await visitor.open(link.rstrip("#"))
    assert await verified(world, user["user_id"]) == {"email_verified": False}, "looking at it changes nothing"
    done = await visitor.send(seen.form("/email-verification"))
    assert done.response.status_code == 200
    assert await verified(world, user["user_id"]) == {"email_verified": True}
    again = await visitor.open(link.rstrip("#"))
    assert again.response.status_code == 400
    assert "sv" in await world.journal(user["user_id"])
    assert next(letter.subject for letter in await world.letters()).startswith("Welcome")


async def identified_page(visitor: Visitor) -> Landed:
    """The first page of a sign-up."""
    return await visitor.authorize(screen_hint="signup")


async def test_a_link_lives_five_days(world: World) -> None:
    await world.signup()
    link = await world.link()
    world.clock.advance(seconds=431_999)
    assert (await Visitor.of(world).open(link)).response.status_code == 200
    world.clock.advance(seconds=1)
    assert (await Visitor.of(world).open(link)).response.status_code == 400


async def test_a_verified_address_is_said_to_be_verified_already(world: World) -> None:
    user_id = await world.person()
    link = await world.link()
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    visitor = Visitor.of(world)
    page = await visitor.open(link.rstrip("#"))
    assert "Already confirmed" in page.text
    assert "Already confirmed" in (await visitor.send(page.form("/email-verification"))).text


async def test_another_browser_confirms_with_the_password(world: World) -> None:
    user_id = await world.person()
    link, visitor = await world.link(), Visitor.of(world)
    wrong = await confirmed(world, visitor, link, password="not the password")
    assert wrong.response.status_code >= 400
    assert "not the password of this account" in wrong.text
    assert await verified(world, user_id) == {"email_verified": False}
    done = await confirmed(world, visitor, link, password=PASSWORD)
    assert done.response.status_code == 200
    assert await verified(world, user_id) == {"email_verified": True}
    assert (await world.login()).status_code == 200


async def test_guesses_at_the_page_are_charged(world: World) -> None:
    await world.signup()
    link, visitor = await world.link(), Visitor.of(world)
    answers = [
        (await confirmed(world, visitor, link, password=world.wrong_password())).response.status_code for _ in range(11)
    ]
    assert answers[-1] == 429
    assert answers[0] != 429
    assert world.hasher.verified == 10


async def test_whoever_is_signed_in_confirms_with_a_button(world: World) -> None:
    user_id = await world.person()
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    assert (await confirmed(world, visitor, await world.link())).response.status_code == 200
    assert await verified(world, user_id) == {"email_verified": True}


async def test_an_account_that_must_be_verified_first_lets_nobody_in(world: World) -> None:
    assert (await world.patch_options(attributes=attributes())).status_code == 200
    user_id = await world.person()
    stranger, owner = await world.guess(), await world.login()
    assert (stranger.status_code, stranger.json()) == (owner.status_code, owner.json()) == (403, stranger.json())
    done = await confirmed(world, Visitor.of(world), await world.link(), password=PASSWORD)
    assert done.response.status_code == 200
    assert (await world.login()).status_code == 200
    assert await verified(world, user_id) == {"email_verified": True}


async def test_the_link_is_sent_again_to_whoever_knows_the_password(world: World) -> None:
    await world.patch_options(attributes=attributes())
    await world.signup()
    first = await world.link()
    for _ in range(5):
        await world.login()
    links = [letter for letter in await world.letters() if "/u/email-verification" in letter.text]
    assert len(links) == 3, "two more, and then no more for a while"
    assert (await Visitor.of(world).open(first.rstrip("#"))).response.status_code == 400, (
        "a newer mail ends older links"
    )


async def test_signing_up_on_the_page_waits_for_the_link(world: World) -> None:
    await world.patch_options(attributes=attributes())
    visitor = Visitor.of(world)
    landed = await with_password(visitor, await identified(visitor, email="ann@example.com"))
    assert landed.path == "/u/verification-pending"
    assert not any("session" in cookie for cookie in visitor.client.cookies)
    state = landed.form().action.partition("state=")[2]
    assert (await visitor.open(f"/u/login?state={state}")).path == "/u/verification-pending"
    assert (await confirmed(world, visitor, await world.link())).response.status_code == 200, "the browser that asked"
    landed = await visitor.send(landed.form())
    assert (await visitor.log_in(landed)).answer["code"]


async def test_a_passkey_sign_up_waits_for_the_link_too(world: World) -> None:
    await world.patch_options(attributes=attributes())
    device = Authenticator()
    begun = (await world.begin_register()).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await world.exchange(begun["auth_session"], response)).status_code == 403
    assert await world.count(tables.Passkey) == 1, "the account is there, and waits"
    assert (await world.passkey_login(device)).status_code == 403
    (user,) = (await world.manage("GET", "/users")).json()
    await world.manage("PATCH", f"/users/{user['user_id']}", {"email_verified": True})
    assert (await world.passkey_login(device)).status_code == 200


@pytest.mark.parametrize(("kind", "value"), [("email", "ann@example.com"), ("phone_number", PHONE)])
async def test_a_code_comes_before_the_account(world: World, kind: str, value: str) -> None:
    await world.patch_options(attributes=attributes(kind, method="otp"))
    visitor = Visitor.of(world)
    landed = await identified(visitor, **{kind: value})
    assert landed.path == f"/u/{'email' if kind == 'email' else 'phone'}-identifier-challenge"
    assert value in landed.text
    assert await world.count(tables.Account) == 0
    landed = await visitor.send(landed.form("-identifier-challenge"), code=await world.code(value))
    landed = await with_password(visitor, landed)
    assert landed.answer["code"]
    (user,) = (await world.manage("GET", "/users")).json()
    assert await verified(world, user["user_id"]) == {f"{'email' if kind == 'email' else 'phone'}_verified": True}


async def test_both_are_asked_for_in_turn(world: World) -> None:
    await world.patch_options(attributes=attributes("email", method="code") | attributes("phone_number"))
    visitor = Visitor.of(world)
    landed = await identified(visitor, email="ann@example.com", phone_number=PHONE)
    landed = await visitor.send(landed.form("-identifier-challenge"), code=await world.code("ann@example.com"))
    assert landed.path == "/u/phone-identifier-challenge"
    landed = await visitor.send(landed.form("-identifier-challenge"), code=await world.code(PHONE))
    assert (await with_password(visitor, landed)).answer["code"]


async def test_no_page_lets_anybody_go_round_the_code(world: World) -> None:
    await world.patch_options(attributes=attributes(method="code"))
    visitor = Visitor.of(world)
    state = (await identified(visitor, email="ann@example.com")).form().action.partition("state=")[2]
    for page in ("signup/passkey", "signup/password", "login/password", "verification-pending", "passkey-enrollment"):
        landed = await visitor.open(f"/u/{page}?state={state}")
        assert landed.path == "/u/email-identifier-challenge", page
        sent = await visitor.send(Form(f"/u/{page}?state={state}"), password=PASSWORD)
        assert sent.path == "/u/email-identifier-challenge", page
    options = await visitor.client.post(f"/u/signup/passkey/options?state={state}")
    assert options.status_code >= 400
    assert await world.count(tables.Account) == 0


async def test_a_code_is_tried_five_times_and_lives_a_quarter_of_an_hour(world: World) -> None:
    await world.patch_options(attributes=attributes(method="code"))
    visitor = Visitor.of(world)
    landed = await identified(visitor, email="ann@example.com")
    code = await world.code()
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(5):
        refused = await visitor.send(landed.form("-identifier-challenge"), code=wrong)
        assert "The code is wrong" in refused.text
    assert "The code is wrong" in (await visitor.send(landed.form("-identifier-challenge"), code=code)).text
    resend = next(form for form in landed.forms() if "action" in form.fields)
    assert "another code" in (await visitor.send(resend)).text
    newer = await world.code()
    world.clock.advance(seconds=901)
    assert "The code is wrong" in (await visitor.send(landed.form("-identifier-challenge"), code=newer)).text


async def test_only_so_many_codes_are_sent(world: World) -> None:
    await world.patch_options(attributes=attributes(method="code"))
    visitor = Visitor.of(world)
    landed = await identified(visitor, email="ann@example.com")
    resend = next(form for form in landed.forms() if "action" in form.fields)
    answers = [(await visitor.send(resend)).response.status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    assert len(await world.letters()) == 5


async def test_changing_the_address_asks_for_another_code(world: World) -> None:
    await world.patch_options(attributes=attributes(method="code"))
    visitor = Visitor.of(world)
    landed = await identified(visitor, email="ann@example.com")
    code = await world.code()
    state = landed.form().action.partition("state=")[2]
    back = await visitor.open(f"/u/signup/identifier?state={state}")
    landed = await visitor.send(back.form("/signup/identifier"), email="victim@example.com")
    assert landed.path == "/u/email-identifier-challenge"
    assert (await visitor.send(landed.form(), code=code)).path == "/u/email-identifier-challenge"
