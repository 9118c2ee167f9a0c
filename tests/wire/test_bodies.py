"""What nobody should send, to every route that reads a body: the documented 4xx in the right dialect, never a 5xx."""

import json
from typing import Any

import httpx
import pytest

from envelopes import dialect_of
from keystead.web.body import MAX_BYTES, most_bytes
from keystead.web.routes import HOSTED, MANAGEMENT, MY_ACCOUNT
from visitor import Visitor, authorize_url
from world import World, open_world

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

BY_JSON = {
    "/oauth/token": "oauth",
    "/passkey/register": "oauth",
    "/passkey/challenge": "oauth",
    "/dbconnections/signup": "dbconnections",
    "/me/v1/authentication-methods": "my account",
    "/me/v1/authentication-methods/passkey|new/verify": "my account",
    "/api/v2/connections": "management",
    "/api/v2/clients": "management",
    "/api/v2/users": "management",
}
BY_FORM = ("/oauth/token", "/passkey/register", "/passkey/challenge", "/dbconnections/signup")


async def keys(world: World) -> dict[str, str]:
    """Return the header that opens each API."""
    await world.signup("keys@example.com")
    scope = "create:me:authentication_methods"
    person = await world.tokens("keys@example.com", audience="http://localhost:8000/me/", scope=scope)
    return {
        "my account": f"Bearer {person['access_token']}",
        "management": f"Bearer {await world.management_token()}",
    }


@pytest.fixture(scope="module")
async def opened(shared_world: World) -> dict[str, str]:
    """The headers that open the APIs of the shared world."""
    return await keys(shared_world)


BAD_JSON: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n",
    "a brace": b"{",
    "a trailing comma": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "two objects": b"{}{}",
    "a list": b"[]",
    "a list of objects": b'[{"client_id":"x"}]',
    "text": b'"client_id"',
    "a number": b"7",
    "null": b"null",
    "100,000 levels of lists": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels of objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "an object 40 deep": b'{"a":' * 40 + b"1" + b"}" * 40,
    "100,000 unclosed lists": b"[" * 100_000,
    "a number of 5,000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "a number without end": b'{"a":1e999}',
    "a member twice": b'{"client_id":"a","client_id":"b"}',
    "a member twice, inside": b'{"a":{"b":1,"b":2}}',
    "NUL": b'{"client_id":"a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000":1}',
    "a raw NUL": b'{"client_id":"a\0b"}',
    "a lone surrogate": b'{"client_id":"\\ud800"}',
    "a lone surrogate in a name": b'{"\\udfff":1}',
    "no UTF-8": b'{"client_id":"\xff"}',
    "an overlong encoding": b'{"client_id":"\xc0\xaf"}',
    "an encoded surrogate": b'{"client_id":"\xed\xa0\x80"}',
    "UTF-16": '{"client_id":"x"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"client_id":"x"}'.encode("utf-16-le"),
    "UTF-32": '{"client_id":"x"}'.encode("utf-32"),
    "a raw control character": b'{"client_id":"a\nb"}',
}


@pytest.mark.parametrize("what", BAD_JSON)
async def test_bad_json(shared_world: World, opened: dict[str, str], what: str) -> None:
    before = await shared_world.counts()
    for path, dialect in BY_JSON.items():
        headers = {"content-type": JSON, "authorization": opened.get(dialect, "")}
        if dialect in ("oauth", "dbconnections"):
            del headers["authorization"]
        answer = await shared_world.client.post(path, content=BAD_JSON[what], headers=headers)
        assert answer.status_code == 400, (path, answer.text)
        assert dialect_of(answer) == dialect
    assert await shared_world.counts() == before


BAD_FORMS: dict[str, bytes] = {
    "a field twice": b"client_id=a&client_id=b",
    "a field twice, encoded": b"client_id=a&client%5fid=b",
    "NUL": b"client_id=a%00b",
    "NUL in a name": b"a%00=b",
    "a lone surrogate": b"client_id=%ED%A0%80",
    "no UTF-8": b"client_id=%FF",
    "raw bytes": b"client_id=\xff",
    "201 fields": b"&".join(b"f%d=1" % number for number in range(201)),
}


@pytest.mark.parametrize("what", BAD_FORMS)
async def test_bad_forms(shared_world: World, what: str) -> None:
    for path in BY_FORM:
        answer = await shared_world.client.post(path, content=BAD_FORMS[what], headers={"content-type": FORM})
        assert answer.status_code == 400, (path, answer.text)
        assert dialect_of(answer) == BY_JSON[path]


