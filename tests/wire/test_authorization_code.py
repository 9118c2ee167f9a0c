"""The authorization code flow with PKCE, end to end over HTTP, by a browser without scripts (RFC 6749, 7636, 9700)."""

from typing import Any

import pytest

from authenticator import Authenticator
from keystead.db import tables
from visitor import CALLBACK, CHALLENGE, VERIFIER, Form, Visitor, authorize_url, exchange
from world import PASSWORD, World, claims_of

ISSUER = "http://localhost:8000/"
SHOP = "https://shop.example/callback"
SPOILT = {"error": "invalid_grant", "error_description": "Invalid authorization code"}


async def code_for(world: World, **more: Any) -> str:
    """Log Ann in with her password in a fresh browser, and return the code."""
    visitor = Visitor.of(world)
    return (await visitor.log_in(await visitor.authorize(**more))).answer["code"]


async def logged_in(world: World) -> Visitor:
    """Return a browser in which Ann has a session."""
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize())
    return visitor


async def test_sign_up_with_a_password(world: World) -> None:
    visitor = Visitor.of(world)
    first = await visitor.authorize(screen_hint="signup")
    assert first.path == "/u/signup/identifier"
    landed = await visitor.sign_up(first, "Ann@Example.com")
    assert landed.response.status_code == 303
    assert landed.target.startswith(CALLBACK + "?")
    assert sorted(landed.answer) == ["code", "iss", "state"]
    answer = await exchange(world, landed.answer["code"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert claims_of(answer.json()["id_token"])["email"] == "ann@example.com"


async def test_log_in_with_a_password(world: World) -> None:
    user_id = await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    assert landed.answer["state"] == "a state"
    assert landed.answer["iss"] == ISSUER
    found = (await exchange(world, landed.answer["code"])).json()
    assert list(found) == ["access_token", "id_token", "scope", "expires_in", "token_type"]
    assert found["scope"] == "openid profile email"
    claims = claims_of(found["id_token"])
    assert claims["nonce"] == "a nonce"
    assert (claims["sub"], claims["aud"], claims["amr"]) == (user_id, world.client_id, ["pwd"])
    assert claims["sid"] == claims_of(found["access_token"])["sid"]
    assert claims["auth_time"] == int(world.clock().timestamp())
    assert (await world.userinfo(found["access_token"])).status_code == 200


async def test_log_in_with_a_passkey(world: World) -> None:
    device = Authenticator()
    signed_up = await world.register(device)
    visitor = Visitor.of(world)
    landed = await visitor.log_in_with(device, await visitor.authorize(scope="openid offline_access"))
    found = (await exchange(world, landed.answer["code"])).json()
    assert claims_of(found["id_token"])["amr"] == ["phr"]
    assert claims_of(found["id_token"])["sub"] == claims_of(signed_up["id_token"])["sub"]
    assert found["refresh_token"].startswith("kr_")


async def test_the_address_that_was_hinted_at_is_there(world: World) -> None:
    landed = await Visitor.of(world).authorize(login_hint="ann@example.com")
    assert landed.form("/login/identifier").fields["username"] == "ann@example.com"


ODD = [
    "",
    " ",
    "a state",
    "+&=#%?",
    "%00%0d%0a",
    "Ünïcödé 🦊 \u202e",
    "<script>alert(1)</script>",
    "\"\\'",
    "a\r\nset-cookie: x=y",
    "x" * 1500,
    "null",
    "=" * 20,
]


@pytest.mark.parametrize("odd", ODD, ids=[ascii(odd)[:30] for odd in ODD])
async def test_state_and_nonce_come_back_byte_for_byte(shared_world: World, odd: str) -> None:
    email = f"odd{ODD.index(odd)}@example.com"
    await shared_world.person(email)
    visitor = Visitor.of(shared_world)
    landed = await visitor.log_in(await visitor.authorize(state=odd, nonce=odd), email)
    assert landed.answer["state"] == odd
    assert claims_of((await exchange(shared_world, landed.answer["code"])).json()["id_token"])["nonce"] == odd
    refused = await Visitor.of(shared_world).authorize(state=odd, response_type="token")
    assert refused.answer["state"] == odd


async def test_without_state_and_nonce_there_are_none(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(state=None, nonce=None))
    assert sorted(landed.answer) == ["code", "iss"]
    assert "nonce" not in claims_of((await exchange(world, landed.answer["code"])).json()["id_token"])


# --- what a code is bound to -------------------------------------------------------------------------------------


async def test_a_second_use_ends_what_the_first_one_gave(world: World) -> None:
    await world.person()
    code = await code_for(world, scope="openid offline_access")
    other = (await exchange(world, await code_for(world, scope="openid offline_access"))).json()["refresh_token"]
    first = (await exchange(world, code)).json()
    rotated = await world.token("refresh_token", refresh_token=first["refresh_token"])
    assert rotated.status_code == 200
    again = await exchange(world, code)
    assert (again.status_code, again.json()) == (403, SPOILT)
    late = await world.token("refresh_token", refresh_token=first["refresh_token"])
    assert late.json() == {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
    assert (await world.token("refresh_token", refresh_token=other)).status_code == 200


async def test_a_second_use_after_rotation_ends_the_newest_too(world: World) -> None:
    await world.person()
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating"})
    code = await code_for(world, scope="openid offline_access")
    first = (await exchange(world, code)).json()["refresh_token"]
    second = (await world.token("refresh_token", refresh_token=first)).json()["refresh_token"]
    world.clock.advance(minutes=10)
    assert (await exchange(world, code)).status_code == 403
    assert (await world.token("refresh_token", refresh_token=second)).status_code == 403
    assert await world.count(tables.RefreshToken) == 0


WRONG_VERIFIERS: dict[str, Any] = {
    "another": "another-verifier-of-at-least-forty-three-characters",
    "none": None,
    "empty": "",
    "the challenge": CHALLENGE,
    "too short": VERIFIER[:42],
    "longer": VERIFIER + "x",
    "too long": VERIFIER + "x" * 128,
    "in capitals": VERIFIER.upper(),
    "with a newline": VERIFIER + "\n",
    "with an accent": VERIFIER[:-1] + "é",
}


@pytest.mark.parametrize("which", WRONG_VERIFIERS)
async def test_a_wrong_verifier_spoils_the_code(shared_world: World, which: str) -> None:
    await shared_world.signup()
    code = await code_for(shared_world)
    answer = await exchange(shared_world, code, code_verifier=WRONG_VERIFIERS[which])
    assert answer.status_code == 403
    assert answer.json() == {"error": "invalid_grant", "error_description": "Failed to verify code verifier"}
    assert (await exchange(shared_world, code)).json() == SPOILT


async def confidential(world: World, **more: Any) -> dict[str, Any]:
    """Make a client that can keep a secret."""
    return await world.new_client(app_type="regular_web", callbacks=[SHOP], **more)


async def test_a_verifier_without_a_challenge_is_refused(world: World) -> None:
    """What is left when somebody strips PKCE from the request on the way (RFC 9700 §4.8.2)."""
    await world.person()
    client = await confidential(world)
    pair = client["client_id"], client["client_secret"]
    asked = {"client_id": pair[0], "redirect_uri": SHOP, "code_challenge": None, "code_challenge_method": None}
    body = {"redirect_uri": SHOP}
    code = await code_for(world, **asked)
    stripped = await world.token("authorization_code", auth=pair, code=code, code_verifier=VERIFIER, **body)
    assert (stripped.status_code, stripped.json()["error_description"]) == (403, "Failed to verify code verifier")
    code = await code_for(world, **asked)
    assert (await world.token("authorization_code", auth=pair, code=code, **body)).status_code == 200
    code = await code_for(world, **asked)
    without = await world.token("authorization_code", auth=pair, code=code)
    assert without.json() == {
        "error": "invalid_grant",
        "error_description": "The redirect URI of the authorization request is missing.",
    }


async def test_a_code_is_its_client_s_alone(world: World) -> None:
    await world.person()
    other = await world.new_client(app_type="spa", callbacks=["/"])
    client = await confidential(world)
    code = await code_for(world)
    stolen = await exchange(world, code, client_id=other["client_id"])
    assert (stolen.status_code, stolen.json()) == (403, SPOILT)
    assert (await exchange(world, code)).json() == SPOILT, "spent by the attempt"
    asked = {"client_id": client["client_id"], "redirect_uri": SHOP}
    code = await code_for(world, **asked)
    unproved = await exchange(world, code, client_id=client["client_id"], redirect_uri=SHOP)
    assert unproved.status_code == 401


async def test_a_code_is_bound_to_its_redirect_uri(world: World) -> None:
    await world.person()
    for uri in ("http://localhost:8000", "http://localhost:8000/?", "http://localhost:8001/", "HTTP://localhost:8000/"):
        answer = await exchange(world, await code_for(world), redirect_uri=uri)
        assert answer.status_code == 403
        assert answer.json() == {
            "error": "invalid_grant",
            "error_description": "The redirect URI is not the one of the authorization request.",
        }
    assert (await exchange(world, await code_for(world), redirect_uri=None)).status_code == 200


async def test_a_code_lives_a_minute(world: World) -> None:
    await world.person()
    in_time, late = await code_for(world), await code_for(world)
    world.clock.advance(seconds=59)
    assert (await exchange(world, in_time)).status_code == 200
    world.clock.advance(seconds=1)
    assert (await exchange(world, late)).json() == SPOILT


@pytest.mark.parametrize("code", ["nonsense", "x" * 9000, "ü"])
async def test_a_code_that_never_was(shared_world: World, code: str) -> None:
    answer = await exchange(shared_world, code)
    assert (answer.status_code, answer.json()) == (403, SPOILT)


async def test_a_code_of_somebody_who_was_blocked_or_deleted_meanwhile(world: World) -> None:
    user_id = await world.person()
    code, spare = await code_for(world), await code_for(world)
    await world.block(user_id)
    answer = await exchange(world, code)
    assert (answer.status_code, answer.json()["error_description"]) == (401, "user is blocked")
    await world.delete_user(user_id)
    assert (await exchange(world, spare)).json() == SPOILT


# --- where a browser may be sent ---------------------------------------------------------------------------------

REGISTERED = [SHOP, "https://shop.example/with?query=1", "http://127.0.0.1/app", "http://[::1]:7000/app", "app://done"]

NOT_REGISTERED = [
    "",
    "https://shop.example",
    "https://shop.example/",
    "https://shop.example/callback/",
    "https://shop.example/callback?x=1",
    "https://shop.example/callback#",
    "https://shop.example/callback#x",
    "https://shop.example/Callback",
    "https://SHOP.example/callback",
    "HTTPS://shop.example/callback",
    "http://shop.example/callback",
    "https://shop.example:443/callback",
    "https://shop.example:8443/callback",
    "https://user@shop.example/callback",
    "https://shop.example@evil.example/callback",
    "https://shop.example.evil.example/callback",
    "https://shop.example/callback/../admin",
    "https://shop.example/%63allback",
    "https://shop.example\\@evil.example/callback",
    "https://evil.example/?https://shop.example/callback",
    "//shop.example/callback",
    "/callback",
    "/",
    " https://shop.example/callback",
    "https://shop.example/callback ",
    "https://shop.example/with",
    "https://shop.example/with?query=1&more=2",
    "http://127.0.0.1:8000/other",
    "http://127.0.0.1:8000@evil.example/app",
    "http://127.0.0.1:99999999/app",
    "http://127.0.0.1.evil.example/app",
    "http://localhost:8000/app",
    "http://2130706433/app",
    "https://127.0.0.1:8000/app",
    "http://127.0.0.1:8000/app#x",
    "javascript:alert(1)",
    "data:text/html,x",
    "app://done/more",
    "app:done",
]


@pytest.fixture(scope="module")
async def shop(shared_world: World) -> dict[str, Any]:
    """A client with pages and programs elsewhere."""
    return await shared_world.new_client(app_type="native", callbacks=REGISTERED, name="Shop")


@pytest.mark.parametrize("redirect_uri", NOT_REGISTERED)
async def test_nobody_is_sent_where_no_client_registered(
    shared_world: World, shop: dict[str, Any], redirect_uri: str
) -> None:
    for more in ({}, {"response_type": "token"}, {"prompt": "none"}):
        asked = {"client_id": shop["client_id"], "redirect_uri": redirect_uri} | more
        answer = await shared_world.client.get(authorize_url(shared_world, asked))
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert answer.headers["content-type"].startswith("text/html")
        assert "Callback URL mismatch" in answer.text
        assert not redirect_uri or len(redirect_uri) < 4 or redirect_uri not in answer.text
    missing = await shared_world.client.get(
        authorize_url(shared_world, {"client_id": shop["client_id"], "redirect_uri": None})
    )
    assert missing.status_code == 400


@pytest.mark.parametrize(
    "redirect_uri",
    [
        *REGISTERED,
        "http://127.0.0.1:1/app",
        "http://127.0.0.1:65000/app",
        "http://[::1]/app",
        "http://[::1]:8123/app",
    ],
)
async def test_only_the_port_of_a_native_apps_loopback_may_vary(
    shared_world: World, shop: dict[str, Any], redirect_uri: str
) -> None:
    asked = {"client_id": shop["client_id"], "redirect_uri": redirect_uri, "prompt": "none"}
    answer = await shared_world.client.get(authorize_url(shared_world, asked))
    assert answer.status_code == 303
    target = answer.headers["location"]
    assert target.startswith(redirect_uri + ("&" if "?" in redirect_uri else "?") + "error=login_required")


async def test_of_what_is_no_native_app_no_port_varies(shared_world: World) -> None:
    pages = await shared_world.new_client(app_type="spa", callbacks=["http://127.0.0.1/app"], name="Pages")
    for redirect_uri, status in (("http://127.0.0.1/app", 303), ("http://127.0.0.1:8123/app", 400)):
        asked = {"client_id": pages["client_id"], "redirect_uri": redirect_uri, "prompt": "none"}
        answer = await shared_world.client.get(authorize_url(shared_world, asked))
        assert answer.status_code == status


@pytest.mark.parametrize("client_id", ["", "nobody", "x" * 5000, "ü", "' OR 1=1"])
async def test_an_unknown_client_is_a_page(shared_world: World, client_id: str) -> None:
    answer = await shared_world.client.get(authorize_url(shared_world, client_id=client_id))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "Unknown client." in answer.text


async def test_a_parameter_twice_is_a_page(shared_world: World) -> None:
    for name in ("client_id", "redirect_uri", "state", "code_challenge", "scope"):
        answer = await shared_world.client.get(authorize_url(shared_world) + f"&{name}=again")
        assert answer.status_code == 400
        assert "location" not in answer.headers


# --- what a client is told ---------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, str | None], str, str]] = [
    ({"response_type": "token"}, "unsupported_response_type", "Only the response type 'code' is supported"),
    ({"response_type": "id_token token"}, "unsupported_response_type", "Only the response type 'code' is supported"),
    ({"response_type": "code id_token"}, "unsupported_response_type", "Only the response type 'code' is supported"),
    ({"response_type": None}, "unsupported_response_type", "Only the response type 'code' is supported"),
    (
        {"response_mode": "fragment"},
        "invalid_request",
        "The response mode must be one of query, form_post, web_message",
    ),
    ({"response_mode": "page"}, "invalid_request", "The response mode must be one of query, form_post, web_message"),
    ({"request": "e30.e30."}, "request_not_supported", "Request objects are not supported"),
    ({"code_challenge": None}, "invalid_request", "Missing required parameter: code_challenge"),
    ({"code_challenge": ""}, "invalid_request", "Missing required parameter: code_challenge"),
    ({"code_challenge_method": "plain"}, "invalid_request", "code_challenge_method must be S256"),
    ({"code_challenge_method": None}, "invalid_request", "code_challenge_method must be S256"),
    ({"code_challenge_method": "s256"}, "invalid_request", "code_challenge_method must be S256"),
    ({"code_challenge": VERIFIER}, "invalid_request", "code_challenge_method must be S256"),
    ({"code_challenge": CHALLENGE + "="}, "invalid_request", "code_challenge_method must be S256"),
    ({"prompt": "perhaps"}, "invalid_request", "Unknown prompt"),
    ({"prompt": "none login"}, "invalid_request", "prompt=none cannot be combined with another prompt"),
    ({"prompt": "login perhaps"}, "invalid_request", "Unknown prompt"),
    ({"max_age": "soon"}, "invalid_request", "max_age must be a number of seconds"),
    ({"max_age": "-1"}, "invalid_request", "max_age must be a number of seconds"),
    ({"scope": 'openid "x"'}, "invalid_scope", "Malformed scope"),
    ({"audience": "https://nowhere.example"}, "access_denied", "Service not found: https://nowhere.example"),
    ({"connection": "nowhere"}, "invalid_request", "no connection is enabled for the client"),
    ({"connection": "Administrators"}, "invalid_request", "no connection is enabled for the client"),
    ({"prompt": "none"}, "login_required", "Login required"),
]


@pytest.mark.parametrize(("change", "error", "text"), REFUSED, ids=[str(change) for change, _, _ in REFUSED])
async def test_the_client_learns_what_is_wrong(
    shared_world: World, change: dict[str, str | None], error: str, text: str
) -> None:
    before = await shared_world.count(tables.Transaction)
    landed = await Visitor.of(shared_world).authorize(change)
    assert landed.response.status_code == 303
    assert landed.target.startswith(CALLBACK + "?")
    assert landed.answer == {"error": error, "error_description": text, "state": "a state", "iss": ISSUER}
    assert await shared_world.count(tables.Transaction) == before


async def test_a_client_without_the_grant(world: World) -> None:
    client = await world.new_client(app_type="spa", callbacks=[SHOP], grant_types=["password"])
    landed = await Visitor.of(world).authorize(client_id=client["client_id"], redirect_uri=SHOP)
    assert landed.answer["error"] == "unauthorized_client"


async def test_a_client_without_a_connection(world: World) -> None:
    client = await world.new_client(app_type="spa", callbacks=[SHOP])
    switch = [{"client_id": client["client_id"], "status": False}]
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    landed = await Visitor.of(world).authorize(client_id=client["client_id"], redirect_uri=SHOP)
    assert landed.answer["error"] == "invalid_request"


async def test_the_refused_scope_is_left_out(world: World) -> None:
    await world.person()
    code = await code_for(world, scope="openid read:users unheard:of email")
    assert (await exchange(world, code)).json()["scope"] == "openid email"


# --- single sign-on ----------------------------------------------------------------------------------------------


async def test_a_second_client_needs_no_second_login(world: World) -> None:
    await world.person()
    visitor = await logged_in(world)
    other = await world.new_client(app_type="spa", callbacks=[SHOP])
    world.clock.advance(minutes=5)
    landed = await visitor.authorize(client_id=other["client_id"], redirect_uri=SHOP)
    assert landed.target.startswith(SHOP)
    answer = await exchange(world, landed.answer["code"], client_id=other["client_id"], redirect_uri=SHOP)
    claims = claims_of(answer.json()["id_token"])
    assert claims["auth_time"] == int(world.clock().timestamp()) - 300
    silent = await visitor.authorize(client_id=other["client_id"], redirect_uri=SHOP, prompt="none")
    assert "code" in silent.answer
    assert (await Visitor.of(world).authorize(prompt="none")).answer["error"] == "login_required"


@pytest.mark.parametrize("prompt", ["login", "select_account"])
async def test_a_client_may_ask_for_a_new_login(world: World, prompt: str) -> None:
    await world.person()
    visitor = await logged_in(world)
    world.clock.advance(minutes=5)
    landed = await visitor.authorize(prompt=prompt)
    assert landed.path == "/u/login/identifier"
    landed = await visitor.log_in(landed)
    claims = claims_of((await exchange(world, landed.answer["code"])).json()["id_token"])
    assert claims["auth_time"] == int(world.clock().timestamp())


async def test_a_client_may_ask_for_a_recent_login(world: World) -> None:
    await world.person()
    visitor = await logged_in(world)
    world.clock.advance(seconds=99)
    assert "code" in (await visitor.authorize(max_age="100")).answer
    world.clock.advance(seconds=1)
    assert (await visitor.authorize(max_age="100")).path == "/u/login/identifier"
    assert (await visitor.authorize(max_age="0")).path == "/u/login/identifier"
    assert (await visitor.authorize(max_age="100", prompt="none")).answer["error"] == "login_required"


async def test_a_session_ends_unused_and_in_any_case(world: World) -> None:
    await world.person()
    visitor = await logged_in(world)
    for _ in range(6):
        world.clock.advance(hours=27)
        assert "code" in (await visitor.authorize(prompt="none")).answer
    world.clock.advance(hours=6)
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    visitor = await logged_in(world)
    world.clock.advance(hours=72)
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"


async def test_a_session_ends_with_a_block_and_with_the_account(world: World) -> None:
    user_id = await world.person()
    visitor = await logged_in(world)
    await world.block(user_id)
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    await world.block(user_id, False)
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    visitor = await logged_in(world)
    await world.delete_user(user_id)
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"


async def test_logging_out_ends_the_session(world: World) -> None:
    user_id = await world.person()
    await world.patch_client(world.client_id, allowed_logout_urls=["https://shop.example/bye"])
    for query, target in (
        ("", None),
        (f"?client_id={world.client_id}&returnTo=https://shop.example/bye", "https://shop.example/bye"),
        (f"?client_id={'x' * 300}", None),
    ):
        visitor = await logged_in(world)
        landed = await visitor.open(f"/v2/logout{query}")
        assert landed.response.headers.get("location") == target
        assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
        assert (await world.journal(user_id))[-1] == "slo"
    visitor = await logged_in(world)
    for return_to in ("https://evil.example", "https://shop.example/bye?x", "//evil.example", "/"):
        landed = await visitor.open(f"/v2/logout?client_id={world.client_id}&returnTo={return_to}")
        assert landed.response.status_code == 400
        assert "location" not in landed.response.headers
    assert "code" in (await visitor.authorize(prompt="none")).answer


async def test_a_blocked_person_is_sent_back_with_the_reason(world: World) -> None:
    """LG-6; and only after the right password."""
    user_id = await world.person()
    await world.block(user_id)
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    wrong = await visitor.send(landed.form("/login/password"), password="wrong")
    assert wrong.response.status_code == 403
    assert "blocked" not in wrong.text
    right = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    assert right.answer == {
        "error": "unauthorized",
        "error_description": "user is blocked",
        "state": "a state",
        "iss": ISSUER,
    }
    assert await world.open_sessions() == 0


# --- the pages in between ----------------------------------------------------------------------------------------


async def test_a_login_belongs_to_the_browser_that_began_it(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    for path in ("/u/login/identifier", "/u/login", "/u/login/password", "/u/passkey-enrollment"):
        stranger = await Visitor.of(world).open(f"{path}?{landed.response.url.query.decode()}")
        assert stranger.response.status_code == 400
        assert "This sign-in has expired" in stranger.text
    stolen = await Visitor.of(world).send(landed.form("/login/identifier"), username="mallory@example.com")
    assert stolen.response.status_code == 400
    assert "code" in (await visitor.log_in(landed)).answer


async def test_a_login_ends_after_an_hour(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    world.clock.advance(seconds=3600)
    late = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    assert late.response.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8001"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost:8000"},
    ],
)
async def test_a_form_from_elsewhere_is_refused(world: World, headers: dict[str, str]) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    form = landed.form("/login/password")
    answer = await visitor.client.post(form.action, data={"password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "did not come from our own page" in answer.text
    assert await world.open_sessions() == 0
    assert world.hasher.verified == 0


async def test_asking_out_of_turn_gets_nowhere(world: World) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    query = landed.response.url.query.decode()
    for path in ("/u/login", "/u/login/password", "/u/signup/password", "/u/signup/passkey", "/u/passkey-enrollment"):
        there = await visitor.open(f"{path}?{query}")
        assert there.path == "/u/login/identifier", path
        sent = await visitor.send(Form(f"{path}?{query}"), password=PASSWORD, action="skip")
        assert sent.path in ("/u/login/identifier", "/u/login"), path
    assert await world.count(tables.AuthorizationCode) == 0


async def test_a_get_changes_nothing(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    before = await world.counts()
    query = landed.form("/login/password").action.partition("?")[2]
    await visitor.open(f"/u/login/password?{query}&password={PASSWORD}")
    await visitor.open(f"/u/login/passkey/options?{query}")
    assert await world.counts() == before
    assert world.hasher.verified == 0
