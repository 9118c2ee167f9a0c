"""Callers: each keeps one connection and asks one thing after the other.

Plain bytes over asyncio streams on uvloop cost this process some 60 microseconds a request, a tenth of what the
cheapest of them costs the server; ``measures`` prints what it came to.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from scripts.bench_parts.server import HOST


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body, which must be that of a success."""
        if self.status != 200:
            raise SystemExit(f"the server answered {self.status}: {self.body[:300]!r}")
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Caller:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def send(self, request: bytes) -> Answer:
        """Send a request that ``get`` or ``post`` made, and return the answer."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
        return Answer(int(head[9:12]), await self.reader.readexactly(int(length)))


@dataclass
class Load:
    """What a load came to: how many answers, in how many seconds, and how long each took."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which a share of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000

    def add(self, other: "Load") -> None:
        """Count another round of the same load."""
        self.seconds += other.seconds
        self.latencies += other.latencies


Step = Callable[[Caller], Awaitable[None]]


def get(path: str, token: str = "") -> bytes:
    """Return a GET request."""
    shown = f"authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{shown}\r\n".encode()


def post(path: str, body: object, token: str = "") -> bytes:
    """Return a POST request with a JSON body."""
    content = json.dumps(body).encode()
    shown = f"authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{shown}content-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


@asynccontextmanager
async def callers(port: int, count: int) -> AsyncIterator[list[Caller]]:
    """Open connections, and close them afterwards. Each is from an address of its own, as people are."""
    addresses = [(f"127.0.1.{number + 1}", 0) for number in range(count)]
    streams = [await asyncio.open_connection(HOST, port, local_addr=address) for address in addresses]
    try:
        yield [Caller(reader, writer, number) for number, (reader, writer) in enumerate(streams)]
    finally:
        for _, writer in streams:
            writer.close()


async def storm(together: Sequence[Caller], seconds: float, step: Step, *, pause: float = 0.0) -> Load:
    """Let every caller repeat a step until the time is up. What is answered later is waited for and not counted."""
    load, began = Load(seconds), time.perf_counter()

    async def repeat(caller: Caller) -> None:
        while (asked := time.perf_counter()) < began + seconds:
            await step(caller)
            answered = time.perf_counter()
            if answered <= began + seconds:
                load.latencies.append(answered - asked)
            if pause:
                await asyncio.sleep(pause)

    await asyncio.gather(*map(repeat, together))
    return load


async def each(together: Sequence[Caller], count: int, step: Callable[[Caller, int], Awaitable[None]]) -> Load:
    """Let the callers share ``count`` pieces of work, and time the whole."""
    load, began, pieces = Load(), time.perf_counter(), iter(range(count))

    async def work(caller: Caller) -> None:
        for piece in pieces:
            asked = time.perf_counter()
            await step(caller, piece)
            load.latencies.append(time.perf_counter() - asked)

    await asyncio.gather(*map(work, together))
    load.seconds = time.perf_counter() - began
    return load
