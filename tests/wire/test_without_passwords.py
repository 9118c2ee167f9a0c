"""Every door, where a connection has no passwords, and where some of its accounts have none."""

import re
from typing import Any

import httpx
import pytest

from account import MyAccount
from authenticator import Authenticator
from keystead.db import tables
from recovery import NO_PASSWORDS, PASSWORDLESS, ann_with_a_passkey
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, REALM_GRANT, World

ANN, BARE = "ann@example.com", "bare@example.com"
WRONG = {"error": "invalid_grant", "error_description": "Wrong email or password."}


@pytest.fixture
async def bare(world: World) -> World:
    """A connection without passwords: Ann has a passkey, and a password of former times; another has nothing."""
    user_id = await world.person(ANN)
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    answer = await world.patch_options(**NO_PASSWORDS)
    assert answer.status_code == 200, answer.text
    made = await world.manage("POST", "/users", {"connection": world.connection, "email": BARE})
    assert made.status_code == 201, made.text
    return world


async def user_of(world: World, email: str) -> str:
    """Return whose address it is."""
    users = (await world.manage("GET", "/users")).json()
    return next(str(each["user_id"]) for each in users if each.get("email") == email)


# --- logging in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", [ANN, BARE, "nobody@example.com"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong", "", "x" * 10_000], ids=["right", "wrong", "none", "long"])
async def test_every_password_grant_answers_as_for_a_wrong_password(bare: World, email: str, password: str) -> None:
    """Also for the right password of former times; with the work of one hash."""
    before = bare.hasher.verified
    realm = {"grant_type": REALM_GRANT, "realm": bare.connection}
    for answer in (await bare.login(email, password), await bare.login(email, password, **realm)):
        assert (answer.status_code, answer.json()) == (403, WRONG)
    assert bare.hasher.verified == before + 2
    assert bare.hasher.hashed == 1, "her own, when she signed up"


async def test_guesses_are_charged_all_the_same(bare: World) -> None:
    for _ in range(10):
        await bare.guess(BARE)
    assert (await bare.guess(BARE)).status_code == 429


async def test_the_login_page_asks_for_no_password(bare: World) -> None:
    visitor = Visitor.of(bare)
    page = await visitor.authorize()
    assert page.path == "/u/login/identifier"
    assert 'type="password"' not in page.text
    state = page.response.url.params["state"]
    told = await visitor.send(page.form("/login/identifier"), username=ANN)
    assert told.response.status_code == 400
    assert "Passwords are not used here." in told.text
    assert (await visitor.open(f"/u/login/password?state={state}")).path == "/u/login/identifier"
    tried = await visitor.send(Form(f"/u/login/password?state={state}"), password=PASSWORD)
    assert tried.path == "/u/login/identifier"
    assert await bare.open_sessions() == 0


async def test_on_the_pages_an_account_without_a_password_looks_like_any_other(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    await ann_with_a_passkey(world, Authenticator(), BARE)
    await world.person(ANN)
    shown = []
    for email in (ANN, BARE, "nobody@example.com"):
        visitor = Visitor.of(world)
        page = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=email)
        refused = await visitor.send(page.form("/login/password"), password="wrong")
        shown.append(
            [
                (each.response.status_code, re.sub(r"state=[\w-]+", "", each.text.replace(email, "")))
                for each in (page, refused)
            ]
        )
    assert shown[0] == shown[1] == shown[2]


# --- becoming an account -------------------------------------------------------------------------------------------


async def test_the_pages_sign_up_with_a_passkey_alone(bare: World) -> None:
    visitor = Visitor.of(bare)
    page = await visitor.authorize(screen_hint="signup")
    landed = await visitor.send(page.form("/signup/identifier"), email="new@example.com")
    assert landed.path == "/u/signup/passkey"
    assert "password instead" not in landed.text
    state = landed.response.url.params["state"]
    skipped = await visitor.send(Form(landed.form("/signup/passkey").action), action="skip")
    assert skipped.path == "/u/signup/passkey"
    forced = await visitor.send(Form(f"/u/signup/password?state={state}"), password=PASSWORD)
    assert forced.path == "/u/signup/passkey"
    assert await bare.count(tables.Account) == 2


