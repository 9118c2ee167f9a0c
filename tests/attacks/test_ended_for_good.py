"""What was ended stays ended: by whoever may end it, also while something is being renewed at that moment."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import Session

from account import SCOPE, MyAccount
from keystead.db import clients, consents, jobs, refresh_tokens, tables
from keystead.db.consents import ConsentRecord
from keystead.flows.logout_notices import PURPOSE
from keystead.oauth.issue import Wish
from keystead.oauth.logout_tokens import LogoutTokens
from keystead.rules.events import Caller
from signer import pem_of, private_key
from visitor import CALLBACK, Visitor, exchange
from world import PASSWORD, PUBLIC_URL, World

OFFLINE = "openid offline_access"
ROTATING = {"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 0}
STOLEN = "the token that a refresh in flight gives"
ME = {"audience": f"{PUBLIC_URL}/me/", "scope": f"openid {SCOPE}"}


async def code_for(world: World, **more: Any) -> str:
    visitor = Visitor.of(world)
    return (await visitor.log_in(await visitor.authorize({"scope": OFFLINE} | more))).answer["code"]


async def renewed(world: World, token: str, **more: Any) -> httpx.Response:
    return await world.token("refresh_token", refresh_token=token, **more)


async def lives(world: World, token: str) -> bool:
    return (await renewed(world, token)).status_code == 200


# --- a refresh in flight ---------------------------------------------------------------------------------------------


def a_refresh(session: Session, token: str, world: World) -> None:
    """Do what a refresh does, up to its commit."""
    now = world.clock()
    record = refresh_tokens.find(session, token, now)
    assert record is not None
    assert refresh_tokens.rotate(session, record.id, now)
    refresh_tokens.put(session, STOLEN, record.model_copy(update={"id": "rt_stolen"}), None, None, Caller())


def _waiting(session: Session) -> int:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    found: int = session.connection().execute(text(waiting)).scalar_one()
    return found


async def in_the_midst_of_a_refresh(world: World, token: str, what: Callable[[], Awaitable[httpx.Response]]) -> int:
    """Have something happen while a refresh is about to commit; return the status of what happened.

    On SQLite, where one writes at a time, it happens right after.
    """
    with world.db.engine.connect() as connection:
        with connection.begin(), Session(connection) as session:
            a_refresh(session, token, world)
            if not world.db.is_sqlite:
                happening = asyncio.ensure_future(what())
                while not happening.done() and not await world.db.read(_waiting):
                    pass
                assert not happening.done(), "it did not wait for the refresh"
        return (await happening if not world.db.is_sqlite else await what()).status_code


async def reuse(world: World, code: str, first: str) -> httpx.Response:
    return await renewed(world, first)


async def replay(world: World, code: str, first: str) -> httpx.Response:
    return await exchange(world, code)


async def give_back(world: World, code: str, first: str) -> httpx.Response:
    return await world.client.post("/oauth/revoke", json={"client_id": world.client_id, "token": first})


async def delete(world: World, code: str, first: str) -> httpx.Response:
    """An administrator does, by the id that a list showed before the token was replaced."""
    rows = await world.rows(tables.RefreshToken)
    ids = {row["id"] for row in rows if row["rotated_at"] and row["user_id"]}
    return await world.manage("DELETE", f"/refresh-tokens/{min(ids)}")


ENDS = {reuse: 403, replay: 403, give_back: 200, delete: 202}


@pytest.mark.parametrize("end", ENDS)
async def test_a_refresh_in_flight_does_not_outlive_its_family(world: World, end: Callable[..., Any]) -> None:
    """Of what is inserted meanwhile a DELETE sees nothing: it must wait for it."""
    await world.patch_client(world.client_id, refresh_token=ROTATING)
    await world.person()
    await world.management_token()
    code = await code_for(world)
    first = (await exchange(world, code)).json()["refresh_token"]
    second = (await renewed(world, first)).json()["refresh_token"]
    other = (await world.tokens(scope=OFFLINE))["refresh_token"]
    assert await in_the_midst_of_a_refresh(world, second, lambda: end(world, code, first)) == ENDS[end]
    assert not await lives(world, STOLEN)
    assert await lives(world, other)


async def test_a_refresh_in_flight_is_good_where_nothing_ends_it(world: World) -> None:
    await world.patch_client(world.client_id, refresh_token=ROTATING)
    await world.person()
    first = (await world.tokens(scope=OFFLINE))["refresh_token"]
    with world.db.engine.connect() as connection, connection.begin(), Session(connection) as session:
        a_refresh(session, first, world)
    assert await lives(world, STOLEN)


# --- a used code -----------------------------------------------------------------------------------------------------


async def confidential(world: World, name: str) -> dict[str, Any]:
    """Make a client with a secret, and let it use the connection."""
    made = await world.new_client(name, app_type="regular_web", callbacks=[CALLBACK])
    switch = [{"client_id": made["client_id"], "status": True}]
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    return {"client_id": made["client_id"], "client_secret": made["client_secret"]}


@pytest.mark.parametrize(
    "change", [{"code_verifier": None}, {"code_verifier": "x" * 43}, {"redirect_uri": "https://evil.example/"}]
)
async def test_a_used_code_alone_ends_nothing(world: World, change: dict[str, Any]) -> None:
    """It is in browser histories and logs for ever: whoever finds it must not sign people out with it."""
    await world.person()
    code = await code_for(world)
    token = (await exchange(world, code)).json()["refresh_token"]
    world.clock.advance(minutes=59)
    body = {"code": code, "redirect_uri": CALLBACK} | {name: value for name, value in change.items() if value}
    answer = await world.token("authorization_code", **body)
    unknown = await world.token("authorization_code", **(body | {"code": "unknown"}))
    assert (answer.status_code, answer.json()) == (403, unknown.json())
    assert await lives(world, token)


async def test_another_client_ends_nothing(world: World) -> None:
    await world.person()
    other = await confidential(world, "Other")
    code = await code_for(world)
    token = (await exchange(world, code)).json()["refresh_token"]
    assert (await exchange(world, code, **other)).status_code == 403
    assert await lives(world, token)


async def test_whoever_comes_second_and_is_the_owner_ends_what_the_thief_got(world: World) -> None:
    await world.person()
    code = await code_for(world)
    stolen = (await exchange(world, code)).json()["refresh_token"]
    assert (await exchange(world, code)).status_code == 403
    assert not await lives(world, stolen)


async def test_without_a_challenge_the_client_s_own_proof_is_enough(world: World) -> None:
    """A confidential client that does without PKCE: its own second use ends the family, another's does not."""
    await world.person()
    own, other = await confidential(world, "Own"), await confidential(world, "Other")
    plain = {"code_challenge": None, "code_challenge_method": None, "client_id": own["client_id"]}
    code = await code_for(world, **plain)
    body: dict[str, Any] = {"code": code, "redirect_uri": CALLBACK}
    token = (await world.token("authorization_code", **body, **own)).json()["refresh_token"]
    assert (await world.token("authorization_code", **body, **other)).status_code == 403
    assert (await renewed(world, token, **own)).status_code == 200
    assert (await world.token("authorization_code", **body, **own)).status_code == 403
    assert (await renewed(world, token, **own)).status_code == 403


