"""How many statements the hot paths cost: bounded, few, and the same for the first person and the millionth.

Each number is what the path needs, and the comment says for what. One more is a change that should be seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from authenticator import Authenticator
from keystead.rules.request_limits import address_bucket
from visitor import Visitor, authorize_url, exchange
from world import World


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect what is sent to the database; the frame of a transaction is not a statement."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
async def warm(world: World) -> World:
    """A Keystead that has read its signing keys and settings once, as every process has."""
    await world.person()
    await world.tokens()
    return world


async def test_a_login_with_a_password(warm: World) -> None:
    with counted() as seen:
        assert (await warm.login()).status_code == 200
    # the client; the default connection's name, the connection, its realms, whether the client may use it; 5
    # the limits as they are set, whether the password is known to be wrong; four buckets charged: the person at the
    # address, the address, the lock of the address, the lock of strangers; 6
    # the account with its hash; the address and the strangers given back, and their rows deleted, the lock emptied; 6
    # its standing, the count of logins, the journal. 3
    assert len(seen) == 20, "\n".join(seen)


async def test_a_login_with_a_passkey(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    with counted() as seen:
        assert (await world.passkey_login(device)).status_code == 200
    # The challenge: client; default's name, connection, realms, whether the client may use it; relying party, ceremony,
    # journal. 8
    # The answer: client; ceremony claimed; connection and realms twice, whether the client may use it; the passkey,
    # again under lock; relying party; its owner's standing, the count of logins, the journal, the counter. 14
    assert len(seen) == 22, "\n".join(seen)


async def test_a_code_for_a_session_and_its_exchange(warm: World) -> None:
    visitor = Visitor.of(warm)
    await visitor.log_in(await visitor.authorize())
    with counted() as seen:
        answer = await visitor.client.get(authorize_url(warm))
    # the session; the client; the account's standing; the code stored, and the session marked as used by the client.
    assert len(seen) == 5, "\n".join(seen)
    code = dict(part.split("=") for part in answer.headers["location"].partition("?")[2].split("&"))["code"]
    with counted() as seen:
        assert (await exchange(warm, code)).status_code == 200
    # the client; the code claimed; the account's standing; the journal.
    assert len(seen) == 4, "\n".join(seen)


@pytest.mark.parametrize("rotation", ["rotating", "non-rotating"])
async def test_a_refresh(warm: World, rotation: str) -> None:
    await warm.patch_client(warm.client_id, refresh_token={"rotation_type": rotation})
    token = (await warm.tokens(scope="openid offline_access"))["refresh_token"]
    with counted() as seen:
        assert (await warm.token("refresh_token", refresh_token=token)).status_code == 200
    # the client; the token, locked; the account's standing; the journal; and the token touched, or replaced: marked,
    # the others of person and client counted, the next one stored.
    assert len(seen) == (7 if rotation == "rotating" else 5), "\n".join(seen)


async def test_userinfo(warm: World) -> None:
    token = (await warm.tokens())["access_token"]
    with counted() as seen:
        assert (await warm.userinfo(token)).status_code == 200
    # the account, with whether the token's session was ended.
    assert len(seen) == 1, "\n".join(seen)


async def test_the_number_does_not_grow_with_what_there_is(warm: World) -> None:
    """Thirty sessions and refresh tokens of one person change nothing."""

    async def cost() -> int:
        token = (await warm.tokens(scope="openid offline_access"))["refresh_token"]
        with counted() as seen:
            await warm.token("refresh_token", refresh_token=token)
        return len(seen)

    before = await cost()
    for _ in range(30):
        warm.clock.advance(minutes=1)
        await warm.tokens(scope="openid offline_access")
        visitor = Visitor.of(warm)
        await visitor.log_in(await visitor.authorize())
    assert await cost() == before


async def test_a_request_that_is_limited(warm: World) -> None:
    """Whether it is let in or refused: a flood must not become one of statements. The journal has one in a minute."""
    limits = warm.app.state.flows.request_limits
    with counted() as seen:
        assert (await warm.client.get("/userinfo")).headers["x-ratelimit-remaining"] != "0"
    assert seen == []
    bucket = address_bucket("userinfo", "203.0.113.9", 1)
    await limits.attempts.take(bucket.key, bucket.capacity, bucket.refill, bucket.capacity - 1)
    with counted() as seen:
        for _ in range(20):
            assert (await warm.client.get("/userinfo")).status_code == 429
    assert len(seen) == 1, "\n".join(seen)
