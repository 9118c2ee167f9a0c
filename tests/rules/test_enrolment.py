"""Who is asked for a passkey, by when somebody needs one, and whose browser may make one, case by case."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.connections import read_options
from keystead.rules.enrolment import (
    LONGEST_TICKET,
    NEVER,
    TICKET_LIFETIME,
    Deadline,
    Held,
    Prompt,
    advised,
    deadline,
    may_upgrade,
    prompt,
    snoozed,
)
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.rules.profiles import Profile

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ANN = Profile(user_id="auth0|1", connection_id="con_1", email="ann@example.com", created_at=NOW, updated_at=NOW)


def options(*, passkey: bool = True, passkey_policy: dict[str, Any] | None = None, **more: Any) -> ConnectionOptions:
    methods = {"passkey": {"enabled": passkey}}
    said = {"passkey_policy": passkey_policy} if passkey_policy is not None else {}
    return read_options({"authentication_methods": methods, "passkey_options": more} | said)


def under(*, passkeys: bool = True, **policy: Any) -> ConnectionOptions:
    """Options that say nothing but a policy."""
    return options(passkey=passkeys, passkey_policy=policy)


# --- who is asked --------------------------------------------------------------------------------------------------

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
        (options(), FROM_A_PHONE | {"passkeys": 19}, "local"),
        (options(), FROM_A_PHONE | {"passkeys": 20}, "none"),
        (options(), FROM_A_PHONE | {"snoozed_until": NOW + timedelta(days=1)}, "none"),
        (options(local_enrollment_enabled=False), FROM_A_PHONE, "none"),
        (options(progressive_enrollment_enabled=False), FROM_A_PHONE, "local"),
        (options(passkey=False), FROM_A_PHONE, "none"),
        (options(passkey_policy={"max_per_user": 2}), FROM_A_PHONE, "local"),
        (options(passkey_policy={"max_per_user": 1}), FROM_A_PHONE, "none"),
        (options(passkey_policy={"max_per_user": 1, "mode": "advise"}), FROM_A_PHONE, "none"),
        (options(passkey_policy={"enrollment": "off"}), FROM_A_PHONE, "none"),
        (options(passkey_policy={"enrollment": "off"}), AFTER_PASSWORD, "none"),
        (options(passkey_policy={"enrollment": "required"}), FROM_A_PHONE, "local"),
        (options(passkey_policy={"attachment": "platform"}), FROM_A_PHONE, "local"),
        (options(passkey_policy={"attachment": "cross_platform"}), FROM_A_PHONE, "none"),
        (options(passkey_policy={"attachment": "cross_platform"}), AFTER_PASSWORD, "progressive"),
        (options(passkey_policy={"allow_never_ask": True}), AFTER_PASSWORD | {"snoozed_until": NEVER}, "none"),
        (options(passkey_policy={"allow_never_ask": False}), AFTER_PASSWORD | {"snoozed_until": NEVER}, "progressive"),
    ],
)
def test_prompt(given: ConnectionOptions, login: dict[str, Any], expected: Prompt) -> None:
    assert prompt(given, now=NOW, **login | {"passkeys": Held(login["passkeys"])}) == expected


OFF: dict[str, Any] = {"progressive_enrollment_enabled": False, "local_enrollment_enabled": False}


@pytest.mark.parametrize("login", [AFTER_PASSWORD, FROM_A_PHONE], ids=["password", "phone"])
@pytest.mark.parametrize(
    ("given", "passkeys", "more", "expected"),
    [
        (options(), Held(current=0, older=1), {}, "moved"),
        (options(), Held(current=0, older=40), {}, "moved"),
        (options(**OFF), Held(current=0, older=1), {"attachment": "platform"}, "moved"),
        (options(passkey_policy={"max_per_user": 1}), Held(current=0, older=1), {}, "moved"),
        (options(), Held(current=0, older=1), {"snoozed_until": NOW + timedelta(seconds=1)}, "none"),
        (options(**OFF), Held(current=1, older=1), {}, "none"),
        (options(passkey=False), Held(current=0, older=1), {}, "none"),
    ],
)
def test_whoever_has_not_moved_is_prompted_to(
    given: ConnectionOptions, passkeys: Held, more: dict[str, Any], expected: Prompt, login: dict[str, Any]
) -> None:
    assert prompt(given, now=NOW, **login | more | {"passkeys": passkeys}) == expected


@pytest.mark.parametrize(
    ("policy", "never", "until"),
    [
        ({}, False, NOW + timedelta(days=30)),
        ({"snooze_days": 365}, False, NOW + timedelta(days=365)),
        ({"snooze_days": 0}, False, NOW),
        ({}, True, NOW + timedelta(days=30)),
        ({"allow_never_ask": True}, True, NEVER),
        ({"allow_never_ask": True}, False, NOW + timedelta(days=30)),
    ],
)
def test_snooze(policy: dict[str, Any], never: bool, until: datetime) -> None:
    assert snoozed(PasskeyPolicy(**policy), NOW, never=never) == until


# --- who needs one -------------------------------------------------------------------------------------------------


REQUIRED: dict[str, Any] = {"enrollment": "required"}


@pytest.mark.parametrize(
    ("found", "days_left"),
    [
        (under(), None),
        (under(enrollment="off"), None),
        (under(enrollment="offer"), None),
        (under(**REQUIRED, passkeys=False), None),
        (under(**REQUIRED, mode="advise"), None),
        (under(**REQUIRED), 0),
        (under(**REQUIRED, required_after="2026-05-31"), 0),
        (under(**REQUIRED, required_after="2026-06-01"), 0),
        (under(**REQUIRED, required_after="2026-06-02"), 1),
        (under(**REQUIRED, required_after="2026-06-03"), 2),
        (under(**REQUIRED, required_after="2027-06-01"), 365),
    ],
)
def test_days_that_have_begun_count(found: ConnectionOptions, days_left: int | None) -> None:
    left = deadline(found, NOW)
    assert (left.days_left if left else None) == days_left
    assert left is None or left.passed is (days_left == 0)


def test_the_day_begins_at_midnight_in_utc() -> None:
    found, day = under(**REQUIRED, required_after="2026-06-02"), datetime(2026, 6, 2, tzinfo=UTC)
    assert deadline(found, day - timedelta(microseconds=1)) == Deadline(day, 1)
    assert deadline(found, day) == Deadline(day, 0)


@pytest.mark.parametrize(
    ("found", "is_advised"),
    [
        (under(**REQUIRED, mode="advise"), True),
        (under(**REQUIRED, mode="advise", required_after="2026-06-01"), True),
        (under(**REQUIRED, mode="advise", required_after="2026-06-02"), False),
        (under(**REQUIRED, mode="advise", passkeys=False), False),
        (under(**REQUIRED), False),
        (under(mode="advise"), False),
    ],
)
def test_advice_begins_on_the_day_too(found: ConnectionOptions, is_advised: bool) -> None:
    assert advised(found, NOW) is is_advised


UPGRADES = under(automatic_upgrade=True)
NONE = Held()
BACK = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("found", "profile", "passkeys", "snoozed_until", "may"),
    [
        (UPGRADES, ANN, NONE, None, True),
        (under(automatic_upgrade=True, enrollment="off"), ANN, NONE, None, True),
        (under(automatic_upgrade=True, enrollment="required"), ANN, NONE, None, True),
        (under(automatic_upgrade=True, mode="advise"), ANN, NONE, None, True),
        (under(), ANN, NONE, None, False),
        (under(automatic_upgrade=True, passkeys=False), ANN, NONE, None, False),
        (UPGRADES, ANN, Held(current=1), None, False),
        (UPGRADES, ANN, Held(older=1), None, False),
        (UPGRADES, ANN.model_copy(update={"email": None, "phone_number": "+14155552671"}), NONE, None, False),
        (UPGRADES, ANN, NONE, BACK, False),
        (UPGRADES, ANN, NONE, NOW, True),
        (UPGRADES, ANN, NONE, NEVER, True),  # not allowed any more, so it does not hold
        (under(automatic_upgrade=True, allow_never_ask=True), ANN, NONE, NEVER, False),
    ],
)
def test_whose_browser_may_make_one(
    found: ConnectionOptions, profile: Profile, passkeys: Held, snoozed_until: datetime | None, may: bool
) -> None:
    assert may_upgrade(found, profile, passkeys, snoozed_until, now=NOW) is may


def test_a_ticket_lives_no_longer_than_a_code_in_a_mail_may() -> None:
    """NIST SP 800-63B-4 §4.2.1.2, where nobody said otherwise; and never longer than other links do."""
    assert timedelta(hours=24) >= TICKET_LIFETIME
    assert timedelta(seconds=432_000) == LONGEST_TICKET