# --- access tokens without a session ---------------------------------------------------------------------------------


async def reset(world: World, user_id: str) -> str:
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", {"password": "another horse battery"})
    assert answer.status_code == 200, answer.text
    return "another horse battery"


async def signed_out(world: World, user_id: str) -> str:
    assert (await world.manage("POST", f"/users/{quote(user_id)}/revoke-access", {})).status_code == 202
    return PASSWORD


SIGN_OUTS = (reset, signed_out)


@pytest.mark.parametrize("happens", SIGN_OUTS)
async def test_a_token_of_the_same_second_is_not_spared(world: World, happens: Callable[..., Any]) -> None:
    """Nor is one spoilt of whoever signs in again at once: programs do, and people with a password manager."""
    user_id = await world.person()
    await world.management_token()
    world.clock.advance(milliseconds=300)
    token = (await world.tokens(**ME))["access_token"]
    world.clock.advance(milliseconds=300)
    password = await happens(world, user_id)
    assert (await world.userinfo(token)).status_code == 401
    assert (await MyAccount(world, token).start()).status_code == 401
    world.clock.advance(milliseconds=300)
    hasty = (await world.tokens(password=password, **ME))["access_token"]
    assert (await world.userinfo(hasty)).status_code == 200


@pytest.mark.parametrize("happens", SIGN_OUTS)
async def test_a_token_that_is_signed_after_the_sign_out_is_of_a_login_before(
    world: World, happens: Callable[..., Any]
) -> None:
    """Admitted, then signed out, then signed: what counts is when its person proved themselves."""
    user_id = await world.person()
    await world.management_token()
    admit = world.app.state.flows.authorize.admission.admit
    admitted = await world.db.write(admit, user_id, world.client_id, "pwd", world.clock())
    client = await world.db.read(clients.get, world.client_id)
    assert client is not None
    world.clock.advance(seconds=5)
    await happens(world, user_id)
    world.clock.advance(seconds=5)
    wish = Wish(("openid", *SCOPE.split()), ME["audience"])
    late = await world.app.state.flows.issuer.for_person(admitted, client, wish)
    assert (await world.userinfo(late.access_token.reveal())).status_code == 401
    assert (await MyAccount(world, late.access_token.reveal()).start()).status_code == 401


