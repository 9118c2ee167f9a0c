"""Where log streams end in the tests: a real HTTP server that takes entries, fails, hangs, and goes away."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

HANG = 0
"""Instead of a status: take everything and say nothing."""

CUT = -1
"""Likewise: take everything and hang up."""


@dataclass(frozen=True)
class Delivery:
    """One request that arrived whole, whatever was answered."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def ids(self) -> list[str]:
        """The entries of a body of lines."""
        return [json.loads(line)["log_id"] for line in self.body.splitlines()]


@dataclass
class Receiver:
    """Takes entries. ``answers`` are the next statuses, or what else happens; then 204."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    arrived: list[Delivery] = field(default_factory=list)
    taken: list[Delivery] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once somebody waits for an answer that does not come."""
    more: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever something was taken."""
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it is, or was."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/in?a=b"

    @property
    def ids(self) -> list[str]:
        """All that was taken, in order, with what came twice."""
        return [each for delivery in self.taken for each in delivery.ids]

    async def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "localhost", self.port, ssl=self.tls, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            delivery = Delivery(head[0], headers, body)
            self.arrived.append(delivery)
            status = self.answers.pop(0) if self.answers else 204
            if status == HANG:
                self.hanging.set()
                await reader.read()  # until whoever waits has had enough
            elif status != CUT:
                if 200 <= status < 300:
                    self.taken.append(delivery)
                    self.more.set()
                more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n".encode())
                await writer.drain()
        writer.close()


@asynccontextmanager
async def receiver(**about: Any) -> AsyncIterator[Receiver]:
    """Run one on this machine."""
    found = Receiver(**about)
    await found.start()
    yield found
    await found.stop()
