"""What a trial is given, and what Keystead makes of the answer (``rules/script_trials``)."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from keystead.errors import BadRequest
from keystead.rules.action_scripts import NAMES, ScriptAnswer, ScriptName, ScriptRefusal
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.script_secrets import masked, masked_refusal
from keystead.rules.script_trials import (
    PARAMETERS,
    Tried,
    meaning,
    odd_profile,
    profile_of,
    read_trial,
    warnings,
)
from keystead.secrecy import Secret


@pytest.mark.parametrize(
    ("name", "body", "arguments", "hidden"),
    [
        ("login", {"identifier": "ann", "password": "pw"}, ["ann", "***"], ["pw"]),
        ("get_user", {"identifier": "ann", "source": "x"}, ["ann"], []),
        ("verify", {"identifier": "a@b.example"}, ["a@b.example"], []),
        ("change_password", {"email": "a@b.example", "new_password": "n"}, ["a@b.example", "***"], ["n"]),
        ("change_email", {"email": "a", "new_email": "b"}, ["a", "b", False], []),
        ("change_email", {"email": "a", "new_email": "b", "verified": True}, ["a", "b", True], []),
        ("change_username", {"identifier": "a", "new_username": "b"}, ["a", "b"], []),
        ("delete", {"user_id": "7"}, ["7"], []),
    ],
)
def test_arguments_come_by_name(
    name: ScriptName, body: dict[str, Any], arguments: list[Any], hidden: list[str]
) -> None:
    _, given = read_trial(name, body)
    assert [str(each) if isinstance(each, Secret) else each for each in given.arguments] == arguments
    assert list(given.hidden) == hidden


def test_the_password_of_a_new_user_is_wrapped() -> None:
    _, given = read_trial("create", {"user": {"email": "a@b.example", "password": "pw"}})
    assert str(given.arguments[0]) == "{'email': 'a@b.example', 'password': ***}"
    assert given.hidden == ("pw",)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("login", {"identifier": "ann"}),
        ("login", {"identifier": "ann", "password": 7}),
        ("login", {"identifier": "ann", "password": "x", "verified": True}),
        ("get_user", {"email": "ann"}),
        ("delete", {"identifier": "7"}),
        ("create", {"user": "ann"}),
        ("create", {"user": {}, "source": ""}),
        ("login", {"identifier": "ann", "password": "x", "source": "x" * 100_001}),
        ("login", {"identifier": "ann", "password": "x", "configuration": {"a": 1}}),
    ],
)
def test_anything_else_is_refused(name: ScriptName, body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        read_trial(name, body)


def test_every_script_has_parameters() -> None:
    assert tuple(PARAMETERS) == NAMES


def of(answer: Any, seconds: float = 0.1) -> Tried:
    found = ScriptAnswer(refusal=answer) if isinstance(answer, ScriptRefusal) else ScriptAnswer(answer)
    return Tried(found, seconds=seconds)


@pytest.mark.parametrize(
    ("name", "tried", "says"),
    [
        ("login", of({"user_id": "1"}), "Let in"),
        ("login", of(None), "no account"),
        ("login", of(ScriptRefusal("wrong_credentials", user_id="1")), "a person who exists"),
        ("login", of(ScriptRefusal("wrong_credentials")), "nobody in particular"),
        ("login", of(ScriptRefusal("unauthorized", "no")), "own message"),
        ("login", of(ScriptRefusal("error", "no")), "out of order"),
        ("login", Tried(failure="too slow"), "out of order"),
        ("get_user", of(None), "Nobody has this identifier"),
        ("create", of(None), "is made"),
        ("create", of(ScriptRefusal("validation", code="user_exists")), "exists already"),
        ("create", of(ScriptRefusal("validation", code="short")), "own message and code"),
        ("delete", of(None), "is gone"),
        ("verify", of(True), "counts as verified"),
        ("verify", of(None), "not verified"),
        ("change_password", of(False), "not changed"),
    ],
)
def test_what_it_means(name: ScriptName, tried: Tried, says: str) -> None:
    assert says in meaning(name, tried)


GOOD = {"user_id": "7", "email": "ann@example.com", "email_verified": True}


@pytest.mark.parametrize(
    ("name", "tried", "says"),
    [
        ("login", of(GOOD), ""),
        ("login", of(None), ""),
        ("get_user", of(None), ""),
        ("create", of(None), ""),
        ("delete", of(None), ""),
        ("verify", of(True), ""),
        ("change_password", of({"last_password_reset": "2026-06-01"}), ""),
        ("login", Tried(failure="too slow"), ""),
        ("login", of(GOOD, seconds=2.5), "It took 2.5 s"),
        ("login", of("ann"), "A profile is an object"),
        ("create", of("made"), "create calls back without"),
        ("verify", of(None), "true or false"),
        ("change_email", of(1), "true or false"),
        ("change_password", of(None), "true, false or an object"),
        ("get_user", of(ScriptRefusal("error", "no rows")), "call back with null"),
        ("verify", of(ScriptRefusal("wrong_credentials")), "is for login"),
        ("login", of(ScriptRefusal("wrong_credentials", user_id="auth0|7")), "auth0| in front"),
    ],
)
def test_what_is_odd(name: ScriptName, tried: Tried, says: str) -> None:
    found = warnings(name, tried)
    assert len(found) == bool(says)
    assert says in "".join(found)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"user_id": 7}, "is a number"),
        ({"user_id": None}, "no user_id"),
        ({"user_id": "auth0|7"}, "auth0| in front"),
        ({"user_id": "a b"}, "spaces"),
        ({"user_id": "ann@example.com"}, "is the e-mail address"),
        ({"password_hash": "x"}, "hash of a password"),
        ({"account": {"user_pass": "x"}}, "has account.user_pass: "),
        ({"email_verified": 1}, "neither true nor false"),
    ],
)
def test_what_is_odd_about_a_profile(change: dict[str, Any], says: str) -> None:
    assert list(odd_profile(GOOD)) == []
    (found,) = odd_profile(GOOD | change)
    assert says in found


def test_what_keystead_takes_of_a_profile() -> None:
    taken, refusals = profile_of(
        {"id": 7, "name": "Ann", "plan": "gold", "password": "x"}, ConnectionOptions(), "Ann@Example.com"
    )
    assert taken == {"user_id": "auth0|7", "email": "ann@example.com", "name": "Ann", "plan": "gold"}
    assert refusals == []
    assert profile_of({"id": 7}, ConnectionOptions(), "")[1] == [
        "Keystead refuses this profile: a profile needs email."
    ]


@pytest.mark.parametrize(
    ("value", "hidden", "shown"),
    [
        ("the secret word", ["secret"], "the *** word"),
        ({"secret": ["secret", 1, None, {"a": "x secret"}]}, ["secret"], {"***": ["***", 1, None, {"a": "x ***"}]}),
        ("1 of 10", ["1"], "1 of 10"),
        (["1", 10], ["1"], ["***", 10]),
        ("secrets and secret", ["secret", "secrets"], "*** and ***"),
        ("as it is", [""], "as it is"),
    ],
)
def test_secrets_are_masked(value: Any, hidden: list[str], shown: Any) -> None:
    assert masked(value, hidden) == shown


ODD = "pa\"ss\\w\u00f6rd&1 ('!)"
KEY = 'BEGIN "KEY"\n  MIIE/vAIBADA+bg==\r\nab\nEND\n'


@pytest.mark.parametrize("secret", [ODD, KEY], ids=["password", "lines"])
@pytest.mark.parametrize(
    ("spell", "shown"),
    [
        (str, "***"),
        (json.dumps, '"***"'),
        (lambda text: json.dumps(text, ensure_ascii=False), '"***"'),  # as JSON.stringify does
        (lambda text: repr(text).strip("'\""), "***"),
        (lambda text: text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n"), "***"),  # util.inspect
        (lambda text: repr(text.encode()).strip("b'\""), "***"),
        (lambda text: quote(text, safe=""), "***"),
        (lambda text: quote(text, safe="!'()*"), "***"),  # as encodeURIComponent does
        (lambda text: urlencode({"password": text}), "password=***"),
    ],
)
def test_secrets_are_masked_however_they_are_spelled(spell: Callable[[str], str], shown: str, secret: str) -> None:
    assert masked(f"no: {spell(secret)}!", [secret]) == f"no: {shown}!"


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    """That is how it is printed, and how it is cut where it is long."""
    assert masked(KEY.splitlines(), [KEY]) == ["***", "  ***", "ab", "END"]
    assert masked(json.dumps(KEY)[:38], [KEY]) == '"***\\n  ***\\r\\'


def test_a_short_secret_is_not_looked_for_in_what_escaping_makes_of_others() -> None:
    assert masked("caf\\u00e9 at 50%25", ["\u00e9", "%"]) == "caf\\u00e9 at 50%25"


def test_the_code_and_the_id_of_a_refusal_are_shown_without_secrets() -> None:
    refusal = ScriptRefusal("validation", "no secret", "secret!", "auth/secret")
    assert masked_refusal(refusal, ["secret"]) == ScriptRefusal("validation", "no ***", "***!", "auth/***")
    assert masked_refusal(ScriptRefusal("error"), ["secret"]) == ScriptRefusal("error")
