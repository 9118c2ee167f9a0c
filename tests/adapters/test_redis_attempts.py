"""The Redis side of the ``Attempts`` port, on a real Redis: as in SQL, and what happens when it is lost."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.attempts import AttemptsConformance, Counted
from conftest import Stencil
from keystead.adapters.fallback_attempts import REST, FallbackAttempts
from keystead.adapters.redis_attempts import PLACES, RedisAttempts
from keystead.db.attempts import SqlAttempts
from keystead.db.session import Database
from keystead.errors import DatabaseUnavailable
from keystead.ports import EVERYTHING, Charge, Wanted
from keystead.secrecy import Secret
from program import SECONDS, Server, serving
from redis_server import RedisServer
from world import Clock, World, open_world
from world import test_settings as settings_for

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def counting(url: str, clock: Clock) -> AsyncIterator[RedisAttempts]:
    """Count in Redis, with a client of its own."""
    attempts = RedisAttempts(Secret(url), clock)
    try:
        yield attempts
    finally:
        await attempts.close()


class TestRedisAttempts(AttemptsConformance):
    """Two processes on one Redis."""

    @pytest.fixture
    async def attempts(self, redis_server: RedisServer) -> AsyncIterator[Counted]:
        redis_server.empty()
        clock = Clock()
        async with counting(redis_server.url, clock) as here, counting(redis_server.url, clock) as there:
            yield Counted(here, there, clock)

    async def test_200_of_5(self, attempts: Counted) -> None:
        takers = [attempts.here, attempts.there] * 100
        charges = await asyncio.gather(*(taker.take("lock/ann", 5, 0, lasts=60) for taker in takers))
        assert sum(charge.allowed for charge in charges) == 5

    async def test_patterns_are_no_patterns(self, attempts: Counted) -> None:
        """Keys hold what people typed."""
        for key in ("a*b/1", "a*b/2", "axb/1", "a[x]b/1", "a?b/1", "a\\b/1", "ä/\U0010ffff", "ä/1", "ä0"):
            await attempts.here.take(key, 3, 0)
        assert [each.key for each in await attempts.there.list("a*b/")] == ["a*b/1", "a*b/2"]
        assert [each.key for each in await attempts.there.list("a[x]")] == ["a[x]b/1"]
        assert [each.key for each in await attempts.there.list("a\\")] == ["a\\b/1"]
        assert [each.key for each in await attempts.there.list("ä/")] == ["ä/1", "ä/\U0010ffff"]
        assert len(await attempts.there.list("")) == 9

    async def test_a_list_of_many(self, attempts: Counted) -> None:
        keys = sorted(f"many/{number}" for number in range(2500))
        for start in range(0, len(keys), 100):
            await attempts.here.take_all([Wanted(key, 3) for key in keys[start : start + 100]])
        assert [each.key for each in await attempts.there.list("many/")] == keys

    async def test_who_leaves_takes_nobody_elses_answer(self, attempts: Counted) -> None:
        """A request may be cancelled at any step; the next one on that connection gets its own answer."""
        for steps in range(24):
            leaving = asyncio.create_task(attempts.here.take("leaves", 1000, 0))
            for _ in range(steps):
                await asyncio.sleep(0)
            leaving.cancel()
            assert (await attempts.here.take(f"stays/{steps}", 10 + steps, 0)).left == 9 + steps

    async def test_scripts_may_be_forgotten(self, attempts: Counted, redis_url: str) -> None:
        await attempts.take()
        with redis.Redis.from_url(redis_url) as client:
            client.script_flush()
        assert (await attempts.take()).left == 8

    async def test_no_digit_is_lost(self, attempts: Counted) -> None:
        """A third, and a time with microseconds, come back as they went."""
        attempts.clock.advance(microseconds=123_457)
        for _ in range(3):
            await attempts.here.take("login/ann", 10, 0, 1 / 3, lasts=60)
        (found,) = await attempts.there.list("login/ann")
        assert found.spent == 1 / 3 + 1 / 3 + 1 / 3
        assert found.since == attempts.clock()


async def test_everything_expires(redis_server: RedisServer) -> None:
    """By Redis' own clock, and an hour later than by ours: the lists of names with the last that is in them."""
    redis_server.empty()
    async with counting(redis_server.url, Clock()) as attempts:
        await attempts.take("short/1", 10, 1)
        await attempts.take("lock/1", 10, 0, lasts=86_400)
        await attempts.take("short/2", 10, 1)
        await attempts.take("lock/2", 10, 0, lasts=60)
        await attempts.take("lock/2", 10, 0, -0.5, lasts=60)
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        left = {key.removeprefix("keystead:attempts:"): client.ttl(key) - 3600 for key in client.scan_iter()}
    day = pytest.approx(86_400, abs=60)
    assert left == {
        "names": day,
        "ends": day,
        "bucket:lock/1": day,
        "bucket:lock/2": pytest.approx(60, abs=60),
        "bucket:short/1": pytest.approx(10, abs=60),
        "bucket:short/2": pytest.approx(10, abs=60),
    }


