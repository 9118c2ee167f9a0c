"""Passwords: what a policy asks for, what it says when it is broken, and what bcrypt gets."""

import gzip
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import BadRequest, WeakPassword
from keystead.rules.connection_options import Complexity, ConnectionOptions
from keystead.rules.connections import read_options
from keystead.rules.password_policy import (
    BCRYPT_BYTES,
    MAX_BYTES,
    check,
    complexity_of,
    describe,
    fit,
    history_size,
    normal,
)
from keystead.rules.words import is_common
from keystead.secrecy import Secret

TYPES = ["lowercase", "uppercase", "number", "special"]


def flexible(**complexity: Any) -> ConnectionOptions:
    return read_options({"password_options": {"complexity": {"min_length": 1} | complexity}})


def accepted(password: str, options: ConnectionOptions, **person: Any) -> bool:
    try:
        return bool(check(Secret(password), options, person))
    except WeakPassword:
        return False


@pytest.mark.parametrize(
    ("options", "password", "good"),
    [
        ({}, "fourteen chars", False),
        ({}, "fifteen letters", True),
        ({"password_options": {}}, "fourteen chars", False),
        ({"passwordPolicy": "none"}, "x", True),
        ({"passwordPolicy": "low"}, "12345", False),
        ({"passwordPolicy": "low"}, "123456", True),
        ({"passwordPolicy": "fair"}, "abcdefg1", False),
        ({"passwordPolicy": "fair"}, "Abcdefg1", True),
        ({"passwordPolicy": "good"}, "abcdefg1", False),
        ({"passwordPolicy": "good"}, "abcdefg1!", True),
        ({"passwordPolicy": "good"}, "Abcdefg1", True),
        ({"passwordPolicy": "excellent"}, "Abcdefg1!", False),
        ({"passwordPolicy": "excellent"}, "Abcdefgh1!", True),
        ({"passwordPolicy": "excellent"}, "Abcdefghhh1!", False),
        ({"passwordPolicy": "low", "password_complexity_options": {"min_length": 12}}, "12345678901", False),
        ({"passwordPolicy": "low", "password_complexity_options": {"min_length": 12}}, "123456789012", True),
        ({"password_complexity_options": {"min_length": 4}}, "aB1", False),
        ({"password_complexity_options": {"min_length": 4}}, "abcd", False),
        ({"password_complexity_options": {"min_length": 4}}, "aB1x", True),
    ],
)
def test_levels(options: dict[str, Any], password: str, good: bool) -> None:
    assert accepted(password, read_options(options)) is good


@pytest.mark.parametrize(
    ("complexity", "password", "good"),
    [
        ({"min_length": 8}, "1234567", False),
        ({"min_length": 8}, "12345678", True),
        ({"min_length": 8}, "ééééééé", False),
        ({"min_length": 8}, "éééééééé", True),
        ({"min_length": 4}, "e\u0301e\u0301", False),
        ({"character_types": ["uppercase"]}, "abc", False),
        ({"character_types": ["uppercase"]}, "abC", True),
        ({"character_types": ["uppercase"]}, "abÉ", False),
        ({"character_types": ["lowercase"]}, "ABé", False),
        ({"character_types": ["number"]}, "ab٣", False),
        ({"character_types": ["number"]}, "ab3", True),
        ({"character_types": ["special"]}, "ab3", False),
        ({"character_types": ["special"]}, "a b", True),
        ({"character_types": ["special"]}, "a~b", True),
        ({"character_types": ["special"]}, "a€b", False),
        ({"character_types": TYPES, "character_type_rule": "three_of_four"}, "aB", False),
        ({"character_types": TYPES, "character_type_rule": "three_of_four"}, "aB3", True),
        ({"character_types": TYPES}, "aB3", False),
        ({"character_types": TYPES}, "aB3!", True),
        ({"identical_characters": "block"}, "aab", True),
        ({"identical_characters": "block"}, "aaab", False),
        ({"identical_characters": "block"}, "   x", False),
        ({"sequential_characters": "block"}, "ab", True),
        ({"sequential_characters": "block"}, "xABCx", False),
        ({"sequential_characters": "block"}, "aBc", True),
        ({"sequential_characters": "block"}, "xyz and more", False),
        ({"sequential_characters": "block"}, "\u00e0\u00e1\u00e2", True),
        ({"sequential_characters": "block"}, "89:;", True),
        ({"sequential_characters": "block"}, "321x", False),
        ({"sequential_characters": "block"}, "acegik", True),
        ({"sequential_characters": "block"}, '!"#$', True),
        ({"max_length_exceeded": "error"}, "x" * 72, True),
        ({"max_length_exceeded": "error"}, "x" * 73, False),
        ({"max_length_exceeded": "error"}, "é" * 37, False),
        ({"max_length_exceeded": "truncate"}, "x" * 73, True),
    ],
)
def test_complexity(complexity: dict[str, Any], password: str, good: bool) -> None:
    assert accepted(password, flexible(**complexity)) is good


