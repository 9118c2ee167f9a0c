"""Passkeys: what is offered, when somebody is asked to make one, and what a counter says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.connections import read_options
from keystead.rules.passkey_policy import MAX_PER_USER, CounterVerdict, Offer, Prompt, judge_counter, offer, prompt

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def options(*, passkey: bool = True, password: dict[str, Any] | None = None, **more: Any) -> ConnectionOptions:
    methods = {"passkey": {"enabled": passkey}, "password": password or {"enabled": True}}
    signup = {name: more.pop(name) for name in list(more) if name == "disable_signup"}
    return read_options({"authentication_methods": methods, "passkey_options": more} | signup)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (options(), Offer(True, True, True, True, True, True)),
        (options(challenge_ui="both"), Offer(True, True, True, True, True, True)),
        (options(challenge_ui="button"), Offer(True, False, True, True, True, True)),
        (options(challenge_ui="autofill"), Offer(False, True, True, True, True, True)),
        (options(passkey=False), Offer(False, False, True, True, True, False)),
        (options(disable_signup=True), Offer(True, True, True, False, True, True)),
        (options(password={"enabled": False}), Offer(True, True, False, True, False, True)),
        (options(password={"enabled": True, "signup_behavior": "block"}), Offer(True, True, True, True, False, True)),
        (
            options(passkey=False, password={"enabled": True, "signup_behavior": "block"}),
            Offer(False, False, True, False, False, False),
        ),
        (read_options({}), Offer(False, False, True, True, True, False)),
    ],
)
def test_offer(given: ConnectionOptions, expected: Offer) -> None:
    assert offer(given) == expected


AFTER_PASSWORD: dict[str, Any] = {"method": "pwd", "passkeys": 0, "attachment": "", "snoozed_until": None}
FROM_A_PHONE: dict[str, Any] = {
    "method": "phr",
    "passkeys": 1,
    "attachment": "cross-platform",
    "snoozed_until": None,
}


@pytest.mark.parametrize(
    ("given", "login", "expected"),
    [
        (options(), AFTER_PASSWORD, "progressive"),
        (options(), AFTER_PASSWORD | {"passkeys": 1}, "none"),
        (options(), AFTER_PASSWORD | {"snoozed_until": NOW + timedelta(seconds=1)}, "none"),
        (options(), AFTER_PASSWORD | {"snoozed_until": NOW}, "progressive"),
        (options(), AFTER_PASSWORD | {"attachment": "cross-platform"}, "progressive"),
        (options(progressive_enrollment_enabled=False), AFTER_PASSWORD, "none"),
        (options(local_enrollment_enabled=False), AFTER_PASSWORD, "progressive"),
        (options(passkey=False), AFTER_PASSWORD, "none"),
        (options(), FROM_A_PHONE, "local"),
        (options(), FROM_A_PHONE | {"attachment": "platform"}, "none"),
        (options(), FROM_A_PHONE | {"attachment": ""}, "none"),
        (options(), FROM_A_PHONE | {"passkeys": MAX_PER_USER - 1}, "local"),
        (options(), FROM_A_PHONE | {"passkeys": MAX_PER_USER}, "none"),
        (options(), FROM_A_PHONE | {"snoozed_until": NOW + timedelta(days=1)}, "none"),
        (options(local_enrollment_enabled=False), FROM_A_PHONE, "none"),
        (options(progressive_enrollment_enabled=False), FROM_A_PHONE, "local"),
        (options(passkey=False), FROM_A_PHONE, "none"),
    ],
)
def test_prompt(given: ConnectionOptions, login: dict[str, Any], expected: Prompt) -> None:
    assert prompt(given, now=NOW, **login) == expected


@pytest.mark.parametrize(
    ("stored", "reported", "backup_eligible", "verdict"),
    [
        (0, 0, True, "accept"),
        (0, 0, False, "accept"),
        (0, 1, False, "accept"),
        (5, 6, False, "accept"),
        (5, 5, False, "refuse"),
        (5, 4, False, "refuse"),
        (5, 0, False, "refuse"),
        (5, 5, True, "warn"),
        (5, 0, True, "warn"),
        (2**32 - 2, 2**32 - 1, False, "accept"),
    ],
)
def test_counter(stored: int, reported: int, backup_eligible: bool, verdict: CounterVerdict) -> None:
    """WebAuthn Level 3 §7.2 step 22."""
    assert judge_counter(stored, reported, backup_eligible=backup_eligible) == verdict
