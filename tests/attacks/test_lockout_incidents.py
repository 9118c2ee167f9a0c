"""Locks that went wrong in other products (security incidents 21, 23, 26, 27, 29, 30, 35, 37 to 39), tried here."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from authenticator import Authenticator
from guarding import browser_at
from keystead.db import accounts, tenant
from keystead.errors import DomainError, TooManyAttempts
from keystead.flows.password_login import PasswordLogin
from keystead.rules.attack_protection import SETTINGS
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.known_devices import Device
from keystead.secrecy import Secret
from recovery import NO_PASSWORDS, ann_with_a_passkey, at_the_code
from visitor import Landed, Visitor
from world import PASSWORD, REALM_GRANT, World

ANN, BOB = "ann@example.com", "bob@example.com"


async def tries(world: World, caller: Caller, password: str = PASSWORD) -> str:
    """Try a password of Ann's by the one flow behind all doors; return the code of the refusal, if there is one."""
    login: PasswordLogin = world.app.state.flows.hosted_login.passwords
    connection = await world.app.state.flows.directory.by_id(world.connection_id, world.client_id)
    try:
        await login(connection, world.client_id, ANN, Secret(password), caller)
    except DomainError as refusal:
        return refusal.code
    return ""


def strangers(number: int) -> Caller:
    return Caller(address=f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}")


async def test_incident_21_failing_on_purpose_locks_out_no_device_that_is_known(world: World) -> None:
    """GHSA-cq42-vhv7-xr7p (Keycloak): whoever knew a name could lock its owner out."""
    ann = await world.db.read(accounts.by_id, await world.person())
    assert ann
    marks = world.connection_id, [Identifier("email", ANN)], ann.tenure
    laptop = Device(id="dev_laptop").after_login(*marks)
    outcomes = Counter([await tries(world, strangers(number), f"wrong {number}") for number in range(500)])
    assert outcomes == {"wrong_credentials": 100, TooManyAttempts.code: 400}
    assert await tries(world, strangers(501)) == TooManyAttempts.code, "strangers are locked out, with any password"
    for where in (strangers(502), strangers(7), Caller(address="203.0.113.9")):
        assert await tries(world, where.model_copy(update={"device": laptop})) == "", where.address
    bobs = Device(id="dev_other").after_login(world.connection_id, [Identifier("email", BOB)], ann.tenure)
    assert await tries(world, Caller(address="203.0.113.9", device=bobs)) == TooManyAttempts.code


async def test_incident_21_a_browser_and_an_app_that_logged_in_before_come_in_while_strangers_are_locked_out(
    world: World,
) -> None:
    await world.person()
    browser = Visitor.of(world)
    await browser.log_in(await browser.authorize())
    app = (await world.login()).headers["keystead-device"]
    for number in range(100):
        assert await tries(world, strangers(number), f"wrong {number}") == "wrong_credentials"
    assert (await world.login()).status_code == 429, "an app that does not say that it is known"
    landed = await browser.log_in(await browser.authorize(prompt="login"))
    assert landed.answer["code"]
    body = {"grant_type": "password", "client_id": world.client_id, "username": ANN, "password": PASSWORD}
    answer = await world.client.post("/oauth/token", json=body, headers={"keystead-device": app})
    assert answer.status_code == 200


async def test_incident_23_nobody_takes_a_name_that_is_tried_with_another_s_password(world: World) -> None:
    """CVE-2026-19607 (Keycloak): a name that was somebody's address ended in a lock of theirs."""
    nameless: dict[str, Any] = {"email": None}
    validation = {"max_length": 40, "allowed_types": {"email": True, "phone_number": True}}
    names = {"signup": {"status": "optional"}, "validation": validation}
    saved = await world.patch_options(attributes={"email": {"signup": {"status": "optional"}}, "username": names})
    assert saved.status_code == 200, saved.text
    assert (await world.signup(ANN, username="ann")).status_code == 200
    eve = f"auth0|{(await world.signup('eve@example.com', username='eve')).json()['_id']}"
    before = (await world.manage("GET", f"/users/{eve}")).json()
    for name in (ANN, "ANN@example.com", "ann", "Ann"):
        refused = await world.manage("PATCH", f"/users/{eve}", {"username": name, "connection": world.connection})
        assert refused.status_code in (400, 409), name
        assert (await world.signup(**nameless, username=name)).status_code == 400, name
    assert (await world.manage("GET", f"/users/{eve}")).json() == before
    for _ in range(10):
        await world.guess("eve")
    assert (await world.login("eve")).status_code == 429
    assert (await world.login("ann")).status_code == 200
    assert (await world.login(ANN)).status_code == 200


