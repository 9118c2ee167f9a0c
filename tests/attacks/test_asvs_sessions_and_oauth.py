"""OWASP ASVS 5.0: V7 (sessions) and V10 (OAuth and OpenID Connect), requirement by requirement, over HTTP.

V9 (self-contained tokens) is in ``test_tokens.py`` and ``test_alg_and_kid.py``; RFC 9700 in ``test_rfc9700.py``.
"""

import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from account import MyAccount
from authenticator import Authenticator
from conftest import Stencil
from keystead.db import tables
from visitor import Landed, Visitor, authorize_url, exchange
from world import PASSWORD, PUBLIC_URL, World, claims_of, open_world

SHOP = "https://shop.example/callback"
OFFLINE = "openid offline_access"


async def signed_in(world: World, email: str = "ann@example.com", **more: Any) -> tuple[Visitor, dict[str, Any]]:
    """Return a browser with a session, and the tokens that a client got out of it."""
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize({"scope": OFFLINE} | more), email)
    return visitor, (await exchange(world, landed.answer["code"])).json()


async def silent(visitor: Visitor, **more: Any) -> bool:
    """Whether a browser's session still gives a code."""
    return "code" in (await visitor.authorize(prompt="none", **more)).answer


async def is_good(world: World, tokens: dict[str, Any]) -> bool:
    """Whether a refresh token is."""
    return (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 200


def session_cookie(visitor: Visitor) -> str:
    return str(visitor.client.cookies.get("keystead-session"))


async def user_id_of(world: World) -> str:
    return quote(str((await world.rows(tables.Account))[0]["user_id"]))


# --- V7.2: what a session is -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["x", "x.y", "1.1", "a" * 43 + "." + "b" * 43, "'; drop table login_session;--"])
async def test_v7_2_1_a_session_that_was_made_up_is_none(world: World, value: str) -> None:
    await world.person()
    await signed_in(world)
    visitor = Visitor.of(world)
    visitor.client.cookies.set("keystead-session", value)
    assert not await silent(visitor)


async def test_v7_2_2_a_token_is_no_session(world: World) -> None:
    await world.person()
    _, tokens = await signed_in(world)
    for value in (tokens["access_token"], tokens["id_token"], tokens["refresh_token"], await world.management_token()):
        visitor = Visitor.of(world)
        visitor.client.cookies.set("keystead-session", value)
        assert not await silent(visitor)


async def test_v7_2_3_a_session_is_random_and_only_its_hash_is_kept(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    name, _, secret = session_cookie(visitor).partition(".")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret), "256 bits"
    (row,) = await world.rows(tables.LoginSession)
    assert row["id"] == name
    assert secret not in str(row)


async def test_v7_2_4_the_cookie_changes_at_every_login_and_the_old_one_is_dead(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    seen = [session_cookie(visitor)]
    for prompt in ("login", "login"):
        await visitor.log_in(await visitor.authorize(prompt=prompt))
        seen.append(session_cookie(visitor))
    assert len(set(seen)) == 3
    for old in seen[:-1]:
        thief = Visitor.of(world)
        thief.client.cookies.set("keystead-session", old)
        assert not await silent(thief)
    assert await silent(visitor)


# --- V7.3: how long ----------------------------------------------------------------------------------------------


async def test_v7_3_1_a_session_that_nobody_uses_ends(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    world.clock.advance(hours=71)
    assert await silent(visitor)
    world.clock.advance(hours=72)
    assert not await silent(visitor)


async def test_v7_3_2_a_session_ends_however_much_it_is_used(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    for _ in range(3):
        world.clock.advance(hours=50)
        assert await silent(visitor)
    world.clock.advance(hours=18)
    assert not await silent(visitor)


# --- V7.4: how it ends -------------------------------------------------------------------------------------------


async def test_v7_4_1_after_a_logout_nothing_of_the_session_works(world: World) -> None:
    await world.person()
    visitor, tokens = await signed_in(world)
    stolen = session_cookie(visitor)
    await visitor.open("/v2/logout")
    assert not await silent(visitor)
    visitor.client.cookies.set("keystead-session", stolen)
    assert not await silent(visitor)
    assert not await is_good(world, tokens)
    assert (await world.userinfo(tokens["access_token"])).status_code == 401


@pytest.mark.parametrize("how", ["block", "delete"])
async def test_v7_4_2_a_block_ends_everything_in_every_process(installation: Stencil, how: str) -> None:
    async with (
        open_world(installation.settings, installation.document) as here,
        open_world(installation.settings, installation.document, seed="elsewhere") as there,
    ):
        user_id = await here.person()
        visitor, tokens = await signed_in(there)
        assert await silent(visitor)
        await (here.block(user_id) if how == "block" else here.delete_user(user_id))
        assert not await silent(visitor)
        assert not await is_good(there, tokens)
        assert (await there.userinfo(tokens["access_token"])).status_code == 401


async def test_v7_4_3_a_new_password_ends_the_other_sessions(world: World) -> None:
    await world.person()
    visitor, tokens = await signed_in(world)
    changed = await world.manage("PATCH", f"/users/{await user_id_of(world)}", {"password": "another horse battery"})
    assert changed.status_code == 200
    assert not await silent(visitor)
    assert not await is_good(world, tokens)


async def test_v7_4_3_a_passkey_that_is_removed_ends_the_other_sessions(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    await world.manage("PATCH", f"/users/{await user_id_of(world)}", {"password": PASSWORD})
    visitor = Visitor.of(world)
    landed = await visitor.log_in_with(device, await visitor.authorize(scope=OFFLINE))
    tokens = (await exchange(world, landed.answer["code"])).json()
    mine = await MyAccount.of(world)
    (passkey,) = [each for each in (await mine.call("GET", "")).json()["authentication_methods"] if "key_id" in each]
    assert (await mine.call("DELETE", f"/{quote(passkey['id'])}")).status_code == 204
    assert not await silent(visitor)
    assert not await is_good(world, tokens)


async def test_v7_4_4_people_find_the_way_out(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    page = await visitor.open("/u/account")
    assert page.response.status_code == 200
    assert "Sign out" in page.text


async def test_v7_4_5_an_administrator_ends_sessions_and_refresh_tokens(world: World) -> None:
    await world.person()
    for path, scope in (("sessions", "delete:sessions"), ("refresh-tokens", "delete:refresh_tokens")):
        visitor, tokens = await signed_in(world)
        url = f"/users/{await user_id_of(world)}/{path}"
        assert (await world.manage("DELETE", url, scope="read:users")).status_code == 403
        assert (await world.manage("DELETE", url, scope=scope)).status_code == 202
        ended = not await silent(visitor) if path == "sessions" else not await is_good(world, tokens)
        assert ended


# --- V7.5 and V7.6: again ----------------------------------------------------------------------------------------


async def test_v7_5_1_v10_3_4_a_passkey_is_added_and_removed_only_after_a_recent_login(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    answer = await world.passkey_login(
        device, audience=f"{PUBLIC_URL}/me/", scope="create:me:authentication_methods offline_access"
    )
    mine = await MyAccount.of(world, answer.json()["access_token"])
    assert (await mine.start()).status_code == 202
    world.clock.advance(seconds=301)
    late = await mine.start()
    assert late.status_code == 403
    assert late.json()["type"].endswith("step-up-required")
    fresh = await world.token("refresh_token", refresh_token=answer.json()["refresh_token"])
    assert (await (await MyAccount.of(world, fresh.json()["access_token"])).start()).status_code == 403


async def test_v7_5_2_people_see_and_end_their_own_sessions(world: World) -> None:
    await world.person()
    lost, _ = await signed_in(world)
    visitor, _ = await signed_in(world)
    page = await visitor.open("/u/account")
    form = next(form for form in page.forms() if session_cookie(lost).partition(".")[0] in str(form))
    await visitor.send(form)
    assert not await silent(lost)
    assert await silent(visitor)


async def test_v7_6_1_a_client_can_have_somebody_prove_themselves_again(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    world.clock.advance(seconds=600)
    assert (await visitor.authorize(prompt="login")).path == "/u/login/identifier"
    landed = await visitor.log_in(await visitor.authorize(max_age="300"))
    claims = claims_of((await exchange(world, landed.answer["code"])).json()["id_token"])
    assert claims["auth_time"] == int(world.clock().timestamp())


async def test_v7_6_2_no_session_begins_by_a_get(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    await visitor.authorize(prompt="none")
    landed = await visitor.authorize(login_hint="ann@example.com")
    await visitor.open(f"/u/login/password?{landed.response.url.query.decode()}&password={PASSWORD}")
    assert visitor.client.cookies.get("keystead-session") is None
    assert await world.count(tables.LoginSession) == 0


# --- V10.3: who accepts tokens -----------------------------------------------------------------------------------


async def test_v10_3_1_and_2_audience_and_scope_are_looked_at(world: World) -> None:
    await world.person()
    without = await world.tokens(scope="profile")
    assert (await world.userinfo(without["access_token"])).status_code == 401
    token = await world.management_token("read:clients")
    headers = {"authorization": f"Bearer {token}"}
    assert (await world.client.get("/api/v2/users", headers=headers)).status_code == 403
    assert (await world.client.get("/userinfo", headers=headers)).status_code == 401


async def test_v10_3_3_a_subject_that_was_deleted_is_not_given_again(world: World) -> None:
    first = await world.person()
    _, tokens = await signed_in(world)
    await world.delete_user(first)
    world.clock.advance(seconds=2)
    assert await world.person() != first
    assert (await world.userinfo(tokens["access_token"])).status_code == 401


async def test_incident_66_an_id_that_was_anothers_brings_nothing_of_theirs_along(world: World) -> None:
    user_id = await world.person()
    before = await world.tokens(scope="openid offline_access")
    await world.delete_user(user_id)
    world.clock.advance(seconds=2)
    body = {"connection": world.connection, "user_id": user_id.removeprefix("auth0|"), "email": "bob@example.com"}
    made = await world.manage("POST", "/users", body | {"password": PASSWORD})
    assert made.json()["user_id"] == user_id
    assert (await world.userinfo(before["access_token"])).status_code == 401
    assert (await world.token("refresh_token", refresh_token=before["refresh_token"])).status_code == 403
    assert (await world.login("bob@example.com")).status_code == 200


# --- V10.4: the server -------------------------------------------------------------------------------------------


async def test_v10_4_3_a_code_lives_for_a_minute(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    world.clock.advance(seconds=60)
    assert (await exchange(world, landed.answer["code"])).status_code == 403


async def test_v10_4_4_a_client_uses_the_grants_that_it_lists(world: World) -> None:
    client = await world.new_client(app_type="spa", callbacks=[SHOP])
    assert client["grant_types"] == ["authorization_code", "refresh_token"]
    for grant in ("password", "client_credentials", "urn:okta:params:oauth:grant-type:webauthn", "implicit"):
        answer = await world.token(grant, client_id=client["client_id"])
        assert answer.status_code == 403, grant
        assert answer.json()["error"] in ("unauthorized_client", "unsupported_grant_type")


async def test_v10_4_8_a_refresh_token_ends_even_if_it_is_used_all_the_time(world: World) -> None:
    await world.person()
    _, tokens = await signed_in(world)
    for _ in range(3):
        world.clock.advance(days=9)
        assert await is_good(world, tokens)
    world.clock.advance(days=3)
    assert not await is_good(world, tokens)


async def test_v10_4_9_people_see_and_take_back_what_they_gave(world: World) -> None:
    await world.person()
    client = await world.new_client("Photo Album", app_type="spa", callbacks=[SHOP])
    visitor = Visitor.of(world)
    ask = {"client_id": client["client_id"], "redirect_uri": SHOP, "scope": OFFLINE}
    landed = await visitor.log_in(await visitor.authorize(ask))
    who = {"client_id": client["client_id"], "redirect_uri": SHOP}
    tokens = (await exchange(world, landed.answer["code"], **who)).json()
    page = await visitor.open("/u/account")
    assert "Photo Album" in page.text
    form = next(form for form in page.forms() if client["client_id"] in str(form))
    await visitor.send(form)
    again = await world.token("refresh_token", client_id=client["client_id"], refresh_token=tokens["refresh_token"])
    assert again.status_code == 403


async def test_v10_4_11_a_token_has_what_was_asked_for_and_allowed_and_granted(world: World) -> None:
    await world.person()
    scopes = [{"value": "read:photos"}, {"value": "write:photos"}, {"value": "delete:photos"}]
    api = {"identifier": "https://photos.example/", "name": "Photos", "scopes": scopes}
    policy = {"user": {"policy": "require_client_grant"}, "client": {"policy": "require_client_grant"}}
    made = await world.manage("POST", "/resource-servers", api | {"subject_type_authorization": policy})
    assert made.status_code == 201, made.text
    given = {"client_id": world.client_id, "audience": api["identifier"], "subject_type": "user"}
    await world.manage("POST", "/client-grants", given | {"scope": ["read:photos", "write:photos"]})
    tokens = await world.tokens(audience=api["identifier"], scope="openid read:photos delete:photos read:users")
    assert tokens["scope"] == "openid read:photos"


@pytest.mark.parametrize("mode", ["fragment", "query.jwt", "page", "", "query query"])
async def test_v10_4_12_no_response_mode_but_the_registered_ones(shared_world: World, mode: str) -> None:
    landed = await Visitor.of(shared_world).authorize(response_mode=mode)
    assert landed.answer["error"] == "invalid_request"


# --- V10.6 -------------------------------------------------------------------------------------------------------


async def confirmed(visitor: Visitor, page: Landed) -> Landed:
    return await visitor.send(page.form("logout"))


async def test_v10_6_2_a_logout_needs_an_id_token_or_a_yes(world: World) -> None:
    await world.person()
    visitor, tokens = await signed_in(world)
    page = await visitor.open(f"/oidc/logout?client_id={world.client_id}")
    assert await silent(visitor)
    await confirmed(visitor, page)
    assert not await silent(visitor)
    visitor, tokens = await signed_in(world)
    for hint in ("nothing", tokens["access_token"], tokens["id_token"][:-4] + "AAAA"):
        await visitor.open(f"/oidc/logout?id_token_hint={hint}")
        assert await silent(visitor)
    await visitor.open(f"/oidc/logout?id_token_hint={tokens['id_token']}")
    assert not await silent(visitor)


async def test_v7_2_4_the_cookie_goes_with_the_logout(world: World) -> None:
    await world.person()
    visitor, _ = await signed_in(world)
    answer: httpx.Response = await visitor.client.get("/v2/logout")
    cookie = SimpleCookie(answer.headers["set-cookie"])["keystead-session"]
    assert (cookie.value, cookie["max-age"]) == ("", "0")


async def test_v10_4_1_the_page_for_a_wrong_redirect_tells_nothing_on(world: World) -> None:
    answer = await world.client.get(authorize_url(world, redirect_uri="https://evil.example/<script>"))
    assert answer.status_code == 400
    assert "evil" not in answer.text
