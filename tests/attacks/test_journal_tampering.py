"""Somebody with the database, and without the secret key, changes what the journal says: it is found, and named."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy import text, update
from sqlmodel import col

from keystead.adapters.sealing import Sealer
from keystead.db import journal, journal_seals
from keystead.db.tables import Decision, JournalRow, JournalSeal
from keystead.flows import journal_verification
from keystead.flows.journal_chain import JournalChain, Word, sign
from keystead.flows.journal_retention import JournalRetention
from keystead.flows.journal_verification import JournalVerification
from keystead.flows.long_reads import LongReads
from keystead.operator_log import tell_of_chain
from keystead.rules.events import Caller
from keystead.rules.journal_chain import NOTHING, Head, digest, leaves_of
from keystead.rules.journal_verification import Verification
from keystead.rules.log_entries import LogEntry
from keystead.secrecy import Secret
from world import World


def part(world: World, name: str) -> Any:
    return getattr(world.app.state.flows.management, name)


async def seal(world: World) -> None:
    world.clock.advance(seconds=3)
    await part(world, "chain").seal()


async def verify(world: World, expect: Head | None = None) -> Verification:
    """Verify as a process that has just started: one that has seen the chain's end would know it."""
    found: JournalVerification = part(world, "verification")
    return await JournalVerification(LongReads(world.db), found.sealer, world.clock, fresh_chain(world))(expect)


def fresh_chain(world: World) -> JournalChain:
    return JournalChain(world.db, part(world, "chain").sealer, world.clock, lambda what, head: None)


async def sql(world: World, statement: str, **values: Any) -> None:
    await world.db.write(lambda session: session.connection().execute(text(statement), values))


def named(found: Verification) -> list[tuple[int, str, str | None]]:
    return [(each.number, each.what, each.log_id) for each in found.problems]


async def entries(world: World, number: int) -> list[dict[str, Any]]:
    return [row for row in await world.rows(JournalRow) if row["seal"] == number]


@pytest.fixture
async def chained(world: World) -> World:
    """Three batches: four entries, two and one."""
    await world.person()
    await world.person("bob@example.com")
    await seal(world)
    await world.tokens()
    await seal(world)
    await world.login("bob@example.com", "a wrong password")
    await seal(world)
    assert [len(await entries(world, number)) for number in (1, 2, 3)] == [4, 2, 1]
    return world


async def test_a_journal_that_nobody_touched(chained: World) -> None:
    found = await verify(chained)
    assert (found.ok, found.problems) == (True, ())
    assert (found.batches, found.entries, found.pruned_batches, found.waiting) == (3, 7, 0, 0)
    (newest,) = [row for row in await chained.rows(JournalSeal) if row["number"] == 3]
    assert found.head == Head(3, newest["digest"])


async def test_an_empty_journal(world: World) -> None:
    assert (await verify(world)).head == NOTHING


CHANGES = {
    "type": "type = 's'",
    "user": "user_id = 'auth0|somebody'",
    "nobody": "user_id = NULL",
    "connection": "connection_id = 'con_0000000000000000'",
    "client": "client_id = 'another'",
    "address": "ip = '192.0.2.1'",
    "agent": "user_agent = 'another'",
    "description": "description = 'another'",
    "decision": "decision = 'dec_another'",
    "actor": "actor = 'cli'",
    "request": "request_id = 'another'",
}


@pytest.mark.parametrize("change", [*CHANGES, "date", "details"])
async def test_a_changed_entry(chained: World, change: str) -> None:
    victim = (await entries(chained, 2))[1]
    if change == "date":
        await sql(
            chained,
            "UPDATE journal SET date = :date WHERE log_id = :id",
            date="2026-05-01 00:00:00",
            id=victim["log_id"],
        )
    elif change == "details":
        told = json.dumps(victim["details"] | {"more": 1})
        cast = "CAST(:told AS jsonb)" if not chained.db.is_sqlite else ":told"
        await sql(chained, f"UPDATE journal SET details = {cast} WHERE log_id = :id", told=told, id=victim["log_id"])  # noqa: S608
    else:
        await sql(chained, f"UPDATE journal SET {CHANGES[change]} WHERE log_id = :id", id=victim["log_id"])  # noqa: S608
    found = await verify(chained)
    assert not found.ok
    assert named(found) == [(2, "entry_changed", victim["log_id"])]


