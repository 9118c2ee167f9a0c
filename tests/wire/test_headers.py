"""What every answer carries, whatever it is about."""

import re

import pytest

from conftest import Stencil
from visitor import Visitor, authorize_url
from world import World, open_world

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
PATHS = [
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/authorize"),
    ("GET", "/v2/logout"),
    ("GET", "/oidc/logout"),
    ("GET", "/u/login"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/userinfo"),
    ("POST", "/oauth/token"),
    ("POST", "/passkey/register"),
    ("POST", "/dbconnections/signup"),
    ("GET", "/me/v1/authentication-methods"),
    ("GET", "/api/v2/users"),
    ("GET", "/nowhere"),
    ("DELETE", "/oauth/token"),
    ("GET", "/avatars/an.svg"),
    ("GET", "/static/css/pages.css"),
    ("GET", "/favicon.ico"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_every_answer_carries_them(shared_world: World, method: str, path: str) -> None:
    answer = await shared_world.client.request(method, path)
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers
    assert ("access-control-allow-origin" in answer.headers) is path.startswith("/.well-known/")
    assert "strict-transport-security" not in answer.headers, "over plain http it means nothing"
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", answer.headers["x-request-id"])


async def test_each_answer_has_a_number_of_its_own(world: World) -> None:
    asked = {"x-request-id": "mine"}
    seen = {(await world.client.get("/healthz", headers=asked)).headers["x-request-id"] for _ in range(20)}
    assert len(seen) == 20
    assert "mine" not in seen


async def test_behind_tls_browsers_are_told_to_stay_there(installation: Stencil) -> None:
    settings = installation.settings.model_copy(update={"public_url": "https://localhost:8443"})
    async with open_world(settings, installation.document) as world:
        for path in ("/", "/healthz", "/userinfo", "/nowhere"):
            header = (await world.client.get(path)).headers["strict-transport-security"]
            assert header == "max-age=31536000; includeSubDomains"
        found = (await world.client.get("/.well-known/openid-configuration")).json()
        assert found["issuer"] == "https://localhost:8443/"
        assert all(
            url.startswith("https://localhost:8443/") for name, url in found.items() if name.endswith("_endpoint")
        )


async def test_pages_run_only_scripts_of_ours(world: World) -> None:
    landed = await Visitor.of(world).authorize(redirect_uri="http://localhost:8000/")
    policy = dict(
        directive.split(" ", 1) for directive in landed.response.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"].startswith("'self'")
    assert landed.response.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*\bsrc=)", landed.text)
    assert not re.search(r"\son[a-z]+=", landed.text)
    assert "style=" not in landed.text


async def test_a_form_may_end_at_the_client_that_asked(world: World) -> None:
    for redirect_uri, source in (
        ("https://shop.example/callback", "https://shop.example"),
        ("app://done", "app://done"),
    ):
        client = await world.new_client(app_type="spa", callbacks=[redirect_uri])
        landed = await Visitor.of(world).authorize(client_id=client["client_id"], redirect_uri=redirect_uri)
        policy = landed.response.headers["content-security-policy"]
        assert f"form-action 'self' {source}" in policy


async def test_secrets_are_not_cached(world: World) -> None:
    await world.person()
    answers = [
        await world.login(),
        await world.guess(),
        await world.begin_register("new@example.com"),
        await world.begin_challenge(),
        await world.userinfo("x"),
        await world.client.get(authorize_url(world)),
    ]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