PROFILE_DATA = {"password_options": {"complexity": {"min_length": 1}, "profile_data": {"active": True}}}
LEGACY = {"passwordPolicy": "none", "password_no_personal_info": {"enable": True}}


@pytest.mark.parametrize(
    ("options", "password", "good"),
    [
        (LEGACY, "xxANN@example.comxx", False),
        (LEGACY, "xxAnnabelxx", False),
        (LEGACY, "x-smith-x", False),
        (LEGACY, "xx+1415xx", True),
        (LEGACY, "xxJoxx", True),
        (LEGACY | {"password_no_personal_info": {"enable": False}}, "xxAnnabelxx", True),
        (PROFILE_DATA, "xxANNABELxx", False),
        (PROFILE_DATA, "xx+14155xx", False),
        (PROFILE_DATA, "xxsmithxx", False),
        (PROFILE_DATA, "none of it", True),
        ({"password_options": {"complexity": {"min_length": 1}}}, "xxAnnabelxx", True),
    ],
)
def test_personal_information(options: dict[str, Any], password: str, good: bool) -> None:
    person = {"email": "annabel@example.com", "phone_number": "+14155", "nickname": "Jo", "name": None}
    person["email"] = "ann@example.com" if "example" in password else "annabel@example.com"
    assert accepted(password, read_options(options), **person, user_metadata={"last": "Smith", "first": 7}) is good


def blocked(*fields: str) -> ConnectionOptions:
    profile_data = {"active": True, "blocked_fields": list(fields)}
    return read_options({"password_options": {"complexity": {"min_length": 1}, "profile_data": profile_data}})


@pytest.mark.parametrize(
    ("field", "password", "good"),
    [
        ("given_name", "xxANNABELxx", False),
        ("family_name", "xxannabelxx", True),
        ("email", "the box of annabel.s is full", False),
        ("email", "example.com and no more", True),
        ("phone_number", "14155550123!", False),
        ("phone_number", "+14155550123", False),
        ("user_metadata.pet.name", "Rex loves Fido", False),
        ("user_metadata.pet", "Rex loves Fido", True),
        ("user_metadata.born", "summer of 1987", False),
        ("user_metadata.member", "true friends", True),
        ("user_metadata.town", "VILLE D'E\u0301VRY", False),
        ("app_metadata.plan", "platinum blonde", False),
        ("app_metadata", "platinum blonde", True),
        ("no.such.thing", "anything at all", True),
        ("", "anything at all", True),
    ],
)
def test_blocked_fields_are_names_with_dots(field: str, password: str, good: bool) -> None:
    person: dict[str, Any] = {
        "given_name": "Annabel",
        "family_name": None,
        "email": "annabel.s@example.com",
        "phone_number": "+14155550123",
        "user_metadata": {"pet": {"name": "Fido"}, "born": 1987, "member": True, "town": "\u00c9vry"},
        "app_metadata": {"plan": "platinum"},
    }
    assert accepted(password, blocked(field), **person) is good


def words(**dictionary: Any) -> ConnectionOptions:
    return read_options({"password_options": {"complexity": {"min_length": 1}, "dictionary": dictionary}})


def legacy_words(enable: bool, *own: str) -> ConnectionOptions:
    return read_options({"passwordPolicy": "none", "password_dictionary": {"enable": enable, "dictionary": list(own)}})