async def signup_code(visitor: Visitor) -> Landed:
    """Sign up as far as the code."""
    landed = await visitor.authorize(screen_hint="signup")
    return await visitor.send(landed.form("/signup/identifier"), email=ANN)


async def reset_code(visitor: Visitor) -> Landed:
    """Ask for a reset by code."""
    landed = await visitor.authorize()
    landed = await visitor.open(f"/u/reset-password/request?state={landed.response.url.params['state']}")
    return await visitor.send(landed.form("/reset-password/request"), username=ANN)


CODE_DOORS = {"sign-up": signup_code, "reset": reset_code, "recovery": at_the_code}


async def prepared(world: World, door: str) -> None:
    """Let codes be sent at a door, to Ann where it is for people who are there already."""
    if door == "recovery":
        await world.patch_options(**NO_PASSWORDS)
        await ann_with_a_passkey(world, Authenticator())
    else:
        required = {"status": "required", "verification": {"active": door == "sign-up"}}
        await world.patch_options(attributes={"email": {"verification_method": "code", "signup": required}})
    if door == "reset":
        await world.signup(ANN)


async def codes(world: World) -> list[str]:
    """Return the codes that Ann was sent, the newest first."""
    texts = [each.text for each in await world.letters() if each.to == ANN]
    found = [re.search(r"(?m)(?<![\w-])[0-9]{3}(?: ?[0-9]{3,4})+(?![\w-])", text) for text in texts]
    return [each[0].replace(" ", "") for each in found if each]


def wrong(code: str, number: int = 1) -> str:
    return f"{(int(code) + number) % 10**6:06d}"


@pytest.mark.parametrize("door", CODE_DOORS)
async def test_incident_26_wrong_codes_count_against_the_code_and_the_address(world: World, door: str) -> None:
    """GHSA-7j7j-66cv-m239 (ZITADEL): the lock did not cover what comes beside the password.

    There are no second factors here; what can be guessed beside passwords is a code, and each of these is a proof of
    its own. A stranger's guesses end a code, and no account: another code can be asked for.
    """
    await prepared(world, door)
    visitor = Visitor.of(world)
    landed = await CODE_DOORS[door](visitor)
    form, (code, *_) = landed.form("code" if door != "sign-up" else "-challenge"), await codes(world)
    for number in range(1, 6):
        assert (await visitor.send(form, code=wrong(code, number))).path == landed.path
    assert [each.spent for each in await world.attempts.list("address/login/")] == [5.0]
    assert (await visitor.send(form, code=code)).path == landed.path, "not even the right one"


@pytest.mark.parametrize("door", CODE_DOORS)
async def test_incident_27_codes_cannot_be_guessed_by_asking_for_more_of_them(world: World, door: str) -> None:
    """CVE-2025-64102 (ZITADEL): second factors could be guessed at without end.

    At every page that takes a code, with a browser and an address of its own each time: the person is counted then.
    """
    await prepared(world, door)
    for number in range(35):
        visitor = browser_at(world, f"198.51.100.{number}")
        landed = await CODE_DOORS[door](visitor)
        if landed.path == "/u/signup/identifier":
            assert landed.response.status_code == 429
            continue
        form, newest = landed.form("code" if door != "sign-up" else "-challenge"), await codes(world)
        if door == "recovery":
            await visitor.send(form, code=wrong(newest[0][:6]))
    short = [code for code in await codes(world) if len(code) == 6]
    assert len(short) == {"sign-up": 30, "reset": 30, "recovery": 20}[door]


async def test_incident_29_success_forgives_what_the_same_person_did_and_nobody_else(world: World) -> None:
    """ZITADEL until v2.54.8: failures were never forgotten, until somebody's tenth slip in a year locked them out."""
    await world.person()
    await world.person(BOB)
    for _ in range(3):
        for _ in range(9):
            assert (await world.guess()).status_code == 403
        assert (await world.login()).status_code == 200
        world.clock.advance(minutes=5)
    for _ in range(9):
        await world.guess()
    world.clock.advance(minutes=5)
    assert (await world.login(BOB)).status_code == 200
    assert [(await world.guess()).status_code for _ in range(2)] == [403, 429], "Bob's success was Bob's"


