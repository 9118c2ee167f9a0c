"""How often anybody may ask: an address, a client, a person; and never what somebody else did in their name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from account import MyAccount
from conftest import Stencil
from envelopes import dialect_of
from keystead.db import tables
from keystead.rules.buckets import Bucket
from keystead.rules.request_limits import LIMITS, Group, address_bucket, proved_bucket
from visitor import Visitor
from world import World, open_world

HERE, THERE = "203.0.113.9", "198.51.100.7"
NOW = 1780315200
"""What the clock of a world says at first, in seconds since 1970."""

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

ROUTES: list[tuple[Group, str, str, str]] = [
    ("authentication", "POST", "/oauth/token", "oauth"),
    ("authentication", "POST", "/oauth/revoke", "oauth"),
    ("authentication", "POST", "/passkey/challenge", "oauth"),
    ("authentication", "POST", "/dbconnections/signup", "dbconnections"),
    ("authentication", "GET", "/authorize", "page"),
    ("authentication", "GET", "/v2/logout", "page"),
    ("authentication", "GET", "/", "page"),
    ("userinfo", "GET", "/userinfo", "oauth"),
    ("my_account", "GET", "/me/v1/authentication-methods", "my account"),
    ("management", "GET", "/api/v2/users", "management"),
    ("pages", "GET", "/u/login", "page"),
    ("pages", "POST", "/u/login/passkey/options", "oauth"),
]
EXEMPT = [
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/static/home/home.css",
    "/avatars/an.svg",
    "/favicon.ico",
    "/healthz",
    "/openapi.json",
    "/dev/outbox",
]


@dataclass(frozen=True)
class Told:
    """What an answer says of the limits, read as SDKs read it."""

    limit: int
    left: int
    reset: int


def told(answer: httpx.Response) -> Told:
    """Read the headers: three plain integers."""
    return Told(*(int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset")))


async def spend(world: World, bucket: Bucket | None, *, leave: int = 0) -> None:
    """Use up what is left in a bucket but for some requests, as so many requests would."""
    assert bucket is not None
    attempts, size = world.app.state.flows.request_limits.attempts, (bucket.key, bucket.capacity, bucket.refill)
    assert (await attempts.take(*size, (await attempts.take(*size, 0)).left - leave)).allowed


async def entries(world: World) -> list[dict[str, Any]]:
    """Return what the journal says of limits of requests."""
    return [row for row in await world.rows(tables.JournalRow) if row["type"] == "api_limit"]


@asynccontextmanager
async def limited(installation: Stencil, factor: int) -> AsyncIterator[World]:
    """A world whose limits are so many times as large."""
    settings = installation.settings.model_copy(update={"request_limits": factor})
    async with open_world(settings, installation.document) as world:
        yield world


# --- what is counted, and what answers say of it ---------------------------------------------------------------------


@pytest.mark.parametrize(("group", "method", "path", "dialect"), ROUTES)
async def test_every_group_has_its_limit_and_every_route_its_own_words(
    world: World, group: Group, method: str, path: str, dialect: str
) -> None:
    burst = LIMITS[group].address.burst
    assert told(await world.client.request(method, path)) == Told(burst, burst - 1, NOW + 1)
    await spend(world, address_bucket(group, HERE, 1), leave=1)
    assert told(await world.client.request(method, path)).left == 0
    refused = await world.client.request(method, path)
    assert refused.status_code == 429
    assert told(refused) == Told(burst, 0, NOW + 1)
    assert refused.headers["retry-after"] == "1"
    assert dialect_of(refused) == dialect
    for other in set(LIMITS) - {group}:
        same = next(route for route in ROUTES if route[0] == other)
        assert (await world.client.request(same[1], same[2])).status_code != 429, "each group is counted for itself"


async def test_the_words_of_auth0(world: World) -> None:
    await spend(world, address_bucket("authentication", HERE, 1))
    text = "Global limit has been reached"
    assert (await world.login()).json() == {"error": "too_many_requests", "error_description": text}
    await spend(world, address_bucket("management", HERE, 1))
    refused = (await world.client.get("/api/v2/users")).json()
    assert refused == {
        "statusCode": 429,
        "error": "Too Many Requests",
        "message": text,
        "errorCode": "too_many_requests",
    }
    signup = (await world.client.post("/dbconnections/signup", json={})).json()
    assert (signup["code"], signup["description"]) == ("too_many_requests", text)
    await spend(world, address_bucket("my_account", HERE, 1))
    problem = (await world.client.get("/me/v1/factors")).json()
    assert (problem["type"], problem["status"]) == ("urn:keystead:error:too-many-requests", 429)


async def test_a_burst_and_what_comes_back(world: World) -> None:
    """Five hundred pages at once, and then some eight a second."""
    for left in range(499, -1, -1):
        answer = await world.client.get("/u/login")
        assert (answer.status_code, told(answer).left) == (400, left)
    assert told(answer).reset == NOW + 60, "when the bucket is full again"
    for seconds in (1, 3, 0.5):
        refused = await world.client.get("/u/login")
        assert refused.status_code == 429
        world.clock.advance(seconds=seconds)
        allowed = 0
        while (await world.client.get("/u/login")).status_code != 429:
            allowed += 1
        assert abs(allowed - 500 / 60 * seconds) <= 1
    world.clock.advance(minutes=1)
    assert told(await world.client.get("/u/login")).left == 499


async def test_to_hammer_costs_nothing_and_to_wait_as_told_is_enough(world: World) -> None:
    await spend(world, address_bucket("my_account", HERE, 1))
    for _ in range(30):
        refused = await world.client.get("/me/v1/factors")
        assert refused.status_code == 429
    world.clock.advance(seconds=int(refused.headers["retry-after"]))
    assert world.clock.now.timestamp() >= told(refused).reset
    assert (await world.client.get("/me/v1/factors")).status_code == 401


@pytest.mark.parametrize("path", EXEMPT)
async def test_what_is_the_same_for_everybody_has_none(world: World, path: str) -> None:
    for group in LIMITS:
        await spend(world, address_bucket(group, HERE, 1))
    answer = await world.client.get(path)
    assert answer.status_code == 200
    assert "x-ratelimit-limit" not in answer.headers


async def test_other_sites_pages_may_read_them(world: World) -> None:
    await world.new_client(app_type="spa", web_origins=["https://shop.example"])
    answer = await world.client.post("/oauth/token", headers={"origin": "https://shop.example"})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"} <= set(exposed)


async def test_a_preflight_is_not_counted(world: World) -> None:
    asking = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    for _ in range(3):
        await world.client.options("/oauth/token", headers=asking)
    assert told(await world.client.post("/oauth/token")).left == 2999


async def test_an_attempt_that_was_refused_says_when_to_come_back_and_no_more(world: World) -> None:
    """``auth0-python`` reads the time as an integer. The size of a lock would tell which one it was."""
    await world.person()
    for number in range(10):
        assert (await world.login(password=f"wrong {number}")).status_code == 403
    refused = await world.login()
    assert (refused.status_code, refused.json()["error"]) == (429, "too_many_attempts")
    assert int(refused.headers["x-ratelimit-reset"]) == NOW + int(refused.headers["retry-after"])
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert "x-ratelimit-limit" not in refused.headers


@pytest.mark.parametrize("page", ["/u/change-password", "/u/login/password"])
async def test_a_page_that_refuses_an_attempt_says_when_too(world: World, page: str) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await (visitor.open(page) if page == "/u/change-password" else visitor.authorize())
    if page != "/u/change-password":
        landed = await visitor.send(landed.form(), username="ann@example.com")
    for number in range(21):
        fields = {"username": "ann@example.com", "password": f"wrong {number}"}
        names = landed.form().fields.keys() & fields.keys()
        answer = (await visitor.send(landed.form(), **{name: fields[name] for name in names})).response
    assert answer.status_code == 429
    assert int(answer.headers["x-ratelimit-reset"]) == NOW + int(answer.headers["retry-after"])


# --- whose bucket it is ----------------------------------------------------------------------------------------------


async def test_an_address_uses_up_its_own(world: World) -> None:
    await world.person()
    await spend(world, address_bucket("authentication", THERE, 1))
    stranger = world.at(THERE).client
    assert (await stranger.post("/oauth/token")).status_code == 429
    assert (await world.login()).status_code == 200


async def test_an_address_that_was_made_up_is_not_believed(world: World) -> None:
    await spend(world, address_bucket("authentication", HERE, 1))
    headers = {"x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.1", "auth0-forwarded-for": "192.0.2.1"}
    assert (await world.client.post("/oauth/token", headers=headers)).status_code == 429


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", THERE, True),
        ("", "no-address", True),
        (HERE, THERE, False),
    ],
)
async def test_which_addresses_are_one(world: World, one: str, other: str, same: bool) -> None:
    """A /64 is one person's; and whatever has no address shares one bucket."""
    for address, left in ((one, 2999), (other, 2998 if same else 2999)):
        client = world.at(address).client
        assert told(await client.post("/oauth/token")).left == left


