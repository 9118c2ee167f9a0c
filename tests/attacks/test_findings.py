"""What attackers found once: each way in is tried here, so that none of them opens again."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import bcrypt
import pytest
import structlog
from sqlalchemy import insert
from sqlmodel import Session
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from conftest import Stencil
from keystead import worker
from keystead.cli.here import calls
from keystead.cli.serve import configure_log
from keystead.db import tables
from keystead.errors import Conflict, DomainError
from keystead.rules.decisions import Asking
from keystead.secrecy import Secret
from keystead.settings import Settings, SettingsError
from keystead.start import prepare
from keystead.users.hashing import BcryptHasher, decoys
from keystead.web import screens
from keystead.web.middleware import Gate
from visitor import Visitor
from world import PASSWORD, REALM_GRANT, CountingEntropy, World, open_world

STRANGER, ANN = "198.51.100.7", "ann@example.com"


@contextmanager
def hasher(world: World, **settings: Any) -> Iterator[BcryptHasher]:
    """Put another hasher into a running Keystead."""
    before, world.hasher.inner = world.hasher.inner, BcryptHasher(**settings)
    try:
        yield world.hasher.inner
    finally:
        world.hasher.inner.close()
        world.hasher.inner = before


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something that nobody tells us of."""
    for _ in range(2000):
        if reached():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


# --- the queue of the hashes -----------------------------------------------------------------------------------------


@pytest.fixture
async def small(installation: Stencil) -> AsyncIterator[World]:
    """One thread that hashes, and three who may wait: two places for each address."""
    settings: Settings = installation.settings.model_copy(update={"hash_workers": 1, "hash_queue": 3})
    async with open_world(settings, installation.document) as world:
        yield world


async def test_one_address_cannot_fill_the_queue(small: World) -> None:
    """Not with made-up names, which are never over a limit of their own, nor by any other door."""
    world, may_go_on = small, threading.Event()
    await world.person()
    visitor = Visitor.of(world)
    page = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=ANN)

    def held(password: bytes, stored: bytes) -> bool:
        assert may_go_on.wait(20)
        return bcrypt.checkpw(password, stored)

    with hasher(world, cost=4, workers=1, queue=3, compare=held):
        before = world.hasher.verified
        stranger = world.at("203.0.113.9")
        ann = world.at(STRANGER)
        trying = [asyncio.ensure_future(stranger.login(f"made-up-{each}@example.com")) for each in range(2)]
        await until(lambda: world.hasher.verified == before + 2)
        setup = {"email": "owner@example.com", "password": PASSWORD}
        refused = [
            await stranger.login("made-up-3@example.com"),
            await stranger.login(),
            await stranger.token(REALM_GRANT, realm=world.connection, username=ANN, password=PASSWORD),
            await stranger.signup("made-up@example.com"),
            await stranger.client.post(world.first["administrator_setup_url"], data=setup),
            (await visitor.send(page.form("/login/password"), password=PASSWORD)).response,
        ]
        right = asyncio.ensure_future(ann.login())
        await until(lambda: world.hasher.verified == before + 3)
        may_go_on.set()
        assert (await right).status_code == 200
        assert [(await each).status_code for each in trying] == [403, 403]
    assert [answer.status_code for answer in refused] == [503] * 6
    assert all(
        int(answer.headers["retry-after"]) >= 1 for answer in refused if "html" not in answer.headers["content-type"]
    )
    locks = [row["key"] for row in await world.rows(tables.Attempt) if "/from/" in row["key"]]
    assert len(locks) == 2  # of those who were tried, and not forgiven
    assert await world.count(tables.Account) == 1


async def test_a_place_is_given_back(small: World) -> None:
    for number in range(4):
        assert (await small.login(f"made-up-{number}@example.com")).status_code == 403
        assert (await small.signup("ann@example.com", "too weak")).status_code == 400
    assert (await small.signup()).status_code == 200


