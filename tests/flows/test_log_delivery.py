"""Log streams deliver every entry in order, at least once, whoever fails, hangs, is killed or restarts."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from conftest import Stencil
from keystead.adapters.log_calls import HttpLogReceiver
from keystead.adapters.outward_calls import OutwardCalls
from keystead.db import journal, log_streams, tables
from keystead.errors import DeliveryFailed
from keystead.flows.log_delivery import LogDelivery
from keystead.rules.events import Caller
from keystead.rules.log_streams import GIVEN_UP_AFTER
from keystead.rules.receivers import Receivers
from log_receiver import CUT, HANG, Receiver, receiver
from post_box import serving_tls, trusting
from world import World, open_world

HERE = OutwardCalls(Receivers.of("KEYSTEAD_LOG_STREAM_HOSTS", ("localhost",)))
LEASE = log_streams.LEASE.total_seconds()


@pytest.fixture
async def end() -> AsyncIterator[Receiver]:
    """Where the streams of a test end."""
    async with receiver() as found:
        yield found


def delivery(world: World) -> LogDelivery:
    found: LogDelivery = world.app.state.flows.management.log_delivery
    return found


async def make(world: World, end: Receiver, name: str = "Logs", **more: Any) -> dict[str, Any]:
    """Make a stream that begins with the first entry of all."""
    sink = {"httpEndpoint": end.url} | more.pop("sink", {})
    body = {"name": name, "type": "http", "sink": sink, "startFrom": "2000-01-01T00:00:00Z"} | more
    answer = await world.manage("POST", "/log-streams", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def record(world: World, count: int, type: str = "s", seal: bool = True) -> list[str]:
    """Record entries, and seal them; return their ids."""
    own = world.app.state.flows.users.journal
    events = [own.event(type, Caller(), number=number) for number in range(count)]
    await world.db.write(journal.add, *events)
    if seal:
        await seal_all(world)
    return [event.log_id for event in events]


async def seal_all(world: World) -> None:
    world.clock.advance(seconds=3)
    await world.app.state.flows.management.chain.seal()


async def chain(world: World) -> list[str]:
    """Return the ids of what is sealed, in the chain's order."""
    return [each.log_id for each in await world.db.read(journal.sealed_after, 0, "", 100_000)]


async def state(world: World, name: str = "Logs") -> dict[str, Any]:
    return next(row for row in await world.rows(tables.LogStream) if row["name"] == name)


async def test_everything_arrives_once_in_order(world: World, end: Receiver) -> None:
    made = await make(world, end)
    for count in (3, 250, 1):
        await record(world, count)
    await delivery(world).deliver_due()
    assert end.ids == await chain(world)
    assert len(end.ids) > 254
    assert max(len(each.ids) for each in end.taken) == 100
    assert {each.line for each in end.taken} == {"POST /in?a=b HTTP/1.1"}
    assert {each.headers["keystead-stream"] for each in end.taken} == {made["id"]}
    names = [each.headers["keystead-batch"] for each in end.taken]
    assert len(set(names)) == len(names)
    places = [each.headers["keystead-stream-position"].split(".") for each in end.taken]
    assert [(int(seal), log_id) for seal, log_id in places] == sorted((int(seal), log_id) for seal, log_id in places)
    before = len(end.arrived)
    await delivery(world).deliver_due()
    assert len(end.arrived) == before, "nothing is left"
    (one,) = await record(world, 1)
    await delivery(world).deliver_due()
    assert end.ids[-1] == one


async def test_a_stream_begins_now_unless_told(world: World, end: Receiver) -> None:
    old = await record(world, 3)
    sink = {"httpEndpoint": end.url}
    await world.manage("POST", "/log-streams", {"name": "Now", "type": "http", "sink": sink})
    new = await record(world, 2)
    await delivery(world).deliver_due()
    assert not set(end.ids) & set(old)
    assert end.ids[-2:] == new
    end.taken.clear()
    world.clock.advance(hours=1)
    since = world.clock().isoformat()
    late = await record(world, 2)
    await record(world, 2)
    await make(world, end, "Since", startFrom=since)
    await delivery(world).deliver_due()
    assert late[0] in end.ids
    assert not set(end.ids) & set(new)


async def test_what_is_not_sealed_waits(world: World, end: Receiver) -> None:
    await make(world, end)
    ids = await record(world, 2, seal=False)
    await delivery(world).deliver_due()
    assert not end.arrived
    await seal_all(world)
    await delivery(world).deliver_due()
    assert end.ids[-2:] == ids


