"""Commands about passkeys and sessions of people who have some."""

import asyncio
from datetime import UTC, datetime

import pytest

from authenticator import Authenticator
from shell import Shell, Told
from visitor import Visitor, exchange
from world import World, claims_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def keystead(world: World) -> "People":
    world.clock.now = datetime.now(UTC)
    return People(world, Shell(world.settings))


class People:
    """A Keystead that people use, and the shell beside it."""

    def __init__(self, world: World, shell: Shell) -> None:
        self.world, self._shell = world, shell

    async def shell(self, *arguments: str, code: int = 0) -> Told:
        return await asyncio.to_thread(lambda: self._shell(*arguments, code=code))


async def test_passkeys(keystead: People) -> None:
    tokens = await keystead.world.register(Authenticator())
    user_id = claims_of(tokens["id_token"])["sub"]
    (found,) = (await keystead.shell("passkeys", "list", user_id, "--json")).items
    assert found["may_log_in"] is True
    await keystead.shell("passkeys", "rename", user_id, found["id"], "Work key")
    told = await keystead.shell("passkeys", "list", user_id)
    assert "Work key" in told.out

    reason = ("--reason", "lost on a train")
    await keystead.shell("passkeys", "quarantine", user_id, found["id"], *reason, code=2)
    told = await keystead.shell("passkeys", "quarantine", user_id, found["id"], *reason, "--yes")
    assert "no other way" in told.out
    (found,) = (await keystead.shell("passkeys", "list", user_id, "--json")).items
    assert (found["may_log_in"], found["quarantine"]["reason"]) == (False, "lost on a train")
    await keystead.shell("passkeys", "lift", user_id, found["id"])
    assert (await keystead.shell("passkeys", "list", user_id, "--json")).items[0]["may_log_in"] is True
    await keystead.shell("passkeys", "delete", user_id, found["id"], code=2)
    await keystead.shell("passkeys", "delete", user_id, found["id"], "--yes")
    assert (await keystead.shell("passkeys", "list", user_id, "--json")).items == []


@pytest.mark.parametrize("id", ["-6LJ8kVs", "--json-not", "-f", "x"])
async def test_an_id_may_begin_with_a_dash(keystead: People, id: str) -> None:
    for command in (("sessions", "show"), ("sessions", "revoke", "--yes"), ("keys", "revoke", "--yes")):
        told = await keystead.shell(*command, id, code=2)
        assert "does not exist" in told.err


async def test_sessions(keystead: People) -> None:
    user_id = await keystead.world.person()
    for _ in range(2):
        visitor = Visitor.of(keystead.world)
        landed = await visitor.log_in(await visitor.authorize(scope="openid offline_access"))
        await exchange(keystead.world, landed.answer["code"])
    first, second = (await keystead.shell("sessions", "list", user_id, "--json")).items
    assert (await keystead.shell("sessions", "show", first["id"], "--json")).document == first
    tokens = (await keystead.shell("sessions", "refresh-tokens", user_id, "--json")).items
    assert {each["session_id"] for each in tokens} == {first["id"], second["id"]}
    await keystead.shell("sessions", "revoke", first["id"], code=2)
    await keystead.shell("sessions", "revoke", first["id"], "--yes")
    assert [each["id"] for each in (await keystead.shell("sessions", "list", user_id, "--json")).items] == [
        second["id"]
    ]
    (token,) = (await keystead.shell("sessions", "refresh-tokens", user_id, "--json")).items
    await keystead.shell("sessions", "revoke-all", user_id, "--keep-refresh-tokens", "--yes")
    assert (await keystead.shell("sessions", "list", user_id, "--json")).items == []
    assert (await keystead.shell("sessions", "refresh-tokens", user_id, "--json")).items[0]["id"] == token["id"]
    await keystead.shell("sessions", "revoke-token", token["id"], "--yes")
    assert (await keystead.shell("sessions", "refresh-tokens", user_id, "--json")).items == []
    assert (await keystead.shell("users", "logs", user_id, "--json")).items


