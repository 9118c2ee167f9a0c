"""How other products told who has an account, or let it be taken (incidents 24, 25, 36, 40 and 42), tried here."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from guarding import BRUTE_FORCE, LOCK, SUSPICIOUS_IP, guard
from keystead.db import tables
from keystead.ports import Verdict
from keystead.users.hashing import BcryptHasher, decoys
from visitor import Landed, Visitor
from world import PUBLIC_URL, REALM_GRANT, World

ANN, NOBODY, BLOCKED, BARE = "ann@example.com", "nobody@example.com", "blocked@example.com", "bare@example.com"
UNVERIFIED = "unverified@example.com"
WHO = (ANN, NOBODY, BLOCKED, BARE, UNVERIFIED)

OPTIONAL: dict[str, Any] = {"password": {"enabled": True, "api_behavior": "optional"}, "passkey": {"enabled": True}}
VERIFIED = {"signup": {"status": "required", "verification": {"active": True}}}
FLAGS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "hardened": {"security_profile": "hardened"},
    "usernames too": {
        "attributes": {"email": {"signup": {"status": "optional"}}, "username": {"signup": {"status": "optional"}}}
    },
    "verified by link": {"attributes": {"email": VERIFIED | {"verification_method": "link"}}},
    "verified by code": {"attributes": {"email": VERIFIED | {"verification_method": "code"}}},
    "without brute-force protection": {"brute_force_protection": False},
    "without resets": {"disable_self_service_change_password": True},
    "without sign-ups": {"disable_signup": True},
    "without passwords": {
        "authentication_methods": {
            "password": {"enabled": False, "api_behavior": "optional"},
            "passkey": {"enabled": True},
        }
    },
    "accounts without passwords": {"passkey_policy": {"passwordless_accounts": True}},
    "required passkeys": {"passkey_policy": {"enrollment": "required"}},
}
GUARDS: dict[str, tuple[str, dict[str, Any]]] = {
    "locks as Auth0 has them": (LOCK, {"lock_scope": "auth0"}),
    "locks that only watch": (BRUTE_FORCE, {"shields": []}),
    "locks of names": (BRUTE_FORCE, {"mode": "count_per_identifier"}),
    "no locks": (BRUTE_FORCE, {"enabled": False}),
    "no limit of addresses": (SUSPICIOUS_IP, {"enabled": False}),
}


def seen(answer: httpx.Response, email: str) -> tuple[int, tuple[tuple[str, str], ...], str]:
    """Return what a stranger can compare: all but numbers that are different each time, and what was typed."""
    fresh = {"x-request-id", "keystead-decision", "date", "content-length"}
    fresh |= {"x-ratelimit-remaining", "x-ratelimit-reset"}  # how many were asked before, whoever was asked about
    headers = tuple(sorted((name, hidden(value, email)) for name, value in answer.headers.items() if name not in fresh))
    return answer.status_code, headers, hidden(answer.text, email)


def hidden(text: str, email: str) -> str:
    text = re.sub(r"(state|ticket|keystead-[a-z]+)=[\w.-]+", r"\1=", text.replace(email, ""))
    return re.sub(r'"(challenge|auth_session)":"[\w-]+"', r'"\1":""', text)


async def alike(ask: Callable[[str], Awaitable[httpx.Response]]) -> None:
    """Ask about each of them, and hold the answers against each other."""
    found = {email: seen(await ask(email), email) for email in WHO}
    assert {email: answer for email, answer in found.items() if answer != found[NOBODY]} == {}


@pytest.fixture
async def town(world: World) -> World:
    """Ann; somebody who is blocked; somebody without a password; and somebody who never showed their address."""
    await world.patch_options(authentication_methods=OPTIONAL)
    for email in (ANN, BARE, BLOCKED, UNVERIFIED):
        user_id = await world.person(email, None if email == BARE else "correct horse battery")
        if email != UNVERIFIED:
            await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
        if email == BLOCKED:
            await world.block(user_id)
    return world


async def set_flag(world: World, flag: str) -> None:
    if flag in GUARDS:
        name, members = GUARDS[flag]
        await guard(world.db, name, **members)
        return
    saved = await world.patch_options(**FLAGS[flag])
    assert saved.status_code == 200, saved.text


@pytest.mark.parametrize("flag", [*FLAGS, *GUARDS])
async def test_incident_24_no_setting_makes_a_refusal_tell_who_is_there(town: World, flag: str) -> None:
    """CVE-2026-4633 (Keycloak): in one mode the error had another text for people who exist."""
    await set_flag(town, flag)
    await alike(town.guess)
    await alike(lambda email: town.guess(email, grant_type=REALM_GRANT, realm=town.connection))
    await alike(lambda email: town.login(email, ""))
    await alike(lambda email: town.begin_challenge(username=email))

    async def reset(email: str) -> httpx.Response:
        body = {"client_id": town.client_id, "connection": town.connection, "email": email}
        return await town.client.post("/dbconnections/change_password", json=body)

    await alike(reset)
    town.clock.advance(minutes=10)  # the limit of a minute is over, and that of a month is not
    for email in WHO:
        for _ in range(9):
            await town.guess(email)
    town.clock.advance(minutes=10)
    await alike(town.guess)


@pytest.mark.parametrize("flag", [*FLAGS, *GUARDS])
async def test_incident_25_no_page_tells_who_is_there(town: World, flag: str) -> None:
    """CVE-2026-23511 (ZITADEL): the setting held for the API, and the login pages told all the same."""
    await set_flag(town, flag)

    async def state_of(visitor: Visitor) -> str:
        return str((await visitor.authorize()).response.url.params["state"])

    async def identified(email: str) -> httpx.Response:
        visitor = Visitor.of(town)
        return (await visitor.send((await visitor.authorize()).form("/login/identifier"), username=email)).response

    async def refused(email: str) -> httpx.Response:
        visitor = Visitor.of(town)
        page = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=email)
        action = f"/u/login/password?state={page.response.url.params['state']}"
        return await visitor.client.post(action, data={"password": town.wrong_password()})

    async def asked(path: str, email: str) -> httpx.Response:
        visitor = Visitor.of(town)
        action = f"{path}?state={await state_of(visitor)}"
        return Landed(await visitor.client.post(action, data={"username": email})).response

    await alike(identified)
    await alike(refused)
    await alike(lambda email: asked("/u/reset-password/request", email))
    await alike(lambda email: asked("/u/passkey-recovery", email))


async def test_incident_36_a_refusal_costs_the_same_and_leaves_the_same_behind(town: World) -> None:
    """allauth 2023 and 2024: time, and what a sign-up sent, told who exists."""
    for email in WHO:
        before = town.hasher.verified, town.hasher.hashed, len(await town.journal()), await town.counts()
        assert (await town.guess(email)).status_code == 403
        after = town.hasher.verified, town.hasher.hashed, len(await town.journal()), await town.counts()
        assert after == (before[0] + 1, before[1], before[2] + 1, before[3]), email
    posts = await town.count(tables.Job)
    for email in WHO:
        body = {"client_id": town.client_id, "connection": town.connection, "email": email}
        work = town.hasher.verified, town.hasher.hashed, await town.count(tables.OneTimeCode)
        assert (await town.client.post("/dbconnections/change_password", json=body)).status_code == 200
        assert (town.hasher.verified, town.hasher.hashed, await town.count(tables.OneTimeCode)) == work, email
    assert await town.count(tables.Job) > posts, "mail goes out later, and not while somebody waits for an answer"


async def test_incident_36_in_the_hardened_profile_a_sign_up_leaves_the_same_behind(town: World) -> None:
    await town.patch_options(security_profile="hardened")
    found = []
    for email in (ANN, "new@example.com"):
        before = town.hasher.hashed
        answer = await town.signup(email)
        body = {name: None if name == "_id" else value for name, value in answer.json().items()}
        found.append((answer.status_code, body | {"email": ""}, town.hasher.hashed - before))
    assert found[0] == found[1]
    assert found[0][0] == 200


@pytest.mark.parametrize(("stored", "today"), [(4, 4), (4, 6), (5, 6)])
async def test_incident_36_a_hash_of_before_a_rise_of_the_cost_takes_as_long_as_nobody(stored: int, today: int) -> None:
    """What is hashed for nobody has the cost of today, and what an older hash lacks is made up for."""
    old, hasher = BcryptHasher(stored, workers=1, queue=9), BcryptHasher(today, workers=1, queue=9)
    work = {None: 2**today, stored: 2**stored}
    for cost, own in work.items():
        hashed = await old.hash(b"right") if cost else None
        assert await hasher.verify(b"wrong", hashed) == Verdict(ok=False)
        assert (own if cost else 0) + sum(2**each for each in decoys(cost, today)) == 2**today
    old.close()
    hasher.close()


AT_SIGNS = ("\uff20", "\ufe6b")
"""A wide and a small at sign: normalisation makes them the one."""
REFUSED = {
    "zero width": "ann\u200b@example.com",
    "zero width in the domain": "ann@exam\u200dple.com",
    "from right to left": "ann\u202e@example.com",
    "a mark that is nothing": "a\u034fnn@example.com",
    "letters of two scripts": "\u0430nn@example.com",
    "two at signs, of two kinds": "ann@evil.example\uff20example.com",
    "a new line": "ann@example.com\nbcc: eve@example.com",
}


@pytest.mark.parametrize("at", AT_SIGNS)
async def test_incident_40_what_is_normalised_is_normalised_before_it_is_looked_at(world: World, at: str) -> None:
    """GHSA-7rqj-j65f-68wh (Auth.js): an address was checked first and normalised then, and mail went elsewhere."""
    await world.person()
    assert (await world.signup(f"ann{at}example.com")).status_code == 400, "taken"
    assert (await world.login(f"ann{at}example.com")).status_code == 200
    made = await world.signup(f"\uff42ob{at}example.com")
    assert (made.status_code, made.json()["email"]) == (200, "bob@example.com")
    assert {letter.to for letter in await world.letters()} == {ANN, "bob@example.com"}


@pytest.mark.parametrize("what", REFUSED)
async def test_incident_40_what_looks_like_another_is_refused(world: World, what: str) -> None:
    await world.person()
    letters = len(await world.letters())
    assert (await world.signup(REFUSED[what])).status_code == 400
    assert (await world.login(REFUSED[what])).status_code == 403
    assert (await world.begin_register(REFUSED[what])).status_code == 400
    body = {"client_id": world.client_id, "connection": world.connection, "email": REFUSED[what]}
    assert (await world.client.post("/dbconnections/change_password", json=body)).status_code in (200, 400)
    assert len(await world.letters()) == letters, "nobody is written to"


HOSTS: list[dict[str, str]] = [
    {"host": "evil.example"},
    {"host": "localhost:8000@evil.example"},
    {"x-forwarded-host": "evil.example"},
    {"forwarded": "host=evil.example;proto=https"},
    {"x-original-url": "https://evil.example/"},
    {"origin": "https://evil.example", "referer": "https://evil.example/"},
]


@pytest.mark.parametrize("headers", HOSTS, ids=lambda headers: next(iter(headers)))
async def test_incident_42_links_lead_to_where_the_configuration_says(world: World, headers: dict[str, str]) -> None:
    """better-auth #9990: links had the host of the first request that was seen. Here this is the first."""
    body = {"client_id": world.client_id, "connection": world.connection, "email": ANN}
    await world.client.post("/dbconnections/signup", json=body | {"password": "correct horse battery"}, headers=headers)
    await world.signup()
    await world.client.post("/dbconnections/change_password", json=body, headers=headers)
    await world.client.post("/dbconnections/change_password", json=body)
    letters = await world.letters()
    assert letters
    for letter in letters:
        urls = re.findall(r"https?://[^\s\"<>)]+", letter.text + (letter.html or ""))
        assert "evil" not in letter.text + (letter.html or "")
        assert urls == [url for url in urls if url.startswith(f"{PUBLIC_URL}/")], urls
