"""Requests that Auth0's structure allows are taken, or refused by name; and what of it is served at all."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from authenticator import Authenticator
from contract import DIFFERENCES, Contract, Json, Operation, members, operations, queries, unnamed
from elsewhere_made import made_elsewhere
from world import PROMISES, PUBLIC_URL, World

THEIRS = {each.label: each for each in operations()}
OURS = {
    f"{method.upper()} {unnamed(path)}": (path, found)
    for path, methods in PROMISES.document["paths"].items()
    for method, found in methods.items()
}
SERVED = sorted(set(THEIRS) & set(OURS))
MANAGEMENT = [label for label in SERVED if THEIRS[label].api == "management"]

NOT_SERVED = {
    **{
        f"{method} /api/v2/branding/templates/universal-login": "pages have no template of their own"
        for method in ("DELETE", "GET", "PUT")
    },
    "POST /api/v2/users/{}/identities": "accounts have one identity",
    "DELETE /api/v2/users/{}/identities/{}/{}": "accounts have one identity",
}
"""Of database connections, and not here."""

TAKEN = {("PATCH /api/v2/clients/{}", "oidc_backchannel_logout"), ("POST /api/v2/clients", "oidc_backchannel_logout")}
"""Members by their older names: they are read as the newer ones, and described as these alone."""

BODIES: dict[str, Json] = {
    "POST /api/v2/clients": {"name": "App"},
    "POST /api/v2/resource-servers": {"identifier": "https://books.example.com"},
    "POST /api/v2/users/{}/authentication-methods": made_elsewhere(Authenticator()),
}
"""What must be there besides."""


def test_what_is_not_served_is_named() -> None:
    assert set(THEIRS) - set(OURS) == set(NOT_SERVED)


def asked_for() -> Iterator[tuple[str, str]]:
    """Give each parameter of a query that Auth0 takes and we do not know."""
    for label in MANAGEMENT:
        known = {each["name"] for each in OURS[label][1]["parameters"] if each["in"] == "query"}
        yield from ((label, name) for name in sorted(queries(THEIRS[label]) - known))


def sent() -> Iterator[tuple[str, str]]:
    """Give each member of a body that Auth0 takes and we do not know."""
    for label in MANAGEMENT:
        body = OURS[label][1].get("requestBody")
        schemas = [each["schema"] for each in body["content"].values()] if body else []
        known = {name for each in schemas for name in members(each, PROMISES.document)}
        yield from ((label, name) for name in sorted(bodies(THEIRS[label]) - known) if (label, name) not in TAKEN)


def bodies(operation: Operation) -> set[str]:
    """Return the members that a body may have in Auth0's structure."""
    content = operation.structure.get("requestBody", {}).get("content", {})
    return {name for each in content.values() for name in members(each["schema"], operation.document)}


@pytest.mark.parametrize(("label", "name"), list(asked_for()))
async def test_a_parameter_that_is_not_there_is_refused_by_name(shared_world: World, label: str, name: str) -> None:
    answer = await ask(shared_world, label, params={name: "x"})
    assert answer.status_code == 400, answer.text
    assert name in answer.json()["message"]
    assert answer.json()["errorCode"] == "invalid_query_string"


@pytest.mark.parametrize(("label", "name"), list(sent()))
async def test_a_member_that_is_not_there_is_refused_by_name(shared_world: World, label: str, name: str) -> None:
    answer = await ask(shared_world, label, BODIES.get(label, {}) | {name: "x"})
    assert answer.status_code == 400, answer.text
    assert name in answer.json()["message"]
    assert answer.json()["errorCode"] == "invalid_body"


async def ask(world: World, label: str, body: Json | None = None, **more: Any) -> httpx.Response:
    """Ask for an operation, about something that there is."""
    method, _, path = label.partition(" ")
    found = await things(world)
    below = path.removeprefix("/api/v2")
    return await world.manage(method, below.replace("{}", found.get(below.split("/")[1], "x")), body, **more)


async def things(world: World) -> dict[str, str]:
    """Return ids of what there is, by the first word of their path."""
    return {
        "clients": world.client_id,
        "connections": world.connection_id,
        "client-grants": (await world.manage("GET", "/client-grants")).json()[0]["id"],
        "resource-servers": (await world.manage("GET", "/resource-servers")).json()[0]["id"],
    }


def test_an_answer_that_is_not_auth0s_is_seen() -> None:
    contract = Contract(tally=Counter())
    right = {"user_id": "auth0|1", "email": "ann@example.com", "identities": []}
    assert list(contract.broken(answered(200, right))) == []
    assert list(contract.broken(answered(201, right))) == ["GET /api/v2/users/{} 201: the status 201 is not Auth0's"]
    wrong = right | {"blocked": "yes"}
    assert len(list(contract.broken(answered(200, wrong)))) == 1
    assert list(contract.broken(answered(404, {"error": "x"})))
    assert contract.tally["answered GET /api/v2/users/{} 200"] == 2


def answered(status: int, body: Json) -> httpx.Response:
    """Return an answer as somebody might give it."""
    request = httpx.Request("GET", f"{PUBLIC_URL}/api/v2/users/auth0%7C1")
    headers = {"content-type": "application/json; charset=utf-8"}
    return httpx.Response(status, content=json.dumps(body), request=request, headers=headers)


def test_differences_are_said_once_and_why() -> None:
    assert len({each.name for each in DIFFERENCES}) == len(DIFFERENCES)
    assert all(each.because for each in DIFFERENCES)
