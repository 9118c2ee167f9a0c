"""``passkey_policy.enrollment``: nobody is asked, people are offered a passkey, or need one from a day on."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import Session

from account import SCOPE, MyAccount
from authenticator import Authenticator
from keystead.db import tables, transactions
from visitor import CALLBACK, MOVED, Form, Landed, Visitor, exchange
from world import PASSWORD, PUBLIC_URL, REALM_GRANT, World, claims_of

DAY = datetime(2026, 6, 13, tzinfo=UTC)
"""Twelve days from now, as the clock of a world stands."""

EVE = DAY - timedelta(seconds=30)

REQUIRED = {"enrollment": "required", "required_after": "2026-06-13"}
ENROLMENT = "/u/passkey-enrollment"
OFFLINE = "openid offline_access"
UNMET = {
    "error": "unmet_authentication_requirements",
    "error_description": "A passkey is required. Sign in on the login page to create one.",
}


def comes(world: World, moment: datetime) -> None:
    """Let it be that moment; the administrator's token is too old by then."""
    world.clock.now = moment
    world.forget_tokens()


async def ask_for(world: World, **policy: Any) -> None:
    answer = await world.patch_options(passkey_policy=policy)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def ann(world: World) -> str:
    """Ann, who has a password and no passkey, where one is required in twelve days."""
    user_id = await world.person()
    await ask_for(world, **REQUIRED)
    return user_id


async def signs_in(visitor: Visitor, at: Landed | None = None) -> Landed:
    """Go through both pages of a password login, up to what comes next."""
    at = at or await visitor.authorize()
    landed = await visitor.send(at.form("/login/identifier"), username="ann@example.com")
    return await visitor.send(landed.form("/login/password"), password=PASSWORD)


async def skips(visitor: Visitor, at: Landed) -> Landed:
    return await visitor.send(Form(at.form(ENROLMENT).action), action="skip")


async def makes_one(visitor: Visitor, at: Landed, device: Authenticator | None = None) -> Landed:
    """Create the passkey that the page asks for."""
    begun = await visitor.options(at, ENROLMENT)
    response = (device or Authenticator()).create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    form = at.form(ENROLMENT)
    return await visitor.send(form, auth_session=begun["auth_session"], response=json.dumps(response))


async def has_passkey(world: World, device: Authenticator | None = None) -> None:
    """Give Ann a passkey by the API."""
    await (await MyAccount.of(world)).enrols(device or Authenticator())


# --- before the day ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (datetime(2026, 6, 1, 12, tzinfo=UTC), "12 days left."),
        (datetime(2026, 6, 11, 23, 59, tzinfo=UTC), "2 days left."),
        (datetime(2026, 6, 12, tzinfo=UTC), "1 day left."),
        (datetime(2026, 6, 12, 23, 59, 59, tzinfo=UTC), "1 day left."),
    ],
)
async def test_people_see_how_long_they_have_and_go_on(world: World, ann: str, now: datetime, says: str) -> None:
    comes(world, now)
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    assert landed.path == ENROLMENT
    assert f"From 13 June 2026 you need a passkey to sign in here: {says}" in landed.text
    assert "dont_ask" not in landed.text, "nobody is left in peace until then"
    assert "code" in (await skips(visitor, landed)).answer


async def test_they_are_asked_at_each_login_whatever_they_said_before(world: World) -> None:
    """A snooze and a "never" are about an offer; this is none."""
    await world.person()
    await ask_for(world, allow_never_ask=True)
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    await visitor.send(Form(landed.form(ENROLMENT).action), action="never")
    assert (await signs_in(Visitor.of(world))).response.status_code in MOVED
    await ask_for(world, **REQUIRED, allow_never_ask=True)
    for _ in range(2):
        visitor = Visitor.of(world)
        landed = await signs_in(visitor)
        assert landed.path == ENROLMENT
        assert "Never ask again" not in landed.text
        await visitor.send(Form(landed.form(ENROLMENT).action), action="never", dont_ask="1")


async def test_whoever_has_one_is_not_asked(world: World, ann: str) -> None:
    await has_passkey(world)
    assert "code" in (await signs_in(Visitor.of(world))).answer


async def test_whoever_signs_up_without_one_is_not_asked_twice(world: World, ann: str) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), "ben@example.com")
    assert "code" in landed.answer


async def test_clients_notice_nothing_before(world: World, ann: str) -> None:
    token = (await world.tokens(scope=OFFLINE))["refresh_token"]
    assert (await world.token("refresh_token", refresh_token=token)).status_code == 200