async def test_sign_up_by_api(bare: World) -> None:
    refused = await bare.signup("new@example.com", PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_signup")
    assert refused.json()["description"] == "password is not allowed"
    assert (await bare.signup("new@example.com", None)).status_code == 200
    device = Authenticator()
    await bare.register(device, "other@example.com")
    assert (await bare.passkey_login(device)).status_code == 200


async def test_nobody_looks_a_password_up_that_is_not_taken(bare: World) -> None:
    """The shields are for passwords that count: a refused one is judged by nobody."""
    shields = {"enabled": True, "stage": {"pre-user-registration": {"shields": ["block"]}}}
    assert (await bare.manage("PATCH", "/attack-protection/breached-password-detection", shields)).status_code == 200
    leaked = "AUTH0-TEST-a long enough one"
    assert (await bare.signup("new@example.com", leaked)).json()["code"] == "invalid_signup"
    assert (await bare.login(ANN, leaked)).json() == WRONG
    assert not {"signup_pwd_leak", "pwd_leak"} & set(await bare.journal())


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_an_administrator_cannot_set_one(bare: World, method: str) -> None:
    path = "/users" if method == "POST" else f"/users/{await user_of(bare, BARE)}"
    body = {"connection": bare.connection, "password": PASSWORD} | (
        {"email": "new@example.com"} if method == "POST" else {}
    )
    refused = await bare.manage(method, path, body)
    assert refused.status_code == 400
    assert refused.json()["message"] == (
        "Payload validation error: 'The connection does not take passwords.' on property password."
    )
    assert await bare.count(tables.Account) == 2


async def test_an_administrator_makes_accounts_without(bare: World) -> None:
    methods = await bare.manage("GET", f"/users/{await user_of(bare, BARE)}/authentication-methods")
    assert methods.json() == []


async def test_an_owner_cannot_set_one_either(bare: World) -> None:
    device = Authenticator()
    await bare.register(device, "new@example.com")
    asked = {"audience": f"{PUBLIC_URL}/me/", "scope": "create:me:authentication_methods"}
    mine = MyAccount(bare, (await bare.passkey_login(device, **asked)).json()["access_token"])
    refused = await mine.call("POST", "", json={"type": "password"})
    assert (refused.status_code, refused.json()["detail"]) == (400, "Passwords cannot be changed here.")


# --- other passwords -----------------------------------------------------------------------------------------------


async def ask(world: World, email: str) -> httpx.Response:
    """Ask for a link to another password by API."""
    body = {"client_id": world.client_id, "connection": world.connection, "email": email}
    return await world.client.post("/dbconnections/change_password", json=body)


async def test_there_is_no_reset(bare: World) -> None:
    """For nobody: it is said of the connection, and looks no account up."""
    for email in (ANN, BARE, "nobody@example.com"):
        refused = await ask(bare, email)
        assert refused.status_code == 400
        assert refused.json()["description"] == "Password reset is not available for this connection."
    for email in (ANN, BARE):
        refused = await bare.manage("POST", "/tickets/password-change", {"user_id": await user_of(bare, email)})
        assert refused.status_code == 400
        assert refused.json()["message"] == "The user's main connection does not support this operation."
    assert not [letter for letter in await bare.letters() if "password" in letter.text]


async def test_the_page_of_a_reset_leads_to_the_recovery(bare: World) -> None:
    visitor = Visitor.of(bare)
    state = (await visitor.authorize()).response.url.params["state"]
    assert (await visitor.open(f"/u/reset-password/request?state={state}")).path == "/u/passkey-recovery"
    sent = await visitor.send(Form(f"/u/reset-password/request?state={state}"), username=ANN)
    assert sent.path == "/u/passkey-recovery"


@pytest.mark.parametrize("by", ["a mail", "an administrator"])
async def test_a_link_is_over_once_passwords_are_switched_off(world: World, by: str) -> None:
    user_id = await world.person(ANN)
    if by == "a mail":
        await ask(world, ANN)
        link = await world.link()
    else:
        ticket = await world.manage("POST", "/tickets/password-change", {"user_id": user_id})
        link = ticket.json()["ticket"].removeprefix(PUBLIC_URL)
    page = await Visitor.of(world).open(link.rstrip("#"))
    await world.patch_options(**NO_PASSWORDS)
    assert (await Visitor.of(world).open(link.rstrip("#"))).response.status_code == 400
    assert (await Visitor.of(world).send(page.form(), password="another horse battery")).response.status_code == 400
    await world.patch_options(authentication_methods={"password": {"enabled": True}, "passkey": {"enabled": True}})
    assert (await world.login(ANN)).status_code == 200, "and the password is what it was"


async def test_password_managers_are_led_to_the_person_s_own_page(bare: World) -> None:
    landed = await Visitor.of(bare).open("/.well-known/change-password")
    assert landed.path == "/u/login/identifier", "where whoever cannot sign in finds the way"
    assert "/u/passkey-recovery?" in landed.text


# --- links that ask who it is --------------------------------------------------------------------------------------


async def at_the_link(world: World, email: str) -> tuple[Visitor, Landed]:
    """Open the link of a sign-up in another browser than the one that signed up."""
    visitor = Visitor.of(world)
    return visitor, await visitor.open((await world.link(email)).rstrip("#"))


async def test_a_link_that_verifies_asks_for_no_password(bare: World) -> None:
    device = Authenticator()
    await bare.register(device, "new@example.com")
    visitor, page = await at_the_link(bare, "new@example.com")
    assert 'type="password"' not in page.text
    refused = await visitor.send(Form(page.form().action), password=PASSWORD)
    assert "That is not the password of this account." in refused.text
    assert refused.response.status_code == 400
    await visitor.log_in_with(device, await visitor.authorize())
    page = await visitor.open(str(page.response.url))
    confirmed = await visitor.send(page.form(), action="confirm")
    assert confirmed.response.status_code == 200
    assert (await bare.manage("GET", f"/users/{await user_of(bare, 'new@example.com')}")).json()[
        "email_verified"
    ] is True


async def test_taking_over_leaves_nothing_to_choose_a_password_for(bare: World) -> None:
    """The account is gone, and the address free for whoever shows that it is theirs."""
    await bare.register(Authenticator(), "new@example.com")
    visitor, page = await at_the_link(bare, "new@example.com")
    taken = await visitor.send(Form(page.form().action), action="take-over")
    assert "/u/reset-password" not in taken.text
    await bare.register(Authenticator(), "new@example.com")


async def test_taking_over_an_account_without_a_password_gives_one_where_there_are_some(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    device = Authenticator()
    await world.register(device, ANN)
    visitor, page = await at_the_link(world, ANN)
    taken = await visitor.send(Form(page.form().action), action="take-over")
    link = re.search(r'href="([^"]*/u/reset-password[^"]*)"', taken.text)
    assert link is not None
    page = await visitor.open(link[1].removeprefix(PUBLIC_URL).rstrip("#"))
    await visitor.send(page.form(), password="another horse battery")
    assert (await world.passkey_login(device)).status_code == 403
    assert (await world.login(ANN, "another horse battery")).status_code == 200


# --- the option itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("methods", "status"),
    [
        ({"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}, 200),
        ({"password": {"enabled": False, "api_behavior": "required"}, "passkey": {"enabled": True}}, 400),
        ({"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": False}}, 400),
    ],
)
async def test_a_connection_may_have_no_passwords_while_it_has_passkeys(
    world: World, methods: dict[str, Any], status: int
) -> None:
    assert (await world.patch_options(authentication_methods=methods)).status_code == status
