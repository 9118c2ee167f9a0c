"""Accounts that nobody can get into yet, and addresses that nobody has verified: nobody gets in by being there first.

Rows 5 and 18: an account without any credential takes none without a secret that the server sent to its owner; and a
passkey that somebody put in before an address was verified opens nothing once it is.
"""

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest

from account import MyAccount
from authenticator import Authenticator
from keystead.db import tables
from recovery import NO_PASSWORDS, PAGE, PASSWORDLESS, at_the_code, enter
from visitor import Form, Visitor
from world import PASSWORD, PUBLIC_URL, World

BARE, VICTIM = "bare@example.com", "victim@example.com"
WITH_BOTH = {"password": {"enabled": True, "api_behavior": "optional"}, "passkey": {"enabled": True}}
BY_CODE = {"verification_method": "code", "signup": {"status": "required", "verification": {"active": True}}}


async def made(world: World, *, verified: bool) -> str:
    """Have an administrator make an account without any credential; return its id."""
    body = {"connection": world.connection, "email": BARE, "email_verified": verified, "verify_email": False}
    answer = await world.manage("POST", "/users", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["user_id"])


# --- every way to a credential, tried by somebody who knows the address and the id alone -----------------------------

Route = Callable[[World, str, Authenticator], Awaitable[httpx.Response]]


