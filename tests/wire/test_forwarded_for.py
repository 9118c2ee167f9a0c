"""Whose address it is when a backend asks for somebody, and what becomes of addresses that are none (LG-4)."""

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from authenticator import Authenticator
from conftest import Stencil
from keystead.db import tables, tenant
from keystead.rules.attack_protection import BRUTE_FORCE
from signer import signer
from world import PASSKEY_GRANT, PASSWORD, PUBLIC_URL, World, basic, open_world

HEADER = "auth0-forwarded-for"
BACKEND = "203.0.113.9"
"""Where the requests of these tests come from."""

PERSON = "198.51.100.7"
GRANTS = ["password", PASSKEY_GRANT, "refresh_token"]


async def backend(world: World, *, trusted: bool = True) -> tuple[str, str]:
    """Make a client with a secret that may name its people's addresses; return what it shows."""
    client = await world.new_client(
        app_type="regular_web", is_token_endpoint_ip_header_trusted=trusted, grant_types=GRANTS
    )
    return client["client_id"], client["client_secret"]


async def ask(
    world: World, auth: tuple[str, str], *named: str, password: str | None = None, **body: Any
) -> httpx.Response:
    """Try a password as a backend, for whoever is at the named address."""
    headers = [("authorization", basic(*auth))] + [(HEADER, each) for each in named]
    asked = {"grant_type": "password", "username": "ann@example.com", "password": password or world.wrong_password()}
    return await world.client.post("/oauth/token", json=asked | body, headers=headers)


async def address(world: World) -> str:
    """Return the address in the newest entry of the journal."""
    return str((await world.last_entry())["ip"])


async def lock_keys(world: World) -> list[str]:
    """Return the buckets that say an address."""
    keys = [str(row["key"]) for row in await world.rows(tables.Attempt)]
    return [key for key in keys if key.startswith(("lock/", "rate/", "address/")) and not key.endswith("/strangers")]


async def test_the_named_address_is_the_only_one_that_counts(world: World) -> None:
    user_id, auth = await world.person(), await backend(world)
    await world.db.write(_forget_attempts)
    for _ in range(10):
        assert (await ask(world, auth, PERSON)).status_code == 403
    assert await address(world) == PERSON
    keys = await lock_keys(world)
    assert keys
    assert all(PERSON in key and BACKEND not in key for key in keys), keys
    assert (await ask(world, auth, PERSON, password=PASSWORD)).status_code == 429
    assert (await ask(world, auth, "198.51.100.8", password=PASSWORD)).status_code == 200
    assert (await world.manage("GET", f"/users/{user_id}")).json()["last_ip"] == "198.51.100.8"
    assert (await ask(world, auth, password=PASSWORD)).status_code == 200, "the backend's own"


async def test_the_allow_list_is_asked_about_it(world: World) -> None:
    await world.person()
    auth = await backend(world)
    await world.db.write(tenant.set_to, BRUTE_FORCE, {"allowlist": [f"{BACKEND}/32"]})
    for _ in range(10):
        await ask(world, auth, PERSON)
    assert (await ask(world, auth, PERSON, password=PASSWORD)).status_code == 429, "the backend alone is let off"
    await world.db.write(tenant.set_to, BRUTE_FORCE, {"allowlist": ["198.51.100.0/24"]})
    assert (await ask(world, auth, PERSON, password=PASSWORD)).status_code == 200


