"""Two verdicts held against each other, and what they come to (``rules/shadow``)."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from keystead.rules.action_scripts import ScriptAnswer, ScriptRefusal
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Profile
from keystead.rules.script_trials import Tried
from keystead.rules.shadow import KINDS, Kind, Ours, advise, by_day, compare, summed, window

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ANN = Profile(
    user_id="auth0|7",
    connection_id="con_1",
    email="ann@example.com",
    email_verified=True,
    name="Ann",
    created_at=NOW,
    updated_at=NOW,
)
OPTIONS = ConnectionOptions()
TYPED = Identifier("email", "ann@example.com", typed="Ann@Example.com")
THERE = {"user_id": 7, "email": "ANN@example.com", "email_verified": 1}
KNOWN, UNKNOWN = ScriptRefusal("wrong_credentials", user_id="7"), ScriptRefusal("wrong_credentials")


@pytest.mark.parametrize(
    ("let_in", "changed", "answer", "kind", "about"),
    [
        (True, False, THERE, "both_let_in", {}),
        (True, False, THERE | {"name": None}, "both_let_in", {}),
        (True, False, THERE | {"name": "Anne"}, "other_profile", {"attributes": ["name"]}),
        (True, False, THERE | {"email_verified": False}, "other_profile", {"attributes": ["email_verified"]}),
        (True, False, THERE | {"user_id": "8"}, "other_id", {"user_id": "auth0|8"}),
        (True, False, THERE | {"user_id": "8", "name": "Bob"}, "other_id", {"user_id": "auth0|8"}),
        (True, False, KNOWN, "only_here", {"known_there": True}),
        (True, False, UNKNOWN, "only_here", {"known_there": False}),
        (True, False, None, "only_here", {"known_there": False}),
        (True, True, KNOWN, "changed_here", {"known_there": True}),
        (True, True, UNKNOWN, "only_here", {"known_there": False}),
        (True, False, ScriptRefusal("unauthorized", "blocked"), "only_here", {"known_there": False}),
        (False, False, THERE, "only_there", {}),
        (False, False, KNOWN, "both_refused", {}),
        (False, True, UNKNOWN, "both_refused", {}),
        (True, False, ScriptRefusal("error", "ECONNREFUSED"), "script_failed", {"failure": "ECONNREFUSED"}),
        (True, False, ScriptRefusal("validation", code="odd"), "script_failed", {"failure": "odd"}),
        (True, False, True, "script_failed", {"failure": "a profile must be an object, not bool"}),
        (True, False, {"email": "ann@example.com"}, "script_failed", {"failure": "a profile needs a user_id"}),
    ],
)
def test_two_verdicts(let_in: bool, changed: bool, answer: Any, kind: Kind, about: dict[str, Any]) -> None:
    refused = isinstance(answer, ScriptRefusal)
    theirs = Tried(ScriptAnswer(refusal=answer) if refused else ScriptAnswer(answer))
    found = compare(Ours(ANN, let_in, changed), theirs, OPTIONS, TYPED)
    assert (found.kind, dict(found.about)) == (kind, about)
    assert kind in KINDS


def test_a_script_without_an_answer_says_nothing_of_anybody() -> None:
    found = compare(Ours(ANN, let_in=True), Tried(failure="it took longer than 20 s"), OPTIONS, TYPED)
    assert (found.kind, found.about) == ("script_failed", {"failure": "it took longer than 20 s"})


@pytest.mark.parametrize(
    ("counts", "ready", "says"),
    [
        ({}, False, "0 of 100 logins agreed"),
        ({"both_let_in": 99}, False, "99 of 100"),
        ({"both_let_in": 100}, True, "a cut-over is advised"),
        ({"both_let_in": 60, "other_profile": 40}, True, "Of 40 of them attributes differ"),
        ({"both_let_in": 100, "both_refused": 900, "changed_here": 5}, True, "advised"),
        ({"both_let_in": 5000, "only_there": 1}, False, "One login ended differently"),
        ({"both_let_in": 5000, "only_here": 1, "other_id": 1}, False, "2 logins ended differently"),
        ({"both_let_in": 100, "script_failed": 60, "dropped": 41}, False, "could not be compared"),
        ({"both_refused": 1000}, False, "0 of 100"),
    ],
)
def test_when_a_cut_over_is_advised(counts: dict[Kind, int], ready: bool, says: str) -> None:
    found = advise(counts, enough=100, days=7)
    assert (found.ready, says in found.text) == (ready, True), found.text


def test_counts_of_days() -> None:
    first, second = date(2026, 6, 1), date(2026, 6, 2)
    found: list[tuple[date, Kind, int]] = [
        (first, "both_let_in", 2),
        (second, "both_let_in", 3),
        (second, "dropped", 1),
    ]
    assert summed(found) == {"both_let_in": 5, "dropped": 1}
    assert by_day(found)[0] == {"date": "2026-06-02", "counts": {"both_let_in": 3, "dropped": 1}}
    assert window(date(2026, 6, 7), 7) == first
