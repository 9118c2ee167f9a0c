"""The hosted login as a table: from what is stored to the next screen."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from keystead.rules.authorization import AuthorizationRequest
from keystead.rules.login_steps import LoginTransaction, Proof, Step, next_step
from keystead.rules.passkey_policy import Offer

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVERYTHING = Offer(button=True, autofill=True, password=True, signup=True, signup_password=True, signup_passkey=True)
PASSWORDS_ONLY = replace(EVERYTHING, button=False, autofill=False, signup_passkey=False)
PASSKEYS_ONLY = replace(EVERYTHING, password=False, signup_password=False)
NO_SIGNUP = replace(EVERYTHING, signup=False)
PROVING = replace(EVERYTHING, proved_first=("email", "phone_number"))
TYPED = {"identifiers": {"typed": "ann@example.com"}}
SIGNUP: dict[str, Any] = {"intent": "signup"}
NEW = SIGNUP | {"identifiers": {"email": "ann@example.com"}}
PROVED = {"proof": Proof(user_id="auth0|1", method="pwd", at=NOW)}


def transaction(**values: Any) -> LoginTransaction:
    request = AuthorizationRequest(client_id="c", redirect_uri="https://app.example/")
    return LoginTransaction(id="t", request=request, connection_id="con_1", browser="b", expires_at=NOW, **values)


@pytest.mark.parametrize(
    ("stored", "offer", "step"),
    [
        ({}, EVERYTHING, "login-identifier"),
        (TYPED, EVERYTHING, "login-password"),
        (TYPED, PASSWORDS_ONLY, "login-password"),
        (TYPED, PASSKEYS_ONLY, "login-identifier"),
        (SIGNUP, EVERYTHING, "signup-identifier"),
        (NEW, EVERYTHING, "signup-passkey"),
        (NEW | {"passkey_declined": True}, EVERYTHING, "signup-password"),
        (NEW, PASSWORDS_ONLY, "signup-password"),
        (NEW, PASSKEYS_ONLY, "signup-passkey"),
        (NEW | {"passkey_declined": True}, PASSKEYS_ONLY, "signup-passkey"),
        (SIGNUP, NO_SIGNUP, "login-identifier"),
        (NEW, NO_SIGNUP, "login-identifier"),
        (NEW, PROVING, "email-identifier-challenge"),
        (NEW | {"passkey_declined": True}, PROVING, "email-identifier-challenge"),
        (NEW | {"proved": {"email": "ann@example.com"}}, PROVING, "signup-passkey"),
        (NEW | {"proved": {"email": "bob@example.com"}}, PROVING, "email-identifier-challenge"),
        (SIGNUP | {"identifiers": {"phone_number": "+14155552671"}}, PROVING, "phone-identifier-challenge"),
        (SIGNUP | {"identifiers": {"username": "ann"}}, PROVING, "signup-passkey"),
        (NEW | {"pending": "ann@example.com"}, EVERYTHING, "verification-pending"),
        (PROVED | {"pending": "ann@example.com"}, EVERYTHING, "done"),
        (PROVED, EVERYTHING, "done"),
        (PROVED | {"prompt": "progressive"}, EVERYTHING, "passkey-enrollment"),
        (PROVED | {"prompt": "local"}, EVERYTHING, "passkey-enrollment"),
        (PROVED | NEW, EVERYTHING, "done"),
        (PROVED | TYPED, NO_SIGNUP, "done"),
        ({"prompt": "progressive"}, EVERYTHING, "login-identifier"),
    ],
)
def test_next_step(stored: dict[str, Any], offer: Offer, step: Step) -> None:
    assert next_step(transaction(**stored), offer) == step


@pytest.mark.parametrize("offer", [EVERYTHING, PASSWORDS_ONLY, PASSKEYS_ONLY, NO_SIGNUP])
@pytest.mark.parametrize("stored", [{}, TYPED, SIGNUP, NEW, NEW | {"passkey_declined": True}])
def test_nobody_is_done_without_proof(stored: dict[str, Any], offer: Offer) -> None:
    assert next_step(transaction(**stored, prompt="progressive"), offer) not in ("done", "passkey-enrollment")


UPGRADING = {"upgrade": True, "prompt": "progressive"}


@pytest.mark.parametrize(
    ("stored", "must_enrol", "step"),
    [
        (PROVED, True, "passkey-enrollment"),
        (PROVED | {"prompt": "none", "ask": "consent"}, True, "passkey-enrollment"),
        (PROVED | {"prompt": "required"}, False, "passkey-enrollment"),
        (PROVED | {"upgrade": True}, False, "passkey-upgrade"),
        (PROVED | UPGRADING, False, "passkey-upgrade"),
        (PROVED | UPGRADING, True, "passkey-upgrade"),
        (UPGRADING, True, "login-identifier"),
    ],
)
def test_a_passkey_comes_before_anything_else(stored: dict[str, Any], must_enrol: bool, step: Step) -> None:
    assert next_step(transaction(**stored), EVERYTHING, must_enrol=must_enrol) == step


def test_a_transaction_survives_its_storage() -> None:
    before = transaction(**PROVED, **NEW, prompt="local")
    assert LoginTransaction.model_validate(before.model_dump(mode="json")) == before
