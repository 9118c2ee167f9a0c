"""A log stream is no way to what only the server reaches, nor to what its administrator may not read."""

import asyncio
import socket
from typing import Any

import pytest

from conftest import Stencil
from halting import Halt, in_the_way, reached
from keystead.adapters.log_calls import HttpLogReceiver
from keystead.adapters.outward_calls import OutwardCalls
from keystead.db import log_streams
from keystead.errors import BadRequest, DeliveryFailed
from keystead.rules.log_streams import MASK
from keystead.rules.receivers import Receivers
from log_receiver import receiver
from world import World, open_world
from world import test_settings as settings_for

PUBLIC = Receivers("KEYSTEAD_LOG_STREAM_HOSTS")
MINE, THEIRS = "https://siem.example.com/in", "https://evil.example/in"
SECRET = "Bearer marked-secret"
NEW = {"name": "Logs", "type": "http", "sink": {"httpEndpoint": MINE, "httpAuthorization": SECRET}}


def named(*listed: str) -> Receivers:
    """Return what an operator lets streams reach."""
    return Receivers.of("KEYSTEAD_LOG_STREAM_HOSTS", listed)


async def test_a_secret_does_not_move_with_an_endpoint_that_changes_meanwhile(world: World) -> None:
    """Whoever says that a secret stays waits for whoever was first to move the stream, and is told that it moved."""
    made = (await world.manage("POST", "/log-streams", NEW)).json()
    halt, path = Halt(), f"/log-streams/{made['id']}"

    def move(session: Any) -> None:
        found = log_streams.get(session, made["id"])
        assert found
        settings = found.settings | {"sink": found.settings["sink"] | {"httpEndpoint": THEIRS}}
        log_streams.change(session, made["id"], world.clock(), settings=settings)
        halt.stop()

    moving = asyncio.ensure_future(world.db.write(move))
    await reached(halt)
    masked = {"sink": {"httpEndpoint": MINE, "httpAuthorization": MASK}}
    keeping = asyncio.ensure_future(world.manage("PATCH", path, masked))
    await in_the_way(world, keeping)
    halt.may_go_on.set()
    await moving
    refused = await keeping
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "invalid_body"), refused.text


async def test_a_change_of_something_else_does_not_move_a_stream_back(world: World) -> None:
    made = (await world.manage("POST", "/log-streams", NEW)).json()
    halt, path = Halt(), f"/log-streams/{made['id']}"

    def move(session: Any) -> None:
        found = log_streams.get(session, made["id"])
        assert found
        settings = found.settings | {"sink": found.settings["sink"] | {"httpEndpoint": THEIRS}}
        log_streams.change(session, made["id"], world.clock(), settings=settings)
        halt.stop()

    moving = asyncio.ensure_future(world.db.write(move))
    await reached(halt)
    changing = asyncio.ensure_future(world.manage("PATCH", path, {"isPriority": True}))
    await in_the_way(world, changing)
    halt.may_go_on.set()
    await moving
    assert (await changing).json()["sink"]["httpEndpoint"] == THEIRS


ADDRESSES = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1"),
    *("239.1.1.1", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1"),
    *("::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00::1"),
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_only_the_server_reaches_is_no_receiver(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for name in (address, "logs.example.com"):
        assert not PUBLIC.admit("https", name, address)
    with pytest.raises(BadRequest, match="KEYSTEAD_LOG_STREAM_HOSTS"):
        PUBLIC.check(f"https://{host}:8443/in", "sink")
    assert named("logs.internal").admit("https", "Logs.Internal", address)


def test_what_the_operator_names_is_one() -> None:
    assert PUBLIC.admit("https", "logs.example.com", "93.184.216.34")
    assert PUBLIC.admit("https", "logs.example.com", "2606:4700::1111")
    assert not PUBLIC.admit("http", "logs.example.com", "93.184.216.34")
    inside = named("10.1.0.0/16", "fd00::/8")
    assert inside.admit("https", "any.example.com", "10.1.2.3")
    assert inside.admit("https", "any.example.com", "::ffff:10.1.2.3")
    assert inside.admit("https", "any.example.com", "fd00::1")
    assert not inside.admit("https", "any.example.com", "10.2.0.1")
    named("localhost").check("http://localhost:9000/in", "sink")
    named("127.0.0.0/8").check("http://localhost:9000/in", "sink")


async def test_without_a_word_of_the_operator_nothing_here_is_reached(installation: Stencil) -> None:
    async with receiver() as end:
        settings = installation.settings.model_copy(update={"log_stream_hosts": ()})
        async with open_world(settings, installation.document) as world:
            for url in (end.url, f"https://127.0.0.1:{end.port}/", "https://[::1]/", "https://169.254.169.254/latest"):
                refused = await world.manage("POST", "/log-streams", NEW | {"sink": {"httpEndpoint": url}})
                assert refused.status_code == 400, url
                assert "KEYSTEAD_LOG_STREAM_HOSTS" in refused.text
            made = (await world.manage("POST", "/log-streams", NEW)).json()
            moved = await world.manage("PATCH", f"/log-streams/{made['id']}", {"sink": {"httpEndpoint": end.url}})
            assert moved.status_code == 400
            calls = HttpLogReceiver(world.clock, OutwardCalls(PUBLIC))
            for host in ("localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1"):
                for scheme in ("http", "https"):
                    with pytest.raises(DeliveryFailed, match="KEYSTEAD_LOG_STREAM_HOSTS"):
                        await calls.post(f"{scheme}://{host}:{end.port}/", {}, b"x")
        assert not end.arrived


async def test_the_address_that_is_called_is_the_one_that_was_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that stands for something else when it is asked for again (DNS rebinding) has no second turn."""
    asked: list[str] = []

    async with receiver() as end:
        assert end._server
        here = end._server.sockets[0]

        async def answer(host: str, port: int, **about: Any) -> list[Any]:
            asked.append(host)
            address = here.getsockname()[0] if len(asked) == 1 else "192.0.2.1"
            return [(here.family, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
        calls = HttpLogReceiver(world.clock, OutwardCalls(named("rebound.example.com")))
        assert (await calls.post(f"http://rebound.example.com:{end.port}/in", {}, b"x")).status == 204
    assert end.taken[0].headers["host"] == f"rebound.example.com:{end.port}"
    assert asked == ["rebound.example.com"]


async def test_whoever_sends_the_journal_on_may_read_it(world: World) -> None:
    made = (await world.manage("POST", "/log-streams", NEW)).json()
    path = f"/log-streams/{made['id']}"
    for method, where, scope in [("POST", "/log-streams", "create"), ("PATCH", path, "update")]:
        refused = await world.manage(method, where, NEW | {"name": "x"}, scope=f"{scope}:log_streams")
        assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")
    allowed = await world.manage("PATCH", path, {"name": "x"}, scope="update:log_streams read:logs")
    assert allowed.status_code == 200


def test_the_setting(tmp_path: Any) -> None:
    assert settings_for(tmp_path, log_stream_hosts="Logs.Internal, 10.0.0.0/8 ::1").log_stream_hosts == (
        *("logs.internal", "10.0.0.0/8", "::1/128"),
    )
