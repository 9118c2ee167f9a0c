"""A proxy that ends TLS in front of a server, as operators have one."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from socket import socket

import trustme


@contextmanager
def in_front_of(
    port: int, *, bound: socket, names: Sequence[str] = ("localhost",), ca: trustme.CA | None = None
) -> Iterator[None]:
    """Pass what arrives on a socket with TLS for some names on to a local port without, in a thread of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca or trustme.CA()).issue_cert(*names).configure_cert(context)
    proxy = _Proxy(port, bound, context)
    thread = threading.Thread(target=asyncio.run, args=(proxy.run(),), name="tls")
    thread.start()
    proxy.ready.wait()
    yield
    proxy.stop()
    thread.join()


class _Proxy:
    def __init__(self, port: int, bound: socket, context: ssl.SSLContext) -> None:
        self.port, self.bound, self.context = port, bound, context
        self.ready = threading.Event()
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accepted, sock=self.bound, ssl=self.context)
        self.ready.set()
        await self._over.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(_pump(reader, questions), _pump(answers, writer))
        finally:
            for each in (writer, questions):
                each.transport.abort()
                with suppress(OSError):
                    await each.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until either side has had enough."""
    with suppress(OSError):
        while octets := await reader.read(65_536):
            writer.write(octets)
            await writer.drain()
        writer.close()
