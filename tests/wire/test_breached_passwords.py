"""Breached passwords: the settings over HTTP, and each shield at each stage (AP-10 to AP-13)."""

import hashlib
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from conftest import Stencil
from keystead.db import tables
from keystead.rules.messages import Letter
from visitor import Visitor
from world import PASSWORD, World, open_world

pytestmark = pytest.mark.anyio

PATH: Final = "/attack-protection/breached-password-detection"
LEAKED: Final = "AUTH0-TEST-and fifteen letters"
OWNER: Final = "root@example.com"
REFUSED: Final = "This password was published in a data breach somewhere else. Choose a different one."
REFUSED_LOGIN: Final = (
    "This password was published in a data breach somewhere else, so it does not sign you in any more. "
    "Choose a new one with the link “Forgot your password?”."
)
DEFAULT: Final[dict[str, Any]] = {
    "enabled": True,
    "shields": [],
    "admin_notification_frequency": [],
    "method": "standard",
    "stage": {"pre-user-registration": {"shields": []}, "pre-change-password": {"shields": []}},
}


async def protect(world: World, *login: str, sign_up: tuple[str, ...] = (), change: tuple[str, ...] = ()) -> None:
    """Set the shields of each stage."""
    stage = {"pre-user-registration": {"shields": sign_up}, "pre-change-password": {"shields": change}}
    answer = await world.manage("PATCH", PATH, {"shields": login, "stage": stage})
    assert answer.status_code == 200, answer.text


async def entries(world: World, *types: str) -> list[dict[str, Any]]:
    """Return the journal's entries of some types."""
    return [each for each in await world.rows(tables.JournalRow) if each["type"] in types]


async def warnings(world: World) -> list[Letter]:
    """Return the messages about breached passwords, newest first."""
    return [each for each in await world.letters() if each.subject == "A password was published in a data breach"]


async def make_owner(world: World) -> None:
    """Open the set-up link, and become the administrator."""
    url = world.first["administrator_setup_url"].partition("http://localhost:8000")[2]
    answer = await world.client.post(url, data={"email": OWNER, "password": "a very long password"})
    assert answer.status_code == 200, answer.text


# --- settings ----------------------------------------------------------------------------------------------------


async def test_the_settings_are_shown_changed_and_recorded(world: World) -> None:
    answer = await world.manage("GET", PATH, scope="read:attack_protection")
    assert (answer.status_code, answer.json()) == (200, DEFAULT)
    change = {"shields": ["block"], "stage": {"pre-change-password": {"shields": ["admin_notification"]}}}
    answer = await world.manage("PATCH", PATH, change, scope="update:attack_protection")
    expected = DEFAULT | {"shields": ["block"], "stage": DEFAULT["stage"] | change["stage"]}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert (await world.manage("GET", PATH)).json() == expected
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Update breached password detection settings")
    assert entry["details"]["changed"] == ["shields", "stage"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"enabled": 1}, "'Expected type boolean but found type integer' on property enabled"),
        ({"shields": ["captcha"]}, "'No enum match for: captcha' on property shields.0"),
        (
            {"stage": {"pre-change-password": {"shields": ["user_notification"]}}},
            "'No enum match for: user_notification' on property stage.pre-change-password.shields.0",
        ),
        ({"stage": {"pre-login": {}}}, "'Additional properties not allowed: pre-login' on property stage"),
        ({"mode": "x"}, "'Additional properties not allowed: mode'"),
    ],
)
async def test_what_is_wrong_is_refused_by_path(world: World, body: dict[str, Any], message: str) -> None:
    answer = await world.manage("PATCH", PATH, body)
    assert answer.status_code == 400
    assert answer.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": f"Payload validation error: {message}.",
        "errorCode": "invalid_body",
    }
    assert (await world.manage("GET", PATH)).json() == DEFAULT


@pytest.mark.parametrize(
    ("method", "scope"), [("GET", "update:attack_protection"), ("PATCH", "read:attack_protection")]
)
async def test_each_needs_its_scope(world: World, method: str, scope: str) -> None:
    assert (await world.manage(method, PATH, {} if method == "PATCH" else None, scope=scope)).status_code == 403


# --- sign-up -----------------------------------------------------------------------------------------------------


async def test_sign_up_is_refused_at_every_door_before_a_hash_is_made(world: World) -> None:
    await protect(world, sign_up=("block",))
    before = (world.hasher.hashed, world.hasher.verified, await world.counts())
    answer = await world.signup(password=LEAKED)
    assert answer.status_code == 400
    assert answer.json() == {
        "name": "PasswordLeakedError",
        "code": "password_leaked",
        "description": REFUSED,
        "statusCode": 400,
    }
    answer = await world.manage(
        "POST", "/users", {"connection": world.connection, "email": "ann@example.com", "password": LEAKED}
    )
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "auth0_idp_error")
    assert answer.json()["message"] == f"PasswordLeakedError: {REFUSED}"
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), password=LEAKED)
    assert landed.response.status_code == 400
    assert (world.hasher.hashed, world.hasher.verified, await world.counts()) == before
    assert len(await entries(world, "signup_pwd_leak")) == 3


