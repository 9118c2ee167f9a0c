"""Which door is charged to what: each one is counted, and none keeps out whoever shows the right thing."""

import json
import re
from collections import Counter

import httpx
import pytest

from authenticator import FLAWLESS, UP, Authenticator, Flaw, flags
from guarding import BRUTE_FORCE, SUSPICIOUS_IP, browser_at, guard
from keystead.db import tables
from recovery import NO_PASSWORDS, PAGE, ann_with_a_passkey, at_the_code
from visitor import Form, Visitor
from world import PASSKEY_GRANT, PASSWORD, PUBLIC_URL, World

BLOCKED = "Too many failed sign-ins from your network. Try again later, or from another one."
CODES = {"email": {"verification_method": "code", "signup": {"status": "required", "verification": {"active": True}}}}
FORGED = Flaw(signature=lambda octets: octets[:-1] + bytes([octets[-1] ^ 1]))
ELSEWHERE = "198.51.100.7"


async def three_failures(world: World, **signups: int) -> None:
    """Let three failures of one address be enough, and as many sign-ups as is said."""
    stages = {"pre-login": {"max_attempts": 3}}
    stages |= {"pre-user-registration": {"max_attempts": signups["signups"]}} if signups else {}
    await guard(world.db, SUSPICIOUS_IP, stage=stages)


async def spent(world: World, prefix: str = "address/login/") -> list[float]:
    """Return what buckets have been charged."""
    return [each.spent for each in await world.attempts.list(prefix)]


# --- codes -----------------------------------------------------------------------------------------------------------


async def signup_code(world: World, visitor: Visitor) -> tuple[Form, str]:
    """Sign up as far as the code."""
    await world.patch_options(attributes=CODES)
    landed = await visitor.authorize(screen_hint="signup")
    landed = await visitor.send(landed.form("/signup/identifier"), email="ann@example.com")
    return landed.form("-identifier-challenge"), await world.code()


async def reset_code(world: World, visitor: Visitor) -> tuple[Form, str]:
    """Ask for a reset by code."""
    await world.patch_options(attributes={"email": {"verification_method": "code"}})
    await world.person()
    landed = await visitor.authorize()
    landed = await visitor.open(f"/u/reset-password/request?state={landed.response.url.params['state']}")
    landed = await visitor.send(landed.form("/reset-password/request"), username="ann@example.com")
    return landed.form("/reset-password/code"), await world.code()


async def recovery_code(world: World, visitor: Visitor) -> tuple[Form, str]:
    """Ask for a code that leads to a new passkey."""
    await world.patch_options(**NO_PASSWORDS)
    await ann_with_a_passkey(world, Authenticator())
    landed = await at_the_code(visitor)
    text = next(each.text for each in await world.letters() if each.to == "ann@example.com")
    found = re.search(r"\b[0-9]{3} ?[0-9]{3}\b", text)
    assert found, text
    return landed.form(f"{PAGE}/code"), found[0].replace(" ", "")


CODE_DOORS = {"sign-up": signup_code, "reset": reset_code, "recovery": recovery_code}


@pytest.mark.parametrize("door", CODE_DOORS)
async def test_a_wrong_code_charges_the_address_and_a_right_one_does_not(world: World, door: str) -> None:
    visitor = Visitor.of(world)
    form, code = await CODE_DOORS[door](world, visitor)
    wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"
    assert (await visitor.send(form, code=wrong)).path == form.action.partition("?")[0]
    assert await spent(world) == [1.0]
    landed = await visitor.send(form, code=code)
    assert landed.path != form.action.partition("?")[0], landed.text
    assert await spent(world) == [1.0], "the right one was given back"


@pytest.mark.parametrize("door", CODE_DOORS)
async def test_no_code_is_compared_for_an_address_that_failed_too_often(world: World, door: str) -> None:
    visitor = Visitor.of(world)
    form, code = await CODE_DOORS[door](world, visitor)
    await three_failures(world)
    for name in ("x@example.com", "y@example.com", "z@example.com"):
        assert (await world.guess(name)).status_code == 403
    landed = await visitor.send(form, code=code)
    assert landed.response.status_code == 429
    assert BLOCKED in landed.text
    (row,) = await world.rows(tables.OneTimeCode)
    assert row["tries"] == 0
    assert (await world.last_entry())["type"] == "limit_mu"