# --- from the day on: every door -----------------------------------------------------------------------------------


async def by_password(world: World) -> httpx.Response:
    return await world.login()


async def by_realm(world: World) -> httpx.Response:
    body: dict[str, Any] = {"username": "ann@example.com", "password": PASSWORD, "realm": world.connection}
    return await world.token(REALM_GRANT, **body)


@pytest.mark.parametrize("grant", [by_password, by_realm])
async def test_a_password_alone_gets_no_tokens(
    world: World, ann: str, grant: Callable[[World], Awaitable[httpx.Response]]
) -> None:
    comes(world, DAY)
    before, wrong = await world.counts(), await world.guess()
    refused = await grant(world)
    assert (refused.status_code, refused.json()) == (403, UNMET)
    assert await world.counts() == before
    entry = await world.last_entry()
    assert (entry["type"], entry["user_id"], entry["description"]) == ("f", ann, UNMET["error_description"])
    assert (wrong.status_code, wrong.json()["error"]) == (403, "invalid_grant"), "whoever guesses learns nothing new"
    nobody = await world.login("nobody@example.com")
    assert (nobody.status_code, nobody.json()) == (wrong.status_code, wrong.json())
    (account,) = [row for row in await world.rows(tables.Account) if row["user_id"] == ann]
    assert account["logins_count"] == 0


async def test_the_hosted_login_ends_with_a_passkey_or_not_at_all(world: World, ann: str) -> None:
    comes(world, DAY)
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    assert landed.path == ENROLMENT
    assert "You need a passkey to sign in here." in landed.text
    for action in ("skip", "never"):
        stays = await visitor.send(Form(landed.form(ENROLMENT).action), action=action, dont_ask="1")
        assert stays.response.status_code == 403
        assert "You cannot go on without a passkey." in stays.text
    state = landed.response.url.params["state"]
    assert (await visitor.open(f"/u/login?state={state}")).path == ENROLMENT
    assert (await visitor.open(f"/u/consent?state={state}")).path == ENROLMENT
    device = Authenticator()
    back = await makes_one(visitor, landed, device)
    tokens = (await exchange(world, back.answer["code"])).json()
    assert claims_of(tokens["id_token"])["sub"] == ann
    assert (await world.passkey_login(device)).status_code == 200


async def test_somebody_who_cannot_here_is_told_what_to_do_and_can_go_back(world: World, ann: str) -> None:
    comes(world, DAY)
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    assert "security key" in landed.text
    assert "for a link to create a passkey with" in landed.text
    world.clock.advance(minutes=6)  # by now the password is too long ago to add a passkey
    form = Form(landed.form(ENROLMENT).action.replace("?", "/options?"))
    late = await visitor.send(form)
    assert late.response.json()["error"] == "step_up_required"
    again = await visitor.send(Form(landed.form(ENROLMENT).action), action="restart")
    assert again.path == "/u/login/identifier"
    landed = await signs_in(visitor, again)
    assert "code" in (await makes_one(visitor, landed)).answer


async def test_a_session_from_before_opens_no_other_client(world: World, ann: str) -> None:
    comes(world, EVE)
    visitor = Visitor.of(world)
    await skips(visitor, await signs_in(visitor))
    assert "code" in (await visitor.authorize(prompt="none")).answer
    comes(world, DAY)
    silent = (await visitor.authorize(prompt="none")).answer
    assert (silent["error"], silent["error_description"]) == ("interaction_required", UNMET["error_description"])
    landed = await visitor.authorize()
    assert landed.path == "/u/login/identifier", "a login of today, and then a passkey"
    assert (await visitor.open("/u/account")).path == "/u/account", "what only takes away stays open"
    back = await makes_one(visitor, await signs_in(visitor, landed))
    assert "code" in back.answer
    assert "code" in (await visitor.authorize(prompt="none")).answer


async def test_a_session_that_lacks_a_passkey_opens_no_client_either(world: World, ann: str) -> None:
    """The session that the password opened, with the page that asks for a passkey left alone."""
    comes(world, DAY)
    visitor = Visitor.of(world)
    await signs_in(visitor)
    assert (await visitor.authorize(prompt="none")).answer["error"] == "interaction_required"
    assert (await visitor.authorize()).path == "/u/login/identifier"


