"""What a page says about a new password: every rule of the policy once, and to a script only what it can judge."""

from typing import Any

import pytest

from keystead.errors import WeakPassword
from keystead.rules.connections import read_options
from keystead.rules.password_hints import Hint, for_password_managers, hints, missing
from keystead.rules.password_policy import check
from keystead.secrecy import Secret

TYPES = ["special", "number", "uppercase", "lowercase"]
ANY_15 = [
    Hint("At least 15 characters", "length", 15),
    Hint("At most 72 characters; accented letters and emoji count more than once", "bytes", 72),
]


def said(options: dict[str, Any], *, replaces: bool = False) -> list[str]:
    """Return the texts, items set in."""
    found = []
    for hint in hints(read_options(options), replaces=replaces):
        found += [hint.text, *(f"  {item.text}" for item in hint.items)]
    return found


def flexible(**members: Any) -> dict[str, Any]:
    return {"password_options": members}


@pytest.mark.parametrize("options", [{}, flexible()])
def test_the_default(options: dict[str, Any]) -> None:
    assert hints(read_options(options)) == ANY_15


def test_levels_cut_and_so_have_no_longest_length() -> None:
    assert hints(read_options({"passwordPolicy": "none"})) == [Hint("At least one character", "length", 1)]
    assert [hint.rule for hint in hints(read_options({"passwordPolicy": "excellent"}))] == [
        "length",
        "types",
        "identical",
    ]


def test_types_are_named_in_one_order() -> None:
    three = flexible(complexity={"character_types": TYPES, "character_type_rule": "three_of_four"})
    items = (
        Hint("a lower case letter", "lowercase"),
        Hint("an upper case letter", "uppercase"),
        Hint("a number", "number"),
        Hint("a special character, such as !@#$%^&*", "special"),
    )
    assert hints(read_options(three))[1] == Hint("Three of these four:", "types", 3, items)
    some = flexible(complexity={"character_types": ["number", "lowercase"]})
    assert hints(read_options(some))[1] == Hint("All of these:", "types", 2, (items[0], items[2]))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (flexible(dictionary={"active": True}), "Not a common password"),
        ({"password_dictionary": {"enable": True}}, "Not a common password"),
        (flexible(profile_data={"active": True}), "Nothing that is known about you, such as your name or address"),
        (
            {"password_no_personal_info": {"enable": True}},
            "Nothing that is known about you, such as your name or address",
        ),
        (flexible(history={"active": True, "size": 5}), "Not one of your last 5 passwords"),
        ({"password_history": {"enable": True, "size": 1}}, "Not your current password"),
    ],
)
def test_what_only_the_server_judges_has_no_name(options: dict[str, Any], text: str) -> None:
    found = hints(read_options(options), replaces=True)
    assert found[-1] == Hint(text)
    assert [hint for hint in found if hint.text == text] == found[-1:]


def test_history_is_nothing_for_a_new_account() -> None:
    assert said(flexible(history={"active": True})) == [hint.text for hint in ANY_15]


@pytest.mark.parametrize(
    "off",
    [
        {"password_dictionary": {"enable": False}},
        {"password_no_personal_info": {"enable": False}},
        {"password_history": {"enable": True, "size": 0}},
    ],
)
def test_what_is_off_is_not_told(off: dict[str, Any]) -> None:
    assert said({"passwordPolicy": "none"} | off, replaces=True) == ["At least one character"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "minlength: 15; maxlength: 72;"),
        ({"passwordPolicy": "fair"}, "minlength: 8; maxlength: 72; required: lower; required: upper; required: digit;"),
        (flexible(complexity={"identical_characters": "block"}), "minlength: 15; maxlength: 72; max-consecutive: 2;"),
        (
            {"password_complexity_options": {"min_length": 100}, "passwordPolicy": "none"},
            "minlength: 100; maxlength: 100;",
        ),
    ],
)
def test_password_managers_are_told_what_to_make(options: dict[str, Any], told: str) -> None:
    assert for_password_managers(read_options(options)) == told


@pytest.mark.parametrize(
    ("complexity", "password", "lacks"),
    [
        ({"min_length": 1}, "", ["At least one character"]),
        ({"min_length": 5}, "four", ["At least 5 characters"]),
        ({"character_types": ["number", "uppercase"]}, "x" * 15, ["All of these: an upper case letter, a number"]),
        (
            {"character_types": TYPES, "character_type_rule": "three_of_four"},
            "x" * 9,
            [
                "At least 15 characters",
                "Three of these four: a lower case letter, an upper case letter, a number, "
                "a special character, such as !@#$%^&*",
            ],
        ),
        ({"identical_characters": "block"}, "x" * 15, ["No more than two equal characters in a row, such as aaa"]),
        (
            {"sequential_characters": "block"},
            "fifteen letters abc",
            ["No more than two characters in sequence, such as abc or 321"],
        ),
        ({}, "x" * 73, ["At most 72 characters; accented letters and emoji count more than once"]),
    ],
)
def test_what_a_refused_password_lacks_is_said_in_the_same_words(
    complexity: dict[str, Any], password: str, lacks: list[str]
) -> None:
    options = read_options(flexible(complexity=complexity))
    with pytest.raises(WeakPassword) as refusal:
        check(Secret(password), options, {})
    assert refusal.value.report is not None
    assert missing(options, refusal.value.report) == lacks
