"""Nobody locks themselves out by removing the only thing that they can sign in with."""

import pytest

from account import MyAccount
from authenticator import Authenticator
from keystead.db import tables
from world import World

pytestmark = pytest.mark.anyio


async def in_the_hands_of(world: World, device: Authenticator) -> MyAccount:
    """Log in with a passkey, for the My Account API."""
    audience = f"{world.settings.public_url}/me/"
    answer = await world.passkey_login(device, audience=audience, scope="delete:me:authentication_methods")
    return await MyAccount.of(world, answer.json()["access_token"])


async def only_passkey(world: World) -> str:
    """Return the id of the one passkey that there is."""
    (row,) = await world.rows(tables.Passkey)
    return str(row["id"]).replace("|", "%7C")


async def test_the_last_passkey_of_an_account_without_a_password_stays(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    mine = await in_the_hands_of(world, device)
    refused = await mine.call("DELETE", f"/{await only_passkey(world)}")
    assert refused.status_code == 409
    assert refused.json()["detail"] == "This is your only way to sign in. Add another passkey before you remove it."
    assert await world.count(tables.Passkey) == 1
    assert (await world.passkey_login(device)).status_code == 200


async def test_an_administrator_may_remove_it_all_the_same(world: World) -> None:
    device = Authenticator()
    tokens = await world.register(device)
    assert tokens["access_token"]
    (account,) = await world.rows(tables.Account)
    user_id = str(account["user_id"]).replace("|", "%7C")
    path = f"/users/{user_id}/authentication-methods/{await only_passkey(world)}"
    assert (await world.manage("DELETE", path)).status_code == 204
    assert await world.count(tables.Passkey) == 0


@pytest.mark.parametrize("passwords_on", [True, False])
async def test_a_password_is_another_way_in_where_passwords_are_on(world: World, passwords_on: bool) -> None:
    await world.signup()
    device = Authenticator()
    mine = await MyAccount.of(world)
    begun = (await mine.call("POST", "", json={"type": "passkey"})).json()
    answer = device.create(begun["authn_params_public_key"], origin=world.settings.public_url)
    body = {"auth_session": begun["auth_session"], "authn_response": answer}
    assert (await mine.call("POST", "/passkey%7Cnew/verify", json=body)).status_code == 201
    if not passwords_on:
        methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
        assert (await world.patch_options(authentication_methods=methods)).status_code == 200
    removed = await mine.call("DELETE", f"/{await only_passkey(world)}")
    assert removed.status_code == (204 if passwords_on else 409)


async def test_that_a_code_would_lead_back_is_no_reason_to_remove_the_last_passkey(world: World) -> None:
    """A mailbox is a way back and not a way in: nobody should come to need it by a click."""
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    device = Authenticator()
    await world.register(device)
    (account,) = await world.rows(tables.Account)
    verified = await world.manage("PATCH", f"/users/{account['user_id']}", {"email_verified": True})
    assert verified.status_code == 200
    mine = await in_the_hands_of(world, device)
    assert (await mine.call("DELETE", f"/{await only_passkey(world)}")).status_code == 409
    assert (await world.passkey_login(device)).status_code == 200
