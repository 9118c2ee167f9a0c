"""``/me/v1``: what people prove themselves with, its names, and what is on offer (auth0-behaviour 2.9)."""

from typing import Any
from urllib.parse import quote

import pytest

from account import MyAccount
from authenticator import Authenticator
from keystead.db import tables
from world import PUBLIC_URL, World

ON_SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)


def complaint(answer: Any) -> tuple[int, str]:
    """Return the status of a problem, and the member that it is about."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["validation_errors"][0]["field"]


# --- names ---------------------------------------------------------------------------------------------------------


async def test_a_name(world: World) -> None:
    """It changes nothing about who may log in, so any login will do."""
    user_id = await world.person()
    account = await MyAccount.of(world)
    made, other = await account.enrols(Authenticator()), await account.enrols(Authenticator())
    assert "name" not in made
    world.clock.advance(hours=3)
    for spelling in (made["id"], quote(made["id"], safe="")):
        answer = await account.call("PATCH", f"/{spelling}", json={"name": " Ann's phone "})
        assert answer.status_code == 200
        assert answer.json() == made | {"name": "Ann's phone"}
    entry = await world.last_entry()
    assert (entry["type"], entry["user_id"]) == ("my_account_authentication_method_succeeded", user_id)
    assert entry["client_id"] == world.client_id
    assert entry["details"] == {"operation": "update", "authentication_method_id": made["id"]}
    names = {each["id"]: each.get("name") for each in await account.passkeys()}
    assert names == {made["id"]: "Ann's phone", other["id"]: None}


@ON_SQLITE
async def test_a_patch_without_a_name_changes_nothing(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    made = await account.enrols(Authenticator())
    before = list(await world.journal())
    answer = await account.call("PATCH", f"/{made['id']}", json={})
    assert (answer.status_code, answer.json()) == (200, made)
    assert list(await world.journal()) == before


@ON_SQLITE
async def test_what_is_no_name(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    made = await account.enrols(Authenticator())
    for name in ("", " ", "x" * 101, "a\nb", "a\u202eb", None, 7, ["x"]):
        assert complaint(await account.call("PATCH", f"/{made['id']}", json={"name": name})) == (400, "name")
    method = {"name": "x", "preferred_authentication_method": "sms"}
    answer = await account.call("PATCH", f"/{made['id']}", json=method)
    assert complaint(answer) == (400, "preferred_authentication_method")
    answer = await account.call("PATCH", f"/{made['id']}", json={"name": "x", "confirmed": True})
    assert (answer.status_code, answer.json()["detail"]) == (400, "Additional properties not allowed: confirmed")
    assert await account.passkeys() == [made]


@ON_SQLITE
async def test_only_one_s_own_has_a_name(world: World) -> None:
    await world.person()
    await world.person("bob@example.com")
    ann, bob = await MyAccount.of(world), await MyAccount.of(world, username="bob@example.com")
    made = await ann.enrols(Authenticator())
    for path in (made["id"], "passkey|dev_unknown"):
        answer = await bob.call("PATCH", f"/{path}", json={"name": "mine"})
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:keystead:error:not-found")
    assert await ann.passkeys() == [made]


# --- the password --------------------------------------------------------------------------------------------------


@ON_SQLITE
async def test_the_password_is_listed_where_there_is_one(world: World) -> None:
    user_id = await world.person()
    account = await MyAccount.of(world)
    local_id = user_id.removeprefix("auth0|")
    password = {
        "id": f"password|{local_id}",
        "type": "password",
        "created_at": "2026-06-01T12:00:00.000Z",
        "usage": ["primary"],
        "identity_user_id": local_id,
    }
    assert await account.methods() == [password]
    made = await account.enrols(Authenticator())
    assert await account.methods() == [password, made]
    for kind, expected in (("password", [password]), ("passkey", [made]), ("totp", [])):
        answer = await account.call("GET", f"?type={kind}")
        assert answer.json() == {"authentication_methods": expected}
    assert (await account.call("GET", f"/password%7C{local_id}")).json() == password
    begun = (await account.call("POST", "", json={"type": "password"})).json()
    body = {"auth_session": begun["auth_session"], "new_password": "another long password"}
    changed = await account.call("POST", "/password%7Cnew/verify", json=body)
    assert changed.json() == password | {"last_password_reset": "2026-06-01T12:00:00.000Z"}
    assert changed.headers["location"] == f"{PUBLIC_URL}/me/v1/authentication-methods/password%7C{local_id}"


@ON_SQLITE
async def test_whoever_has_no_password_has_none_listed(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    answer = await world.passkey_login(device, audience=f"{PUBLIC_URL}/me/", scope="read:me:authentication_methods")
    account = await MyAccount.of(world, answer.json()["access_token"])
    assert [each["type"] for each in await account.methods()] == ["passkey"]


@ON_SQLITE
async def test_a_password_is_neither_named_nor_removed(world: World) -> None:
    user_id = await world.person()
    account = await MyAccount.of(world)
    path = f"/password%7C{user_id.removeprefix('auth0|')}"
    named, removed = await account.call("PATCH", path, json={"name": "x"}), await account.call("DELETE", path)
    assert (named.status_code, named.json()["detail"]) == (400, "A password has no name.")
    assert (removed.status_code, removed.json()["type"]) == (400, "urn:keystead:error:invalid-request")
    assert (await world.login()).status_code == 200


# --- factors -------------------------------------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.parametrize(("password", "passkey"), [(True, True), (True, False), (False, True)])
async def test_factors_are_what_the_connection_takes(world: World, password: bool, passkey: bool) -> None:
    await world.person()
    account = await MyAccount.of(world)
    methods = {"password": {"enabled": password, "api_behavior": "optional"}, "passkey": {"enabled": passkey}}
    assert (await world.patch_options(authentication_methods=methods)).status_code == 200
    answer = await world.client.get("/me/v1/factors", headers={"authorization": f"Bearer {account.token}"})
    on = [name for name, enabled in (("password", password), ("passkey", passkey)) if enabled]
    assert (answer.status_code, answer.json()) == (
        200,
        {"factors": [{"type": name, "usage": ["primary"]} for name in on]},
    )


# --- whose it is to be ---------------------------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.parametrize("kind", ["passkey", "password"])
async def test_the_identity_that_a_body_names_must_be_one_s_own(world: World, kind: str) -> None:
    user_id = await world.person()
    other = await world.person("bob@example.com")
    await world.new_connection("Second")
    account, mine = await MyAccount.of(world), user_id.removeprefix("auth0|")
    own = {"type": kind, "connection": world.connection, "identity_user_id": mine}
    for body in (own, {"type": kind, "connection": world.connection}, {"type": kind, "identity_user_id": mine}):
        assert (await account.call("POST", "", json=body)).status_code == 202
    for member, values in (
        ("connection", ("Second", "Nowhere", "", "x" * 129, "a b", 7)),
        ("identity_user_id", (other.removeprefix("auth0|"), user_id, "", "x" * 256, "a b", 7)),
    ):
        for value in values:
            answer = await account.call("POST", "", json=own | {member: value})
            assert complaint(answer) == (400, member)
    second, nowhere = [
        (await account.call("POST", "", json=own | {"connection": name})).text for name in ("Second", "Nowhere")
    ]
    assert second == nowhere, "nor are connections to be found by asking"


@ON_SQLITE
async def test_null_names_nobody(world: World) -> None:
    await world.person()
    account = await MyAccount.of(world)
    assert (await account.start(connection=None, identity_user_id=None)).status_code == 202


# --- the last way in -----------------------------------------------------------------------------------------------


async def test_one_is_removed_and_the_others_stay(world: World) -> None:
    """Incident 44."""
    await world.person()
    account, devices = await MyAccount.of(world), [Authenticator() for _ in range(3)]
    made = [await account.enrols(device) for device in devices]
    assert (await account.call("DELETE", f"/{made[1]['id']}")).status_code == 204
    assert [(await world.passkey_login(device)).status_code for device in devices] == [200, 403, 200]
    assert await world.count(tables.Passkey) == 2


@ON_SQLITE
async def test_one_that_the_policy_refuses_is_no_other_way_in(world: World) -> None:
    """Two passkeys, of which today's policy lets one in: that one stays."""
    synced, bound = Authenticator(), Authenticator(synced=False)
    await world.register(synced)
    audience, scope = f"{PUBLIC_URL}/me/", " ".join(f"{verb}:me:authentication_methods" for verb in VERBS)
    token = (await world.passkey_login(synced, audience=audience, scope=scope)).json()["access_token"]
    account = await MyAccount.of(world, token)
    await account.enrols(bound)
    first, second = [each["id"] for each in sorted(await account.passkeys(), key=_age)]
    await world.patch_options(passkey_policy={"backup": "device_bound_only"})
    assert (await account.call("DELETE", f"/{second}")).status_code == 409
    assert (await account.call("DELETE", f"/{first}")).status_code == 204
    assert (await world.passkey_login(bound)).status_code == 200


VERBS = ("read", "create", "delete")


def _age(passkey: dict[str, Any]) -> bool:
    return bool(passkey["credential_device_type"] == "single_device")
