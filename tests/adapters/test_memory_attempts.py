"""The ``Attempts`` port in memory: what any does, and that nobody can fill the memory."""

import pytest

from conformance.attempts import TEN_PER_MINUTE, AttemptsConformance, Counted
from keystead.adapters.memory_attempts import MemoryAttempts
from world import Clock


class TestMemoryAttempts(AttemptsConformance):
    """One process, which is both takers."""

    @pytest.fixture
    def attempts(self) -> Counted:
        clock = Clock()
        only = MemoryAttempts(clock)
        return Counted(only, only, clock)


async def kept(attempts: MemoryAttempts) -> int:
    """Return how many buckets there are, empty ones that are not forgotten yet among them."""
    return len(attempts._buckets)


async def test_a_flood_of_made_up_keys_is_bounded() -> None:
    attempts = MemoryAttempts(Clock(), most=100)
    for number in range(5000):
        assert (await attempts.take(f"made-up/{number}", 10, 1)).allowed
        assert await kept(attempts) <= 100
    assert [each.key for each in await attempts.list("made-up/")] == [f"made-up/{each}" for each in range(4900, 5000)]


async def test_who_hammers_is_not_pushed_out_by_made_up_keys() -> None:
    """Else a flood of names would empty the bucket of whoever sends it."""
    attempts = MemoryAttempts(Clock(), most=100)
    for _ in range(10):
        await attempts.take("full", *TEN_PER_MINUTE)
    for number in range(1000):
        await attempts.take(f"made-up/{number}", *TEN_PER_MINUTE)
        if number % 50 == 0:
            assert not (await attempts.take("full", *TEN_PER_MINUTE)).allowed


async def test_what_is_empty_is_forgotten() -> None:
    clock = Clock()
    attempts = MemoryAttempts(clock)
    for number in range(100):
        await attempts.take(f"passing/{number}", *TEN_PER_MINUTE)
    clock.advance(minutes=2)
    assert await attempts.list("passing/") == []
    for _ in range(40):
        await attempts.take("ann", *TEN_PER_MINUTE, cost=0.1)
    assert await kept(attempts) == 1


async def test_a_clock_that_goes_back_gives_nothing() -> None:
    clock = Clock()
    attempts = MemoryAttempts(clock)
    for _ in range(10):
        await attempts.take("ann", *TEN_PER_MINUTE)
    clock.advance(hours=-1)
    assert not (await attempts.take("ann", *TEN_PER_MINUTE)).allowed
