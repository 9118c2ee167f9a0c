"""Logouts that nobody wanted, and logouts that lead astray."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from authenticator import b64url, unb64url
from keystead.oauth.keys import KeyRing
from visitor import Visitor, exchange
from world import PUBLIC_URL, World, claims_of

BYE = "https://shop.example/bye"

ASTRAY = {
    "another site": "https://evil.example",
    "no scheme": "//evil.example",
    "a backslash": "/\\evil.example",
    "another scheme": "http://shop.example/bye",
    "a script": "javascript:alert(1)",
    "a registered name before": "https://shop.example.evil.example/bye",
    "a registered name as user": "https://shop.example@evil.example/bye",
    "a registered name in the query": "https://evil.example/?https://shop.example/bye",
    "another port": "https://shop.example:8443/bye",
    "one path further": "https://shop.example/bye/x",
    "a step back": "https://shop.example/bye/../elsewhere",
    "a query more": "https://shop.example/bye?x=y",
    "a fragment": "https://shop.example/bye#x",
    "upper case": "HTTPS://SHOP.EXAMPLE/bye",
    "percent": "https://shop.example/b%79e",
    "a blank after": "https://shop.example/bye ",
    "a line after": "https://shop.example/bye\r\nset-cookie: a=b",
    "ours, unregistered": f"{PUBLIC_URL}/u/account",
    "a path": "/",
}
ENDPOINTS = {"/v2/logout": "returnTo", "/oidc/logout": "post_logout_redirect_uri"}


async def logged_in(world: World, **more: Any) -> tuple[Visitor, dict[str, Any]]:
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(**more))
    return visitor, (await exchange(world, landed.answer["code"])).json()


async def has_session(visitor: Visitor) -> bool:
    return "code" in (await visitor.authorize(prompt="none")).answer


@pytest.fixture
async def shop(world: World) -> str:
    """Ann has an account, and the default client registered BYE."""
    await world.person()
    await world.patch_client(world.client_id, allowed_logout_urls=[BYE])
    return BYE


# --- where it leads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_rfc9700_4_11_2_a_logout_is_no_open_redirector(world: World, shop: str, endpoint: str) -> None:
    """RFC 9700 §4.11.2, RP-Initiated Logout §3: byte for byte, or a page of ours; and then nobody is logged out."""
    visitor, tokens = await logged_in(world)
    for name, url in ASTRAY.items():
        for who in ({"client_id": world.client_id}, {"id_token_hint": tokens["id_token"]}, {"client_id": "nobody"}, {}):
            asked = urlencode({ENDPOINTS[endpoint]: url, **who})
            answer = await visitor.client.get(f"{endpoint}?{asked}")
            assert answer.status_code == 400, (name, who)
            assert "location" not in answer.headers
            assert "evil" not in answer.text
            assert "evil" not in answer.headers["content-security-policy"]
    assert await has_session(visitor)


async def test_rfc9700_4_11_2_the_word_of_the_person_registers_nothing(world: World, shop: str) -> None:
    visitor, _ = await logged_in(world)
    asked = urlencode({"client_id": world.client_id, "post_logout_redirect_uri": BYE})
    form = (await visitor.open(f"/oidc/logout?{asked}")).form("/u/logout")
    for name, url in ASTRAY.items():
        landed = await visitor.send(form, post_logout_redirect_uri=url)
        assert (landed.response.status_code, landed.response.headers.get("location")) == (400, None), name
    assert await has_session(visitor)


async def test_a_client_goes_only_to_urls_of_its_own(world: World, shop: str) -> None:
    other = (await world.new_client("Other"))["client_id"]
    tenant = {"allowed_logout_urls": ["https://all.example/out"]}
    assert (await world.manage("PATCH", "/tenants/settings", tenant)).is_success
    for client_id, url in ((other, BYE), (world.client_id, "https://all.example/out"), ("nobody", BYE)):
        for endpoint, name in ENDPOINTS.items():
            answer = await world.client.get(endpoint, params={"client_id": client_id, name: url})
            assert (answer.status_code, answer.headers.get("location")) == (400, None)


async def test_a_state_stays_within_the_query(world: World, shop: str) -> None:
    state = "x\r\nset-cookie: a=b&code=c#d"
    asked = {"client_id": world.client_id, "post_logout_redirect_uri": BYE, "state": state}
    answer = await world.client.get("/oidc/logout", params=asked)
    assert answer.headers["location"] == f"{BYE}?state=x%0D%0Aset-cookie%3A+a%3Db%26code%3Dc%23d"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_parameter_that_comes_twice_is_refused(world: World, shop: str, endpoint: str) -> None:
    name = ENDPOINTS[endpoint]
    pairs = [("client_id", world.client_id), (name, BYE), (name, "https://evil.example")]
    answer = await world.client.get(f"{endpoint}?{urlencode(pairs)}")
    assert (answer.status_code, answer.headers.get("location")) == (400, None)


# --- hints that prove nothing -------------------------------------------------------------------------------------


def unsigned(token: str) -> str:
    header = b64url(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    return f"{header}.{token.split('.')[1]}."


def bent(token: str) -> str:
    """Somebody else's subject under the old signature."""
    head, payload, signature = token.split(".")
    claims = json.loads(unb64url(payload)) | {"sub": "auth0|somebody"}
    return ".".join((head, b64url(json.dumps(claims).encode()), signature))


