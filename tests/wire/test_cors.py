"""Which pages of other sites may call us: those of the clients, on the routes made for them (PK-13)."""

import pytest

from world import World

SHOP = "https://shop.example"
ROUTES = [
    ("POST", "/oauth/token"),
    ("POST", "/oauth/revoke"),
    ("GET", "/userinfo"),
    ("POST", "/passkey/challenge"),
    ("POST", "/passkey/register"),
    ("POST", "/dbconnections/signup"),
    ("GET", "/me/v1/authentication-methods"),
    ("PATCH", "/me/v1/authentication-methods/x"),
    ("DELETE", "/me/v1/authentication-methods/x"),
]


@pytest.fixture
async def shop(world: World) -> World:
    await world.new_client(app_type="spa", web_origins=[SHOP], allowed_origins=["https://*.shop.example"])
    return world


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_client_s_page_may_ask(shop: World, method: str, path: str) -> None:
    asking = {
        "origin": SHOP,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,auth0-client,content-type,dpop",
    }
    answer = await shop.client.options(path, headers=asking)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert method in answer.headers["access-control-allow-methods"]
    for name in ("authorization", "auth0-client", "content-type", "dpop"):
        assert name in answer.headers["access-control-allow-headers"]
    assert "origin" in answer.headers["vary"].lower()
    asked = await shop.client.request(method, path, headers={"origin": SHOP}, content="{}")
    assert asked.headers["access-control-allow-origin"] == SHOP
    assert {"location", "keystead-decision"} <= set(asked.headers["access-control-expose-headers"].split(", "))
    for headers in (answer.headers, asked.headers):
        assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://a.b.shop.example",
        "https://evilshop.example",
        "null",
        "*",
        "https://*.shop.example.evil",
    ],
)
async def test_a_page_of_somebody_else_may_not(shop: World, origin: str) -> None:
    for method, path in ROUTES:
        asking = {"origin": origin, "access-control-request-method": method}
        answer = await shop.client.options(path, headers=asking)
        assert "access-control-allow-origin" not in answer.headers
        asked = await shop.client.request(method, path, headers={"origin": origin}, content="{}")
        assert "access-control-allow-origin" not in asked.headers
        assert asked.status_code == 403
        assert "did not come from our own page" in asked.text


async def test_a_wildcard_stands_for_one_label(shop: World) -> None:
    asking = {"origin": "https://a.shop.example", "access-control-request-method": "POST"}
    answer = await shop.client.options("/oauth/token", headers=asking)
    assert answer.headers["access-control-allow-origin"] == "https://a.shop.example"


async def test_pages_and_the_management_api_are_for_nobody_s_scripts(shop: World) -> None:
    for path in ("/authorize", "/u/login", "/api/v2/users", "/oauth/par", "/v2/logout", "/"):
        asking = {"origin": SHOP, "access-control-request-method": "GET"}
        answer = await shop.client.options(path, headers=asking)
        assert "access-control-allow-origin" not in answer.headers, path


async def test_discovery_and_keys_are_for_everybody(shop: World) -> None:
    for path in ("/.well-known/openid-configuration", "/.well-known/jwks.json"):
        answer = await shop.client.get(path, headers={"origin": "https://anybody.example"})
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_an_origin_that_is_taken_off_the_list_is_out_within_seconds(world: World) -> None:
    client = await world.new_client(app_type="spa", web_origins=[SHOP])
    asking = {"origin": SHOP, "access-control-request-method": "POST"}
    assert "access-control-allow-origin" in (await world.client.options("/oauth/token", headers=asking)).headers
    await world.patch_client(client["client_id"], web_origins=[])
    world.clock.advance(seconds=10)
    assert "access-control-allow-origin" not in (await world.client.options("/oauth/token", headers=asking)).headers
