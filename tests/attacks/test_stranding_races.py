"""Nobody slips in between what a change of options was told about people and the moment in which it is saved."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import Session, col

from account import SCOPE, MyAccount
from authenticator import Authenticator, b64url
from halting import Halt, halted_before, in_the_way, reached
from keystead.db import passkeys, tables, tenant
from keystead.rules.relying_party import SETTING
from world import PUBLIC_URL, World

NO_SYNCED = {"passkey_policy": {"backup": "device_bound_only"}}
NO_PASSWORDS = {
    "authentication_methods": {
        "password": {"enabled": False, "api_behavior": "optional"},
        "passkey": {"enabled": True},
    }
}


async def save(world: World, **changes: Any) -> httpx.Response:
    """Change options of the default connection; nobody may be stranded."""
    path = f"/connections/{world.connection_id}"
    options = (await world.manage("GET", path)).json()["options"] | changes
    return await world.manage("PATCH", path, {"options": options})


async def somebody_with_two(world: World) -> tuple[Authenticator, Authenticator]:
    """Sign up with a passkey that will be refused, and add one that will not."""
    synced, bound = Authenticator(), Authenticator(synced=False)
    begun = (await world.begin_register()).json()
    response = synced.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    mine = {"audience": f"{PUBLIC_URL}/me/", "scope": "create:me:authentication_methods"}
    answer = (await world.exchange(begun["auth_session"], response, **mine)).json()
    account = await MyAccount.of(world, answer["access_token"])
    begun = await account.begin()
    response = bound.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await account.verify(begun, response)).status_code == 201
    return synced, bound


async def test_a_passkey_that_is_being_removed_is_no_way_in(world: World) -> None:
    """Whoever counts waits for whoever was first to take a passkey away, and does not count it."""
    _, bound = await somebody_with_two(world)
    halt, kept = Halt(), bound.credentials[0].id

    def remove(session: Session) -> None:
        found = passkeys.owned(session, kept)
        assert found
        assert passkeys.remove(session, found.user_id, found.id)
        halt.stop()

    removing = asyncio.ensure_future(world.db.write(remove))
    await reached(halt)
    saving = asyncio.ensure_future(save(world, **NO_SYNCED))
    await in_the_way(world, saving)
    halt.may_go_on.set()
    await removing
    refused = await saving
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "would_strand_users")
    assert refused.json()["report"]["people"]["stranded"] == 1


async def test_a_passkey_that_was_counted_stays_until_the_change_is_saved(world: World) -> None:
    synced, bound = await somebody_with_two(world)
    kept = next(row["id"] for row in await world.rows(tables.Passkey) if not row["backup_eligible"])
    user_id = (await world.rows(tables.Account))[0]["user_id"]
    order: list[str] = []

    async def saves() -> None:
        assert (await save(world, **NO_SYNCED)).status_code == 200
        order.append("saved")

    async def removes() -> None:
        path = f"/users/{user_id}/authentication-methods/{kept}".replace("|", "%7C")
        assert (await world.manage("DELETE", path)).status_code == 204
        order.append("removed")

    with halted_before("UPDATE connection") as halt:
        saving = asyncio.ensure_future(saves())
        await reached(halt)
        removing = asyncio.ensure_future(removes())
        await in_the_way(world, removing)
        halt.may_go_on.set()
        await asyncio.gather(saving, removing)
    assert order == ["saved", "removed"]
    for device in (synced, bound):
        assert (await world.passkey_login(device)).status_code == 403


async def test_nobody_removes_what_a_change_leaves_them_while_it_is_saved(world: World) -> None:
    synced, bound = await somebody_with_two(world)
    audience, scope = f"{PUBLIC_URL}/me/", "delete:me:authentication_methods"
    token = (await world.passkey_login(synced, audience=audience, scope=scope)).json()["access_token"]
    kept = next(row["id"] for row in await world.rows(tables.Passkey) if not row["backup_eligible"])
    with halted_before("UPDATE connection") as halt:
        saving = asyncio.ensure_future(save(world, **NO_SYNCED))
        await reached(halt)
        path = f"/{kept}".replace("|", "%7C")
        removing = asyncio.ensure_future(MyAccount(world, token).call("DELETE", path))
        await in_the_way(world, removing)
        halt.may_go_on.set()
        saved, removed = await asyncio.gather(saving, removing)
    assert (saved.status_code, removed.status_code) == (200, 409)
    assert (await world.passkey_login(bound)).status_code == 200


@pytest.mark.parametrize("first", ["the change", "the removal"])
async def test_nobody_gives_up_their_password_while_a_change_takes_their_passkey(world: World, first: str) -> None:
    await world.patch_options(passkey_policy={"passwordless_accounts": True})
    user_id = await world.person()
    mine = await MyAccount.of(world)
    begun = await mine.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await mine.verify(begun, response)).status_code == 201
    policy = {"passkey_policy": NO_SYNCED["passkey_policy"] | {"passwordless_accounts": True}}

    def gives_up() -> "asyncio.Future[httpx.Response]":
        return asyncio.ensure_future(mine.call("DELETE", f"/password%7C{user_id.partition('|')[2]}"))

    with halted_before("UPDATE connection" if first == "the change" else "UPDATE account") as halt:
        saving = asyncio.ensure_future(save(world, **policy)) if first == "the change" else None
        removing = None if saving else gives_up()
        await reached(halt)
        removing, saving = removing or gives_up(), saving or asyncio.ensure_future(save(world, **policy))
        await in_the_way(world, removing if first == "the change" else saving)
        halt.may_go_on.set()
        saved, removed = await asyncio.gather(saving, removing)
    expected = (200, 409) if first == "the change" else (400, 204)
    assert (saved.status_code, removed.status_code) == expected


async def test_a_passkey_that_comes_while_a_change_is_saved_is_held_to_it(world: World) -> None:
    """Otherwise there would be somebody who was not counted, and whose only passkey is refused from the start."""
    device = Authenticator()
    begun = (await world.begin_register()).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    with halted_before("UPDATE connection") as halt:
        saving = asyncio.ensure_future(save(world, **NO_SYNCED))
        await reached(halt)
        arriving = asyncio.ensure_future(world.exchange(begun["auth_session"], response))
        await in_the_way(world, arriving)
        halt.may_go_on.set()
        saved, arrived = await asyncio.gather(saving, arriving)
    assert saved.status_code == 200
    assert (arrived.status_code, arrived.json()["error_description"]) == (
        403,
        "Passkeys of this kind are not allowed here.",
    )
    assert await world.count(tables.Account) == 0


async def test_one_more_passkey_that_comes_while_a_change_is_saved_is_held_to_it(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    begun = await account.begin()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    with halted_before("UPDATE connection") as halt:
        saving = asyncio.ensure_future(save(world, **NO_SYNCED))
        await reached(halt)
        arriving = asyncio.ensure_future(account.verify(begun, response))
        await in_the_way(world, arriving)
        halt.may_go_on.set()
        saved, arrived = await asyncio.gather(saving, arriving)
    assert (saved.status_code, arrived.status_code) == (200, 400)
    assert await world.count(tables.Passkey) == 0


async def test_a_passkey_that_came_first_is_counted(world: World) -> None:
    device = Authenticator()
    begun = (await world.begin_register()).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    with halted_before("INSERT INTO passkey") as halt:
        arriving = asyncio.ensure_future(world.exchange(begun["auth_session"], response))
        await reached(halt)
        saving = asyncio.ensure_future(save(world, **NO_SYNCED))
        await in_the_way(world, saving)
        halt.may_go_on.set()
        saved, arrived = await asyncio.gather(saving, arriving)
    assert arrived.status_code == 200
    assert (saved.status_code, saved.json()["errorCode"]) == (400, "would_strand_users")
    assert (await world.passkey_login(device)).status_code == 200


@pytest.mark.parametrize("by_an_administrator", [False, True], ids=["sign-up", "management"])
async def test_an_account_with_a_password_alone_does_not_come_where_passwords_went(
    world: World, by_an_administrator: bool
) -> None:
    body = {"connection": world.connection, "email": "ann@example.com", "password": "correct horse battery"}
    with halted_before("UPDATE connection") as halt:
        saving = asyncio.ensure_future(save(world, **NO_PASSWORDS))
        await reached(halt)
        asked = world.manage("POST", "/users", body) if by_an_administrator else world.signup()
        arriving = asyncio.ensure_future(asked)
        await in_the_way(world, arriving)
        halt.may_go_on.set()
        saved, arrived = await asyncio.gather(saving, arriving)
    assert (saved.status_code, arrived.status_code) == (200, 400)
    assert await world.count(tables.Account) == 0


async def test_of_two_changes_that_each_leave_a_way_in_and_none_together_one_is_refused(world: World) -> None:
    """One takes the passkeys that can be synced, the other those of an older id: somebody has one of each kind."""
    await somebody_with_two(world)

    def move(session: Session) -> None:
        """Let the one that is bound be of an older id."""
        tenant.set_to(session, SETTING, {"retiring": ["old.example"]})
        which = col(tables.Passkey.backup_eligible).is_(False)
        session.connection().execute(update(tables.Passkey).where(which).values(rp_id="old.example"))

    await world.db.write(move)
    with halted_before("UPDATE connection") as halt:
        saving = asyncio.ensure_future(save(world, **NO_SYNCED))
        await reached(halt)
        moving = asyncio.ensure_future(world.manage("PATCH", "/keystead/relying-party", {"retiring": []}))
        await in_the_way(world, moving)
        halt.may_go_on.set()
        saved, moved = await asyncio.gather(saving, moving)
    assert (saved.status_code, moved.status_code) == (200, 400)
    assert moved.json()["report"]["people"]["stranded"] == 1


async def test_a_login_and_the_removal_of_its_passkey_lock_in_one_order(world: World) -> None:
    """In two orders each waits for the other, and the database ends one of them: a 500 for somebody."""
    synced, bound = await somebody_with_two(world)
    mine = {"audience": f"{PUBLIC_URL}/me/", "scope": SCOPE}
    account = MyAccount(world, (await world.passkey_login(synced, **mine)).json()["access_token"])
    (wanted,) = [each["id"] for each in await account.passkeys() if each["key_id"] == b64url(bound.credentials[0].id)]
    begun = (await world.begin_challenge()).json()
    response = bound.get(begun["authn_params_public_key"], origin=PUBLIC_URL)
    with halted_before("UPDATE account") as halt:
        login = asyncio.ensure_future(world.exchange(begun["auth_session"], response))
        await reached(halt)
        removal = asyncio.ensure_future(account.call("DELETE", f"/{wanted}"))
        await in_the_way(world, removal)
        halt.may_go_on.set()
        answers = await asyncio.gather(login, removal)
    assert [each.status_code for each in answers] == [200, 204]
