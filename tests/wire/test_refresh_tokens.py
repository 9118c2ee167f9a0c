"""The ``refresh_token`` grant: tokens that stay, tokens that rotate, and when either ends (TK-4, RFC 9700 §4.14)."""

from typing import Any

import pytest
from sqlmodel import Session

from keystead.db import accounts, refresh_tokens, tables
from keystead.rules.events import Caller
from keystead.rules.tokens import RefreshRecord
from world import World, claims_of

UNKNOWN = {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
SCOPE = "openid profile email offline_access"


async def rotating(world: World, **more: Any) -> None:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating"} | more)


async def first(world: World, **more: Any) -> str:
    """Sign Ann up where needed, log her in, and return a refresh token."""
    await world.signup()
    return str((await world.tokens(**({"scope": SCOPE} | more)))["refresh_token"])


async def refreshed(world: World, token: str, **more: Any) -> dict[str, Any]:
    answer = await world.token("refresh_token", refresh_token=token, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def is_dead(world: World, token: str) -> bool:
    answer = await world.token("refresh_token", refresh_token=token)
    return answer.status_code == 403 and answer.json() == UNKNOWN


async def test_a_token_that_stays(world: World) -> None:
    token = await first(world)
    began = int(world.clock().timestamp())
    world.clock.advance(hours=1)
    answer = await world.token("refresh_token", refresh_token=token)
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert list(found) == ["access_token", "id_token", "scope", "expires_in", "token_type"]
    assert (found["scope"], found["expires_in"]) == (SCOPE, 86_400)
    claims = claims_of(found["id_token"])
    assert (claims["auth_time"], claims["iat"]) == (began, began + 3600), "a refresh is no login"
    assert claims["amr"] == ["pwd"]
    assert "nonce" not in claims
    assert (await world.userinfo(found["access_token"])).status_code == 200
    for _ in range(3):
        await refreshed(world, token)
    assert await world.count(tables.RefreshToken) == 1


async def test_a_token_that_rotates(world: World) -> None:
    await rotating(world)
    token = await first(world)
    seen = {token}
    for _ in range(4):
        world.clock.advance(hours=1)
        found = await refreshed(world, token)
        assert list(found) == ["access_token", "id_token", "refresh_token", "scope", "expires_in", "token_type"]
        token = found["refresh_token"]
        assert token not in seen
        seen.add(token)


async def test_reuse_ends_the_family(world: World) -> None:
    await rotating(world)
    user_id = await world.person()
    one, other = await first(world), await first(world)
    two = (await refreshed(world, one))["refresh_token"]
    three = (await refreshed(world, two))["refresh_token"]
    assert await is_dead(world, one)
    assert "ferrt" in await world.journal(user_id)
    assert await is_dead(world, two)
    assert await is_dead(world, three)
    assert (await refreshed(world, other))["refresh_token"], "another login is another family"
    assert (await world.journal(user_id)).count("ferrt") == 1


async def test_a_lost_answer_is_forgiven_within_the_leeway(world: World) -> None:
    await rotating(world, leeway=10)
    token = await first(world)
    two = (await refreshed(world, token))["refresh_token"]
    world.clock.advance(seconds=10)
    again = (await refreshed(world, token))["refresh_token"]
    assert again != two
    await refreshed(world, two)
    world.clock.advance(seconds=1)
    assert await is_dead(world, token)
    assert await is_dead(world, again)


async def test_without_leeway_a_second_use_in_the_same_instant_counts(world: World) -> None:
    await rotating(world, leeway=0)
    token = await first(world)
    two = (await refreshed(world, token))["refresh_token"]
    assert await is_dead(world, token)
    assert await is_dead(world, two)


@pytest.mark.parametrize("rotation", ["rotating", "non-rotating"])
async def test_asking_for_less(world: World, rotation: str) -> None:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": rotation})
    token = await first(world)
    found = await refreshed(world, token, scope="email openid")
    assert found["scope"] == "email openid"
    assert claims_of(found["access_token"])["scope"] == "email openid"
    claims = claims_of(found["id_token"])
    assert "email" in claims
    assert "nickname" not in claims
    without = await refreshed(world, found.get("refresh_token", token), scope="email")
    assert "id_token" not in without
    whole = await refreshed(world, without.get("refresh_token", token), scope="")
    assert whole["scope"] == SCOPE, "asking for less once does not narrow what was granted"


@pytest.mark.parametrize("rotation", ["rotating", "non-rotating"])
async def test_asking_for_more(world: World, rotation: str) -> None:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": rotation})
    token = await first(world, scope="openid offline_access")
    for scope in ("openid email", "email", "openid offline_access read:users"):
        answer = await world.token("refresh_token", refresh_token=token, scope=scope)
        assert answer.status_code == 403
        assert answer.json() == {
            "error": "invalid_scope",
            "error_description": "The requested scope exceeds what was granted.",
        }
    assert (await refreshed(world, token))["scope"] == "openid offline_access", "the refused requests used nothing up"


async def test_the_audience_is_kept(world: World) -> None:
    await world.signup()
    audience = "http://localhost:8000/me/"
    scope = "openid offline_access read:me:authentication_methods"
    token = (await world.tokens(audience=audience, scope=scope))["refresh_token"]
    found = await refreshed(world, token, audience="http://localhost:8000/api/v2/")
    assert claims_of(found["access_token"])["aud"] == [audience, "http://localhost:8000/userinfo"]
    assert found["scope"] == scope


async def test_a_token_is_its_client_s_alone(world: World) -> None:
    token = await first(world)
    other = await world.new_client(app_type="spa", grant_types=["refresh_token"])
    stolen = await world.token("refresh_token", refresh_token=token, client_id=other["client_id"])
    assert (stolen.status_code, stolen.json()) == (403, UNKNOWN)
    await refreshed(world, token)


@pytest.mark.parametrize("rotation", ["rotating", "non-rotating"])
async def test_somebody_who_is_blocked(world: World, rotation: str) -> None:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": rotation})
    user_id = await world.person()
    token = await first(world)
    await world.db.write(accounts.change, user_id, {"blocked": True})
    answer = await world.token("refresh_token", refresh_token=token)
    assert answer.status_code == 403
    assert answer.json() == {"error": "invalid_grant", "error_description": "user is blocked"}
    await world.db.write(accounts.change, user_id, {"blocked": None})
    assert await is_dead(world, token), "lifting the block does not bring the token back"


async def test_a_block_by_an_administrator_ends_every_token(world: World) -> None:
    user_id = await world.person()
    tokens = [await first(world), await first(world)]
    await world.block(user_id)
    for token in tokens:
        answer = await world.token("refresh_token", refresh_token=token)
        assert answer.status_code == 403
        assert answer.json() == {"error": "invalid_grant", "error_description": "user is blocked"}
    await world.block(user_id, False)
    for token in tokens:
        assert await is_dead(world, token)


async def test_somebody_who_was_deleted(world: World) -> None:
    user_id = await world.person()
    token = await first(world)
    await world.delete_user(user_id)
    assert await is_dead(world, token)


async def test_a_client_that_was_taken_off_the_connection(world: World) -> None:
    token = await first(world)
    switch = [{"client_id": world.client_id, "status": False}]
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    answer = await world.token("refresh_token", refresh_token=token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_token_that_is_not_used_for_15_days_ends(world: World) -> None:
    token = await first(world)
    world.clock.advance(days=15, seconds=-1)
    await refreshed(world, token)
    world.clock.advance(days=14)
    await refreshed(world, token)
    world.clock.advance(seconds=86_402)
    assert await is_dead(world, token)


@pytest.mark.parametrize("rotation", ["rotating", "non-rotating"])
async def test_a_family_ends_after_30_days_however_often_it_is_used(world: World, rotation: str) -> None:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": rotation})
    token = await first(world)
    for _ in range(3):
        world.clock.advance(days=9, hours=23)
        token = (await refreshed(world, token)).get("refresh_token", token)
    world.clock.advance(hours=3)
    assert await is_dead(world, token)


async def test_a_token_that_never_expires(world: World) -> None:
    await world.patch_client(world.client_id, refresh_token={"expiration_type": "non-expiring"})
    token = await first(world)
    world.clock.advance(days=5000)
    await refreshed(world, token)


async def stored(world: World, count: int, *, family: str = "", replaced: bool = False) -> None:
    """Put tokens of Ann's beside the last one: of logins of their own, or of one family, replaced long ago."""
    row = (await world.rows(tables.RefreshToken))[-1]
    last = RefreshRecord.model_validate(row["record"])

    def put(session: Session) -> None:
        for number in range(count):
            fresh = {"id": f"rt_{family}{number}", "family": family or str(number), "created_at": world.clock()}
            record = last.model_copy(update=fresh)
            refresh_tokens.put(
                session, f"{family}{number}", record, row["idle_expires_at"], row["expires_at"], Caller()
            )
            if replaced:
                refresh_tokens.rotate(session, record.id, world.clock())

    await world.db.write(put)


async def test_the_two_hundred_and_first_login_ends_the_first(world: World) -> None:
    """TK-4."""
    oldest = await first(world)
    world.clock.advance(seconds=1)
    second = await first(world)
    world.clock.advance(seconds=1)
    await stored(world, 198)
    await refreshed(world, oldest)
    newest = await first(world)
    assert await is_dead(world, oldest)
    await refreshed(world, second)
    await refreshed(world, newest)
    assert await world.count(tables.RefreshToken) == 200


async def test_a_device_that_refreshes_often_pushes_nobody_out(world: World) -> None:
    await rotating(world)
    quiet = await first(world)
    world.clock.advance(seconds=1)
    busy = await first(world)
    await stored(world, 250, family="busy", replaced=True)
    await refreshed(world, (await refreshed(world, busy))["refresh_token"])
    await refreshed(world, quiet)


@pytest.mark.parametrize("token", ["nonsense", "kr_" + "x" * 43, "x" * 9000, "ü", "kr_\u0301"])
async def test_a_token_that_never_was(shared_world: World, token: str) -> None:
    assert await is_dead(shared_world, token)


async def test_what_is_missing(shared_world: World) -> None:
    for value, text in ((None, "Missing required parameter"), ("", "Missing required parameter"), (7, "Parameter")):
        answer = await shared_world.token("refresh_token", refresh_token=value)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert answer.json()["error_description"].startswith(text)


async def test_a_form_with_what_the_spa_sends_along(world: World) -> None:
    token = await first(world)
    form = {"grant_type": "refresh_token", "client_id": world.client_id, "refresh_token": token}
    answer = await world.client.post(
        "/oauth/token", data=form | {"redirect_uri": "http://x.example", "connection": "y"}
    )
    assert answer.status_code == 200


async def test_a_rotating_token_works_on_after_the_client_stops_rotating(world: World) -> None:
    await rotating(world)
    old = await first(world)
    new = (await refreshed(world, old))["refresh_token"]
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "non-rotating"})
    assert "refresh_token" not in await refreshed(world, new)
    assert await is_dead(world, old), "a token that was replaced stays dead"