async def test_incident_30_logging_in_as_oneself_between_guesses_gains_nothing(world: World) -> None:
    """Rauthy's login delay, as we read it: a success reset the counter of its address."""
    await world.person()
    await world.person("eve@example.com")
    statuses = []
    for number in range(12):
        statuses.append((await world.guess()).status_code)
        assert (await world.login("eve@example.com")).status_code == 200
        if number == 5:
            world.clock.advance(minutes=5)
    assert statuses == [403] * 10 + [429] * 2
    (address,) = await world.attempts.list("address/login/")
    assert address.spent > 9, "and the address has failed ten times, whoever succeeded there"


SPELLINGS = (ANN, "ANN@example.com", "Ann@EXAMPLE.COM ", "\uff41\uff4e\uff4e@example.com", " ann\uff20example.com")
"""Of one address: letters large, small and wide, an at sign that is wide, spaces around."""


async def test_incident_35_another_spelling_is_the_same_person_to_the_limit(world: World) -> None:
    """allauth 2020 and 2022: a change of case escaped the limit. A dot makes another address, and another person."""
    await world.person()
    statuses = [(await world.guess(spelling)).status_code for spelling in SPELLINGS * 3]
    assert statuses == [403] * 10 + [429] * 5
    assert len(await world.attempts.list("lock/")) == 2, "one of the address, one of all strangers"
    assert (await world.guess("a.nn@example.com")).status_code == 403


async def test_incident_37_one_count_for_every_api_and_page(world: World) -> None:
    """allauth 2024: an API of a second kind had no limit. Here it lies below all of them."""
    await world.person()
    client, realm = world.client_id, world.connection
    form = {"grant_type": "password", "client_id": client, "username": ANN}
    visitor = Visitor.of(world)
    page = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=ANN)
    login = page.form("/login/password").action
    link = (await world.link(page="/u/email-verification")).rstrip("#")
    ways: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
        "json": world.guess,
        "form": lambda: world.client.post("/oauth/token", data=form | {"password": world.wrong_password()}),
        "realm": lambda: world.guess(grant_type=REALM_GRANT, realm=realm),
        "login page": lambda: visitor.client.post(login, data={"password": world.wrong_password()}),
        "verification page": lambda: world.client.post(link, data={"password": world.wrong_password()}),
    }
    before = world.hasher.verified
    first = [(await way()).status_code for way in [*ways.values()] * 2]
    assert 429 not in first
    assert world.hasher.verified - before == 10
    assert {name: (await way()).status_code for name, way in ways.items()} == dict.fromkeys(ways, 429)
    assert world.hasher.verified - before == 10


async def test_incident_38_starting_the_login_over_is_no_new_count(world: World) -> None:
    """GHSA-vfph-hjfv-cpv2 (caddy-security): the counter was the flow's, and a new flow had a new one."""
    await world.person()
    statuses = []
    for _ in range(12):
        visitor = Visitor.of(world)  # another browser, another transaction
        page = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=ANN)
        landed = await visitor.send(page.form("/login/password"), password=world.wrong_password())
        statuses.append(landed.response.status_code)
    assert statuses == [statuses[0]] * 10 + [429] * 2
    assert statuses[0] != 429


async def test_incident_39_limits_are_on_where_nobody_set_any(world: World) -> None:
    """GHSA-frch-4w6v-q5xx (LightRAG): no limit at all."""
    assert await world.db.read(tenant.some, SETTINGS) == {}
    await world.person()
    assert [(await world.guess()).status_code for _ in range(11)] == [403] * 10 + [429]
    spray = [(await world.guess(f"p{number}@example.com")).status_code for number in range(100)]
    assert Counter(spray) == {403: 90, 429: 10}, "a hundred failures of one address, whoever was tried"
    elsewhere = world.at("198.51.100.7").client
    body = {"client_id": world.client_id, "connection": world.connection, "password": PASSWORD}
    signups = [
        (await elsewhere.post("/dbconnections/signup", json=body | {"email": f"s{number}@example.com"})).status_code
        for number in range(51)
    ]
    assert Counter(signups) == {200: 50, 429: 1}
