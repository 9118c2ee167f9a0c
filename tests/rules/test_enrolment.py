"""By when somebody needs a passkey, and whose browser may make one, case by case."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.enrolment import (
    LONGEST_TICKET,
    NEVER,
    TICKET_LIFETIME,
    Deadline,
    Held,
    advised,
    deadline,
    may_upgrade,
)
from keystead.rules.profiles import Profile

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ANN = Profile(user_id="auth0|1", connection_id="con_1", email="ann@example.com", created_at=NOW, updated_at=NOW)


def options(*, passkeys: bool = True, **policy: Any) -> ConnectionOptions:
    methods = {"passkey": {"enabled": passkeys}}
    return ConnectionOptions.model_validate({"authentication_methods": methods, "passkey_policy": policy})


REQUIRED: dict[str, Any] = {"enrollment": "required"}


@pytest.mark.parametrize(
    ("found", "days_left"),
    [
        (options(), None),
        (options(enrollment="off"), None),
        (options(enrollment="offer"), None),
        (options(**REQUIRED, passkeys=False), None),
        (options(**REQUIRED, mode="advise"), None),
        (options(**REQUIRED), 0),
        (options(**REQUIRED, required_after="2026-05-31"), 0),
        (options(**REQUIRED, required_after="2026-06-01"), 0),
        (options(**REQUIRED, required_after="2026-06-02"), 1),
        (options(**REQUIRED, required_after="2026-06-03"), 2),
        (options(**REQUIRED, required_after="2027-06-01"), 365),
    ],
)
def test_days_that_have_begun_count(found: ConnectionOptions, days_left: int | None) -> None:
    left = deadline(found, NOW)
    assert (left.days_left if left else None) == days_left
    assert left is None or left.passed is (days_left == 0)


def test_the_day_begins_at_midnight_in_utc() -> None:
    found, day = options(**REQUIRED, required_after="2026-06-02"), datetime(2026, 6, 2, tzinfo=UTC)
    assert deadline(found, day - timedelta(microseconds=1)) == Deadline(day, 1)
    assert deadline(found, day) == Deadline(day, 0)


@pytest.mark.parametrize(
    ("found", "is_advised"),
    [
        (options(**REQUIRED, mode="advise"), True),
        (options(**REQUIRED, mode="advise", required_after="2026-06-01"), True),
        (options(**REQUIRED, mode="advise", required_after="2026-06-02"), False),
        (options(**REQUIRED, mode="advise", passkeys=False), False),
        (options(**REQUIRED), False),
        (options(mode="advise"), False),
    ],
)
def test_advice_begins_on_the_day_too(found: ConnectionOptions, is_advised: bool) -> None:
    assert advised(found, NOW) is is_advised


UPGRADES = options(automatic_upgrade=True)
NONE = Held()
BACK = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("found", "profile", "passkeys", "snoozed_until", "may"),
    [
        (UPGRADES, ANN, NONE, None, True),
        (options(automatic_upgrade=True, enrollment="off"), ANN, NONE, None, True),
        (options(automatic_upgrade=True, enrollment="required"), ANN, NONE, None, True),
        (options(automatic_upgrade=True, mode="advise"), ANN, NONE, None, True),
        (options(), ANN, NONE, None, False),
        (options(automatic_upgrade=True, passkeys=False), ANN, NONE, None, False),
        (UPGRADES, ANN, Held(current=1), None, False),
        (UPGRADES, ANN, Held(older=1), None, False),
        (UPGRADES, ANN.model_copy(update={"email": None, "phone_number": "+14155552671"}), NONE, None, False),
        (UPGRADES, ANN, NONE, BACK, False),
        (UPGRADES, ANN, NONE, NOW, True),
        (UPGRADES, ANN, NONE, NEVER, True),  # not allowed any more, so it does not hold
        (options(automatic_upgrade=True, allow_never_ask=True), ANN, NONE, NEVER, False),
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