async def test_only_the_categories_that_are_wanted(world: World, end: Receiver) -> None:
    filters = [{"type": "category", "name": "auth.login.fail"}]
    await make(world, end, filters=filters)
    await record(world, 3)
    await delivery(world).deliver_due()
    assert not end.arrived
    where = (await state(world))["after_seal"]
    assert where > 0, "it went past what it does not carry"
    wanted = await record(world, 2, "fp")
    await record(world, 600)
    wanted += await record(world, 1, "f")
    await delivery(world).deliver_due()
    assert end.ids == wanted


@pytest.mark.parametrize("trouble", [500, 404, 301, 429, CUT])
async def test_what_was_not_taken_comes_again_under_the_same_name(world: World, end: Receiver, trouble: int) -> None:
    await make(world, end)
    await record(world, 2)
    end.answers += [trouble, trouble]
    await delivery(world).deliver_due()
    await record(world, 1)  # meanwhile there is more; the batch stays what it was
    assert not end.taken
    assert (await state(world))["error"]
    await delivery(world).deliver_due()
    assert len(end.arrived) == 1, "it waits"
    world.clock.advance(seconds=2)
    await delivery(world).deliver_due()
    assert len(end.arrived) == 2
    world.clock.advance(seconds=19)
    await delivery(world).deliver_due()
    assert len(end.arrived) == 2, "longer"
    world.clock.advance(seconds=1)
    await delivery(world).deliver_due()
    tries = end.arrived[:3]
    assert len({each.headers["keystead-batch"] for each in tries}) == 1
    assert len({tuple(each.ids) for each in tries}) == 1
    assert len({each.headers["keystead-stream-position"] for each in tries}) == 1
    assert end.ids == await chain(world)
    assert ((await state(world))["error"], (await state(world))["tries"]) == (None, 0)


async def test_a_receiver_says_when_to_come_back(world: World, end: Receiver) -> None:
    await make(world, end)
    await record(world, 1)
    end.answers, end.headers = [503], {"retry-after": "600"}
    await delivery(world).deliver_due()
    world.clock.advance(seconds=599)
    await delivery(world).deliver_due()
    assert len(end.arrived) == 1
    world.clock.advance(seconds=1)
    await delivery(world).deliver_due()
    assert len(end.arrived) == 2


async def test_a_receiver_that_is_away_loses_nothing(world: World, end: Receiver) -> None:
    await make(world, end)
    await record(world, 5)
    await end.stop()
    await delivery(world).deliver_due()
    assert (await state(world))["error"] == "ConnectError"
    for _ in range(3):
        await record(world, 40)
        world.clock.advance(hours=1)
        await delivery(world).deliver_due()
    await end.start()
    world.clock.advance(hours=1)
    await delivery(world).deliver_due()
    assert end.ids == await chain(world)


async def test_after_a_week_it_is_suspended_and_goes_on_when_told(world: World, end: Receiver) -> None:
    made = await make(world, end)
    await record(world, 1)
    await end.stop()
    for _ in range(GIVEN_UP_AFTER):
        await delivery(world).deliver_due()
        world.clock.advance(hours=1)
    assert (await world.journal()).count("log_stream_suspended") == 1
    entry = next(row for row in await world.rows(tables.JournalRow) if row["type"] == "log_stream_suspended")
    assert entry["details"] == {"log_stream_id": made["id"], "name": "Logs", "error": "ConnectError"}
    world.forget_tokens()
    shown = (await world.manage("GET", f"/log-streams/{made['id']}")).json()
    assert (shown["status"], shown["error"]) == ("suspended", "ConnectError")
    await end.start()
    await seal_all(world)
    await delivery(world).deliver_due()
    assert not end.arrived
    await world.manage("PATCH", f"/log-streams/{made['id']}", {"status": "active"})
    await delivery(world).deliver_due()
    assert end.ids == await chain(world)


async def test_one_that_is_gone_is_asked_no_more(world: World, end: Receiver) -> None:
    await make(world, end)
    await record(world, 1)
    end.answers = [410]
    await delivery(world).deliver_due()
    assert (await state(world))["status"] == "suspended"
    await seal_all(world)
    await delivery(world).deliver_due()
    assert len(end.arrived) == 1


async def test_failing_makes_no_entries_that_fail_in_turn(world: World, end: Receiver) -> None:
    await make(world, end)
    await record(world, 1)
    before = len(await world.journal())
    end.answers = [500] * 20
    for _ in range(20):
        await seal_all(world)
        world.clock.advance(hours=1)
        await delivery(world).deliver_due()
    assert len(await world.journal()) == before


async def test_paused_it_waits_and_resumes_where_it_stopped(world: World, end: Receiver) -> None:
    made = await make(world, end)
    await record(world, 2)
    await delivery(world).deliver_due()
    await world.manage("PATCH", f"/log-streams/{made['id']}", {"status": "paused"})
    await record(world, 2)
    await delivery(world).deliver_due()
    assert end.ids != await chain(world)
    await world.manage("PATCH", f"/log-streams/{made['id']}", {"status": "active"})
    await delivery(world).deliver_due()
    assert end.ids == await chain(world)


