"""Recovery gives nobody an account but whoever reads what is sent to its verified address, in their own browser."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from account import MyAccount
from authenticator import Authenticator
from keystead.db import tables
from recovery import (
    NO_PASSWORDS,
    PAGE,
    PASSWORDLESS,
    ann_with_a_passkey,
    at_the_code,
    at_the_passkey,
    at_the_request,
    create,
    enter,
    recover,
)
from visitor import Form, Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World

ANN = "ann@example.com"


@pytest.fixture
async def bare(world: World) -> World:
    """A connection that has no passwords, and Ann, whose address is verified."""
    assert (await world.patch_options(**NO_PASSWORDS)).status_code == 200
    await ann_with_a_passkey(world, Authenticator())
    return world


def wrong(code: str, by: int = 1) -> str:
    """Return another code of the same length."""
    digits = code.replace(" ", "")
    return f"{(int(digits) + by) % 10 ** len(digits):0{len(digits)}}"


async def the_user(world: World, email: str = ANN) -> str:
    """Return whose address it is."""
    users = (await world.manage("GET", "/users")).json()
    return next(str(each["user_id"]) for each in users if each.get("email") == email)


# --- the code ------------------------------------------------------------------------------------------------------


async def test_a_code_is_used_once(bare: World) -> None:
    visitor = Visitor.of(bare)
    at = await at_the_code(visitor)
    code = await bare.code()
    landed = await enter(visitor, at, code)
    assert (await enter(visitor, at, code)).response.status_code == 403
    await create(visitor, landed, Authenticator())
    assert (await enter(visitor, at, code)).response.status_code == 403
    assert (await enter(visitor, at, f" {code[:3]} {code[3:]}")).response.status_code == 403, "nor spelled otherwise"
    assert (await visitor.open(str(landed.response.url))).path == PAGE


async def test_of_many_uses_at_once_one_wins(bare: World) -> None:
    visitor = Visitor.of(bare)
    at = await at_the_code(visitor)
    code = await bare.code()
    answers = await asyncio.gather(*(visitor.client.post(at.form().action, data={"code": code}) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [303] + [403] * 4
    assert [row["purpose"] for row in await bare.rows(tables.Ticket)].count("passkey-recovery") == 1


async def test_of_many_passkeys_at_once_one_is_stored(bare: World) -> None:
    visitor = Visitor.of(bare)
    at = await at_the_passkey(bare, visitor)
    bodies = []
    for _ in range(6):
        options = await visitor.options(at, f"{PAGE}/passkey")
        response = Authenticator().create(options["authn_params_public_key"], origin=PUBLIC_URL)
        bodies.append({"auth_session": options["auth_session"], "response": json.dumps(response)})
    path = at.form(f"{PAGE}/passkey").action
    answers = await asyncio.gather(*(visitor.client.post(path, data=each) for each in bodies))
    assert [each.status_code for each in answers].count(200) == 1
    assert await bare.count(tables.Passkey) == 2
    assert (await bare.journal()).count("passkey_recovery_succeeded") == 1


async def test_of_40_guesses_at_once_five_are_compared(bare: World) -> None:
    visitor = Visitor.of(bare)
    at = await at_the_code(visitor)
    code = await bare.code()
    guesses = [wrong(code, by) for by in range(1, 41)]
    await asyncio.gather(*(visitor.client.post(at.form().action, data={"code": each}) for each in guesses))
    (row,) = await bare.rows(tables.OneTimeCode)
    assert row["tries"] == 5
    assert (await enter(visitor, at, code)).response.status_code == 403, "and then not even the right one"


async def test_a_code_is_worth_nothing_in_another_browser_or_login(bare: World) -> None:
    """Not for whoever reads over her shoulder, nor for whoever talks it out of her."""
    visitor, mallory = Visitor.of(bare), Visitor.of(bare)
    at = await at_the_code(visitor)
    code = await bare.code()
    theirs = await at_the_code(mallory, "nobody@example.com")
    assert (await enter(mallory, theirs, code)).response.status_code == 403
    assert (await mallory.send(Form(at.form().action), code=code)).response.status_code == 400
    elsewhere = await at_the_request(visitor)
    at_other = await visitor.open(f"{PAGE}/code?{elsewhere.response.url.query.decode()}")
    assert (await enter(visitor, at_other, code)).response.status_code == 403, "in another login of hers"
    assert (await enter(visitor, at, code)).path == f"{PAGE}/passkey"


async def test_a_way_that_was_opened_is_open_in_that_browser_alone(bare: World) -> None:
    visitor, mallory = Visitor.of(bare), Visitor.of(bare)
    at = await at_the_passkey(bare, visitor)
    await mallory.authorize()
    assert (await mallory.open(str(at.response.url))).response.status_code == 400
    path = at.form(f"{PAGE}/passkey").action
    options = await mallory.send(Form(path.replace("?", "/options?")))
    assert options.response.status_code == 400
    foreign = await visitor.client.post(path, data={"response": "{}"}, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403


# --- guesses -------------------------------------------------------------------------------------------------------


async def guess_everywhere(world: World, typed: list[str], times: int) -> None:
    """Guess wrong, each time on a new page in a new browser, by one name of the account after the other."""
    for number in range(times):
        visitor = Visitor.of(world)
        at = await at_the_code(visitor, typed[number % len(typed)])
        for by in range(1, 6):
            assert (await enter(visitor, at, f"{by:06d}")).response.status_code == 403


async def test_guesses_are_the_account_s_whatever_page_code_and_name(bare: World) -> None:
    attributes = {"email": {"signup": {"status": "optional"}}, "username": {"signup": {"status": "optional"}}}
    await bare.patch_options(attributes=attributes)
    await bare.manage("PATCH", f"/users/{await the_user(bare)}", {"username": "ann"})
    before = Visitor.of(bare)
    at = await at_the_code(before)
    code = await bare.code()
    await guess_everywhere(bare, [ANN, "ann"], 4)
    assert (await enter(before, at, code)).response.status_code == 403, "twenty in a month, and no more"
    (journalled,) = {
        row["details"]["reason"]
        for row in await bare.rows(tables.JournalRow)
        if row["type"] == "passkey_recovery_failed" and row["details"]["reason"] != "another code"
    }
    assert journalled == "too many guesses at codes of the account"


async def test_whoever_guesses_keeps_nobody_out(bare: World) -> None:
    """Her next code is one that nobody can guess, and she can still type."""
    await guess_everywhere(bare, [ANN], 4)
    visitor = Visitor.of(bare)
    at = await at_the_code(visitor)
    text = (await bare.letters())[0].text
    found = re.search(r"\d{4} \d{4} \d{4} \d{4}", text)
    assert found, text
    assert (await enter(visitor, at, wrong(found[0]))).response.status_code == 403
    device = Authenticator()
    await create(visitor, await enter(visitor, at, found[0]), device)
    assert (await bare.passkey_login(device)).status_code == 200


async def test_whoever_guesses_at_one_account_does_not_touch_another(bare: World) -> None:
    await ann_with_a_passkey(bare, Authenticator(), "bob@example.com")
    await guess_everywhere(bare, [ANN], 4)
    visitor = Visitor.of(bare)
    await create(visitor, await at_the_passkey(bare, visitor, "bob@example.com"), Authenticator())
    bare.clock.advance(days=30)
    await recover(bare, Authenticator())


# --- what changed meanwhile ----------------------------------------------------------------------------------------


async def address_changed(world: World, user_id: str) -> None:
    await world.manage("PATCH", f"/users/{user_id}", {"email": "other@example.com"})


async def address_changed_and_verified(world: World, user_id: str) -> None:
    await world.manage("PATCH", f"/users/{user_id}", {"email": "other@example.com", "email_verified": True})


async def not_verified_any_more(world: World, user_id: str) -> None:
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": False})


async def blocked(world: World, user_id: str) -> None:
    await world.block(user_id)


async def deleted(world: World, user_id: str) -> None:
    await world.delete_user(user_id)


async def signed_up_anew(world: World, user_id: str) -> None:
    """Somebody else has her address now, in an account of their own."""
    await world.delete_user(user_id)
    await ann_with_a_passkey(world, Authenticator())


async def recovered_elsewhere(world: World, user_id: str) -> None:
    await recover(world, Authenticator())


async def switched_off(world: World, user_id: str) -> None:
    await world.patch_options(disable_self_service_change_password=True)


async def passkeys_switched_off(world: World, user_id: str) -> None:
    methods = {"password": {"enabled": True}, "passkey": {"enabled": False}}
    await world.patch_options(authentication_methods=methods)


MEANWHILE = [
    *(address_changed, address_changed_and_verified, not_verified_any_more, blocked, deleted, signed_up_anew),
    *(recovered_elsewhere, switched_off, passkeys_switched_off),
]


@pytest.mark.parametrize("happens", MEANWHILE)
@pytest.mark.parametrize("when", ["before the code", "after the code", "after the question"])
async def test_a_recovery_is_over_once_the_account_is_another(
    bare: World, happens: Callable[[World, str], Awaitable[None]], when: str
) -> None:
    visitor, device, user_id = Visitor.of(bare), Authenticator(), await the_user(bare)
    at = await at_the_code(visitor)
    code = await bare.code()
    if when != "before the code":
        at = await enter(visitor, at, code)
    options = await visitor.options(at, f"{PAGE}/passkey") if when == "after the question" else {}
    await happens(bare, user_id)
    passkeys = {row["id"] for row in await bare.rows(tables.Passkey)}
    if when == "before the code":
        assert (await enter(visitor, at, code)).path != f"{PAGE}/passkey"
    elif when == "after the code":
        assert (await visitor.open(str(at.response.url))).path != f"{PAGE}/passkey"
        path = at.form(f"{PAGE}/passkey").action.replace("?", "/options?")
        assert (await visitor.send(Form(path))).response.status_code >= 400
    else:
        response = json.dumps(device.create(options["authn_params_public_key"], origin=PUBLIC_URL))
        answer = {"auth_session": options["auth_session"], "response": response}
        assert "is ready" not in (await visitor.send(Form(at.form(f"{PAGE}/passkey").action), **answer)).text
    assert {row["id"] for row in await bare.rows(tables.Passkey)} == passkeys


async def test_a_new_password_ends_a_recovery_and_the_reverse(world: World) -> None:
    """Of two who both read the mail the one that is first decides, and the other hears of it."""
    await world.patch_options(**PASSWORDLESS)
    user_id = await world.person()
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    visitor = Visitor.of(world)
    at = await at_the_passkey(world, visitor)
    body = {"client_id": world.client_id, "connection": world.connection, "email": ANN}
    await world.client.post("/dbconnections/change_password", json=body)
    page = await Visitor.of(world).open((await world.link()).rstrip("#"))
    await Visitor.of(world).send(page.form(), password="another horse battery")
    assert (await visitor.open(str(at.response.url))).path == PAGE
    await world.client.post("/dbconnections/change_password", json=body)
    link = (await world.link()).rstrip("#")
    await recover(world, Authenticator())
    assert (await Visitor.of(world).open(link)).response.status_code == 400


# --- one ceremony for another --------------------------------------------------------------------------------------


async def test_a_recovery_s_ceremony_is_good_for_nothing_else(bare: World) -> None:
    """Row 11: neither for a sign-up, nor for a login, nor to add a passkey; and no other is good for a recovery."""
    visitor, device = Visitor.of(bare), Authenticator()
    await ann_with_a_passkey(bare, device, "bob@example.com")
    at = await at_the_passkey(bare, visitor)

    async def begun() -> tuple[str, Any]:
        options = await visitor.options(at, f"{PAGE}/passkey")
        made = Authenticator().create(options["authn_params_public_key"], origin=PUBLIC_URL)
        return options["auth_session"], made

    for response in (None, "a login"):
        auth_session, made = await begun()
        if response:
            challenge = (await bare.begin_challenge()).json()["authn_params_public_key"]
            made = device.get(challenge, origin=PUBLIC_URL)
        assert (await bare.exchange(auth_session, made)).status_code == 403
    audience = {"audience": f"{PUBLIC_URL}/me/", "scope": "create:me:authentication_methods"}
    token = (await bare.passkey_login(device, **audience)).json()["access_token"]
    auth_session, made = await begun()
    refused = await MyAccount(bare, token).verify({"auth_session": auth_session}, made)
    assert refused.status_code == 400
    state = at.response.url.params["state"]
    auth_session, made = await begun()
    answer = {"auth_session": auth_session, "response": json.dumps(made)}
    for path in ("/u/passkey-enrollment", "/u/signup/passkey", "/u/login/passkey"):
        assert (await visitor.send(Form(f"{path}?state={state}"), **answer)).response.status_code in (200, 403)
    assert await bare.count(tables.Passkey) == 2


async def test_no_other_ceremony_is_good_for_a_recovery(bare: World) -> None:
    visitor = Visitor.of(bare)
    at = await at_the_passkey(bare, visitor)
    path = at.form(f"{PAGE}/passkey").action
    signup = (await bare.begin_register("new@example.com")).json()
    login = (await bare.begin_challenge()).json()
    other = Visitor.of(bare)
    await ann_with_a_passkey(bare, Authenticator(), "bob@example.com")
    theirs = await other.options(await at_the_passkey(bare, other, "bob@example.com"), f"{PAGE}/passkey")
    for begun in (signup, login, theirs):
        options = begun["authn_params_public_key"]
        made = Authenticator().create(options, origin=PUBLIC_URL) if "user" in options else {}
        answer = {"auth_session": begun["auth_session"], "response": json.dumps(made)}
        assert (await visitor.send(Form(path), **answer)).response.status_code == 403
    assert await bare.count(tables.Passkey) == 2


async def test_the_page_of_one_account_does_not_store_for_another(bare: World) -> None:
    """The question was put for Ann; then the same page got a code of Bob's."""
    await ann_with_a_passkey(bare, Authenticator(), "bob@example.com")
    visitor = Visitor.of(bare)
    page = await at_the_request(visitor)
    await visitor.send(page.form(PAGE), username=ANN)
    query = page.response.url.query.decode()
    at_code = await visitor.open(f"{PAGE}/code?{query}")
    at = await enter(visitor, at_code, await bare.code())
    options = await visitor.options(at, f"{PAGE}/passkey")
    await visitor.send(page.form(PAGE), username="bob@example.com")
    assert (await enter(visitor, at_code, await bare.code("bob@example.com"))).path == f"{PAGE}/passkey"
    response = json.dumps(Authenticator().create(options["authn_params_public_key"], origin=PUBLIC_URL))
    answer = {"auth_session": options["auth_session"], "response": response}
    await visitor.send(Form(at.form(f"{PAGE}/passkey").action), **answer)
    assert await bare.count(tables.Passkey) == 2


