"""What becomes of a row does not depend on how many are written at a time, nor on a rehearsal."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from authenticator import Authenticator
from elsewhere_made import made_elsewhere
from importing import HASH, errors, imported, job, send, user
from keystead import worker
from keystead.db import tables
from world import PASSWORD, World

LOOKING_LIKE_OTHERS = {"email": True, "phone_number": True}
BOTH = {
    "email": {"identifier": {"active": True}, "profile_required": False},
    "username": {
        "identifier": {"active": True},
        "profile_required": False,
        "validation": {"min_length": 1, "max_length": 128, "allowed_types": LOOKING_LIKE_OTHERS},
    },
}
"""Attributes of a connection whose people have an address, or a username of any form."""
AN_MD5 = {"algorithm": "md5", "hash": {"value": "5f4dcc3b5aa765d61d8327deb882cf99", "encoding": "hex"}}
"""Of ``password``."""

Row = dict[str, Any]


async def outcome(world: World, file: list[Row], *, at_once: int, **fields: Any) -> tuple[Any, Any]:
    """Import rows some at a time, and return what came of them, and of each that was refused."""
    importer = replace(world.app.state.flows.management.user_import, rows=at_once)
    begun = (await send(world, file, **fields)).json()["id"]
    assert await worker.deliver_due(world.db, importer, world.clock) == 1
    found = await job(world, begun)
    assert found["status"] == "completed"
    refused = [(each["user"], [error["code"] for error in each["errors"]]) for each in await errors(world, begun)]
    return found["summary"], refused


FILES: dict[str, tuple[list[Row], str, int]] = {
    "a username that is somebody's address": (
        [{"email": "a@x.com"}, {"email": "b@x.com", "username": "a@x.com"}, {"email": "c@x.com"}],
        "CONFLICT_USERNAME",
        2,
    ),
    "the same person by another name": (
        [{"email": "a@x.com", "username": "aa"}, {"username": "aa", "given_name": "Second"}],
        "DUPLICATED_USER",
        1,
    ),
    "twice": ([{"email": "a@x.com"}, {"email": "A@x.com"}], "DUPLICATED_USER", 1),
}


@pytest.mark.parametrize("at_once", [1, 2500])
@pytest.mark.parametrize("upsert", ["false", "true"])
@pytest.mark.parametrize("name", FILES)
async def test_two_rows_are_in_each_other_s_way(world: World, name: str, upsert: str, at_once: int) -> None:
    await world.patch_options(attributes=BOTH)
    file, code, taken = FILES[name]
    summary = {"failed": 1, "updated": 0, "inserted": taken, "total": len(file)}
    for dry_run in ("true", "false"):
        told, refused = await outcome(world, file, at_once=at_once, upsert=upsert, dry_run=dry_run)
        assert told == summary, dry_run
        assert [codes for _, codes in refused] == [[code]]


@pytest.mark.parametrize("at_once", [1, 2500])
async def test_two_rows_about_one_account_that_is_there(world: World, at_once: int) -> None:
    await world.patch_options(attributes=BOTH)
    await imported(world, [{"email": "a@x.com", "username": "aa"}])
    file = [{"email": "a@x.com", "given_name": "One"}, {"username": "aa", "given_name": "Two"}]
    for dry_run in ("true", "false"):
        told, refused = await outcome(world, file, at_once=at_once, upsert="true", dry_run=dry_run)
        assert told == {"failed": 1, "updated": 1, "inserted": 0, "total": 2}
        assert refused == [(file[1], ["DUPLICATED_USER"])]
    assert (await user(world, "a@x.com"))["given_name"] == "One"


@pytest.mark.parametrize("at_once", [1, 2500])
async def test_a_handle_that_an_earlier_row_gave(world: World, at_once: int) -> None:
    handle = "AAECAwQFBgcICQoLDA0ODw"

    def row(email: str) -> Row:
        made = made_elsewhere(Authenticator(), handle=handle)
        return {"email": email, "passkeys": [{name: value for name, value in made.items() if name != "type"}]}

    await imported(world, [{"email": "a@x.com"}, {"email": "b@x.com"}])
    file = [row(f"{each}@x.com") for each in "abc"]
    for dry_run in ("true", "false"):
        told, refused = await outcome(world, file, at_once=at_once, upsert="true", dry_run=dry_run)
        assert told == {"failed": 2, "updated": 1, "inserted": 0, "total": 3}
        assert [codes for _, codes in refused] == [["CONFLICT"], ["CONFLICT"]]


async def test_an_address_that_an_account_does_not_get_is_not_verified(world: World) -> None:
    shared = {"identifier": {"active": False}, "unique": False, "profile_required": False}
    named = {"identifier": {"active": True}, "profile_required": True}
    made = await world.new_connection(attributes={"email": shared, "username": named})
    await imported(world, [{"username": "aa", "email": "old@x.com"}], connection_id=made)
    row = {"username": "aa", "email": "new@x.com", "email_verified": True, "given_name": "Ann"}
    done = await imported(world, [row], upsert="true", connection_id=made)
    assert done["summary"]["updated"] == 1, await errors(world, done["id"])
    found = await user(world, "old@x.com")
    assert (found["email_verified"], found["given_name"]) == (False, "Ann")


async def test_whoever_makes_users_does_not_thereby_get_into_accounts(world: World) -> None:
    """A hash that nobody has used yet is replaced by whoever might set a password one by one, and not unseen."""
    await imported(world, [{"email": "ann@example.com", "custom_password_hash": AN_MD5, "email_verified": True}])
    theirs = {"email": "ann@example.com", "password_hash": HASH, "given_name": "X"}
    begun = (await send(world, [theirs], upsert="true", scope="create:users")).json()["id"]
    await worker.deliver_due(world.db, world.app.state.flows.management.user_import, world.clock)
    (refused,) = await errors(world, begun)
    assert refused["errors"] == [
        {
            "code": "NOT_PASSED",
            "message": "A password for a user who is there needs the scope update:users",
            "path": "password",
        }
    ]
    assert "given_name" not in await user(world, "ann@example.com")

    unchanged = {"email": "ann@example.com", "custom_password_hash": AN_MD5, "given_name": "Ann"}
    begun = (await send(world, [unchanged], upsert="true", scope="create:users")).json()["id"]
    await worker.deliver_due(world.db, world.app.state.flows.management.user_import, world.clock)
    assert (await job(world, begun))["summary"]["updated"] == 1

    found = await imported(world, [theirs], upsert="true")
    assert found["summary"]["updated"] == 1
    user_id = (await user(world, "ann@example.com"))["user_id"]
    logs = (await world.manage("GET", f"/users/{user_id}/logs")).json()
    assert [each["details"]["changed"] for each in logs if each["description"] == "Update a user"] == [["password"]]
    assert (await world.login(password="password")).status_code == 403


async def test_a_password_that_a_file_sets_ends_what_was_begun_without_it(world: World) -> None:
    await world.signup()
    tokens = await world.tokens(scope="openid offline_access")
    unset = {"password_hash": None, "logins_count": 0}
    await world.db.write(lambda session: session.connection().execute(update(tables.Account).values(**unset)) and None)
    assert (await imported(world, [{"email": "ann@example.com", "password_hash": HASH}], upsert="true"))["summary"]
    refreshed = await world.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.status_code in (400, 403)
    assert (await world.login(password=PASSWORD)).status_code == 403
