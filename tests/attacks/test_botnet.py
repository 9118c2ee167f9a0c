"""Two thousand addresses guess at one person's password (incident 21): what they get, and what their victim notices.

The bound is the one that docs/attack-protection.md states: strangers together have a hundred tries at an identifier,
and one more each 7.2 hours.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import httpx
import pytest

from conftest import Stencil
from keystead.db import tenant
from keystead.rules.attack_protection import BRUTE_FORCE, LOCK
from visitor import Visitor
from world import PASSWORD, PUBLIC_URL, World, open_world

BOTS = 2_000
AT_ONCE = 20
STRANGERS = 100
HOURS_FOR_ONE = 7.2
HOME, HOTEL = "192.0.2.10", "192.0.2.77"
DEVICE = "keystead-device"


@dataclass
class Siege:
    """A person with a device of hers, and a botnet that wants in."""

    world: World
    http: httpx.AsyncClient
    device: str = ""
    refused: Counter[int] = field(default_factory=Counter)
    guesses: int = 0
    owner_s: int = 0

    async def log_in(self, address: str, device: str = "", password: str = PASSWORD) -> httpx.Response:
        """Try a password from somewhere."""
        body = {"grant_type": "password", "client_id": self.world.client_id, "username": "ann@example.com"}
        headers = {"x-forwarded-for": address} | ({DEVICE: device} if device else {})
        return await self.http.post("/oauth/token", json=body | {"password": password}, headers=headers)

    async def owner_logs_in(self) -> None:
        """Ann logs in at home, as if nothing was going on."""
        answer = await self.log_in(HOME, self.device)
        assert answer.status_code == 200, answer.text
        self.device, self.owner_s = answer.headers[DEVICE], self.owner_s + 1

    async def guess(self, bot: int, device: str = "") -> None:
        """One of the bots tries a password that nobody tried before."""
        self.guesses += 1
        answer = await self.log_in(f"198.18.{bot // 250}.{bot % 250}", device, f"guess {self.guesses}")
        self.refused[answer.status_code] += 1

    async def storm(self, bots: int, device: str = "") -> None:
        """Every bot tries once, many at a time, while Ann logs in now and then; a second passes for each."""
        for first in range(0, bots, AT_ONCE):
            await asyncio.gather(
                *(self.guess(bot, device) for bot in range(first, min(first + AT_ONCE, bots))),
                *([self.owner_logs_in()] if not device else []),
            )
            self.world.clock.advance(seconds=AT_ONCE)

    @property
    def reached(self) -> int:
        """How many guesses the hasher was asked about."""
        return self.world.hasher.verified - self.owner_s


@pytest.fixture
async def siege(installation: Stencil) -> AsyncIterator[Siege]:
    """Ann has logged in once at home; all requests come through a proxy that says from where."""
    settings = installation.settings.model_copy(update={"trusted_proxies": (ip_network("203.0.113.9/32"),)})
    async with open_world(settings, installation.document) as world:
        await world.person()
        transport = httpx.ASGITransport(app=world.app, client=("203.0.113.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
            found = Siege(world, http)
            await found.owner_logs_in()
            yield found


async def test_the_victim_s_device_notices_nothing_and_the_botnet_gets_its_bound(siege: Siege) -> None:
    await siege.storm(BOTS)
    assert siege.reached == STRANGERS
    assert siege.refused == {403: STRANGERS, 429: BOTS - STRANGERS}
    assert siege.owner_s == 1 + BOTS // AT_ONCE
    assert (await siege.log_in(HOTEL)).status_code == 429, "an unknown device of hers is a stranger"
    for day in range(30):
        for bot in range(5):
            await siege.guess(BOTS + 5 * day + bot)
            siege.world.clock.advance(hours=4.8)
        await siege.owner_logs_in()
    hours = 30 * 24 + BOTS / 3600
    assert siege.reached <= STRANGERS + hours / HOURS_FOR_ONE
    assert siege.reached > STRANGERS + 30, "what comes back is used"


async def test_a_stolen_device_has_ten_tries_wherever_it_is_taken(siege: Siege) -> None:
    other = (await siege.log_in(HOME)).headers[DEVICE]
    siege.owner_s += 1
    await siege.storm(BOTS // 4, siege.device)
    assert siege.reached == 10
    assert (await siege.log_in(HOME, siege.device)).status_code == 429, "they share what was stolen"
    assert (await siege.log_in(HOME, other)).status_code == 200, "another device of hers"
    assert (await siege.log_in(HOTEL)).status_code == 200, "nor are strangers any worse off"


async def test_where_locks_are_auth0_s_every_address_has_tries_of_its_own(siege: Siege) -> None:
    await siege.world.db.write(tenant.set_to, LOCK, {"lock_scope": "auth0"})
    await siege.storm(300)
    assert siege.reached == 300
    assert siege.refused == {403: 300}


async def test_where_locks_are_auth0_s_and_of_the_account_anybody_locks_anybody_out(siege: Siege) -> None:
    await siege.world.db.write(tenant.set_to, BRUTE_FORCE, {"mode": "count_per_identifier"})
    for bot in range(15):
        await siege.guess(bot)
    assert siege.reached == 10
    await siege.owner_logs_in()
    await siege.world.db.write(tenant.set_to, LOCK, {"lock_scope": "auth0"})
    for bot in range(15):
        await siege.guess(bot)
    assert siege.reached == 20
    assert (await siege.log_in(HOME, siege.device)).status_code == 429


async def test_an_unknown_device_gets_in_after_the_link_and_stays_in(siege: Siege) -> None:
    """The link opens the lock, and makes the browser known: the botnet goes on, and Ann never notices again."""
    await siege.storm(300)
    laptop = Visitor.of(siege.world)
    laptop.client.headers["x-forwarded-for"] = HOTEL
    assert (await laptop.log_in(await laptop.authorize())).response.status_code == 429
    page = await laptop.open(await siege.world.link(page="/u/unblock"))
    assert (await laptop.log_in(await laptop.authorize())).response.status_code == 429, "to look opens nothing"
    assert (await laptop.send(page.form("/u/unblock"))).response.status_code == 200
    await siege.storm(300)
    assert siege.reached == 2 * STRANGERS, "once more for each time that the lock is opened"
    assert "code" in (await laptop.log_in(await laptop.authorize())).answer
    await siege.owner_logs_in()
