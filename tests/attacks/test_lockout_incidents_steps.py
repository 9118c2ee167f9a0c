"""What happens between two steps, and what a step takes (security incidents 22, 28, 41, 43 and 44)."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from account import SCOPE, MyAccount
from authenticator import Authenticator
from keystead.db import tables
from recovery import PAGE as RECOVERY
from recovery import at_the_code, at_the_request, enter
from visitor import MOVED, Form, Landed, Visitor, exchange
from world import PASSWORD, PUBLIC_URL, World

ANN = "ann@example.com"
NEW = "another horse battery"
PASSWORDLESS: dict[str, Any] = {"passkey_policy": {"passwordless_accounts": True}}
MINE = {"audience": f"{PUBLIC_URL}/me/", "scope": f"{SCOPE} offline_access"}

Walk = Callable[[World, str, Authenticator], AsyncIterator[bool | None]]
"""Yields ``None`` between two steps, and in the end whether it came to anything. Who walks has password and passkey."""


def code_of(landed: Landed) -> str:
    """Return the code that a browser was sent back with, if it was."""
    return landed.answer.get("code", "") if landed.response.status_code in MOVED else ""


async def by_password_on_pages(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Go through the pages, exchange the code, and refresh."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize(scope="openid offline_access")
    yield None
    landed = await visitor.send(landed.form("/login/identifier"), username=email)
    yield None
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    code = code_of(landed)
    if not code:
        yield False
        return
    yield None
    answer = await exchange(world, code)
    if answer.status_code != 200:
        yield False
        return
    yield None
    yield (await world.token("refresh_token", refresh_token=answer.json()["refresh_token"])).status_code == 200


async def by_passkey_on_pages(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Answer the challenge of a page, and exchange the code."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    options = await visitor.options(landed, "/login/passkey")
    yield None
    code = code_of(await visitor.answer(landed, options, device))
    if not code:
        yield False
        return
    yield None
    yield (await exchange(world, code)).status_code == 200


async def by_passkey_grant(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Answer the challenge of a client, and refresh."""
    begun = (await world.begin_challenge()).json()
    yield None
    response = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answer = await world.exchange(begun["auth_session"], response, scope="openid offline_access")
    if answer.status_code != 200:
        yield False
        return
    yield None
    yield (await world.token("refresh_token", refresh_token=answer.json()["refresh_token"])).status_code == 200


