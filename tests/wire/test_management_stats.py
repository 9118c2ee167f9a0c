"""``/api/v2/stats``: each day counted once, while it goes on and after the journal is gone."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete, event
from sqlmodel import Session

from keystead.db import daily_counts, tables
from world import World

pytestmark = pytest.mark.anyio


async def daily(world: World, query: str = "") -> list[dict[str, Any]]:
    answer = await world.manage("GET", f"/stats/daily{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def numbers(days: list[dict[str, Any]]) -> dict[str, tuple[int, int, int]]:
    """Return logins, sign-ups and leaked passwords of the days on which there was something."""
    found = {day["date"][:10]: (day["logins"], day["signups"], day["leaked_passwords"]) for day in days}
    return {day: counts for day, counts in found.items() if any(counts)}


async def sum_up(world: World) -> None:
    """Do the chore that the worker does."""
    await world.app.state.flows.management.stats.sum_up()


async def test_a_day_is_counted_while_it_goes_on(world: World) -> None:
    await world.person()
    await world.guess()
    assert numbers(await daily(world)) == {"2026-06-01": (0, 1, 0)}
    await world.login()
    await world.login()
    (today,) = await daily(world, "?from=20260601&to=20260601")
    assert today == {"date": "2026-06-01T00:00:00.000Z", "logins": 2, "signups": 1, "leaked_passwords": 0}


async def test_the_first_owner_is_no_sign_up(world: World) -> None:
    assert numbers(await daily(world)) == {}


async def test_a_day_that_is_over_is_summed_up_and_outlives_the_journal(world: World) -> None:
    await world.person()
    await world.login()
    await sum_up(world)
    assert await world.count(tables.DailyCount) == 0
    world.clock.advance(hours=12.5)  # half past midnight: something of the day may be on its way yet
    await sum_up(world)
    assert await world.count(tables.DailyCount) == 0
    world.clock.advance(hours=1)
    before = await daily(world)
    await sum_up(world)
    await sum_up(world)
    after = await daily(world)
    assert numbers(after) == numbers(before) == {"2026-06-01": (1, 1, 0)}
    summed = next(day for day in after if day["logins"])
    assert summed["created_at"] == summed["updated_at"] == "2026-06-02T01:30:00.000Z"

    def prune(session: Session) -> None:
        session.connection().execute(delete(tables.JournalRow))

    await world.db.write(prune)
    assert numbers(await daily(world)) == {"2026-06-01": (1, 1, 0)}


async def test_days_follow_each_other_without_a_gap(world: World) -> None:
    await world.person()
    world.clock.advance(days=40)
    world.forget_tokens()
    await world.login()
    for rows in (31, 40, 40):
        await sum_up(world)
        assert await world.count(tables.DailyCount) == rows
    found = await daily(world, "?from=20260601&to=20260711")
    assert len(found) == 41
    assert [day["date"][:10] for day in found] == sorted(day["date"][:10] for day in found)
    assert numbers(found) == {"2026-06-01": (0, 1, 0), "2026-07-11": (1, 0, 0)}


async def test_days_before_the_first_and_to_come_are_empty_or_absent(world: World) -> None:
    found = await daily(world, "?from=20260101&to=20260630")
    assert (found[0]["date"], found[-1]["date"]) == ("2026-01-01T00:00:00.000Z", "2026-06-01T00:00:00.000Z")
    assert await daily(world, "?from=20270101&to=20270102") == []
    assert len(await daily(world)) == 31


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("from=2026-06-01", "'Must be a day such as 20260131: 2026-06-01' on property from."),
        ("to=20260631", "'Must be a day such as 20260131: 20260631' on property to."),
        ("to=19691231", "'Must be a day such as 20260131: 19691231' on property to."),
        ("to=yesterday", "'Must be a day such as 20260131: yesterday' on property to."),
        ("from=20260602&to=20260601", "'from must not be after to' on property from."),
        ("from=20200101&to=20260601", "'At most 1000 days can be asked for' on property from."),
    ],
)
async def test_days_are_read_strictly(world: World, query: str, message: str) -> None:
    answer = await world.manage("GET", f"/stats/daily?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, f"Query validation error: {message}")


async def test_whoever_signed_in_within_thirty_days_is_active(world: World) -> None:
    async def active() -> Any:
        return (await world.manage("GET", "/stats/active-users")).json()

    assert await active() == 0
    for email in ("ann@example.com", "bob@example.com"):
        await world.person(email)
    await world.login()
    await world.login()
    assert await active() == 1
    await world.login("bob@example.com")
    assert await active() == 2
    world.clock.advance(days=29)
    world.forget_tokens()
    await world.login("bob@example.com")
    world.clock.advance(days=2)
    world.forget_tokens()
    assert await active() == 1


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_a_day_is_found_by_its_date(world: World) -> None:
    """By the type, as SQLite would rather, a day costs as much as all days together."""
    plans: list[str] = []

    def plan(session: Session) -> None:
        def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
            if "FROM journal" in statement:
                cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.extend(str(row) for row in cursor.fetchall())

        engine = session.get_bind()
        event.listen(engine, "before_cursor_execute", explain)
        try:
            daily_counts.journalled(session, date(2026, 6, 1))
        finally:
            event.remove(engine, "before_cursor_execute", explain)

    await world.db.read(plan)
    assert any("ix_journal_date" in step for step in plans), plans


async def test_there_are_no_actions(world: World) -> None:
    answer = await world.manage("GET", "/actions/actions?page=0&per_page=100")
    assert answer.json() == {"actions": [], "total": 0, "page": 0, "per_page": 100}
