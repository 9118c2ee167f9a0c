"""Auth0's own structure of every answer, held against ours; and what differs on purpose, by name.

The structure is data: paths, parameters, statuses and schemas of the three APIs, as far as they are about database
connections (``tests/data/auth0-structure.json``).
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import jsonschema_rs

from promises import description
from tally import TALLY, tallied

Json = dict[str, Any]

PREFIXES = {"management": "/api/v2", "authentication": "", "myaccount": "/me/v1"}
"""Where each of the APIs is served."""

ERRORS: Mapping[str, Json] = {
    "management": {
        "required": ["statusCode", "error", "message"],
        "properties": {
            "statusCode": {"type": "integer"},
            "error": {"type": "string"},
            "message": {"type": "string"},
            "errorCode": {"type": "string"},
        },
    },
    "authentication": {
        "anyOf": [
            {"required": ["error"], "properties": {"error": {"type": "string"}}},
            {"required": ["name", "code", "description", "statusCode"]},
        ]
    },
    "myaccount": {
        "required": ["type", "status", "title", "detail"],
        "properties": {"status": {"type": "integer"}},
    },
}
"""The envelopes of errors (auth0-behaviour 2.0); of most errors the structure says no more than the status."""


class Operation(NamedTuple):
    """One method of one path, in Auth0's structure."""

    api: str
    label: str
    structure: Json

    @property
    def document(self) -> Json:
        """The structure that it is of, which has what it refers to."""
        found: Json = structure()[self.api]
        return found


@dataclass(frozen=True)
class Difference:
    """Answers that differ on purpose: where, what exactly, and why."""

    where: str
    """A pattern of method and path, which whole labels match."""
    what: str
    """A pattern of what is found."""
    because: str

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{self.where}: {self.what}"


_ENDED: Final = "|".join(
    (
        "DELETE /api/v2/(refresh-tokens|sessions)/{}",
        "DELETE /api/v2/users/{}/(refresh-tokens|sessions)",
        "POST /api/v2/(refresh-tokens/revoke|sessions/{}/revoke|users/{}/revoke-access)",
    )
)

DIFFERENCES: Final[Sequence[Difference]] = (
    Difference(
        "GET /api/v2/connections", r".*\.enabled_clients is ours", "Auth0 shows it too; tools of before 2025 read it"
    ),
    Difference(
        "DELETE /api/v2/connections/{}", "a body where Auth0 has none", "the recorded answer: 202 with deleted_at"
    ),
    Difference(_ENDED, "a body where Auth0 has none", "an empty object: clients read JSON wherever its type is said"),
    Difference("PATCH /api/v2/resource-servers/{}", "the status 200 is not Auth0's", "nothing is made by a PATCH"),
    Difference(
        "(GET|POST|PATCH) /api/v2/resource-servers.*", r".*signing_alg is not enum .*", "ES256 and Ed25519 are safer"
    ),
    Difference(
        "PATCH /api/v2/users/{}/authentication-methods/{}", "type is not enum .*", "passkeys can be renamed here"
    ),
    Difference(
        "POST /(passkey/[a-z]+|me/v1/authentication-methods)",
        r"authn_params_public_key\..* is ours",
        "what a connection's policy asks browsers for, in WebAuthn's words",
    ),
    Difference(
        "(GET|POST|PATCH) /api/v2/clients.*",
        r".*sha256_cert_fingerprints is not minItems .*",
        "what was set is shown, an empty list too",
    ),
    Difference(
        "(GET|PATCH) /api/v2/tenants/settings",
        "(idle_)?ephemeral_session_lifetime is not minimum .*",
        "a lifetime that was set in minutes, in hours",
    ),
    Difference(
        "(GET|PATCH) /api/v2/tenants/settings",
        r"enabled_locales\.\* is not enum .*",
        "any language: the list of those that there are grows",
    ),
    Difference("GET /api/v2/users", ".*is not type .*", "with from or take it is a piece of the list, as elsewhere"),
    Difference(
        "POST /api/v2/jobs/users-imports",
        "connection_id is not pattern .*",
        "an archive names connections user by user",
    ),
    Difference("GET /authorize", "the status 303 is not Auth0's", "a redirect that never sends a form on"),
    Difference("GET /authorize", "the status 200 is not Auth0's", "form_post and web_message answer with a page"),
    Difference("GET /(v2|oidc)/logout", "the status 303 is not Auth0's", "the same"),
    Difference("GET /(v2|oidc)/logout", "the status 200 is not Auth0's", "a page where there is nowhere to go back to"),
)


@cache
def structure() -> Json:
    """Return Auth0's structure of the three APIs.

    ``oneOf`` is read as ``anyOf``: by Auth0's own schemas the last page of a list is a page of either kind.
    """
    text = (Path(__file__).parent / "data" / "auth0-structure.json").read_text(encoding="utf-8")
    found: Json = json.loads(text.replace('"oneOf":', '"anyOf":'))
    return found


def operations() -> Iterator[Operation]:
    """Give every operation of the structure, labelled with the path that it is served at, without names in it."""
    for api, prefix in PREFIXES.items():
        for path, methods in structure()[api]["paths"].items():
            for method, found in methods.items():
                yield Operation(api, f"{method.upper()} {unnamed(prefix + path)}", found)


