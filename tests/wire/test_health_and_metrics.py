"""``/healthz``, ``/readyz``, ``/metrics`` and the line of a request, as whoever watches over a server meets them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import text

from conftest import Stencil
from keystead import worker
from keystead.app import create_app
from keystead.db import schema, tables
from keystead.db.session import Database
from keystead.errors import DatabaseUnavailable
from keystead.settings import Settings, load
from keystead.web.middleware import came_to_metrics
from world import PASSWORD, PROMISES, World, open_world, test_settings

pytestmark = pytest.mark.anyio

TOKEN = "a token for the metrics".replace(" ", "-")
CHECKS = ("database", "schema", "keys", "worker", "serving")


def states(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["checks"]
    return found


@pytest.fixture
def readiness(world: World) -> Any:
    """What ``/readyz`` asks."""
    return world.app.state.flows.readiness


async def test_ready_once_the_worker_is_alive(world: World, readiness: Any) -> None:
    before = await world.client.get("/readyz")
    assert before.status_code == 503
    assert before.json()["status"] == "not ready"
    assert states(before) == dict.fromkeys(CHECKS, "ok") | {"worker": "failed"}
    readiness.beat()
    after = await world.client.get("/readyz")
    assert (after.status_code, after.json()["status"]) == (200, "ready")
    assert states(after) == dict.fromkeys(CHECKS, "ok")
    world.clock.advance(seconds=61)
    assert (await world.client.get("/readyz")).status_code == 503


async def test_not_ready_on_another_schema(world: World, readiness: Any) -> None:
    def stand_at(revision: str) -> Any:
        change = text("UPDATE alembic_version SET version_num = :revision")
        return world.db.write(lambda session: session.connection().execute(change, {"revision": revision}))

    readiness.beat()
    await stand_at("0001")
    answer = await world.client.get("/readyz")
    await stand_at(schema.latest())  # whoever comes next may get the same database
    assert answer.status_code == 503
    assert states(answer) == dict.fromkeys(CHECKS, "ok") | {"schema": "failed"}


async def test_not_ready_without_keys(world: World, readiness: Any) -> None:
    readiness.beat()
    await world.db.write(lambda session: session.connection().execute(text("DELETE FROM signing_key")))
    assert states(await world.client.get("/readyz"))["keys"] == "failed"


async def test_not_ready_once_it_is_to_stop(world: World, readiness: Any) -> None:
    readiness.beat()
    readiness.stop()
    answer = await world.client.get("/readyz")
    assert answer.status_code == 503
    assert states(answer) == dict.fromkeys(CHECKS, "ok") | {"serving": "failed"}


async def test_probes_leave_no_trace_and_are_not_limited(world: World) -> None:
    entries = await world.count(tables.JournalRow)
    for path in ("/healthz", "/readyz"):
        answer = await world.client.get(path)
        assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
        assert "keystead-decision" not in answer.headers
    assert await world.count(tables.JournalRow) == entries
    assert await world.count(tables.Decision) == 0


async def test_nobody_else_is_told_how_a_request_arrived(world: World) -> None:
    for probe in ("", "1.2.3", "nonsense", f"{int(world.clock().timestamp())}.nonce.{'0' * 64}", "é.é.é"):
        answer = await world.client.get("/healthz", params={"probe": probe})
        assert answer.json() == {"status": "ok"}, probe


# --- metrics ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def measured(installation: Stencil, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open an installation that counts."""
    given = test_settings(
        installation.settings.data_dir, database_url=installation.settings.database_url.reveal(), **settings
    )
    app = create_app(given)
    transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 4711))
    hooks = {"response": [PROMISES.keep]}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=given.public_url, event_hooks=hooks) as client,
    ):
        yield client


def value(page: str, name: str, **labels: str) -> float:
    """Return a number on a page of metrics."""
    lines = [line for line in page.splitlines() if line.split("{")[0].split(" ")[0] == name]
    wanted = [f'{label}="{text}"' for label, text in labels.items()]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(each in line for each in wanted))


