"""Ways that were found to guess more often than the limits say, each closed: how a guess is counted, and for whom."""

import hashlib
import json
from itertools import count, product
from typing import Any, Final

import httpx
import pytest

from guarding import BRUTE_FORCE, browser_at, guard
from keystead.db import tables
from keystead.rules.buckets import noted_bucket
from world import PASSWORD, World

ANN: Final = "ann@example.com"
PHONE: Final = "+14155552671"
HEADER: Final = "keystead-device"

_numbers = count()


async def guess(http: httpx.AsyncClient, world: World, username: str, **more: Any) -> httpx.Response:
    """Guess a password that nobody guessed before."""
    body = {"grant_type": "password", "client_id": world.client_id, "username": username}
    return await http.post("/oauth/token", json=body | {"password": f"a guess {next(_numbers)}"}, **more)


async def devices(world: World, most: int) -> list[str]:
    """Log in so often, each time on another device, and return what each is given."""
    found = []
    for _ in range(most):
        world.clock.advance(minutes=1)
        answer = await world.login()
        assert answer.status_code == 200
        found.append(answer.headers[HEADER])
    return found


async def tries_of(world: World, collected: list[str]) -> int:
    """Guess ten times with each device, from one address; return how many were tried."""
    before = world.hasher.verified
    async with world.at("198.51.100.7").client as http:
        for device in collected:
            for _ in range(10):
                await guess(http, world, ANN, headers={HEADER: device})
    return world.hasher.verified - before


async def test_devices_of_an_earlier_holder_are_strangers_to_the_next(world: World) -> None:
    """Whoever had the address first could otherwise collect ten tries a device for later."""
    squatter = await world.person()
    collected = await devices(world, 4)
    await world.delete_user(squatter)
    await world.person(ANN, "a password of the owner's")
    assert await tries_of(world, collected) == 10


async def test_devices_are_known_to_nobody_where_there_is_no_account(world: World) -> None:
    squatter = await world.person()
    collected = await devices(world, 3)
    await world.delete_user(squatter)
    assert await tries_of(world, collected) == 10


@pytest.fixture
async def both(world: World) -> World:
    """Usernames first, which may look like addresses and numbers: one text has several readings."""
    optional = {"signup": {"status": "optional"}}
    names = optional | {"validation": {"allowed_types": {"email": True, "phone_number": True}}}
    answer = await world.patch_options(
        attributes={"phone_number": optional, "email": optional, "username": names},
        precedence=["username", "email", "phone_number"],
    )
    assert answer.status_code == 200, answer.text
    body = {"client_id": world.client_id, "connection": world.connection, "phone_number": PHONE, "password": PASSWORD}
    assert (await world.client.post("/dbconnections/signup", json=body)).status_code == 200
    return world


def spellings() -> list[str]:
    """Return a hundred ways to write one number, each a username of its own."""
    ways = product(("", "-", "."), repeat=5)
    return ["+1415" + "".join(digit + sign for digit, sign in zip("55526", way, strict=True)) + "71" for way in ways][
        :100
    ]


async def test_a_number_is_counted_once_however_it_is_spelled(both: World) -> None:
    before = both.hasher.verified
    async with both.at("198.51.100.7").client as http:
        for spelling in spellings()[:15]:
            await guess(http, both, spelling)
    assert both.hasher.verified == before + 10
    user = next(row["user_id"] for row in await both.rows(tables.Account))
    found = (await both.manage("GET", f"/user-blocks/{user}".replace("|", "%7C"))).json()["blocked_for"]
    assert [block["identifier"] for block in found] == [PHONE]


async def test_resets_of_a_number_are_counted_once_however_it_is_spelled(both: World) -> None:
    for spelling in spellings()[:30]:
        body = {"client_id": both.client_id, "connection": both.connection, "email": spelling}
        await both.client.post("/dbconnections/change_password", json=body)
    assert len([letter for letter in await both.letters() if letter.to == PHONE]) <= 11


