"""Somebody who signs in with a passkey gives their password up (``DELETE /me/v1/authentication-methods/{id}``)."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import Session

from account import MyAccount
from authenticator import Authenticator
from keystead.db import tables
from recovery import NO_PASSWORDS, PASSWORDLESS
from visitor import Form, Visitor, exchange
from world import PUBLIC_URL, World

NEW = "another horse battery"


async def ann(world: World, *devices: Authenticator, **login: Any) -> tuple[str, MyAccount]:
    """Have Ann sign up with a password, verify her address and add passkeys."""
    user_id = await world.person()
    await world.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    mine = await MyAccount.of(world, **login)
    for device in devices:
        begun = await mine.begin()
        response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
        assert (await mine.verify(begun, response)).status_code == 201
    return user_id, mine


async def remove(mine: MyAccount, user_id: str) -> httpx.Response:
    """Remove the password."""
    return await mine.call("DELETE", f"/password%7C{user_id.partition('|')[2]}")


async def test_a_password_is_removed(world: World) -> None:
    """And whatever else is signed in to the account with it (V7.4.3)."""
    await world.patch_options(**PASSWORDLESS)
    device, visitor = Authenticator(), Visitor.of(world)
    user_id, mine = await ann(world, device)
    await visitor.log_in(await visitor.authorize())
    thief = (await world.tokens(scope="openid offline_access"))["refresh_token"]
    removed = await remove(mine, user_id)
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await world.login()).status_code == 403
    assert (await world.passkey_login(device)).status_code == 200
    assert (await world.token("refresh_token", refresh_token=thief)).status_code == 403
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    methods = (await world.manage("GET", f"/users/{user_id}/authentication-methods")).json()
    assert [each["type"] for each in methods] == ["passkey"]
    letter = (await world.letters())[0]
    assert (letter.to, letter.subject) == ("ann@example.com", "Your password was removed")
    entry = next(row for row in await world.rows(tables.JournalRow) if row["type"].startswith("my_account"))
    assert entry["user_id"] == user_id
    assert entry["details"]["operation"] == "delete"
    assert entry["details"]["authentication_method_id"] == f"password|{user_id.partition('|')[2]}"


async def test_the_session_in_which_it_happens_goes_on(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    device, visitor = Authenticator(), Visitor.of(world)
    user_id, _ = await ann(world, device)
    audience = f"{PUBLIC_URL}/me/"
    scope = "delete:me:authentication_methods"
    landed = await visitor.log_in_with(device, await visitor.authorize(audience=audience, scope=scope))
    token = (await exchange(world, landed.answer["code"])).json()["access_token"]
    assert (await remove(MyAccount(world, token), user_id)).status_code == 204
    assert "code" in (await visitor.authorize(prompt="none")).answer


async def test_once(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    device = Authenticator()
    user_id, mine = await ann(world, device)
    assert (await remove(mine, user_id)).status_code == 204
    world.clock.advance(seconds=1)
    audience = f"{PUBLIC_URL}/me/"
    token = (await world.passkey_login(device, audience=audience, scope="delete:me:authentication_methods")).json()
    again = await remove(MyAccount(world, token["access_token"]), user_id)
    assert (again.status_code, again.json()["type"]) == (404, "urn:keystead:error:not-found")


async def test_nobody_else_s(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    await world.person("bob@example.com")
    _, mine = await ann(world, Authenticator())
    users = (await world.manage("GET", "/users")).json()
    bob = next(each["user_id"] for each in users if each["email"] == "bob@example.com")
    assert (await remove(mine, bob)).status_code == 404
    assert (await world.login("bob@example.com")).status_code == 200


@pytest.mark.parametrize("options", [{}, {"passkey_policy": {"passwordless_accounts": False}}])
async def test_where_accounts_need_one(world: World, options: dict[str, Any]) -> None:
    await world.patch_options(**options)
    user_id, mine = await ann(world, Authenticator())
    refused = await remove(mine, user_id)
    assert (refused.status_code, refused.json()["detail"]) == (400, "Accounts need a password here.")
    assert (await world.login()).status_code == 200


async def test_where_passwords_were_switched_off_an_old_one_can_go(world: World) -> None:
    device = Authenticator()
    user_id, mine = await ann(world, device)
    await world.patch_options(**NO_PASSWORDS)
    assert (await remove(mine, user_id)).status_code == 204


async def test_with_a_fresh_login(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    user_id, mine = await ann(world, Authenticator())
    world.clock.advance(seconds=301)
    refused = await remove(mine, user_id)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("step-up-required")


async def test_with_the_right_scope(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    user_id, _ = await ann(world, Authenticator())
    audience = f"{PUBLIC_URL}/me/"
    token = (await world.tokens(audience=audience, scope="read:me:authentication_methods"))["access_token"]
    assert (await remove(MyAccount(world, token), user_id)).status_code == 403


# --- the last way in -----------------------------------------------------------------------------------------------


def quarantine(session: Session) -> None:
    """Take every passkey out of use."""
    session.connection().execute(update(tables.Passkey).values(quarantine="compromised"))


async def test_the_only_way_in_stays(world: World) -> None:
    """Also where a code to a verified address would lead to another: that is a way back, and not a way in."""
    await world.patch_options(**PASSWORDLESS)
    user_id, mine = await ann(world)
    refused = await remove(mine, user_id)
    assert refused.status_code == 409
    assert refused.json()["detail"] == "This is your only way to sign in. Add a passkey before you remove it."
    assert (await world.login()).status_code == 200


@pytest.mark.parametrize(
    "policy",
    [{"backup": "device_bound_only"}, {"algorithms": [-257]}, {"attestation": "direct"}],
    ids=str,
)
async def test_a_passkey_that_the_policy_refuses_is_no_way_in(world: World, policy: dict[str, Any]) -> None:
    user_id, mine = await ann(world, Authenticator(synced=True, algorithms=(-7,)))
    await world.patch_options(passkey_policy=policy | {"passwordless_accounts": True})
    assert (await remove(mine, user_id)).status_code == 409
    await world.patch_options(passkey_policy=policy | {"passwordless_accounts": True, "mode": "advise"})
    assert (await remove(mine, user_id)).status_code == 204


@pytest.mark.parametrize("mode", ["enforce", "advise"])
async def test_a_passkey_in_quarantine_is_no_way_in(world: World, mode: str) -> None:
    await world.patch_options(passkey_policy={"passwordless_accounts": True, "mode": mode})
    user_id, mine = await ann(world, Authenticator())
    await world.db.write(quarantine)
    assert (await remove(mine, user_id)).status_code == 409


async def test_a_removed_password_is_still_known(world: World) -> None:
    """Whoever chooses one again is held to the history."""
    options = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]["password_options"]
    history = {"history": {"active": True, "size": 3}}
    await world.patch_options(password_options=options | history, **PASSWORDLESS)
    device = Authenticator()
    user_id, mine = await ann(world, device)
    assert (await remove(mine, user_id)).status_code == 204
    world.clock.advance(seconds=1)
    asked = {"audience": f"{PUBLIC_URL}/me/", "scope": "create:me:authentication_methods"}
    mine = MyAccount(world, (await world.passkey_login(device, **asked)).json()["access_token"])
    for password, status in (("correct horse battery", 400), (NEW, 201)):
        begun = (await mine.call("POST", "", json={"type": "password"})).json()
        body = {"auth_session": begun["auth_session"], "new_password": password}
        assert (await mine.call("POST", "/password%7Cnew/verify", json=body)).status_code == status
    assert (await world.login(password=NEW)).status_code == 200


async def test_password_and_passkey_removed_at_once_leave_one_of_them(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    user_id, mine = await ann(world, Authenticator())
    (passkey,) = await world.rows(tables.Passkey)
    other = mine.call("DELETE", f"/{passkey['id'].replace('|', '%7C')}")
    answers = await asyncio.gather(remove(mine, user_id), other)
    assert sorted(each.status_code for each in answers) == [204, 409]


# --- on the page of the account ------------------------------------------------------------------------------------

PAGE = "/u/account/passkeys"


async def test_on_the_page_with_a_button(world: World) -> None:
    """Where there is something to remove and it may go; not before there is a passkey, nor after."""
    await world.patch_options(**PASSWORDLESS)
    device, visitor = Authenticator(), Visitor.of(world)
    user_id, mine = await ann(world)
    landed = await visitor.log_in(await visitor.open(PAGE))
    assert "Remove my password" not in landed.text
    begun = await mine.begin()
    stored = await mine.verify(begun, device.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    assert stored.status_code == 201
    landed = await visitor.open(PAGE)
    form = next(each for each in landed.forms() if "password" in each.fields)
    landed = await visitor.send(form)
    assert "Your password was removed." in landed.text
    assert "Remove my password" not in landed.text
    assert (await world.login()).status_code == 403
    again = await visitor.send(form)
    assert again.response.status_code == 404, "nothing is left to remove"
    (passkey,) = await world.rows(tables.Passkey)
    refused = await visitor.send(Form(PAGE), remove=passkey["id"])
    assert refused.response.status_code == 409
    assert user_id in {row["user_id"] for row in await world.rows(tables.Passkey)}


async def test_on_the_page_after_a_fresh_login(world: World) -> None:
    await world.patch_options(**PASSWORDLESS)
    visitor = Visitor.of(world)
    await ann(world, Authenticator())
    landed = await visitor.log_in(await visitor.open(PAGE))
    form = next(each for each in landed.forms() if "password" in each.fields)
    world.clock.advance(seconds=301)
    asked = await visitor.send(form)
    assert asked.path.startswith("/u/login")
    assert (await world.login()).status_code == 200


async def test_on_the_page_where_accounts_need_one(world: World) -> None:
    visitor = Visitor.of(world)
    user_id, _ = await ann(world, Authenticator())
    landed = await visitor.log_in(await visitor.open(PAGE))
    assert "Remove my password" not in landed.text
    refused = await visitor.send(Form(PAGE), password=f"password|{user_id.partition('|')[2]}")
    assert refused.response.status_code == 400
    assert "Accounts need a password here." in refused.text
    assert (await world.login()).status_code == 200
