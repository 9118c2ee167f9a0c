"""Of any number of guesses at once, through every door that takes a password, no more than the limit are hashed."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from conftest import Stencil
from guarding import BRUTE_FORCE, LOCK, guard
from keystead.db.session import Database
from keystead.db.tables import Attempt, JournalRow
from program import serving
from refilled import database_of, execute
from visitor import CHALLENGE
from world import PASSWORD, REALM_GRANT, World, open_world

GUESSES, LIMIT = 200, 5
ANN = "ann@example.com"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of a server that is about to be started for the first time."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'keystead.db'}"
        return
    admin: str = request.getfixturevalue("postgres_url")
    name = f"guesses_{abs(hash(str(tmp_path))):x}"
    execute(admin, f'CREATE DATABASE "{name}"')
    yield database_of(admin, name)
    execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sql", "redis"])
def counting(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where attempts are counted, as the settings of a server."""
    return {} if request.param == "sql" else {"REDIS_URL": request.getfixturevalue("redis_url")}


@dataclass(frozen=True)
class Doors:
    """Every door that takes a password, and what it takes to knock at it."""

    http: httpx.AsyncClient
    client_id: str
    realm: str
    state: str
    link: str

    def each(self) -> list[Callable[..., Coroutine[Any, Any, httpx.Response]]]:
        """Return the doors."""
        return [self.grant, self.realm_grant, self.login_page, self.verification_page]

    async def grant(self, password: str, **more: Any) -> httpx.Response:
        """Ask for tokens."""
        body = {"grant_type": "password", "client_id": self.client_id, "username": ANN, "password": password}
        return await self.http.post("/oauth/token", json=body, **more)

    async def realm_grant(self, password: str, **more: Any) -> httpx.Response:
        """The same, in a realm."""
        body = {"grant_type": REALM_GRANT, "client_id": self.client_id, "realm": self.realm, "username": ANN}
        return await self.http.post("/oauth/token", json=body | {"password": password}, **more)

    async def login_page(self, password: str, **more: Any) -> httpx.Response:
        """Send the form of the login page."""
        return await self.http.post(f"/u/login/password?state={self.state}", data={"password": password}, **more)

    async def verification_page(self, password: str, **more: Any) -> httpx.Response:
        """Confirm a link that verifies, in another browser than the one that asked for it."""
        return await self.http.post(self.link, data={"password": password}, **more)


async def open_doors(http: httpx.AsyncClient, client_id: str, realm: str, link: Callable[[], Any]) -> Doors:
    """Sign Ann up, and go as far as a password on every way."""
    signup = {"client_id": client_id, "connection": realm, "email": ANN, "password": PASSWORD}
    assert (await http.post("/dbconnections/signup", json=signup)).status_code == 200
    asked = {"client_id": client_id, "redirect_uri": f"{str(http.base_url).rstrip('/')}/", "response_type": "code"}
    challenge = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    landed = await http.get("/authorize", params=asked | challenge, follow_redirects=True)
    state = landed.url.params["state"]
    await http.post(f"/u/login/identifier?state={state}", data={"username": ANN})
    return Doors(http, client_id, realm, state, await link())


async def knock(
    doors: Doors, numbers: range = range(GUESSES), headers: Callable[[int], dict[str, str]] = lambda number: {}
) -> Counter[bool]:
    """Guess with a new password each time, through all doors in turn; return how many were told that it was wrong."""
    every = doors.each()
    guesses = [every[number % len(every)](f"wrong {number}", headers=headers(number)) for number in numbers]
    answers = await asyncio.gather(*guesses)
    assert {answer.status_code for answer in answers} <= {400, 403, 429}, {each.text for each in answers}
    return Counter(answer.status_code != 429 for answer in answers)


