"""Every list beyond its end, every parameter and every member of the wrong type, and ids of what is out of reach.

The tables are made of the description, so a route that is added is in them.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from contract import Json, referred
from keystead.db import connections, tables
from world import PASSWORD, PROMISES, World

DOCUMENT = PROMISES.document
MANAGEMENT = {
    f"{method.upper()} {path.removeprefix('/api/v2')}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if path.startswith("/api/v2/")
}
WRONG: Json = {"string": 7, "integer": "seven", "number": "seven", "boolean": "true", "array": "x", "object": "x"}
"""For each type a value of another."""

RIGHT: Json = {"string": "x", "integer": 1, "boolean": True, "array": [], "object": {}}
SAYS = ("Expected type {kind} but found type {found}", "No enum match for: {value}", "must be")
"""What is said of a member of the wrong type: a closed list of words has words of its own."""


def queries(label: str) -> dict[str, Json]:
    """Return the parameters of a query, by name."""
    return {each["name"]: each for each in MANAGEMENT[label]["parameters"] if each["in"] == "query"}


BOUND = "irst 1000"
"""What is said where Auth0 has a bound (2.6)."""

PAGED = [label for label in MANAGEMENT if "page" in queries(label)]


def wrong_queries() -> Iterator[tuple[str, str, str, str]]:
    """Give each parameter with a value that it cannot have, and what is said of it."""
    for label in MANAGEMENT:
        for name, found in queries(label).items():
            for value, says in wrong_values(found["schema"]):
                yield label, name, value, f"Query validation error: '{says}' on property {name}."


def wrong_values(schema: Json) -> Iterator[tuple[str, str]]:
    """Give texts that a schema forbids, and what is said of them."""
    if schema["type"] == "integer":
        for value in ("x", "1.5", "-", "--1", "", "1e3", "9" * 5000, "٣"):
            yield value, "Expected type integer but found type string"
        yield "-1", f"Value -1 is less than minimum {schema['minimum']}"
        yield "9" * 30, f"Value {'9' * 30} is greater than maximum {schema['maximum']}"
        if schema["maximum"] < 999_999_999:
            above = schema["maximum"] + 1
            yield str(above), f"Value {above} is greater than maximum {schema['maximum']}"
        if schema["minimum"]:
            yield "0", f"Value 0 is less than minimum {schema['minimum']}"
    elif schema["type"] == "boolean":
        for value in ("yes", "1", "", "TRUE"):
            yield value, "Expected type boolean but found type string"
    elif "maxLength" in schema:
        length = schema["maxLength"] + 1
        yield "x" * length, f"String is too long ({length} chars), maximum {schema['maxLength']}"


@pytest.mark.parametrize(("label", "name", "value", "says"), list(wrong_queries()))
async def test_a_parameter_of_the_wrong_type(shared_world: World, label: str, name: str, value: str, says: str) -> None:
    method, path = label.split(" ")
    others = {each: "x" for each, found in queries(label).items() if found.get("required")}
    answer = await shared_world.manage(method, nobody(path), params=others | {name: value})
    refused(answer, says, "invalid_query_string")


def needed_of(schema: Json) -> Iterator[tuple[str, Json]]:
    """Give the members that must be there, with what they may be."""
    for name in schema.get("required", ()):
        yield name, referred(schema["properties"][name], DOCUMENT)


def wrong_members() -> Iterator[tuple[str, str, Json, Any, str]]:
    """Give each member of a body with a value that it cannot have, beside what must be there, and its type."""
    for label, operation in MANAGEMENT.items():
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:  # of a form every member is a text
            continue
        schema = referred(content["application/json"]["schema"], DOCUMENT)
        members = {name: referred(each, DOCUMENT) for name, each in schema.get("properties", {}).items()}
        needed = {name: right(each) for name, each in needed_of(schema)}
        for name, member in members.items():
            kind = member.get("type")
            if kind in WRONG:
                yield label, name, needed, WRONG[kind], kind


def right(schema: Json) -> Any:
    """Return a value of the right type."""
    if "smtp_host" in str(schema):
        return {"smtp_host": "mail.example.com", "smtp_port": 25}
    return schema["enum"][0] if "enum" in schema else schema.get("const", RIGHT.get(schema.get("type", ""), "x"))


@pytest.mark.parametrize(("label", "name", "needed", "value", "kind"), list(wrong_members()))
async def test_a_member_of_the_wrong_type(
    shared_world: World, label: str, name: str, needed: Json, value: Any, kind: str
) -> None:
    method, path = label.split(" ")
    answer = await shared_world.manage(method, somebody(path, shared_world), needed | {name: value})
    found = "integer" if value == 7 else "string"
    says = [each.format(kind=kind, found=found, value=value) for each in SAYS]
    said = answer.json()["message"]
    if answer.status_code == 404:
        return  # of what there is not, nothing is said
    assert answer.status_code == 400, answer.text
    assert answer.json()["errorCode"] == "invalid_body"
    assert said.startswith("Payload validation error: '"), said
    if "Missing required property" in said or path == "/prompts":
        return  # something else is said first; or why no other value than the one will do
    assert name in said, said
    assert any(each in said for each in says), said


@pytest.mark.parametrize("label", PAGED)
@pytest.mark.parametrize("totals", ["true", "false"])
async def test_beyond_the_end_of_a_list_there_is_nothing(shared_world: World, label: str, totals: str) -> None:
    """Not an error: clients read on until a page is empty."""
    method, path = label.split(" ")
    known = queries(label)
    most = min(known["page"]["schema"]["maximum"], 9_999_999)
    asked = {"page": str(most), "per_page": str(known["per_page"]["schema"]["maximum"])}
    asked |= {"include_totals": totals} if "include_totals" in known else {}
    asked |= {name: "auth0|nobody" for name, each in known.items() if each.get("required")}
    answer = await shared_world.manage(method, somebody(path, shared_world), params=asked)
    if answer.status_code == 400:
        assert BOUND in answer.json()["message"]
        return
    assert answer.status_code in (200, 404), answer.text
    if answer.status_code == 200:
        found = answer.json()
        lists = [found] if isinstance(found, list) else [each for each in found.values() if isinstance(each, list)]
        assert lists == [[]]


async def test_an_administrator_is_nobody_to_every_route_about_people(world: World) -> None:
    """As if there were no such account, whatever the method; and so it is with the connection that it is of."""
    ticket = world.first["administrator_setup_url"].partition("ticket=")[2]
    form = {"email": "root@example.com", "password": PASSWORD, "ticket": ticket}
    assert (await world.client.post(f"/u/setup?ticket={ticket}", data=form)).status_code == 200
    connection = await world.db.read(connections.of_administrators)
    assert connection is not None
    (admin,) = [row["user_id"] for row in await world.rows(tables.Administrator)]
    before = await world.rows(tables.Account), await world.rows(tables.Connection)
    asked = 0
    for label, operation in MANAGEMENT.items():
        method, path = label.split(" ")
        id_ = {"/users/{id}": admin, "/connections/{id}": connection.id}.get("/".join(path.split("/")[:3]))
        if id_ is not None and not path.endswith("/logs"):  # the journal tells of everybody
            body = body_of(operation)
            answer = await world.manage(method, path.replace("{id}", quote(id_)), body)
            assert answer.status_code in {"DELETE": (204, 400, 404, 202), "GET": (404,)}.get(method, (400, 404)), label
            asked += 1
    assert asked > 15
    assert (await world.rows(tables.Account), await world.rows(tables.Connection)) == before


def body_of(operation: Json) -> object:
    """Return a body of the right kind, or none."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = next((referred(each["schema"], DOCUMENT) for each in content.values()), None)
    if schema is None:
        return None
    return [] if schema.get("type") == "array" else {name: right(each) for name, each in needed_of(schema)}


def nobody(path: str) -> str:
    """Return a path about nobody."""
    return path.replace("{", "no-").replace("}", "")


def somebody(path: str, world: World) -> str:
    """Return a path about something that there is, where a world has it from the start."""
    ids = {"/clients/{id}": world.client_id, "/connections/{id}": world.connection_id}
    for known, id_ in ids.items():
        if path.startswith(known):
            path = path.replace("{id}", id_)
    return nobody(path)


def refused(answer: httpx.Response, says: str, code: str) -> None:
    """See that a request was refused in these words."""
    assert answer.status_code == 400, answer.text
    assert answer.json() == {"statusCode": 400, "error": "Bad Request", "message": says, "errorCode": code}
