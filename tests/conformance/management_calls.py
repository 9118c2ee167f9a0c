"""What every implementation of the ``ManagementCalls`` port does: tests to inherit, for a fixture ``calls`` to fill."""

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from keystead.ports import ManagementCalls
from keystead.rules.calls import Answer, call_of, json_of, refusal

AGENT = "keystead/test"
PARTS = [b"one\n", b"two\n", "drei, § 3\n".encode()]


async def _echo(request: Request) -> Response:
    """Answer with what arrived."""
    return JSONResponse(
        {
            "method": request.method,
            "path": request.scope["path"],
            "query": list(request.query_params.multi_items()),
            "body": (await request.body()).decode(),
            "headers": dict(request.headers),
            "peer": list(request.client) if request.client else None,
        },
        headers={"X-Kept": "yes"},
    )


async def _stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for part in PARTS:
            yield part

    return StreamingResponse(parts())


async def _no(request: Request) -> Response:
    return JSONResponse({"statusCode": 404, "message": "There is none.", "errorCode": "inexistent_user"}, 404)


async def _nothing(request: Request) -> Response:
    return Response(status_code=204)


METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
ECHO = Starlette(
    routes=[
        Route("/api/v2/users/{id:path}", _echo, methods=METHODS),
        Route("/api/v2/export", _stream),
        Route("/api/v2/no", _no),
        Route("/api/v2/nothing", _nothing, methods=["DELETE"]),
    ]
)


async def whole(answer: Answer) -> bytes:
    """Return a body once all of it is there."""
    return b"".join([part async for part in answer.body])


class ManagementCallsConformance:
    """Inherit, and give a fixture ``calls`` that calls ``ECHO``."""

    async def test_a_call_arrives_as_it_was_written(self, calls: ManagementCalls) -> None:
        query = {"q": 'name:"A & B" +1', "include_totals": True, "left_out": None, "page": 0}
        call = call_of("PATCH /users/{id}", ["auth0|ä/1 ?#"], query, {"name": "Zoë"})
        async with calls.ask(call) as answer:
            assert (answer.status, answer.is_refusal, answer.headers["x-kept"]) == (200, False, "yes")
            found = json_of(await whole(answer))
        assert (found["method"], found["path"]) == ("PATCH", "/api/v2/users/auth0|ä/1 ?#")
        assert found["query"] == [["q", 'name:"A & B" +1'], ["include_totals", "true"], ["page", "0"]]
        assert json_of(found["body"].encode()) == {"name": "Zoë"}
        assert found["headers"]["content-type"] == "application/json"
        assert found["headers"]["user-agent"] == AGENT

    async def test_a_call_without_a_body_has_none(self, calls: ManagementCalls) -> None:
        for method in METHODS:
            async with calls.ask(call_of(f"{method} /users/{{id}}", ["1"], {}, None)) as answer:
                found = json_of(await whole(answer))
            assert (found["method"], found["body"]) == (method, "")
            assert "content-type" not in found["headers"]

    async def test_an_empty_object_is_a_body(self, calls: ManagementCalls) -> None:
        async with calls.ask(call_of("POST /users/{id}", ["1"], {}, {})) as answer:
            assert json_of(await whole(answer))["body"] == "{}"

    async def test_an_answer_may_come_in_parts(self, calls: ManagementCalls) -> None:
        async with calls.ask(call_of("GET /export", [], {}, None)) as answer:
            assert await whole(answer) == b"".join(PARTS)

    async def test_an_answer_may_be_left_unread(self, calls: ManagementCalls) -> None:
        for _ in range(3):
            async with calls.ask(call_of("GET /export", [], {}, None)) as answer:
                assert answer.status == 200

    async def test_a_refusal_is_an_answer(self, calls: ManagementCalls) -> None:
        async with calls.ask(call_of("GET /no", [], {}, None)) as answer:
            assert answer.is_refusal
            assert refusal(answer.status, await whole(answer)) == "There is none. (inexistent_user)"

    async def test_an_answer_may_be_empty(self, calls: ManagementCalls) -> None:
        async with calls.ask(call_of("DELETE /nothing", [], {}, None)) as answer:
            assert (answer.status, await whole(answer)) == (204, b"")