# --- links -----------------------------------------------------------------------------------------------------------

LINKS = (
    "/u/email-verification",
    "/u/reset-password",
    "/u/passkey-enrollment/ticket",
    "/u/passkey-upgrade/undo",
    "/u/setup",
)


@pytest.mark.parametrize("path", LINKS)
async def test_a_wrong_link_charges_the_address_once(world: World, path: str) -> None:
    await three_failures(world)
    statuses = [(await world.client.get(f"{path}?ticket=made-up-{number}")).status_code for number in range(4)]
    assert statuses == [400, 400, 400, 429]
    assert [round(each, 1) for each in await spent(world)] == [3.0]
    assert (await world.client.post(f"{path}?ticket=made-up")).status_code == 429
    assert (await world.at(ELSEWHERE).client.get(f"{path}?ticket=made-up")).status_code == 400


async def test_the_options_of_an_enrolment_link_are_a_door_too(world: World) -> None:
    await three_failures(world)
    asked = [await world.client.post("/u/passkey-enrollment/ticket/options?ticket=made-up") for _ in range(4)]
    assert [answer.status_code for answer in asked] == [400, 400, 400, 429]


async def test_the_right_link_works_from_an_address_that_is_blocked(world: World) -> None:
    await world.person()
    body = {"client_id": world.client_id, "connection": world.connection, "email": "ann@example.com"}
    await world.client.post("/dbconnections/change_password", json=body)
    link = (await world.link(page="/u/reset-password")).rstrip("#")
    await three_failures(world)
    answers = [await world.client.get("/u/reset-password?ticket=made-up") for _ in range(4)]
    assert answers[-1].status_code == 429
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.open(link)).form("/reset-password"), password="another horse battery")
    assert landed.response.status_code == 200
    assert await spent(world) == [3.0]


# --- passkeys --------------------------------------------------------------------------------------------------------


async def shows(
    world: World,
    device: Authenticator,
    flaw: Flaw = FLAWLESS,
    *,
    http: httpx.AsyncClient | None = None,
    origin: str = PUBLIC_URL,
) -> httpx.Response:
    """Answer a challenge."""
    http = http or world.client
    begun = (await http.post("/passkey/challenge", json={"client_id": world.client_id})).json()
    response = device.get(begun["authn_params_public_key"], origin=origin, flaw=flaw)
    body = {"client_id": world.client_id, "auth_session": begun["auth_session"], "authn_response": response}
    return await http.post("/oauth/token", json=body | {"grant_type": PASSKEY_GRANT})


async def test_wrong_signatures_meet_a_limit_of_their_passkey_where_they_come_from(world: World) -> None:
    """NIST SP 800-63B §3.2.2; and whoever has the right one is never in it."""
    device = Authenticator()
    await world.register(device)
    await guard(world.db, BRUTE_FORCE, max_attempts=3)
    statuses = [(await shows(world, device, FORGED)).status_code for _ in range(5)]
    assert statuses == [403, 403, 403, 429, 429]
    assert await spent(world, "passkey/") == [3.0]
    refused = [row for row in await world.rows(tables.JournalRow) if row["type"] == "limit_wc"]
    assert [row["details"]["rule"] for row in refused] == ["passkey", "passkey"]
    assert (await shows(world, device)).status_code == 200, "the right one here"
    http = world.at(ELSEWHERE).client
    assert (await shows(world, device, http=http)).status_code == 200, "and elsewhere"
    assert (await shows(world, device, FORGED, http=http)).status_code == 403, "where nobody failed yet"


async def test_unknown_passkeys_charge_the_address(world: World) -> None:
    await three_failures(world)
    ours = Authenticator()
    answers: list[httpx.Response] = []
    await world.register(ours)
    for _ in range(4):
        stranger = Authenticator()
        begun = (await world.begin_register(f"s{len(answers)}@example.com")).json()
        stranger.create(begun["authn_params_public_key"], origin=PUBLIC_URL)  # and nobody tells the server
        answers.append(await shows(world, stranger))
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
    assert (await shows(world, ours)).status_code == 200