async def test_a_network_is_one_address(small: World) -> None:
    """Whoever owns a /64 has no end of addresses."""
    may_go_on = threading.Event()

    def held(password: bytes, stored: bytes) -> bool:
        assert may_go_on.wait(20)
        return False

    with hasher(small, cost=4, workers=1, queue=3, compare=held):
        one, other, third = (small.at(f"2001:db8::{number}") for number in (1, 2, 3))
        trying = [asyncio.ensure_future(each.login(f"{n}@example.com")) for n, each in enumerate((one, other))]
        await until(lambda: small.hasher.verified == 2)
        assert (await third.login()).status_code == 503
        may_go_on.set()
        assert [(await each).status_code for each in trying] == [403, 403]


async def test_buckets_are_swept_when_no_block_can_be_left_of_them(world: World) -> None:
    for _ in range(11):
        await world.guess()
    world.clock.advance(days=29, hours=23)
    await world.db.write(worker.sweep, world.clock())
    assert (await world.guess()).status_code == 429
    world.clock.advance(hours=2)
    assert await world.db.write(worker.sweep, world.clock()) >= 1
    assert await world.count(tables.Attempt) == 0


# --- who has an account ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "today", "costs"),
    [
        (None, 10, [10]),
        (None, 4, [4]),
        (10, 10, []),
        (9, 10, [9]),
        (4, 8, [4, 5, 6, 7]),
        (12, 10, []),
    ],
)
def test_what_a_refusal_still_owes(stored: int | None, today: int, costs: list[int]) -> None:
    found = decoys(stored, today)
    assert list(found) == costs
    if stored is None or stored <= today:
        done = 2**stored if stored is not None else 0
        assert done + sum(2**cost for cost in found) == 2**today


