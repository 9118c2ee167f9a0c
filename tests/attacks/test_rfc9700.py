"""The OAuth 2.0 Security Best Current Practice (RFC 9700), section by section: each demand on a server is a test.

Many have tests of their own elsewhere that go deeper; here each stands once, under its number.
"""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from keystead.db import tables
from visitor import CALLBACK, CHALLENGE, VERIFIER, Visitor, authorize_url, exchange
from world import PASSWORD, PUBLIC_URL, World, basic, claims_of

SHOP = "https://shop.example/callback"
OFFLINE = "openid offline_access"


async def code_for(world: World, **more: Any) -> str:
    visitor = Visitor.of(world)
    return (await visitor.log_in(await visitor.authorize(**more))).answer["code"]


async def spa(world: World, **more: Any) -> str:
    return str((await world.new_client(app_type="spa", callbacks=[SHOP], **more))["client_id"])


# --- 2.1 and 4.1: redirects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "redirect_uri",
    [f"{SHOP}/", f"{SHOP}?x=1", f"{SHOP}#x", SHOP.upper(), SHOP.replace("https", "http"), "https://evil.example/", ""],
)
async def test_rfc9700_4_1_3_v10_4_1_a_redirect_uri_is_compared_byte_for_byte(world: World, redirect_uri: str) -> None:
    client_id = await spa(world)
    answer = await world.client.get(authorize_url(world, client_id=client_id, redirect_uri=redirect_uri))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_rfc9700_4_1_3_only_a_loopback_port_may_vary(world: World) -> None:
    client = await world.new_client(app_type="native", callbacks=["http://127.0.0.1/app", "https://shop.example/app"])
    for redirect_uri, status in (
        ("http://127.0.0.1:4711/app", 303),
        ("http://127.0.0.1:4711/other", 400),
        ("https://shop.example:8443/app", 400),
    ):
        url = authorize_url(world, client_id=client["client_id"], redirect_uri=redirect_uri, prompt="none")
        assert (await world.client.get(url)).status_code == status


@pytest.mark.parametrize("change", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}])
@pytest.mark.parametrize("prompt", ["none", "login"])
async def test_rfc9700_4_11_2_the_server_is_no_open_redirector(
    world: World, change: dict[str, str], prompt: str
) -> None:
    answer = await world.client.get(authorize_url(world, change, prompt=prompt, response_type="nonsense"))
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "evil.example" not in answer.text


async def test_rfc9700_4_4_2_the_answer_names_its_issuer_also_an_error(world: World) -> None:
    """Against mix-up: a client that talks to two servers learns which of them sent the browser back (RFC 9207)."""
    await world.person()
    discovered = (await world.client.get("/.well-known/openid-configuration")).json()
    assert discovered["authorization_response_iss_parameter_supported"] is True
    visitor = Visitor.of(world)
    good = await visitor.log_in(await visitor.authorize())
    bad = await Visitor.of(world).authorize(prompt="none")
    assert good.answer["iss"] == bad.answer["iss"] == discovered["issuer"]


# --- 2.1.1 and 4.8: PKCE -----------------------------------------------------------------------------------------


async def test_rfc9700_2_1_1_a_challenge_that_was_sent_is_enforced(world: World) -> None:
    await world.person()
    for verifier in (None, "", VERIFIER[::-1], CHALLENGE):
        answer = await exchange(world, await code_for(world), code_verifier=verifier)
        assert (answer.status_code, answer.json()["error"]) == (403, "invalid_grant")


async def test_rfc9700_2_1_1_v10_4_6_a_public_client_must_send_one(world: World) -> None:
    landed = await Visitor.of(world).authorize(code_challenge=None, code_challenge_method=None)
    assert landed.answer["error"] == "invalid_request"


async def test_rfc9700_2_1_1_only_s256_and_the_metadata_say_so(world: World) -> None:
    discovered = (await world.client.get("/.well-known/oauth-authorization-server")).json()
    assert discovered["code_challenge_methods_supported"] == ["S256"]
    plain = await Visitor.of(world).authorize(code_challenge=VERIFIER, code_challenge_method="plain")
    assert plain.answer["error"] == "invalid_request"