async def test_a_code_opens_one_page_and_no_other(bare: World) -> None:
    """Rows 10 and 41: whoever has typed the code is not signed in, and whoever has not cannot make a passkey."""
    visitor = Visitor.of(bare)
    at = await at_the_passkey(bare, visitor)
    state = at.response.url.params["state"]
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    assert (await visitor.open("/u/account")).path == "/u/login/identifier"
    assert (await visitor.open(f"/u/login?state={state}")).path == "/u/login/identifier"
    for path in ("/u/passkey-enrollment", "/u/consent", "/u/verification-pending", "/u/signup/passkey"):
        assert (await visitor.open(f"{path}?state={state}")).path == "/u/login/identifier"
    assert (await visitor.send(Form(f"/u/passkey-enrollment/options?state={state}"))).response.status_code == 400
    assert await bare.open_sessions() == 0


# --- who has an account --------------------------------------------------------------------------------------------

WHO = {
    "a passkey": "passkey@example.com",
    "a password": "password@example.com",
    "neither": "bare@example.com",
    "an address that nobody verified": "unverified@example.com",
    "a blocked account": "blocked@example.com",
    "no account": "nobody@example.com",
}
VERIFIED = ("a passkey", "a password", "neither")


@pytest.fixture
async def town(world: World) -> World:
    """Everybody, on a connection with passwords whose accounts may live without."""
    methods = {"password": {"api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods, **PASSWORDLESS)
    await ann_with_a_passkey(world, Authenticator(), WHO["a passkey"])
    await world.person(WHO["an address that nobody verified"])
    for name, password in (("a password", PASSWORD), ("neither", None), ("a blocked account", PASSWORD)):
        user_id = await world.person(WHO[name], password)
        await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    await world.block(await the_user(world, WHO["a blocked account"]))
    await world.letters()
    return world


def seen(landed: Landed, email: str) -> tuple[int, list[tuple[str, str]], list[str], str]:
    """Return what a stranger can compare: all but what is different each time."""
    answer: httpx.Response = landed.response
    fresh = {"x-request-id", "date", "set-cookie", "content-length", "location"}
    fresh |= {"x-ratelimit-remaining", "x-ratelimit-reset"}  # how many were asked before, whoever was asked about
    kept = {name: value for name, value in answer.headers.items() if name not in fresh}
    headers = sorted((name, re.sub(r"dec_[\w-]{16}", "dec_", value)) for name, value in kept.items())
    cookies = sorted(answer.cookies)
    text = re.sub(r"state=[\w-]+", "state=", answer.text.replace(email, ""))
    return answer.status_code, headers, cookies, f"{landed.path} {text}"


async def rows(world: World) -> dict[str, int]:
    """Count the rows of everything that a request may write."""
    kept = ("OneTimeCode", "Job", "JournalRow", "Ticket", "CeremonyRow", "Transaction", "Passkey", "Attempt")
    return {name: await world.count(getattr(tables, name)) for name in kept}


async def test_nobody_learns_who_has_an_account(town: World) -> None:
    """By status, headers, cookies and bodies of the answers, nor by what they cost: the same rows, and no hash."""
    pages: dict[str, list[Any]] = {}
    first_of_all = Visitor.of(town)
    await enter(first_of_all, await at_the_code(first_of_all, "first@example.com"), "000000")
    for name, email in WHO.items():
        visitor, hashes = Visitor.of(town), town.hasher.verified
        request = await at_the_request(visitor)
        before = await rows(town)
        code_page = await visitor.send(request.form(PAGE), username=email)
        asked = await rows(town)
        guessed = await enter(visitor, code_page, "000000")
        tried = await rows(town)
        assert town.hasher.verified == hashes
        cost = [{kind: after[kind] - than[kind] for kind in after} for after, than in ((asked, before), (tried, asked))]
        pages[name] = [seen(request, email), seen(code_page, email), seen(guessed, email), *cost]
    first = pages["no account"]
    assert {name for name, each in pages.items() if each != first} == set()
    assert first[-2]["OneTimeCode"] == first[-2]["Job"] == first[-2]["JournalRow"] == 1


async def test_codes_go_to_verified_addresses_alone(town: World) -> None:
    for email in WHO.values():
        await at_the_code(Visitor.of(town), email)
    got = [letter.to for letter in await town.letters() if "is your code" in letter.subject]
    assert sorted(got) == sorted(WHO[name] for name in VERIFIED)
    assert [job["finished_at"] is not None for job in await town.rows(tables.Job)].count(False) == 0
    assert "fn" not in await town.journal(), "a message to nobody is no failure"


async def test_beyond_the_limit_everybody_is_told_the_same(town: World) -> None:
    answers = []
    for email in WHO.values():
        visitor = Visitor.of(town)
        page = await at_the_request(visitor)
        for _ in range(11):
            landed = await visitor.send(page.form(PAGE), username=email)
        answers.append(seen(landed, email))
    assert {each[0] for each in answers} == {429}
    assert len({each[3] for each in answers}) == 1


async def test_the_budget_of_guesses_does_not_tell_either(town: World) -> None:
    """Twenty-one wrong guesses look the same for everybody, and the right number of digits is nobody's to see."""
    answers = []
    # All of them together would be too many of one address.
    await town.manage("PATCH", "/attack-protection/suspicious-ip-throttling", {"enabled": False})
    for email in WHO.values():
        await guess_everywhere(town, [email], 4)
        visitor = Visitor.of(town)
        code_page = await at_the_code(visitor, email)
        answers.append((seen(code_page, email), seen(await enter(visitor, code_page, "1" * 16), email)))
    assert all(each == answers[0] for each in answers)
