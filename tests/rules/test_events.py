"""What the journal takes, and what it cannot be given."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from keystead.rules.events import MASK, Caller, Event
from keystead.secrecy import Secret


def event(**details: Any) -> Event:
    return Event(log_id="1", date=datetime(2026, 6, 1, tzinfo=UTC), type="s", caller=Caller(), details=details)


class Thing:
    pass


@pytest.mark.parametrize(
    "value",
    [
        Secret("a password"),
        b"octets",
        bytearray(b"octets"),
        Thing(),
        datetime(2026, 6, 1, tzinfo=UTC),
        {"a", "set"},
        float("nan"),
        float("inf"),
        {1: "a number for a name"},
        {"deep": [{"deeper": Secret("a password")}]},
        [[[[[[[["too deep"]]]]]]]],
    ],
)
def test_what_is_not_plain_is_refused_and_not_shown(value: Any) -> None:
    with pytest.raises(TypeError) as refused:
        event(found=value)
    assert "password" not in str(refused.value)
    with pytest.raises(TypeError):
        event().model_copy(update={"details": {"found": value}})


def test_a_description_is_a_text() -> None:
    for value in (Secret("a password"), b"octets"):
        with pytest.raises(TypeError):
            event().model_copy(update={"description": value})
    with pytest.raises(ValidationError):
        event().model_copy(update={"description": 1})


def test_what_is_plain_is_taken() -> None:
    given = {
        "text": "x",
        "number": 1,
        "share": 0.5,
        "flag": True,
        "nothing": None,
        "list": [1, ("x",)],
        "map": {"a": {}},
    }
    assert event(**given).details == given | {"list": [1, ["x"]]}


def test_texts_are_bounded_and_can_be_stored() -> None:
    found = event(long="x" * 100_000, nul="a\0b", lone="a\ud800b", many=list(range(10_000))).details
    assert len(found["long"]) == 2000
    assert found["nul"] == "a\ufffdb"
    assert found["lone"] == "a?b"
    assert len(found["many"]) == 200


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
        "a token: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl.",
        "$2b$10$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=65536",
        "$6$YKs9.gYUv6gukrll$lawBQQUXkO1Tg8Ox7VwYMKG8IP1JYUWa",
        "the hash {SSHA}jQrmIDruMKlXEn90iyLyENm6noqTUur9",
        "pbkdf2_sha256$50000$rXoQ9pYc1Vb7TzW0$PmqFXRoC5c",
        "-----BEGIN PRIVATE KEY-----",
        "kr_0123456789abcdefghijABCDEFGHIJ",
        "eyJhbGciOiJSUzI1NiJ9." + "x" * 5000 + ".c2lnbmF0dXJl",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert event(found=text, within=[{"it": text}]).details == {"found": MASK, "within": [{"it": MASK}]}
    assert event().model_copy(update={"description": text}).description == MASK


@pytest.mark.parametrize("text", ["ann@example.com", "auth0|kr_short", "eyJ", "$2", "unknown or late", "WebAuthn §7.2"])
def test_what_does_not_is_left_alone(text: str) -> None:
    assert event(found=text).details == {"found": text}


def test_a_type_that_is_not_documented_is_none() -> None:
    with pytest.raises(ValidationError):
        event().model_copy(update={"type": "nothing"})