async def test_a_changed_id(chained: World) -> None:
    victim = (await entries(chained, 2))[1]
    await sql(
        chained, "UPDATE journal SET log_id = :new WHERE log_id = :id", new=victim["log_id"] + "0", id=victim["log_id"]
    )
    assert named(await verify(chained)) == [(2, "entry_changed", victim["log_id"] + "0")]


@pytest.mark.parametrize("position", [0, 1, 3])
async def test_a_missing_entry(chained: World, position: int) -> None:
    rows = await entries(chained, 1)
    await sql(chained, "DELETE FROM journal WHERE log_id = :id", id=rows[position]["log_id"])
    found = await verify(chained)
    assert named(found) == [(1, "entry_missing", None)]
    assert found.problems[0].about == (f"after {rows[position - 1]['log_id']}" if position else "the first")


async def test_an_entry_taken_out_of_its_batch(chained: World) -> None:
    """It is sealed again, later and in another batch, and is missing in its own."""
    victim = (await entries(chained, 1))[2]
    await sql(chained, "UPDATE journal SET seal = NULL WHERE log_id = :id", id=victim["log_id"])
    await seal(chained)
    assert named(await verify(chained)) == [(1, "entry_missing", None)]


async def test_an_added_entry(chained: World) -> None:
    made = part(chained, "connections").journal.event("s", Caller(), user_id="auth0|somebody")
    await chained.db.write(journal.add, made)
    await sql(chained, "UPDATE journal SET seal = 2 WHERE log_id = :id", id=made.log_id)
    assert named(await verify(chained)) == [(2, "entry_added", made.log_id)]


async def test_a_changed_one_a_missing_one_and_an_added_one(chained: World) -> None:
    rows = await entries(chained, 1)
    await sql(chained, "UPDATE journal SET ip = '192.0.2.1' WHERE log_id = :id", id=rows[0]["log_id"])
    await sql(chained, "DELETE FROM journal WHERE log_id = :id", id=rows[2]["log_id"])
    made = part(chained, "connections").journal.event("s", Caller())
    await chained.db.write(journal.add, made)
    await sql(chained, "UPDATE journal SET seal = 1 WHERE log_id = :id", id=made.log_id)
    assert named(await verify(chained)) == [
        (1, "entry_changed", rows[0]["log_id"]),
        (1, "entry_missing", None),
        (1, "entry_added", made.log_id),
    ]


async def test_entries_that_changed_places(chained: World) -> None:
    """Within a batch the ids are swapped, so that the order is another; between batches the entries are."""
    first, second = (await entries(chained, 1))[:2]
    await sql(chained, "UPDATE journal SET log_id = 'x' WHERE log_id = :id", id=first["log_id"])
    await sql(chained, "UPDATE journal SET log_id = :new WHERE log_id = :id", new=first["log_id"], id=second["log_id"])
    await sql(chained, "UPDATE journal SET log_id = :new WHERE log_id = 'x'", new=second["log_id"])
    assert named(await verify(chained)) == [
        (1, "entry_changed", first["log_id"]),
        (1, "entry_changed", second["log_id"]),
    ]


async def test_entries_that_changed_batches(chained: World) -> None:
    victim, (other,) = (await entries(chained, 2))[0], await entries(chained, 3)
    await sql(chained, "UPDATE journal SET seal = 3 WHERE log_id = :id", id=victim["log_id"])
    await sql(chained, "UPDATE journal SET seal = 2 WHERE log_id = :id", id=other["log_id"])
    found = await verify(chained)
    assert named(found) == [
        (2, "entry_missing", None),
        (2, "entry_moved", other["log_id"]),
        (3, "entry_moved", victim["log_id"]),
        (3, "entry_missing", None),
    ]
    assert "of batch 3" in found.problems[1].says


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("sealed_at = '2026-05-01 00:00:00'", {"batch_not_ours"}),
        ("entries = 1", {"batch_not_ours", "batch_changed"}),
        ("first_id = 'x'", {"batch_not_ours"}),
        ("last_id = 'x'", {"batch_not_ours"}),
        ("mac = '" + "0" * 64 + "'", {"key_unknown"}),
    ],
)
async def test_a_changed_batch(chained: World, change: str, what: set[str]) -> None:
    await sql(chained, f"UPDATE journal_seal SET {change} WHERE number = 2")  # noqa: S608
    found = await verify(chained)
    assert {each.what for each in found.problems} == what
    assert {each.number for each in found.problems} == {2}


