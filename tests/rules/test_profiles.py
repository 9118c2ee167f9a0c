"""Profiles: what an account is called when nobody says, and what may be said about it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind
from keystead.rules.profiles import (
    Draft,
    Profile,
    check_metadata_keys,
    defaults,
    initials,
    merge_metadata,
    public_metadata,
    root_fields,
)

EMAIL = Identifier("email", "ann.smith@example.com")
PHONE = Identifier("phone_number", "+14155552671")
USERNAME = Identifier("username", "annie")


@pytest.mark.parametrize(
    ("draft", "name", "nickname", "picture"),
    [
        (Draft(identifiers=(EMAIL,)), "ann.smith@example.com", "ann.smith", "/avatars/an.svg"),
        (Draft(identifiers=(EMAIL, USERNAME)), "ann.smith@example.com", "ann.smith", "/avatars/an.svg"),
        (Draft(identifiers=(USERNAME,)), "annie", "annie", "/avatars/an.svg"),
        (Draft(identifiers=(PHONE,)), "+14155552671", "+14155552671", "/avatars/14.svg"),
        (Draft(identifiers=(PHONE, USERNAME)), "+14155552671", "annie", "/avatars/14.svg"),
        (Draft(identifiers=(EMAIL,), name="Zoë", nickname="z"), "Zoë", "z", "/avatars/zo.svg"),
        (Draft(identifiers=(EMAIL,), picture="https://x.example/y"), EMAIL.value, "ann.smith", "https://x.example/y"),
    ],
)
def test_defaults(draft: Draft, name: str, nickname: str, picture: str) -> None:
    assert defaults(draft) == {"name": name, "nickname": nickname, "picture": picture}


@pytest.mark.parametrize(("name", "expected"), [("Ann", "an"), ("é", "xx"), ("A", "ax"), ("", "xx"), ("<9>", "9x")])
def test_initials(name: str, expected: str) -> None:
    assert initials(name) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"name": "Ann", "nickname": None, "unknown": 7}, {"name": "Ann"}),
        ({"picture": "https://x.example/y"}, {"picture": "https://x.example/y"}),
        ({"given_name": "a" * 150}, {"given_name": "a" * 150}),
    ],
)
def test_root_fields(body: dict[str, object], expected: dict[str, str]) -> None:
    assert root_fields(body) == expected


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"given_name": "a" * 151}, "given_name"),
        ({"nickname": "a" * 301}, "nickname"),
        ({"picture": "javascript:alert(1)"}, "picture"),
        ({"picture": "/avatars/an.svg"}, "picture"),
    ],
)
def test_root_fields_refused(body: dict[str, object], path: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        root_fields(body)
    assert refusal.value.path == path


@pytest.mark.parametrize("value", [None, {}, {"a": "b"}, {"a" * 100: "b" * 500}, {str(n): "" for n in range(10)}])
def test_public_metadata(value: Any) -> None:
    assert public_metadata(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "text",
        [],
        {"a": 1},
        {"a": None},
        {"a": {"b": "c"}},
        {"a": "b" * 501},
        {"": "b"},
        {"a" * 101: "b"},
        {"a.b": "c"},
        {"$a": "c"},
        {str(n): "" for n in range(11)},
    ],
)
def test_public_metadata_refused(value: Any) -> None:
    with pytest.raises(BadRequest) as refusal:
        public_metadata(value)
    assert str(refusal.value.path).startswith("user_metadata")
    assert len(str(refusal.value.path)) <= 120


@pytest.mark.parametrize(
    ("current", "change", "expected"),
    [
        (None, {"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 3}}, {"a": {"x": 3}}),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_metadata_merges_one_level_deep(current: Any, change: Any, expected: Any) -> None:
    assert merge_metadata(current, change) == expected


@pytest.mark.parametrize("key", ["", "a" * 101, "a.b", "a$"])
def test_metadata_keys(key: str) -> None:
    check_metadata_keys("app_metadata", {"good": 1})
    with pytest.raises(BadRequest, match="app_metadata") as refusal:
        check_metadata_keys("app_metadata", {key: 1})
    assert refusal.value.path == "app_metadata"


@pytest.mark.parametrize(
    ("values", "precedence", "expected"),
    [
        ({"email": "ann@example.com", "username": "ann"}, KINDS, "ann@example.com"),
        ({"email": "ann@example.com", "username": "ann"}, ("username", "email", "phone_number"), "ann"),
        ({"phone_number": "+1"}, KINDS, "+1"),
        ({}, KINDS, "auth0|1"),
    ],
)
def test_best_identifier(values: dict[str, str], precedence: tuple[IdentifierKind, ...], expected: str) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    profile = Profile.model_validate(
        {"user_id": "auth0|1", "connection_id": "con_1", "created_at": now, "updated_at": now} | values
    )
    assert profile.best_identifier(precedence) == expected
    assert profile.local_id == "1"
