"""What is measured, and what travels: labels of few values, and ids that a log can hold."""

import pytest

from keystead.errors import Busy, WrongCredentials
from keystead.rules.telemetry import (
    COUNTED,
    READ,
    REQUEST,
    SILENCE,
    is_request_id,
    outcome_of,
    request_labels,
    rule_label,
    trace_of,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("parent", "trace"),
    [
        (f"00-{TRACE}-{SPAN}-01", TRACE),
        (f"01-{TRACE}-{SPAN}-00", TRACE),
        (f"ff-{TRACE}-{SPAN}-01", ""),
        (f"00-{'0' * 32}-{SPAN}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE.upper()}-{SPAN}-01", ""),
        (f"00-{TRACE}-{SPAN}-01\n", ""),
        (f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01", ""),
        ("", ""),
    ],
)
def test_a_parent_is_well_formed_or_none(parent: str, trace: str) -> None:
    assert trace_of(parent) == trace


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("0af76519-16cd-43dd-8448-eb211c80319c", True),
        ("a" * 8, True),
        ("a" * 40, True),
        ("a" * 7, False),
        ("a" * 41, False),
        ("abcdefgh\n", False),
        ("abcd efgh", False),
        ("abcdefgh\x1b[31m", False),
        ("аbcdefgh", False),  # noqa: RUF001 - a Cyrillic letter
        ("", False),
    ],
)
def test_an_id_of_somebody_else(text: str, good: bool) -> None:
    assert is_request_id(text) is good


def test_labels_are_never_what_a_stranger_made_up() -> None:
    assert request_labels("GET", "/api/v2/users/{id}", 204) == ("GET", "/api/v2/users/{id}", "2xx")
    assert request_labels("BREW", "", 404) == ("other", "none", "4xx")
    assert request_labels("get", "", 0) == ("other", "none", "none")
    assert rule_label("brute_force") == "brute_force"
    assert rule_label("made up") == "other"


def test_outcomes() -> None:
    assert outcome_of(None) == "ok"
    assert outcome_of(WrongCredentials) == "wrong_credentials"
    assert outcome_of(Busy) == "busy"
    assert outcome_of(KeyError) == "failed"


def test_every_metric_is_well_named() -> None:
    names = [each.name for each in (*COUNTED, *READ)]
    assert len(set(names)) == len(names)
    for each in (*COUNTED, *READ):
        assert each.name.startswith("keystead_")
        assert (each.kind == "counter") == each.name.endswith("_total")
        assert each.outcome is (each.labels[-1:] == ("outcome",))
        assert not set(each.labels) & {"user", "user_id", "email", "ip", "address", "path", "client_id"}


def test_silence_costs_nothing_and_hides_nothing() -> None:
    def fail() -> None:
        with SILENCE.timed(REQUEST) as timing:
            timing.named("GET", "/", "2xx")
            timing.note("http.response.status_code", 200)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert SILENCE.trace == ""