async def test_a_raised_cost_does_not_tell_who_has_an_account(world: World) -> None:
    """The stored hash is of the old cost: comparing with it alone would be quicker than a decoy of the new one."""
    await world.person()
    await world.patch_options(
        authentication_methods={"password": {"enabled": True, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    )
    await world.person("bob@example.com", None)
    work = 0

    def counted(password: bytes, stored: bytes) -> bool:
        nonlocal work
        work += 1 << int(stored[4:6])
        return bcrypt.checkpw(password, stored)

    done = {}
    with hasher(world, cost=7, workers=1, queue=3, compare=counted):
        for who in (ANN, "bob@example.com", "nobody@example.com", "no identifier"):
            work = 0
            assert (await world.guess(who)).status_code == 403
            done[who] = work
        assert set(done.values()) == {1 << 7}, done
        assert (await world.login()).status_code == 200


async def test_the_log_does_not_say_whose_login_was_blocked(world: World) -> None:
    with capture_logs() as lines:
        for _ in range(11):
            await world.guess()
    assert lines[-1]["error"] == "too_many_attempts"
    assert lines[-1]["detail"] == f"lock/{world.connection_id}/from/203.0.113.9"
    assert ANN not in json.dumps(lines)


async def test_errors_of_the_database_name_no_values(world: World) -> None:
    def work(session: Session) -> None:
        for _ in range(2):
            session.connection().execute(insert(tables.Setting).values(name="hunter2", value="hunter2"))

    with pytest.raises(Conflict) as raised:
        await world.db.write(work)
    assert "setting" in raised.value.detail
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


# --- identifiers and realms ------------------------------------------------------------------------------------------


async def test_usernames_that_come_first_do_not_hide_the_others(world: World) -> None:
    await world.person()
    attributes = {"email": {"signup": {"status": "optional"}}, "username": {"signup": {"status": "optional"}}}
    order = ["username", "email", "phone_number"]
    assert (await world.patch_options(attributes=attributes, precedence=order)).status_code == 200
    assert (await world.signup("bob@example.com", username="bob")).status_code == 200
    for who in (ANN, "bob", "BOB@example.com"):
        assert (await world.login(who)).status_code == 200, who
    visitor = Visitor.of(world)
    assert "code" in (await visitor.log_in(await visitor.authorize())).answer


@pytest.mark.parametrize("hidden", "\u034f\u115f\u3164\ufe0f\uffa0\U000e0100")
async def test_nobody_signs_up_as_somebody_s_double(shared_world: World, hidden: str) -> None:
    for email in (f"ann{hidden}@example.com", f"ann@exam{hidden}ple.com"):
        answer = await shared_world.signup(email)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signup")


NAME_TAKEN = "A connection with the same name already exists"
REALM_TAKEN = 'There is already another connection with some realms from "realms" parameter'


async def test_a_realm_is_nobody_else_s_name(world: World) -> None:
    made = await world.manage("POST", "/connections", {"name": "People", "strategy": "auth0", "realms": ["alias"]})
    assert (made.status_code, made.json()["realms"]) == (201, ["alias"])
    tried = {
        "name": ({"name": "alias", "realms": ["other"]}, NAME_TAKEN),
        "realm": ({"name": "thief", "realms": ["other", "People"]}, REALM_TAKEN),
        "administrators": ({"name": "thief", "realms": ["Administrators"]}, REALM_TAKEN),
    }
    for body, text in tried.values():
        answer = await world.manage("POST", "/connections", {"strategy": "auth0"} | body)
        assert (answer.status_code, answer.json()["message"]) == (409, text), body
    thief = await world.new_connection("thief")
    answer = await world.manage("PATCH", f"/connections/{thief}", {"realms": ["People"]})
    assert (answer.status_code, answer.json()["message"]) == (409, REALM_TAKEN)
    # its own name stays its own, whether it answers to it or not
    path = f"/connections/{made.json()['id']}"
    for realms in (["People", "alias"], ["other"], ["People"]):
        assert (await world.manage("PATCH", path, {"realms": realms})).json()["realms"] == realms
        assert (await world.manage("PATCH", f"/connections/{thief}", {"realms": ["People"]})).status_code == 409
    assert (await world.manage("DELETE", path)).status_code == 202
    assert (await world.manage("PATCH", f"/connections/{thief}", {"realms": ["People"]})).status_code == 200


async def test_a_name_alone_is_no_realm(world: World) -> None:
    """Where a connection has other realms, its name is reserved and nothing more."""
    await world.manage("PATCH", f"/connections/{world.connection_id}", {"realms": ["alias"]})
    await world.person()
    asked: dict[str, Any] = {"username": ANN, "password": PASSWORD}
    assert (await world.token(REALM_GRANT, realm="alias", **asked)).status_code == 200
    assert (await world.token(REALM_GRANT, realm=world.connection, **asked)).status_code == 400


async def test_of_a_name_and_a_realm_at_once_one_is_made(world: World) -> None:
    bodies = [{"name": "alias", "realms": ["x"]}, *({"name": f"c{n}", "realms": ["alias"]} for n in range(7))]
    answers = await asyncio.gather(
        *(world.manage("POST", "/connections", {"strategy": "auth0"} | body) for body in bodies)
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}


# --- redirects and what pages allow ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://пример.example/cb",
        "https://app.example/é",
        "https://app.example;sandbox/cb",
        "https://a.example,default-src/cb",
        "myapp://a;script-src/cb",
        "blob:https://app.example/x",
        "feed:https://app.example",
        "view-source:https://app.example",
    ],
)
async def test_a_redirect_is_no_directive(shared_world: World, url: str) -> None:
    for name in ("callbacks", "allowed_logout_urls"):
        answer = await shared_world.manage("POST", "/clients", {"name": "App", "app_type": "spa", name: [url]})
        assert answer.status_code == 400, answer.text
        assert name in answer.json()["message"]


@pytest.mark.parametrize(
    ("url", "policy"),
    [
        ("", "form-action 'self'"),
        ("https://app.example:8443/cb", "form-action 'self' https://app.example:8443"),
        ("com.example.app:/cb", "form-action 'self' com.example.app:"),
        ("https://a.example;script-src/cb", "form-action 'self'"),
        ("https://a.example,default-src/cb", "form-action 'self'"),
        ("https://a.example *", "form-action 'self'"),
        ("https://пример.example", "form-action 'self'"),
        ("https://'unsafe-inline'", "form-action 'self'"),
    ],
)
def test_the_policy_of_a_page_has_no_foreign_words(url: str, policy: str) -> None:
    page = screens.show("signed-out.html", {"home_url": "/"}, redirects_to=url)
    assert page.headers["content-security-policy"].split("; ")[-1] == policy