@pytest.mark.parametrize("typed", ["ann@example.com", "Ann@EXAMPLE.com", "ann", "+14155550100"])
async def test_a_user_is_named_by_what_they_are_known_by(keystead: People, typed: str) -> None:
    names = {"username": "ann", "phone_number": "+14155550100"}
    given = {"identifier": {"active": True}, "signup": {"status": "optional"}}
    attributes = dict.fromkeys(("email", "username", "phone_number"), given)
    await keystead.world.patch_options(attributes=attributes)
    user_id = await keystead.world.person("ann@example.com")
    await keystead.world.person("anna@example.com")
    assert (await keystead.world.manage("PATCH", f"/users/{user_id}", names)).status_code == 200
    assert (await keystead.shell("users", "show", typed, "--json")).document["user_id"] == user_id
    await keystead.shell("sessions", "revoke-all", typed, "--yes")
    entries = (await keystead.shell("log", "tail", "--user", typed, "--json")).items
    assert {entry["user_id"] for entry in entries} == {user_id}
    link = await keystead.shell("users", "reset-link", typed)
    assert link.err == f"keystead: {typed} is {user_id} of Username-Password-Authentication\n"


@pytest.mark.parametrize("email", ["o|x@example.com", "eva@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example.com"])
async def test_addresses_of_other_kinds_are_names_too(keystead: People, email: str) -> None:
    user_id = await keystead.world.person(email)
    assert (await keystead.shell("users", "show", email, "--json")).document["user_id"] == user_id


@pytest.mark.parametrize("username", ["a_name_of_more_than_15", "ann@portal", "ann@portal.example", "+14155550123"])
async def test_whatever_a_connection_allows_for_a_username_is_a_name(keystead: People, username: str) -> None:
    allowed = {"email": True, "phone_number": True}
    validation = {"min_length": 1, "max_length": 30, "allowed_types": allowed}
    attributes = {"email": {}, "username": {"identifier": {"active": True}, "validation": validation}}
    await keystead.world.patch_options(attributes=attributes)
    body = {"connection": "Username-Password-Authentication", "username": username, "password": "correct horse battery"}
    made = await keystead.world.manage("POST", "/users", body)
    assert made.status_code == 201, made.text
    shown = await keystead.shell("users", "show", username, "--json")
    assert shown.document["user_id"] == made.json()["user_id"]


async def test_an_id_that_looks_like_an_address_is_an_id(keystead: People) -> None:
    ids = []
    for email, more in (("ann@example.com", {"user_id": "ann@example.com"}), ("auth0|ann@example.com", {})):
        body = {"connection": "Username-Password-Authentication", "email": email, "password": "correct horse battery"}
        ids.append((await keystead.world.manage("POST", "/users", body | more)).json()["user_id"])
    assert ids[0] == "auth0|ann@example.com"
    assert (await keystead.shell("users", "show", ids[0], "--json")).document["email"] == "ann@example.com"
    assert (await keystead.shell("users", "show", ids[1], "--json")).document["email"] == "auth0|ann@example.com"


async def test_what_several_users_are_called_changes_none_of_them(keystead: People) -> None:
    await keystead.world.new_connection("Second")
    ids = [await keystead.world.person("ann@example.com")]
    second = {"connection": "Second", "email": "ann@example.com", "password": "correct horse battery"}
    ids.append((await keystead.world.manage("POST", "/users", second)).json()["user_id"])
    told = await keystead.shell("users", "delete", "ann@example.com", "--yes", code=2)
    assert told.err.startswith("keystead: ann@example.com is several users, so say which by id: ")
    assert all(each in told.err for each in (*ids, "of Second"))
    for each in ids:
        await keystead.shell("users", "show", each)


async def test_an_administrator_is_named_by_an_address(keystead: People) -> None:
    invited = await keystead.shell("administrators", "invite", "root@example.com", "viewer")
    assert invited.out.startswith("http")
    assert (await keystead.shell("administrators", "show", "Root@example.com", "--json")).document["role"] == "viewer"
    await keystead.shell("users", "show", "root@example.com", code=2)
    await keystead.shell("administrators", "remove", "root@example.com", "--yes")
    await keystead.shell("administrators", "show", "root@example.com", code=2)