async def by_session(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Come back to a client without being asked."""
    visitor = Visitor.of(world)
    await visitor.log_in_with(device, await visitor.authorize())
    yield None
    code = code_of(await visitor.authorize(prompt="none"))
    if not code:
        yield False
        return
    yield None
    yield (await exchange(world, code)).status_code == 200


async def add_a_passkey(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Log in, and add a passkey by API."""
    answer = await world.passkey_login(device, **MINE)
    yield None
    mine = await MyAccount.of(world, answer.json()["access_token"])
    begun = await mine.start()
    if begun.status_code != 202:
        yield False
        return
    yield None
    response = Authenticator().create(begun.json()["authn_params_public_key"], origin=PUBLIC_URL)
    yield (await mine.verify(begun.json(), response)).status_code == 201


async def by_reset(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Choose a new password by a link."""
    body = {"client_id": world.client_id, "connection": world.connection, "email": email}
    await world.client.post("/dbconnections/change_password", json=body)
    link = (await world.link(email, "/u/reset-password")).rstrip("#")
    yield None
    visitor = Visitor.of(world)
    landed = await visitor.open(link)
    if landed.response.status_code != 200:
        yield False
        return
    yield None
    yield (await visitor.send(landed.form("/reset-password"), password=NEW)).response.status_code == 200


async def by_recovery(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Make a new passkey by a code."""
    visitor = Visitor.of(world)
    landed = await at_the_code(visitor, email)
    text = next(each.text for each in await world.letters() if each.to == email)
    code = re.search(r"\b[0-9]{3} ?[0-9]{3}\b", text)
    assert code, text
    yield None
    landed = await enter(visitor, landed, code[0])
    if landed.path != f"{RECOVERY}/passkey":
        yield False
        return
    yield None
    answer = await visitor.client.post(landed.form(f"{RECOVERY}/passkey").action.replace("?", "/options?"))
    if answer.status_code != 200:
        yield False
        return
    yield None
    begun = answer.json()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    fields = {"auth_session": begun["auth_session"], "response": json.dumps(response)}
    done = await visitor.send(Form(landed.form(f"{RECOVERY}/passkey").action), **fields)
    yield done.response.status_code == 200 and "new passkey" in done.text.lower() and done.path == f"{RECOVERY}/passkey"


async def by_enrolment_link(world: World, email: str, device: Authenticator) -> AsyncIterator[bool | None]:
    """Make a passkey by an administrator's link."""
    user_id = await user_id_of(world, email)
    answer = await world.manage("POST", "/tickets/passkey-enrollment", {"user_id": user_id})
    link = str(answer.json()["ticket"]).removeprefix(PUBLIC_URL).rstrip("#")
    yield None
    visitor = Visitor.of(world)
    landed = await visitor.open(link)
    if landed.response.status_code != 200:
        yield False
        return
    yield None
    form = landed.form("/passkey-enrollment/ticket")
    options = await visitor.client.post(form.action.replace("?", "/options?"))
    if options.status_code != 200:
        yield False
        return
    yield None
    begun = options.json()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    fields = {"auth_session": begun["auth_session"], "response": json.dumps(response)}
    yield (await visitor.send(form, **fields)).response.status_code == 200


WALKS: dict[str, Walk] = {
    "password on pages": by_password_on_pages,
    "passkey on pages": by_passkey_on_pages,
    "passkey grant": by_passkey_grant,
    "session": by_session,
    "another passkey": add_a_passkey,
    "reset": by_reset,
    "recovery": by_recovery,
    "enrolment link": by_enrolment_link,
}


async def user_id_of(world: World, email: str) -> str:
    found = (await world.manage("GET", "/users?per_page=100")).json()
    return next(str(each["user_id"]) for each in found if each.get("email") == email)


async def somebody(world: World, email: str) -> Authenticator:
    """Make a person with a verified address, a password and a passkey."""
    device = Authenticator()
    user_id = await world.person(email)
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    tokens = await world.tokens(email, **MINE)
    await MyAccount(world, tokens["access_token"]).enrols(device)
    return device


async def walked(
    world: World, walk: Walk, number: int, act: Callable[[str], Awaitable[object]] | None
) -> tuple[bool, int]:
    """Walk, and do something in the given gap; return whether it came to anything, and how many gaps there were."""
    email, gaps = f"p{number}@example.com", 0
    device = await somebody(world, email)
    async for came in walk(world, email, device):
        if came is not None:
            return came, gaps
        if act and gaps == number:
            await act(email)
        gaps += 1
    raise AssertionError("a walk ends with what came of it")


@pytest.mark.parametrize("way", WALKS)
async def test_incident_22_a_block_is_met_at_the_next_step_of_every_way(world: World, way: str) -> None:
    """CVE-2026-16103 and CVE-2026-9798 (Keycloak): a lock that was set after the first step was not met any more."""
    assert (await world.patch_options(**PASSWORDLESS)).status_code == 200

    async def block(email: str) -> None:
        await world.block(await user_id_of(world, email))

    came, gaps = await walked(world, WALKS[way], 99, None)
    assert (came, gaps > 0) == (True, True)
    for gap in range(gaps):
        assert (await walked(world, WALKS[way], gap, block))[0] is False, f"blocked in gap {gap}"


async def test_incident_22_a_lock_of_guesses_is_met_where_a_password_is_tried(world: World) -> None:
    """The other lock: whoever fills it stops passwords, also in a login that began before, and ends nothing else.

    What was proved with the right password stays: a stranger's guesses must not sign anybody out (incident 21).
    """

    async def fill(email: str) -> None:
        for _ in range(10):
            assert (await world.guess(email)).status_code == 403
        assert (await world.guess(email)).status_code == 429

    assert (await world.patch_options(passkey_policy={"progressive_enrollment": False})).status_code in (200, 400)
    outcomes = [(await walked(world, by_password_on_pages, gap, fill))[0] for gap in range(4)]
    assert outcomes == [False, False, True, True], "before the password twice, before the exchange, before the refresh"


async def test_incident_28_without_a_recent_proof_no_token_and_no_session_changes_how_somebody_signs_in(
    world: World,
) -> None:
    """CVE-2025-64103 (ZITADEL): whoever had one factor passed where two were needed.

    There are no levels of two factors here; what stands in their place is a proof of not long ago, and every route that
    changes what somebody signs in with asks for it, whichever way its token or session came about.
    """
    device = await somebody(world, ANN)
    visitor = Visitor.of(world)
    await visitor.log_in_with(device, await visitor.authorize())
    first = (await world.passkey_login(device, **MINE)).json()
    mine = MyAccount(world, first["access_token"])
    (passkey,) = await mine.passkeys()
    begun = await mine.begin()
    made = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    page = await visitor.open("/u/account/passkeys")
    world.clock.advance(minutes=20)
    refreshed = (await world.token("refresh_token", refresh_token=first["refresh_token"])).json()
    before = await world.rows(tables.Passkey)
    for token in (first["access_token"], refreshed["access_token"]):
        late = MyAccount(world, token)
        refused = [
            await late.start(),
            await late.call("POST", "", json={"type": "password"}),
            await late.verify(begun, made),
            await late.call("DELETE", f"/{passkey['id'].replace('|', '%7C')}"),
        ]
        assert [answer.status_code for answer in refused] == [403] * 4, [answer.text for answer in refused]
        assert all(
            answer.json()["type"].endswith("step-up-required") for answer in (refused[0], refused[1], refused[3])
        )
    options = await visitor.client.post("/u/account/passkeys/options")
    assert (options.status_code, options.json()["error"]) == (403, "step_up_required")
    landed = await visitor.send(Form(page.form("/account/passkeys").action), remove=passkey["id"])
    assert landed.path.startswith("/u/login/"), "who are you?"
    assert await world.rows(tables.Passkey) == before


async def test_incident_41_nothing_but_what_was_mailed_leads_to_a_new_password(world: World) -> None:
    """CVE-2026-18963 (Keycloak): the page of the new password could be reached without the mail."""
    user_id = await world.person()
    await world.patch_options(attributes={"email": {"verification_method": "code"}}, **PASSWORDLESS)
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    state = landed.response.url.params["state"]
    landed = await visitor.open(f"/u/reset-password/request?state={state}")
    landed = await visitor.send(landed.form("/reset-password/request"), username=ANN)
    assert landed.path == "/u/reset-password/code"
    others = [
        (await world.link(page="/u/email-verification")).rpartition("=")[2].rstrip("#"),
        (await world.manage("POST", "/tickets/passkey-enrollment", {"user_id": user_id}))
        .json()["ticket"]
        .rpartition("=")[2]
        .rstrip("#"),
    ]
    sent = {"password": NEW, "ticket": state, "state": state, "code": "", "user_id": user_id, "username": ANN}
    for ticket in ("", state, f"reset/{state}", user_id, ANN, *others):
        for query in (f"?ticket={ticket}", f"?ticket={ticket}&state={state}", f"?state={state}"):
            assert (await visitor.client.get(f"/u/reset-password{query}")).status_code in (400, 429)
            assert (await visitor.client.post(f"/u/reset-password{query}", data=sent)).status_code in (400, 429)
    for code in ("", "0", "000000" * 2, " ", "null", "\N{ARABIC-INDIC DIGIT ONE}" * 6):
        landed = await visitor.send(Form(f"/u/reset-password/code?state={state}"), code=code, password=NEW)
        assert landed.path == "/u/reset-password/code", code
    await visitor.send(Form(f"/u/login/password?state={state}"), password=NEW)
    assert await world.open_sessions() == 0
    assert (await world.login(password=NEW)).status_code == 403
    assert (await world.login()).status_code == 200
    assert "scp" not in await world.journal()


# --- fields ----------------------------------------------------------------------------------------------------------

EXTRA = {
    "user_id": "auth0|1",
    "step": "done",
    "proof": "1",
    "verified": "true",
    "admin": "1",
    "state": "x",
    "ticket": "x",
}
FORGED = {
    "username": ["", " ", "\0", "x" * 70_000],
    "password": ["", "null", "\0", "x" * 70_000],
    "code": ["", " ", "x" * 70_000],
    "auth_session": ["", "x"],
    "response": ["", "null", "{}", "[]", "x" * 70_000],
    "email": ["", "\0"],
}


async def login_identifier(world: World, visitor: Visitor) -> str:
    return (await visitor.authorize()).form("/login/identifier").action


async def login_password(world: World, visitor: Visitor) -> str:
    page = await visitor.authorize()
    return (await visitor.send(page.form("/login/identifier"), username=ANN)).form("/login/password").action


async def login_passkey(world: World, visitor: Visitor) -> str:
    return (await visitor.authorize()).form("/login/passkey").action


async def signup_password(world: World, visitor: Visitor) -> str:
    page = await visitor.authorize(screen_hint="signup")
    page = await visitor.send(page.form("/signup/identifier"), email="new@example.com")
    return (
        (await visitor.send(Form(page.form("/signup/passkey").action), action="skip")).form("/signup/password").action
    )


async def signup_passkey(world: World, visitor: Visitor) -> str:
    page = await visitor.authorize(screen_hint="signup")
    return (await visitor.send(page.form("/signup/identifier"), email="new@example.com")).form("/signup/passkey").action


async def signup_code(world: World, visitor: Visitor) -> str:
    required = {"status": "required", "verification": {"active": True}}
    await world.patch_options(attributes={"email": {"verification_method": "code", "signup": required}})
    page = await visitor.authorize(screen_hint="signup")
    return (await visitor.send(page.form("/signup/identifier"), email="new@example.com")).form("-challenge").action


async def reset_code(world: World, visitor: Visitor) -> str:
    await world.patch_options(attributes={"email": {"verification_method": "code"}})
    state = (await visitor.authorize()).response.url.params["state"]
    page = await visitor.open(f"/u/reset-password/request?state={state}")
    return (await visitor.send(page.form("/reset-password/request"), username=ANN)).form("/code").action


async def recovery_code(world: World, visitor: Visitor) -> str:
    await world.patch_options(**PASSWORDLESS)
    page = await visitor.send((await at_the_request(visitor)).form(RECOVERY), username=ANN)
    return page.form(f"{RECOVERY}/code").action


async def reset_page(world: World, visitor: Visitor) -> str:
    body = {"client_id": world.client_id, "connection": world.connection, "email": ANN}
    await world.client.post("/dbconnections/change_password", json=body)
    return (await visitor.open((await world.link(page="/u/reset-password")).rstrip("#"))).form("/reset-password").action


async def verification_page(world: World, visitor: Visitor) -> str:
    return (await visitor.open((await world.link(page="/u/email-verification")).rstrip("#"))).form("/email").action


STEPS = {
    "login identifier": (login_identifier, ("username",)),
    "login password": (login_password, ("password",)),
    "login passkey": (login_passkey, ("auth_session", "response")),
    "sign-up password": (signup_password, ("password",)),
    "sign-up passkey": (signup_passkey, ("auth_session", "response")),
    "sign-up code": (signup_code, ("code",)),
    "reset code": (reset_code, ("code",)),
    "recovery code": (recovery_code, ("code",)),
    "reset page": (reset_page, ("password",)),
    "verification page": (verification_page, ("password",)),
}


async def posted(visitor: Visitor, action: str, body: dict[str, str]) -> httpx.Response:
    """Send a form, be it empty."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await visitor.client.post(action, content=urlencode(body), headers=headers)


@pytest.mark.parametrize("step", STEPS)
async def test_incident_43_no_step_is_passed_by_what_is_empty_missing_or_too_much(world: World, step: str) -> None:
    """CVE-2026-49448 (authentik): an empty POST skipped a stage."""
    await world.person()
    visitor = Visitor.of(world)
    arrive, fields = STEPS[step]
    action = await arrive(world, visitor)
    world.clock.advance(seconds=1)
    bodies: list[dict[str, str]] = [{}, EXTRA]
    for name in fields:
        bodies += [{name: value} for value in FORGED[name]] + [EXTRA | {name: value} for value in FORGED[name]]
    users = (await world.manage("GET", "/users")).json()
    before = await world.counts() | {"logins": (await world.journal()).count("s")}
    for body in bodies:
        if step == "verification page" and "password" not in body:
            continue  # the button of whoever made the account in this browser; tried below, from another
        answer = await posted(visitor, action, body)
        assert answer.status_code < 500, body
        if answer.status_code in MOVED:
            assert answer.headers["location"].startswith("/u/"), body
    after = await world.counts() | {"logins": (await world.journal()).count("s")}
    assert after == before
    assert (await world.manage("GET", "/users")).json() == users
    assert await world.open_sessions() == 0
    if step == "verification page":
        assert (await posted(Visitor.of(world), action, {})).status_code == 403
        assert (await world.manage("GET", "/users")).json() == users


async def test_incident_44_one_passkey_goes_and_the_last_way_in_stays(world: World) -> None:
    """kratos#3386: removing one key removed all of them; and whoever had removed the last was locked out for good."""
    first, second, third = Authenticator(), Authenticator(), Authenticator()
    await world.register(first)
    mine = MyAccount(world, (await world.passkey_login(first, **MINE)).json()["access_token"])
    for device in (second, third):
        world.clock.advance(seconds=1)
        await mine.enrols(device)
    by_age = [each["id"] for each in await mine.passkeys()]
    assert len(by_age) == 3

    async def remove(which: str) -> int:
        mine = MyAccount(world, (await world.passkey_login(third, **MINE)).json()["access_token"])
        return (await mine.call("DELETE", f"/{which.replace('|', '%7C')}")).status_code

    assert await remove(by_age[1]) == 204
    assert (await world.passkey_login(second)).status_code == 403
    assert (await world.passkey_login(first)).status_code == 200
    assert (await world.passkey_login(third)).status_code == 200
    assert await remove(by_age[0]) == 204
    assert (await world.passkey_login(third)).status_code == 200
    assert await remove(by_age[2]) == 409
    assert (await world.passkey_login(third)).status_code == 200
    assert await world.count(tables.Passkey) == 1
