"""TLS in front of a PostgreSQL that has none, as its clients ask for it: on the same port, after a question."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import trustme

_ASKS = bytes.fromhex("0000000804d2162f")
"""``SSLRequest`` of PostgreSQL's protocol."""


@contextmanager
def postgres_behind_tls(host: str, port: int, ca: trustme.CA) -> Iterator[int]:
    """Pass what arrives with TLS for ``localhost`` on to a server, and give the port. Without TLS nobody is let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    door = _Door(host, port, context)
    thread = threading.Thread(target=asyncio.run, args=(door.run(),), name="postgres tls")
    thread.start()
    door.ready.wait()
    yield door.bound
    door.stop()
    thread.join()


class _Door:
    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self.host, self.port, self.context = host, port, context
        self.ready, self.bound = threading.Event(), 0
        self._open: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accepted, "127.0.0.1")
        self.bound = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self._over.wait()
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._served(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(8) == _ASKS:
                writer.write(b"S")
                await writer.start_tls(self.context)
                await self._passed_on(reader, writer)
        writer.transport.abort()

    async def _passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.host.startswith("/"):
            answers, questions = await asyncio.open_unix_connection(f"{self.host}/.s.PGSQL.{self.port}")
        else:
            answers, questions = await asyncio.open_connection(self.host, self.port)
        try:
            pumps = [asyncio.create_task(_pump(*each)) for each in ((reader, questions), (answers, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for each in pumps:
                each.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            questions.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        sink.write(piece)
        await sink.drain()