async def test_the_pages_say_so_and_let_people_try_another(world: World) -> None:
    await protect(world, sign_up=("block",))
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), password=LEAKED)
    assert (landed.path, landed.response.status_code) == ("/u/signup/password", 400)
    assert REFUSED in landed.text
    assert 'aria-invalid="true"' in landed.text
    landed = await visitor.send(landed.form("/signup/password"), password=PASSWORD)
    assert "code" in landed.answer


async def test_the_first_owner_is_held_to_it(world: World) -> None:
    await protect(world, sign_up=("block",))
    url = world.first["administrator_setup_url"].partition("http://localhost:8000")[2]
    answer = await world.client.post(url, data={"email": OWNER, "password": LEAKED})
    assert (answer.status_code, REFUSED in answer.text) == (400, True)
    await make_owner(world)


async def test_without_a_shield_a_find_is_only_recorded(world: World) -> None:
    await world.person(password=LEAKED)
    (entry,) = await entries(world, "signup_pwd_leak")
    assert entry["details"] == {"refused": False}
    assert entry["connection_id"] == world.connection_id
    assert await warnings(world) == []


async def test_switched_off_nothing_is_looked_up(world: World) -> None:
    await protect(world, "block", sign_up=("block",), change=("block",))
    assert (await world.manage("PATCH", PATH, {"enabled": False})).status_code == 200
    user_id = await world.person(password=LEAKED)
    assert (await world.login(password=LEAKED)).status_code == 200
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": LEAKED})
    assert answer.status_code == 200
    assert await entries(world, "signup_pwd_leak", "reset_pwd_leak", "pwd_leak") == []


# --- reset and change --------------------------------------------------------------------------------------------


async def test_a_change_is_refused_and_the_link_stays_good(world: World) -> None:
    await protect(world, change=("block",))
    user_id = await world.person()
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": LEAKED})
    assert (answer.status_code, answer.json()["message"]) == (400, f"PasswordLeakedError: {REFUSED}")
    body = {"client_id": world.client_id, "connection": world.connection, "email": "ann@example.com"}
    await world.client.post("/dbconnections/change_password", json=body)
    visitor = Visitor.of(world)
    landed = await visitor.open((await world.link()).rstrip("#"))
    landed = await visitor.send(landed.form("/reset-password"), password=LEAKED)
    assert (landed.response.status_code, REFUSED in landed.text) == (400, True)
    assert (await world.login()).status_code == 200
    landed = await visitor.send(landed.form("/reset-password"), password="another good password")
    assert landed.response.status_code == 200
    assert (await world.login(password="another good password")).status_code == 200
    assert [each["user_id"] for each in await entries(world, "reset_pwd_leak")] == [user_id, user_id]


# --- login -------------------------------------------------------------------------------------------------------


async def test_a_login_is_refused_until_the_password_is_changed(world: World) -> None:
    user_id = await world.person(password=LEAKED)
    await protect(world, "block")
    answer = await world.login(password=LEAKED)
    assert answer.status_code == 401
    assert answer.json() == {"error": "password_leaked", "error_description": REFUSED_LOGIN}
    assert [each["type"] for each in await entries(world, "s", "f", "pwd_leak")] == ["pwd_leak", "f"]
    assert await world.counts() | {"Account": 0, "AccountIdentifier": 0} == dict.fromkeys(await world.counts(), 0)

    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(), password=LEAKED)
    assert (landed.path, landed.response.status_code) == ("/u/login/password", 400)
    assert REFUSED_LOGIN in html.unescape(landed.text)
    assert "Forgot your password?" in landed.text

    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": PASSWORD})
    assert answer.status_code == 200
    assert (await world.login()).status_code == 200


async def test_strangers_learn_nothing_from_it(world: World) -> None:
    """Only after the right password: that a guess is a breached one is no news to whoever guesses."""
    await protect(world, "block")
    await world.person()
    for email in ("ann@example.com", "nobody@example.com"):
        answer = await world.login(email, LEAKED)
        assert (answer.status_code, answer.json()["error"]) == (403, "invalid_grant")
    assert await entries(world, "pwd_leak") == []


async def test_owners_are_told_once_an_hour(world: World) -> None:
    await world.person(password=LEAKED)
    await protect(world, "user_notification")
    for minutes in (0, 30, 31):
        world.clock.advance(minutes=minutes)
        assert (await world.login(password=LEAKED)).status_code == 200
    found = await warnings(world)
    assert [each.to for each in found] == ["ann@example.com"] * 2
    assert "was published in a data breach somewhere else" in found[0].text
    assert LEAKED not in found[0].text


