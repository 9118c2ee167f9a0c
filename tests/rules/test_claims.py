"""Claims: what each scope opens, and nothing more."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from keystead.rules.claims import about, iso, timed
from keystead.rules.profiles import Profile

NOW = datetime(2026, 6, 1, 12, 30, 15, 123_999, tzinfo=UTC)
ANN = Profile(
    user_id="auth0|1",
    connection_id="con_1",
    email="ann@example.com",
    email_verified=True,
    phone_number="+14155552671",
    username="ann",
    name="Ann",
    nickname="annie",
    picture="/avatars/an.svg",
    user_metadata={"secret": 1},
    app_metadata={"secret": 2},
    created_at=NOW,
    updated_at=NOW,
    has_password=True,
    user_handle=b"handle",
)
PROFILE = {
    "nickname": "annie",
    "name": "Ann",
    "picture": "https://login.example.com/avatars/an.svg",
    "updated_at": "2026-06-01T12:30:15.123Z",
    "preferred_username": "ann",
    "username": "ann",
}
EMAIL = {"email": "ann@example.com", "email_verified": True}
PHONE = {"phone_number": "+14155552671", "phone_number_verified": False, "phone_verified": False}


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ((), {}),
        (("openid",), {}),
        (("profile",), PROFILE),
        (("email",), EMAIL),
        (("phone",), PHONE),
        (("openid", "profile", "email", "phone", "address", "read:x"), PROFILE | EMAIL | PHONE),
    ],
)
def test_scopes_open_claims(scope: tuple[str, ...], claims: dict[str, Any]) -> None:
    assert about(ANN, scope, "https://login.example.com") == claims


def test_what_somebody_does_not_have_is_absent() -> None:
    nobody = Profile(user_id="auth0|2", connection_id="con_1", created_at=NOW, updated_at=NOW)
    assert about(nobody, ("profile", "email", "phone"), "") == {"updated_at": "2026-06-01T12:30:15.123Z"}


def test_a_picture_elsewhere_stays_there() -> None:
    elsewhere = ANN.model_copy(update={"picture": "https://cdn.example/ann.png"})
    assert about(elsewhere, ("profile",), "https://login.example.com")["picture"] == "https://cdn.example/ann.png"


def test_times() -> None:
    assert timed(NOW, timedelta(hours=1)) == {"iat": 1_780_317_015, "exp": 1_780_320_615}
    assert iso(NOW.replace(microsecond=0)) == "2026-06-01T12:30:15.000Z"


def test_iso_is_utc() -> None:
    """A time in another zone is written in UTC, not relabelled."""
    assert iso(NOW.astimezone(timezone(timedelta(hours=2)))) == "2026-06-01T12:30:15.123Z"
