"""The door of the Management API: tokens, scopes, and what every route has in common."""

import pytest

from world import World

pytestmark = pytest.mark.anyio

ROUTES = [
    ("GET", "/connections", "read:connections"),
    ("GET", "/keystead/doctor", "read:tenant_settings"),
    ("POST", "/connections", "create:connections"),
    ("GET", "/connections/con_0", "read:connections"),
    ("PATCH", "/connections/con_0", "update:connections"),
    ("DELETE", "/connections/con_0", "delete:connections"),
    ("GET", "/connections/con_0/clients", "read:connections"),
    ("PATCH", "/connections/con_0/clients", "update:connections"),
    ("GET", "/clients", "read:clients"),
    ("POST", "/clients", "create:clients"),
    ("GET", "/clients/c", "read:clients"),
    ("PATCH", "/clients/c", "update:clients"),
    ("DELETE", "/clients/c", "delete:clients"),
    ("GET", "/users", "read:users"),
    ("POST", "/users", "create:users"),
    ("GET", "/users/auth0%7C1", "read:users,read:current_user"),
    ("PATCH", "/users/auth0%7C1", "update:users,update:users_app_metadata,update:current_user_metadata"),
    ("DELETE", "/users/auth0%7C1", "delete:users"),
    ("GET", "/users/auth0%7C1/authentication-methods", "read:authentication_methods"),
    ("DELETE", "/users/auth0%7C1/authentication-methods", "delete:authentication_methods"),
    ("GET", "/users/auth0%7C1/authentication-methods/m", "read:authentication_methods"),
    ("DELETE", "/users/auth0%7C1/authentication-methods/m", "delete:authentication_methods"),
    ("POST", "/users/auth0%7C1/authentication-methods", "create:authentication_methods"),
    ("PATCH", "/users/auth0%7C1/authentication-methods/m", "update:authentication_methods"),
    ("GET", "/keystead/users/auth0%7C1/passkeys", "read:authentication_methods"),
    ("DELETE", "/keystead/users/auth0%7C1/passkeys/m/quarantine", "update:authentication_methods"),
]


async def test_every_route_wants_its_scope(world: World) -> None:
    for method, path, scope in ROUTES:
        body: object = {} if method in ("POST", "PATCH") else None
        answer = await world.manage(method, path, body, scope="read:logs")
        assert answer.status_code == 403, (method, path)
        assert answer.json() == {
            "statusCode": 403,
            "error": "Forbidden",
            "message": f"Insufficient scope, expected any of: {scope}",
            "errorCode": "insufficient_scope",
        }


async def test_every_route_wants_a_token(world: World) -> None:
    for method, path, _ in ROUTES:
        answer = await world.client.request(method, f"/api/v2{path}")
        assert answer.status_code == 401, (method, path)
        assert answer.json() == {"statusCode": 401, "error": "Unauthorized", "message": "Missing authentication"}
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_every_scope_opens_its_route(world: World) -> None:
    for method, path, scope in ROUTES:
        body: object = {} if method in ("POST", "PATCH") else None
        answer = await world.manage(method, path, body, scope=scope.partition(",")[0])
        assert answer.status_code not in (401, 403, 500), (method, path, answer.text)


@pytest.mark.parametrize("header", ["Bearer", "Bearer  ", "Basic YTpi", "token", ""])
async def test_a_header_without_a_token_is_no_authentication(world: World, header: str) -> None:
    answer = await world.client.get("/api/v2/users", headers={"authorization": header})
    assert (answer.status_code, answer.json()["message"]) == (401, "Missing authentication")


async def test_a_broken_token_opens_nothing(world: World) -> None:
    good = await world.management_token()
    head, payload, signature = good.split(".")
    forged = await world.client.get(
        "/api/v2/users", headers={"authorization": f"Bearer {head}.{payload}.{signature[::-1]}"}
    )
    assert forged.json()["message"] == "Invalid signature received for JSON Web Token validation"
    for token in (
        "x",
        "a.b.c",
        f"{head}.{payload}.",
        f"{head}.{payload}x.{signature}",
        good + "x",
        f"{head}.{payload}",
    ):
        answer = await world.client.get("/api/v2/users", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401, token
        assert answer.json()["error"] == "Unauthorized"
        assert "errorCode" not in answer.json()


async def test_a_persons_token_opens_nothing(world: World) -> None:
    await world.signup()
    answer = await world.login(audience=world.first["management_audience"], scope="openid read:users")
    token = answer.json()["access_token"]
    refused = await world.client.get("/api/v2/users", headers={"authorization": f"Bearer {token}"})
    assert refused.status_code in (401, 403)
    plain = (await world.login()).json()
    for name in ("access_token", "id_token"):
        refused = await world.client.get("/api/v2/users", headers={"authorization": f"Bearer {plain[name]}"})
        assert (refused.status_code, refused.json()["message"]) == (401, "Invalid token")


async def test_a_token_ends(world: World) -> None:
    token = await world.management_token()
    world.clock.advance(seconds=86_401)
    answer = await world.client.get("/api/v2/users", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


async def test_the_whole_api_speaks_one_dialect(world: World) -> None:
    missing = await world.manage("GET", "/nothing")
    assert (missing.status_code, missing.json()) == (
        404,
        {"statusCode": 404, "error": "Not Found", "message": "Not Found"},
    )
    wrong = await world.manage("PUT", "/users/auth0%7C1")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "Method Not Allowed")
    path = await world.manage("GET", "/users/%00")
    assert (path.status_code, path.json()["errorCode"]) == (400, "invalid_uri")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b'{"name": "a", "name": "b"}', "application/json", 400),
        (b'{"name": "\\u0000"}', "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"options":' * 100 + b"1" + b"}" * 100, "application/json", 400),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b'{"name": "a"}', "text/plain", 415),
        (b'{"name": "' + b"x" * 1_048_577 + b'"}', "application/json", 413),
    ],
)
async def test_bodies_that_are_not_understood(world: World, content: bytes, kind: str, status: int) -> None:
    before = await world.counts()
    for path in ("/connections", "/clients", "/users"):
        headers = {"authorization": f"Bearer {await world.management_token()}", "content-type": kind}
        answer = await world.client.post(f"/api/v2{path}", content=content, headers=headers)
        assert (answer.status_code, answer.json()["statusCode"]) == (status, status), (path, answer.text)
    assert await world.counts() == before


@pytest.mark.parametrize(
    "query",
    [
        "per_page=101",
        "per_page=-1",
        "per_page=x",
        "page=-1",
        "page=1.5",
        "page=" + "9" * 30,
        "include_totals=yes",
        "page=0&page=1",
        "fields=a&fields=b",
        "include_fields=1&fields=a",
        "page=%00",
        "page=%ff",
    ],
)
async def test_queries_that_are_not_understood(world: World, query: str) -> None:
    for path in ("/connections", "/clients", "/users"):
        await world.signup()
        answer = await world.manage("GET", f"{path}?{query}")
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_query_string"), (path, answer.text)
