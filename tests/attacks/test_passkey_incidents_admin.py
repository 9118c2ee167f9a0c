"""What went wrong elsewhere where administrators took somebody's access away, tried here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from authenticator import Authenticator
from elsewhere_made import made_elsewhere
from keystead.db import tables
from keystead.rules import clients as grants
from visitor import MOVED, Form, Landed, Visitor, exchange
from world import PASSWORD, PUBLIC_URL, World

pytestmark = pytest.mark.anyio

OFFLINE = "openid offline_access"


@dataclass
class Ann:
    """A person with a password and a passkey: signed in, and about to sign in by every door when it happens."""

    world: World
    user_id: str
    device: Authenticator
    welcome: str
    """The link that she was sent at her sign-up."""
    browser: Visitor
    """One in which she is signed in."""
    code: str
    refresh_token: str
    challenge: dict[str, Any]
    at_password: tuple[Visitor, Landed]
    at_passkey: tuple[Visitor, Landed, dict[str, Any]]


async def ann(world: World) -> Ann:
    """Have Ann sign up, and take one of everything."""
    user_id, device, browser = await world.person(), Authenticator(), Visitor.of(world)
    welcome = await world.link()
    made = await world.manage("POST", f"/users/{quote(user_id)}/authentication-methods", made_elsewhere(device))
    assert made.status_code == 201, made.text
    code = (await browser.log_in(await browser.authorize({"scope": OFFLINE}))).answer["code"]
    token = (await world.tokens(scope=OFFLINE))["refresh_token"]
    first, second = Visitor.of(world), Visitor.of(world)
    at = await first.authorize()
    at_password = await first.send(at.form("/login/identifier"), username="ann@example.com")
    at_passkey = await second.authorize()
    options = await second.options(at_passkey, "/login/passkey")
    begun = (await world.begin_challenge()).json()
    world.clock.advance(seconds=1)
    return Ann(
        *(world, user_id, device, welcome, browser, code, token, begun),
        *((first, at_password), (second, at_passkey, options)),
    )


# --- doors -----------------------------------------------------------------------------------------------------------


async def password(found: Ann) -> bool:
    return (await found.world.login()).status_code == 200


async def password_realm(found: Ann) -> bool:
    answer = await found.world.token(
        grants.PASSWORD_REALM, username="ann@example.com", password=PASSWORD, realm=found.world.connection
    )
    return answer.status_code == 200


async def passkey(found: Ann) -> bool:
    response = found.device.get(found.challenge["authn_params_public_key"], origin=PUBLIC_URL)
    return (await found.world.exchange(found.challenge["auth_session"], response)).status_code == 200


async def code(found: Ann) -> bool:
    return (await exchange(found.world, found.code)).status_code == 200


async def refresh(found: Ann) -> bool:
    return (await found.world.token(grants.REFRESH, refresh_token=found.refresh_token)).status_code == 200


async def password_page(found: Ann) -> bool:
    visitor, at = found.at_password
    return is_in(await visitor.send(at.form("/login/password"), password=PASSWORD))


async def passkey_page(found: Ann) -> bool:
    visitor, at, options = found.at_passkey
    return is_in(await visitor.answer(at, options, found.device))


async def session(found: Ann) -> bool:
    return is_in(await found.browser.authorize(prompt="none"))


def is_in(landed: Landed) -> bool:
    """Whether a client gets a code."""
    return landed.response.status_code in MOVED and "code" in landed.answer


DOORS: Mapping[str, Callable[[Ann], Awaitable[bool]]] = {
    grants.PASSWORD: password,
    grants.PASSWORD_REALM: password_realm,
    grants.PASSKEY: passkey,
    grants.CODE: code,
    grants.REFRESH: refresh,
    "the page with the password": password_page,
    "the page with the passkey": passkey_page,
    "the session": session,
}


# --- what happens ----------------------------------------------------------------------------------------------------


async def blocked(found: Ann) -> None:
    await found.world.block(found.user_id)


async def deleted(found: Ann) -> None:
    await found.world.delete_user(found.user_id)


async def emptied(found: Ann) -> None:
    """Somebody else shows that the address is theirs."""
    victim = Visitor.of(found.world)
    page = await victim.open(found.welcome)
    taken = await victim.send(Form(page.form().action), action="take-over")
    assert taken.response.status_code == 200, taken.text


async def connection_disabled(found: Ann) -> None:
    path = f"/connections/{found.world.connection_id}"
    answer = await found.world.manage("PATCH", path, {"authentication": {"active": False}})
    assert answer.status_code == 200, answer.text


async def connection_taken_from_the_client(found: Ann) -> None:
    switch = [{"client_id": found.world.client_id, "status": False}]
    answer = await found.world.manage("PATCH", f"/connections/{found.world.connection_id}/clients", switch)
    assert answer.status_code == 204, answer.text


async def connection_deleted(found: Ann) -> None:
    assert (await found.world.manage("DELETE", f"/connections/{found.world.connection_id}")).status_code == 202


Event = Callable[[Ann], Awaitable[None]]


# --- incident 13 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("happens", "left"), [(deleted, 0), (emptied, 0), (connection_deleted, 0), (blocked, 1)])
async def test_incident_13_who_is_gone_has_no_passkeys(world: World, happens: Event, left: int) -> None:
    """For good, or as long as the block stands: the passkey opens nothing, and of who is gone there is none."""
    found = await ann(world)
    await happens(found)
    assert not await passkey(found)
    assert not await passkey_page(found)
    assert await world.count(tables.Passkey) == left


async def test_incident_13_who_comes_after_by_the_same_id_has_none_of_them(world: World) -> None:
    found = await ann(world)
    await deleted(found)
    local_id = found.user_id.removeprefix("auth0|")
    body = {"connection": world.connection, "email": "ann@example.com", "password": PASSWORD, "user_id": local_id}
    assert (await world.manage("POST", "/users", body)).json()["user_id"] == found.user_id
    assert (await world.manage("GET", f"/keystead/users/{quote(found.user_id)}/passkeys")).json() == []
    assert not await passkey(found)


# --- incident 19 -----------------------------------------------------------------------------------------------------


def test_every_grant_of_a_person_is_a_door() -> None:
    assert set(grants.GRANTS) - {grants.CLIENT_CREDENTIALS} <= set(DOORS)


async def test_every_door_opens_while_nothing_happens(world: World) -> None:
    found = await ann(world)
    assert {name: await door(found) for name, door in DOORS.items()} == dict.fromkeys(DOORS, True)


@pytest.mark.parametrize("happens", [blocked, connection_disabled, connection_taken_from_the_client, deleted])
async def test_incident_19_who_is_kept_out_is_kept_out_by_every_door(world: World, happens: Event) -> None:
    found = await ann(world)
    await happens(found)
    assert {name: await door(found) for name, door in DOORS.items()} == dict.fromkeys(DOORS, False)


async def test_incident_19_a_passkey_that_is_imported_meanwhile_does_not_open_either(world: World) -> None:
    found, fresh = await ann(world), Authenticator()
    await blocked(found)
    path = f"/users/{quote(found.user_id)}/authentication-methods"
    assert (await world.manage("POST", path, made_elsewhere(fresh))).status_code == 201
    assert (await world.passkey_login(fresh)).status_code == 401
