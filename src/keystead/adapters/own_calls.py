"""Calls of an application in this process: nothing listens, nothing leaves, and no header says who it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import unquote

from keystead.errors import Unavailable
from keystead.rules.calls import Answer, Call

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_UNREAD: Final = 4
"""How many parts of an answer may wait to be read before the application does: an export is larger than memory."""


class OwnCalls:
    """Makes calls of an ASGI application. ``marks`` go into the scope of each, where only this process can put them."""

    def __init__(
        self,
        app: Application,
        host: str,
        agent: str,
        marks: Mapping[str, object],
        closing: Callable[[], Awaitable[None]],
        working: Callable[[], Awaitable[None]],
    ) -> None:
        self._app, self._host, self._agent, self._marks = app, host, agent, marks
        self._closing, self._working = closing, working

    @asynccontextmanager
    async def ask(self, call: Call) -> AsyncIterator[Answer]:
        """Make a call; the answer lasts as long as the context. Raises ``Unavailable`` where it breaks off."""
        messages = asyncio.Queue[Message | None](_UNREAD)
        running = asyncio.create_task(self._run(call, messages))
        try:
            start = await _next(running, messages)
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
            yield Answer(start["status"], _parts(running, messages), headers)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def work(self) -> None:
        """Do the jobs that read or write files: no worker runs in this process."""
        await self._working()

    async def close(self) -> None:
        """Let the application go."""
        await self._closing()

    async def _run(self, call: Call, messages: "asyncio.Queue[Message | None]") -> None:
        parts = call.file.pieces() if call.file else _whole(call.content)
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                await asyncio.Event().wait()  # a caller that stays until the answer is there
            part = await anext(parts, None)
            sent = part is None
            return {"type": "http.request", "body": part or b"", "more_body": not sent}

        await self._app(self._scope(call), receive, messages.put)
        await messages.put(None)

    def _scope(self, call: Call) -> dict[str, Any]:
        length = {"content-length": str(len(call.content))} if call.content else {}
        length = {"transfer-encoding": "chunked"} if call.file else length
        headers = {"host": self._host, **call.headers(self._agent), **length}
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": call.method,
            "scheme": "http",
            "path": unquote(call.path),
            "raw_path": call.path.encode(),
            "root_path": "",
            "query_string": call.encoded_query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": None,
            "server": None,
            **self._marks,
        }


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _parts(running: "asyncio.Task[None]", messages: "asyncio.Queue[Message | None]") -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await _next(running, messages)
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _next(running: "asyncio.Task[None]", messages: "asyncio.Queue[Message | None]") -> Message:
    """Return the next part of the answer; whatever ends the application ends the waiting for it."""
    waiting = asyncio.create_task(messages.get())
    await asyncio.wait((waiting, running), return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        await running
        raise Unavailable("the answer broke off")
    found = await waiting
    if found is None:
        raise Unavailable("the answer broke off")
    return found