async def test_a_batch_made_to_fit(chained: World) -> None:
    """An entry is changed and the whole chain computed anew: all of it but the macs."""
    victim = (await entries(chained, 2))[0]
    await sql(chained, "UPDATE journal SET ip = '192.0.2.1' WHERE log_id = :id", id=victim["log_id"])
    before = next(row for row in await chained.rows(JournalSeal) if row["number"] == 1)["digest"]
    for number in (2, 3):
        leaves = leaves_of(_entry(row) for row in await entries(chained, number))
        before = digest(before, number, leaves)
        statement = "UPDATE journal_seal SET leaves = :leaves, digest = :digest WHERE number = :number"
        await sql(chained, statement, leaves=leaves, digest=before, number=number)
    assert named(await verify(chained)) == [(2, "batch_not_ours", None), (3, "batch_not_ours", None)]


def _entry(row: dict[str, Any]) -> LogEntry:
    return LogEntry(**row)


async def test_a_missing_batch(chained: World) -> None:
    await sql(chained, "DELETE FROM journal WHERE seal = 2")
    await sql(chained, "DELETE FROM journal_seal WHERE number = 2")
    assert named(await verify(chained)) == [(2, "batch_missing", None)]


async def test_a_missing_batch_whose_entries_are_there(chained: World) -> None:
    await sql(chained, "DELETE FROM journal_seal WHERE number = 2")
    found = await verify(chained)
    assert named(found) == [(2, "batch_missing", None), (2, "batch_missing", None)]
    assert "2 entries" in found.problems[1].says


async def test_an_end_that_was_cut_off(chained: World) -> None:
    """The chain itself cannot show it: who keeps its head elsewhere sees it."""
    head = (await verify(chained)).head
    assert (await verify(chained, head)).ok
    await sql(chained, "DELETE FROM journal WHERE seal = 3")
    await sql(chained, "DELETE FROM journal_seal WHERE number = 3")
    assert (await verify(chained)).ok
    assert named(await verify(chained, head)) == [(3, "cut_off", None)]


async def test_an_end_that_was_made_anew(chained: World) -> None:
    """Entries are taken out of the chain, changed, and sealed again by ourselves: the digest is another."""
    head = (await verify(chained)).head
    await sql(chained, "UPDATE journal SET seal = NULL, ip = '192.0.2.1' WHERE seal = 3")
    await sql(chained, "DELETE FROM journal_seal WHERE number = 3")
    await fresh_chain(chained).seal()
    assert (await verify(chained)).ok
    found = await verify(chained, head)
    assert named(found) == [(3, "cut_off", None)]
    assert head.digest in found.problems[0].says


async def test_a_process_that_has_seen_the_end_leaves_the_gap_open(chained: World) -> None:
    told: list[tuple[str, int]] = []
    chain: JournalChain = part(chained, "chain")
    chain.tell = lambda what, head: told.append((what, head.number))
    await sql(chained, "UPDATE journal SET seal = NULL, ip = '192.0.2.1' WHERE seal = 3")
    await sql(chained, "DELETE FROM journal_seal WHERE number = 3")
    assert not (await part(chained, "verification")()).ok
    await chain.seal()
    assert told == [("cut", 3), ("sealed", 4)]
    assert named(await verify(chained)) == [(3, "batch_missing", None)]


async def test_entries_that_nobody_seals_are_told_and_are_no_tampering(chained: World) -> None:
    await chained.tokens()
    since = chained.clock.now
    chained.clock.advance(seconds=59)
    assert (await verify(chained)).waiting == 0
    chained.clock.advance(seconds=1)
    found = await verify(chained)
    assert (found.ok, found.waiting, found.oldest_waiting) == (True, 2, since)