# --- refresh tokens by id --------------------------------------------------------------------------------------------


async def by_path(world: World, token_id: str) -> httpx.Response:
    return await world.manage("DELETE", f"/refresh-tokens/{token_id}")


async def by_list(world: World, token_id: str) -> httpx.Response:
    return await world.manage("POST", "/refresh-tokens/revoke", {"ids": [token_id]})


@pytest.mark.parametrize("end", [by_path, by_list])
async def test_the_id_of_a_token_that_was_replaced_since_ends_the_family(world: World, end: Callable[..., Any]) -> None:
    """Whoever looked at the list a moment ago means what is there now."""
    settings = ROTATING | {"idle_token_lifetime": 3600, "infinite_idle_token_lifetime": False}
    await world.patch_client(world.client_id, refresh_token=settings)
    user_id = await world.person()
    token = (await world.tokens(scope=OFFLINE))["refresh_token"]
    shown = (await world.manage("GET", f"/users/{quote(user_id)}/refresh-tokens")).json()["tokens"][0]["id"]
    for _ in range(2):  # until the one that was shown would be idle for too long
        world.clock.advance(minutes=50)
        token = (await renewed(world, token)).json()["refresh_token"]
    assert (await end(world, shown)).status_code == 202
    assert not await lives(world, token)


# --- a secret that was retired ---------------------------------------------------------------------------------------


async def to_keys_and_back(world: World, client_id: str, scope: str) -> httpx.Response:
    pem = {"credential_type": "public_key", "alg": "ES256", "pem": pem_of(private_key("ES256"))}
    made = (await world.manage("POST", f"/clients/{client_id}/credentials", pem)).json()
    methods = {"private_key_jwt": {"credentials": [{"id": made["id"]}]}}
    await world.patch_client(client_id, token_endpoint_auth_method=None, client_authentication_methods=methods)
    (row,) = [row for row in await world.rows(tables.Client) if row["client_id"] == client_id]
    assert (row["secret_hash"], row["previous_secret_hash"], row["previous_secret_until"]) == (None, None, None)
    back = {"client_authentication_methods": None, "token_endpoint_auth_method": "client_secret_post"}
    return await world.manage("PATCH", f"/clients/{client_id}", back, scope=scope)


