"""Login sessions: how long they last, as an administrator says, and how they are renewed (V7.2.4, V7.3.1, V7.3.2)."""

from typing import Any

import pytest

from conftest import Stencil
from keystead.db import tables
from visitor import Landed, Visitor, exchange
from world import World, open_world

SETTINGS = "/tenants/settings"
COOKIE = "keystead-session"


async def settled(world: World, **body: Any) -> dict[str, Any]:
    """Change settings of the tenant, and return them."""
    answer = await world.manage("PATCH", SETTINGS, body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def at_work(world: World, **asked: str) -> Visitor:
    """Sign Ann in with a browser."""
    visitor = Visitor.of(world)
    assert "code" in (await visitor.log_in(await visitor.authorize(asked))).answer
    return visitor


async def is_in(visitor: Visitor) -> bool:
    return "code" in (await visitor.authorize(prompt="none")).answer


async def cookie_of(visitor: Visitor, world: World) -> str:
    """Sign in, and return the whole header that hands the cookie over."""
    at = await visitor.authorize()
    at = await visitor.send(at.form("/login/identifier"), username="ann@example.com")
    form = at.form("/login/password")
    headers = {"origin": world.settings.public_url, "sec-fetch-site": "same-origin"}
    answer = await visitor.client.post(form.action, data={"password": "correct horse battery"}, headers=headers)
    return next(each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{COOKIE}="))


async def test_the_settings_and_their_defaults(world: World) -> None:
    found = (await world.manage("GET", SETTINGS)).json()
    assert found == {
        "session_lifetime": 168,
        "idle_session_lifetime": 72,
        "ephemeral_session_lifetime": 72,
        "idle_ephemeral_session_lifetime": 24,
        "session_cookie": {"mode": "persistent"},
        "sessions": {"oidc_logout_prompt_enabled": True},
        "flags": {"enable_client_connections": True, "revoke_refresh_token_grant": False},
        "default_directory": world.connection,
        "allowed_logout_urls": [],
        "enabled_locales": ["en", "de"],
    }
    assert (await world.manage("GET", f"{SETTINGS}?fields=session_lifetime")).json() == {"session_lifetime": 168}


async def test_a_patch_leaves_what_it_does_not_name(world: World) -> None:
    found = await settled(world, session_lifetime=0.5, idle_session_lifetime_in_minutes=20, friendly_name="Shop")
    assert (found["session_lifetime"], round(found["idle_session_lifetime"], 3)) == (0.5, 0.333)
    assert found["friendly_name"] == "Shop"
    found = await settled(world, flags={"revoke_refresh_token_grant": True})
    assert found["flags"] == {"enable_client_connections": True, "revoke_refresh_token_grant": True}
    assert found["session_lifetime"] == 0.5
    assert (await world.manage("GET", SETTINGS)).json() == found
    assert "sapi" in await world.journal()


async def test_lifetimes_in_minutes_and_any_language_are_kept(world: World) -> None:
    minutes = {f"{name}_in_minutes": 30 for name in ("ephemeral_session_lifetime", "idle_ephemeral_session_lifetime")}
    found = await settled(world, **minutes, enabled_locales=["gd", "en"])
    assert (found["ephemeral_session_lifetime"], found["idle_ephemeral_session_lifetime"]) == (0.5, 0.5)
    assert found["enabled_locales"] == ["gd", "en"]
    assert (await world.manage("GET", SETTINGS)).json() == found
    assert await settled(world, **found) == found  # what an export says can be imported


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"nonsense": 1}, "Additional properties not allowed: nonsense"),
    ({"device_flow": {}}, "Additional properties not allowed: device_flow"),
    ({"default_audience": "x"}, "Additional properties not allowed: default_audience"),
    ({"flags": {"enable_sso": True}}, "on property flags"),
    ({"session_lifetime": "168"}, "Expected type number but found type string' on property session_lifetime"),
    ({"session_lifetime": 0}, "on property session_lifetime"),
    ({"session_lifetime": 8761}, "on property session_lifetime"),
    ({"session_lifetime_in_minutes": 0.5}, "on property session_lifetime_in_minutes"),
    ({"session_lifetime": 1, "session_lifetime_in_minutes": 60}, "cannot be set together"),
    ({"session_lifetime": 1}, "idle_session_lifetime must not be longer than session_lifetime"),
    ({"session_cookie": {"mode": "always"}}, "on property session_cookie.mode"),
    ({"default_directory": "Nowhere"}, "Connection does not exist' on property default_directory"),
    ({"default_directory": "Administrators"}, "Connection does not exist' on property default_directory"),
    ({"default_redirection_uri": "http://shop.example"}, "on property default_redirection_uri"),
    ({"allowed_logout_urls": ["javascript:alert(1)"]}, "on property allowed_logout_urls.0"),
    ({"picture_url": "data:image/png,"}, "on property picture_url"),
    ({"support_email": "nobody"}, "on property support_email"),
    ({"enabled_locales": []}, "on property enabled_locales"),
]


