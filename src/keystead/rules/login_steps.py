"""The hosted login as one function: which screen is next, from stored state alone.

Steps never call steps: each records what happened and asks here. So tabs, the back button and a resumed login all end
on the right screen.
"""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from keystead.rules.authorization import Ask, AuthorizationRequest
from keystead.rules.enrolment import Prompt
from keystead.rules.passkey_policy import Offer
from keystead.rules.verification import Verifiable

Step = Literal[
    "login-identifier",
    "login-password",
    "signup-identifier",
    "email-identifier-challenge",
    "phone-identifier-challenge",
    "signup-passkey",
    "signup-password",
    "verification-pending",
    "passkey-upgrade",
    "passkey-enrollment",
    "consent",
    "done",
]


CHALLENGES: Final[dict[Verifiable, Step]] = {
    "email": "email-identifier-challenge",
    "phone_number": "phone-identifier-challenge",
}


class Proof(BaseModel):
    """Who proved to be whom, how and when."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    method: Literal["pwd", "phr"]
    at: datetime
    session_id: str = ""
    """The login session that the proof opened, or that it comes from."""


class LoginTransaction(BaseModel):
    """The stored state between ``/authorize`` and the code."""

    model_config = ConfigDict(frozen=True)

    id: str
    request: AuthorizationRequest
    connection_id: str
    browser: str
    """SHA-256 of the secret in the cookie of the browser that began it: no other browser may go on with it."""
    expires_at: datetime
    intent: Literal["login", "signup"] = "login"
    identifiers: dict[str, str] = {}
    """What was typed on the identifier screen, by kind; ``typed`` for a login."""
    proved: dict[str, str] = {}
    """Of the identifiers of a sign-up those that were proved by a code, by kind."""
    pending: str = ""
    """The address of a new account that must be verified by a link before anybody is let in."""
    passkey_declined: bool = False
    proof: Proof | None = None
    upgrade: bool = False
    """Whether the browser is still to be asked for a passkey that it makes by itself."""
    prompt: Prompt = "none"
    """The enrolment still to be offered."""
    ask: Ask = "none"
    """What the person is still asked about the client."""


def next_step(transaction: LoginTransaction, offer: Offer, *, must_enrol: bool = False) -> Step:
    """Return the screen that the transaction is waiting for.

    ``must_enrol`` is of whoever proved themselves, and needs a passkey before they go anywhere.
    """
    if transaction.proof is not None:
        return _next_after_proof(transaction, must_enrol=must_enrol)
    if transaction.pending:
        return "verification-pending"
    if transaction.intent == "signup" and offer.signup:
        return _next_signup_step(transaction, offer)
    if "typed" not in transaction.identifiers or not offer.password:
        return "login-identifier"
    return "login-password"


def _next_after_proof(transaction: LoginTransaction, *, must_enrol: bool) -> Step:
    """A passkey that makes itself comes before the one that is asked for: whoever has it then is not asked."""
    if transaction.upgrade:
        return "passkey-upgrade"
    if must_enrol or transaction.prompt != "none":
        return "passkey-enrollment"
    return "done" if transaction.ask == "none" else "consent"


def next_to_prove(transaction: LoginTransaction, offer: Offer) -> Verifiable | None:
    """Return the identifier of a sign-up that a code is asked for now; ``None`` where there is none (left)."""
    typed, proved = transaction.identifiers, transaction.proved
    left = (kind for kind in CHALLENGES if kind in offer.proved_first and typed.get(kind, "") != proved.get(kind, ""))
    return next(left, None)


def _next_signup_step(transaction: LoginTransaction, offer: Offer) -> Step:
    """Who they are, then how they will prove it: a passkey, unless they would rather have a password and may."""
    if not transaction.identifiers:
        return "signup-identifier"
    unproved = next_to_prove(transaction, offer)
    if unproved is not None:
        return CHALLENGES[unproved]
    if offer.signup_passkey and not (transaction.passkey_declined and offer.signup_password):
        return "signup-passkey"
    return "signup-password"
