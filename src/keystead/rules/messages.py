"""What is sent to people: the messages by name, and what they may speak of (EM-1 to EM-4)."""

from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from keystead.rules.verification import Verifiable

TemplateName = Literal[
    "verify_email",
    "verify_email_by_code",
    "reset_email",
    "reset_email_by_code",
    "welcome_email",
    "blocked_account",
    "stolen_credentials",
    "enrollment_email",
    "mfa_oob_code",
    "user_invitation",
    "auth_email_by_code",
    "change_password",
    "password_reset",
    "signup_attempt",
    "security_notice",
    "passkey_recovery_by_code",
    "passkey_recovered",
    "password_removed",
    "passkey_upgrade",
    "blocked_address",
    "users_import",
]
"""Auth0's names, and from ``signup_attempt`` on our own."""

Channel = Literal["email", "sms"]

CHANNELS: Final[dict[Verifiable, Channel]] = {"email": "email", "phone_number": "sms"}

LINK_LIFETIME: Final = timedelta(seconds=432_000)
"""How long a link in a mail lives, in the standard profile (VF-1, RS-3)."""


def verification_lifetime(*, hardened: bool) -> timedelta:
    """Return how long a link that verifies lives, or one that opens locks."""
    return timedelta(hours=24) if hardened else LINK_LIFETIME


def reset_lifetime(*, hardened: bool) -> timedelta:
    """Return how long a link to a new password lives."""
    return timedelta(hours=1) if hardened else LINK_LIFETIME


CODE_LIFETIME: Final = timedelta(seconds=900)
CODE_DIGITS: Final = 6
CODE_TRIES: Final = 5

RECOVERY_LIFETIME: Final = timedelta(seconds=600)
"""How long a code to a new passkey lives (NIST SP 800-63B-4 4.2.1.2: at most ten minutes by text), and then the way
that it opened."""
LONG_CODE_DIGITS: Final = 16
"""Of a code that nobody can guess: 53 bits, in groups that a person can type from one device into another."""


def in_groups(code: str) -> str:
    """Return a code as people read it."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4)) if len(code) > CODE_DIGITS else code


class Message(BaseModel):
    """One message to one person, before it is rendered."""

    model_config = ConfigDict(frozen=True)

    channel: Channel
    template: TemplateName
    to: str
    """An address in canonical form: e-mail, or a phone number in E.164."""
    language: str = "en"
    variables: dict[str, Any] = {}
    """What the template may speak of beside the user, the application and the connection: ``url``, ``code``, ..."""
    user_id: str | None = None
    client_id: str | None = None
    connection_id: str | None = None


class Letter(BaseModel):
    """A rendered message. ``html`` is empty for texts to phones."""

    model_config = ConfigDict(frozen=True)

    channel: Channel
    to: str
    subject: str = ""
    text: str
    html: str = ""
    sender: str = ""
    """``From``, where the template has one of its own."""
    id: str = ""
    """The same at each try, so that whoever gets it twice can tell."""