async def read(client: httpx.AsyncClient, token: str = TOKEN) -> str:
    answer = await client.get("/metrics", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


async def test_nothing_is_there_unless_it_is_wanted(world: World) -> None:
    for headers in ({}, {"authorization": f"Bearer {TOKEN}"}, {"authorization": "Bearer "}):
        assert (await world.client.get("/metrics", headers=headers)).status_code == 404


async def test_the_token_opens_them(installation: Stencil) -> None:
    async with measured(installation, metrics_token=TOKEN) as client:
        for headers in (
            {},
            {"authorization": TOKEN},
            {"authorization": f"Basic {TOKEN}"},
            {"authorization": f"Bearer {TOKEN}x"},
            {"authorization": f"Bearer {TOKEN[:-1]}"},
        ):
            answer = await client.get("/metrics", headers=headers)
            assert answer.status_code == 401, headers
            assert "keystead_" not in answer.text
        assert "keystead_build_info{" in await read(client)


async def test_the_address_of_the_metrics_is_known_by_its_socket(installation: Stencil) -> None:
    async with measured(installation, metrics_listen="127.0.0.1:9090") as client:
        assert (await client.get("/metrics", headers={"host": "localhost:9090"})).status_code == 404
        app = client._transport.app  # type: ignore[attr-defined]
        apart = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=apart, base_url="http://127.0.0.1:9090") as scraper:
            page = (await scraper.get("/metrics")).text
            assert value(page, "keystead_processes") == 1
            assert value(page, "keystead_database_up") == 1
            assert (await scraper.get("/healthz")).status_code == 200
            for path in ("/", "/oauth/token", "/u/login", "/api/v2/users", "/.well-known/jwks.json", "/metrics/"):
                assert (await scraper.get(path)).status_code == 404, path
            assert (await scraper.post("/dbconnections/signup", json={})).status_code == 404


async def test_what_happened_is_counted(installation: Stencil) -> None:
    first = installation.document
    async with measured(installation, metrics_token=TOKEN) as client:
        client_id, connection = first["clients"]["default"]["client_id"], first["connection"]["name"]
        person = {"client_id": client_id, "connection": connection, "email": "ann@example.com", "password": PASSWORD}
        assert (await client.post("/dbconnections/signup", json=person)).status_code == 200
        body = {"grant_type": "password", "client_id": client_id, "username": "ann@example.com"}
        for password, status in ((PASSWORD, 200), ("wrong", 403), ("wrong", 403)):
            answer = await client.post("/oauth/token", json=body | {"password": password})
            assert answer.status_code == status
        await client.get("/made/up/by/a/stranger?email=ann@example.com")
        await client.get("/avatars/an.svg")
        page = await read(client)
    requests, logins = "keystead_request_seconds_count", "keystead_login_seconds_count"
    assert value(page, requests, method="POST", route="/oauth/token", status="2xx") == 1
    assert value(page, requests, method="POST", route="/oauth/token", status="4xx") == 2
    assert value(page, requests, method="GET", route="none", status="4xx") == 1
    assert value(page, requests, method="GET", route="/avatars/{initials}.svg", status="2xx") == 1
    assert value(page, logins, method="password", outcome="ok") == 1
    assert value(page, logins, method="password", outcome="wrong_credentials") == 2
    assert value(page, "keystead_refusals_total", rule="wrong_password") == 2
    assert value(page, "keystead_hash_seconds_count", outcome="ok") == 4
    assert value(page, "keystead_hashes_under_way") == 0
    assert value(page, "keystead_database_seconds_count", kind="write") > 4
    assert value(page, "keystead_signing_key_age_seconds", algorithm="RS256") > 0
    assert value(page, "keystead_jobs", type="message") == 1
    assert value(page, "keystead_memory_bytes") > 1_000_000
    for told in ("ann@", PASSWORD, "stranger", client_id, connection, "203.0.113.9"):
        assert told not in page


# --- the log ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Any:
    """Catch what is logged, with what travels along."""
    caught: list[dict[str, Any]] = []

    def catch(logger: Any, name: str, event: Any) -> Any:
        caught.append({"level": name, **structlog.contextvars.merge_contextvars(logger, name, event)})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[catch])
    yield caught
    structlog.configure(**before)


async def test_not_ready_while_no_look_for_work_succeeds(installation: Stencil, lines: list[dict[str, Any]]) -> None:
    """Other work of the same process goes on meanwhile: that it does is no sign that mail is sent."""
    db = Database(installation.settings.database_url.reveal())

    def rename(old: str, new: str) -> None:
        db.write_now(lambda session: session.connection().execute(text(f"ALTER TABLE {old} RENAME TO {new}")) and None)

    rename("job", "job_away")
    async with measured(installation) as client, asyncio.timeout(60):
        while not any(line.get("chore") == "the look for work" for line in lines):  # noqa: ASYNC110 - the log tells nobody
            await asyncio.sleep(0.05)
        assert states(await client.get("/readyz"))["worker"] == "failed"
        rename("job_away", "job")
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as a load balancer does
            await asyncio.sleep(0.05)
    db.close()