@pytest.mark.parametrize("change", ["date = '2999-01-01 00:00:00'", "log_id = '9'"])
async def test_an_entry_that_is_dated_in_the_future_is_sealed(chained: World, change: str) -> None:
    """In the seconds before it would be: what is never sealed could be changed and deleted at any time."""
    await chained.login("bob@example.com", "a wrong password")
    await sql(chained, f"UPDATE journal SET {change} WHERE seal IS NULL")  # noqa: S608
    chained.clock.advance(minutes=2)
    assert (await verify(chained)).waiting == 1
    await seal(chained)
    found = await verify(chained)
    assert (found.ok, found.entries, found.waiting) == (True, 8, 0)


async def test_an_end_that_another_process_made_anew_is_told(chained: World) -> None:
    told: list[tuple[str, Head]] = []
    head = (await verify(chained)).head
    chain: JournalChain = part(chained, "chain")
    chain.tell = lambda what, head: told.append((what, head))
    await sql(chained, "UPDATE journal SET seal = NULL, ip = '192.0.2.1' WHERE seal = 3")
    await sql(chained, "DELETE FROM journal_seal WHERE number = 3")
    await fresh_chain(chained).seal()
    assert await chain.seal() == await chain.seal() == 0
    assert told == [("cut", head)]


# --- pruning -------------------------------------------------------------------------------------------------------


def retention(world: World, days: int) -> JournalRetention:
    made: JournalRetention = part(world, "retention")
    return JournalRetention(world.db, made.sealer, world.clock, days, lambda what, head: None)


async def test_what_is_old_is_pruned_and_the_chain_goes_on(chained: World) -> None:
    head = (await verify(chained)).head
    chained.clock.advance(days=30)
    await chained.tokens()
    await seal(chained)
    assert await retention(chained, 0).prune() == 0
    assert await retention(chained, 31).prune() == 0
    assert await retention(chained, 30).prune() == 3
    assert {row["seal"] for row in await chained.rows(JournalRow)} == {4}
    found = await verify(chained, head)
    assert found.ok
    assert (found.batches, found.entries, found.pruned_batches, found.pruned_entries) == (4, 2, 3, 7)
    assert await retention(chained, 30).prune() == 0


async def test_two_processes_prune_once(chained: World) -> None:
    chained.clock.advance(days=30)
    one, other = retention(chained, 1), retention(chained, 1)
    assert await one.prune() + await other.prune() == 3
    assert (await verify(chained)).ok


async def test_a_batch_that_somebody_else_pruned(chained: World) -> None:
    """Its entries deleted, and the batch made to look as if we had done it."""
    await sql(chained, "DELETE FROM journal WHERE seal = 2")
    mark = "UPDATE journal_seal SET pruned_at = sealed_at, leaves = NULL, pruned_mac = mac WHERE number = 2"
    await sql(chained, mark)
    whats = ("pruning_not_ours", "pruned_early", "pruned_in_between")
    assert named(await verify(chained)) == [(2, what, None) for what in whats]


async def test_a_batch_that_says_it_is_old_is_not_pruned(chained: World) -> None:
    """The server itself would delete a fresh batch, and sign that: its date is bound by its mac."""
    told: list[tuple[str, int]] = []
    pruning = retention(chained, 30)
    pruning.tell = lambda what, head: told.append((what, head.number))
    sealed_at = {row["number"]: row["sealed_at"] for row in await chained.rows(JournalSeal)}
    await sql(chained, "UPDATE journal_seal SET pruned_at = sealed_at WHERE number = 1")
    await sql(chained, "UPDATE journal_seal SET sealed_at = '2000-01-01 00:00:00' WHERE number = 2")
    assert await pruning.prune() == await pruning.prune() == 0
    assert told == [("withheld", 2)]
    put_back = update(JournalSeal).where(col(JournalSeal.number) == 2).values(sealed_at=sealed_at[2])
    await chained.db.write(lambda session: session.connection().execute(put_back))
    await sql(chained, "UPDATE journal_seal SET pruned_at = NULL")
    found = await verify(chained)
    assert (found.ok, found.entries, found.pruned_batches) == (True, 7, 0)


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ("pruned_at = sealed_at WHERE number < 3", 3),
        ("pruned_at = sealed_at, pruned_mac = mac WHERE number < 3", 3),
        ("first_id = 'x' WHERE number = 1", 1),
        ("mac = '" + "0" * 64 + "' WHERE number = 1", 1),
    ],
)
async def test_nothing_is_pruned_behind_what_is_not_ours(chained: World, change: str, number: int) -> None:
    told: list[tuple[str, int]] = []
    chained.clock.advance(days=30)
    pruning = retention(chained, 1)
    pruning.tell = lambda what, head: told.append((what, head.number))
    await sql(chained, f"UPDATE journal_seal SET {change}")  # noqa: S608
    assert await pruning.prune() == 0
    assert told == [("withheld", number)]