async def test_a_client_is_charged_once_it_has_proved_itself(world: World) -> None:
    """Wherever it asks from. And nobody who only names it, or guesses at its secret, takes anything from it."""
    client = world.first["clients"]["management"]
    asked = {"grant_type": "client_credentials", "audience": world.first["management_audience"], **client}
    bucket = proved_bucket("authentication", client["client_id"], 1)
    another = await world.new_client(app_type="non_interactive", grant_types=["client_credentials"])
    await spend(world, bucket, leave=2)
    for shown in ({}, {"client_secret": "wrong"}, {"client_secret": ""}):
        body = {name: value for name, value in asked.items() if name != "client_secret"} | shown
        assert (await world.client.post("/oauth/token", json=body)).status_code == 401
    first = await world.client.post("/oauth/token", json=asked)
    assert (first.status_code, told(first)) == (200, Told(6000, 1, NOW + 60)), "the tightest is shown"
    elsewhere = world.at(THERE).client
    assert (await elsewhere.post("/oauth/token", json=asked)).status_code == 200
    refused = await elsewhere.post("/oauth/token", json=asked)
    assert (refused.status_code, refused.json()["error"]) == (429, "too_many_requests")
    assert told(refused) == Told(6000, 0, NOW + 1)
    answer = await world.token("client_credentials", auth=(another["client_id"], another["client_secret"]))
    assert answer.status_code != 429, "another client at the same address"