async def test_asvs_10_6_2_a_hint_that_is_not_ours_ends_nothing(world: World, shop: str) -> None:
    """ASVS 5.0 10.6.2; RP-Initiated Logout §2: a hint of another issuer, forged, or no ID token is an error."""
    visitor, tokens = await logged_in(world)
    ring: KeyRing = world.app.state.flows.keys
    claims = claims_of(tokens["id_token"])
    hints = {
        "no token": "x",
        "unsigned": unsigned(tokens["id_token"]),
        "bent": bent(tokens["id_token"]),
        "cut": tokens["id_token"][:-3],
        "an access token": tokens["access_token"],
        "a logout token": await ring.sign(claims, "logout+jwt"),
        "another issuer's": await ring.sign(claims | {"iss": "https://evil.example/"}, "JWT"),
        "from the future": await ring.sign(claims | {"iat": claims["iat"] + 3600, "exp": claims["exp"] + 3600}, "JWT"),
    }
    for name, hint in hints.items():
        for more in ({}, {"post_logout_redirect_uri": BYE}, {"client_id": world.client_id}):
            landed = await visitor.open(f"/oidc/logout?{urlencode({'id_token_hint': hint, **more})}")
            assert (landed.response.status_code, landed.response.headers.get("location")) == (400, None), name
            assert hint not in landed.text or name == "no token"
    assert await has_session(visitor)


async def test_a_hint_that_was_issued_to_another_client_is_an_error(world: World, shop: str) -> None:
    other = (await world.new_client("Other", allowed_logout_urls=[BYE]))["client_id"]
    visitor, tokens = await logged_in(world)
    asked = urlencode({"id_token_hint": tokens["id_token"], "client_id": other, "post_logout_redirect_uri": BYE})
    assert (await visitor.open(f"/oidc/logout?{asked}")).response.status_code == 400
    assert await has_session(visitor)


# --- logouts that nobody wanted -------------------------------------------------------------------------------------

UNSEEN = {
    "an image": {"sec-fetch-dest": "image", "sec-fetch-mode": "no-cors"},
    "a frame": {"sec-fetch-dest": "iframe", "sec-fetch-mode": "navigate"},
    "an object": {"sec-fetch-dest": "object", "sec-fetch-mode": "navigate"},
    "a script's request": {"sec-fetch-dest": "empty", "sec-fetch-mode": "cors"},
    "a prefetch": {"sec-fetch-dest": "empty", "sec-fetch-mode": "no-cors", "sec-purpose": "prefetch"},
    "a prerendered page": {"sec-fetch-dest": "document", "sec-purpose": "prefetch;prerender"},
}


@pytest.mark.parametrize("what", UNSEEN)
async def test_nothing_that_no_person_sees_logs_out(world: World, shop: str, what: str) -> None:
    """A page that is full of images of our logout would log its readers out, wherever cookies go along."""
    visitor, tokens = await logged_in(world)
    for path in ("/v2/logout", f"/oidc/logout?{urlencode({'id_token_hint': tokens['id_token']})}"):
        answer = await visitor.client.get(path, headers=UNSEEN[what])
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert await has_session(visitor)
    visited = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "cross-site"}
    assert (await visitor.client.get("/v2/logout", headers=visited)).status_code == 200
    assert not await has_session(visitor)


async def test_nobody_else_s_page_says_yes(world: World, shop: str) -> None:
    """CSRF on the question itself."""
    visitor, _ = await logged_in(world)
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        answer = await visitor.client.post("/u/logout", data={"client_id": world.client_id}, headers=headers)
        assert answer.status_code == 403, headers
    assert (await visitor.client.get("/u/logout")).status_code == 405
    assert await has_session(visitor)


async def test_the_question_cannot_be_framed(world: World, shop: str) -> None:
    visitor, _ = await logged_in(world)
    landed = await visitor.open(f"/oidc/logout?client_id={world.client_id}")
    assert "frame-ancestors 'none'" in landed.response.headers["content-security-policy"]
    assert landed.response.headers["cache-control"] == "no-store"


async def test_the_shown_target_cannot_bend_the_policy(world: World) -> None:
    """The page's Content-Security-Policy names where the form ends, so nothing unregistered may get into it."""
    await world.person()
    visitor, _ = await logged_in(world)
    asked = urlencode({"client_id": world.client_id, "post_logout_redirect_uri": "https://x;script-src *"})
    landed = await visitor.open(f"/oidc/logout?{asked}")
    assert landed.response.status_code == 400
    assert "script-src *" not in landed.response.headers["content-security-policy"]