@pytest.mark.parametrize(("body", "text"), REFUSED, ids=[str(body) for body, _ in REFUSED])
async def test_settings_that_are_refused(shared_world: World, body: dict[str, Any], text: str) -> None:
    before = (await shared_world.manage("GET", SETTINGS)).json()
    answer = await shared_world.manage("PATCH", SETTINGS, body)
    assert answer.status_code == 400
    assert text in answer.json()["message"]
    assert (await shared_world.manage("GET", SETTINGS)).json() == before


async def test_our_own_options(world: World) -> None:
    path, defaults = (
        "/keystead/sessions",
        {"end_others_when_credentials_change": True, "end_refresh_tokens_at_logout": True},
    )
    assert (await world.manage("GET", path)).json() == defaults
    answer = await world.manage("PATCH", path, {"end_refresh_tokens_at_logout": False})
    assert answer.json() == defaults | {"end_refresh_tokens_at_logout": False}
    assert (await world.manage("GET", path)).json() == answer.json()
    assert (await world.manage("PATCH", path, {"other": True})).status_code == 400


async def test_v7_3_1_a_session_that_is_not_used_ends(world: World) -> None:
    await settled(world, session_lifetime=10, idle_session_lifetime=1)
    await world.signup()
    visitor = await at_work(world)
    for _ in range(4):
        world.clock.advance(minutes=50)
        assert await is_in(visitor)
    world.clock.advance(minutes=61)
    assert not await is_in(visitor)


async def test_v7_3_2_a_session_ends_however_much_it_is_used(world: World) -> None:
    await settled(world, session_lifetime=2, idle_session_lifetime=1)
    await world.signup()
    visitor = await at_work(world)
    for _ in range(2):
        world.clock.advance(minutes=59)
        assert await is_in(visitor)
    world.clock.advance(minutes=3)
    assert not await is_in(visitor)


async def test_a_session_that_merely_expires_ends_nothing_else(world: World) -> None:
    await settled(world, session_lifetime=1, idle_session_lifetime=1)
    await world.signup()
    visitor = await at_work(world, scope="openid offline_access")
    code = (await visitor.authorize(prompt="none", scope="openid offline_access")).answer["code"]
    tokens = (await exchange(world, code)).json()
    world.clock.advance(hours=2)
    assert not await is_in(visitor)
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    assert (await world.token("refresh_token", refresh_token=tokens["refresh_token"])).status_code == 200


async def test_a_cookie_that_goes_with_the_browser(world: World) -> None:
    await world.signup()
    kept = await cookie_of(Visitor.of(world), world)
    assert "Max-Age=604800" in kept
    await settled(world, session_cookie={"mode": "non-persistent"})
    visitor = Visitor.of(world)
    assert "max-age" not in (await cookie_of(visitor, world)).lower()
    world.clock.advance(hours=25)
    assert not await is_in(visitor), "the ephemeral limits hold"