# --- bodies, methods and caches --------------------------------------------------------------------------------------


async def unkept(error: DomainError, asking: Asking) -> None:
    """Keep nothing of why a request was refused."""


def post(path: str, length: int) -> Scope:
    """A request whose body is still to come."""
    headers = {"host": "localhost:8000", "content-length": str(length), "content-type": "application/json"}
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": (STRANGER, 4711),
        "server": ("localhost", 8000),
    }


async def test_a_body_that_trickles_is_not_waited_for(installation: Stencil) -> None:
    """A byte now and then is not a body: the deadline is one for all of it."""
    sent: list[Message] = []
    trickled = 0

    async def trickle() -> Message:
        nonlocal trickled
        trickled += 1
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": trickled < 200}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await Response("read")(scope, receive, send)

    async def keep(message: Message) -> None:
        sent.append(message)

    gate = Gate(app, installation.settings, CountingEntropy(), unkept, body_seconds=0.1)
    await gate(post("/oauth/token", 200), trickle, keep)
    assert sent[0]["status"] == 400
    assert b"did not arrive in time" in sent[1]["body"]
    assert trickled < 200


@pytest.mark.parametrize("path", ["", "*", "api", "?x"])
async def test_what_is_no_path_finds_no_page(world: World, path: str) -> None:
    """A server lets ``GET ?x`` through, with nothing for a path."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def keep(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"x", "scheme": "http", "root_path": ""}
    await world.app(scope | {"headers": [(b"host", b"localhost")], "client": None, "server": None}, receive, keep)
    assert sent[0]["status"] == 404
    assert b"There is no such page" in sent[1]["body"]


async def test_what_comes_after_a_body_is_waited_for(installation: Stencil) -> None:
    """A long answer waits for its client to leave: the deadline of the body is no deadline of the answer."""
    came: list[Message] = []
    body: list[Message] = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> Message:
        if body:
            return body.pop()
        await asyncio.sleep(0.2)
        return {"type": "http.disconnect"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        came.extend([await receive(), await receive()])

    async def nowhere(message: Message) -> None:
        raise AssertionError(message)

    gate = Gate(app, installation.settings, CountingEntropy(), unkept, body_seconds=0.05)
    await gate(post("/", 2), receive, nowhere)
    assert [message["type"] for message in came] == ["http.request", "http.disconnect"]


async def test_whoever_leaves_in_the_middle_of_a_body_is_no_defect(world: World) -> None:
    messages: list[Message] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b'{"grant_type"', "more_body": True},
    ]

    async def leave() -> Message:
        return messages.pop()

    async def nobody(message: Message) -> None:
        raise AssertionError(message)

    with capture_logs() as lines:
        await world.app(post("/oauth/token", 200), leave, nobody)
    assert [(line["event"], line["log_level"], line["status"]) for line in lines] == [("request", "info", 499)]


async def test_nothing_is_kept_that_does_not_say_so(world: World) -> None:
    bearer = {"authorization": f"Bearer {await world.management_token()}"}
    kept = {
        "/.well-known/jwks.json": "public, max-age=300",
        "/static/css/pages.css": "no-cache",
        "/favicon.ico": "no-cache",
        "/avatars/an.svg": "public, max-age=86400",
    }
    for path in ("/", "/api/v2/users", "/api/v2/connections", "/api/v2/clients", "/nowhere", "/u/login", *kept):
        answer = await world.client.get(path, headers=bearer)
        assert answer.headers["cache-control"] == kept.get(path, "no-store"), path
    style = await world.client.get("/static/css/pages.css")
    again = await world.client.get("/static/css/pages.css", headers={"if-none-match": style.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


async def test_looking_at_the_head_of_a_page_sends_no_form(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    pages = [await visitor.authorize()]
    pages.append(await visitor.send(pages[0].form("/login/identifier"), username=ANN))
    pages.append(await visitor.send(pages[1].form("/login/password"), password=PASSWORD))
    assert pages[2].path == "/u/passkey-enrollment"
    other = Visitor.of(world)
    pages.append(await other.open(str((await other.authorize(screen_hint="signup")).response.url)))
    urls = [str(page.response.url) for page in pages]
    for who, url in ((visitor, urls[2]), (other, urls[3]), (other, world.first["administrator_setup_url"])):
        for headers in ({}, {"sec-fetch-site": "cross-site"}):
            looked, read = await who.client.head(url, headers=headers), await who.client.get(url, headers=headers)
            assert (looked.status_code, read.status_code) == (200, 200), url
            assert looked.headers["content-type"] == read.headers["content-type"]


async def test_a_proxy_on_a_socket_for_both_versions_is_the_same_proxy(installation: Stencil) -> None:
    settings = installation.settings.model_copy(update={"trusted_proxies": (ip_network("10.0.0.0/8"),)})
    async with open_world(settings, installation.document) as world:
        await world.at("::ffff:10.0.0.1").client.post(
            "/oauth/token",
            json={"grant_type": "password", "client_id": world.client_id, "username": "a", "password": "b"},
            headers={"x-forwarded-for": f"{STRANGER}, ::ffff:10.0.0.2"},
        )
        assert (await world.last_entry())["ip"] == STRANGER


# --- the log and the start -------------------------------------------------------------------------------------------


@pytest.fixture
def configured_log() -> Iterator[None]:
    """Let a test configure the log; it is as it was afterwards."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


