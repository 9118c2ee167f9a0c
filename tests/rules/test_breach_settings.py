"""Settings about breached passwords: what is stored, what is refused by path, how often people are told."""

from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules.attack_protection import edit, on_wire
from keystead.rules.breaches import (
    BreachSettings,
    administrator_buckets,
    digest,
    is_test_value,
    read_settings,
    record_bucket,
    user_bucket,
)
from keystead.secrecy import Secret

DEFAULT: dict[str, Any] = {
    "enabled": True,
    "shields": [],
    "admin_notification_frequency": [],
    "method": "standard",
    "stage": {"pre-user-registration": {"shields": []}, "pre-change-password": {"shields": []}},
}


def after(*bodies: dict[str, Any]) -> dict[str, Any]:
    settings = BreachSettings()
    for body in bodies:
        settings = edit(settings, body)
    assert read_settings(on_wire(settings)) == settings
    return on_wire(settings)


def test_the_default_is_the_recorded_one() -> None:
    assert on_wire(read_settings(None)) == DEFAULT


@pytest.mark.parametrize(
    "body",
    [
        {"enabled": False},
        {"shields": ["block", "user_notification", "admin_notification"]},
        {"admin_notification_frequency": ["immediately", "daily", "weekly", "monthly"]},
        {"method": "enhanced"},
    ],
)
def test_a_member_is_replaced_and_the_others_stay(body: dict[str, Any]) -> None:
    assert after(body) == DEFAULT | body
    assert after(body, {}) == DEFAULT | body


def test_stages_are_merged() -> None:
    sign_up: dict[str, Any] = {"pre-user-registration": {"shields": ["block"]}}
    change: dict[str, Any] = {"pre-change-password": {"shields": ["admin_notification", "block"]}}
    assert after({"stage": sign_up}, {"stage": change})["stage"] == sign_up | change
    assert after({"stage": sign_up}, {"stage": {}})["stage"] == DEFAULT["stage"] | sign_up
    assert after({"stage": sign_up}, {"stage": {"pre-user-registration": {"shields": []}}}) == DEFAULT


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"enabled": "yes"}, "enabled"),
        ({"shields": "block"}, "shields"),
        ({"shields": ["block", "captcha"]}, "shields.1"),
        ({"admin_notification_frequency": ["hourly"]}, "admin_notification_frequency.0"),
        ({"method": "best"}, "method"),
        ({"stage": {"pre-login": {}}}, "stage"),
        ({"stage": {"sign_up": {}}}, "stage"),
        ({"stage": {"pre-change-password": {"shields": ["user_notification"]}}}, "stage.pre-change-password.shields.0"),
        ({"stage": {"pre-user-registration": {"mode": 1}}}, "stage.pre-user-registration"),
        ({"stage": {"pre-user-registration": []}}, "stage.pre-user-registration"),
        ({"more": 1}, ""),
    ],
)
def test_what_is_wrong_is_named_by_its_path(body: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        after(body)
    assert refusal.value.path == path


@pytest.mark.parametrize(
    ("password", "is_one"),
    [
        ("AUTH0-TEST-", True),
        ("AUTH0-TEST-42", True),
        ("Paaf213XXYYZZ", True),
        ("Paat739!!WWXXYYZZ", True),
        ("auth0-test-42", False),
        ("Paaf213XXYYZZ ", False),
        ("my AUTH0-TEST-42", False),
    ],
)
def test_test_values(password: str, is_one: bool) -> None:
    assert is_test_value(Secret(password)) is is_one


def test_the_digest_is_the_one_that_collections_are_sorted_by() -> None:
    assert digest(Secret("password")) == "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8"
    assert digest(Secret("e\u0301")) == digest(Secret("\u00e9"))
    assert digest(Secret("x" * 5000)) is None


def test_what_is_counted_for_itself() -> None:
    """One of each; an hour apart, or a day, a week, 30 days; an address of IPv6 counts as its /64."""
    settings = edit(BreachSettings(), {"admin_notification_frequency": ["immediately", "daily", "weekly", "monthly"]})
    buckets = [record_bucket("203.0.113.9"), user_bucket("auth0|1"), *administrator_buckets(settings, "203.0.113.9")]
    assert {bucket.capacity for bucket in buckets} == {1}
    assert [round(1 / bucket.refill) for bucket in buckets] == [3600, 3600, 3600, 86400, 604800, 2592000]
    assert len({bucket.key for bucket in buckets}) == len(buckets)
    assert record_bucket("2001:db8::1") == record_bucket("2001:db8::2") != record_bucket("2001:db8:1::1")
    assert [each.key for each in administrator_buckets(BreachSettings(), "203.0.113.9")] == [buckets[2].key]