@pytest.mark.parametrize(
    ("options", "password", "good"),
    [
        (words(active=True), "password", False),
        (words(active=True), "PassWord", False),
        (words(active=True), "password and more", True),
        (words(active=True), "my password", True),
        (words(active=True, default="en_10k"), "password", False),
        (words(active=True, default="en_100k"), "thesaurus", False),
        (words(active=True, default="en_10k"), "thesaurus", True),
        (words(active=True, custom=["Hedgehog House"]), "HEDGEHOG HOUSE", False),
        (words(active=True, custom=["Hedgehog House"]), "hedgehog hous", True),
        (words(active=True, custom=["Caf\u00e9 au lait"]), "CAFE\u0301 AU LAIT", False),
        (words(active=True, custom=["Stra\u00dfe 12 b"]), "STRASSE 12 B", False),
        (words(active=False, custom=["Hedgehog House"]), "hedgehog house", True),
        (words(), "password", True),
        (legacy_words(True), "Password", False),
        (legacy_words(True, "Hedgehog House"), "hedgehog HOUSE", False),
        (legacy_words(True, "Hedgehog House"), "password", False),
        (legacy_words(False, "Hedgehog House"), "hedgehog house", True),
        (read_options({"passwordPolicy": "none"}), "password", True),
    ],
)
def test_dictionary(options: ConnectionOptions, password: str, good: bool) -> None:
    assert accepted(password, options) is good


@pytest.mark.parametrize(("words", "size"), [("en_10k", 10_000), ("en_100k", 100_802)])
def test_the_lists_are_as_long_as_they_say(words: Any, size: int) -> None:
    found = [each for each in _every_word(words) if is_common(each, words)]
    assert len(found) == len(set(found)) == size


def _every_word(words: str) -> list[str]:
    packed = files("keystead.rules.words").joinpath(f"{words}.txt.gz").read_bytes()
    return gzip.decompress(packed).decode("utf-8").split("\n")[:-1]


def test_every_word_is_refused_in_any_case() -> None:
    """Also those that change when they are folded or composed: a list that nothing matches would say nothing."""
    options = words(active=True)
    assert [each for each in _every_word("en_100k")[::7] if accepted(each.upper(), options)] == []


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 0),
        ({"password_options": {}}, 0),
        ({"password_options": {"history": {"active": False, "size": 9}}}, 0),
        ({"password_options": {"history": {"active": True}}}, 3),
        ({"password_options": {"history": {"active": True, "size": 24}}}, 24),
        ({"passwordPolicy": "good"}, 0),
        ({"password_history": {"enable": False, "size": 9}}, 0),
        ({"password_history": {"enable": True}}, 5),
        ({"password_history": {"enable": True, "size": 0}}, 0),
        ({"password_history": {"enable": True, "size": 24}}, 24),
    ],
)
def test_how_far_the_history_looks_back(options: dict[str, Any], size: int) -> None:
    assert history_size(read_options(options)) == size


def test_the_first_thing_that_is_wrong_is_said() -> None:
    """Strength, then dictionary, then personal data."""
    options = read_options(
        {
            "passwordPolicy": "low",
            "password_dictionary": {"enable": True, "dictionary": ["Anna", "Annabel"]},
            "password_no_personal_info": {"enable": True},
        }
    )
    said = []
    for password in ("Anna", "Annabel", "xxannabelxx"):
        with pytest.raises(WeakPassword) as refusal:
            check(Secret(password), options, {"name": "Annabel"})
        said.append((refusal.value.name, refusal.value.text, bool(refusal.value.report)))
    assert said == [
        ("PasswordStrengthError", "Password is too weak", True),
        ("PasswordDictionaryError", "Password is too common", False),
        ("PasswordNoUserInfoError", "Password contains user information", False),
    ]


def test_the_refusal_names_itself() -> None:
    with pytest.raises(WeakPassword) as refusal:
        check(Secret("xxannabelxx"), read_options(LEGACY), {"name": "Annabel"})
    assert (refusal.value.name, refusal.value.text) == (
        "PasswordNoUserInfoError",
        "Password contains user information",
    )
    assert refusal.value.report is None