@pytest.mark.parametrize("what", BAD_FORMS)
async def test_bad_forms_on_the_pages(shared_world: World, what: str) -> None:
    visitor = Visitor.of(shared_world)
    landed = await visitor.authorize()
    query = landed.response.url.query.decode()
    headers = {"content-type": FORM, "sec-fetch-site": "same-origin"}
    for path in ("/u/login/identifier", "/u/signup/identifier"):
        answer = await visitor.client.post(f"{path}?{query}", content=BAD_FORMS[what], headers=headers)
        assert answer.status_code == 400, path
        assert dialect_of(answer) == "page"


OTHER_TYPES = [
    "",
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "text/json",
    "application/jsonp",
    "*/*",
]


@pytest.mark.parametrize("kind", OTHER_TYPES)
async def test_another_content_type(shared_world: World, opened: dict[str, str], kind: str) -> None:
    for path, dialect in BY_JSON.items():
        headers = ({"content-type": kind} if kind else {}) | (
            {"authorization": opened[dialect]} if dialect in opened else {}
        )
        answer = await shared_world.client.post(path, content=b'{"a":1}', headers=headers)
        assert answer.status_code == 415, path
        assert dialect_of(answer) == dialect


async def test_content_types_that_will_do(world: World) -> None:
    await world.person()
    body = {"grant_type": "password", "client_id": world.client_id, "username": "ann@example.com", "password": "x"}
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;charset=UTF-16"):
        answer = await world.client.post("/oauth/token", content=json.dumps(body), headers={"content-type": kind})
        assert answer.status_code == 403


def posts() -> list[str]:
    """Return the path of every route that takes a POST, PATCH or PUT."""
    mounted: list[tuple[str, set[str]]] = [
        (prefix + str(getattr(route, "path", "")), getattr(route, "methods", set()))
        for prefix, routes in (("/u", HOSTED), ("/me/v1", MY_ACCOUNT), ("/api/v2", MANAGEMENT))
        for route in routes
    ]
    found = [path.replace("{id}", "x").replace("{method_id}", "y") for path, methods in mounted if methods & WRITING]
    alone = ("/oauth/token", "/userinfo", "/passkey/challenge", "/passkey/register", "/dbconnections/signup")
    return sorted({*alone, *found})


WRITING = {"POST", "PATCH", "PUT"}
PREFIXES = {
    "/oauth": "oauth",
    "/userinfo": "oauth",
    "/passkey": "oauth",
    "/dbconnections": "dbconnections",
    "/me": "my account",
    "/api": "management",
    "/u": "page",
}


def expected_dialect(path: str) -> str:
    """Return which dialect a path speaks."""
    if path.startswith("/u/") and path.endswith("/options"):
        return "oauth"  # answered to a script of ours
    return next(dialect for prefix, dialect in PREFIXES.items() if (path + "/").startswith(prefix + "/"))


