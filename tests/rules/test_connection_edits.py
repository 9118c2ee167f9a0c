"""What a request says about a connection beside its options (auth0-behaviour 3.1)."""

from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules.connection_edits import (
    check_unchanged,
    columns,
    differences,
    kept_metadata,
    read_edit,
    read_new,
    read_switch,
)


@pytest.mark.parametrize("name", ["a", "A1", "a-b-c", "Username-Password-Authentication", "x" * 128])
def test_names_that_are_taken(name: str) -> None:
    assert read_new({"name": name, "strategy": "auth0"}).name == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "a--b", "a b", "a_b", "ä", "x" * 129, "a\n"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_new({"name": name, "strategy": "auth0"})
    assert refused.value.path == "name"


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        ({"name": None}, "", "Missing required property: name"),
        ({"strategy": None}, "", "Missing required property: strategy"),
        ({"strategy": "samlp"}, "strategy", "No enum match for: samlp"),
        ({"foo": 1}, "", "Additional properties not allowed: foo"),
        ({"options": "x"}, "options", "Expected type object but found type string"),
        ({"display_name": "x" * 129}, "display_name", "String is too long (129 chars), maximum 128"),
        ({"realms": ["x"] * 11}, "realms", "Array is too long (11), maximum 10"),
        ({"realms": ["x", "x"]}, "realms", "Array items are not unique"),
        ({"realms": ["a b"]}, "realms.0", "String does not match pattern ^[!-~]+$: a b"),
        ({"metadata": {"a": 1}}, "metadata.a", "Expected type string but found type integer"),
        ({"metadata": {"a": "x" * 256}}, "metadata.a", "String is too long (256 chars), maximum 255"),
        (
            {"metadata": {str(n): "x" for n in range(11)}},
            "metadata",
            "Too many properties defined (11), maximum 10",
        ),
        ({"authentication": {}}, "authentication", "Missing required property: active"),
        ({"authentication": {"active": "yes"}}, "authentication.active", "Expected type boolean but found type string"),
        ({"is_domain_connection": 1}, "is_domain_connection", "Expected type boolean but found type integer"),
        ({"enabled_clients": "x"}, "enabled_clients", "Expected type array but found type string"),
    ],
)
def test_wrong_bodies_are_refused_by_path(body: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_new({"name": "db", "strategy": "auth0"} | body)
    assert (refused.value.path, refused.value.text) == (path, text)


@pytest.mark.parametrize(
    ("sent", "before", "after"),
    [({}, None, None), ({}, "Staff", "db"), ({"display_name": "Staff"}, None, "Staff")],
)
def test_a_display_name_that_is_left_out_goes_back_to_the_name(
    sent: dict[str, Any], before: str | None, after: str | None
) -> None:
    assert columns(read_edit(sent), name="db", display_name=before, about=None)["display_name"] == after


def test_a_patch_changes_what_it_names() -> None:
    edit = read_edit(
        {
            "is_domain_connection": True,
            "show_as_button": False,
            "authentication": {"active": False},
            "connected_accounts": {"active": True},
            "metadata": {"team": "b", "old": None},
        }
    )
    assert columns(edit, name="db", display_name=None, about={"old": "1", "kept": "2"}) == {
        "display_name": None,
        "is_domain_connection": True,
        "show_as_button": False,
        "active": False,
        "connected_accounts": {"active": True},
        "about": {"kept": "2", "team": "b"},
    }


def test_metadata_does_not_grow_beyond_its_limit_by_patches() -> None:
    with pytest.raises(BadRequest, match="Too many properties defined"):
        kept_metadata({str(n): "x" for n in range(10)}, {"one": "more"})
    assert kept_metadata({"a": "b"}, {"a": None}) is None


@pytest.mark.parametrize(("member", "value"), [("name", "other"), ("strategy", "samlp"), ("id", "con_1")])
def test_what_never_changes_may_be_repeated_and_not_changed(member: str, value: str) -> None:
    check_unchanged(read_edit({"id": "con_0", "name": "db", "strategy": "auth0"}), id="con_0", name="db")
    with pytest.raises(BadRequest, match=f"Additional properties not allowed: {member}"):
        check_unchanged(read_edit({member: value}), id="con_0", name="db")


def test_a_switch_names_its_place_in_the_list() -> None:
    assert read_switch(0, {"client_id": "c", "status": False}).status is False
    for entry, path in (({"client_id": "c"}, "3"), ({"client_id": 1, "status": True}, "3.client_id"), ("c", "3")):
        with pytest.raises(BadRequest) as refused:
            read_switch(3, entry)
        assert refused.value.path == path


def test_the_journal_names_what_changed_and_not_how() -> None:
    before = {"a": 1, "b": {"c": 1, "d": [1]}, "e": 1}
    after = {"a": 1, "b": {"c": 2, "d": [2]}, "f": None, "g": 0}
    assert differences(before, after) == ["b.c", "b.d", "e", "g"]
