"""No member can be set that the schema does not name: every body of the Management API, with one more than it has."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from authenticator import Authenticator
from keystead.db import tables
from signer import pem_of
from world import PROMISES, World, claims_of

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

DOCUMENT = PROMISES.document
Schema = dict[str, Any]

MADE_BY_US = (
    *("id", "user_id", "client_id", "created_at", "updated_at", "is_system", "for_administrators", "role", "actor"),
    *(
        "secret_hash",
        "previous_secret_hash",
        "password_hash",
        "client_secret",
        "logins_count",
        "last_ip",
        "signed_out_at",
    ),
    *("connection_id", "identities", "user_handle", "public_jwk", "sealed", "seal", "global", "must_verify"),
)
"""What is stored and nobody's to say, by whatever name; where one of them is a member, it is that route's own."""

KNOWN: dict[str, Any] = {
    "httpEndpoint": "https://siem.example.com/keystead",
    "email": "ann@example.com",
    "connection_id": "con_0123456789abcdef",
    "audience": "https://api.example.com",
    "identifier": "https://new-api.example.com",
    "strategy": "auth0",
    "template": "verify_email",
    "from": "a@example.com",
    "connection": "Username-Password-Authentication",
    "credentials": {"smtp_host": "mail.example.com", "smtp_port": 25},
    "expires_at": "2027-01-01T00:00:00Z",
}
"""Values of members that must be there, where the schema alone gives none that fits."""


KEY = pem_of(rsa.generate_private_key(65537, 2048))


class Operation(NamedTuple):
    """A call with a body."""

    method: str
    path: str
    schema: Schema

    @property
    def label(self) -> str:
        """What it is called."""
        return f"{self.method} {self.path}"


def resolved(schema: Schema) -> Schema:
    """Return a schema itself; of several that will do, the one that is an object."""
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema:
        several = [resolved(each) for each in schema["anyOf"]]
        return next((each for each in several if each.get("type") == "object"), several[0])
    return schema


def operations() -> Iterator[Operation]:
    """Give every call of the Management API that takes a body."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content and path.startswith("/api/v2/"):
                yield Operation(method.upper(), path.removeprefix("/api/v2"), resolved(content["schema"]))


OPERATIONS = {
    each.label: each for each in operations() if each.schema.get("type") == "array" or "properties" in each.schema
}
"""Texts of pages are by whatever name the page has: that body names no members."""


def sample(schema: Schema, name: str = "") -> Any:
    """Return something small that a schema allows."""
    schema = resolved(schema)
    if name in KNOWN:
        return KNOWN[name]
    if "const" in schema or "enum" in schema:
        return schema.get("const", next(iter(schema.get("enum", [None]))))
    kind = schema.get("type")
    if kind == "object":
        return {each: sample(schema["properties"][each], each) for each in schema.get("required", [])}
    if kind == "array":
        return [sample(schema["items"])] * max(schema.get("minItems", 0), 1)
    return {"integer": schema.get("minimum", 1), "boolean": False, "number": 1}.get(str(kind), "x" * 20)


