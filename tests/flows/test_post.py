"""Messages are asked for, tried again, given up and never lost; one that is poisoned stops no other."""

import asyncio
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlmodel import Session, col

from keystead import worker
from keystead.adapters.mail import SmtpPostman
from keystead.db import jobs, tables
from keystead.db.jobs import LEASE
from keystead.errors import DeliveryFailed
from keystead.flows.post import MAX_TRIES, Post
from keystead.rules.mail_servers import MailServer
from keystead.rules.messages import Letter, Message
from keystead.secrecy import Secret
from post_box import PostBox, post_box
from world import World

LINK = "https://login.example.com/u/reset-password?ticket=s3cret-t1cket#"


class OneServer:
    """An office that hands everything to one mail server."""

    def __init__(self, world: World, box: PostBox) -> None:
        server = MailServer("localhost", box.port, "", Secret(""), "offered", "no-reply@localhost")
        self.postman = SmtpPostman(server, world.clock)

    async def deliver(self, letter: Letter, server: MailServer | None) -> None:
        await self.postman.deliver(letter)


class Unreliable:
    """An office that fails in a way of its own, and counts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.letters = list(errors), list[Letter]()

    async def deliver(self, letter: Letter, server: MailServer | None) -> None:
        self.letters.append(letter)
        if self.errors:
            raise self.errors.pop(0)


def post_of(world: World, office: Any) -> Post:
    post: Post = world.app.state.flows.post
    return replace(post, office=office)


async def send(world: World, to: str = "ann@example.com", **more: Any) -> str:
    given: dict[str, Any] = {"channel": "email", "template": "reset_email", "variables": {"url": LINK}}
    message = Message(to=to, **given | more)
    post: Post = world.app.state.flows.post
    return await world.db.write(post.send, message)


async def the_job(world: World) -> dict[str, Any]:
    (found,) = await world.rows(tables.Job)
    return found


async def test_a_message_is_delivered_once(world: World) -> None:
    await send(world)
    async with post_box() as box:
        post = post_of(world, OneServer(world, box))
        assert await worker.deliver_due(world.db, post, world.clock) == 1
        assert await worker.deliver_due(world.db, post, world.clock) == 0
    job = await the_job(world)
    assert (job["status"], job["tries"], job["sealed"], job["error"]) == ("completed", 1, b"", None)
    (mail,) = box.mails
    assert mail["Message-ID"] == f"<{job['id']}@localhost>"
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert LINK in plain.get_content()


async def test_messages_arrive_in_the_order_in_which_they_were_asked_for(world: World) -> None:
    people = [f"p{number}@example.com" for number in range(8)]
    for person in people:
        await send(world, person)
    assert [letter.to for letter in await world.letters()] == people[::-1]


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_a_job_that_is_claimed_by_nobody_any_more_is_given_back(world: World) -> None:
    """A worker is told to stop while it claims one: it would be nobody's until the lease ends."""
    await send(world)
    looks, claims = count(1), asyncio.Event()

    def clock() -> datetime:
        if next(looks) == 2:
            claims.set()
        return world.clock.now

    with closing(sqlite3.connect(world.settings.database_url.reveal().removeprefix("sqlite:///"))) as held:
        held.execute("BEGIN IMMEDIATE")  # so that the claim, which is what it looks at the clock for again, waits
        working = asyncio.create_task(worker.deliver_due(world.db, post_of(world, Unreliable()), clock))
        await claims.wait()
        await asyncio.sleep(0.3)  # its thread has begun with it by then; if not, there is nothing to give back
        working.cancel()
        await asyncio.sleep(0)
        held.rollback()
    with pytest.raises(asyncio.CancelledError):
        await working
    await world.db.write(lambda session: None)  # behind whatever the one thread that writes had to do before
    found = await the_job(world)
    assert (found["status"], found["run_at"]) == ("pending", world.clock.now)


async def test_what_is_rolled_back_is_not_sent(world: World) -> None:
    def work(session: Session) -> None:
        world.app.state.flows.post.send(session, Message(channel="email", template="reset_email", to="a@example.com"))
        raise DeliveryFailed

    with pytest.raises(DeliveryFailed):
        await world.db.write(work)
    assert await world.letters() == []


