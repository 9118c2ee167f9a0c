"""Whose attempt it was thought to be elsewhere (security incidents 31, 32 and 33), tried here."""

from collections import Counter
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from conftest import Stencil
from guarding import SUSPICIOUS_IP, guard
from world import PASSWORD, World, open_world

GARBAGE: list[list[str]] = [
    [""],
    [" , ,, "],
    ["unknown"],
    ["256.256.256.256"],
    ["1.2.3.4, 1.2.3.4, 1.2.3.4"],
    ["1.2.3.4", "5.6.7.8", "nonsense"],
    ["::1"],
    ["[2001:db8::1]:443"],
    ["fe80::1%eth0"],
    ["fe80::1%25../../etc/passwd"],
    ["2001:db8::1::2"],
    ["::ffff:1.2.3.4"],
    ["1.2.3.4:99999"],
    ["127.0.0.1' OR '1'='1"],
    ["\u00e4\u00f6\u00fc"],
    ["x" * 7_000],
    [",".join(["10.0.0.1"] * 700)],
]


@pytest.fixture(params=["no proxy", "a proxy"])
async def house(request: pytest.FixtureRequest, installation: Stencil) -> AsyncIterator[World]:
    """Keystead, once alone and once behind a proxy that is trusted."""
    networks = (ip_network("203.0.113.9/32"), ip_network("10.0.0.0/8")) if request.param == "a proxy" else ()
    settings = installation.settings.model_copy(update={"trusted_proxies": networks})
    async with open_world(settings, installation.document) as world:
        yield world


async def tried(world: World, password: str, values: list[str], name: str = "x-forwarded-for") -> httpx.Response:
    """Try a password, with such a header once or several times."""
    body = {"grant_type": "password", "client_id": world.client_id, "username": "ann@example.com", "password": password}
    headers = [(name.encode(), value.encode("latin-1", "replace")) for value in values]
    return await world.client.post("/oauth/token", json=body, headers=headers)


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "forwarded", "auth0-forwarded-for"])
async def test_incident_31_no_header_skips_a_step_or_breaks_one(house: World, header: str) -> None:
    """CVE-2024-47070 (authentik): a value that could not be read let somebody in without the password."""
    await house.person()
    for values in GARBAGE:
        before = house.hasher.verified
        assert (await tried(house, house.wrong_password(), values, header)).status_code == 403, values
        assert (await tried(house, PASSWORD, values, header)).status_code == 200, values
        assert house.hasher.verified == before + 2
        house.clock.advance(minutes=1)


async def test_incident_32_an_address_that_was_made_up_is_no_new_address(world: World) -> None:
    """CVE-2023-36456 (authentik), allauth 65.14.2, better-auth #10203: whoever set a header was somebody else."""
    await world.person()
    statuses = []
    for number in range(12):
        claimed = f"198.51.100.{number}"
        headers = {"x-real-ip": claimed, "forwarded": f"for={claimed}", "auth0-forwarded-for": claimed}
        body = {"grant_type": "password", "client_id": world.client_id, "username": "ann@example.com"}
        answer = await world.client.post(
            "/oauth/token",
            json=body | {"password": world.wrong_password()},
            headers=headers | {"x-forwarded-for": f"{claimed}, 127.0.0.1", "cf-connecting-ip": claimed},
        )
        statuses.append(answer.status_code)
    assert statuses == [403] * 10 + [429] * 2


async def test_incident_32_a_proxy_is_believed_as_far_as_it_is_named(installation: Stencil) -> None:
    """From right to left, and no further than the first hop that nobody vouches for."""
    settings = installation.settings.model_copy(update={"trusted_proxies": (ip_network("203.0.113.9/32"),)})
    async with open_world(settings, installation.document) as world:
        await world.person()
        spoofed = [
            await tried(world, world.wrong_password(), [f"6.6.6.{number}, 198.51.100.7"]) for number in range(12)
        ]
        assert [answer.status_code for answer in spoofed] == [403] * 10 + [429] * 2
        assert (await tried(world, PASSWORD, ["198.51.100.8"])).status_code == 200


async def test_incident_33_who_has_no_address_has_a_limit_all_the_same(world: World) -> None:
    """better-auth #9990: without an address the limit was left out. Here all who have none share one."""
    await guard(world.db, SUSPICIOUS_IP, stage={"pre-login": {"max_attempts": 12}})
    await world.person()
    body = {"grant_type": "password", "client_id": world.client_id, "password": "wrong"}
    statuses: Counter[int] = Counter()
    peers: list[Any] = [None, ("", 0), ("a socket", 0)]
    transports = [httpx.ASGITransport(app=world.app, client=client) for client in peers]
    for number in range(30):
        http = httpx.AsyncClient(transport=transports[number % 3], base_url=world.settings.public_url)
        answer = await http.post("/oauth/token", json=body | {"username": f"p{number}@example.com"})
        statuses[answer.status_code] += 1
    assert statuses[403] <= 12
    assert statuses[403] + statuses[429] == 30
    assert (await world.login()).status_code == 200, "and whoever has one is not concerned"