async def test_a_public_client_has_no_limit_of_its_own(world: World) -> None:
    """Anybody can name it."""
    await world.person()
    await spend(world, proved_bucket("authentication", world.client_id, 1))
    assert (await world.login()).status_code == 200


async def test_the_management_api_counts_the_client_of_a_good_token(world: World) -> None:
    client_id = world.first["clients"]["management"]["client_id"]
    token = await world.management_token()
    await spend(world, proved_bucket("management", f"{client_id}@clients", 1), leave=2)
    for wrong in ("", "broken", token[:-4] + "AAAA"):
        answer = await world.client.get("/api/v2/clients", headers={"authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401
    assert [told(await world.manage("GET", "/clients")).left for _ in range(2)] == [1, 0]
    refused = await world.manage("GET", "/clients")
    assert (refused.status_code, refused.json()["errorCode"]) == (429, "too_many_requests")


async def test_people_are_charged_for_themselves(world: World) -> None:
    """Ann's flood leaves Ben alone, though both have tokens of the same public client."""
    people = {}
    for email in ("ann@example.com", "ben@example.com"):
        people[email] = (await world.person(email), (await world.tokens(email))["access_token"])
    (ann, hers), (_, his) = people.values()
    for left in range(119, -1, -1):
        assert told(await world.userinfo(hers)) == Told(120, left, NOW + (120 - left + 1) // 2)
    refused = await world.userinfo(hers)
    assert (refused.status_code, told(refused)) == (429, Told(120, 0, NOW + 1))
    assert (await world.userinfo(his)).status_code == 200
    account = [await MyAccount.of(world, username=email) for email in people]
    await spend(world, proved_bucket("my_account", ann, 1), leave=1)
    assert [(await account[0].call("GET", "")).status_code for _ in range(2)] == [200, 429]
    assert (await account[1].call("GET", "")).status_code == 200


async def test_a_page_of_a_login(world: World) -> None:
    """Sixty of one page of one login; another login, another page, and to send it, have buckets of their own."""
    landed = await Visitor.of(world).authorize()
    page = str(landed.response.url).removeprefix(world.settings.public_url)
    left = told(landed.response)
    assert left.limit == 60
    for expected in range(left.left - 1, -1, -1):
        assert told(await world.client.get(page)).left == expected
    refused = await world.client.get(page)
    assert (refused.status_code, told(refused)) == (429, Told(60, 0, NOW + 2))
    assert "Wait a minute" in refused.text
    assert (await world.client.get(f"{page}x")).status_code != 429
    assert (await world.client.post(page)).status_code != 429
    elsewhere = world.at(THERE).client
    assert (await elsewhere.get(page)).status_code != 429, "a login cannot be used up from another address"


async def test_whoever_mistypes_is_told_about_the_lock(world: World) -> None:
    """And not that this is too much: the page of the lock is what helps."""
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form(), username="ann@example.com")
    for number in range(25):
        answer = (await visitor.send(landed.form(), password=f"wrong {number}")).response
        assert "Too much was asked" not in answer.text
    assert answer.status_code == 429
    assert "x-ratelimit-limit" not in answer.headers


async def test_a_state_may_be_anything(world: World) -> None:
    for state in ("%00", "%ff%fe", "x" * 3000, "%F0%9F%98%80", "a&state=b", ""):
        assert (await world.client.get(f"/u/login?state={state}")).status_code == 400


# --- the journal, and the setting ------------------------------------------------------------------------------------


async def test_the_journal_has_it_once_a_minute(world: World) -> None:
    await spend(world, address_bucket("pages", HERE, 1))
    for _ in range(20):
        assert (await world.client.get("/u/login?state=secret-of-somebody")).status_code == 429
    (entry,) = await entries(world)
    assert (entry["ip"], entry["client_id"]) == (HERE, None)
    assert entry["details"]["bucket"] == f"request/pages/address/{HERE}"
    assert entry["details"]["capacity"] == 500
    await spend(world, address_bucket("pages", THERE, 1))
    elsewhere = world.at(THERE).client
    await elsewhere.get("/u/login")
    assert len(await entries(world)) == 2, "each bucket is told of for itself"
    world.clock.advance(seconds=59)
    await spend(world, address_bucket("pages", HERE, 1))
    await world.client.get("/u/login")
    assert len(await entries(world)) == 2
    world.clock.advance(seconds=1)
    await spend(world, address_bucket("pages", HERE, 1))
    await world.client.get("/u/login")
    assert len(await entries(world)) == 3


async def test_the_journal_names_a_client_that_proved_itself(world: World) -> None:
    client_id = world.first["clients"]["management"]["client_id"]
    await world.management_token()
    await spend(world, proved_bucket("management", f"{client_id}@clients", 1))
    assert (await world.manage("GET", "/clients")).status_code == 429
    (entry,) = await entries(world)
    assert entry["client_id"] == client_id


async def test_off(installation: Stencil) -> None:
    async with limited(installation, 0) as world:
        await world.person()
        for _ in range(200):
            answer = await world.client.get("/u/login?state=x")
        assert answer.status_code == 400
        assert "x-ratelimit-limit" not in answer.headers
        for number in range(10):
            await world.login(password=f"wrong {number}")
        refused = await world.login()
        assert refused.status_code == 429, "the limits of attempts are others"
        assert int(refused.headers["x-ratelimit-reset"]) == NOW + int(refused.headers["retry-after"])


async def test_ten_times_as_large(installation: Stencil) -> None:
    async with limited(installation, 10) as world:
        assert told(await world.client.get("/u/login")) == Told(5000, 4999, NOW + 1)
        for _ in range(601):
            answer = await world.client.get("/u/login?state=x")
        assert (answer.status_code, told(answer)) == (429, Told(600, 0, NOW + 1))