async def test_another_process_follows_within_seconds(installation: Stencil) -> None:
    async with (
        open_world(installation.settings, installation.document) as one,
        open_world(installation.settings, installation.document, seed="two") as other,
    ):
        await one.signup()
        assert "Max-Age=604800" in await cookie_of(Visitor.of(other), other)
        await settled(one, session_lifetime=2, idle_session_lifetime=1)
        other.clock.advance(seconds=10)
        assert "Max-Age=7200" in await cookie_of(Visitor.of(other), other)


async def again(visitor: Visitor, email: str = "ann@example.com") -> Landed:
    """Sign in once more in the same browser, as a client asked."""
    return await visitor.log_in(await visitor.authorize(prompt="login"), email)


async def test_v7_2_4_who_proves_themselves_again_gets_another_cookie(world: World) -> None:
    await world.signup()
    visitor = await at_work(world)
    thief = Visitor.of(world)
    thief.client.cookies.set(COOKIE, visitor.client.cookies[COOKIE], domain="localhost.local", path="/")
    assert await is_in(thief)
    world.clock.advance(minutes=5)
    before = visitor.client.cookies[COOKIE]
    assert "code" in (await again(visitor)).answer
    assert visitor.client.cookies[COOKIE] != before
    assert not await is_in(thief), "the old value is dead"
    (row,) = await world.rows(tables.LoginSession)
    assert row["ended_at"] is None
    assert [each["timestamp"] for each in row["methods"]] == ["2026-06-01T12:00:00.000Z", "2026-06-01T12:05:00.000Z"]
    assert row["id"] == before.partition(".")[0], "it is the same session, and its tokens go on"


async def test_somebody_else_in_the_same_browser_ends_the_session_before(world: World) -> None:
    await world.signup()
    await world.signup("ben@example.com")
    visitor = await at_work(world, scope="openid offline_access")
    code = (await visitor.authorize(prompt="none", scope="openid offline_access")).answer["code"]
    refresh = (await exchange(world, code)).json()["refresh_token"]
    assert "code" in (await again(visitor, "ben@example.com")).answer
    assert await world.open_sessions() == 1
    assert (await world.token("refresh_token", refresh_token=refresh)).status_code == 403


async def test_v7_2_2_ids_are_opaque_and_secrets_hashed(world: World) -> None:
    await world.signup()
    visitor = await at_work(world)
    session_id, _, secret = visitor.client.cookies[COOKIE].partition(".")
    (row,) = await world.rows(tables.LoginSession)
    assert row["id"] == session_id
    assert secret not in str(row)
    assert len(secret) >= 43, "256 bits"
    for wrong in (session_id, f"{session_id}.", f"{session_id}.{secret[:-1]}", f"{session_id}.{row['secret_hash']}"):
        other = Visitor.of(world)
        other.client.cookies.set(COOKIE, wrong, domain="localhost.local", path="/")
        assert not await is_in(other)


async def test_a_logout_keeps_the_row_for_as_long_as_tokens_live(world: World) -> None:
    await world.signup()
    visitor = await at_work(world)
    code = (await visitor.authorize(prompt="none")).answer["code"]
    tokens = (await exchange(world, code)).json()
    await visitor.open("/v2/logout")
    assert (await world.userinfo(tokens["access_token"])).status_code == 401
    assert (await world.count(tables.LoginSession), await world.open_sessions()) == (1, 0)


async def test_giving_a_token_back_takes_the_consent_with_it_where_the_tenant_says_so(world: World) -> None:
    await settled(world, flags={"revoke_refresh_token_grant": True})
    await world.signup()
    one, two = [(await world.tokens(scope="openid offline_access"))["refresh_token"] for _ in range(2)]
    await world.client.post("/oauth/revoke", json={"client_id": world.client_id, "token": one})
    for each in (one, two):
        assert (await world.token("refresh_token", refresh_token=each)).status_code == 403