async def test_a_message_waits_longer_each_time_and_is_given_up_in_the_end(world: World) -> None:
    await send(world, user_id="auth0|x", client_id=world.client_id, connection_id=world.connection_id)
    office = Unreliable(*(DeliveryFailed(detail=f"421 busy, see {LINK}") for _ in range(MAX_TRIES)))
    post = post_of(world, office)
    waits = []
    for _ in range(MAX_TRIES):
        assert await worker.deliver_due(world.db, post, world.clock) == 1
        job = await the_job(world)
        wait = (job["run_at"] - world.clock()).total_seconds()
        waits.append(wait)
        if job["status"] == "pending":
            world.clock.advance(seconds=wait - 1)
            assert await worker.deliver_due(world.db, post, world.clock) == 0
            world.clock.advance(seconds=1)
    assert waits[:-1] == [5 * 4**number for number in range(MAX_TRIES - 1)]
    assert (job["status"], job["sealed"]) == ("failed", b"")
    entry = await world.last_entry()
    assert entry["type"] == "fn"
    assert (entry["user_id"], entry["client_id"], entry["connection_id"]) == (
        *("auth0|x", world.client_id),
        world.connection_id,
    )
    assert entry["details"] == {"tries": MAX_TRIES, "channel": "email", "template": "reset_email"}
    assert entry["description"].startswith("421 busy, see ")


@pytest.mark.parametrize("said", [LINK, "ticket s3cret-t1cket", "…?ticket=s3cret-t1cket"])
async def test_what_a_server_quotes_gets_nowhere(world: World, said: str) -> None:
    await send(world)
    post = post_of(world, Unreliable(DeliveryFailed(permanent=True, detail=f"554 spam: {said}")))
    await worker.deliver_due(world.db, post, world.clock)
    assert "554 spam" in (await the_job(world))["error"]
    assert "s3cret" not in str(await the_job(world)) + str(await world.last_entry())


async def test_a_refusal_for_good_is_not_tried_again(world: World) -> None:
    await send(world)
    async with post_box() as box:
        box.refusals.append("554 no")
        post = post_of(world, OneServer(world, box))
        await worker.deliver_due(world.db, post, world.clock)
        world.clock.advance(days=0.9)
        assert await worker.deliver_due(world.db, post, world.clock) == 0
    assert (await the_job(world))["error"] == "554 no"


async def test_success_after_a_failure(world: World) -> None:
    await send(world)
    async with post_box() as box:
        box.refusals.append("451 later")
        post = post_of(world, OneServer(world, box))
        await worker.deliver_due(world.db, post, world.clock)
        world.clock.advance(seconds=5)
        await worker.deliver_due(world.db, post, world.clock)
    assert len(box.mails) == 1
    assert (await the_job(world))["status"] == "completed"
    assert "fn" not in await world.journal()


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyError("code"), TimeoutError()])
async def test_a_poisoned_message_stops_no_other(world: World, error: Exception) -> None:
    await send(world, "a@example.com")
    await send(world, "b@example.com")
    office = Unreliable(error)
    assert await worker.deliver_due(world.db, post_of(world, office), world.clock) == 2
    found = {job["status"]: job["error"] for job in await world.rows(tables.Job)}
    assert found == {"pending": type(error).__name__, "completed": None}


async def test_a_message_that_cannot_be_opened_stops_no_other(world: World) -> None:
    first = await send(world, "a@example.com")
    await send(world, "b@example.com")

    def spoil(session: Session) -> None:
        job = tables.Job
        session.connection().execute(update(job).where(col(job.id) == first).values(sealed=b"junk" * 10))

    await world.db.write(spoil)
    assert [letter.to for letter in await world.letters()] == ["b@example.com"]
    for _ in range(MAX_TRIES):
        world.clock.advance(hours=6)
        await world.letters()
    assert (await world.last_entry())["type"] == "fn"


