"""Where a way in is sent: never where somebody else may read it."""

from datetime import UTC, datetime

import pytest

from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Profile
from keystead.rules.resets import Destination, destination, verified_destination

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EMAIL, PHONE = "ann@example.com", "+14155552671"
BY_EMAIL, BY_PHONE, BY_NAME = (
    Identifier("email", EMAIL),
    Identifier("phone_number", PHONE),
    Identifier("username", "ann"),
)
TO_EMAIL, TO_PHONE = Destination(kind="email", value=EMAIL), Destination(kind="phone_number", value=PHONE)


def ann(*, email: bool | None = None, phone: bool | None = None) -> Profile:
    """Return an account: ``None`` where it has no such address, or whether it is verified."""
    about = {"email": EMAIL if email is not None else None, "email_verified": bool(email)}
    about |= {"phone_number": PHONE if phone is not None else None, "phone_verified": bool(phone)}
    return Profile(user_id="auth0|1", connection_id="con_1", username="ann", created_at=NOW, updated_at=NOW, **about)


@pytest.mark.parametrize(
    ("profile", "typed", "reset", "recovery"),
    [
        (ann(email=True), BY_EMAIL, TO_EMAIL, TO_EMAIL),
        (ann(email=False), BY_EMAIL, TO_EMAIL, None),
        (ann(email=True, phone=True), BY_EMAIL, TO_EMAIL, TO_EMAIL),
        (ann(email=True, phone=True), BY_PHONE, TO_PHONE, TO_PHONE),
        (ann(email=True, phone=False), BY_PHONE, TO_EMAIL, TO_EMAIL),
        (ann(email=False, phone=True), BY_EMAIL, TO_PHONE, TO_PHONE),
        (ann(email=False, phone=False), BY_PHONE, TO_PHONE, None),
        (ann(email=True), BY_NAME, TO_EMAIL, TO_EMAIL),
        (ann(phone=True), BY_NAME, TO_PHONE, TO_PHONE),
        (ann(email=False), BY_NAME, TO_EMAIL, None),
        (ann(), BY_NAME, None, None),
    ],
)
def test_destinations(
    profile: Profile, typed: Identifier, reset: Destination | None, recovery: Destination | None
) -> None:
    """A reset takes an address that nobody verified, and empties the account; a recovery takes none."""
    assert destination(profile, typed) == reset
    assert verified_destination(profile, typed) == recovery