async def confidential(world: World) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Return a client with a secret, and its authorization request without PKCE."""
    client = await world.new_client(app_type="regular_web", callbacks=[SHOP])
    without = {"code_challenge": None, "code_challenge_method": None}
    return client, {"client_id": client["client_id"], "redirect_uri": SHOP} | without


async def test_rfc9700_4_8_2_a_verifier_without_a_challenge_is_a_downgrade(world: World) -> None:
    await world.person()
    client, ask = await confidential(world)
    who = {name: client[name] for name in ("client_id", "client_secret")}
    for verifier, status in ((VERIFIER, 403), (None, 200)):
        visitor = Visitor.of(world)
        code = (await visitor.log_in(await visitor.authorize(ask))).answer["code"]
        answer = await exchange(world, code, code_verifier=verifier, redirect_uri=SHOP, **who)
        assert answer.status_code == status, verifier


async def test_rfc9700_4_8_2_a_method_without_a_challenge_is_a_downgrade(world: World) -> None:
    _, ask = await confidential(world)
    landed = await Visitor.of(world).authorize(ask | {"code_challenge_method": "S256"})
    assert landed.answer["error"] == "invalid_request"


# --- 2.1.2: nothing but codes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("response_type", ["token", "id_token", "id_token token", "code token", "code id_token", ""])
async def test_rfc9700_2_1_2_v10_6_1_no_token_in_the_front_channel(world: World, response_type: str) -> None:
    landed = await Visitor.of(world).authorize(response_type=response_type)
    assert landed.answer["error"] == "unsupported_response_type"


# --- 2.2 and 4.14: refresh tokens --------------------------------------------------------------------------------


async def rotating(world: World) -> str:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating"})
    await world.person()
    return str((await world.tokens(scope=OFFLINE))["refresh_token"])


async def test_rfc9700_2_2_2_v10_4_5_a_rotated_token_that_comes_back_ends_its_family(world: World) -> None:
    first = await rotating(world)
    second = (await world.token("refresh_token", refresh_token=first)).json()["refresh_token"]
    assert (await world.token("refresh_token", refresh_token=first)).status_code == 403
    assert (await world.token("refresh_token", refresh_token=second)).status_code == 403
    assert "ferrt" in await world.journal()


async def test_rfc9700_4_14_2_of_50_at_once_at_most_one_wins_and_the_family_ends(world: World) -> None:
    first = await rotating(world)
    answers = await asyncio.gather(*(world.token("refresh_token", refresh_token=first) for _ in range(50)))
    won = [answer.json()["refresh_token"] for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert (await world.token("refresh_token", refresh_token=won[0])).status_code == 403
    assert await world.count(tables.RefreshToken) == 0


async def test_rfc9700_4_14_2_with_leeway_50_lost_answers_are_forgiven(world: World) -> None:
    first = await rotating(world)
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating", "leeway": 30})
    answers = await asyncio.gather(*(world.token("refresh_token", refresh_token=first) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers[:3]:
        assert (await world.token("refresh_token", refresh_token=answer.json()["refresh_token"])).status_code == 200
    world.clock.advance(seconds=31)
    assert (await world.token("refresh_token", refresh_token=first)).status_code == 403
    newest = answers[-1].json()["refresh_token"]
    assert (await world.token("refresh_token", refresh_token=newest)).status_code == 403


async def test_rfc9700_2_2_2_bound_to_its_client_and_scope(world: World) -> None:
    token = await rotating(world)
    other = await spa(world)
    assert (await world.token("refresh_token", client_id=other, refresh_token=token)).status_code == 403
    more = await world.token("refresh_token", refresh_token=token, scope="openid email")
    assert more.json()["error"] == "invalid_scope"
    assert (await world.token("refresh_token", refresh_token=token)).status_code == 200


async def test_rfc9700_2_2_2_it_ends_unused_and_in_any_case(world: World) -> None:
    token = await rotating(world)
    world.clock.advance(days=15)
    assert (await world.token("refresh_token", refresh_token=token)).status_code == 403
    token = (await world.tokens(scope=OFFLINE))["refresh_token"]
    for _ in range(2):
        world.clock.advance(days=14)
        token = (await world.token("refresh_token", refresh_token=token)).json()["refresh_token"]
    world.clock.advance(days=2)
    assert (await world.token("refresh_token", refresh_token=token)).status_code == 403


# --- 2.3 and 4.10: access tokens ---------------------------------------------------------------------------------


async def test_rfc9700_2_3_a_token_is_for_one_audience_and_scope(world: World) -> None:
    await world.person()
    plain = (await world.tokens(scope="openid"))["access_token"]
    for door in ("/me/v1/authentication-methods", "/api/v2/users"):
        answer = await world.client.get(door, headers={"authorization": f"Bearer {plain}"})
        assert answer.status_code == 401
    mine = await world.tokens(scope="read:me:authentication_methods", audience=f"{PUBLIC_URL}/me/")
    assert (await world.userinfo(mine["access_token"])).status_code == 401
    wanted = await world.tokens(scope="openid read:users", audience=f"{PUBLIC_URL}/me/")
    assert wanted["scope"] == "openid"


async def test_rfc9700_4_10_2_v9_2_4_an_audience_must_be_registered(world: World) -> None:
    await world.person()
    for audience in ("https://evil.example", "/me/", f"{PUBLIC_URL}/userinfo", f"{PUBLIC_URL}/me"):
        answer = await world.login(audience=audience)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")


async def test_rfc9700_4_15_a_client_cannot_look_like_a_person(world: World) -> None:
    claims = claims_of(await world.management_token())
    assert claims["sub"].endswith("@clients")
    assert claims["gty"] == "client-credentials"
    given = {"connection": world.connection, "email": "eve@example.com", "password": PASSWORD}
    answer = await world.manage("POST", "/users", given | {"user_id": claims["sub"]})
    assert (answer.status_code, answer.json().get("user_id")) == (201, f"auth0|{claims['sub']}")


# --- 2.4 and 2.5: grants and clients -----------------------------------------------------------------------------


async def test_rfc9700_2_4_the_password_grant_is_off_until_a_client_lists_it(world: World) -> None:
    await world.person()
    client_id = await spa(world)
    answer = await world.login(client_id=client_id)
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")


async def test_rfc9700_2_5_a_client_with_a_secret_must_show_it(world: World) -> None:
    client, ask = await confidential(world)
    await world.person()
    visitor = Visitor.of(world)
    code = (await visitor.log_in(await visitor.authorize(ask))).answer["code"]
    body = {"code": code, "redirect_uri": SHOP, "code_verifier": None, "client_id": client["client_id"]}
    for secret in (None, "", "wrong"):
        answer = await exchange(world, **body, client_secret=secret)
        assert (answer.status_code, answer.json()["error"]) == (401, "access_denied")
    assert (await exchange(world, **body, client_secret=client["client_secret"])).status_code == 200


async def test_rfc9700_2_6_v10_4_7_nobody_chooses_a_client_id_or_a_subject(world: World) -> None:
    answer = await world.manage("POST", "/clients", {"name": "Eve", "client_id": world.client_id})
    assert answer.status_code == 400
    for path in ("/oidc/register", "/oauth/register", "/register"):
        assert (await world.client.post(path, json={"redirect_uris": [SHOP]})).status_code == 404


async def test_rfc9700_2_6_no_cors_at_the_authorization_endpoint(world: World) -> None:
    await spa(world, web_origins=["https://shop.example"])
    asking = {"origin": "https://shop.example", "access-control-request-method": "GET"}
    for path in ("/authorize", "/u/login", "/oauth/par"):
        answer = await world.client.options(path, headers=asking)
        assert "access-control-allow-origin" not in answer.headers


# --- 4.2, 4.3, 4.5: codes ----------------------------------------------------------------------------------------


async def test_rfc9700_4_2_4_no_page_tells_the_next_where_it_came_from(world: World) -> None:
    landed = await Visitor.of(world).authorize()
    assert landed.response.headers["referrer-policy"] == "no-referrer"
    policy = landed.response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "https:" not in policy.replace("form-action", "")


async def test_rfc9700_4_2_4_v10_4_2_a_second_use_of_a_code_ends_what_the_first_one_gave(world: World) -> None:
    await world.person()
    code = await code_for(world, scope=OFFLINE)
    given = (await exchange(world, code)).json()
    assert (await exchange(world, code)).status_code == 403
    again = await world.token("refresh_token", refresh_token=given["refresh_token"])
    assert again.status_code == 403


async def test_rfc9700_4_3_v10_1_1_tokens_are_in_no_url_and_in_no_cache(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(scope=OFFLINE))
    assert set(landed.answer) == {"code", "state", "iss"}
    answer = await exchange(world, landed.answer["code"])
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()["access_token"]
    assert (await world.client.get(f"/userinfo?access_token={token}")).status_code == 401
    assert (await world.client.post("/userinfo", data={"access_token": token})).status_code == 401


async def test_rfc9700_4_5_3_a_stolen_code_is_worth_nothing_elsewhere(world: World) -> None:
    """Bound to client, redirect URI and PKCE; and spent by whoever tried."""
    await world.person()
    other = await spa(world)
    for change in (
        {"client_id": other},
        {"redirect_uri": SHOP},
        {"code_verifier": VERIFIER[::-1]},
        {"client_id": other, "redirect_uri": SHOP},
    ):
        code = await code_for(world)
        assert (await exchange(world, code, **change)).status_code == 403
        assert (await exchange(world, code)).status_code == 403


async def test_rfc9700_4_5_3_a_code_is_no_refresh_token_and_no_other_secret(world: World) -> None:
    """Tokens of one grant are refused by every other."""
    await world.person()
    given = (await exchange(world, await code_for(world, scope=OFFLINE))).json()
    code = await code_for(world)
    for grant, body in (
        ("refresh_token", {"refresh_token": code}),
        ("refresh_token", {"refresh_token": given["id_token"]}),
        ("refresh_token", {"refresh_token": given["access_token"]}),
        ("authorization_code", {"code": given["refresh_token"], "code_verifier": VERIFIER, "redirect_uri": CALLBACK}),
        ("authorization_code", {"code": given["access_token"], "code_verifier": VERIFIER, "redirect_uri": CALLBACK}),
    ):
        answer = await world.token(grant, **body)
        assert (answer.status_code, answer.json()["error"]) == (403, "invalid_grant")
    assert (await world.userinfo(given["refresh_token"])).status_code == 401


# --- 4.7 to 4.17: the browser ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["", " ", "a+b%20c&d=e", "\u2603\u00e9", "x" * 2000, '"<script>'])
async def test_rfc9700_4_7_state_comes_back_as_it_was(shared_world: World, state: str) -> None:
    landed = await Visitor.of(shared_world).authorize(state=state, prompt="none")
    assert landed.answer["state"] == state


async def test_rfc9700_4_12_after_a_password_the_redirect_is_a_303(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    headers = {"sec-fetch-site": "same-origin"}
    action = landed.form("/login/password").action
    answer = await visitor.client.post(action, data={"password": PASSWORD}, headers=headers)
    assert answer.status_code == 303
    assert PASSWORD not in answer.headers["location"]
    assert quote(PASSWORD) not in answer.headers["location"]


async def test_rfc9700_4_13_headers_of_proxies_nobody_configured_are_ignored(world: World) -> None:
    told = {"x-forwarded-for": "198.51.100.1", "x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
    answer = await world.client.get("/.well-known/openid-configuration", headers=told)
    assert answer.json()["issuer"] == f"{PUBLIC_URL}/"
    await world.guess()
    await world.client.post(
        "/oauth/token",
        json={"grant_type": "password", "client_id": world.client_id, "username": "eve", "password": "x"},
        headers=told,
    )
    assert {row["ip"] for row in await world.rows(tables.JournalRow)} == {"203.0.113.9"}


@pytest.mark.parametrize("path", ["/u/login", "/u/consent", "/u/signup/identifier", "/authorize", "/"])
async def test_rfc9700_4_16_no_page_can_be_framed(shared_world: World, path: str) -> None:
    answer = await shared_world.client.get(path)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_rfc9700_4_17_a_message_names_one_origin(world: World) -> None:
    client_id = await spa(world, web_origins=["https://shop.example"])
    ask = {"client_id": client_id, "redirect_uri": SHOP, "response_mode": "web_message", "prompt": "none"}
    landed = await Visitor.of(world).authorize(ask)
    assert 'data-origin="https://shop.example"' in landed.text
    assert 'data-origin="*"' not in landed.text
    assert "frame-ancestors https://shop.example;" in landed.response.headers["content-security-policy"]


async def test_rfc9700_2_5_http_basic_is_taken_too(world: World) -> None:
    client = await world.new_client(app_type="non_interactive")
    answer = await world.client.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "audience": "https://nowhere.example"},
        headers={"authorization": basic(client["client_id"], client["client_secret"])},
    )
    assert answer.json()["error"] == "access_denied"
    assert answer.status_code == 403
