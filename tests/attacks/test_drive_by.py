"""Pages of other sites have their visitors' browsers send things here: that uses up nothing of their visitors'.

What somebody has a crowd ask for keeps nobody from signing up, either.
"""

import re
from itertools import count
from typing import Any

import httpx
import pytest

from authenticator import Authenticator, Flaw
from guarding import SUSPICIOUS_IP, browser_at, guard
from keystead.rules.buckets import Bucket, all_codes_bucket, guesses_bucket
from keystead.rules.identifiers import Identifier
from keystead.web import wire
from keystead.web.cors import FOR_CLIENTS
from visitor import Form, Landed, Visitor
from world import PASSKEY_GRANT, PASSWORD, World, basic

SHOP = "https://shop.example"
NEW = "new@example.com"
CODES = {"email": {"verification_method": "code", "signup": {"status": "required", "verification": {"active": True}}}}
FORGED = Flaw(signature=lambda octets: octets[:-1] + bytes([octets[-1] ^ 1]))
IMAGE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
FORM = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

ELSEWHERE = {
    "an image": IMAGE,
    "a link": FORM,
    "an image of a neighbour": IMAGE | {"sec-fetch-site": "same-site"},
    "what is to come": {"sec-fetch-site": "another word"},
    "an older browser": {"origin": "https://evil.example"},
    "an older browser that tells nothing": {"origin": "null"},
    "a neighbour that says it is us": {"origin": "http://localhost:8000", "sec-fetch-site": "cross-site"},
}
OURS: dict[str, dict[str, str]] = {
    "no browser": {},
    "a page of ours": {"sec-fetch-site": "same-origin"},
    "somebody who typed it": {"sec-fetch-site": "none"},
    "a page of ours in an older browser": {"origin": "http://localhost:8000"},
}
LINKS = (
    *("/u/email-verification", "/u/reset-password", "/u/unblock", "/u/setup"),
    *("/u/passkey-enrollment/ticket", "/u/passkey-upgrade/undo"),
)

_numbers = count()


async def charged(world: World, prefix: str = "address/login/") -> float:
    """Return how much was charged to addresses, or to other buckets."""
    return round(sum(each.spent for each in await world.attempts.list(prefix)), 1)


# --- links -----------------------------------------------------------------------------------------------------------


async def test_a_page_full_of_pictures_blocks_nobody(world: World) -> None:
    await world.person()
    statuses = {(await world.client.get(f"/u/unblock?ticket={n}", headers=IMAGE)).status_code for n in range(101)}
    assert statuses == {400}
    assert await charged(world) == 0
    assert (await world.login()).status_code == 200


@pytest.mark.parametrize("path", LINKS)
async def test_a_wrong_link_is_charged_unless_another_site_s_page_opened_it(world: World, path: str) -> None:
    for name, headers in ELSEWHERE.items():
        for method in ("GET", "POST"):
            answer = await world.client.request(method, f"{path}?ticket=made-up", headers=headers)
            assert answer.status_code in (400, 403), name
        assert await charged(world) == 0, name
    for number, (name, headers) in enumerate(OURS.items(), 1):
        assert (await world.client.get(f"{path}?ticket=made-up", headers=headers)).status_code == 400
        assert await charged(world) == number, name


async def test_a_right_link_works_from_another_site_s_page(world: World) -> None:
    """Such as from a mailbox that is read in a browser."""
    body = {"client_id": world.client_id, "connection": world.connection, "email": "ann@example.com"}
    await world.person()
    await world.client.post("/dbconnections/change_password", json=body)
    link = (await world.link(page="/u/reset-password")).rstrip("#")
    assert (await world.client.get(link, headers=FORM)).status_code == 200


# --- what can be guessed, and what others count on -------------------------------------------------------------------


async def test_whoever_claims_to_be_another_site_s_page_pays_for_guesses_all_the_same(world: World) -> None:
    await world.person()
    for number in range(1, 4):
        body = guess(world) | {"username": "ann@example.com", "password": f"wrong {number}"}
        assert (await world.client.post("/oauth/token", json=body, headers=IMAGE)).status_code == 403
        assert await charged(world) == number
        assert await charged(world, f"lock/{world.connection_id}/email:ann@example.com/from/") == number


