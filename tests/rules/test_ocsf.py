"""Entries as events of OCSF: the members and numbers that its schema (1.3.0) asks for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from keystead.rules.events import TYPES
from keystead.rules.log_entries import LogEntry
from keystead.rules.ocsf import ocsf

ACTIVITIES = {
    3001: {1, 2, 3, 4, 6, 9, 10, 11, 99},
    3002: {1, 2, 6, 99},
    3004: {1, 2, 3, 4, 99},
    6003: {1, 2, 3, 4, 99},
}
NEEDED = {
    3001: {"user"},
    3002: {"user", "service"},
    3004: {"entity"},
    6003: {"api", "actor", "src_endpoint"},
}
BASE = {"activity_id", "category_uid", "class_uid", "type_uid", "time", "severity_id", "metadata"}


def entry(type: str, **members: Any) -> LogEntry:
    found: dict[str, Any] = {
        "user_id": None,
        "connection_id": None,
        "client_id": None,
        "ip": "",
        "user_agent": "",
        "description": None,
    }
    found |= {"decision": None, "details": {}, "actor": None, "request_id": None, "seal": None}
    return LogEntry(log_id="1", date=datetime(2026, 6, 1, tzinfo=UTC), type=type, **(found | members))


FULL: dict[str, Any] = {
    "user_id": "auth0|1",
    "connection_id": "con_1",
    "client_id": "client",
    "ip": "203.0.113.9",
    "user_agent": "Firefox",
    "actor": "cli",
    "request_id": "request",
    "details": {"reason": "why", "request": {"method": "PATCH", "path": "/api/v2/users/1"}},
    "seal": 1,
    "user_name": "ann@example.com",
}


@pytest.mark.parametrize("members", [{}, FULL], ids=["bare", "full"])
@pytest.mark.parametrize("type", TYPES)
def test_every_type_is_an_event_of_a_class(type: str, members: dict[str, Any]) -> None:
    found = ocsf(entry(type, **members), "1")
    kind = found["class_uid"]
    assert found.keys() >= BASE | NEEDED[kind]
    assert found["activity_id"] in ACTIVITIES[kind]
    assert found["type_uid"] == kind * 100 + found["activity_id"]
    assert found["category_uid"] == kind // 1000
    assert found["status_id"] == (1 if found["status"] == "Success" else 2)
    assert found["metadata"]["version"] == "1.3.0"
    assert found["metadata"]["product"]["vendor_name"] == "Keystead"
    assert found["time"] == 1_780_272_000_000
    assert found["message"] == TYPES[type]
    for name in ("user", "entity", "actor", "service", "src_endpoint"):
        assert found.get(name, {"x": 1}), name


def test_every_type_has_a_place_of_its_own() -> None:
    """A new event belongs into the table: without one it would be told as a call of the API."""
    told = {each for each in TYPES if ocsf(entry(each), "1")["class_uid"] == 6003}
    assert told == {"sapi", "mgmt_api_read", "api_limit"}


@pytest.mark.parametrize(
    ("type", "uid", "status"),
    [
        ("s", 300201, 1),
        ("fp", 300201, 2),
        ("slo", 300202, 1),
        ("ss", 300101, 1),
        ("scp", 300103, 1),
        ("sdu", 300106, 1),
    ],
)
def test_what_they_are(type: str, uid: int, status: int) -> None:
    found = ocsf(entry(type), "1")
    assert (found["type_uid"], found["status_id"]) == (uid, status)


@pytest.mark.parametrize(
    ("method", "activity"), [("POST", 1), ("GET", 2), ("PUT", 3), ("PATCH", 3), ("DELETE", 4), ("x", 99)]
)
def test_a_call_of_the_api(method: str, activity: int) -> None:
    details = {"request": {"method": method, "path": "/api/v2/users/1"}, "changed": ["email"]}
    found = ocsf(entry("sapi", **(FULL | {"details": details})), "1")
    assert found["activity_id"] == activity
    assert found["api"]["operation"] == f"{method} /api/v2/users/1"
    assert found["actor"] == {"user": {"uid": "cli"}}
    assert found["resources"] == [{"type": "user", "uid": "auth0|1"}]
    assert found["http_request"] == {"http_method": method, "user_agent": "Firefox", "uid": "request"}
    assert found["unmapped"]["details"] == details