async def test_paused_under_way_what_was_taken_counts(world: World, end: Receiver) -> None:
    made = await make(world, end)
    await record(world, 250)
    end.answers = [HANG]
    under_way = asyncio.create_task(delivery(world).deliver_due())
    await end.hanging.wait()
    await world.manage("PATCH", f"/log-streams/{made['id']}", {"status": "paused"})
    await world.manage("PATCH", f"/log-streams/{made['id']}", {"status": "active"})
    await delivery(world).deliver_due()  # somebody else may not begin before the other has ended
    assert len(end.arrived) == 1
    await end.stop()
    under_way.cancel()
    with suppress(asyncio.CancelledError):
        await under_way
    await end.start()
    world.clock.advance(seconds=LEASE)
    await delivery(world).deliver_due()
    assert end.ids == await chain(world)


async def test_one_that_hangs_holds_up_no_other(world: World, end: Receiver) -> None:
    async with receiver() as slow:
        slow.answers = [HANG] * 10
        await make(world, slow, "Slow")
        await make(world, end, "Quick")
        await record(world, 3)
        working = asyncio.create_task(delivery(world).run())
        await slow.hanging.wait()
        expected = await chain(world)
        while end.ids != expected:
            await end.more.wait()
            end.more.clear()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def test_one_that_breaks_ends_no_other(world: World, end: Receiver) -> None:
    await make(world, end, "Broken")
    await world.db.write(
        lambda session: session.connection().execute(text("UPDATE log_stream SET settings = '{}'")) and None
    )
    await make(world, end, "Good")
    told: asyncio.Queue[tuple[str, Exception]] = asyncio.Queue()
    await record(world, 2)
    deliverer = replace(delivery(world), tell=lambda stream_id, error: told.put_nowait((stream_id, error)))
    working = asyncio.create_task(deliverer.run())
    seen = asyncio.create_task(told.get())
    await asyncio.wait({working, seen}, return_when=asyncio.FIRST_COMPLETED)
    assert not working.done()
    stream_id, error = seen.result()
    assert (stream_id, type(error)) == ((await state(world, "Broken"))["id"], KeyError)
    await record(world, 2)
    expected = await chain(world)
    while end.ids != expected:
        await end.more.wait()
        end.more.clear()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


def exactly(end: Receiver, expected: list[str]) -> None:
    """Check that all came in order, and twice only as whole batches of the same name, one right after the other."""
    names: list[str] = []
    ids: list[str] = []
    for each in end.taken:
        name = each.headers["keystead-batch"]
        if names and names[-1] == name:
            assert ids[-len(each.ids) :] == each.ids
            continue
        assert name not in names, "a batch came again behind another one"
        names.append(name)
        ids += each.ids
    assert ids == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_ended_at_any_point_and_begun_again(world: World, end: Receiver, seed: int) -> None:
    """Deliverers are cancelled after any number of steps, and receivers fail at random; nothing is lost or swapped."""
    dice = random.Random(seed)  # noqa: S311 - of a test
    await make(world, end)
    for _ in range(60):
        if dice.random() < 0.5:
            await record(world, dice.choice([1, 5, 120]))
        end.answers = [dice.choice([204, 204, 500, CUT]) for _ in range(2)]
        working = asyncio.create_task(delivery(world).deliver_due())
        for _ in range(dice.choice([1, 5, 20, 50, 100, 300])):
            await asyncio.sleep(0)
        if dice.random() < 0.5:
            await asyncio.sleep(0.02)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        world.clock.advance(hours=1)
    end.answers = []
    await delivery(world).deliver_due()
    exactly(end, await chain(world))


async def test_two_processes_at_once_do_not_get_into_each_others_way(installation: Stencil, end: Receiver) -> None:
    async with (
        open_world(installation.settings, installation.document) as one,
        open_world(installation.settings, installation.document, seed="two") as two,
    ):
        two.clock = one.clock
        await make(one, end)
        deliverers = [delivery(one), LogDelivery(two.db, *_rest(delivery(one)))]
        for _ in range(8):
            await record(one, 150)
            await asyncio.gather(*(each.deliver_due() for each in deliverers * 2))
        await asyncio.gather(*(each.deliver_due() for each in deliverers))
        exactly(end, await chain(one))
        assert len(end.taken) == len({each.headers["keystead-batch"] for each in end.taken}), "each came once"


def _rest(of: LogDelivery) -> tuple[Any, ...]:
    return of.receiver, of.sealer, of.journal, of.clock, of.hostname, of.tell


