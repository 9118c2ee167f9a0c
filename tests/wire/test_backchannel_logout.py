"""Clients are told that a session has ended (OpenID Connect Back-Channel Logout 1.0), over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import update
from sqlmodel import Session

from keystead import worker
from keystead.db import sessions, tables
from keystead.flows.logout_notices import JOB
from keystead.oauth.logout_tokens import MAX_TRIES
from keystead.rules.revocation import Event
from post_box import Gateway, gateway
from visitor import Visitor, exchange
from world import PASSWORD, PUBLIC_URL, World, claims_of

EVENT = "http://schemas.openid.net/event/backchannel-logout"
ALL = {"mode": "all"}


@pytest.fixture
async def client() -> AsyncIterator[Gateway]:
    """A client's server."""
    async with gateway() as found:
        yield found


@pytest.fixture
async def ann(world: World, client: Gateway) -> str:
    """Ann's account; the default client wants to hear of everything."""
    await wants(world, client, backchannel_logout_initiators=ALL)
    return await world.person()


async def wants(world: World, client: Gateway, **settings: Any) -> None:
    """Register the client's address."""
    url = f"http://127.0.0.1:{client.port}/backchannel"
    await world.patch_client(world.client_id, oidc_logout={"backchannel_logout_urls": [url], **settings})


async def logged_in(world: World, email: str = "ann@example.com") -> tuple[Visitor, dict[str, Any]]:
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(), email)
    return visitor, (await exchange(world, landed.answer["code"])).json()


async def deliver(world: World) -> int:
    """Do what the worker does, once."""
    return await worker.deliver_due(world.db, world.app.state.flows.logout_tokens, world.clock)


async def told(world: World, client: Gateway) -> list[dict[str, Any]]:
    """Deliver what is due to a client that takes it, and return the claims of the tokens that it got."""
    client.statuses += [200] * 20
    client.requests.clear()
    await deliver(world)
    return [claims_of(parse_qs(body.decode())["logout_token"][0]) for _, _, body in client.requests]


async def notices(world: World) -> list[dict[str, Any]]:
    return [job for job in await world.rows(tables.Job) if job["type"].startswith(JOB)]


async def the_job(world: World) -> dict[str, Any]:
    (found,) = await notices(world)
    return found


# --- what a client gets -----------------------------------------------------------------------------------------------


async def test_a_logout_is_told_to_the_client(world: World, client: Gateway, ann: str) -> None:
    """§2.4 and §2.5: a signed token of its own type, as a form field, in nobody's cache."""
    visitor, tokens = await logged_in(world)
    await visitor.open("/v2/logout")
    assert client.requests == []  # nobody waits for a client
    world.clock.advance(seconds=30)
    client.statuses.append(200)
    assert await deliver(world) == 1
    ((line, headers, body),) = client.requests
    assert line == "POST /backchannel HTTP/1.1"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["cache-control"] == "no-store"
    fields = parse_qs(body.decode())
    assert list(fields) == ["logout_token"]
    keys = KeySet.import_key_set((await world.client.get("/.well-known/jwks.json")).json())
    token = jwt.decode(fields["logout_token"][0], keys, algorithms=["RS256"])
    assert (token.header["typ"], token.header["alg"]) == ("logout+jwt", "RS256")
    now = int(world.clock().timestamp())  # signed at delivery, or it would be old by then
    assert token.claims == {
        "iss": f"{PUBLIC_URL}/",
        "aud": world.client_id,
        "sub": ann,
        "sid": claims_of(tokens["id_token"])["sid"],
        "iat": now,
        "exp": now + 120,
        "jti": token.claims["jti"],
        "events": {EVENT: {}},
    }
    job = await the_job(world)
    assert (job["status"], job["sealed"], job["error"]) == ("completed", b"", None)
    entry = await world.last_entry()
    assert (entry["type"], entry["user_id"]) == ("oidc_backchannel_logout_succeeded", ann)


async def test_only_clients_of_the_session_are_told(world: World, client: Gateway, ann: str) -> None:
    """A second client with single sign-on in one of two browsers; a third that nobody used."""
    url = f"http://127.0.0.1:{client.port}/second"
    settings = {"oidc_logout": {"backchannel_logout_urls": [url]}, "callbacks": ["https://two.example/"]}
    spa = {"app_type": "spa", **settings}
    second = (await world.new_client("Second", **spa))["client_id"]
    await world.new_client("Third", **spa)
    patched = await world.manage(
        "PATCH", f"/connections/{world.connection_id}/clients", [{"client_id": second, "status": True}]
    )
    assert patched.is_success
    visitor, _ = await logged_in(world)
    elsewhere, _ = await logged_in(world)
    assert "code" in (await visitor.authorize(client_id=second, redirect_uri="https://two.example/")).answer
    await visitor.open("/v2/logout")
    assert sorted(claims["aud"] for claims in await told(world, client)) == sorted([world.client_id, second])
    await elsewhere.open("/v2/logout")
    assert [claims["aud"] for claims in await told(world, client)] == [world.client_id]


