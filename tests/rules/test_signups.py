"""Sign-ups: what is asked for, held against what the connection takes."""

from typing import Any

import pytest

from keystead.errors import InvalidIdentifier, InvalidSignup
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.connections import read_options
from keystead.rules.identifiers import Identifier
from keystead.rules.signups import check_password_given, read_draft

EMAIL = Identifier("email", "ann@example.com")
PHONE = Identifier("phone_number", "+14155552671")
USERNAME = Identifier("username", "ann")
GIVEN = {"email": "Ann@Example.com", "phone_number": "+1 415 555 2671", "username": "Ann"}

LEGACY = read_options({})
LEGACY_WITH_NAMES = read_options({"requires_username": True})


def flexible(**statuses: str) -> ConnectionOptions:
    return read_options({"attributes": {kind: {"signup": {"status": status}} for kind, status in statuses.items()}})


def given(*kinds: str) -> dict[str, str]:
    return {kind: GIVEN[kind] for kind in kinds}


@pytest.mark.parametrize(
    ("options", "body", "identifiers"),
    [
        (LEGACY, given("email"), (EMAIL,)),
        (LEGACY, given("email") | {"phone_number": None, "username": ""}, (EMAIL,)),
        (LEGACY_WITH_NAMES, given("email", "username"), (EMAIL, USERNAME)),
        (flexible(email="optional", username="optional"), given("username"), (USERNAME,)),
        (flexible(phone_number="required"), given("phone_number"), (PHONE,)),
        (flexible(email="optional", phone_number="optional"), given("email", "phone_number"), (EMAIL, PHONE)),
    ],
)
def test_identifiers(options: ConnectionOptions, body: dict[str, Any], identifiers: tuple[Identifier, ...]) -> None:
    assert read_draft(body, options).identifiers == identifiers


@pytest.mark.parametrize(
    ("options", "body", "attribute"),
    [
        (LEGACY, {}, "email"),
        (LEGACY, {"email": ""}, "email"),
        (LEGACY, {"email": 7}, "email"),
        (LEGACY, {"email": "ann"}, "email"),
        (LEGACY, given("email", "username"), "username"),
        (LEGACY, given("email", "phone_number"), "phone_number"),
        (LEGACY_WITH_NAMES, given("email"), "username"),
        (flexible(email="required", username="optional"), given("username"), "email"),
        (flexible(email="required", username="inactive"), given("email", "username"), "username"),
        (flexible(username="required"), {"username": "ann@example.com"}, "username"),
    ],
)
def test_identifiers_refused(options: ConnectionOptions, body: dict[str, Any], attribute: str) -> None:
    with pytest.raises(InvalidIdentifier) as refusal:
        read_draft(body, options)
    assert refusal.value.attribute == attribute


def test_something_to_log_in_with_is_needed() -> None:
    """An attribute that is stored but not active is no way in."""
    options = read_options(
        {
            "attributes": {
                "email": {"identifier": {"active": False}, "signup": {"status": "optional"}},
                "username": {"signup": {"status": "optional"}},
            }
        }
    )
    assert read_draft(given("email", "username"), options).identifiers == (EMAIL, USERNAME)
    for body in ({}, given("email")):
        with pytest.raises(InvalidSignup):
            read_draft(body, options)


def test_the_profile_comes_along() -> None:
    body = given("email") | {"name": "Ann", "user_metadata": {"plan": "pro"}, "app_metadata": {"admin": True}}
    draft = read_draft(body, LEGACY)
    assert (draft.name, draft.user_metadata, draft.app_metadata) == ("Ann", {"plan": "pro"}, None)
    assert not draft.email_verified


@pytest.mark.parametrize(
    ("password", "with_it", "without_it"),
    [
        ({}, True, False),
        ({"api_behavior": "optional"}, True, True),
        ({"api_behavior": "optional", "signup_behavior": "block"}, False, True),
        ({"api_behavior": "optional", "enabled": False}, False, True),
    ],
)
def test_passwords(password: dict[str, Any], with_it: bool, without_it: bool) -> None:
    options = read_options({"authentication_methods": {"password": password, "passkey": {"enabled": True}}})
    for there, allowed in ((True, with_it), (False, without_it)):
        if allowed:
            check_password_given(options, given=there)
        else:
            with pytest.raises(InvalidSignup):
                check_password_given(options, given=there)
