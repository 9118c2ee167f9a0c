"""Only a wrong secret is charged, the same one again costs little, and what is kept of it says nothing."""

import asyncio
import hashlib
import hmac
from typing import Any

import pytest

from authenticator import Authenticator
from conftest import Stencil
from keystead.db import attempts, tables
from keystead.secrecy import Secret
from world import PASSWORD, PUBLIC_URL, World, open_world

OLD = "the password of last year"
COST_12 = "$2b$12$NobodyHasThisPasswordu" + "." * 31


async def spent(world: World) -> dict[str, float]:
    """Return what was charged to Ann's locks, by where their keys end."""
    hers = f"lock/{world.connection_id}/email:ann@example.com/"
    rows = [row for row in await world.rows(tables.Attempt) if row["key"].startswith(hers)]
    return {row["key"].rpartition("/")[2]: row["spent"] for row in rows}


async def wrong_rows(world: World) -> list[str]:
    """Return the marks of passwords that were wrong."""
    return [row["key"] for row in await world.rows(tables.Attempt) if row["key"].startswith("wrong/")]


# --- the same wrong password again -----------------------------------------------------------------------------------


async def test_another_wrong_password_counts_whole_the_same_again_a_tenth(world: World) -> None:
    await world.person()
    for number, (password, expected) in enumerate([(OLD, 1.0), (OLD, 1.1), ("another", 2.1), (OLD, 2.2), ("x", 3.2)]):
        await world.login(password=password)
        found = await spent(world)
        assert found == {"203.0.113.9": pytest.approx(expected), "strangers": pytest.approx(expected)}, number


async def test_it_is_known_for_one_person_and_for_a_day(world: World) -> None:
    await world.person()
    await world.login(password=OLD)
    await world.login("bob@example.com", OLD)
    assert len({*await wrong_rows(world)}) == 2, "the same password of another person is another hash"
    world.clock.advance(hours=23)
    await world.login(password=OLD)
    before = (await spent(world))["203.0.113.9"]
    world.clock.advance(hours=1, seconds=1)
    await world.login(password=OLD)
    assert (await spent(world))["203.0.113.9"] > before + 0.9, "forgotten, so it counts whole again"


async def test_a_phone_with_an_old_password_locks_nobody_out(world: World) -> None:
    """It tries once a minute, for more than an hour, from the address at home."""
    await world.person()
    for _ in range(80):
        assert (await world.login(password=OLD)).status_code == 403
        world.clock.advance(minutes=1)
    assert (await world.login()).status_code == 200


async def test_nothing_of_a_password_is_left_after_its_day(world: World) -> None:
    await world.person()
    for password in (OLD, "another", OLD):
        await world.login(password=password)
    assert len(await wrong_rows(world)) == 2
    world.clock.advance(hours=23, minutes=59)
    await world.db.write(attempts.sweep, world.clock())
    assert len(await wrong_rows(world)) == 2
    world.clock.advance(minutes=2)
    await world.db.write(attempts.sweep, world.clock())
    assert await wrong_rows(world) == []


async def test_a_right_password_leaves_no_mark(world: World) -> None:
    await world.person()
    await world.login()
    assert await wrong_rows(world) == []


async def test_what_is_kept_cannot_be_made_without_the_secret_key(installation: Stencil) -> None:
    """Whoever has the database alone cannot find out passwords that were nearly right."""
    rows: list[str] = []
    for number in range(2):
        settings = installation.settings.model_copy(update={"secret_keys": (Secret(str(number) * 64),)})
        async with open_world(settings, installation.document, seed=str(number)) as world:
            await world.login(password=OLD)
            (found,) = {*await wrong_rows(world)} - {*rows}
            rows.append(found)
            everything = str([await world.rows(table) for table in (tables.Attempt, tables.JournalRow)])
            assert OLD not in everything
            head, mac = found.rpartition("/")[::2]
            assert len(mac) == 64
            public = (world.connection_id, "email", "ann@example.com")
            for joined in (OLD, "\0".join((*public, OLD)), "/".join((*public, OLD)), f"{head}/{OLD}", f"{head}\0{OLD}"):
                assert hashlib.sha256(joined.encode()).hexdigest() != mac
                for key in ("", *public, head, "wrong-passwords", "keystead/wrong-passwords/v1"):
                    assert hmac.new(key.encode(), joined.encode(), "sha256").hexdigest() != mac
    assert rows[0].rpartition("/")[0] == rows[1].rpartition("/")[0]
    assert rows[0] != rows[1], "the key alone makes the difference"


@pytest.mark.parametrize("password", ["", "\0", "🔑" * 400, "a\0b", "é", "x" * 100_000])
async def test_odd_passwords_are_wrong_ones(world: World, password: str) -> None:
    await world.person()
    answers = [await world.login(password=password) for _ in range(3)]
    assert {each.status_code for each in answers} <= {400, 403}
    assert "203.0.113.9" not in await spent(world) or (await spent(world))["203.0.113.9"] <= 1.2 + 1e-9


# --- what is no try --------------------------------------------------------------------------------------------------


async def charged(world: World) -> dict[str, float]:
    """Return everything that was charged to anybody."""
    return {row["key"]: row["spent"] for row in await world.rows(tables.Attempt) if row["spent"]}


async def test_dialogs_that_are_cancelled_and_ceremonies_that_expire_cost_nothing(world: World) -> None:
    ann = Authenticator()
    await world.register(ann)
    await world.person("bob@example.com")
    before: dict[str, Any] = await charged(world)
    for _ in range(150):  # more than any limit of an address
        await world.begin_challenge()
    begun = [(await world.begin_challenge()).json() for _ in range(15)]
    world.clock.advance(minutes=30)
    for each in begun:
        answer = ann.get(each["authn_params_public_key"], origin=PUBLIC_URL)
        assert (await world.exchange(each["auth_session"], answer)).status_code == 403
    after = {key: value for key, value in (await charged(world)).items() if value > before.get(key, 0.0)}
    assert after == {}
    assert (await world.passkey_login(ann)).status_code == 200
    assert (await world.login("bob@example.com")).status_code == 200


async def test_a_try_that_we_could_not_make_costs_nothing(installation: Stencil) -> None:
    settings = installation.settings.model_copy(update={"hash_workers": 1, "hash_queue": 1})
    async with open_world(settings, installation.document) as world:
        await world.person()
        device = (await world.login()).headers["keystead-device"]
        before = await charged(world)
        busy = [asyncio.ensure_future(world.hasher.inner.verify(b"x", COST_12)) for _ in range(2)]
        await asyncio.sleep(0)
        body = {"grant_type": "password", "client_id": world.client_id, "username": "ann@example.com"}
        for headers in ({}, {"keystead-device": device}):
            for _ in range(2):
                sent = body | {"password": world.wrong_password()}
                answer = await world.client.post("/oauth/token", json=sent, headers=headers)
                assert answer.status_code == 503
        assert not busy[0].done(), "the queue was not full all the time"
        await asyncio.gather(*busy)
        assert await charged(world) == before
        assert await wrong_rows(world) == []


async def test_a_right_password_costs_strangers_nothing(world: World) -> None:
    await world.person()
    await world.guess()
    for _ in range(3):
        await world.login(password=PASSWORD)
    found = await spent(world)
    assert found.get("strangers", 0.0) == pytest.approx(1.0), "what others did stays"
    assert found.get("203.0.113.9", 0.0) == 0.0