async def test_a_defect_of_work_in_the_background_is_found_by_the_log(
    world: World, lines: list[dict[str, Any]]
) -> None:
    """Where it is and which work it was; not what it says, which may quote a message."""

    code = "123456"

    async def broken() -> None:
        raise KeyError(code)

    async def broken_too() -> None:
        raise KeyError(code)

    async def away() -> None:
        raise DatabaseUnavailable(detail="it is away")

    looked = asyncio.Event()
    beside = worker.Beside((broken, away), (worker.Pulse(broken_too, 60),), looked.set)
    running = asyncio.create_task(worker.run(world.db, (), world.clock, beside))
    async with asyncio.timeout(60):
        await looked.wait()
        while len(lines) < 3:  # noqa: ASYNC110 - the log tells nobody
            await asyncio.sleep(0.05)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    found = {line["chore"].rpartition(".")[2]: line for line in lines}
    for name in ("broken", "broken_too"):
        assert found[name]["error"] == "KeyError"
        assert f"in {name}\n" in found[name]["exception"]
        assert code not in str(found[name])
    assert (found["away"]["error"], found["away"]["detail"]) == ("DatabaseUnavailable", "it is away")
    assert "exception" not in found["away"], "it is nobody's defect"


@asynccontextmanager
async def behind_a_proxy(installation: Stencil) -> AsyncIterator[World]:
    settings: Settings = installation.settings.model_copy(
        update={
            "trusted_proxies": test_settings(installation.settings.data_dir, trusted_proxies="10.0.0.1").trusted_proxies
        }
    )
    async with open_world(settings, installation.document) as world:
        yield world


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_trusted_proxy_names_the_request(installation: Stencil, lines: list[dict[str, Any]]) -> None:
    given = {"x-request-id": "proxy-made-this-1", "traceparent": PARENT}
    async with behind_a_proxy(installation) as world:
        answer = await world.at("10.0.0.1").client.get("/avatars/an.svg", headers=given)
        assert answer.headers["x-request-id"] == "proxy-made-this-1"
        (line,) = [line for line in lines if line["event"] == "request"]
        assert (line["id"], line["trace"]) == ("proxy-made-this-1", PARENT.split("-")[1])
        for wrong in ("short", "x" * 41, "with space-1", "semi;colon-1", "brace{1}-2"):
            answer = await world.at("10.0.0.1").client.get("/avatars/an.svg", headers={"x-request-id": wrong})
            assert answer.headers["x-request-id"] != wrong


async def test_a_stranger_names_nothing(installation: Stencil, lines: list[dict[str, Any]]) -> None:
    given = {"x-request-id": "stranger-made-this", "traceparent": PARENT}
    async with behind_a_proxy(installation) as world:
        answer = await world.client.get("/avatars/an.svg", headers=given)
        assert answer.headers["x-request-id"] != "stranger-made-this"
        assert "trace" not in lines[-1]


async def test_the_id_is_the_same_everywhere(world: World, lines: list[dict[str, Any]]) -> None:
    answer = await world.signup()
    entry = await world.last_entry()
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["id"] == answer.headers["x-request-id"] == entry["request_id"]
    assert line["route"] == line["path"] == "/dbconnections/signup"
    assert set(line) == {"level", "event", "id", "method", "path", "route", "status", "ms"}


async def test_lines_written_on_the_way_carry_the_id(
    world: World, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*arguments: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(world.app.state.flows.users), "show", broken)
    answer = await world.manage("GET", "/users/auth0%7C1")
    assert answer.status_code == 500
    (line,) = [line for line in lines if line["event"] == "failed"]
    assert line["id"] == answer.headers["x-request-id"]
    assert "id" not in structlog.contextvars.get_contextvars()


async def test_no_query_string_is_logged(world: World, lines: list[dict[str, Any]]) -> None:
    await world.client.get("/authorize?state=marked-state&code=marked-code")
    await world.client.get(
        "/u/login?state=marked-state", headers={"cookie": "x=marked-cookie", "referer": "marked-ref"}
    )
    assert len(lines) >= 2
    assert "marked" not in json.dumps(lines, default=str)


async def test_probes_that_went_well_are_not_worth_a_line(world: World, lines: list[dict[str, Any]]) -> None:
    await world.client.get("/healthz")
    await world.client.get("/readyz")  # nobody works here
    assert [(line["level"], line["status"]) for line in lines] == [("debug", 200), ("info", 503)]


def test_the_socket_decides() -> None:
    settings = load(metrics_listen="9090")
    assert came_to_metrics({"server": ("10.0.0.5", 9090)}, settings)
    assert not came_to_metrics({"server": ("10.0.0.5", 8000)}, settings)
    assert not came_to_metrics({"server": None}, settings)