def closed_below(schema: Schema, body: dict[str, Any], depth: int = 4) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give bodies with a stranger in each closed object that a body may hold, and where that is."""
    for name, member in schema.get("properties", {}).items():
        inner = resolved(member)
        if inner.get("type") == "array":
            item = resolved(inner.get("items", {}))
            if item.get("additionalProperties") is False:
                yield f"{name}[]", body | {name: [sample(item) | {"foo": 1}]}
        if inner.get("additionalProperties") is not False or not depth:
            continue
        whole = sample(inner)
        yield name, body | {name: whole | {"foo": 1}}
        for path, deeper in closed_below(inner, whole, depth - 1):
            yield f"{name}.{path}", body | {name: deeper}


async def place(world: World, path: str) -> str:
    """Return a path about things that there are."""
    person = claims_of((await world.register(Authenticator(), "dora@example.com"))["id_token"])["sub"]
    (passkey,) = await world.rows(tables.Passkey)
    client = (await world.new_client("Another"))["client_id"]
    api = (await world.manage("POST", "/resource-servers", {"identifier": KNOWN["audience"]})).json()["id"]
    grant = (await world.manage("GET", "/client-grants")).json()[0]["id"]
    of = {"users": person, "clients": client, "connections": world.connection_id, "resource-servers": api}
    of |= {"client-grants": grant}
    noun = next((each for each in of if f"/{each}/{{id}}" in path), "")
    names = {
        "id": of.get(noun, "nothing"),
        "method_id": passkey["id"],
        "passkey_id": passkey["id"],
        "name": "login" if "/scripts/" in path else "verify_email",
    }
    names["credential_id"] = await credential(world, client) if "{credential_id}" in path else ""
    if path == "/emails/provider":
        made = {"name": "smtp", "default_from_address": "a@example.com", "credentials": KNOWN["credentials"]}
        assert (await world.manage("POST", path, made)).status_code == 201
    if path == "/email-templates/{name}":
        written = {
            "template": "verify_email",
            "body": "x",
            "from": "",
            "subject": "x",
            "syntax": "liquid",
            "enabled": True,
        }
        assert (await world.manage("POST", "/email-templates", written)).status_code == 200
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(value))
    return path


async def credential(world: World, client_id: str) -> str:
    """Register a key for a client, and return its id."""
    body = {"credential_type": "public_key", "pem": KEY, "alg": "RS256"}
    answer = await world.manage("POST", f"/clients/{client_id}/credentials", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def stored(world: World) -> str:
    """Return all that could have been changed."""
    kept = (tables.Account, tables.Client, tables.Connection, tables.Api, tables.ClientGrant, tables.Setting)
    rows = [await world.rows(each) for each in (*kept, tables.Administrator, tables.ClientCredential)]
    return json.dumps(rows, default=str, sort_keys=True)


@pytest.mark.parametrize("label", OPERATIONS)
async def test_a_stranger_among_the_members_is_refused(world: World, label: str) -> None:
    operation = OPERATIONS[label]
    path, before = await place(world, operation.path), ""
    before = await stored(world)
    if operation.schema.get("type") == "array":
        item = sample(operation.schema["items"])
        bodies: list[tuple[str, Any]] = [("[]", [item | {"foo": 1}])]
    else:
        base = sample(operation.schema)
        bodies = [("", base | {"foo": 1}), *closed_below(operation.schema, base)]
    for where, body in bodies:
        world.clock.advance(seconds=1)
        answer = await world.manage(operation.method, path, body)
        assert answer.status_code == 400, (label, where, body, answer.text)
        if where in ("", "[]"):
            assert "Additional properties not allowed: foo" in answer.json()["message"], (label, body)
    assert await stored(world) == before


@pytest.mark.parametrize("label", [label for label, each in OPERATIONS.items() if each.schema.get("type") == "object"])
async def test_what_we_make_nobody_says(world: World, label: str) -> None:
    operation = OPERATIONS[label]
    path, base = await place(world, operation.path), sample(operation.schema)
    before = await stored(world)
    for name in (each for each in MADE_BY_US if each not in operation.schema["properties"]):
        for value in ("x", True):
            world.clock.advance(seconds=1)
            body = base | {name: value}
            answer = await world.manage(operation.method, path, body)
            assert answer.status_code == 400, (label, body, answer.text)
    assert await stored(world) == before


async def test_what_the_options_of_a_connection_hold_is_closed(world: World) -> None:
    path = f"/connections/{world.connection_id}"
    for name in ("passkey_options", "passkey_policy", "authentication_methods", "attributes", "password_options"):
        answer = await world.manage("PATCH", path, {"options": {name: {"foo": 1}}})
        assert answer.status_code == 400, name
        assert "Additional properties not allowed: foo" in answer.json()["message"]
    for name in ("for_administrators", "is_system"):
        assert (await world.manage("PATCH", path, {name: True})).status_code == 400
        assert (
            await world.manage("POST", "/connections", {"name": "x", "strategy": "auth0", name: True})
        ).status_code == 400