async def secret_works(world: World, client_id: str, secret: str) -> bool:
    answer = await renewed(world, "nothing", client_id=client_id, client_secret=secret)
    return answer.status_code == 403  # as far as the token, which is none


async def test_a_secret_that_keys_replaced_does_not_come_back(world: World) -> None:
    made = await world.new_client(app_type="regular_web")
    client_id, first = made["client_id"], made["client_secret"]
    rolled = await world.manage("POST", f"/clients/{client_id}/rotate-secret", {"previous_secret_seconds": 86_400})
    second = rolled.json()["client_secret"]
    assert await secret_works(world, client_id, first)
    refused = await to_keys_and_back(world, client_id, "update:clients")
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")
    back = {"client_authentication_methods": None, "token_endpoint_auth_method": "client_secret_post"}
    answer = await world.manage("PATCH", f"/clients/{client_id}", back, scope="update:clients update:client_keys")
    assert answer.status_code == 200, answer.text
    third = answer.json()["client_secret"]
    assert [await secret_works(world, client_id, each) for each in (first, second, third)] == [False, False, True]


# --- a client that hangs ---------------------------------------------------------------------------------------------


async def told_of(world: World, name: str, logouts: int) -> str:
    """Make a client that wants to be told of logouts, and have people log out of it so often."""
    settings = {"callbacks": [CALLBACK], "oidc_logout": {"backchannel_logout_urls": [f"https://{name}.example/"]}}
    client_id = str((await world.new_client(name, app_type="spa", **settings))["client_id"])
    switch = [{"client_id": client_id, "status": True}]
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    for _ in range(logouts):
        world.clock.advance(seconds=1)
        visitor = Visitor.of(world)
        await visitor.log_in(await visitor.authorize(client_id=client_id))
        await visitor.open("/v2/logout")
    return client_id


def _claim(session: Session, world: World) -> jobs.Claimed | None:
    return jobs.claim(session, world.clock(), LogoutTokens.types)


def whom(world: World, job: jobs.Claimed | None) -> str:
    """Return the client that a notice is for."""
    sealer = world.app.state.flows.logout_tokens.sealer
    return str(json.loads(sealer.open(job.sealed, PURPOSE))["client_id"]) if job else ""


async def test_a_client_that_hangs_has_one_lane(world: World) -> None:
    """Its other notices wait for that one, and nobody else's do."""
    await world.person()
    hangs, well = await told_of(world, "hangs", 3), await told_of(world, "well", 2)
    claimed = [await world.db.write(_claim, world) for _ in range(4)]
    assert [whom(world, each) for each in claimed] == [hangs, well, "", ""]
    assert not await world.db.read(jobs.due, world.clock(), LogoutTokens.types)
    assert claimed[0] is not None
    assert await world.db.write(jobs.again, claimed[0], world.clock(), "it hangs")
    second = await world.db.write(_claim, world)
    assert (whom(world, second), second is not None and second.id != claimed[0].id) == (hangs, True)
    assert await world.db.write(_claim, world) is None
    world.clock.advance(seconds=jobs.LEASE.total_seconds())  # whoever had them died
    assert {whom(world, await world.db.write(_claim, world)) for _ in range(2)} == {hangs, well}


async def test_lanes_that_start_at_once_do_not_take_one_client_twice(world: World) -> None:
    await world.person()
    hangs, well = await told_of(world, "hangs", 3), await told_of(world, "well", 1)
    if world.db.is_sqlite:
        claimed = await asyncio.gather(*(world.db.write(_claim, world) for _ in range(4)))
        assert sorted(whom(world, each) for each in claimed) == sorted([hangs, well, "", ""])
        return
    with world.db.engine.connect() as connection, connection.begin(), Session(connection) as session:
        assert whom(world, _claim(session, world)) == hangs
        # Nobody sees yet that it was taken.
        assert whom(world, await world.db.write(_claim, world)) == well
        assert await world.db.write(_claim, world) is None