@pytest.mark.parametrize(
    ("word", "level", "says"),
    [
        ("withheld", "error", "the journal is not pruned"),
        ("pruned", "info", "journal pruned"),
        ("cut", "error", "cut off"),
    ],
)
def test_the_operator_reads_which_batch_it_is_about(word: Word, level: str, says: str) -> None:
    with structlog.testing.capture_logs() as lines:
        tell_of_chain(word, Head(3, "abc"))
    assert [(line["log_level"], line["number"], line["digest"]) for line in lines] == [(level, 3, "abc")]
    assert says in lines[0]["event"]


async def test_a_gap_in_the_chain_is_no_reason_to_keep_what_is_old(chained: World) -> None:
    await sql(chained, "DELETE FROM journal WHERE seal = 2")
    await sql(chained, "DELETE FROM journal_seal WHERE number = 2")
    chained.clock.advance(days=30)
    assert await retention(chained, 1).prune() == 2
    assert named(await verify(chained)) == [(2, "batch_missing", None)]


async def prune_by_force(world: World, number: int, at: datetime) -> None:
    """Prune as somebody who could make the server sign it."""
    (found,) = await world.db.read(journal_seals.between, number, number)
    mac = sign(part(world, "chain").sealer, found.claim_of_pruning(at))
    await world.db.write(journal_seals.prune, number, at, mac)


async def test_a_batch_pruned_before_its_time(chained: World) -> None:
    await prune_by_force(chained, 1, chained.clock.now + timedelta(hours=23))
    assert named(await verify(chained)) == [(1, "pruned_early", None)]


