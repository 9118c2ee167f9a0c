"""The Redis side of the ``Attempts`` port: buckets, charged by one script."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from keystead.errors import DatabaseUnavailable
from keystead.ports import Charge, Charged, Clock, Wanted
from keystead.rules.buckets import EVER, empty_after, seconds_to_wait
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 2.0
"""How long a connection, or a reply, may take: whoever logs in waits for it. Enough for a busy process to notice one
that has come."""

PLACES: Final = 8
"""How many ask at once, each on a connection of its own. The others wait, without a limit of time: however many come at
once, that alone is no reason to count elsewhere."""

_AT_ONCE: Final = 1000
_MARGIN_SECONDS: Final = 3600
"""How much longer than by our clock Redis keeps a bucket by its own: it is never the one who forgets first."""

_PREFIX: Final = "keystead:attempts:"
_NAMES: Final = f"{_PREFIX}names"
_ENDS: Final = f"{_PREFIX}ends"

# One script decides and counts, as one transaction does in db/attempts.py, by the same arithmetic and our clock: first
# it reads and reckons, one charge after the other, and only when none is refused that must be it writes. Beside each
# bucket, its name is in two sorted sets: one by name, so that finding those with a prefix looks at no others, and one
# by when it is empty, so that each charge can take out a few names whose time is over. Numbers come and go as text of
# 17 digits, which is every bit of them; Redis would cut a number that a script returns to an integer.
_TAKE: Final = """
local names, ends, now = KEYS[1], KEYS[2], tonumber(ARGV[1])
local function text(number) return string.format('%.17g', number) end

local rows, answers = {}, {}
for place = 3, #KEYS do
  local bucket, first = KEYS[place], (place - 3) * 8 + 2
  local name, must, over, keep = unpack(ARGV, first, first + 3)
  local capacity, refill = tonumber(ARGV[first + 4]), tonumber(ARGV[first + 5])
  local cost, lasts = tonumber(ARGV[first + 6]), tonumber(ARGV[first + 7])
  local row = rows[bucket]
  if not row then
    local found = redis.call('HMGET', bucket, 'spent', 'at')
    row = {name = name, spent = tonumber(found[1]), at = tonumber(found[2])}
    rows[bucket] = row
  end
  local after, passed = 0, math.max(now - (row.at or now), 0)
  if row.at and passed < lasts and row.spent > passed * refill then
    after = row.spent - passed * refill
  end
  after = math.max(after + cost, 0)
  if row.at and after > capacity then
    table.insert(answers, {'refused', text(row.spent), text(row.at)})
    if must == 'must' then return answers end
  else
    if not row.at or ((cost > 0 or refill > 0) and now > row.at) then row.at, row.over, row.keep = now, over, keep end
    if cost <= 0 and after == 0 then row.at = nil end
    row.spent, row.charged = after, true
    table.insert(answers, {'charged', text(after)})
  end
end

for bucket, row in pairs(rows) do
  if row.charged and not row.at then
    redis.call('DEL', bucket)
    redis.call('ZREM', names, row.name)
    redis.call('ZREM', ends, row.name)
  elseif row.charged then
    redis.call('HSET', bucket, 'spent', text(row.spent))
    if row.over then
      redis.call('HSET', bucket, 'at', text(row.at), 'until', row.over)
      redis.call('PEXPIRE', bucket, row.keep)
      redis.call('ZADD', names, 0, row.name)
      redis.call('ZADD', ends, row.over, row.name)
      for _, set in ipairs({names, ends}) do
        if redis.call('PTTL', set) < tonumber(row.keep) then redis.call('PEXPIRE', set, row.keep) end
      end
    end
  end
end
local empty = redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[1], 'LIMIT', 0, 100)
if #empty > 0 then
  redis.call('ZREM', names, unpack(empty))
  redis.call('ZREM', ends, unpack(empty))
