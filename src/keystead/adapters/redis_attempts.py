"""The Redis side of the ``Attempts`` port: buckets, each charged by one script."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from keystead.errors import DatabaseUnavailable
from keystead.ports import Charge, Charged, Clock
from keystead.rules.buckets import EVER, empty_after, seconds_to_wait
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 1.0
"""How long a connection, or a reply, may take: whoever logs in waits for it."""

_CHARGE_SECONDS: Final = 2.0
"""How long all of a charge may take, a new connection and a script that must be loaded among it."""

_CONNECTIONS: Final = 32
_AT_ONCE: Final = 1000
_MARGIN_SECONDS: Final = 3600
"""How much longer than by our clock Redis keeps a bucket by its own: it is never the one who forgets first."""

_PREFIX: Final = "keystead:attempts:"
_NAMES: Final = f"{_PREFIX}names"
_ENDS: Final = f"{_PREFIX}ends"

# One script decides and counts, as one statement does in db/attempts.py, by the same arithmetic and our clock. Beside
# each bucket, its name is in two sorted sets: one by name, so that finding those with a prefix looks at no others, and
# one by when it is empty, so that each charge can take out a few names whose time is over. Numbers come and go as text
# of 17 digits, which is every bit of them; Redis would cut a number that a script returns to an integer.
_TAKE: Final = """
local bucket, names, ends = KEYS[1], KEYS[2], KEYS[3]
local name, now, capacity, refill = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local cost, lasts, until_, keep = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
local found = redis.call('HMGET', bucket, 'spent', 'at')
local spent, at = tonumber(found[1]), tonumber(found[2])
local left_over = 0
if at and now - at < lasts and spent > (now - at) * refill then left_over = spent - (now - at) * refill end
local after = math.max(left_over + cost, 0)
if at and after > capacity then return {'refused', found[1], found[2]} end
if cost <= 0 and after == 0 then
  redis.call('DEL', bucket)
  redis.call('ZREM', names, name)
  redis.call('ZREM', ends, name)
  return {'charged', '0'}
end
local text = string.format('%.17g', after)
redis.call('HSET', bucket, 'spent', text)
if not at or cost > 0 or refill > 0 then
  redis.call('HSET', bucket, 'at', ARGV[2], 'until', until_)
  redis.call('PEXPIRE', bucket, keep)
  redis.call('ZADD', names, 0, name)
  redis.call('ZADD', ends, until_, name)
  for _, set in ipairs({names, ends}) do
    if redis.call('PTTL', set) < tonumber(keep) then redis.call('PEXPIRE', set, keep) end
  end
end
local over = redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[2], 'LIMIT', 0, 10)
if #over > 0 then
  redis.call('ZREM', names, unpack(over))
  redis.call('ZREM', ends, unpack(over))
end
return {'charged', text}
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

    def __post_init__(self) -> None:
        pool = BlockingConnectionPool.from_url(
            self.url.reveal(),
            max_connections=_CONNECTIONS,
            timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis.from_pool(pool)
        self._take = self._redis.register_script(_TAKE)

    async def take(
        self, key: str, capacity: float, refill: float, cost: float = 1.0, *, lasts: float | None = None
    ) -> Charge:
        """Charge ``cost`` to a bucket; see the port."""
        now, seconds = self.clock().timestamp(), empty_after(capacity, refill, lasts)
        keep = math.ceil((seconds + _MARGIN_SECONDS) * 1000)
        numbers = [*map(repr, (now, capacity, refill, cost, lasts or EVER, now + seconds)), str(keep)]
        async with _answered(), asyncio.timeout(_CHARGE_SECONDS):
            what, *found = await self._take(keys=[_bucket(key), _NAMES, _ENDS], args=[key, *numbers])
        if what == b"charged":
            return Charge(allowed=True, left=capacity - float(found[0]), retry_after=0.0)
        spent, at = map(float, found)
        wait = seconds_to_wait(spent + cost - capacity, max(now - at, 0.0), refill, lasts)
        return Charge(allowed=False, left=0.0, retry_after=wait)

    async def forgive(self, key: str) -> None:
        """Empty a bucket."""
        async with _answered(), asyncio.timeout(_CHARGE_SECONDS), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(_bucket(key))
            pipeline.zrem(_NAMES, key)
            pipeline.zrem(_ENDS, key)
            await pipeline.execute()

    async def list(self, prefix: str) -> list[Charged]:
        """Return the buckets whose key begins with ``prefix``, in order."""
        begin = b"[" + prefix.encode()  # and ends before a byte that no text has
        now, charged = self.clock().timestamp(), list[Charged]()
        async with _answered():
            names = cast("Sequence[bytes]", await self._redis.zrangebylex(_NAMES, begin, begin + b"\xff"))
            for start in range(0, len(names), _AT_ONCE):
                charged += await _read(self._redis, names[start : start + _AT_ONCE], now)
        return charged

    async def close(self) -> None:
        """End the connections."""
        await self._redis.aclose()


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


@asynccontextmanager
async def _answered() -> AsyncIterator[None]:
    """Tell whoever counts that Redis did not: away, slow, full, loading, read-only or not letting us in."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise DatabaseUnavailable(detail=f"Redis: {error or type(error).__name__}") from error