async def test_whoever_lost_its_lease_changes_nothing(world: World, end: Receiver) -> None:
    await make(world, end)
    await record(world, 2)
    stream_id = (await state(world))["id"]
    first = await world.db.write(log_streams.claim, stream_id, world.clock())
    assert first is not None
    assert await world.db.write(log_streams.claim, stream_id, world.clock()) is None
    world.clock.advance(seconds=LEASE)
    second = await world.db.write(log_streams.claim, stream_id, world.clock())
    assert second is not None
    for late in (
        world.db.write(log_streams.advance, first, (99, "x"), world.clock()),
        world.db.write(log_streams.again, first, world.clock(), "late"),
        world.db.write(log_streams.release, first, world.clock()),
        world.db.write(log_streams.suspend, first, world.clock(), "late"),
    ):
        assert not await late
    assert await world.db.write(log_streams.advance, second, (1, "x"), world.clock())


async def test_what_was_pruned_is_said_to_be_missing(world: World, end: Receiver) -> None:
    made = await make(world, end)
    await end.stop()
    await record(world, 4)
    await record(world, 3)
    await delivery(world).deliver_due()
    retention = world.app.state.flows.management.retention
    retention.days = 1
    world.clock.advance(days=3)
    assert await retention.prune() == 2
    kept = await record(world, 2)
    await end.start()
    await delivery(world).deliver_due()
    assert end.ids[-2:] == kept
    entry = next(row for row in await world.rows(tables.JournalRow) if row["type"] == "log_stream_gap")
    pruned = [row for row in await world.rows(tables.JournalSeal) if row["pruned_at"]]
    assert entry["details"] == {
        "log_stream_id": made["id"],
        "name": "Logs",
        "first": 1,
        "last": 2,
        "entries": sum(row["entries"] for row in pruned),
    }
    await seal_all(world)
    await delivery(world).deliver_due()
    assert (await world.journal()).count("log_stream_gap") == 1


async def test_what_is_sent_along(world: World, end: Receiver) -> None:
    sink = {
        "httpAuthorization": "Bearer one",
        "httpCustomHeaders": [{"header": "X-Key", "value": "two"}],
        "httpContentType": "application/x-ndjson",
        "httpContentFormat": "JSONARRAY",
    }
    await make(world, end, sink=sink)
    await record(world, 2)
    await delivery(world).deliver_due()
    headers = end.taken[0].headers
    assert (headers["authorization"], headers["x-key"]) == ("Bearer one", "two")
    assert headers["content-type"] == "application/x-ndjson"
    first = json.loads(end.taken[0].body)[0]
    assert set(first) == {"log_id", "data"}
    assert first["data"]["log_id"] == first["log_id"]
    assert first["data"]["hostname"] == "localhost"


async def test_one_entry_at_a_time_as_an_object(world: World, end: Receiver) -> None:
    await make(world, end, sink={"httpContentFormat": "JSONOBJECT"})
    await record(world, 3)
    await delivery(world).deliver_due()
    assert [json.loads(each.body)["log_id"] for each in end.taken] == await chain(world)


async def test_secrets_that_cannot_be_opened_are_a_failure_like_any_other(world: World, end: Receiver) -> None:
    await make(world, end)
    await record(world, 1)
    await world.db.write(
        lambda session: (
            session.connection().execute(text("UPDATE log_stream SET sealed = :x"), {"x": b"x" * 40}) and None
        )
    )
    await delivery(world).deliver_due()
    assert "KEYSTEAD_SECRET_KEYS" in (await state(world))["error"]
    assert not end.arrived


async def test_certificates_are_verified_and_redirects_not_followed(world: World) -> None:
    async with receiver(tls=serving_tls()) as end:
        trusted = HttpLogReceiver(world.clock, replace(HERE, trust=trusting()))
        assert (await trusted.post(end.url, {}, b"x")).status == 204
        with pytest.raises(DeliveryFailed, match="ConnectError"):
            await HttpLogReceiver(world.clock, HERE).post(end.url, {}, b"x")
        async with receiver() as elsewhere:
            end.answers, end.headers = [302], {"location": elsewhere.url}
            assert (await trusted.post(end.url, {}, b"x")).status == 302
            assert not elsewhere.arrived


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        ("Mon, 01 Jun 2026 12:01:00 GMT", 60),
        ("Mon, 01 Jun 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("", None),
    ],
)
async def test_retry_after_as_a_number_or_a_date(world: World, end: Receiver, said: str, seconds: int | None) -> None:
    end.answers, end.headers = [503], {"retry-after": said}
    answer = await HttpLogReceiver(world.clock, HERE).post(end.url, {}, b"")
    assert (answer.status, answer.retry_after) == (503, seconds)
    assert timedelta(seconds=seconds or 0) >= timedelta()