async def test_each_token_is_another(world: World, client: Gateway, ann: str) -> None:
    for _ in range(2):
        await (await logged_in(world))[0].open("/v2/logout")
    first, second = await told(world, client)
    assert first["jti"] != second["jti"]
    assert first["sid"] != second["sid"]


async def test_without_an_address_nothing_is_queued(world: World) -> None:
    await world.person()
    await (await logged_in(world))[0].open("/v2/logout")
    assert await notices(world) == []


# --- what ends sessions -----------------------------------------------------------------------------------------------


async def after(world: World, ann: str, what: str, visitor: Visitor) -> None:
    """Make something happen that ends Ann's session."""
    user = f"/users/{quote(ann)}"
    match what:
        case "rp-logout":
            await visitor.open("/v2/logout")
        case "password-changed":
            assert (await world.manage("PATCH", user, {"password": PASSWORD + "!"})).is_success
        case "account-deactivated":
            await world.block(ann)
        case "account-deleted":
            await world.delete_user(ann)
        case "email-identifier-changed":
            assert (await world.manage("PATCH", user, {"email": "new@example.com"})).is_success
        case "session-revoked":
            assert (await world.manage("DELETE", f"{user}/sessions")).is_success
        case "session-expired":
            world.clock.advance(days=8)
            await world.db.write(world.app.state.flows.logout_notices.expire)


INITIATORS = [
    "rp-logout",
    "password-changed",
    "account-deactivated",
    "account-deleted",
    "email-identifier-changed",
    "session-revoked",
    "session-expired",
]


@pytest.mark.parametrize("what", INITIATORS)
async def test_a_client_that_wants_everything_hears_of_everything(
    world: World, client: Gateway, ann: str, what: str
) -> None:
    visitor, tokens = await logged_in(world)
    await after(world, ann, what, visitor)
    (claims,) = await told(world, client)
    assert (claims["sub"], claims["sid"]) == (ann, claims_of(tokens["id_token"])["sid"])


@pytest.mark.parametrize("what", INITIATORS)
async def test_a_client_hears_of_what_it_selected(world: World, client: Gateway, what: str) -> None:
    others = [each for each in INITIATORS if each != what]
    ann = await world.person()
    visitor, _ = await logged_in(world)
    await wants(world, client, backchannel_logout_initiators={"mode": "custom", "selected_initiators": others})
    await after(world, ann, what, visitor)
    # A logout is always told: it is what the address was registered for.
    assert len(await told(world, client)) == (1 if what == "rp-logout" else 0)


async def test_a_client_that_says_nothing_hears_of_logouts_alone(world: World, client: Gateway) -> None:
    await wants(world, client)
    ann = await world.person()
    await (await logged_in(world))[0].open("/v2/logout")
    assert len(await told(world, client)) == 1
    await logged_in(world)
    await world.block(ann)
    assert await told(world, client) == []


async def test_an_idle_session_is_told_of_once(world: World, client: Gateway, ann: str) -> None:
    """By the worker's round, before what is over is swept out; by one of any number of workers."""
    await logged_in(world)
    expire = world.app.state.flows.logout_notices.expire
    await world.db.write(expire)
    assert await told(world, client) == []
    world.clock.advance(days=4)
    await asyncio.gather(*(world.db.write(expire) for _ in range(3)))
    await world.db.write(worker.sweep, world.clock())
    await world.db.write(expire)
    assert len(await told(world, client)) == 1
    assert await world.count(tables.LoginSession) == 0


async def test_what_is_rolled_back_is_not_told(world: World, client: Gateway, ann: str) -> None:
    """The notice stands in the transaction of the logout."""
    _, tokens = await logged_in(world)
    sid = claims_of(tokens["id_token"])["sid"]
    flow = world.app.state.flows.logout_notices

    def work(session: Session) -> None:
        ended = sessions.end(session, sid, world.clock())
        assert ended is not None
        flow.queue(session, [ended], Event.LOGGED_OUT)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await world.db.write(work)
    assert await told(world, client) == []