async def test_a_page_that_was_left_open_until_then_asks_for_one(world: World, ann: str) -> None:
    comes(world, EVE)
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    assert "1 day left." in landed.text
    comes(world, DAY)
    stays = await skips(visitor, landed)
    assert (stays.response.status_code, stays.path) == (403, ENROLMENT)


async def test_a_login_that_was_done_but_for_its_code_gets_none(world: World, ann: str) -> None:
    """The last look is where the code is made, in the same transaction."""
    comes(world, EVE)
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    form, state = Form(landed.form(ENROLMENT).action), landed.response.url.params["state"]
    headers = {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}
    assert (await visitor.client.post(form.action, data={"action": "skip"}, headers=headers)).status_code == 303
    flows = world.app.state.flows
    comes(world, DAY)
    transaction = await world.db.read(transactions.get, state, world.clock())
    answer = await flows.authorize.finish(transaction)
    assert answer.parameters["error"] == "interaction_required"


async def test_a_code_from_before_gives_no_tokens(world: World, ann: str) -> None:
    comes(world, EVE)
    visitor = Visitor.of(world)
    code = (await skips(visitor, await signs_in(visitor))).answer["code"]
    comes(world, DAY)
    refused = await exchange(world, code)
    assert (refused.status_code, refused.json()) == (403, UNMET)


@pytest.mark.parametrize("rotation", ["rotating", "non-rotating"])
async def test_a_refresh_token_waits_for_the_passkey(world: World, ann: str, rotation: str) -> None:
    """It is not spent by being refused, so that the app goes on as soon as its person has a passkey."""
    await world.patch_client(world.client_id, refresh_token={"rotation_type": rotation})
    token = (await world.tokens(scope=OFFLINE))["refresh_token"]
    comes(world, DAY)
    for _ in range(2):
        refused = await world.token("refresh_token", refresh_token=token)
        assert (refused.status_code, refused.json()) == (403, UNMET)
    visitor = Visitor.of(world)
    await makes_one(visitor, await signs_in(visitor))
    assert (await world.token("refresh_token", refresh_token=token)).status_code == 200


async def test_access_tokens_go_on_and_can_add_a_passkey(world: World, ann: str) -> None:
    """A way out for apps: a token of a login of the last five minutes."""
    comes(world, EVE)
    tokens = await world.tokens(audience=f"{PUBLIC_URL}/me/", scope=f"openid {SCOPE}")
    comes(world, DAY)
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    await MyAccount(world, tokens["access_token"]).enrols(Authenticator())
    assert (await world.login()).status_code == 200


async def test_whoever_has_one_may_still_use_the_password(world: World, ann: str) -> None:
    device = Authenticator()
    await has_passkey(world, device)
    comes(world, DAY)
    assert (await world.login()).status_code == 200
    assert "code" in (await signs_in(Visitor.of(world))).answer
    assert (await world.passkey_login(device)).status_code == 200


async def test_a_sign_up_with_a_passkey_is_whole_and_one_with_a_password_is_not(world: World, ann: str) -> None:
    comes(world, DAY)
    assert (await world.register(Authenticator(), "eve@example.com"))["access_token"]
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), "ben@example.com")
    assert landed.path == ENROLMENT
    assert "code" in (await makes_one(visitor, landed)).answer


async def test_without_a_date_it_is_now(world: World) -> None:
    await world.person()
    await ask_for(world, enrollment="required")
    assert (await world.login()).json() == UNMET
    assert (await signs_in(Visitor.of(world))).path == ENROLMENT


# --- what counts as a passkey --------------------------------------------------------------------------------------


async def quarantine(world: World) -> None:
    def work(session: Session) -> None:
        session.connection().execute(update(tables.Passkey).values(quarantine="revoked", quarantined_at=world.clock()))

    await world.db.write(work)


async def of_another_address(world: World) -> None:
    def work(session: Session) -> None:
        session.connection().execute(update(tables.Passkey).values(rp_id="old.example.com"))

    await world.db.write(work)


async def refused_by_policy(world: World) -> None:
    await ask_for(world, **REQUIRED, backup="device_bound_only")


async def removed(world: World) -> None:
    (row,) = await world.rows(tables.Passkey)
    path = f"/users/{row['user_id']}/authentication-methods/{row['id'].replace('|', '%7C')}"
    assert (await world.manage("DELETE", path)).status_code == 204


