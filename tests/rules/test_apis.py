"""APIs and client grants as values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import BadRequest, OperationNotSupported
from keystead.rules.apis import ApiSettings, new_api, offered_scopes, patch_api, stored_identifier
from keystead.rules.client_grants import Granted, checked, edited

HERE = "https://login.example.com"
NAMES = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True)


@pytest.mark.parametrize(
    ("audience", "stored"),
    [
        (f"{HERE}/api/v2/", "/api/v2/"),
        (f"{HERE}/me/", "/me/"),
        (HERE, HERE),
        (f"{HERE}.evil.example/api/v2/", f"{HERE}.evil.example/api/v2/"),
        ("https://api.example.com/", "https://api.example.com/"),
        ("/api/v2/", ""),
        ("//api/v2/", ""),
        ("", ""),
    ],
)
def test_ours_are_known_by_their_full_name_alone(audience: str, stored: str) -> None:
    assert stored_identifier(audience, HERE) == stored


@given(NAMES, NAMES, st.booleans())
def test_a_grant_gives_nothing_that_the_api_does_not_have(
    of_api: list[str], granted: list[str], all_scopes: bool
) -> None:
    found = offered_scopes(of_api, tuple(granted), all_scopes=all_scopes)
    assert set(found) == (set(of_api) if all_scopes else set(of_api) & set(granted))


@given(NAMES, NAMES, st.booleans())
def test_a_grant_names_scopes_of_its_api_only(of_api: list[str], named: list[str], all_scopes: bool) -> None:
    good = not named if all_scopes else set(named) <= set(of_api)
    try:
        found = checked(Granted(tuple(named), all_scopes), of_api, named=True)
    except BadRequest:
        assert not good
    else:
        assert good
        assert found == Granted(tuple(named), all_scopes)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({}, Granted(("a",), False)),
        ({"scope": ["b"]}, Granted(("b",), False)),
        ({"scope": None}, Granted(("a",), False)),
        ({"allow_all_scopes": True}, Granted(("a",), True)),
        ({"organization_usage": "deny", "allow_any_organization": False}, Granted(("a",), False)),
    ],
)
def test_a_patch_of_a_grant(body: dict[str, Any], left: Granted) -> None:
    assert edited(Granted(("a",), False), body) == left


def test_the_identifier_is_the_name_of_an_api_without_one() -> None:
    identifier, settings = new_api({"identifier": "urn:books"}, HERE)
    assert (identifier, settings.name) == ("urn:books", "urn:books")


def test_what_a_patch_says_about_lifetimes() -> None:
    current = ApiSettings(name="a", token_lifetime=600)
    assert patch_api(current, {"token_lifetime": 60}, is_system=False).token_lifetime == 60
    with pytest.raises(BadRequest):
        patch_api(current, {"token_lifetime_for_web": 601}, is_system=False)


def test_our_own_change_in_what_cannot_break_them() -> None:
    current = ApiSettings(name="Management")
    assert patch_api(current, {"name": "Management", "signing_alg": "ES256"}, is_system=True).signing_alg == "ES256"
    with pytest.raises(OperationNotSupported):
        patch_api(current, {"scopes": [{"value": "x"}]}, is_system=True)
