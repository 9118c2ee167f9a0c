"""No redirect that replays a body, and none to wherever somebody wrote (RFC 9700 §4.11 and §4.12)."""

from collections.abc import Iterator

import pytest
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from keystead.errors import BadRequest
from keystead.web.middleware import Gate
from keystead.web.redirects import redirect
from keystead.web.routes import HOSTED, MANAGEMENT, MY_ACCOUNT
from visitor import Visitor, authorize_url
from world import PASSWORD, World

ALONE = (
    "/",
    "/authorize",
    "/oauth/token",
    "/userinfo",
    "/passkey/register",
    "/passkey/challenge",
    "/dbconnections/signup",
    "/v2/logout",
    "/oidc/logout",
    "/healthz",
    "/favicon.ico",
    "/.well-known/jwks.json",
    "/static",
    "/static/",
    "/u",
    "/me/v1",
    "/api/v2",
)


def paths() -> Iterator[str]:
    """Give every path there is, as it stands and with a slash, a dot and a double slash."""
    mounted = [
        prefix + route.path
        for prefix, routes in (("/u", HOSTED), ("/me/v1", MY_ACCOUNT), ("/api/v2", MANAGEMENT))
        for route in routes
        if isinstance(route, Route)
    ]
    for path in (*ALONE, *mounted):
        known = path.replace("{id}", "x").replace("{method_id}", "y")
        yield from (known, known + "/", "/" + known, known + "/.", known.rstrip("/") + "//evil.example")


async def test_nothing_is_ever_answered_with_307_or_308(shared_world: World) -> None:
    for path in paths():
        for method in ("GET", "POST", "PATCH", "DELETE"):
            answer = await shared_world.client.request(method, f"http://localhost:8000{path}", data={"a": "b"})
            assert answer.status_code not in (301, 302, 307, 308), (method, path)
            assert answer.status_code < 500, (method, path)
            location = answer.headers.get("location", "/")
            assert location.startswith("/"), (method, path, location)
            assert not location.startswith("//"), (method, path, location)


async def test_every_step_of_a_login_is_a_303(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    answer = await visitor.client.get(authorize_url(world))
    seen = [answer]
    headers = {"sec-fetch-site": "same-origin"}
    for step in ("/u/login/identifier", "/u/login/password", "/u/passkey-enrollment", ""):
        while answer.status_code == 303 and answer.headers["location"].startswith("/"):
            answer = await visitor.client.get(answer.headers["location"])
            seen.append(answer)
        if step:
            assert answer.url.path == step
            form = {"username": "ann@example.com", "password": PASSWORD, "action": "skip"}
            answer = await visitor.client.post(f"{step}?{answer.url.query.decode()}", data=form, headers=headers)
            seen.append(answer)
    assert {answer.status_code for answer in seen} == {200, 303}
    assert seen[-1].headers["location"].startswith("http://localhost:8000/?code=")
    for answer in seen:
        assert PASSWORD not in answer.headers.get("location", "")
        assert answer.status_code == 200 or answer.content == b""
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_the_gate_stops_a_redirect_that_would_repeat_a_body(world: World) -> None:
    """Should anybody ever write one: it becomes an error before it leaves."""
    for status in (307, 308):
        flows = world.app.state.flows
        answer = RedirectResponse("https://evil.example", status)
        gate = Gate(answer, world.settings, flows.entropy, flows.decisions.record)
        sent: list[int] = []

        async def send(message: object, sent: list[int] = sent) -> None:
            assert isinstance(message, dict)
            if message["type"] == "http.response.start":
                sent.append(message["status"])
                assert not [name for name, _ in message["headers"] if name == b"location"]

        async def receive() -> dict[str, object]:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "POST", "path": "/oauth/token", "query_string": b"", "scheme": "http"}
        await gate(scope | {"headers": [(b"host", b"localhost")], "client": None, "server": None}, receive, send)
        assert sent == [500]


@pytest.mark.parametrize("url", ["/x\r\nset-cookie: a=b", "/x\n", "/x\r", "/x\0", "/ü", "https://x.example/\u202e"])
def test_a_location_is_one_line_of_ascii(url: str) -> None:
    with pytest.raises(BadRequest):
        redirect(url)


def test_a_redirect_is_empty_and_kept_by_nobody() -> None:
    found: Response = redirect("/u/login?state=x")
    assert (found.status_code, bytes(found.body)) == (303, b"")
    assert found.headers["location"] == "/u/login?state=x"
    assert found.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "http://localhost:8000.evil.example/",
    ],
)
async def test_a_logout_goes_nowhere_that_is_not_registered(shared_world: World, return_to: str) -> None:
    for client_id in (shared_world.client_id, "", "nobody"):
        asked = {"client_id": client_id, "returnTo": return_to}
        answer = await shared_world.client.get("/v2/logout", params=asked)
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "evil" not in answer.text