end
return answers
"""


@dataclass
class RedisAttempts:
    """Buckets in Redis, or in whatever speaks its protocol: right for any number of processes on any machines.

    Every method raises ``DatabaseUnavailable`` where Redis does not do in time what it is asked. Nothing is tried
    twice: a charge whose reply was lost may have been counted.
    """

    url: Secret[str]
    clock: Clock
    _redis: Redis = field(init=False, repr=False)
    _take: AsyncScript = field(init=False, repr=False)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PLACES), repr=False)
    _failures: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        self._redis = Redis.from_url(
            self.url.reveal(),
            max_connections=PLACES,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._take = self._redis.register_script(_TAKE)

    async def take(
        self, key: str, capacity: float, refill: float, cost: float = 1.0, *, lasts: float | None = None
    ) -> Charge:
        """Charge ``cost`` to a bucket; see the port."""
        (charge,) = await self.take_all([Wanted(key, capacity, refill, cost, lasts)])
        return charge

    async def take_all(self, wanted: Sequence[Wanted]) -> list[Charge]:
        """Charge several buckets, all or none; see the port."""
        if not wanted:
            return []
        now = self.clock().timestamp()
        keys = [_NAMES, _ENDS, *(_bucket(each.key) for each in wanted)]
        terms = [term for each in wanted for term in _terms(each, now)]
        async with self._asking():
            answers = await self._take(keys=keys, args=[repr(now), *terms])
        return [_charge(each, answer, now) for each, answer in zip(wanted, answers, strict=False)]

    async def forgive(self, key: str) -> None:
        """Empty a bucket."""
        async with self._asking(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(_bucket(key))
            pipeline.zrem(_NAMES, key)
            pipeline.zrem(_ENDS, key)
            await pipeline.execute()

    async def list(self, prefix: str) -> list[Charged]:
        """Return the buckets whose key begins with ``prefix``, in order."""
        begin = b"[" + prefix.encode()  # and ends before a byte that no text has
        now, charged = self.clock().timestamp(), list[Charged]()
        async with self._asking():
            names = cast("Sequence[bytes]", await self._redis.zrangebylex(_NAMES, begin, begin + b"\xff"))
            for start in range(0, len(names), _AT_ONCE):
                charged += await _read(self._redis, names[start : start + _AT_ONCE], now)
        return charged

    async def close(self) -> None:
        """End the connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Wait for a place, and tell whoever asks when Redis is away, slow, full, loading or read-only."""
        failures = self._failures
        async with self._places:
            if self._failures != failures:
                raise DatabaseUnavailable(detail="Redis: it did not answer those who asked before")
            try:
                yield
            except (RedisError, OSError, TimeoutError) as error:
                self._failures += 1
                raise DatabaseUnavailable(detail=f"Redis: {error or type(error).__name__}") from error


def _terms(wanted: Wanted, now: float) -> Iterator[str]:
    """Give what the script reads of one charge."""
    seconds = empty_after(wanted.capacity, wanted.refill, wanted.lasts)
    yield wanted.key
    yield "must" if wanted.must else "may"
    yield repr(now + seconds)
    yield str(math.ceil((seconds + _MARGIN_SECONDS) * 1000))
    yield from map(repr, (wanted.capacity, wanted.refill, wanted.cost, wanted.lasts or EVER))


def _charge(wanted: Wanted, answer: Sequence[bytes], now: float) -> Charge:
    what, *numbers = answer
    if what == b"charged":
        return Charge(allowed=True, left=wanted.capacity - float(numbers[0]), retry_after=0.0)
    spent, at = map(float, numbers)
    over, passed = spent + wanted.cost - wanted.capacity, max(now - at, 0.0)
    return Charge(allowed=False, left=0.0, retry_after=seconds_to_wait(over, passed, wanted.refill, wanted.lasts))


async def _read(redis: Redis, names: Sequence[bytes], now: float) -> list[Charged]:
    """Read buckets, and leave out those whose time is over."""
    async with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hmget(_bucket(name.decode()), ["spent", "at", "until"])
        rows = [[float(each or 0) for each in row] for row in await pipeline.execute()]
    return [
        Charged(name.decode(), spent, datetime.fromtimestamp(at, UTC))
        for name, (spent, at, until) in zip(names, rows, strict=True)
        if until > now
    ]


def _bucket(key: str) -> str:
    return f"{_PREFIX}bucket:{key}"