@pytest.mark.parametrize("path", posts())
async def test_too_much(shared_world: World, opened: dict[str, str], path: str) -> None:
    """By its length, which is believed, and without one, when it is counted."""

    async def endless() -> Any:
        for _ in range(MAX_BYTES // 65_536 + 2):
            yield b" " * 65_536

    dialect = expected_dialect(path)
    headers = {"content-type": FORM if dialect == "page" else JSON} | (
        {"authorization": opened[dialect]} if dialect in opened else {}
    )
    length = {"content-length": str(most_bytes(path) + 1)}
    announced = await shared_world.client.post(path, content=b" ", headers=headers | length)
    assert announced.status_code == 413
    assert dialect_of(announced) == dialect
    counted = await shared_world.client.post(path, content=endless(), headers=headers)
    assert counted.status_code in (400, 401, 404, 405, 413, 415), path
    assert dialect_of(counted) == dialect


@pytest.mark.parametrize("path", sorted(BY_JSON))
async def test_too_much_without_a_length(shared_world: World, opened: dict[str, str], path: str) -> None:
    async def endless() -> Any:
        for _ in range(MAX_BYTES // 65_536 + 2):
            yield b" " * 65_536

    dialect = BY_JSON[path]
    headers = {"content-type": JSON} | ({"authorization": opened[dialect]} if dialect in opened else {})
    answer = await shared_world.client.post(path, content=endless(), headers=headers)
    assert answer.status_code == 413
    assert dialect_of(answer) == dialect


@pytest.mark.parametrize("path", sorted(BY_JSON))
async def test_just_not_too_much(shared_world: World, opened: dict[str, str], path: str) -> None:
    dialect = BY_JSON[path]
    headers = {"content-type": JSON} | ({"authorization": opened[dialect]} if dialect in opened else {})
    answer = await shared_world.client.post(path, content=b"{" + b" " * (MAX_BYTES - 2) + b"}", headers=headers)
    assert answer.status_code == 400
    assert dialect_of(answer) == dialect


HOSTS: dict[str, list[tuple[bytes, bytes]]] = {
    "missing": [],
    "empty": [(b"host", b"")],
    "doubled": [(b"host", b"localhost"), (b"host", b"localhost")],
    "two": [(b"host", b"localhost:8000"), (b"host", b"evil.example")],
    "with a path": [(b"host", b"localhost/evil")],
    "with a user": [(b"host", b"user@localhost")],
    "with white space": [(b"host", b"local host")],
    "with a line": [(b"host", b"localhost\r\nx: y")],
    "two in one": [(b"host", b"localhost, evil.example")],
    "a long port": [(b"host", b"localhost:123456")],
    "no port": [(b"host", b"localhost:")],
    "raw bytes": [(b"host", b"\xff")],
    "half a bracket": [(b"host", b"[::1")],
    "too long": [(b"host", b"a" * 300)],
}


async def raw(
    world: World, method: str, path: str, headers: list[tuple[bytes, bytes]]
) -> tuple[int, dict[str, str], bytes]:
    """Call the application without an HTTP client, which would put a Host header right."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*headers, (b"content-type", b"application/json"), (b"content-length", b"2")],
        "client": ("203.0.113.9", 4711),
        "server": ("127.0.0.1", 8000),
    }
    await world.app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("what", HOSTS)
async def test_a_host_that_is_not_one(shared_world: World, what: str) -> None:
    for path in (*posts(), "/", "/.well-known/jwks.json", "/authorize", "/healthz"):
        status, headers, body = await raw(shared_world, "POST" if path in posts() else "GET", path, HOSTS[what])
        assert status == 400, path
        assert b"Host header" in body
        answer = httpx.Response(status, headers=headers, content=body)
        known = path in posts() or path.startswith("/.well-known")
        assert dialect_of(answer) == (expected_dialect(path) if path in posts() else "oauth" if known else "page")


async def test_any_other_host_is_accepted_and_used_for_nothing(world: World) -> None:
    for host in (b"evil.example", b"localhost:1", b"[::1]:8000", b"127.0.0.1", b"LOCALHOST"):
        status, _, body = await raw(world, "GET", "/.well-known/openid-configuration", [(b"host", host)])
        assert status == 200
        assert b"evil" not in body
        assert json.loads(body)["issuer"] == "http://localhost:8000/"


async def test_a_list_of_hosts_can_be_given(installation: Any) -> None:
    settings = installation.settings.model_copy(update={"allowed_hosts": ("login.example.com",)})
    async with open_world(settings, installation.document) as world:
        status, _, _ = await raw(world, "GET", "/healthz", [(b"host", b"LOGIN.example.com")])
        assert status == 200
        status, _, _ = await raw(world, "GET", "/healthz", [(b"host", b"login.example.com.evil.example")])
        assert status == 400


PATHS = ["/api/v2/users/a%00b", "/me/v1/authentication-methods/a%00b", "/oauth/%00", "/u/%00", "/avatars/%00.svg"]


@pytest.mark.parametrize("path", PATHS)
async def test_nul_in_a_path(shared_world: World, path: str) -> None:
    assert (await shared_world.client.get(path)).status_code == 400


@pytest.mark.parametrize("path", ["/api/v2/users/%ff%fe", "/api/v2/users/%ed%a0%80", "/u/%ff", "/avatars/%ff.svg"])
async def test_a_path_that_is_no_utf_8(shared_world: World, opened: dict[str, str], path: str) -> None:
    headers = {"authorization": opened["management"]} if path.startswith("/api") else {}
    answer = await shared_world.client.get(path, headers=headers)
    assert 400 <= answer.status_code < 500 or path.startswith("/avatars")


COOKIES = [
    b'keystead-session="a\\000b.c"',
    b"keystead-session=a.b",
    b"keystead-session=.",
    b"keystead-session=" + b"x" * 5000,
    b"keystead-browser=x",
    b'keystead-browser="\\000"',
    b"=;=;;",
    b"\xff=\xff",
]


@pytest.mark.parametrize("cookie", COOKIES)
async def test_cookies_of_somebody_s_own_making(shared_world: World, cookie: bytes) -> None:
    answer = await shared_world.client.get(authorize_url(shared_world), headers=[(b"cookie", cookie)])
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/u/login?state=")


async def test_odd_headers(world: World) -> None:
    body = {"grant_type": "password", "client_id": world.client_id, "username": "a@b.com", "password": "x"}
    for name, value in (("user-agent", "x" * 20_000), ("user-agent", "\xff\x80"), ("accept-language", "\xff")):
        headers: Any = {name: value.encode("latin-1")}
        assert (await world.client.post("/oauth/token", json=body, headers=headers)).status_code == 403
    for length in ("-1", "x", "1e3", "\xb2", "9" * 500):
        headers = [(b"host", b"localhost"), (b"content-length", length.encode("latin-1"))]
        status, _, _ = await raw(world, "POST", "/oauth/token", headers)
        assert status in (400, 413)
