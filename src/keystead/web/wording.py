"""What the hosted pages call things, and what they say when something is refused.

The wire's texts are for programs: they name members of a body. A page says what a person can do.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, cast

from keystead.errors import (
    AddressBlocked,
    CeremonyExpired,
    DomainError,
    EnrolmentRequired,
    InvalidIdentifier,
    InvalidSignup,
    PasskeyNotAllowed,
    SignupDisabled,
    TooManyAttempts,
    TooManyMessages,
    TooManyOfOne,
    TooManyProofs,
    UnknownCredential,
    WeakPassword,
    WrongCredentials,
)
from keystead.rules.claims import iso
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.enrolment import Deadline
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.password_hints import missing

LATE: Final = "That took too long, so the request was no longer valid. Please try again."
NO_PASSWORDS: Final = "Passwords are not used here. Sign in with your passkey."
_TAKEN: Final = "We could not sign you up with these details. If you have an account already, sign in."
_BLOCKED: Final = "Sign-in is blocked from here, because wrong passwords were tried too often."
_TOLD: Final = (
    f"{_BLOCKED} If there is an account, a message goes to its owner, at most once an hour. "
    "The link in the newest one unblocks it."
)
_SIGNUPS_BLOCKED: Final = "Too many accounts were created from your network. Try again later."
SAID: Final[dict[type[DomainError], str]] = {
    CeremonyExpired: LATE,
    EnrolmentRequired: "You cannot go on without a passkey.",
    SignupDisabled: "New accounts cannot be created here.",
    PasskeyNotAllowed: "Passkeys of this kind are not allowed here. Try another device or a security key.",
    UnknownCredential: "This passkey is not known here any more: it may have been removed from your account. "
    "Sign in another way.",
    TooManyOfOne: "Too many sign-ins with these details in a short time. Wait a minute, then try again.",
    AddressBlocked: "Too many failed sign-ins from your network. Try again later, or from another one.",
}


_SCOPES: Final = {
    "profile": "See your name and your picture",
    "email": "See your email address",
    "phone": "See your phone number",
    "address": "See your postal address",
    "offline_access": "Do all this also while you are away",
    "read:current_user": "See your whole account",
    "update:current_user_metadata": "Change your preferences",
    "create:current_user_metadata": "Add preferences",
    "delete:current_user_metadata": "Remove preferences",
}
_UNSAID: Final = ("openid",)


def scopes(asked: list[str], of_api: Mapping[str, str]) -> list[str]:
    """Return what a client asks for as a person would say it; a scope that nobody described, by its name."""
    return [_SCOPES.get(each) or of_api.get(each) or each for each in asked if each not in _UNSAID]


def moment(when: datetime) -> dict[str, str]:
    """Return a time for people and for programs. In UTC: the server does not know where its reader is."""
    return {"text": f"{when.day} {when:%b %Y, %H:%M} UTC", "iso": iso(when)}


class Input(NamedTuple):
    """An identifier as a form asks for it."""

    label: str
    type: str
    autocomplete: str


INPUTS: Final[dict[IdentifierKind, Input]] = {
    "email": Input("Email address", "email", "email"),
    "phone_number": Input("Phone number", "tel", "tel"),
    "username": Input("Username", "text", "username"),
}


def asked_for(options: ConnectionOptions) -> str:
    """Return what a login asks for, such as ``Email address, phone number or username``."""
    first, *others = _labels(options)
    first = first[0].upper() + first[1:]
    return " or ".join((", ".join((first, *others[:-1])), others[-1])) if others else first


def not_one(options: ConnectionOptions) -> str:
    """Return what to say to text that can be no identifier."""
    return f"Enter a valid {_within(asked_for(options))}."


def day(moment: datetime) -> str:
    """Return a day such as ``31 January 2027``. In UTC: the server does not know where its reader is."""
    return f"{moment.day} {moment:%B %Y}"


def countdown(deadline: Deadline) -> str:
    """Return by when a passkey is needed, and how long that is."""
    if deadline.passed:
        return "You need a passkey to sign in here."
    left = "1 day left" if deadline.days_left == 1 else f"{deadline.days_left} days left"
    return f"From {day(deadline.at)} you need a passkey to sign in here: {left}."


def said(error: DomainError, options: ConnectionOptions) -> str:
    """Return what a page says about a refusal."""
    match error:
        case InvalidSignup(text=InvalidSignup.default_text):
            return _TAKEN
        case WrongCredentials():
            return f"Wrong {', '.join(_labels(options))} or password."
        case InvalidIdentifier():
            label = INPUTS[cast("IdentifierKind", error.attribute)].label
            text = error.text.replace(error.attribute, _within(label))
            return text[0].upper() + text[1:]
        case WeakPassword(report=report) if report is not None:
            return f"{error.text}. Still needed: {'. '.join(missing(options, report))}."
        case TooManyAttempts():
            return _too_many(error)
    return SAID.get(type(error), error.text)


def _too_many(error: TooManyAttempts) -> str:
    """Return what is said of a limit: the same whether there is an account or not, for nobody looked."""
    match error:
        case TooManyMessages() | TooManyProofs():
            return error.text
        case AddressBlocked() if error.facts.get("flow") == "signup":
            return _SIGNUPS_BLOCKED
        case TooManyOfOne() | AddressBlocked():
            return SAID[type(error)]
    return _TOLD if error.facts.get("notifies") else _BLOCKED


def _labels(options: ConnectionOptions) -> list[str]:
    return [_within(INPUTS[kind].label) for kind in options.active_identifiers()]


def _within(label: str) -> str:
    """Return a label for use inside a sentence."""
    return label[0].lower() + label[1:]