def unnamed(path: str) -> str:
    """Return a path whose parameters have no names: what they are called is nobody's business but a document's."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def referred(found: Json, document: Json) -> Json:
    """Return what a reference is to, or what is none as it is."""
    while "$ref" in found:
        *_, kind, name = found["$ref"].split("/")
        found = document["components"][kind][name]
    return found


def members(schema: Json, document: Json) -> Iterator[str]:
    """Give the members that objects of a schema may have."""
    found = referred(schema, document)
    yield from found.get("properties", ())
    for each in (*found.get("anyOf", ()), *found.get("allOf", ()), *found.get("oneOf", ())):
        yield from members(each, document)


def queries(operation: Operation) -> set[str]:
    """Return the parameters that a query may have."""
    found = [referred(each, operation.document) for each in operation.structure["parameters"]]
    return {each["name"] for each in found if each["in"] == "query"}


@dataclass
class Contract:
    """Answers held against the structure; it remembers which there were, and which differences were met."""

    differences: Sequence[Difference] = DIFFERENCES
    tally: Counter[str] = field(default_factory=lambda: TALLY)
    """What was answered, and which differences there were."""
    _validators: dict[tuple[str, int], jsonschema_rs.Validator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._operations = {each.label: each for each in operations()}
        paths = {label.partition(" ")[2] for label in self._operations}
        patterns = ((path, re.compile(re.escape(path).replace(r"\{\}", "[^/]+"))) for path in paths)
        self._paths = sorted(patterns, key=lambda each: ("{" in each[0], -len(each[0]), each[0]))

    def broken(self, response: httpx.Response) -> Iterator[str]:
        """Give what is unlike Auth0's structure, and not so on purpose. Paths that Auth0 has not are nobody's."""
        raw = response.request.url.raw_path.decode().partition("?")[0]
        path = next((path for path, pattern in self._paths if pattern.fullmatch(raw)), None)
        operation = self._operations.get(f"{response.request.method} {path}")
        if operation is None:
            return
        self.tally[f"answered {operation.label} {response.status_code}"] += 1
        for what in sorted(set(self._found(operation, response))):
            excuse = self._excuse(operation.label, what)
            if excuse is None:
                yield f"{operation.label} {response.status_code}: {what}"
            else:
                self.tally[f"differs {excuse.name}"] += 1

    async def keep(self, response: httpx.Response) -> None:
        """Fail where an answer is unlike Auth0's."""
        await response.aread()
        found = list(self.broken(response))
        assert not found, found

    def _excuse(self, label: str, what: str) -> Difference | None:
        fitting = (each for each in self.differences if re.fullmatch(each.where, label))
        return next((each for each in fitting if re.fullmatch(each.what, what)), None)

    def _found(self, operation: Operation, response: httpx.Response) -> Iterator[str]:
        status = response.status_code
        if status < 400 and str(status) not in operation.structure["responses"]:
            yield f"the status {status} is not Auth0's"
        elif "json" in response.headers.get("content-type", ""):
            schema = self._schema(operation, status)
            if schema is None:
                yield "a body where Auth0 has none"
            else:
                yield from self._unlike(operation, status, schema, response.json())

    def _schema(self, operation: Operation, status: int) -> Json | None:
        if status >= 400:
            return ERRORS[operation.api]
        found = referred(operation.structure["responses"][str(status)], operation.document)
        return next(
            (each["schema"] for media, each in found.get("content", {}).items() if media.endswith("json")), None
        )

    def _unlike(self, operation: Operation, status: int, schema: Json, body: object) -> Iterator[str]:
        key = (operation.label, status)
        if key not in self._validators:
            whole = schema | {"components": operation.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        for error in self._validators[key].iter_errors(body):
            yield from told(error)


def told(error: jsonschema_rs.ValidationError) -> Iterator[str]:
    """Say what is wrong, without the values: of a choice between schemas by the one that fits best."""
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AnyOf):
        best = max(kind.context, key=lambda branch: (min(len(each.instance_path) for each in branch), -len(branch)))
        for inner in best:
            yield from told(inner)
        return
    where = ".".join("*" if isinstance(each, int) else each for each in error.instance_path)
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        yield from (f"{where}.{name}".lstrip(".") + " is ours" for name in kind.unexpected)
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        yield f"{where}.{kind.property}".lstrip(".") + " is missing"
    else:
        yield f"{where} is not {kind.name} {str(kind.as_dict())[:200]}"


def served() -> set[str]:
    """Return the operations of the structure that there are here."""
    ours = {
        f"{method.upper()} {unnamed(path)}"
        for path, methods in description("http://localhost:8000")["paths"].items()
        for method in methods
    }
    return {each.label for each in operations()} & ours


def coverage() -> Iterator[str]:
    """Give a line for each operation that is served: how often it was answered, and how."""
    statuses: dict[str, list[str]] = {label: [] for label in served()}
    for what, count in tallied("answered"):
        label, _, status = what.rpartition(" ")
        statuses.get(label, []).append(f"{status}: {count}")
    for label, found in sorted(statuses.items()):
        yield f"{label}  {', '.join(found) or 'never'}"


def left_out() -> Iterator[str]:
    """Give what a whole run must have and has not: an operation that never went well, a difference that is none."""
    answered = [what.rpartition(" ") for what, _ in tallied("answered")]
    well = {label for label, _, status in answered if status < "4"}
    yield from (f"{label} was never answered well" for label in sorted(served() - well))
    met = {what for what, _ in tallied("differs")}
    yield from (f"no answer differs by {each.name}" for each in DIFFERENCES if each.name not in met)
    called = {what.partition("ManagementClient.")[2] for what, _ in tallied("called")}
    yield from (f"auth0-python's {call} is never called" for call, _ in tallied("wanted") if call not in called)