async def by_signing_up(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    return await world.signup(BARE, PASSWORD)


async def by_signing_up_with_a_passkey(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    return await world.begin_register(BARE)


async def by_the_pages_of_a_sign_up(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    visitor = Visitor.of(world)
    page = await visitor.authorize(screen_hint="signup")
    return (await visitor.send(page.form("/signup/identifier"), email=BARE)).response


async def by_the_page_that_offers_a_passkey(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    visitor = Visitor.of(world)
    state = (await visitor.authorize()).response.url.params["state"]
    return (await visitor.send(Form(f"/u/passkey-enrollment/options?state={state}"))).response


async def by_my_account(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    return await MyAccount(world, "a token of mine").start()


async def by_recovery_without_a_code(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    visitor = Visitor.of(world)
    page = await at_the_code(visitor, BARE)
    state = page.response.url.params["state"]
    return (await visitor.send(Form(f"{PAGE}/passkey/options?state={state}"))).response


async def by_recovery_with_a_guess(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    visitor = Visitor.of(world)
    return (await enter(visitor, await at_the_code(visitor, BARE), "000000")).response


async def by_the_code_of_a_reset(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    visitor = Visitor.of(world)
    state = (await visitor.authorize()).response.url.params["state"]
    await visitor.send(Form(f"/u/reset-password/request?state={state}"), username=BARE)
    return (await visitor.send(Form(f"/u/reset-password/code?state={state}"), code="000000")).response


async def by_a_made_up_ticket(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    return await world.client.post(f"/u/reset-password?ticket={user_id}", data={"password": PASSWORD})


async def by_a_made_up_verification(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    return await world.client.post(f"/u/email-verification?ticket={user_id}", data={"action": "take-over"})


async def by_logging_in_with_no_password(world: World, user_id: str, device: Authenticator) -> httpx.Response:
    return await world.login(BARE, "")


ROUTES: list[Route] = [
    *(by_signing_up, by_signing_up_with_a_passkey, by_the_pages_of_a_sign_up, by_the_page_that_offers_a_passkey),
    *(by_my_account, by_recovery_without_a_code, by_recovery_with_a_guess, by_the_code_of_a_reset),
    *(by_a_made_up_ticket, by_a_made_up_verification, by_logging_in_with_no_password),
]


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "unverified"])
@pytest.mark.parametrize("route", ROUTES)
async def test_incident_5_an_account_without_a_credential_takes_none_from_a_stranger(
    world: World, route: Route, verified: bool
) -> None:
    await world.patch_options(authentication_methods=WITH_BOTH, **PASSWORDLESS)
    user_id = await made(world, verified=verified)
    answer = await route(world, user_id, Authenticator())
    assert answer.status_code in (400, 401, 403), answer.text
    methods = await world.manage("GET", f"/users/{user_id}/authentication-methods")
    assert methods.json() == []
    assert await world.count(tables.Account) == 1
    assert await world.open_sessions() == 0


async def test_its_owner_gets_in_by_what_the_server_sent_them(world: World) -> None:
    await world.patch_options(**NO_PASSWORDS)
    await made(world, verified=True)
    visitor, device = Visitor.of(world), Authenticator()
    page = await enter(visitor, await at_the_code(visitor, BARE), await world.code(BARE))
    options = await visitor.options(page, f"{PAGE}/passkey")
    response = device.create(options["authn_params_public_key"], origin=PUBLIC_URL)
    answer = {"auth_session": options["auth_session"], "response": json.dumps(response)}
    assert (await visitor.send(Form(page.form(f"{PAGE}/passkey").action), **answer)).response.status_code == 200
    assert (await world.passkey_login(device)).status_code == 200


# --- an address that nobody has verified ---------------------------------------------------------------------------


async def squat(world: World) -> Authenticator:
    """Sign up with a stranger's address and a passkey of one's own."""
    device = Authenticator()
    await world.register(device, VICTIM)
    return device


async def test_recovery_refuses_an_address_that_nobody_verified(world: World) -> None:
    """Or whoever reads the address would sit in one account with whoever made it."""
    await world.patch_options(**NO_PASSWORDS)
    await squat(world)
    visitor = Visitor.of(world)
    page = await at_the_code(visitor, VICTIM)
    assert "is your code" not in " ".join(letter.subject for letter in await world.letters())
    for guess in ("000000", "123456"):
        assert (await enter(visitor, page, guess)).response.status_code == 403


@pytest.mark.parametrize("options", [NO_PASSWORDS, PASSWORDLESS], ids=["no passwords", "passwordless accounts"])
async def test_incident_18_a_passkey_that_was_there_before_does_not_survive_the_sign_up_of_the_owner(
    world: World, options: dict[str, object]
) -> None:
    await world.patch_options(**options)
    trap = await squat(world)
    await world.patch_options(attributes={"email": BY_CODE})
    victim, device = Visitor.of(world), Authenticator()
    page = await victim.authorize(screen_hint="signup")
    page = await victim.send(page.form("/signup/identifier"), email=VICTIM)
    page = await victim.send(page.form("-identifier-challenge"), code=await world.code(VICTIM))
    begun = await victim.options(page, "/signup/passkey")
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answer = {"auth_session": begun["auth_session"], "response": json.dumps(response)}
    assert "code" in (await victim.send(Form(page.form("/signup/passkey").action), **answer)).answer
    assert (await world.passkey_login(trap)).status_code == 403
    assert (await world.passkey_login(device)).status_code == 200


async def test_incident_18_a_passkey_that_was_there_before_does_not_survive_a_reset_by_the_owner(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    trap = await squat(world)
    body = {"client_id": world.client_id, "connection": world.connection, "email": VICTIM}
    await world.client.post("/dbconnections/change_password", json=body)
    page = await Visitor.of(world).open((await world.link(VICTIM)).rstrip("#"))
    await Visitor.of(world).send(page.form(), password="another horse battery")
    assert (await world.passkey_login(trap)).status_code == 403
    visitor = Visitor.of(world)
    code_page = await at_the_code(visitor, VICTIM)
    code = await world.code(VICTIM)
    assert (await enter(visitor, code_page, code)).path == f"{PAGE}/passkey", "and now the address is theirs"
    assert await world.count(tables.Passkey) == 0


async def test_a_recovery_under_way_does_not_survive_it_either(world: World) -> None:
    """The squatter verified a number of their own, and is at the page for a new passkey when the owner comes."""
    phone = "+14155552671"
    optional = {"signup": {"status": "optional"}}
    await world.patch_options(attributes={"email": optional, "phone_number": optional}, **PASSWORDLESS)
    user_id = f"auth0|{(await world.signup(VICTIM, phone_number=phone)).json()['_id']}"
    link = (await world.link(VICTIM)).rstrip("#")
    await world.manage("PATCH", f"/users/{user_id}", {"phone_verified": True})
    squatter = Visitor.of(world)
    page = await enter(squatter, await at_the_code(squatter, phone), await world.code(phone))
    assert page.path == f"{PAGE}/passkey"
    victim = Visitor.of(world)
    asked = await victim.open(link)
    await victim.send(Form(asked.form().action), action="take-over")
    assert (await squatter.open(str(page.response.url))).path == PAGE
    user = (await world.manage("GET", f"/users/{user_id}")).json()
    assert "email" not in user, "the number was proved: whoever did keeps the account, without the address"