async def test_codes_that_reset_a_password_are_guessed_at_twenty_times(world: World) -> None:
    """A crowd has no more tries than one, and whoever is guessed at is sent a link from then on."""
    await world.person()
    await world.patch_options(attributes={"email": {"verification_method": "code"}})
    for bot in range(8):
        visitor = browser_at(world, f"198.51.100.{bot}")
        landed = await visitor.authorize()
        landed = await visitor.send(landed.form("/login/identifier"), username=ANN)
        state = landed.form().action.partition("state=")[2]
        page = await visitor.open(f"/u/reset-password/request?state={state}")
        landed = await visitor.send(page.form(), username=ANN)
        for _ in range(5):
            await visitor.send(landed.form(), code=f"{next(_numbers):06d}")
    assert sum(row["tries"] for row in await world.rows(tables.OneTimeCode)) <= 20
    newest = (await world.letters())[0]
    assert "/u/reset-password?ticket=" in newest.text


async def test_what_was_wrong_before_a_new_password_is_a_guess_again(world: World) -> None:
    user_id = await world.person()
    for number in range(9):
        assert (await world.login(password=f"old guess {number}")).status_code == 403
    await world.manage("PATCH", f"/users/{user_id}", {"password": "another horse battery"})
    world.clock.advance(minutes=5)
    answers = [await world.login(password=f"old guess {number % 9} ") for number in range(9)]
    answers += [await world.login(password=f"old guess {number}") for number in range(9)]
    assert [answer.status_code for answer in answers].count(403) == 10


async def test_elsewhere_nobody_learns_what_was_typed_here(world: World) -> None:
    """What a try costs would tell a stranger whether the owner has typed just this, on another site's account."""
    await world.person()
    await world.login(password="my password of another site")
    async with world.at("198.51.100.7").client as http:
        for _ in range(9):
            await guess(http, world, ANN)
        body = {"grant_type": "password", "client_id": world.client_id, "username": ANN}
        typed = await http.post("/oauth/token", json=body | {"password": "my password of another site"})
        assert typed.status_code == 403
        assert (await guess(http, world, ANN)).status_code == 429, "it has cost a whole try"


async def test_a_lock_that_filled_while_it_only_watched_is_emptied_by_a_success(world: World) -> None:
    """Else whoever mistyped in those days is kept out on the day that it begins to block."""
    await guard(world.db, BRUTE_FORCE, shields=[])
    await world.person()
    for _ in range(12):
        assert (await world.guess()).status_code == 403
    world.clock.advance(minutes=5)
    assert (await world.login()).status_code == 200
    await guard(world.db, BRUTE_FORCE, shields=["block"])
    assert (await world.login()).status_code == 200


async def test_what_may_be_a_password_in_the_wrong_field_is_kept_as_a_keyed_hash_alone(world: World) -> None:
    """Of what is no identifier nothing may be left that could be held against lists of words."""
    typed = "hunter2 in the wrong field"
    for _ in range(11):
        await world.guess(typed)
    await world.client.post(
        "/dbconnections/change_password",
        json={"client_id": world.client_id, "connection": world.connection, "email": typed},
    )
    rows = [await world.rows(table) for table in (tables.Attempt, tables.JournalRow, tables.Decision)]
    kept = json.dumps(rows, default=str)
    assert "text:" in kept, "it is counted, and so something stands for it"
    assert typed not in kept
    for plain in (hashlib.sha256, hashlib.sha1, hashlib.md5):
        assert plain(typed.encode()).hexdigest()[:8] not in kept


async def test_who_hammers_does_not_fill_the_database(world: World) -> None:
    """Refusals cost nothing, so that what is written of them is bounded by address."""
    await world.person()
    for _ in range(10):
        await world.guess()
    bucket = noted_bucket("decision", "203.0.113.9")
    for _ in range(510):
        assert (await world.client.get("/userinfo", headers={"authorization": "Bearer x"})).status_code == 401
    kept = await world.count(tables.Decision)
    assert bucket.capacity == kept == 500
    world.clock.advance(seconds=3)
    for _ in range(5):
        await world.client.get("/userinfo", headers={"authorization": "Bearer x"})
    assert await world.count(tables.Decision) == kept + 3