async def test_administrators_are_told_once_an_hour_for_each_address(world: World) -> None:
    await make_owner(world)
    await protect(world, "admin_notification", sign_up=("admin_notification",))
    for email in ("ann@example.com", "bob@example.com"):
        await world.person(email, LEAKED)
        assert (await world.login(email, LEAKED)).status_code == 200
    (letter,) = await warnings(world)
    assert letter.to == OWNER
    assert "(pre-user-registration) by somebody who signs up, from 203.0.113.9" in letter.text
    world.clock.advance(minutes=61)
    assert (await world.login(password=LEAKED)).status_code == 200
    assert "(login) by auth0|" in (await warnings(world))[0].text


async def test_administrators_are_told_once_a_day_where_they_say_so(world: World) -> None:
    await make_owner(world)
    await protect(world, sign_up=("admin_notification",))
    await world.manage("PATCH", PATH, {"admin_notification_frequency": ["daily"]})
    for number in range(3):
        world.clock.advance(hours=9)
        await world.person(f"{number}@example.com", LEAKED)
    assert len(await warnings(world)) == 1
    world.clock.advance(hours=9)
    await world.person("late@example.com", LEAKED)
    assert len(await warnings(world)) == 2


async def test_logins_are_recorded_once_an_hour_for_each_address_and_refused_each_time(world: World) -> None:
    await world.person(password=LEAKED)
    await protect(world, "block")
    for _ in range(3):
        assert (await world.login(password=LEAKED)).status_code == 401
    assert [each["type"] for each in await entries(world, "pwd_leak", "f")] == ["pwd_leak", "f", "f", "f"]
    world.clock.advance(minutes=61)
    assert (await world.login(password=LEAKED)).status_code == 401
    assert len(await entries(world, "pwd_leak")) == 2


# --- the source --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def with_source(installation: Stencil, source: object, down: str = "open") -> AsyncIterator[World]:
    """Open a world that knows breached passwords from somewhere."""
    configured = {"breached_passwords": str(source), "breached_passwords_down": down}
    settings = installation.settings.model_copy(update=configured)
    async with open_world(settings, installation.document) as world:
        await protect(world, "block", sign_up=("block",), change=("block",))
        yield world


async def test_a_file_is_asked(installation: Stencil, tmp_path: Path) -> None:
    digest = hashlib.sha1(b"a breached password", usedforsecurity=False).hexdigest().upper()
    (tmp_path / "hashes").write_text(f"{digest}:42\r\n", encoding="ascii")
    async with with_source(installation, tmp_path / "hashes") as world:
        assert (await world.signup(password="a breached password")).json()["code"] == "password_leaked"
        assert (await world.signup()).status_code == 200


@pytest.mark.parametrize(("down", "told"), [("open", 4), ("silent", 0)])
async def test_while_the_source_is_down_people_come_in(
    installation: Stencil, tmp_path: Path, down: str, told: int
) -> None:
    async with with_source(installation, tmp_path / "gone", down) as world:
        user_id = await world.person()
        assert (await world.login()).status_code == 200
        answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": "another good password"})
        assert answer.status_code == 200
        body = {"connection": world.connection, "email": "bob@example.com", "password": PASSWORD}
        assert (await world.manage("POST", "/users", body)).status_code == 201
        assert (await world.signup("eve@example.com", LEAKED)).json()["code"] == "password_leaked"
        found = await entries(world, "pwd_leak_unchecked")
        stages = ["pre-user-registration", "login", "pre-change-password", "pre-user-registration"]
        assert [each["details"]["stage"] for each in found] == stages[:told]


async def test_closed_a_source_that_is_down_refuses_new_passwords_and_no_login(
    installation: Stencil, tmp_path: Path
) -> None:
    async with open_world(installation.settings, installation.document, seed="before") as world:
        await world.person()
    async with with_source(installation, tmp_path / "gone", "closed") as world:
        assert (await world.login()).status_code == 200
        answer = await world.signup("bob@example.com")
        assert answer.status_code == 503
        assert answer.json()["description"] == "Passwords cannot be checked at the moment. Try again in a few minutes."
        visitor = Visitor.of(world)
        landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), "bob@example.com")
        assert (landed.path, landed.response.status_code) == ("/u/signup/password", 503)
        assert "Try again in a few minutes." in landed.text
        assert await world.count(tables.Account) == 1
        stages = ["login", "pre-user-registration", "pre-user-registration"]
        assert [each["details"]["stage"] for each in await entries(world, "pwd_leak_unchecked")] == stages