async def test_a_refresh_token_knows_it(world: World) -> None:
    await world.person()
    auth = await backend(world)
    tokens = (await ask(world, auth, PERSON, password=PASSWORD, scope="openid offline_access")).json()
    await ask(world, auth, PERSON, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert {row["ip"] for row in await world.rows(tables.RefreshToken)} == {PERSON}


async def test_a_client_that_signs_may_name_it_too(world: World) -> None:
    await world.person()
    shop = await signer(world, "ES256", grant_types=GRANTS, is_token_endpoint_ip_header_trusted=True)
    body = {"grant_type": "password", "username": "ann@example.com", "password": "wrong"}
    proof = {
        "client_id": shop.client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": shop.assertion(),
    }
    answer = await world.client.post("/oauth/token", json=body | proof, headers={HEADER: PERSON})
    assert answer.status_code == 403, answer.text
    assert await address(world) == PERSON


async def test_a_client_without_leave_may_not(world: World) -> None:
    await world.person()
    await ask(world, await backend(world, trusted=False), PERSON)
    assert await address(world) == BACKEND


async def test_a_public_client_may_not_whatever_its_settings_say(world: World) -> None:
    """It is whoever says so: anybody could have an address for each guess."""
    await world.person()
    await world.patch_client(world.client_id, is_token_endpoint_ip_header_trusted=True)
    for number in range(10):
        body = {"grant_type": "password", "client_id": world.client_id, "username": "ann@example.com"}
        sent = body | {"password": world.wrong_password()}
        await world.client.post("/oauth/token", json=sent, headers={HEADER: f"198.51.100.{number}"})
        assert await address(world) == BACKEND
    assert (await world.login()).status_code == 429


async def test_guesses_at_the_client_s_secret_count_where_they_come_from(world: World) -> None:
    client_id, _ = await backend(world)
    last = [(await ask(world, (client_id, "wrong"), f"198.51.100.{number}")).status_code for number in range(11)]
    assert last == [401] * 10 + [429]
    assert [key for key in await _keys(world) if PERSON[:11] in key] == []


NONE = [
    [""],
    ["unknown"],
    ["198.51.100.7, 198.51.100.8"],
    ["198.51.100.7 198.51.100.8"],
    ["198.51.100.7,"],
    ["198.51.100.7", "198.51.100.7"],
    ["198.51.100.7:443"],
    ["[2001:db8::7]"],
    ["198.51.100.7/32"],
    ["198.51.100.007"],
    ["fe80::1%" + "x" * 9000],
    ["fe80::1%' OR 1=1 --"],
    ["1" * 9000],
    ["for=198.51.100.7"],
]


async def test_what_is_not_one_address_is_not_heeded(world: World) -> None:
    await world.person()
    auth = await backend(world)
    for number, named in enumerate(NONE):
        answer = await ask(world, auth, *named, username=f"{number}@example.com")
        assert answer.status_code == 403, named
        assert await address(world) == BACKEND, named


async def test_it_has_one_spelling(world: World) -> None:
    await world.person()
    auth = await backend(world)
    spellings = {
        " 198.51.100.7 ": PERSON,
        "::ffff:198.51.100.7": PERSON,
        "::ffff:c633:6407": PERSON,
        "2001:DB8::0:7": "2001:db8::7",
    }
    for spelling, expected in spellings.items():
        await ask(world, auth, spelling)
        assert await address(world) == expected, spelling


async def test_passkey_ceremonies_know_it(world: World) -> None:
    auth = await backend(world)
    ann, headers = Authenticator(), {"authorization": basic(*auth), HEADER: PERSON}
    body = {"user_profile": {"email": "ann@example.com"}}
    begun = (await world.client.post("/passkey/register", json=body, headers=headers)).json()
    assert await address(world) == PERSON
    answer = ann.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    asked = {"grant_type": PASSKEY_GRANT, "auth_session": begun["auth_session"], "authn_response": answer}
    made = await world.client.post("/oauth/token", json=asked, headers=headers)
    assert made.status_code == 200, made.text
    assert await address(world) == PERSON
    await world.client.post("/passkey/challenge", json={}, headers=headers)
    assert await address(world) == PERSON


# --- X-Forwarded-For -------------------------------------------------------------------------------------------------


@pytest.fixture
async def behind_proxy(installation: Stencil) -> AsyncIterator[World]:
    """A world whose requests come through one trusted proxy."""
    settings = installation.settings.model_copy(update={"trusted_proxies": (ip_network(f"{BACKEND}/32"),)})
    async with open_world(settings, installation.document) as world:
        yield world


ODD = [
    "fe80::1%" + "x" * 9000,
    "fe80::1%' OR 1=1 --",
    "fe80::1%eth0%eth1",
    "[::1",
    "[]",
    "[198.51.100.7]]:80:80",
    "::ffff:999.1.1.1",
    "0x7f000001",
    "2130706433",
    ",,,,",
    ", " * 3000,
    "198.51.100.7;198.51.100.8",
    'for="[2001:db8::7]"',
    "\xff\xfe",
    "١٩٨.51.100.7",
]


async def test_garbage_from_a_proxy_is_never_a_defect_nor_a_way_round(behind_proxy: World) -> None:
    """Each of these is charged to somebody: the eleventh guess is refused, whatever it claims (rows 31 and 33)."""
    world = behind_proxy
    await world.person()
    statuses = []
    for number in range(2 * len(ODD)):
        body = {"grant_type": "password", "client_id": world.client_id, "username": "ann@example.com"}
        headers = [(b"x-forwarded-for", ODD[number % len(ODD)].encode())]
        sent = body | {"password": world.wrong_password()}
        statuses.append((await world.client.post("/oauth/token", json=sent, headers=headers)).status_code)
    assert set(statuses) == {403, 429}
    assert statuses[-1] == 429
    assert {len(row["ip"]) <= 45 for row in await world.rows(tables.JournalRow)} == {True}


async def test_a_proxy_in_front_and_a_client_that_is_trusted(behind_proxy: World) -> None:
    """The hop says where the backend is; the backend says where the person is."""
    world = behind_proxy
    await world.person()
    auth = await backend(world)
    headers = {"authorization": basic(*auth), HEADER: PERSON, "x-forwarded-for": "192.0.2.1"}
    body = {"grant_type": "password", "username": "ann@example.com", "password": "wrong"}
    await world.client.post("/oauth/token", json=body, headers=headers)
    assert await address(world) == PERSON
    del headers[HEADER]
    await world.client.post("/oauth/token", json=body, headers=headers)
    assert await address(world) == "192.0.2.1"


MET = {"rate", "lock", "address/login", "address/signup", "reset", "client"}
"""The buckets by address that these requests meet, by how their keys begin."""

LIMITED = (*MET, "code")
"""And all others."""


async def test_without_an_address_every_limit_is_one_shared_bucket(installation: Stencil) -> None:
    """A missing address must not mean a missing limit (row 33)."""
    async with open_world(installation.settings, installation.document) as world:
        await world.person()
        client_id, _ = await backend(world)
        await world.db.write(_forget_attempts)
        for client in (None, ("", 0), ("unix:", 0), ("/run/keystead.sock", 0), ("testclient", 0)):
            transport = httpx.ASGITransport(app=world.app, client=client)  # type: ignore[arg-type]  # as servers may
            async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
                who = {"client_id": world.client_id, "connection": world.connection}
                guess = {"grant_type": "password", "username": "ann@example.com", "password": world.wrong_password()}
                await http.post("/oauth/token", json=who | guess)
                await http.post("/dbconnections/signup", json=who | {"email": "bob@example.com", "password": PASSWORD})
                await http.post("/dbconnections/change_password", json=who | {"email": "ann@example.com"})
                await http.post("/oauth/token", json=guess | {"client_id": client_id, "client_secret": "wrong"})
        keys = [each for each in await _keys(world) if each.startswith(LIMITED) and "/strangers" not in each]
        assert [each for each in keys if "unknown" not in each] == []
        assert {each for each in MET if any(key.startswith(each) for key in keys)} == MET
        spent = {row["key"]: row["spent"] for row in await world.rows(tables.Attempt)}
        assert [spent[key] for key in keys if key.startswith("lock/")] == [5]


async def _keys(world: World) -> list[str]:
    return [str(row["key"]) for row in await world.rows(tables.Attempt)]


def _forget_attempts(session: Any) -> None:
    session.connection().exec_driver_sql("DELETE FROM attempt")
