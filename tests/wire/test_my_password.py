"""The My Account API changes a password, for whoever is signed in (RS-13)."""

import httpx
import pytest

from account import MyAccount
from visitor import Visitor
from world import World

NEW = "another horse battery"
POLICY = {"complexity", "profile_data", "history", "dictionary"}


async def begin(mine: MyAccount) -> httpx.Response:
    """Ask for a change."""
    return await mine.call("POST", "", json={"type": "password"})


async def finish(mine: MyAccount, auth_session: str, password: object = NEW) -> httpx.Response:
    """Hand in the new password."""
    body = {"auth_session": auth_session, "new_password": password}
    return await mine.call("POST", "/password%7Cnew/verify", json=body)


async def test_a_password_is_changed(world: World) -> None:
    user_id = await world.person()
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    refresh = (await world.tokens(scope="openid offline_access"))["refresh_token"]
    mine = await MyAccount.of(world)
    begun = await begin(mine)
    assert begun.status_code == 202
    assert begun.headers["location"].endswith("/me/v1/authentication-methods/password%7Cnew")
    assert begun.json()["id"] == "password|new"
    assert begun.json()["policy"].keys() == POLICY
    assert begun.json()["policy"]["complexity"]["min_length"] == 15
    assert begun.json()["policy"]["dictionary"] == {"active": False, "default": "en_100k"}
    done = await finish(mine, begun.json()["auth_session"])
    assert done.status_code == 201
    assert done.json().keys() == {"id", "type", "created_at", "usage", "identity_user_id", "last_password_reset"}
    assert done.json()["id"] == f"password|{user_id.partition('|')[2]}"
    assert (await world.login(password=NEW)).status_code == 200
    assert (await world.login()).status_code == 403
    assert (await world.token("refresh_token", refresh_token=refresh)).status_code == 403
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    assert "scp" in await world.journal(user_id)


async def test_the_older_way_of_a_policy_is_told_in_the_newer(world: World) -> None:
    options = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]
    legacy = {name: value for name, value in options.items() if name != "password_options"}
    more = {"passwordPolicy": "good", "password_history": {"enable": True, "size": 4}}
    await world.manage("PATCH", f"/connections/{world.connection_id}", {"options": legacy | more})
    await world.signup(password="Correct1horse")
    mine = await MyAccount.of(world, password="Correct1horse")
    begun = (await begin(mine)).json()
    assert begun["policy"]["complexity"]["character_type_rule"] == "three_of_four"
    assert begun["policy"]["history"] == {"active": True, "size": 4}
    assert begun["policy"]["dictionary"] == {"active": False, "default": "en_10k"}
    assert (await finish(mine, begun["auth_session"], "Correct1horse")).status_code == 400


@pytest.mark.parametrize("password", ["short", "", None, 5, "x" * 257, "a long one with a \u0000 in it", ["x" * 20]])
async def test_what_is_refused(world: World, password: object) -> None:
    await world.signup()
    mine = await MyAccount.of(world)
    answer = await finish(mine, (await begin(mine)).json()["auth_session"], password)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert (await world.login()).status_code == 200


async def test_a_change_is_for_one_account_and_once(world: World) -> None:
    await world.signup()
    await world.signup("eve@example.com")
    mine, eves = await MyAccount.of(world), await MyAccount.of(world, username="eve@example.com")
    stolen = (await begin(mine)).json()["auth_session"]
    assert (await finish(eves, stolen)).status_code == 400
    assert (await finish(mine, stolen)).status_code == 400, "whoever tried it has used it up"
    begun = (await begin(mine)).json()["auth_session"]
    assert (await finish(mine, begun)).status_code == 201
    assert (await finish(mine, begun, "yet another horse")).status_code == 400


async def test_it_needs_a_fresh_login_and_the_scope(world: World) -> None:
    await world.signup()
    reading = await MyAccount.of(world)
    tokens = await world.tokens(audience=f"{world.settings.public_url}/me/", scope="read:me:authentication_methods")
    assert (await begin(MyAccount(world, tokens["access_token"]))).status_code == 403
    world.clock.advance(seconds=301)
    stale = await begin(reading)
    assert stale.status_code == 403
    assert stale.json()["type"].endswith("step-up-required")


async def test_connections_where_passwords_cannot_be_changed(world: World) -> None:
    await world.signup()
    mine = await MyAccount.of(world)
    await world.patch_options(disable_self_service_change_password=True)
    assert (await begin(mine)).status_code == 400
