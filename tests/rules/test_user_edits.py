"""What an administrator says about an account, held against its connection (auth0-behaviour 2.5)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from keystead.errors import BadRequest, InvalidIdentifier
from keystead.rules.connections import new_options, read_options
from keystead.rules.profiles import Draft, Profile
from keystead.rules.revocation import Event
from keystead.rules.user_edits import (
    asked_to_verify,
    changes,
    draft,
    endings,
    new_identifiers,
    read_edit,
    read_new,
)

THEN = datetime(2026, 6, 1, tzinfo=UTC)
PERSON = Profile(
    user_id="auth0|1",
    connection_id="con_1",
    email="ann@example.com",
    email_verified=True,
    name="Ann",
    user_metadata={"a": 1, "b": {"c": 2}},
    created_at=THEN,
    updated_at=THEN,
)


def drafted(body: dict[str, Any], options: dict[str, Any] | None = None, *, password: bool = True) -> Draft:
    new, _ = read_new({"connection": "db"} | body)
    return draft(new, read_options(new_options(options or {})), password=password)


def test_a_user_is_read_with_everything_that_can_be_said() -> None:
    body = {
        "connection": "db",
        "email": "Ann@Example.com",
        "phone_number": "+14155552671",
        "user_id": "abc",
        "email_verified": True,
        "phone_verified": True,
        "verify_email": False,
        "blocked": True,
        "given_name": "Ann",
        "family_name": "Other",
        "name": "Ann Other",
        "nickname": "ann",
        "picture": "https://example.com/a.png",
        "user_metadata": {"x": [1]},
        "app_metadata": {"plan": "full"},
        "password": "secret",
    }
    new, password = read_new(body)
    found = draft(new, read_options(new_options({})), password=True)
    assert password is not None
    assert password.reveal() == "secret"
    assert [each.value for each in found.identifiers] == ["ann@example.com", "+14155552671"]
    assert (found.local_id, found.blocked, found.email_verified, found.phone_verified) == ("abc", True, True, True)
    assert (found.user_metadata, found.app_metadata) == ({"x": [1]}, {"plan": "full"})
    assert "secret" not in repr((new, password))


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        ({"connection": None}, "", "Missing required property: connection"),
        ({"foo": 1}, "", "Additional properties not allowed: foo"),
        ({"email": 1}, "email", "Expected type string but found type integer"),
        ({"blocked": "no"}, "blocked", "Expected type boolean but found type string"),
        ({"name": ""}, "name", "String is too short (0 chars), minimum 1"),
        ({"name": "x" * 301}, "name", "String is too long (301 chars), maximum 300"),
        ({"given_name": "x" * 151}, "given_name", "String is too long (151 chars), maximum 150"),
        ({"phone_number": "4155552671"}, "phone_number", "String does not match pattern ^\\+[0-9]{1,15}$: 4155552671"),
        ({"username": "x" * 129}, "username", "String is too long (129 chars), maximum 128"),
        ({"user_id": "a b"}, "user_id", "String does not match pattern ^\\S*$: a b"),
        ({"user_id": "a/b"}, "user_id", "String does not match pattern ^[^\\s/]*$: a/b"),
        ({"user_id": "x" * 256}, "user_id", "String is too long (256 chars), maximum 255"),
        ({"picture": "javascript:x"}, "picture", "Object didn't pass validation for format strict-uri: javascript:x"),
        ({"user_metadata": []}, "user_metadata", "Expected type object but found type array"),
        ({"password": 1}, "password", "Expected type string but found type integer"),
        ({"password": ""}, "password", "String is too short (0 chars), minimum 1"),
    ],
)
def test_wrong_bodies_are_refused_by_path(body: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_new({"connection": "db", "email": "a@example.com"} | body)
    assert (refused.value.path, refused.value.text) == (path, text)


@pytest.mark.parametrize("key", ["a.b", "$set", "", "x" * 101])
def test_metadata_keys_can_be_searched_for_later(key: str) -> None:
    for name in ("user_metadata", "app_metadata"):
        with pytest.raises(BadRequest) as refused:
            read_new({"connection": "db", name: {key: 1}})
        assert refused.value.path == name


PASSKEYS_ONLY = {
    "authentication_methods": {
        "password": {"enabled": False, "api_behavior": "optional"},
        "passkey": {"enabled": True},
    }
}
OPTIONAL = {"authentication_methods": {"password": {"api_behavior": "optional"}}}
PHONE_OR_NAME = {
    "attributes": {"phone_number": {"profile_required": True}, "username": {"signup": {"status": "optional"}}}
}


@pytest.mark.parametrize(
    ("body", "options", "password", "text"),
    [
        ({}, {}, True, "Missing required property: email"),
        ({"email": "a@example.com"}, {}, False, "Missing required property: password"),
        ({"email": "a@example.com"}, PASSKEYS_ONLY, True, "The connection does not take passwords."),
        (
            {"email": "a@example.com", "username": "ann"},
            {},
            True,
            "Cannot set username for connection without requires_username.",
        ),
        (
            {"email": "a@example.com"},
            {"requires_username": True},
            True,
            "Missing username for Username-Password-Authentication connection with requires_username enabled",
        ),
        ({"username": "ann"}, PHONE_OR_NAME, True, "Missing required property: phone_number"),
        (
            {"email": "a@example.com"},
            {"attributes": {"username": {}}},
            True,
            "At least one identifier is required: username.",
        ),
    ],
)
def test_what_the_connection_does_not_take_is_refused(
    body: dict[str, Any], options: dict[str, Any], password: bool, text: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        drafted(body, options, password=password)
    assert refused.value.text == text


def test_what_the_connection_takes_is_taken() -> None:
    assert drafted({"email": "a@example.com"}, PASSKEYS_ONLY, password=False).identifiers
    assert drafted({"email": "a@example.com"}, OPTIONAL, password=False).identifiers
    assert (
        drafted({"email": "a@example.com", "username": "Ann"}, {"requires_username": True}).value_of("username")
        == "ann"
    )
    # an attribute that sign-up asks for is not asked of administrators, unless the profile must have it (ID-4)
    assert drafted({"username": "ann"}, {"attributes": {"email": {}, "username": {}}}).identifiers
    assert drafted({"phone_number": "+14155552671"}, PHONE_OR_NAME).value_of("phone_number") == "+14155552671"


def test_a_malformed_address_is_named() -> None:
    with pytest.raises(InvalidIdentifier) as refused:
        drafted({"email": "no address"})
    assert refused.value.attribute == "email"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("password", "email"),
        ("password", "email_verified"),
        ("username", "email"),
        ("username", "email_verified"),
        ("username", "password"),
    ],
)
def test_what_a_patch_cannot_change_at_once_is_refused_as_recorded(one: str, other: str) -> None:
    values = {"password": "secret", "email": "b@example.com", "email_verified": True, "username": "ann"}
    with pytest.raises(BadRequest) as refused:
        read_edit({name: values[name] for name in (other, one)})
    assert (refused.value.path, refused.value.text) == (None, f"Cannot update {one} and {other} simultaneously.")


def test_the_password_of_a_patch_travels_wrapped() -> None:
    edit, password = read_edit({"password": "secret", "phone_number": "+14155552671"})
    assert password is not None
    assert password.reveal() == "secret"
    assert "secret" not in repr((edit, password))
    assert read_edit({"name": "Ann"})[1] is None


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        ({"foo": 1}, "", "Additional properties not allowed: foo"),
        ({"user_id": "x"}, "", "Additional properties not allowed: user_id"),
        ({"blocked": None}, "blocked", "Expected type boolean but found type null"),
        ({"user_metadata": None}, "user_metadata", "Expected type object but found type null"),
        ({"nickname": "x" * 301}, "nickname", "String is too long (301 chars), maximum 300"),
        ({"email": 1}, "email", "Expected type string but found type integer"),
        ({"phone_number": "4155"}, "phone_number", "String does not match pattern ^\\+[0-9]{1,15}$: 4155"),
        ({"username": ""}, "username", "String is too short (0 chars), minimum 1"),
        ({"username": "x" * 129}, "username", "String is too long (129 chars), maximum 128"),
        ({"password": None}, "password", "Expected type string but found type null"),
        ({"password": ""}, "password", "String is too short (0 chars), minimum 1"),
        ({"password": []}, "password", "Expected type string but found type array"),
        ({"connection": None}, "connection", "Expected type string but found type null"),
        ({"connection": ""}, "connection", "String is too short (0 chars), minimum 1"),
        ({"client_id": None}, "client_id", "Expected type string but found type null"),
        ({"verify_email": None}, "verify_email", "Expected type boolean but found type null"),
    ],
)
def test_wrong_changes_are_refused_by_path(body: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_edit(body)
    assert (refused.value.path, refused.value.text) == (path, text)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ({}, {}),
        ({"name": "Ann", "email_verified": True}, {}),
        ({"name": None, "nickname": "a"}, {"name": None, "nickname": "a"}),
        ({"blocked": False}, {"blocked": False}),
        ({"user_metadata": {"b": {"d": 3}, "a": None}}, {"user_metadata": {"b": {"d": 3}}}),
        ({"user_metadata": {"a": None, "b": None}}, {"user_metadata": None}),
        ({"user_metadata": {}}, {"user_metadata": None}),
        ({"app_metadata": {"plan": "full"}}, {"app_metadata": {"plan": "full"}}),
        ({"app_metadata": {}}, {}),
        ({"verify_email": True}, {}),
    ],
)
def test_a_patch_sets_what_differs_and_merges_metadata_one_level_deep(
    body: dict[str, Any], values: dict[str, Any]
) -> None:
    assert changes(read_edit(body)[0], PERSON) == values


ALL: dict[str, Any] = {"attributes": {"email": {}, "phone_number": {}, "username": {}}}
NAMES = {"attributes": {"email": {"identifier": {"active": False}}, "username": {}}}
FULL = PERSON.model_copy(update={"phone_number": "+14155552671", "phone_verified": True, "username": "ann"})


@pytest.mark.parametrize(
    ("body", "options", "found"),
    [
        ({"email": "Ben@Example.com"}, {}, {"email": "ben@example.com"}),
        ({"email": "ANN@EXAMPLE.COM"}, {}, {}),
        ({"name": "Ben"}, {}, {}),
        ({"phone_number": "+442079460958"}, {}, {"phone_number": "+442079460958"}),
        ({"phone_number": "+4402079460958"}, {}, {"phone_number": "+442079460958"}),
        ({"phone_number": None}, {}, {"phone_number": None}),
        ({"username": "Ben"}, ALL, {"username": "ben"}),
        ({"username": "ann"}, {"attributes": {"username": {"validation": {"min_length": 8}}}}, {}),
        ({"email": None, "phone_number": None}, ALL, {"email": None, "phone_number": None}),
        ({"email": None}, NAMES, {"email": None}),
    ],
)
def test_identifiers_change_in_canonical_form(
    body: dict[str, Any], options: dict[str, Any], found: dict[str, str | None]
) -> None:
    assert new_identifiers(read_edit(body)[0], FULL, read_options(new_options(options))) == found


@pytest.mark.parametrize(
    ("body", "options", "text"),
    [
        ({"email": None}, {}, "Missing required property: email"),
        ({"username": None}, {"requires_username": True}, "Missing required property: username"),
        ({"phone_number": None}, PHONE_OR_NAME, "Missing required property: phone_number"),
        ({"username": "ben"}, {}, "Cannot set username for connection without requires_username."),
        ({"username": None}, NAMES, "At least one identifier is required: username."),
        (
            {"email": None, "phone_number": None},
            {"attributes": {"email": {}, "phone_number": {}}},
            "At least one identifier is required: email, phone_number.",
        ),
    ],
)
def test_an_account_keeps_what_it_must_have(body: dict[str, Any], options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        new_identifiers(read_edit(body)[0], FULL, read_options(new_options(options)))
    assert refused.value.text == text


@pytest.mark.parametrize(
    "body", [{"email": "nobody"}, {"phone_number": "+1415"}, {"username": "b@example.com"}, {"username": "\u0430nn"}]
)
def test_a_malformed_change_is_named(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidIdentifier) as refused:
        new_identifiers(read_edit(body)[0], FULL, read_options(new_options(ALL)))
    assert [refused.value.attribute] == list(body)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ({"email": "b@example.com"}, {"email": "b@example.com", "email_verified": False}),
        ({"email": "b@example.com", "email_verified": True}, {"email": "b@example.com"}),
        ({"email": "ann@example.com"}, {}),
        ({"phone_number": None}, {"phone_number": None, "phone_verified": False}),
        ({"phone_number": "+442079460958"}, {"phone_number": "+442079460958", "phone_verified": False}),
        ({"username": "ben"}, {"username": "ben"}),
    ],
)
def test_a_new_address_is_not_verified_unless_that_is_said(body: dict[str, Any], values: dict[str, Any]) -> None:
    edit, _ = read_edit(body)
    assert changes(edit, FULL, new_identifiers(edit, FULL, read_options(new_options(ALL)))) == values


def test_what_is_verified_or_gone_need_not_be_verified_any_more() -> None:
    waiting = FULL.model_copy(
        update={"must_verify": ["email", "phone_number"], "email_verified": False, "phone_verified": False}
    )
    options = read_options(new_options(ALL))
    for body, left in (
        ({"email_verified": True}, ["phone_number"]),
        ({"email": "b@example.com", "email_verified": True}, ["phone_number"]),
        ({"phone_number": None}, ["email"]),
    ):
        edit, _ = read_edit(body)
        assert changes(edit, waiting, new_identifiers(edit, waiting, options))["must_verify"] == left
    assert "must_verify" not in changes(read_edit({"email": "b@example.com"})[0], waiting, {"email": "b@example.com"})


NEW = {"connection": "db", "email": "b@example.com", "phone_number": "+14155552671"}
UNKNOWN = FULL.model_copy(update={"email_verified": False, "phone_verified": False})


@pytest.mark.parametrize(
    ("said", "profile", "asked"),
    [
        (read_new(NEW)[0], UNKNOWN, ("email",)),
        (read_new(NEW | {"verify_email": True})[0], UNKNOWN, ("email",)),
        (read_new(NEW | {"verify_email": False})[0], UNKNOWN, ()),
        (read_new(NEW | {"verify_phone_number": True})[0], UNKNOWN, ("email", "phone_number")),
        (read_new(NEW)[0], FULL, ()),
        (read_new(NEW)[0], UNKNOWN.model_copy(update={"email": None}), ()),
        (read_edit({"name": "B"})[0], UNKNOWN, ()),
        (read_edit({"verify_email": True})[0], UNKNOWN, ("email",)),
        (read_edit({"verify_email": True})[0], FULL, ()),
        (read_edit({"verify_phone_number": True})[0], UNKNOWN, ("phone_number",)),
        (read_edit({"verify_phone_number": True})[0], PERSON, ()),
    ],
)
def test_who_is_asked_to_verify_what(said: Any, profile: Profile, asked: tuple[str, ...]) -> None:
    assert asked_to_verify(said, profile) == asked


@pytest.mark.parametrize(
    ("values", "password", "found"),
    [
        ({"blocked": True}, False, [Event.BLOCKED]),
        ({"blocked": False}, False, []),
        ({"email_verified": False}, False, [Event.EMAIL_CHANGED]),
        ({"email_verified": True}, False, []),
        ({"name": "x"}, False, []),
        ({"email": "b@example.com"}, False, [Event.EMAIL_CHANGED]),
        ({"email": None}, False, [Event.EMAIL_CHANGED]),
        ({"phone_number": "+14155552671", "username": "ben"}, False, [Event.IDENTIFIER_CHANGED]),
        ({"name": "x"}, True, [Event.PASSWORD_RESET]),
        (
            {"phone_number": None, "blocked": True},
            True,
            [Event.PASSWORD_RESET, Event.BLOCKED, Event.IDENTIFIER_CHANGED],
        ),
    ],
)
def test_what_a_change_means_for_what_was_handed_out(
    values: dict[str, Any], password: bool, found: list[Event]
) -> None:
    assert list(endings(values, password=password)) == found
