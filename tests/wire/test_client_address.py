"""Whose attempt is it: the address behind the proxies that were named, and nobody else's word."""

from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import httpx
import pytest

from conftest import Stencil
from keystead.db import tables
from world import World, open_world

PEER = "203.0.113.9"
"""Where the requests of these tests come from."""


async def tried_from(world: World, forwarded: Sequence[str], email: str = "ann@example.com") -> httpx.Response:
    """Guess a password, with these headers."""
    body = {
        "grant_type": "password",
        "client_id": world.client_id,
        "username": email,
        "password": world.wrong_password(),
    }
    headers = [("x-forwarded-for", each) for each in forwarded]
    return await world.client.post("/oauth/token", json=body, headers=headers)


async def address_of(world: World, forwarded: Sequence[str]) -> str:
    """Return the address that the journal has for such a request."""
    answer = await tried_from(world, forwarded, f"{abs(hash(tuple(forwarded)))}@example.com")
    assert answer.status_code == 403, answer.text
    return str((await world.last_entry())["ip"])


@pytest.fixture
async def behind_proxies(installation: Stencil) -> AsyncIterator[World]:
    """A world whose requests all come through a proxy, with two more before it."""
    networks = tuple(ip_network(each) for each in ("203.0.113.9/32", "10.0.0.0/8", "2001:db8:ffff::/48"))
    settings = installation.settings.model_copy(update={"trusted_proxies": networks})
    async with open_world(settings, installation.document) as world:
        yield world


async def test_nobody_is_believed_unless_named(world: World) -> None:
    for forwarded in (["198.51.100.7"], ["127.0.0.1"], ["198.51.100.7, 203.0.113.9"], ["198.51.100.7", "10.0.0.1"]):
        assert await address_of(world, forwarded) == PEER
    headers = {"forwarded": "for=198.51.100.7", "x-real-ip": "198.51.100.7", "auth0-forwarded-for": "198.51.100.7"}
    body = {"grant_type": "password", "client_id": world.client_id, "username": "ann", "password": "wrong"}
    await world.client.post("/oauth/token", json=body, headers=headers)
    assert (await world.last_entry())["ip"] == PEER


SEEN = [
    ([], PEER),
    (["198.51.100.7"], "198.51.100.7"),
    (["6.6.6.6, 198.51.100.7"], "198.51.100.7"),  # what the client wrote is on the left
    (["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
    (["198.51.100.7, 10.1.2.3"], "198.51.100.7"),
    (["6.6.6.6, 198.51.100.7, 10.1.2.3 ,10.0.0.1"], "198.51.100.7"),
    (["6.6.6.6", "198.51.100.7, 10.1.2.3", "10.0.0.1"], "198.51.100.7"),
    (["10.1.2.3, 10.0.0.1"], "10.1.2.3"),
    (["198.51.100.7:55555"], "198.51.100.7"),
    (["2001:db8::7"], "2001:db8::7"),
    (["[2001:db8::7]:443"], "2001:db8::7"),
    (["6.6.6.6, 2001:db8::7, 2001:db8:ffff::1"], "2001:db8::7"),
    (["::ffff:198.51.100.7"], "198.51.100.7"),
    (["198.51.100.7, ::ffff:10.0.0.1"], "198.51.100.7"),
    (["198.51.100.7, unknown"], PEER),  # what cannot be read ends the walk
    (["unknown"], PEER),
    (["' OR 1=1 --"], PEER),
    (["198.51.100.7,,"], PEER),
    (["1" * 9000], PEER),
    (["fe80::1%eth0"], "fe80::1%eth0"),
]


async def test_the_rightmost_address_that_no_proxy_vouches_for(behind_proxies: World) -> None:
    for forwarded, expected in SEEN:
        assert await address_of(behind_proxies, forwarded) == expected, forwarded


async def test_the_limit_is_per_address(behind_proxies: World) -> None:
    world = behind_proxies
    await world.person()
    for number in range(10):
        assert (await tried_from(world, [f"6.6.6.{number}, 198.51.100.7"])).status_code == 403
    assert (await tried_from(world, ["7.7.7.7, 198.51.100.7"])).status_code == 429
    assert (await tried_from(world, ["198.51.100.8"])).status_code == 403
    assert (await world.login()).status_code == 200  # from the proxy's own address


async def test_one_person_may_own_a_whole_ipv6_network(behind_proxies: World) -> None:
    world = behind_proxies
    for number in range(10):
        assert (await tried_from(world, [f"2001:db8::{number}"])).status_code == 403
    assert (await tried_from(world, ["2001:db8::ffff:1"])).status_code == 429
    assert (await tried_from(world, ["2001:db8:0:1::1"])).status_code == 403


async def test_an_address_has_one_spelling(behind_proxies: World) -> None:
    world = behind_proxies
    for spelling in (
        "198.51.100.7",
        "::ffff:198.51.100.7",
        "::ffff:c633:6407",
        "198.51.100.7:1",
        "[::ffff:198.51.100.7]",
    ):
        for _ in range(2):
            assert (await tried_from(world, [spelling])).status_code == 403
    assert (await tried_from(world, ["198.51.100.7"])).status_code == 429


async def test_without_an_address_the_limit_is_shared(world: World) -> None:
    for client in (None, ("", 0), ("unix:", 0)):
        transport = httpx.ASGITransport(app=world.app, client=client)  # type: ignore[arg-type]  # as servers may
        async with httpx.AsyncClient(transport=transport, base_url=world.settings.public_url) as http:
            body = {"grant_type": "password", "client_id": world.client_id, "username": "a@b.com"}
            guesses = [body | {"password": world.wrong_password()} for _ in range(5)]
            last = [(await http.post("/oauth/token", json=each)).status_code for each in guesses][-1]
    assert last == 429
    assert (await world.login()).status_code == 403
    keys = [row["key"].removeprefix(f"lock/{world.connection_id}/") for row in await world.rows(tables.Attempt)]
    locks = {key for key in keys if "/from/" in key}
    assert locks == {"email:a@b.com/from/unknown", "email:ann@example.com/from/203.0.113.9"}