# --- a session that nobody used for long -----------------------------------------------------------------------------


IDLE = {"idle_session_lifetime": 1}


async def idle_for_too_long(world: World) -> tuple[Visitor, str]:
    assert (await world.manage("PATCH", "/tenants/settings", IDLE)).status_code == 200
    await world.person()
    world.clock.advance(minutes=1)
    visitor = Visitor.of(world)
    code = (await visitor.log_in(await visitor.authorize(scope=OFFLINE))).answer["code"]
    token = (await exchange(world, code)).json()["refresh_token"]
    world.clock.advance(hours=2)
    assert (await visitor.authorize(prompt="none")).answer["error"] == "login_required"
    assert await lives(world, token), "a session that merely expires ends nothing"
    return visitor, token


async def test_a_logout_of_a_session_that_was_idle_for_too_long_ends_what_came_of_it(world: World) -> None:
    visitor, token = await idle_for_too_long(world)
    await visitor.open("/v2/logout")
    assert not await lives(world, token)
    assert "slo" in await world.journal()
    await visitor.open("/v2/logout")
    assert (await world.journal()).count("slo") == 1


async def test_an_idle_session_is_asked_about_too(world: World) -> None:
    """Whoever holds a link cannot end its tokens by it."""
    visitor, token = await idle_for_too_long(world)
    asked = await visitor.open("/oidc/logout")
    assert "ann@example.com" not in asked.text
    assert await lives(world, token)
    await visitor.send(asked.form("/u/logout"))
    assert not await lives(world, token)


async def test_a_wrong_cookie_ends_no_idle_session(world: World) -> None:
    _, token = await idle_for_too_long(world)
    (row,) = [row for row in await world.rows(tables.LoginSession) if row["ended_at"] is None]
    thief = Visitor.of(world)
    thief.client.cookies.set("keystead-session", f"{row['id']}.wrong")
    await thief.open("/v2/logout")
    assert await lives(world, token)


# --- administration --------------------------------------------------------------------------------------------------


async def test_consents_of_administrators_are_not_listed(world: World) -> None:
    setup = Visitor.of(world)
    page = await setup.open(world.first["administrator_setup_url"])
    await setup.send(page.form(), email="root@example.com", password=PASSWORD, password_repeated=PASSWORD)
    (root,) = await world.rows(tables.Administrator)
    user_id = await world.person()
    for number, owner in enumerate((root["user_id"], user_id)):
        record = ConsentRecord(f"cns_{number}", owner, world.client_id, "", ("openid",), world.clock())
        await world.db.write(consents.add, record)
    found: Mapping[str, Any] = (await world.manage("GET", "/grants?include_totals=true")).json()
    assert ([each["user_id"] for each in found["grants"]], found["total"]) == ([user_id], 1)
    assert (await world.manage("GET", "/grants", params={"user_id": root["user_id"]})).json() == []


@pytest.mark.parametrize("rotation", ["rotating", "non-rotating"])
async def test_an_api_that_allows_offline_access_no_more_gives_no_more_tokens(world: World, rotation: str) -> None:
    await world.patch_client(world.client_id, refresh_token=ROTATING | {"rotation_type": rotation})
    await world.person()
    api = {"identifier": "https://bank.example/", "scopes": [{"value": "pay"}], "allow_offline_access": True}
    made = (await world.manage("POST", "/resource-servers", api)).json()
    token = (await world.tokens(scope=f"{OFFLINE} pay", audience=api["identifier"]))["refresh_token"]
    path = f"/resource-servers/{made['id']}"
    assert (await world.manage("PATCH", path, {"allow_offline_access": False})).status_code == 200
    refused = await renewed(world, token)
    assert (refused.status_code, refused.json()["error"]) == (403, "invalid_grant")
    assert (await world.manage("PATCH", path, {"allow_offline_access": True})).status_code == 200
    assert await lives(world, token)