async def test_names_do_not_pile_up(redis_server: RedisServer) -> None:
    """What is empty by our clock leaves the lists as others are charged; what is emptied, at once."""
    redis_server.empty()
    clock = Clock()
    async with counting(redis_server.url, clock) as attempts:
        for number in range(50):
            await attempts.take(f"old/{number}", 1, 1)
        clock.advance(seconds=1)
        for number in range(5):
            await attempts.take(f"new/{number}", 10, 0)
        await attempts.forgive("new/0")
        await attempts.take("new/1", 10, 0, -1)
        with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
            names = client.zrange("keystead:attempts:names", 0, -1)
            assert names == client.zrange("keystead:attempts:ends", 0, -1) == ["new/2", "new/3", "new/4"]
        assert not [key for key in redis_server.held() if "new/0" in key or "new/1" in key]


WANTED = st.builds(
    Wanted,
    st.sampled_from(("a/0", "a/1")),
    st.sampled_from((1.0, 3.0, 10.0)),
    st.sampled_from((0.0, 0.01, 1 / 6)),
    st.sampled_from((1.0, 0.1, 0.0, -0.1, -1.0, 2.0, EVERYTHING)),
    st.sampled_from((None, 60.0)),
    must=st.booleans(),
)
STEPS = st.lists(st.tuples(st.lists(WANTED, max_size=3), st.sampled_from((0.0, 0.5, 7.25, 59.5, 60.0))), max_size=25)


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory, sqlite_stencil: Stencil) -> Iterator[Database]:
    """A database for a module."""
    source = Path(sqlite_stencil.settings.database_url.reveal().removeprefix("sqlite:///"))
    path = tmp_path_factory.mktemp("sql") / "keystead.db"
    path.write_bytes(source.read_bytes())
    db = Database(f"sqlite:///{path}")
    yield db
    db.close()


@given(STEPS)
@settings(max_examples=60)
def test_it_counts_as_sql_does(
    redis_server: RedisServer, sql: Database, steps: list[tuple[list[Wanted], float]]
) -> None:
    """Whatever is asked, in whatever order: the same answers, and the same is left behind."""
    redis_server.empty()

    async def compared() -> None:
        clock = Clock()
        in_sql = SqlAttempts(sql, clock)
        for key in ("a/0", "a/1"):
            await in_sql.forgive(key)
        async with counting(redis_server.url, clock) as in_redis:
            for wanted, passes in steps:
                assert await in_redis.take_all(wanted) == await in_sql.take_all(wanted)
                assert await in_redis.list("a/") == sorted(await in_sql.list("a/"), key=lambda each: each.key)
                clock.advance(seconds=passes)

    asyncio.run(compared())


