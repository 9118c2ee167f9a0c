"""``/openapi.json``: a true description of every route (ASVS V8.1.1), with the scopes that hold (V8.2.1)."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import openapi_spec_validator
import pytest
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from account import SCOPE, MyAccount
from keystead.rules.authority import CURRENT_USER_SCOPES, MANAGEMENT_SCOPES
from keystead.web.endpoints import Described, Endpoint, Scoped
from keystead.web.openapi import endpoints_of
from keystead.web.routes import routes
from world import PROMISES, PUBLIC_URL, World

ROUTES = routes(Path(__file__).parents[2] / "static")
DOCUMENT = PROMISES.document
ENDPOINTS = {f"{method} {path}": endpoint for path, method, endpoint in endpoints_of(ROUTES)}
SCOPED = {label: endpoint for label, endpoint in ENDPOINTS.items() if isinstance(endpoint, Scoped)}
MANAGEMENT = {label: endpoint for label, endpoint in SCOPED.items() if endpoint.api == "management"}
MINE = {label: endpoint for label, endpoint in SCOPED.items() if endpoint.api == "my_account"}


def asked(label: str) -> tuple[str, str]:
    """Return the method and a path that a label stands for, about nobody."""
    method, path = label.split(" ")
    return method, path.replace("{", "no-").replace("}", "")


def leaves(found: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """Give every route that is not a mount of others."""
    for route in found:
        if isinstance(route, Mount) and not isinstance(route.app, StaticFiles):
            yield from leaves(route.routes)
        else:
            yield route


async def test_anybody_may_read_it(world: World) -> None:
    answer = await world.client.get("/openapi.json", headers={"origin": "https://docs.example.org"})
    assert answer.status_code == 200
    assert answer.json() == DOCUMENT
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.json()["servers"] == [{"url": PUBLIC_URL}]


def test_it_is_valid() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(DOCUMENT, cls=openapi_spec_validator.OpenAPIV31SpecValidator)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) == len(ENDPOINTS)


def test_v8_1_1_every_route_is_described_and_nothing_else() -> None:
    """By construction a method of a described route has an endpoint; so no route may be another kind."""
    assert [route for route in leaves(ROUTES) if not isinstance(route, Described | Mount)] == []
    there = {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert there == set(ENDPOINTS)
    for route in leaves(ROUTES):
        if isinstance(route, Described):
            assert set(route.endpoints) == (route.methods or set()) - {"HEAD"}


def test_requests_are_read_by_the_endpoint_that_describes_them() -> None:
    described = [route for route in leaves(ROUTES) if isinstance(route, Described)]
    for route in described:
        for endpoint in route.endpoints.values():
            if isinstance(endpoint, Scoped):
                named = inspect.getclosurevars(inspect.unwrap(route.endpoint))
                values = (*named.globals.values(), *named.nonlocals.values())
                read = [value for value in values if isinstance(value, Endpoint)]
                assert read == [endpoint], route.path


BY_LINK = ("GET /api/v2/keystead/user-exports/{id}",)
"""What a signed link alone opens: it is opened by a browser or a tool that has no token (IM-16)."""


def test_v8_2_1_every_route_of_the_apis_wants_a_scope_that_somebody_can_have() -> None:
    for label, endpoint in ENDPOINTS.items():
        _, path = label.split(" ")
        if label in BY_LINK:
            assert not isinstance(endpoint, Scoped), label
        elif path.startswith(("/api/v2/", "/me/v1/")):
            assert isinstance(endpoint, Scoped), label
            held = (*MANAGEMENT_SCOPES, *CURRENT_USER_SCOPES) if label in MANAGEMENT else SCOPE.split()
            assert {*endpoint.scopes, *endpoint.besides} <= set(held), label
            assert endpoint.scopes, label


async def test_v8_2_1_no_route_opens_without_a_token(world: World) -> None:
    for label, endpoint in SCOPED.items():
        method, path = asked(label)
        for headers in ({}, {"authorization": "Bearer x"}):
            answer = await world.client.request(method, path, headers=headers)
            assert answer.status_code == 401, label
            assert answer.headers["www-authenticate"].startswith("Bearer"), (label, endpoint)


async def test_v8_2_1_a_token_for_one_api_opens_no_other(world: World) -> None:
    await world.person()
    mine, manages = (await MyAccount.of(world)).token, await world.management_token()
    for label in SCOPED:
        method, path = asked(label)
        other = mine if label in MANAGEMENT else manages
        answer = await world.client.request(method, path, headers={"authorization": f"Bearer {other}"})
        assert answer.status_code == 401, label


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_v8_1_1_each_scope_opens_what_the_description_says_and_nothing_else(world: World) -> None:
    """Every route with each of its scopes, and with all others at once; where two are needed, none alone will do."""
    tokens: dict[str, str] = {}

    async def ask(label: str, *scopes: str) -> httpx.Response:
        held = " ".join(scopes)
        tokens[held] = tokens.get(held) or await world.management_token(held)
        world.clock.advance(seconds=1)  # for the limit of requests
        method, path = asked(label)
        return await world.client.request(method, path, headers={"authorization": f"Bearer {tokens[held]}"})

    for label, endpoint in MANAGEMENT.items():
        named = {*endpoint.scopes, *endpoint.besides}
        method, path = label.split(" ")
        security = DOCUMENT["paths"][path][method.lower()]["security"]
        assert {scope for each in security for scope in each["management"]} == named
        of_clients = [scope for scope in endpoint.scopes if scope in MANAGEMENT_SCOPES]  # the others are people's
        for scope in of_clients:
            answer = await ask(label, scope, *endpoint.besides)
            assert answer.status_code not in (401, 403), (label, scope, answer.text)
        refused = [(await ask(label, *(each for each in MANAGEMENT_SCOPES if each not in named)), endpoint.scopes)]
        if endpoint.besides:
            refused += [(await ask(label, scope), endpoint.besides) for scope in of_clients]
        for answer, needed in refused:
            expected = f"Insufficient scope, expected any of: {','.join(needed)}"
            assert (answer.status_code, answer.json()["message"]) == (403, expected), label
            assert answer.json()["errorCode"] == "insufficient_scope"


async def test_v8_2_1_scopes_of_people_hold_too(world: World) -> None:
    await world.person()
    audience = f"{PUBLIC_URL}/me/"
    for scope in SCOPE.split():
        token = (await world.tokens(audience=audience, scope=scope))["access_token"]
        for label, endpoint in MINE.items():
            method, path = asked(label)
            answer = await world.client.request(method, path, headers={"authorization": f"Bearer {token}"})
            refused = answer.status_code == 403 and answer.json()["type"] == "urn:keystead:error:insufficient-scope"
            assert refused == (scope not in endpoint.scopes), (label, scope, answer.text)


@pytest.mark.parametrize(
    ("status", "body", "media"),
    [
        (200, {"status": "ok", "more": 1}, None),
        (200, {}, None),
        (200, {"status": "ok"}, "text/plain"),
        (204, None, None),
        (418, {"status": "ok"}, None),
    ],
)
def test_an_answer_that_is_not_described_is_seen(status: int, body: object, media: str | None) -> None:
    request = httpx.Request("GET", f"{PUBLIC_URL}/healthz")
    headers = {"content-type": media} if media else {}
    assert not list(PROMISES.broken(httpx.Response(200, json={"status": "ok"}, request=request)))
    assert list(PROMISES.broken(httpx.Response(status, json=body, request=request, headers=headers)))


def test_a_body_has_no_defaults_that_a_generated_client_would_send() -> None:
    """In a PATCH they would set back what nobody mentioned: lift a block, or make a stranger's client one of ours."""

    def defaults(found: object) -> list[object]:
        if isinstance(found, dict):
            own = [found["default"]] if "default" in found and not isinstance(found["default"], dict) else []
            return own + [each for value in found.values() for each in defaults(value)]
        return [each for value in found for each in defaults(value)] if isinstance(found, list) else []

    bodies = [
        operation["requestBody"]
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    assert bodies
    assert defaults(bodies) == []
    assert defaults(DOCUMENT["components"]["schemas"]) == []