async def test_what_is_no_guess_is_not_charged(world: World) -> None:
    """A ceremony that is late, a page that may not, garbage, a dialog that was cancelled."""
    device = Authenticator()
    await world.register(device)
    begun = (await world.begin_challenge()).json()
    late = device.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    world.clock.advance(hours=1)
    assert (await world.exchange(begun["auth_session"], late)).status_code == 403
    assert (await shows(world, device, origin="https://evil.example")).status_code == 403
    assert (await shows(world, device, Flaw(fields=flags(off=UP)))).status_code == 403
    begun = (await world.begin_challenge()).json()
    assert (await world.exchange(begun["auth_session"], {"id": "garbage"})).status_code == 403
    await world.begin_challenge()
    assert await spent(world) == []
    assert await spent(world, "passkey/") == []


async def test_a_passkey_logs_in_where_the_lock_of_the_password_is_full_and_no_block_is_passed(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    user_id = (await world.manage("GET", "/users")).json()[0]["user_id"]
    for _ in range(10):
        await world.guess()
    assert (await world.guess()).status_code == 429
    assert (await shows(world, device)).status_code == 200
    await world.block(user_id)
    answer = await shows(world, device)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


# --- sign-ups --------------------------------------------------------------------------------------------------------


async def test_sign_ups_of_one_address_are_counted_whatever_comes_of_them(world: World) -> None:
    """AP-9. By API: what makes no sense does not count."""
    await three_failures(world, signups=3)
    for malformed in ({"email": "no address"}, {"email": 7}, {"password": None}, {"connection": "Nowhere"}):
        assert (await world.signup(**({"email": "a@example.com"} | malformed))).status_code in (400, 403)
    statuses = [
        (await world.signup(email)).status_code for email in ("a@example.com", "a@example.com", "b@example.com")
    ]
    assert statuses == [200, 400, 200]
    before = world.hasher.hashed
    answer = await world.signup("c@example.com")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert world.hasher.hashed == before
    entry = await world.last_entry()
    assert (entry["type"], entry["details"]["flow"], entry["details"]["rule"]) == (
        "limit_mu",
        "signup",
        "suspicious_ip",
    )
    assert (await world.begin_register("d@example.com")).status_code == 429
    body = {"client_id": world.client_id, "connection": world.connection, "email": "c@example.com"}
    elsewhere = world.at(ELSEWHERE).client
    assert (await elsewhere.post("/dbconnections/signup", json=body | {"password": PASSWORD})).status_code == 200
    world.clock.advance(seconds=1728)
    assert (await world.signup("d@example.com")).status_code == 200, "one comes back"
    assert (await world.guess("a@example.com")).status_code == 403, "logins are counted apart"


@pytest.mark.parametrize("way", ["password", "passkey"])
async def test_a_sign_up_on_pages_counts_once(world: World, way: str) -> None:
    await three_failures(world, signups=2)
    for email in ("a@example.com", "b@example.com"):
        assert await signed_up(browser_at(world, "203.0.113.9"), email, way)
    visitor = Visitor.of(world)
    landed = await visitor.authorize(screen_hint="signup")
    landed = await visitor.send(landed.form("/signup/identifier"), email="c@example.com")
    assert landed.response.status_code == 429
    assert "Too many accounts were created from your network." in landed.text
    assert Counter(await world.journal())["ss"] == 2


async def signed_up(visitor: Visitor, email: str, way: str) -> bool:
    """Sign up on pages, and return whether there is an account."""
    landed = await visitor.authorize(screen_hint="signup")
    if way == "password":
        await visitor.sign_up(landed, email)
    else:
        landed = await visitor.send(landed.form("/signup/identifier"), email=email)
        await visitor.options(landed, "/signup/passkey")  # a dialog that was cancelled
        begun = await visitor.options(landed, "/signup/passkey")
        response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
        fields = {"auth_session": begun["auth_session"], "response": json.dumps(response)}
        await visitor.send(landed.form("/signup/passkey"), **fields)
    return email in {each["email"] for each in (await visitor.world.manage("GET", "/users")).json()}