# --- lost, and back ------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """What was said about the place where attempts are counted."""

    lines: list[str] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)

    def __call__(self, what: str, why: str) -> None:
        self.lines.append(what)
        self.whys.append(why)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test, which may kill it."""
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@dataclass
class Falling:
    """Redis, what it falls back to, and what was said."""

    redis: RedisServer
    attempts: FallbackAttempts
    sql: SqlAttempts
    clock: Clock
    told: Told

    async def take(self) -> Charge:
        """Charge a lock of three."""
        return await self.attempts.take("lock/ann", 3, 0, lasts=86_400)


@pytest.fixture
async def falling(own_redis: RedisServer, installation: Stencil) -> AsyncIterator[Falling]:
    clock, told = Clock(), Told()
    with closing(Database(installation.settings.database_url.reveal())) as db:
        sql = SqlAttempts(db, clock)
        async with counting(own_redis.url, clock) as in_redis:
            yield Falling(own_redis, FallbackAttempts(in_redis, sql, clock, told), sql, clock, told)


async def test_lost_and_back(falling: Falling) -> None:
    assert (await falling.take()).left == 2
    assert await falling.sql.list("") == [], "nothing is counted in SQL while Redis is there"
    falling.redis.kill()
    assert [(await falling.take()).allowed for _ in range(5)] == [True, True, True, False, False]
    assert [each.spent for each in await falling.attempts.list("lock/")] == [3]
    assert falling.told.lines == ["lost"]
    falling.clock.advance(seconds=REST.total_seconds())
    assert not (await falling.take()).allowed, "still away, and still counted"
    assert falling.told.lines == ["lost"], "it is said once"
    falling.redis.start()
    assert not (await falling.take()).allowed, "it is left alone for a while"
    falling.clock.advance(seconds=REST.total_seconds())
    assert (await falling.take()).left == 2, "a Redis that keeps nothing starts anew"
    await falling.take()
    assert falling.told.lines == ["lost", "back"]
    assert [each.spent for each in await falling.attempts.list("lock/")] == [2]


async def test_lost_while_many_try(falling: Falling) -> None:
    """Whatever is counted where: of 200 at once no more than one limit in each place are let in."""
    await falling.take()
    trying = [asyncio.create_task(falling.take()) for _ in range(100)]
    await asyncio.sleep(0)
    falling.redis.kill()
    trying += [asyncio.create_task(falling.take()) for _ in range(100)]
    charges = await asyncio.gather(*trying)
    assert 3 <= sum(charge.allowed for charge in charges) <= 5
    assert falling.told.lines == ["lost"]


async def test_that_many_come_at_once_is_no_loss(falling: Falling) -> None:
    charges = await asyncio.gather(*(falling.take() for _ in range(400)))
    assert sum(charge.allowed for charge in charges) == 3
    assert falling.told.lines == []
    with redis.Redis.from_url(falling.redis.url) as client:
        assert len(client.client_list()) <= PLACES + 1


async def test_what_is_forgiven_and_given_back_while_it_is_away(falling: Falling) -> None:
    falling.redis.kill()
    for _ in range(3):
        await falling.take()
    assert (await falling.attempts.take("lock/ann", 3, 0, -1, lasts=86_400)).left == 1
    await falling.attempts.forgive("lock/ann")
    assert (await falling.take()).left == 2


@pytest.mark.parametrize(
    "command",
    ["CONFIG SET maxmemory 1", "REPLICAOF 127.0.0.1 1", "CONFIG SET requirepass secret"],
    ids=lambda each: each,
)
async def test_a_redis_that_does_not_count(falling: Falling, command: str) -> None:
    """Full, a replica, or one that lets us in no more."""
    with redis.Redis.from_url(falling.redis.url) as client:
        client.execute_command(*command.split())
        if "requirepass" in command:
            client.execute_command("AUTH", "secret")
            client.client_kill_filter(_type="normal", skipme=True)
    assert [(await falling.take()).allowed for _ in range(4)] == [True, True, True, False]
    assert falling.told.lines == ["lost"]
    assert len(await falling.sql.list("lock/")) == 1


async def test_a_redis_that_says_nothing(installation: Stencil) -> None:
    """It takes the connection and never answers: that is waited for once, and briefly."""
    clock, told = Clock(), Told()
    with socket.socket() as silent, closing(Database(installation.settings.database_url.reveal())) as db:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://:hunter2@127.0.0.1:{silent.getsockname()[1]}/0"
        async with counting(url, clock) as in_redis:
            with pytest.raises(DatabaseUnavailable):
                await in_redis.take("lock/ann", 3, 0)
            attempts = FallbackAttempts(in_redis, SqlAttempts(db, clock), clock, told)
            assert [(await attempts.take("lock/ann", 3, 0)).allowed for _ in range(4)] == [True, True, True, False]
    assert told.lines == ["lost"]
    assert "hunter2" not in str(told.whys) + repr(in_redis)


# --- a whole Keystead ----------------------------------------------------------------------------------------------


async def _guesses(world: World, count: int) -> list[int]:
    """Guess as often, with another password each time; return the statuses."""
    return [(await world.login(password=f"a wrong guess, {number}")).status_code for number in range(count)]


async def test_a_login_limit_holds_all_along(own_redis: RedisServer, installation: Stencil) -> None:
    """With Redis, while it is lost, and when it is back; no guess beyond the limit reaches the hasher."""
    given = installation.settings
    configured = settings_for(given.data_dir, database_url=given.database_url.reveal(), redis_url=own_redis.url)
    async with open_world(configured, installation.document) as world:
        await world.person()
        await _holds(world)
        assert any(key.startswith("keystead:attempts:bucket:lock/") for key in own_redis.held())
        own_redis.kill()
        await _holds(world)
        own_redis.start()
        assert set(await _guesses(world, 3)) == {429}, "for the seconds that Redis is left alone"
        world.clock.advance(seconds=REST.total_seconds())
        await _holds(world)
        assert (await world.manage("DELETE", "/user-blocks?identifier=ann@example.com")).status_code == 204
        assert (await world.login()).status_code == 200
        assert any(key.startswith("keystead:attempts:bucket:request/") for key in own_redis.held())
        for attempts in (world.attempts, world.app.state.flows.request_limits.attempts):
            await attempts.close()


async def _holds(world: World) -> None:
    before = world.hasher.verified
    statuses = await _guesses(world, 12)
    assert statuses == [403] * 10 + [429] * 2
    assert world.hasher.verified == before + 10


def test_the_log_says_it_once(own_redis: RedisServer, tmp_path: Path) -> None:
    """A server, as it is started: lost and back are a line each, however many try meanwhile."""
    with serving(tmp_path / "data", REDIS_URL=own_redis.url, LOG_FORMAT="json") as server:
        client_id = json.loads((tmp_path / "data" / "first-run.json").read_text())["clients"]["default"]["client_id"]

        def guess() -> int:
            body = {
                "grant_type": "password",
                "client_id": client_id,
                "username": "ann@example.com",
                "password": "wrong",
            }
            return httpx.post(f"{server.url}/oauth/token", json=body).status_code

        assert {guess() for _ in range(3)} == {403}
        assert _said(server) == []
        own_redis.kill()
        assert {guess() for _ in range(5)} == {403}
        assert _said(server) == [("warning", "redis is lost: attempts are counted in the database")]
        own_redis.start()
        until = time.monotonic() + SECONDS
        while len(_said(server)) < 2 and time.monotonic() < until:
            time.sleep(0.5)
            guess()
        assert _said(server)[1:] == [("warning", "redis is back: attempts are counted in Redis")]
        assert any(":bucket:" in key for key in own_redis.held())


def _said(server: Server) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    return [(line["level"], line["event"]) for line in lines if str(line.get("event", "")).startswith("redis")]