# --- two processes -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def two_workers(
    tmp_path: Path, database_url: str, settings: dict[str, str], **guards: dict[str, Any]
) -> AsyncIterator[tuple[Doors, Database]]:
    """Start a server with two workers, and open its doors."""
    data_dir = tmp_path / "data"
    url: dict[str, Any] = {} if database_url.startswith("sqlite") else {"DATABASE_URL": database_url}
    with serving(data_dir, "--workers", "2", **(url | settings)) as server:
        first = json.loads((data_dir / "first-run.json").read_text())
        db = Database(database_url, pool=2)
        for name, members in guards.items():
            await guard(db, name, **members)
        # No connection is used twice, so that the workers share the requests between them.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=120) as http:

            async def link() -> str:
                for _ in range(600):
                    outbox = (await http.get("/dev/outbox")).text
                    if found := re.search(r"/u/email-verification\?ticket=[\w-]+", outbox):
                        return found[0]
                    await asyncio.sleep(0.1)  # until the worker has delivered it
                raise AssertionError(outbox)

            connection = first["connection"]["name"]
            yield await open_doors(http, first["clients"]["default"]["client_id"], connection, link), db
        db.close()


async def journal(db: Database) -> Counter[str]:
    """Return how many entries of each type there are."""
    return Counter(
        await db.read(lambda session: session.connection().execute(select(col(JournalRow.type))).scalars().all())
    )


@pytest.mark.timeout(300)
async def test_200_guesses_from_one_address_at_two_workers(
    tmp_path: Path, database_url: str, counting: dict[str, str]
) -> None:
    five = {BRUTE_FORCE: {"max_attempts": LIMIT}}
    async with two_workers(tmp_path, database_url, counting, **five) as (doors, db):
        assert await knock(doors) == {True: LIMIT, False: GUESSES - LIMIT}
        written = await journal(db)
        assert (written["fp"], written["fu"]) == (LIMIT, 0), "what was hashed"
        assert written["limit_wc"] + written["limit_sul"] == GUESSES - LIMIT
        assert (await doors.grant(PASSWORD)).status_code == 429
        counted = await db.read(lambda session: session.connection().execute(select(col(Attempt.key))).first())
        assert (counted is None) == bool(counting), "and they were counted where the settings say"


@pytest.mark.timeout(300)
async def test_200_guesses_from_200_addresses_at_two_workers(
    tmp_path: Path, database_url: str, counting: dict[str, str]
) -> None:
    """None of them meets a limit of its own: it is the one that all strangers share."""
    five, proxy = {LOCK: {"max_attempts_by_strangers": LIMIT}}, {"TRUSTED_PROXIES": "127.0.0.1,::1"}
    async with two_workers(tmp_path, database_url, counting | proxy, **five) as (doors, db):
        hit = await knock(doors, headers=lambda number: {"x-forwarded-for": f"198.51.100.{number}"})
        assert hit == {True: LIMIT, False: GUESSES - LIMIT}
        written = await journal(db)
        assert (written["fp"], written["fu"], written["limit_wc"]) == (LIMIT, 0, GUESSES - LIMIT)


# --- two programs in one process, whose hashes can be counted ---------------------------------------------------------


async def test_incident_34_200_guesses_at_two_programs_reach_the_hasher_five_times(installation: Stencil) -> None:
    """better-auth #9993: concurrent requests slipped past the limit."""
    async with (
        open_world(installation.settings, installation.document) as one,
        open_world(installation.settings, installation.document, seed="two") as two,
    ):
        await guard(one.db, BRUTE_FORCE, max_attempts=LIMIT)
        here = await _doors_of(one)
        there = Doors(two.client, here.client_id, here.realm, here.state, here.link)
        two.client.cookies = one.client.cookies
        before = one.hasher.verified + two.hasher.verified
        half = GUESSES // 2
        told = await asyncio.gather(knock(here, range(half)), knock(there, range(half, GUESSES)))
        assert sum(each[True] for each in told) == LIMIT
        assert one.hasher.verified + two.hasher.verified - before == LIMIT


async def _doors_of(world: World) -> Doors:
    async def link() -> str:
        return (await world.link(page="/u/email-verification")).rstrip("#")

    return await open_doors(world.client, world.client_id, world.connection, link)