# --- clients that do not answer ---------------------------------------------------------------------------------------


async def test_it_is_tried_again_and_given_up_in_the_end(world: World, client: Gateway, ann: str) -> None:
    visitor, _ = await logged_in(world)
    await visitor.open("/v2/logout")
    client.statuses += [503] * MAX_TRIES
    waits = []
    for _ in range(MAX_TRIES):
        assert await deliver(world) == 1
        assert await deliver(world) == 0
        job = await the_job(world)
        waits.append((job["run_at"] - world.clock()).total_seconds())
        world.clock.advance(seconds=waits[-1])
    assert waits[:-1] == [5, 20, 80, 320]
    assert (job["status"], job["error"], job["sealed"]) == ("failed", "HTTP 503", b"")
    assert len(client.requests) == MAX_TRIES
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("oidc_backchannel_logout_failed", "HTTP 503")
    assert (entry["user_id"], entry["client_id"]) == (ann, world.client_id)


@pytest.mark.parametrize("status", [201, 302, 401, 404, 500])
async def test_a_later_try_may_succeed(world: World, client: Gateway, ann: str, status: int) -> None:
    """Only 200 and 204 mean that it was done (§2.8). A redirect is not followed: it could lead to our own network."""
    await (await logged_in(world))[0].open("/v2/logout")
    client.statuses += [status, 204]
    await deliver(world)
    assert (await the_job(world))["status"] == "pending"
    world.clock.advance(seconds=5)
    await deliver(world)
    assert (await the_job(world))["status"] == "completed"
    assert [line for line, _, _ in client.requests] == ["POST /backchannel HTTP/1.1"] * 2


async def test_400_is_a_refusal_for_good(world: World, client: Gateway, ann: str) -> None:
    await (await logged_in(world))[0].open("/v2/logout")
    client.statuses.append(400)
    await deliver(world)
    assert (await the_job(world))["status"] == "failed"
    assert (await world.last_entry())["description"] == "HTTP 400"


async def test_nobody_listens(world: World, ann: str, client: Gateway) -> None:
    async with gateway() as gone:
        await wants(world, gone)
    await (await logged_in(world))[0].open("/v2/logout")
    await deliver(world)
    job = await the_job(world)
    assert (job["status"], job["error"]) == ("pending", "ConnectError")


async def test_an_address_that_was_given_up_is_not_called(world: World, client: Gateway, ann: str) -> None:
    """It may be somebody else's by now."""
    await (await logged_in(world))[0].open("/v2/logout")
    await world.patch_client(world.client_id, oidc_logout=None)
    assert await told(world, client) == []
    assert (await the_job(world))["status"] == "completed"


async def test_a_notice_that_cannot_be_opened_stops_no_other(world: World, client: Gateway, ann: str) -> None:
    visitor, _ = await logged_in(world)
    await visitor.open("/v2/logout")
    await world.db.write(lambda session: session.connection().execute(update(tables.Job).values(sealed=b"x")))
    await (await logged_in(world))[0].open("/v2/logout")
    for _ in range(MAX_TRIES):
        client.statuses.append(200)
        await deliver(world)
        world.clock.advance(hours=1)
    assert sorted(job["status"] for job in await notices(world)) == ["completed", "failed"]


async def test_mail_and_notices_have_lanes_of_their_own(world: World, client: Gateway, ann: str) -> None:
    """A worker that does messages leaves the notices to whoever does notices, and the other way round."""
    await (await logged_in(world))[0].open("/v2/logout")
    flows = world.app.state.flows
    assert set(flows.post.types).isdisjoint(flows.logout_tokens.types)
    await world.letters()
    assert (await the_job(world))["status"] == "pending"


async def test_no_administrator_asks_after_a_notice(world: World, client: Gateway, ann: str) -> None:
    await (await logged_in(world))[0].open("/v2/logout")
    assert (await world.manage("GET", f"/jobs/{(await the_job(world))['id']}")).status_code == 404


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/out",
        "http://169.254.169.254/latest",
        "http://localhost.evil.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "//shop.example/",
        "/u/account",
        "https://shop.example/#x",
        "https://user:pass@shop.example/",
        "",
    ],
)
async def test_an_address_is_https_or_this_machine(shared_world: World, url: str) -> None:
    answer = await shared_world.manage(
        "PATCH", f"/clients/{shared_world.client_id}", {"oidc_logout": {"backchannel_logout_urls": [url]}}
    )
    assert answer.status_code == 400
