"""The options of a connection: shapes, defaults, and the rules between them (auth0-behaviour 3.2 and 3.3)."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from keystead.errors import InvalidOptions
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.connections import new_options, read_options, replace_options
from keystead.rules.identifiers import UsernameRules

NEW = {
    "mfa": {"active": True, "return_enroll_settings": True},
    "brute_force_protection": True,
    "password_options": {
        "complexity": {
            "min_length": 15,
            "character_types": [],
            "character_type_rule": "all",
            "identical_characters": "allow",
            "sequential_characters": "allow",
            "max_length_exceeded": "error",
        },
        "profile_data": {
            "active": False,
            "blocked_fields": [
                "name",
                "username",
                "nickname",
                "email",
                "phone_number",
                "user_metadata.name",
                "user_metadata.first",
                "user_metadata.last",
            ],
        },
        "history": {"active": False, "size": 3},
        "dictionary": {"active": False, "custom": [], "default": "en_100k"},
    },
    "strategy_version": 2,
    "authentication_methods": {
        "password": {"enabled": True, "api_behavior": "required", "signup_behavior": "allow"},
        "passkey": {"enabled": False},
    },
    "passkey_options": {
        "challenge_ui": "both",
        "progressive_enrollment_enabled": True,
        "local_enrollment_enabled": True,
    },
    "disable_self_service_change_password": False,
}
"""What Auth0 answers for a connection that was made of nothing but a name (recorded), and what deploy tools add."""

ALWAYS = {"disable_self_service_change_password": False}
"""What every connection shows."""


def custom(**scripts: str) -> dict[str, Any]:
    """Return the options of a custom database with some scripts."""
    return {"enabledDatabaseCustomization": True, "customScripts": scripts}


PASSKEYS = {"authentication_methods": {"passkey": {"enabled": True}}}


def attribute(kind: str, **members: Any) -> dict[str, Any]:
    return {"attributes": {kind: members}}


def method(**members: Any) -> dict[str, Any]:
    return {"authentication_methods": members}


def policy(**members: Any) -> dict[str, Any]:
    return {"password_options": members}


def test_a_new_connection_has_the_recorded_defaults() -> None:
    assert new_options({}) == NEW


def test_what_was_made_can_be_sent_back_unchanged() -> None:
    assert replace_options(NEW, NEW) == NEW
    assert replace_options({}, new_options({})) == NEW


def test_null_is_the_same_as_absent() -> None:
    assert new_options({"attributes": None, "passwordPolicy": None, "validation": None}) == NEW


def test_a_legacy_policy_takes_the_place_of_the_flexible_one() -> None:
    made = new_options({"passwordPolicy": "good"})
    assert made["passwordPolicy"] == "good"
    assert "password_options" not in made


def test_blocks_are_filled_in_where_they_are_begun() -> None:
    made = new_options(method(passkey={"enabled": True}) | attribute("username", validation={"max_length": 30}))
    assert made["authentication_methods"] == {
        "password": {"enabled": True, "api_behavior": "required", "signup_behavior": "allow"},
        "passkey": {"enabled": True},
    }
    assert made["attributes"] == {
        "username": {
            "identifier": {"active": True, "default_method": "password"},
            "profile_required": False,
            "signup": {"status": "required"},
            "validation": {
                "min_length": 1,
                "max_length": 30,
                "allowed_types": {"email": False, "phone_number": False},
            },
        }
    }


def test_the_members_of_an_older_connection_are_taken() -> None:
    """Tools send back what such a connection had (auth0-behaviour 2.6)."""
    older = {
        "validation": {"username": {"min": 1, "max": 15}},
        "import_mode": False,
        "configuration": {},
        "customScripts": {},
        "passwordPolicy": "good",
        "password_history": {"size": 5, "enable": False},
        "requires_username": False,
        "password_dictionary": {"enable": False, "dictionary": []},
        "password_no_personal_info": {"enable": False},
        "password_complexity_options": {"min_length": 8},
        "enabledDatabaseCustomization": False,
        "disable_self_service_change_password": False,
    }
    assert replace_options({}, older) == older


KEY = "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16"
"""The AAGUID of a model."""


@pytest.mark.parametrize(
    "options",
    [
        policy(history={"active": True, "size": 24}, dictionary={"active": True, "default": "en_10k", "custom": ["x"]}),
        {"password_history": {"enable": True, "size": 0}, "password_dictionary": {"enable": True, "dictionary": ["x"]}},
    ],
)
def test_history_and_dictionary_are_taken(options: dict[str, Any]) -> None:
    made = new_options(options)
    for name, members in options.items():
        kept = {part: made[name][part] for part in members}
        assert kept == members


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (policy(history={"size": 0}), "options.password_options.history.size"),
        (policy(history={"size": 25}), "options.password_options.history.size"),
        (policy(dictionary={"default": "en_1k"}), "options.password_options.dictionary.default"),
        (policy(dictionary={"custom": ["x"] * 201}), "options.password_options.dictionary.custom"),
        (policy(dictionary={"custom": ["x" * 51]}), "options.password_options.dictionary.custom.0"),
        (
            policy(profile_data={"blocked_fields": ["x" * 101]}),
            "options.password_options.profile_data.blocked_fields.0",
        ),
        ({"password_history": {"size": 5}}, "options.password_history"),
        ({"password_history": {"enable": True, "size": 25}}, "options.password_history.size"),
        (
            {"password_dictionary": {"enable": True, "dictionary": ["x"] * 201}},
            "options.password_dictionary.dictionary",
        ),
        ({"password_dictionary": {"enable": True, "more": 1}}, "options.password_dictionary"),
    ],
)
def test_history_and_dictionary_have_bounds(options: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        new_options(options)
    assert refused.value.path == path


def test_members_that_nobody_defined_are_kept_and_shown() -> None:
    assert new_options({"realm_fallback": False, "x": {"y": [1]}})["x"] == {"y": [1]}


@pytest.mark.parametrize(
    ("options", "path", "text"),
    [
        ({"disable_signup": "yes"}, "options.disable_signup", "Expected type boolean but found type string"),
        ({"mfa": []}, "options.mfa", "Expected type object but found type array"),
        ({"mfa": {"x": 1}}, "options.mfa", "Additional properties not allowed: x"),
        (
            {"precedence": ["email"]},
            "options.precedence",
            "precedence must contain email, phone_number and username once each",
        ),
        (
            {"precedence": ["email", "email", "username"]},
            "options.precedence",
            "precedence must contain email, phone_number and username once each",
        ),
        ({"precedence": ["email", "fax", "username"]}, "options.precedence.1", "No enum match for: fax"),
        ({"passwordPolicy": "fine"}, "options.passwordPolicy", "No enum match for: fine"),
        (
            {"password_complexity_options": {"min_length": 129}},
            "options.password_complexity_options.min_length",
            "Value 129 is greater than maximum 128",
        ),
        ({"password_no_personal_info": {}}, "options.password_no_personal_info", "Missing required property: enable"),
        (
            {"passkey_options": {"challenge_ui": "loud"}},
            "options.passkey_options.challenge_ui",
            "No enum match for: loud",
        ),
        (
            {"passkey_options": {"local_enrollment_enabled": 1}},
            "options.passkey_options.local_enrollment_enabled",
            "Expected type boolean but found type integer",
        ),
        ({"passkey_options": {"x": 1}}, "options.passkey_options", "Additional properties not allowed: x"),
        (method(totp={"enabled": True}), "options.authentication_methods", "Additional properties not allowed: totp"),
        (
            method(passkey={"enabled": "true"}),
            "options.authentication_methods.passkey.enabled",
            "Expected type boolean but found type string",
        ),
        (attribute("fax"), "options.attributes", "Additional properties not allowed: fax"),
        (
            attribute("email", signup={"status": "never"}),
            "options.attributes.email.signup.status",
            "No enum match for: never",
        ),
        (
            policy(complexity={"min_length": 0}),
            "options.password_options.complexity.min_length",
            "Value 0 is less than minimum 1",
        ),
        (
            policy(complexity={"min_length": 73}),
            "options.password_options.complexity.min_length",
            "Value 73 is greater than maximum 72",
        ),
        (
            policy(complexity={"character_types": ["emoji"]}),
            "options.password_options.complexity.character_types.0",
            "No enum match for: emoji",
        ),
        (
            policy(profile_data={"blocked_fields": ["x"] * 13}),
            "options.password_options.profile_data.blocked_fields",
            "Array is too long (13), maximum 12",
        ),
    ],
)
def test_wrong_shapes_are_refused_by_path(options: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        new_options(options)
    assert (refused.value.path, refused.value.text) == (path, text)


EMAIL: dict[str, Any] = {"attributes": {"email": {}}}


@pytest.mark.parametrize(
    ("options", "path", "text"),
    [
        (
            EMAIL | {"requires_username": True},
            "options.attributes",
            "Cannot set both options.attributes and options.requires_username",
        ),
        (
            EMAIL | {"validation": {"username": {"min": 1, "max": 15}}},
            "options.attributes",
            "Cannot set both options.attributes and options.validation",
        ),
        *(
            (
                {"password_options": {}, name: value},
                "options.password_options",
                f"Cannot set both options.password_options and options.{name}",
            )
            for name, value in {
                "passwordPolicy": "low",
                "password_complexity_options": {"min_length": 8},
                "password_history": {"enable": False},
                "password_dictionary": {"enable": False},
                "password_no_personal_info": {"enable": True},
            }.items()
        ),
        ({"attributes": {}}, "options.attributes", "attributes must contain one active identifier"),
        (
            attribute("email", identifier={"active": False}),
            "options.attributes",
            "attributes must contain one active identifier",
        ),
        (
            attribute("phone_number", profile_required=True, signup={"status": "optional"}),
            "options.attributes.phone_number",
            "attribute phone_number must also be required on signup",
        ),
        (
            attribute("username", profile_required=True, signup={"status": "inactive"}),
            "options.attributes.username",
            "attribute username must also be required on signup",
        ),
        (
            attribute("email", unique=False),
            "options.attributes.email.identifier",
            "a non-unique email attribute cannot be an active identifier",
        ),
        (
            attribute("email", unique=False, identifier={"active": False}),
            "options.attributes",
            "attributes must contain one active identifier",
        ),
        (
            attribute("username", validation={"min_length": 16, "max_length": 15}),
            "options.attributes.username.validation",
            "min_length must not be greater than max_length",
        ),
        (
            {"requires_username": True, "validation": {"username": {"min": 9, "max": 8}}},
            "options.attributes.username.validation",
            "min_length must not be greater than max_length",
        ),
        (
            policy(complexity={"character_type_rule": "three_of_four", "character_types": ["number"]}),
            "options.password_options.complexity",
            "three_of_four needs all four character types to be listed",
        ),
        (
            {"requires_username": True} | method(passkey={"enabled": True}),
            "options.authentication_methods.passkey",
            "passkeys need requires_username to be off, or attributes",
        ),
        (
            method(password={"enabled": False, "api_behavior": "optional"}),
            "options.authentication_methods",
            "at least one authentication method must be enabled",
        ),
        (
            method(password={"enabled": False}, passkey={"enabled": True}),
            "options.authentication_methods.password",
            "api_behavior must be optional where passwords are off",
        ),
        (
            {"enabledDatabaseCustomization": True},
            "options.customScripts.login",
            "a custom database needs a login script",
        ),
        (custom(login=" \n"), "options.customScripts.login", "a custom database needs a login script"),
        (
            custom(login="x") | {"import_mode": True},
            "options.customScripts.get_user",
            "import_mode needs a get_user script",
        ),
        ({"import_mode": True}, "options.import_mode", "import_mode needs enabledDatabaseCustomization"),
        (
            {"set_user_root_attributes": "on_each_login"},
            "options.set_user_root_attributes",
            "set_user_root_attributes needs enabledDatabaseCustomization",
        ),
        (
            custom(login="x", get_user="x", create="x") | method(passkey={"enabled": True}),
            "options.authentication_methods.passkey",
            "passkeys need import_mode or enable_script_context on a custom database",
        ),
        (
            custom(login="x", create="x") | method(passkey={"enabled": True}) | {"enable_script_context": True},
            "options.customScripts.get_user",
            "passkeys on a custom database without import_mode need get_user and create scripts",
        ),
    ],
)
def test_members_that_contradict_each_other_are_refused(options: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        new_options(options)
    assert (refused.value.path, refused.value.text) == (path, text)


@pytest.mark.parametrize(
    ("options", "store"),
    [
        ({"customScripts": {"login": "x"}, "non_persistent_attrs": ["ethnicity"]}, "hosted"),
        (custom(login="x") | {"script_language": "python", "set_user_root_attributes": "never_on_login"}, "scripted"),
        (custom(login="x", get_user="x", create="x") | PASSKEYS | {"enable_script_context": True}, "scripted"),
        (custom(login="x", get_user="x") | {"import_mode": True}, "migrating"),
        (custom(login="x", get_user="x") | PASSKEYS | {"import_mode": True}, "migrating"),
    ],
)
def test_people_live_where_the_options_say(options: dict[str, Any], store: str) -> None:
    assert read_options(new_options(options)).store == store


def test_what_scripts_are_given_never_becomes_less() -> None:
    current = new_options(custom(login="x") | {"enable_script_context": True, "script_language": "python"})
    kept = replace_options(current, custom(login="y"))
    assert (kept["enable_script_context"], kept["script_language"]) == (True, "python")
    with pytest.raises(InvalidOptions) as refused:
        replace_options(current, custom(login="x") | {"enable_script_context": False})
    assert refused.value.path == "options.enable_script_context"


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (method(email_otp={"enabled": True}), "options.authentication_methods.email_otp.enabled"),
        (method(phone_otp={"enabled": True}), "options.authentication_methods.phone_otp.enabled"),
        ({"custom_password_hash": {"action_id": "a"}}, "options.custom_password_hash"),
        (attribute("email", identifier={"default_method": "email_otp"}), "options.attributes.email"),
        (attribute("phone_number", identifier={"default_method": "phone_otp"}), "options.attributes.phone_number"),
    ],
)
def test_what_is_not_there_yet_is_refused_by_name_and_not_ignored(options: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidOptions, match="available") as refused:
        new_options(options)
    assert refused.value.path == path


def test_a_patch_replaces_the_whole_object_but_what_is_ours_alone() -> None:
    before = new_options({"security_profile": "standard", "disable_signup": True})
    assert replace_options(before, {"brute_force_protection": False}) == {
        "security_profile": "standard",
        "brute_force_protection": False,
        **ALWAYS,
    }
    assert replace_options(before, {"security_profile": None}) == ALWAYS


def test_a_patch_that_does_not_know_of_the_passkey_policy_leaves_it() -> None:
    policy = {"backup": "device_bound_only", "max_per_user": 3}
    before = new_options({"passkey_policy": policy})
    assert replace_options(before, {"disable_signup": True})["passkey_policy"] == policy
    assert replace_options(before, {"passkey_policy": {"counter": "refuse"}}) == {
        "passkey_policy": {"counter": "refuse"},
        **ALWAYS,
    }
    assert replace_options(before, {"passkey_policy": None}) == ALWAYS


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("user_verification", ["required", "preferred", "discouraged"]),
        ("backup", ["any", "device_bound_only", "synced_only"]),
        ("attachment", ["any", "platform", "cross_platform"]),
        ("hints", [[], ["hybrid"], ["security-key", "client-device", "hybrid"]]),
        ("algorithms", [[-7], [-257, -8], [-8, -7, -257]]),
        ("counter", ["auto", "ignore", "warn", "refuse"]),
        ("max_per_user", [1, 100]),
        ("timeout_ms", [15_000, 600_000]),
        ("snooze_days", [0, 365]),
        ("allow_never_ask", [True, False]),
        ("step_up_seconds", [30, 86_400]),
        ("mode", ["enforce", "advise"]),
        ("attestation", ["none", "indirect", "direct", "enterprise"]),
        ("authenticators", [{}, {"deny": [{"aaguid": KEY}]}, {"allow": [{"aaguid": KEY, "trust": "none"}]}]),
        ("enrollment", ["off", "offer", "required"]),
        ("automatic_upgrade", [True, False]),
        ("passwordless_accounts", [True, False]),
    ],
)
def test_fields_of_the_passkey_policy_are_kept_as_they_were_said(name: str, values: list[Any]) -> None:
    for value in values:
        methods = {"passkey": {"enabled": True}}
        stored = new_options({"passkey_policy": {name: value}, "authentication_methods": methods})
        assert stored["passkey_policy"] == {name: value}
        assert replace_options(stored, stored) == stored


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("user_verification", ["Required", "", None, True, ["required"]]),
        ("backup", ["device_bound", None, False, {}]),
        ("attachment", ["cross-platform", None, 1]),
        ("hints", ["hybrid", None, {}, [None], ["usb"], ["hybrid", "hybrid"]]),
        ("algorithms", [[], None, -7, [-36], [-65535], ["-7"], [True], [-7, -7]]),
        ("counter", ["strict", None, 0]),
        ("max_per_user", [0, 101, -1, 1.0, "20", True, None, 10**30]),
        ("timeout_ms", [14_999, 600_001, "60000", 60_000.0, None]),
        ("snooze_days", [-1, 366, "30", None, True]),
        ("allow_never_ask", [1, "true", None]),
        ("step_up_seconds", [29, 86_401, None, "300"]),
        ("mode", ["off", None, True]),
        ("attestation", ["Direct", None, True, ["none"]]),
        (
            "authenticators",
            [
                *(None, [], "none", {"deny": [KEY]}, {"deny": [{"aaguid": KEY}] * 2}, {"trust": "certified"}),
                *({"allow": [{"aaguid": KEY.upper()}]}, {"allow": [{"trust": "self"}]}, {"allow": [{"aaguid": ""}]}),
                *({"allow": {}}, {"deny": [{"aaguid": KEY, "stranger": 1}]}, {"deny": [{"aaguid": KEY, "trust": 1}]}),
            ],
        ),
        ("enrollment", ["on", None, True]),
        ("required_after", ["2027-02-29", "2027-2-1", "", 20270201, "2027-01-31T00:00:00Z", "tomorrow"]),
        ("automatic_upgrade", [1, "true", None]),
        ("passwordless_accounts", [0, "false", None]),
    ],
)
def test_fields_of_the_passkey_policy_are_refused_by_path(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InvalidOptions) as refused:
            new_options({"passkey_policy": {name: value}})
        path = f"options.passkey_policy.{name}"
        assert refused.value.path == path or refused.value.path.startswith(f"{path}."), (value, refused.value.path)
        assert refused.value.text


@pytest.mark.parametrize(
    ("policy", "passkeys", "path"),
    [
        ({"authenticators": {"trust": "self"}}, True, "authenticators"),
        ({"authenticators": {"allow": [{"aaguid": KEY}]}}, True, "authenticators"),
        ({"authenticators": {"trust": "self"}, "attestation": "indirect"}, True, ""),
        ({"authenticators": {"deny": [{"aaguid": KEY, "trust": "self"}]}}, True, ""),
        ({"required_after": "2027-01-31"}, True, "required_after"),
        ({"required_after": "2027-01-31", "enrollment": "off"}, True, "required_after"),
        ({"required_after": "2027-01-31", "enrollment": "required"}, True, ""),
        ({"required_after": "2027-01-31", "enrollment": "required"}, False, "enrollment"),
        ({"automatic_upgrade": True}, False, "automatic_upgrade"),
        ({"passwordless_accounts": True}, False, "passwordless_accounts"),
        ({"enrollment": "off"}, False, ""),
    ],
)
def test_fields_of_the_passkey_policy_fit_each_other(policy: dict[str, Any], passkeys: bool, path: str) -> None:
    options = {"passkey_policy": policy, "authentication_methods": {"passkey": {"enabled": passkeys}}}
    if not path:
        assert new_options(options)["passkey_policy"] == policy
        return
    with pytest.raises(InvalidOptions) as refused:
        new_options(options)
    assert refused.value.path == f"options.passkey_policy.{path}"


@pytest.mark.parametrize("policy", [[], "required", True, {"user_verfication": "required"}])
def test_what_is_no_passkey_policy_is_refused(policy: object) -> None:
    with pytest.raises(InvalidOptions) as refused:
        new_options({"passkey_policy": policy})
    assert refused.value.path == "options.passkey_policy"


def test_a_patch_without_attributes_goes_back_to_legacy_identifiers() -> None:
    before = new_options({"attributes": {"email": {}, "phone_number": {}}})
    assert read_options(before).active_identifiers() == ("email", "phone_number")
    assert read_options(replace_options(before, {})).active_identifiers() == ("email",)


@pytest.mark.parametrize(
    ("options", "active", "signup"),
    [
        ({}, ("email",), {"email": "required"}),
        ({"requires_username": True}, ("email", "username"), {"email": "required", "username": "required"}),
        ({"attributes": {"phone_number": {}}}, ("phone_number",), {"phone_number": "required"}),
        (
            {
                "attributes": {
                    "email": {"identifier": {"active": False}, "signup": {"status": "optional"}},
                    "username": {},
                }
            },
            ("username",),
            {"email": "optional", "username": "required"},
        ),
    ],
)
def test_identifiers_follow_from_the_options(
    options: dict[str, Any], active: tuple[str, ...], signup: dict[str, str]
) -> None:
    found = read_options(new_options(options))
    assert found.active_identifiers() == active
    assert found.signup_attributes() == signup
    assert found.stored_attributes() == tuple(signup)


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ({}, UsernameRules(1, 15)),
        ({"validation": {"username": {"min": 3, "max": 20}}}, UsernameRules(3, 20)),
        (
            attribute("username", validation={"min_length": 2, "max_length": 40, "allowed_types": {"email": True}}),
            UsernameRules(2, 40, may_be_email=True),
        ),
    ],
)
def test_username_rules_follow_from_the_options(options: dict[str, Any], rules: UsernameRules) -> None:
    assert read_options(new_options(options)).username_rules() == rules


SHARED = {
    "attributes": {"email": {"unique": False, "identifier": {"active": False}}, "username": {}},
}
UNSHARED = {"attributes": {"email": {"identifier": {"active": False}}, "username": {}}}


def test_addresses_that_several_may_have_are_for_new_connections_alone() -> None:
    made = new_options(SHARED)
    assert read_options(made).shared_kinds() == ("email",)
    assert replace_options(made, made) == made
    assert read_options(new_options(UNSHARED)).shared_kinds() == read_options(new_options({})).shared_kinds() == ()


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (UNSHARED, SHARED, "cannot add non-unique email attribute"),
        ({}, SHARED, "cannot add non-unique email attribute"),
        (SHARED, UNSHARED, "cannot remove non-unique email attribute"),
        (SHARED, {}, "cannot remove non-unique email attribute"),
        (SHARED, {"attributes": {"username": {}}}, "cannot remove non-unique email attribute"),
    ],
)
def test_whether_addresses_are_shared_never_changes(before: dict[str, Any], after: dict[str, Any], text: str) -> None:
    made = new_options(before)
    with pytest.raises(InvalidOptions) as refused:
        replace_options(made, after)
    assert (refused.value.path, refused.value.text) == ("options.attributes.email.unique", text)


NEEDED: dict[str, dict[str, Any]] = {
    "validation.username": {"min": 1, "max": 15},
    "password_history": {"enable": False},
    "password_dictionary": {"enable": False},
    "password_no_personal_info": {"enable": False},
}
"""What an object must have, so that nothing else is wrong with it."""


def closed(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Return the paths of the objects that take no members but their own."""
    for name, found in model.model_fields.items():
        inner = f"{path}{found.alias or name}"
        kinds = () if get_origin(found.annotation) is list else (found.annotation, *get_args(found.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield inner
                yield from closed(kind, f"{inner}.")


@pytest.mark.parametrize("path", sorted(closed(ConnectionOptions)))
def test_unknown_members_of_closed_objects_are_refused_by_path(path: str) -> None:
    options: dict[str, Any] = NEEDED.get(path, {}) | {"stranger": 1}
    for name in reversed(path.split(".")):
        options = {name: options}
    with pytest.raises(InvalidOptions) as refused:
        new_options(options)
    expected = (f"options.{path}", "Additional properties not allowed: stranger")
    assert (refused.value.path, refused.value.text) == expected


def test_options_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ConnectionOptions().disable_signup = True  # type: ignore[misc]  # the point of the test