HOSTILE = "\x1b[2Jx\x07\x9b31m\u2028y\u2029\u202ez\u2066\u200b\r\nrequest forged\x00\ud800"


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.usefixtures("configured_log")
def test_the_log_steers_no_terminal(
    sqlite_stencil: Stencil, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure_log(sqlite_stencil.settings.model_copy(update={"log_format": log_format}))
    log = structlog.get_logger()
    log.info("request", path=HOSTILE, detail={HOSTILE: [HOSTILE, 1]}, status=200)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("failed", path="/")
    written = capsys.readouterr().err
    lines = written.split("\n")
    assert all(char.isprintable() for line in lines for char in line)
    assert not any(line.startswith("request forged") for line in lines)
    assert "x1b[2J" in written
    assert "Traceback" in written
    if log_format == "json":
        assert json.loads(lines[0])["status"] == 200


@pytest.mark.usefixtures("configured_log")
def test_the_log_of_a_command_steers_no_terminal(
    installation: Stencil, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = installation.settings
    monkeypatch.setenv("KEYSTEAD_SECRET_KEYS", ",".join(key.reveal() for key in settings.secret_keys))
    monkeypatch.setenv("KEYSTEAD_DATABASE_URL", settings.database_url.reveal())
    with calls(settings.data_dir):
        structlog.get_logger().warning("failed", path=HOSTILE)
    written = capsys.readouterr().err
    assert "x1b[2J" in written
    assert written.removesuffix("\n").isprintable()


def test_a_start_with_other_secret_keys_is_refused(installation: Stencil) -> None:
    """Rather than a server that is up and can sign nothing."""
    other = installation.settings.model_copy(update={"secret_keys": (Secret("x" * 32),)})
    with pytest.raises(SettingsError) as refused:
        prepare(other)
    assert str(refused.value).startswith("KEYSTEAD_SECRET_KEYS: ")
    assert "\n" not in str(refused.value)
    rotated = (Secret("x" * 32), *installation.settings.secret_keys)
    settings, made = prepare(installation.settings.model_copy(update={"secret_keys": rotated}))
    assert made is None
    assert settings.secret_keys[0].reveal() == "x" * 32
