"""Nobody's name can pass for another person's address or number, and no two spellings of one are two people's."""

import asyncio
import hashlib
from typing import Any

import pytest

from keystead.db import tables
from world import PASSWORD, World

pytestmark = pytest.mark.anyio

HERS, PHONE = "victim@example.com", "+14155552671"
ATTACKER = "attacker's long password"
FIRST = ["username", "phone_number", "email"]


def options(*, required: bool = False, precedence: list[str] | None = None) -> dict[str, Any]:
    """Every kind of identifier, and names that may look like the others."""
    status = "required" if required else "optional"
    validation = {"max_length": 128, "allowed_types": {"email": True, "phone_number": True}}
    attributes: dict[str, Any] = {
        "email": {"signup": {"status": status}},
        "phone_number": {"signup": {"status": "optional"}},
        "username": {"signup": {"status": "optional"}, "validation": validation},
    }
    return {"attributes": attributes} | ({"precedence": precedence} if precedence else {})


async def made(world: World, **body: Any) -> int:
    """Make an account as an administrator does, and return the status."""
    body = {"connection": world.connection, "password": ATTACKER} | body
    return (await world.manage("POST", "/users", body)).status_code


async def signed_up(world: World, **body: Any) -> int:
    """Sign up by API, and return the status."""
    return (await world.signup(**{"email": None, "password": ATTACKER, **body})).status_code


@pytest.mark.parametrize("precedence", [FIRST, ["email", "phone_number", "username"]])
@pytest.mark.parametrize("name", [HERS, "Victim@EXAMPLE.com", PHONE, "+1-415-555-2671"])
async def test_a_name_that_is_somebody_s_address_is_taken(world: World, name: str, precedence: list[str]) -> None:
    await world.patch_options(**options(precedence=precedence))
    await world.signup(HERS, phone_number=PHONE)
    before = await world.counts()
    assert await made(world, username=name) == 409
    assert await signed_up(world, username=name) == 400
    assert await signed_up(world, username=name, email="attacker@example.com") == 400
    assert await world.counts() == before
    for typed in (HERS, "VICTIM@example.com", PHONE, "+1 (415) 555-2671"):
        assert (await world.login(typed)).status_code == 200


@pytest.mark.parametrize("precedence", [FIRST, ["email", "phone_number", "username"]])
async def test_an_address_that_is_somebody_s_name_is_taken(world: World, precedence: list[str]) -> None:
    await world.patch_options(**options(precedence=precedence))
    assert await made(world, username=HERS, password=PASSWORD) == 201
    assert await made(world, username="+1-415-555-2671", password=PASSWORD) == 201
    for body in ({"email": HERS}, {"phone_number": PHONE}):
        assert await made(world, **body) == 409
        assert await signed_up(world, **body) == 400
    for typed in (HERS, "+1-415-555-2671"):
        assert (await world.login(typed)).status_code == 200, "whoever has the name logs in with it"
        assert (await world.login(typed, ATTACKER)).status_code == 403


async def test_nobody_signs_up_with_a_name_that_is_an_address_of_somebody_to_come(world: World) -> None:
    await world.patch_options(**options())
    for name in (HERS, PHONE, "+1-415-555-2671"):
        assert await signed_up(world, username=name) == 400
        assert await signed_up(world, username=name, email="attacker@example.com") == 400
    assert await world.count(tables.Account) == 0
    assert await signed_up(world, username=HERS, email=HERS) == 200
    assert (await world.login(HERS, ATTACKER)).status_code == 200


async def test_a_name_may_be_the_person_s_own_address(world: World) -> None:
    await world.patch_options(**options(precedence=FIRST))
    assert (await world.signup(HERS, username=HERS, phone_number=PHONE)).status_code == 200
    user = (await world.manage("GET", "/users")).json()[0]
    path = f"/users/{user['user_id']}"
    assert (await world.manage("PATCH", path, {"email": "new@example.com"})).status_code == 200
    assert await signed_up(world, email=HERS) == 400, "the name is still hers"
    assert (await world.login(HERS)).status_code == 200
    assert (await world.manage("PATCH", path, {"username": None})).status_code == 200
    assert await signed_up(world, email=HERS) == 200
    assert (await world.login(HERS)).status_code == 403


async def test_of_a_name_and_an_address_at_once_one_is_first(world: World) -> None:
    await world.patch_options(**options())
    for number in range(8):
        address = f"person{number}@example.com"
        bodies = [{"username": address}, {"email": address}, {"username": "x" + address, "email": address}]
        statuses = await asyncio.gather(*(made(world, **body) for body in bodies for _ in range(2)))
        assert sorted(statuses) == [201] + [409] * 5


async def test_a_name_that_is_given_later_is_held_against_addresses_too(world: World) -> None:
    await world.patch_options(**options())
    await world.signup(HERS)
    await made(world, username="attacker")
    attacker = next(user for user in (await world.manage("GET", "/users")).json() if user.get("username"))
    answer = await world.manage("PATCH", f"/users/{attacker['user_id']}", {"username": HERS})
    assert answer.status_code == 409
    assert (await world.login(HERS)).status_code == 200


async def test_names_that_look_like_addresses_stay_apart_when_addresses_become_identifiers(world: World) -> None:
    """First only names, which may look like anything; then people log in with addresses as well."""
    names = options()
    del names["attributes"]["email"], names["attributes"]["phone_number"]
    await world.patch_options(**names)
    assert await signed_up(world, username=HERS) == 200
    await world.patch_options(**options(precedence=FIRST))
    assert await signed_up(world, email=HERS) == 400
    assert (await world.login(HERS, ATTACKER)).status_code == 200


@pytest.mark.parametrize(
    ("hers", "theirs"),
    [
        ("straße@example.com", "STRASSE@example.com"),
        ("strasse@example.com", "straße@example.com"),
        ("νίκος@example.com", "ΝΊΚΟΣ@example.com"),
        ("νίκος@example.com", "νίκοσ@example.com"),
        ("kiz@example.com", "kız@example.com"),  # noqa: RUF001 - the point
        ("user1@example.com", "user١@example.com"),  # noqa: RUF001 - the point
        ("ann@straße.example", "ann@STRASSE.example"),
        ("ann@βόλος.example", "ann@ΒΌΛΟΣ.example"),
        ("josé@example.com", "JOSE\u0301@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@example.com", "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ"),  # noqa: RUF001 - the point
    ],
)
async def test_what_a_person_takes_for_one_address_is_one_person_s(shared_world: World, hers: str, theirs: str) -> None:
    world, name = shared_world, f"Spelling-{hashlib.sha256(f'{hers} {theirs}'.encode()).hexdigest()[:16]}"
    await world.new_connection(name)
    connection = {"connection": name}
    assert (await world.signup(hers, **connection)).status_code == 200
    assert (await world.signup(theirs, ATTACKER, **connection)).status_code == 400
    body = {"email": theirs, "password": ATTACKER} | connection
    assert (await world.manage("POST", "/users", body)).status_code == 409
    other = await world.manage("POST", "/users", body | {"email": "other@example.com"})
    answer = await world.manage("PATCH", f"/users/{other.json()['user_id']}", {"email": theirs})
    assert answer.status_code == 409