@pytest.mark.parametrize("at_once", [1, 200])
async def test_a_batch_pruned_behind_one_that_is_not(
    chained: World, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(journal_verification, "BATCHES", at_once)
    for number in (2, 3):
        await prune_by_force(chained, number, chained.clock.now + timedelta(days=30))
    assert named(await verify(chained)) == [(2, "pruned_in_between", None)]


async def test_a_pruned_batch_whose_age_was_changed(chained: World) -> None:
    chained.clock.advance(days=30)
    await retention(chained, 1).prune()
    await sql(chained, "UPDATE journal_seal SET sealed_at = '2000-01-01 00:00:00' WHERE number = 1")
    assert named(await verify(chained)) == [(1, "batch_not_ours", None), (1, "pruning_not_ours", None)]


async def test_an_entry_put_into_a_pruned_batch(chained: World) -> None:
    chained.clock.advance(days=30)
    await retention(chained, 1).prune()
    made = part(chained, "connections").journal.event("s", Caller())
    await chained.db.write(journal.add, made)
    await sql(chained, "UPDATE journal SET seal = 2 WHERE log_id = :id", id=made.log_id)
    assert named(await verify(chained)) == [(2, "entry_added", made.log_id)]


async def test_decisions_are_not_pruned(chained: World) -> None:
    kept = await chained.count(Decision)
    assert kept
    chained.clock.advance(days=2)
    await retention(chained, 1).prune()
    assert await chained.count(JournalRow) == 0
    assert await chained.count(Decision) == kept


# --- keys ----------------------------------------------------------------------------------------------------------


def with_keys(world: World, *keys: str) -> tuple[JournalVerification, JournalRetention]:
    """Return what verifies and what signs, with other secret keys."""
    sealer = Sealer(tuple(Secret(key * 64) for key in keys), part(world, "chain").sealer.entropy)
    chain = JournalChain(world.db, sealer, world.clock, lambda what, head: None)
    verification = JournalVerification(LongReads(world.db), sealer, world.clock, chain)
    return verification, JournalRetention(world.db, sealer, world.clock, 1, lambda what, head: None)


async def test_a_new_key_in_front_of_the_old_one(chained: World) -> None:
    verification, _ = with_keys(chained, "1", "0")
    assert (await verification()).ok


async def test_a_key_that_is_gone_is_said_to_be(chained: World) -> None:
    verification, _ = with_keys(chained, "1")
    found = await verification()
    assert named(found) == [(number, "key_unknown", None) for number in (1, 2, 3)]
    assert "KEYSTEAD_SECRET_KEYS" in found.problems[0].says


async def test_the_first_look_signs_with_the_new_key_so_that_the_old_one_can_go(chained: World) -> None:
    chained.clock.advance(days=2)
    await retention(chained, 1).prune()
    await chained.tokens()
    await seal(chained)
    await sql(chained, "UPDATE journal_seal SET first_id = 'x' WHERE number = 2")
    _, both = with_keys(chained, "1", "0")
    assert await both.sign_anew() == 3
    assert await both.sign_anew() == 0
    verification, _ = with_keys(chained, "1")
    assert named(await verification()) == [(2, "key_unknown", None), (2, "key_unknown", None)]


@pytest.mark.parametrize("change", ["sealed_at = '2000-01-01 00:00:00'", "digest = '" + "0" * 64 + "'", "entries = 1"])
async def test_signing_with_the_new_key_makes_no_changed_batch_ours(chained: World, change: str) -> None:
    await sql(chained, f"UPDATE journal_seal SET {change} WHERE number = 2")  # noqa: S608
    verification, both = with_keys(chained, "1", "0")
    before = named(await verification())
    assert (2, "batch_not_ours", None) in before
    assert await both.sign_anew() == 2
    assert named(await verification()) == before


async def test_a_pruning_taken_back_is_not_signed_with_the_new_key(chained: World) -> None:
    chained.clock.advance(days=2)
    await retention(chained, 1).prune()
    await sql(chained, "UPDATE journal_seal SET pruned_at = NULL WHERE number = 2")
    verification, both = with_keys(chained, "1", "0")
    before = named(await verification())
    assert before == [(2, "batch_changed", None), (3, "pruned_in_between", None)]
    assert await both.sign_anew() == 2
    assert named(await verification()) == before


# --- much of it ----------------------------------------------------------------------------------------------------


async def test_piece_by_piece(chained: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_verification, "BATCHES", 2)
    monkeypatch.setattr(journal_verification, "ENTRIES", 3)
    whole = await verify(chained)
    assert (whole.ok, whole.batches, whole.entries) == (True, 3, 7)
    victim = (await entries(chained, 3))[0]
    await sql(chained, "UPDATE journal SET ip = '192.0.2.1' WHERE log_id = :id", id=victim["log_id"])
    assert named(await verify(chained)) == [(3, "entry_changed", victim["log_id"])]


async def test_far_more_entries_than_were_sealed_hide_nothing(chained: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_verification, "_SPARE", 2)
    made_by = part(chained, "connections").journal
    events = [made_by.event("s", Caller()) for _ in range(20)]
    await chained.db.write(journal.add, *events)
    await sql(chained, "UPDATE journal SET seal = 1 WHERE seal IS NULL")
    found = await verify(chained)
    assert {each.number for each in found.problems} == {1}
    assert found.found == 2


async def test_a_report_names_the_first_thousand(chained: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_verification, "SHOWN", 3)
    await sql(chained, "UPDATE journal SET ip = '192.0.2.1'")
    found = await verify(chained)
    assert (len(found.problems), found.found) == (3, 7)


async def test_it_is_one_chain_on_both_databases() -> None:
    """The same entry has the same leaf, whichever way a database writes numbers down."""
    one = {"a": 1.0, "b": [1, {"c": 2.5}], "d": None}
    other = {"d": None, "b": [1.0, {"c": 2.5}], "a": 1}
    leaves = {leaves_of([_made(details)]) for details in (one, other)}
    assert len(leaves) == 1
    assert leaves != {leaves_of([_made(one | {"a": 2})])}


def _made(details: dict[str, Any]) -> LogEntry:
    date = datetime(2026, 6, 1, tzinfo=UTC)
    return LogEntry("1", date, "s", None, None, None, "", "", None, None, details, None, None, None)