def test_the_report_judges_every_rule() -> None:
    """The tree that SDKs show to people: codes, messages and ``format`` are part of the wire (auth0-behaviour 2.1)."""
    options = flexible(
        min_length=8,
        character_types=["number", "lowercase"],
        identical_characters="block",
        sequential_characters="block",
    )
    with pytest.raises(WeakPassword) as refusal:
        check(Secret("aaa"), options, {})
    assert refusal.value.name == "PasswordStrengthError"
    assert refusal.value.report == {
        "rules": [
            {
                "message": "At least %d characters in length",
                "format": [8],
                "code": "lengthAtLeast",
                "verified": False,
            },
            {
                "message": "Should contain:",
                "code": "shouldContain",
                "items": [
                    {"message": "lower case letters (a-z)", "code": "lowerCase", "verified": True},
                    {"message": "numbers (i.e. 0-9)", "code": "numbers", "verified": False},
                ],
                "verified": False,
            },
            {
                "message": 'No more than %d identical characters in a row (e.g., "%s" not allowed)',
                "format": [2, "aaa"],
                "code": "identicalChars",
                "verified": False,
            },
            {
                "message": 'No more than %d sequential alphanumeric characters (e.g., "%s" not allowed)',
                "format": [2, "abc"],
                "code": "sequentialChars",
                "verified": True,
            },
        ],
        "verified": False,
    }
    assert refusal.value.summary == (
        "* At least 8 characters in length\n* Should contain:\n * lower case letters (a-z)\n * numbers (i.e. 0-9)\n"
        '* No more than 2 identical characters in a row (e.g., "aaa" not allowed)\n'
        '* No more than 2 sequential alphanumeric characters (e.g., "abc" not allowed)'
    )


@pytest.mark.parametrize(
    ("complexity", "password", "rule", "line"),
    [
        (
            {"min_length": 1},
            "",
            {"message": "Non-empty password required", "code": "nonEmpty", "verified": False},
            "* Non-empty password required",
        ),
        (
            {"min_length": 2},
            "x" * 73,
            {"message": "Maximum password length exceeded", "format": [72], "code": "maxLength", "verified": False},
            "* At least 2 characters in length",
        ),
    ],
)
def test_the_ends_of_length(complexity: dict[str, Any], password: str, rule: dict[str, Any], line: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        check(Secret(password), flexible(**complexity), {})
    assert refusal.value.report is not None
    assert refusal.value.report["rules"][-1] == rule
    assert refusal.value.summary == line


def test_three_of_four_is_described() -> None:
    assert describe(complexity_of(read_options({"passwordPolicy": "good"}))) == [
        "* At least 8 characters in length",
        "* Contain at least 3 of the following 4 types of characters:",
        " * lower case letters (a-z)",
        " * upper case letters (A-Z)",
        " * numbers (i.e. 0-9)",
        " * special characters (e.g. !@#$%^&*)",
    ]


@pytest.mark.parametrize(
    ("exceeded", "password", "fitted"),
    [
        ("error", "plain", b"plain"),
        ("error", "x" * 72, b"x" * 72),
        ("error", "x" * 73, None),
        ("truncate", "x" * 73, b"x" * 72),
        ("truncate", "é" * 40, ("é" * 36).encode()),
        ("truncate", "e\u0301", "é".encode()),
        ("truncate", "a\0b", None),
        ("truncate", "\ud800", None),
        ("truncate", "x" * (MAX_BYTES + 1), None),
    ],
)
def test_fit(exceeded: Any, password: str, fitted: bytes | None) -> None:
    """Cutting at 72 bytes is the policy's decision; what no policy could accept has no bytes at all."""
    assert fit(Secret(password), Complexity(max_length_exceeded=exceeded)) == fitted


@pytest.mark.parametrize("password", ["a\0b", "a\nb", "a\x7fb", "\ud800", "x" * (MAX_BYTES + 1), "e\u0301" * 1400])
def test_what_no_policy_accepts(password: str) -> None:
    """The last one would fit once it is composed: the cap comes before normalising."""
    with pytest.raises(BadRequest) as refusal:
        check(Secret(password), flexible(max_length_exceeded="truncate"), {})
    assert refusal.value.path == "password"


@given(st.text(st.characters(categories=None), max_size=120), st.sampled_from(["error", "truncate"]))
def test_what_is_accepted_is_what_login_compares(password: str, exceeded: str) -> None:
    """The bytes that were hashed at sign-up are the bytes that a login compares, in any composition."""
    options = flexible(max_length_exceeded=exceeded)
    try:
        hashed = check(Secret(password), options, {})
    except (WeakPassword, BadRequest):
        return
    assert 1 <= len(hashed) <= BCRYPT_BYTES
    assert hashed == fit(Secret(password), complexity_of(options))
    text = normal(Secret(password))
    assert text is not None
    assert fit(Secret(text), complexity_of(options)) == hashed
