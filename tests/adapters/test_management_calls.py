"""The two ways to the Management API: in the same process, and over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from conformance.management_calls import AGENT, ECHO, ManagementCallsConformance, whole
from keystead.adapters.http_calls import HttpCalls
from keystead.adapters.own_calls import OwnCalls
from keystead.errors import Unavailable
from keystead.rules.calls import call_of
from keystead.secrecy import Secret
from program import free_port

pytestmark = pytest.mark.anyio

EXPORT = call_of("GET /export", [], {}, None)


async def nothing() -> None:
    """Close what is not open."""


def own(app: Any, **marks: object) -> OwnCalls:
    return OwnCalls(app, "localhost:8000", AGENT, marks, nothing, nothing)


class TestOwnCalls(ManagementCallsConformance):
    @pytest.fixture
    async def calls(self) -> AsyncIterator[OwnCalls]:
        found = own(ECHO)
        yield found
        await found.close()

    async def test_marks_are_in_the_scope_and_nowhere_else(self) -> None:
        seen: list[Scope] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope)
            await ECHO(scope, receive, send)

        async with own(app, mark="here").ask(call_of("GET /users/{id}", ["1"], {}, None)) as answer:
            body = await whole(answer)
        assert (seen[0]["mark"], seen[0]["client"]) == ("here", None)
        assert b"here" not in body

    async def test_an_answer_that_breaks_off_is_none(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})

        with pytest.raises(Unavailable, match="broke off"):
            async with own(app).ask(EXPORT) as answer:
                await whole(answer)

    async def test_what_ends_the_application_is_not_waited_for(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            raise LookupError("a defect")

        with pytest.raises(LookupError, match="a defect"):
            async with own(app).ask(EXPORT):
                raise AssertionError("there is no answer")

    async def test_an_application_is_not_ahead_of_its_reader(self) -> None:
        """An export is larger than memory."""
        sent = 0

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal sent
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for sent in range(1, 101):
                await send({"type": "http.response.body", "body": b".", "more_body": sent < 100})

        async with own(app).ask(EXPORT) as answer:
            read = 0
            async for part in answer.body:
                read += len(part)
                assert sent - read < 10
        assert read == 100


class TestHttpCalls(ManagementCallsConformance):
    @pytest.fixture
    async def calls(self) -> AsyncIterator[HttpCalls]:
        found = self._calls()
        yield found
        await found.close()

    @staticmethod
    def _calls() -> HttpCalls:
        transport = httpx2.ASGITransport(app=ECHO)
        return HttpCalls("http://localhost:8000", Secret("t0ken"), AGENT, transport)

    async def test_the_token_is_a_bearer(self, calls: HttpCalls) -> None:
        async with calls.ask(call_of("GET /users/{id}", ["1"], {}, None)) as answer:
            assert b'"authorization":"Bearer t0ken"' in await whole(answer)

    async def test_nobody_answers(self) -> None:
        calls = HttpCalls(f"http://127.0.0.1:{free_port()}", Secret("t0ken"), AGENT)
        with pytest.raises(Unavailable, match="cannot be reached"):
            async with calls.ask(EXPORT):
                raise AssertionError("there is no answer")
        await calls.close()