@pytest.mark.parametrize("happens", [quarantine, of_another_address, refused_by_policy, removed])
async def test_a_passkey_that_does_not_work_is_none(
    world: World, ann: str, happens: Callable[[World], Awaitable[None]]
) -> None:
    device = Authenticator()
    await has_passkey(world, device)
    comes(world, DAY)
    assert (await world.login()).status_code == 200
    await happens(world)
    assert (await world.login()).json() == UNMET
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    assert landed.path == ENROLMENT
    # Not excluded, so that the device that holds it can make another.
    assert "code" in (await makes_one(visitor, landed, _sharing(device))).answer
    assert (await world.login()).status_code == 200


def _sharing(device: Authenticator) -> Authenticator:
    return Authenticator(credentials=device.credentials, synced=False)


async def test_a_passkey_of_an_address_that_retires_still_counts(world: World, ann: str) -> None:
    await has_passkey(world)
    await of_another_address(world)
    comes(world, DAY)
    assert (await world.login()).json() == UNMET
    moving = await world.manage("PATCH", "/keystead/relying-party", {"retiring": ["old.example.com"]})
    assert moving.status_code == 200, moving.text
    assert (await world.login()).status_code == 200


async def test_a_login_with_the_passkey_makes_it_count_again(world: World, ann: str) -> None:
    """It was made without a look at who holds it, and that is asked for now: the next login shows it."""
    device = Authenticator(verifies=False)
    await has_passkey(world, device)
    comes(world, DAY)
    await ask_for(world, **REQUIRED, user_verification="required")
    assert (await world.login()).json() == UNMET
    assert (await world.passkey_login(device)).status_code == 403
    device.verifies = True
    assert (await world.passkey_login(device)).status_code == 200
    assert (await world.login()).status_code == 200


# --- other policies ------------------------------------------------------------------------------------------------


async def test_advice_refuses_nobody_and_writes_down_who_would_have_been(world: World, ann: str) -> None:
    await ask_for(world, **REQUIRED, mode="advise")
    assert (await world.login()).status_code == 200
    assert "passkey_policy_advice" not in await world.journal(ann)
    comes(world, DAY)
    assert (await world.login()).status_code == 200
    entry = await world.last_entry()
    assert (entry["type"], entry["user_id"]) == ("passkey_policy_advice", ann)
    lacking = [{"field": "enrollment", "why": "there is no passkey that works"}]
    assert entry["details"] == {"purpose": "login", "policy": lacking}
    visitor = Visitor.of(world)
    landed = await signs_in(visitor)
    assert "Skip the password next time" in landed.text, "an offer as without the policy"
    assert "code" in (await skips(visitor, landed)).answer
    assert (await world.journal(ann)).count("passkey_policy_advice") == 2
    await has_passkey(world)
    noted = (await world.journal(ann)).count("passkey_policy_advice")
    assert (await world.login()).status_code == 200
    assert (await world.journal(ann)).count("passkey_policy_advice") == noted


async def test_off_asks_nobody(world: World) -> None:
    await world.person()
    await ask_for(world, enrollment="off")
    assert "code" in (await signs_in(Visitor.of(world))).answer


async def test_off_asks_nobody_on_this_device_either(world: World) -> None:
    await ask_for(world, enrollment="off")
    far = Authenticator(attachment="cross-platform")
    await world.register(far)
    visitor = Visitor.of(world)
    assert "code" in (await visitor.log_in_with(far, await visitor.authorize())).answer
    await ask_for(world, enrollment="offer")
    visitor = Visitor.of(world)
    assert (await visitor.log_in_with(far, await visitor.authorize())).path == ENROLMENT


async def test_another_connection_asks_for_nothing(world: World, ann: str) -> None:
    await world.new_connection("Second")
    comes(world, DAY)
    await world.signup("ben@example.com", connection="Second")
    body: dict[str, Any] = {"username": "ben@example.com", "password": PASSWORD, "realm": "Second"}
    assert (await world.token(REALM_GRANT, **body)).status_code == 200


async def test_a_client_of_a_third_party_gets_nothing_either(world: World, ann: str) -> None:
    """The page that asks for a passkey comes before the one that asks for consent."""
    settings: dict[str, Any] = {"app_type": "spa", "callbacks": [CALLBACK], "is_first_party": False}
    client_id = (await world.new_client(**settings))["client_id"]
    switch = [{"client_id": client_id, "status": True}]
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    comes(world, DAY)
    visitor = Visitor.of(world)
    landed = await signs_in(visitor, await visitor.authorize(client_id=client_id))
    assert landed.path == ENROLMENT
    assert (await makes_one(visitor, landed)).path == "/u/consent"