async def test_so_do_forged_passkeys(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    begun = (await world.begin_challenge()).json()
    response = device.get(begun["authn_params_public_key"], origin=world.settings.public_url, flaw=FORGED)
    body = {"grant_type": PASSKEY_GRANT, "client_id": world.client_id, "auth_session": begun["auth_session"]}
    answer = await world.client.post("/oauth/token", json=body | {"authn_response": response}, headers=IMAGE)
    assert answer.status_code == 403
    assert await charged(world) == 1
    assert await charged(world, "passkey/") == 1


async def test_so_do_guesses_at_a_client_s_secret(world: World) -> None:
    client = await world.new_client(app_type="regular_web")
    headers = IMAGE | {"authorization": basic(client["client_id"], "wrong")}
    body = {"grant_type": "client_credentials", "audience": "x"}
    assert (await world.client.post("/oauth/token", json=body, headers=headers)).status_code == 401
    assert await charged(world, "client/") == 1


# --- the routes for clients' pages -----------------------------------------------------------------------------------


def guess(world: World) -> dict[str, Any]:
    """Return a login with a wrong password."""
    name = f"made-up{next(_numbers)}@example.com"
    return {"grant_type": "password", "client_id": world.client_id, "username": name, "password": "x"}


def newcomer(world: World) -> dict[str, Any]:
    """Return a sign-up."""
    name = f"made-up{next(_numbers)}@example.com"
    return {"client_id": world.client_id, "connection": world.connection, "email": name, "password": PASSWORD}


SENT = {"/oauth/token": guess, "/dbconnections/signup": newcomer, "/dbconnections/change_password": newcomer}
UNLISTED = {name: headers for name, headers in ELSEWHERE.items() if "origin" in headers} | {
    "a form": FORM | {"origin": "https://evil.example"},
    "a form of a neighbour": FORM | {"sec-fetch-site": "same-site", "origin": "https://evil.shop.example"},
    "a form in a frame without an origin": FORM | {"origin": "null"},
}
LISTED: dict[str, dict[str, str]] = OURS | {
    "a client's page": {"origin": SHOP, "sec-fetch-site": "cross-site"},
    "a client's page in an older browser": {"origin": SHOP},
    "a page of a client that is one of many": {"origin": "https://ann.friend.example"},
    "a page of ours under another name": {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"},
    "a page that may use our passkeys": {"origin": "https://passkeys.example"},
}
del UNLISTED["a neighbour that says it is us"]  # no browser says so


@pytest.mark.parametrize("path", SENT)
async def test_a_form_of_another_site_tries_nothing_and_costs_nobody(world: World, path: str) -> None:
    await world.new_client(app_type="spa", web_origins=[SHOP])
    await guard(world.db, SUSPICIOUS_IP, stage={"pre-login": {"max_attempts": 3}})
    for name, headers in UNLISTED.items():
        for _ in range(4):
            answer = await world.client.post(path, data=SENT[path](world), headers=headers)
            assert answer.status_code == 403, name
            assert answer.json()["error" if path.startswith("/oauth/") else "code"] == "access_denied", name
            assert "access-control-allow-origin" not in answer.headers
    assert world.hasher.hashed == world.hasher.verified == 0
    assert not [each.key for each in await world.attempts.list("") if not each.key.startswith("requests/")]
    assert len((await world.manage("GET", "/users")).json()) == 0
    assert (await world.signup()).status_code == 200
    assert (await world.login()).status_code == 200


@pytest.mark.parametrize("name", LISTED)
async def test_pages_that_are_known_are_heard_and_charged(world: World, name: str) -> None:
    await world.new_client(app_type="spa", web_origins=[SHOP], allowed_origins=["https://*.friend.example"])
    related = {"related_origins": ["https://passkeys.example"]}
    if "passkeys" in name:
        assert (await world.manage("PATCH", "/keystead/relying-party", related)).status_code == 200
    answer = await world.client.post("/oauth/token", json=guess(world), headers=LISTED[name])
    assert answer.json()["error"] == "invalid_grant"
    assert world.hasher.verified == 1
    assert await charged(world) == 1


@pytest.mark.parametrize("path", FOR_CLIENTS)
async def test_every_such_route_refuses_in_its_own_words(world: World, path: str) -> None:
    full = {"/passkey/": "/passkey/register", "/dbconnections/": "/dbconnections/signup"}
    full |= {"/me/": "/me/v1/authentication-methods", "/api/v2/users/": "/api/v2/users/auth0|somebody"}
    method = "PATCH" if path == "/api/v2/users/" else "POST"
    answer = await world.client.request(method, full.get(path, path), headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "did not come from our own page" in answer.text
    assert wire.dialect_of(path) in (wire.oauth, wire.dbconnections, wire.my_account, wire.management)


async def test_what_is_refused_is_counted_so_that_no_flood_of_it_is_written_down(world: World) -> None:
    before, after = (await _left(world, {}), await _left(world, {"origin": "https://evil.example"}))
    assert after == before - 1


async def _left(world: World, headers: dict[str, str]) -> int:
    answer: httpx.Response = await world.client.post("/oauth/token", headers=headers)
    return int(answer.headers["x-ratelimit-remaining"])


# --- codes to a sign-up ----------------------------------------------------------------------------------------------


async def resets(world: World) -> None:
    """Ask for thirty resets of somebody who is nobody, from three addresses."""
    for bot in range(3):
        visitor = browser_at(world, f"198.18.0.{bot}")
        for _ in range(10):
            landed = await visitor.authorize()
            state = landed.form("/login/identifier").action.partition("state=")[2]
            page = await visitor.open(f"/u/reset-password/request?state={state}")
            assert (await visitor.send(page.form(), username=NEW)).response.status_code == 200


async def signs_up(visitor: Visitor, email: str = NEW) -> Landed:
    """Begin to sign up, as far as the code."""
    landed = await visitor.authorize(screen_hint="signup")
    return await visitor.send(landed.form("/signup/identifier"), email=email)


async def code_of(world: World, to: str = NEW) -> str:
    """Return the code of the newest letter to somebody, as it is written there."""
    text = next(letter.text for letter in await world.letters() if letter.to == to)
    found = re.search(r"\b[0-9]{4} [0-9]{4} [0-9]{4} [0-9]{4}\b|\b[0-9]{6}\b", text)
    assert found, text
    return found[0]


async def spend(world: World, bucket: Bucket) -> None:
    """Fill a bucket."""
    await world.attempts.take(bucket.key, bucket.capacity, bucket.refill, bucket.capacity, lasts=bucket.lasts)


async def finish(visitor: Visitor, landed: Landed) -> Landed:
    """Go on with a password."""
    landed = await visitor.send(Form(landed.form("/signup/passkey").action), action="skip")
    return await visitor.send(landed.form("/signup/password"), password=PASSWORD)


async def test_resets_of_a_crowd_use_up_no_codes_of_a_sign_up(world: World) -> None:
    await world.patch_options(attributes=CODES)
    await resets(world)
    visitor = browser_at(world, "192.0.2.44")
    landed = await signs_up(visitor)
    assert landed.path == "/u/email-identifier-challenge"
    assert len(await code_of(world)) == 6


async def test_beyond_thirty_codes_a_day_a_sign_up_is_sent_one_that_nobody_guesses(world: World) -> None:
    await world.patch_options(attributes=CODES)
    for bot in range(30):
        assert (await signs_up(browser_at(world, f"198.18.0.{bot}"))).response.status_code == 200
        assert len(await code_of(world)) == 6
    visitor = browser_at(world, "192.0.2.44")
    landed = await signs_up(visitor)
    assert landed.path == "/u/email-identifier-challenge"
    code = await code_of(world)
    assert len(code) == 19
    form = landed.form("-identifier-challenge")
    room = re.search(r'name="code"[^>]* maxlength="([0-9]+)"', landed.text)
    assert room, landed.text
    assert int(room[1]) >= len(code)
    assert (await visitor.send(form, code=code[:-1] + str((int(code[-1]) + 1) % 10))).path.endswith("-challenge")
    assert (await visitor.send(form, code=code[-6:])).path.endswith("-challenge"), "nor is a part of it right"
    assert (await finish(visitor, await visitor.send(form, code=code))).answer["code"]


async def test_a_crowd_guesses_twenty_times_a_month_at_the_codes_of_one_address(world: World) -> None:
    await world.patch_options(attributes=CODES)
    for bot in range(4):
        visitor = browser_at(world, f"198.18.0.{bot}")
        form = (await signs_up(visitor)).form("-identifier-challenge")
        code = await code_of(world)
        assert len(code) == 6
        for number in range(1, 6):
            wrong = f"{(int(code) + number) % 10**6:06d}"
            assert (await visitor.send(form, code=wrong)).path.endswith("-challenge")
    visitor = browser_at(world, "192.0.2.44")
    landed = await signs_up(visitor)
    code = await code_of(world)
    assert len(code) == 19
    assert (await visitor.send(landed.form("-identifier-challenge"), code=code)).path == "/u/signup/passkey"


async def test_of_codes_that_were_sent_before_no_more_are_guessed_at_either(world: World) -> None:
    await world.patch_options(attributes=CODES)
    visitor = Visitor.of(world)
    form = (await signs_up(visitor)).form("-identifier-challenge")
    await spend(world, guesses_bucket("signup", world.connection_id, Identifier("email", NEW)))
    assert (await visitor.send(form, code=await code_of(world))).path.endswith("-challenge")


async def test_a_long_code_says_nothing_about_who_has_an_account(world: World) -> None:
    await world.patch_options(attributes=CODES)
    user_id = await world.person(NEW)
    assert (await world.patch_options(security_profile="hardened")).status_code == 200
    assert (await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})).status_code == 200
    pages = []
    for name in (NEW, "nobody@example.com"):
        await spend(world, all_codes_bucket("signup", world.connection_id, Identifier("email", name)))
        landed = await signs_up(browser_at(world, "192.0.2.44"), name)
        pages.append((landed.response.status_code, re.sub(r"state=[^\"&]+", "", landed.text).replace(name, "")))
    assert pages[0] == pages[1]
    assert len(await code_of(world, "nobody@example.com")) == 19


async def test_a_day_later_codes_are_short_again(world: World) -> None:
    await world.patch_options(attributes=CODES)
    await spend(world, all_codes_bucket("signup", world.connection_id, Identifier("email", NEW)))
    await signs_up(Visitor.of(world))
    assert len(await code_of(world)) == 19
    world.clock.advance(days=1)
    await signs_up(Visitor.of(world))
    assert len(await code_of(world)) == 6