async def test_a_worker_that_dies_leaves_its_message_to_the_lease(world: World) -> None:
    await send(world)
    claimed = await world.db.write(jobs.claim, world.clock(), Post.types)
    assert claimed is not None
    assert await world.letters() == []
    world.clock.advance(seconds=LEASE.total_seconds())
    assert len(await world.letters()) == 1
    # The first one comes back: it may change nothing any more.
    assert not await world.db.write(jobs.finish, claimed, world.clock(), error="late")
    assert not await world.db.write(jobs.again, claimed, world.clock(), "late")
    assert (await the_job(world))["status"] == "completed"


async def test_a_message_that_ends_every_worker_is_given_up(world: World) -> None:
    await send(world)
    for _ in range(MAX_TRIES):
        assert await world.db.write(jobs.claim, world.clock(), Post.types) is not None
        world.clock.advance(seconds=LEASE.total_seconds())
    assert await world.letters() == []
    assert (await the_job(world))["status"] == "failed"


async def test_of_many_workers_one_gets_each_message(world: World) -> None:
    for number in range(12):
        await send(world, f"p{number}@example.com")
    office = Unreliable()
    post = post_of(world, office)
    tried = await asyncio.gather(*(worker.deliver_due(world.db, post, world.clock) for _ in range(5)))
    assert sum(tried) == 12
    assert len({letter.to for letter in office.letters}) == len(office.letters) == 12


async def test_a_code_that_has_expired_is_not_sent(world: World) -> None:
    await send(world, template="verify_email_by_code", variables={"code": "123456"})
    world.clock.advance(seconds=900)
    assert await world.letters() == []
    assert (await world.last_entry())["description"] == "the code in it has expired"


async def test_a_slow_server_holds_up_its_own_lane(world: World) -> None:
    """Eight messages at a server that takes half a second over each: four are under way at any time."""
    for number in range(8):
        await send(world, f"p{number}@example.com")
    under_way, most, done = 0, 0, asyncio.Event()

    class Slow:
        letters = 0

        async def deliver(self, letter: Letter, server: MailServer | None) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.2)
            under_way -= 1
            self.letters += 1
            if self.letters == 8:
                done.set()

    running = asyncio.create_task(worker.run(world.db, [post_of(world, Slow())], world.clock))
    async with asyncio.timeout(60):
        await done.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert most == worker.LANES


async def test_the_worker_outlives_what_goes_wrong(world: World) -> None:
    """A table that is missing for a while, then a message: it is delivered."""

    class Once:
        def __init__(self) -> None:
            self.delivered = asyncio.Event()

        async def deliver(self, letter: Letter, server: MailServer | None) -> None:
            self.delivered.set()

    office, asked = Once(), 0

    def failing_clock() -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise RuntimeError("the first look goes wrong")
        return world.clock()

    await send(world)
    running = asyncio.create_task(worker.run(world.db, [post_of(world, office)], failing_clock))
    async with asyncio.timeout(60):
        await office.delivered.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_worker_that_is_stopped_leaves_its_message_as_it_is(world: World) -> None:
    await send(world)
    started = asyncio.Event()

    class Endless:
        async def deliver(self, letter: Letter, server: MailServer | None) -> None:
            started.set()
            await asyncio.sleep(3600)

    running = asyncio.create_task(worker.run(world.db, [post_of(world, Endless())], world.clock))
    async with asyncio.timeout(60):
        await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await the_job(world))["status"] == "processing"
    world.clock.advance(seconds=LEASE.total_seconds())
    assert len(await world.letters()) == 1


async def test_what_is_old_is_swept_out(world: World) -> None:
    await send(world)
    assert len(await world.letters()) == 1
    world.clock.advance(days=8)
    await world.db.write(worker.sweep, world.clock())
    assert await world.rows(tables.Job) == []
    assert await world.letters() == []


async def test_about_somebody_who_is_gone_since(world: World) -> None:
    """A message is rendered about things as they are when it is sent."""
    user_id = await world.person()
    await world.db.write(_forget_jobs)
    await send(world, user_id=user_id, client_id="gone", connection_id="gone")
    await world.delete_user(user_id)
    (letter,) = await world.letters()
    assert letter.to == "ann@example.com"


def _forget_jobs(session: Session) -> None:
    session.connection().execute(delete(tables.Job))
