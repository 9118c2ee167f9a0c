"""What every implementation of the ``Attempts`` port does: tests to inherit, for a fixture ``attempts`` to fill."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from keystead.ports import EVERYTHING, Attempts, Charge, Wanted
from world import Clock

TEN_PER_MINUTE = (10, 1 / 6)
"""A capacity of ten, of which one comes back each six seconds."""


@dataclass
class Counted:
    """The implementation as two processes see it, and their clock."""

    here: Attempts
    there: Attempts
    clock: Clock

    async def take(self, key: str = "login/ann", cost: float = 1.0) -> Charge:
        """Charge a bucket of ten."""
        return await self.here.take(key, *TEN_PER_MINUTE, cost)

    async def fill(self, key: str = "login/ann") -> None:
        """Charge until nothing is left."""
        for _ in range(10):
            assert (await self.take(key)).allowed


class AttemptsConformance:
    """Inherit, and give a fixture ``attempts``."""

    async def test_ten_of_sixty_at_once(self, attempts: Counted) -> None:
        """However many come at once, from however many processes: the limit is the limit."""
        takers = [attempts.here, attempts.there] * 30
        charges = await asyncio.gather(*(taker.take("login/ann", *TEN_PER_MINUTE) for taker in takers))
        assert sorted(charge.left for charge in charges if charge.allowed) == pytest.approx(range(10))
        assert sum(not charge.allowed for charge in charges) == 50

    async def test_what_is_left(self, attempts: Counted) -> None:
        for left in range(9, -1, -1):
            assert await attempts.take() == Charge(allowed=True, left=left, retry_after=0)
        refused = await attempts.take()
        assert not refused.allowed
        assert refused.left == 0
        assert refused.retry_after == pytest.approx(6)

    async def test_refill(self, attempts: Counted) -> None:
        await attempts.fill()
        attempts.clock.advance(seconds=5.9)
        assert not (await attempts.take()).allowed
        attempts.clock.advance(seconds=0.2)
        assert (await attempts.take()).allowed
        assert not (await attempts.take()).allowed
        attempts.clock.advance(days=1)
        await attempts.fill()
        assert not (await attempts.take()).allowed

    @pytest.mark.parametrize(("waited", "retry_after"), [(0, 6), (2, 4), (5, 1), (5.5, 0.5)])
    async def test_when_to_come_back(self, attempts: Counted, waited: float, retry_after: float) -> None:
        await attempts.fill()
        attempts.clock.advance(seconds=waited)
        charge = await attempts.take()
        assert not charge.allowed
        assert charge.retry_after == pytest.approx(retry_after)
        attempts.clock.advance(seconds=charge.retry_after + 0.01)
        assert (await attempts.take()).allowed

    async def test_a_refused_charge_costs_nothing(self, attempts: Counted) -> None:
        """Hammering a full bucket must not keep it full."""
        await attempts.fill()
        for _ in range(20):
            attempts.clock.advance(seconds=0.25)
            assert not (await attempts.take()).allowed
        attempts.clock.advance(seconds=1.1)
        assert (await attempts.take()).allowed

    async def test_a_charge_can_be_given_back(self, attempts: Counted) -> None:
        await attempts.fill()
        given_back = await attempts.take(cost=-1)
        assert given_back.allowed
        assert given_back.left == pytest.approx(1)
        assert (await attempts.take()).allowed
        assert not (await attempts.take()).allowed

    async def test_nobody_saves_up(self, attempts: Counted) -> None:
        """Giving back to an empty bucket, and waiting, make no more than the capacity."""
        for _ in range(3):
            assert (await attempts.take(cost=-1)).left == pytest.approx(10)
        attempts.clock.advance(days=30)
        await attempts.fill()
        assert not (await attempts.take()).allowed

    async def test_what_was_given_back_leaves_nothing_behind(self, attempts: Counted) -> None:
        """Whoever makes up names and is turned away must not fill the table."""
        await attempts.take("login/made-up")
        await attempts.take("login/twice", cost=2)
        for key in ("login/made-up", "login/twice", "login/never"):
            await attempts.take(key, cost=-1)
        assert [charged.key for charged in await attempts.there.list("login/")] == ["login/twice"]

    async def test_costs_may_be_large(self, attempts: Counted) -> None:
        assert (await attempts.take(cost=8)).left == pytest.approx(2)
        refused = await attempts.take(cost=3)
        assert not refused.allowed
        assert refused.retry_after == pytest.approx(6)
        assert (await attempts.take(cost=2)).allowed

    async def test_forgiving(self, attempts: Counted) -> None:
        await attempts.fill()
        await attempts.fill("login/ben")
        await attempts.there.forgive("login/ann")
        await attempts.here.forgive("login/nobody")
        await attempts.fill()
        assert not (await attempts.take("login/ben")).allowed

    async def test_keys_are_apart(self, attempts: Counted) -> None:
        await attempts.fill("login/ann")
        for key in ("login/an", "login/ann ", "LOGIN/ann", "login/ann/x", "löschen/ann"):
            assert (await attempts.take(key)).left == pytest.approx(9)

    async def test_what_lasts_is_forgotten_at_once(self, attempts: Counted) -> None:
        """A block: nothing comes back before its time, and then everything."""
        take = attempts.here.take
        for _ in range(3):
            assert (await take("lock/ann", 3, 0, lasts=60)).allowed
            attempts.clock.advance(seconds=30)
        refused = await take("lock/ann", 3, 0, lasts=60)
        assert not refused.allowed
        assert refused.retry_after == pytest.approx(30)
        assert (await take("lock/ann", 4, 0, 0, lasts=60)).left == 1, "a larger limit has room"
        attempts.clock.advance(seconds=29)
        assert not (await take("lock/ann", 3, 0, lasts=60)).allowed, "hammering prolongs nothing, nor does asking"
        attempts.clock.advance(seconds=1)
        assert await attempts.there.list("lock/") == []
        assert (await take("lock/ann", 3, 0, lasts=60)).left == 2

    async def test_giving_back_prolongs_nothing(self, attempts: Counted) -> None:
        take = attempts.here.take
        await take("lock/ann", 3, 0, 2, lasts=60)
        attempts.clock.advance(seconds=50)
        assert (await take("lock/ann", 3, 0, -1, lasts=60)).left == 2
        attempts.clock.advance(seconds=10)
        assert (await take("lock/ann", 3, 0, lasts=60)).left == 2

    async def test_parts_of_a_charge(self, attempts: Counted) -> None:
        for _ in range(9):
            await attempts.here.take("lock/ann", 3, 0, 0.1, lasts=60)
        assert (await attempts.there.take("lock/ann", 3, 0, 2, lasts=60)).left == pytest.approx(0.1)
        assert not (await attempts.there.take("lock/ann", 3, 0, 0.2, lasts=60)).allowed

    async def test_only_asking_leaves_nothing_behind(self, attempts: Counted) -> None:
        assert (await attempts.here.take("lock/ann", 3, 0, 0, lasts=60)).left == 3
        assert await attempts.there.list("lock/") == []

    async def test_all_or_none(self, attempts: Counted) -> None:
        """An attempt that one limit refuses is charged to none, and makes no block younger."""
        await attempts.here.take("c/full", 1, 0, lasts=60)
        attempts.clock.advance(seconds=30)
        await attempts.here.take("b/lock", 3, 0, lasts=60)
        attempts.clock.advance(seconds=20)
        both = [
            Wanted("a/new", 2, 1),
            Wanted("b/lock", 3, lasts=60),
            Wanted("c/full", 1, lasts=60),
            Wanted("d/new", 1, 1),
        ]
        charges = await attempts.there.take_all(both)
        assert [charge.allowed for charge in charges] == [True, True, False]
        assert charges[-1].retry_after == pytest.approx(10)
        found = {charged.key: charged for prefix in "abcd" for charged in await attempts.here.list(prefix)}
        assert {key: charged.spent for key, charged in found.items()} == {"b/lock": 1, "c/full": 1}
        assert (attempts.clock() - found["b/lock"].since).total_seconds() == 20

    async def test_what_only_watches_refuses_nothing(self, attempts: Counted) -> None:
        await attempts.here.take("watched", 1, 0, lasts=60)
        wanted = [Wanted("watched", 1, lasts=60, must=False), Wanted("other", 1, lasts=60)]
        assert [charge.allowed for charge in await attempts.here.take_all(wanted)] == [False, True]
        assert [charge.allowed for charge in await attempts.here.take_all(wanted)] == [False, False]
        assert await attempts.here.take_all([]) == []

    async def test_several_are_settled_at_once(self, attempts: Counted) -> None:
        for key, cost in (("one", 7), ("two", 2), ("three", 1)):
            await attempts.take(f"s/{key}", cost)
        terms = (10, 1 / 6)
        back = [Wanted("s/one", *terms, EVERYTHING), Wanted("s/two", *terms, -1), Wanted("s/three", *terms, -1)]
        assert [charge.left for charge in await attempts.here.take_all(back)] == pytest.approx([10, 9, 10])
        assert [charged.key for charged in await attempts.there.list("s/")] == ["s/two"]

    async def test_of_many_at_once_all_or_none(self, attempts: Counted) -> None:
        wanted = [Wanted("m/all", 40, lasts=60), Wanted("m/few", 5, lasts=60)]
        takers = [attempts.here, attempts.there] * 20
        found = await asyncio.gather(*(taker.take_all(wanted) for taker in takers))
        assert sum(charges[-1].allowed for charges in found) == 5
        assert {charged.key: charged.spent for charged in await attempts.here.list("m/")} == {"m/all": 5, "m/few": 5}

    async def test_a_clock_that_goes_back_costs_nobody_anything(self, attempts: Counted) -> None:
        """Machines do not agree on a second, and are corrected: nobody is refused for it, or let in more often."""
        attempts.clock.advance(minutes=10)
        await attempts.take("skew/refills", 4)
        await attempts.here.take("skew/lasts", 3, 0, 2, lasts=60)
        attempts.clock.advance(minutes=-5)
        assert (await attempts.take("skew/refills")).left == pytest.approx(5)
        assert (await attempts.here.take("skew/lasts", 3, 0, lasts=60)).left == pytest.approx(0)
        refused = await attempts.here.take("skew/lasts", 3, 0, lasts=60)
        assert (refused.allowed, round(refused.retry_after)) == (False, 60)
        attempts.clock.advance(minutes=5, seconds=59)
        assert not (await attempts.here.take("skew/lasts", 3, 0, lasts=60)).allowed
        attempts.clock.advance(seconds=1)
        assert (await attempts.here.take("skew/lasts", 3, 0, lasts=60)).allowed

    async def test_list(self, attempts: Counted) -> None:
        """By prefix, which is no pattern."""
        await attempts.take("a_b%/1")
        attempts.clock.advance(seconds=3)
        await attempts.take("a_b%/2", cost=4)
        for other in ("axb%/1", "a_bc/1", "a_b", "A_B%/1"):
            await attempts.take(other)
        found = sorted(await attempts.there.list("a_b%/"), key=lambda charged: charged.key)
        assert [(charged.key, charged.spent) for charged in found] == [("a_b%/1", 1), ("a_b%/2", 4)]
        assert found[1].since == attempts.clock()
        assert found[0].since == datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
        assert await attempts.here.list("nothing") == []
