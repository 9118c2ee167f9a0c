"""What is done about passwords that are known from a breach somewhere (AP-10 to AP-13): settings, and how often."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from keystead.rules.buckets import Bucket, source
from keystead.rules.password_policy import normal
from keystead.secrecy import Secret

SETTING: Final = "breached_password_detection"
"""The name of the settings among those of the tenant."""

Stage = Literal["login", "pre-user-registration", "pre-change-password"]
Shield = Literal["block", "user_notification", "admin_notification"]
StageShield = Literal["block", "admin_notification"]
Frequency = Literal["immediately", "daily", "weekly", "monthly"]

EVENTS: Final[dict[Stage, str]] = {
    "login": "pwd_leak",
    "pre-user-registration": "signup_pwd_leak",
    "pre-change-password": "reset_pwd_leak",
}
"""What the journal calls a find."""

REFUSALS: Final[dict[Stage, str]] = {
    "login": "This password was published in a data breach somewhere else, so it does not sign you in any more. "
    "Choose a new one with the link “Forgot your password?”.",
    "pre-user-registration": "This password was published in a data breach somewhere else. Choose a different one.",
    "pre-change-password": "This password was published in a data breach somewhere else. Choose a different one.",
}

_TEST_PREFIX: Final = "AUTH0-TEST-"
_TEST_VALUES: Final = frozenset({"Paaf213XXYYZZ", "Paat739!!WWXXYYZZ"})
_HOUR: Final = 3_600
_PERIODS: Final[dict[Frequency, int]] = {"daily": 86_400, "weekly": 604_800, "monthly": 2_592_000}
_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")


class StageSettings(BaseModel):
    """What is done at one stage."""

    model_config = _CLOSED
    shields: list[StageShield] = []


class BreachStages(BaseModel):
    """The stages beside the login."""

    model_config = _CLOSED
    sign_up: StageSettings = Field(default=StageSettings(), alias="pre-user-registration")
    change: StageSettings = Field(default=StageSettings(), alias="pre-change-password")


class BreachSettings(BaseModel):
    """``breached-password-detection`` as the wire has it. Without a shield, what is found is only recorded."""

    model_config = _CLOSED
    enabled: bool = True
    shields: list[Shield] = []
    admin_notification_frequency: list[Frequency] = []
    method: Literal["standard", "enhanced"] = "standard"
    stage: BreachStages = BreachStages()

    def shields_of(self, stage: Stage) -> frozenset[Shield]:
        """Return what is done at a stage."""
        found: dict[Stage, list[Any]] = {
            "login": self.shields,
            "pre-user-registration": self.stage.sign_up.shields,
            "pre-change-password": self.stage.change.shields,
        }
        return frozenset(found[stage])


def read_settings(stored: Mapping[str, Any] | None) -> BreachSettings:
    """Read settings that were checked when they were stored; the defaults where nobody stored any."""
    return BreachSettings.model_validate(dict(stored or {}))


def is_test_value(password: Secret[str]) -> bool:
    """Whether a password counts as breached wherever it is asked about, so that the shields can be tried (AP-11)."""
    text = password.reveal()
    return text.startswith(_TEST_PREFIX) or text in _TEST_VALUES


def digest(password: Secret[str]) -> str | None:
    """Return the SHA-1 that collections of breached passwords are sorted by, in capitals; ``None`` for no password.

    The hash protects nothing: it is how the collections are written.
    """
    text = normal(password)
    if text is None:
        return None
    return hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest().upper()


def record_bucket(address: str) -> Bucket:
    """Return the bucket for entries about logins: one an hour for each address (AP-12)."""
    return _one_each(f"leak/log/{source(address)}", _HOUR)


def user_bucket(user_id: str) -> Bucket:
    """Return the bucket for mails to the owner of a password: one an hour (AP-12)."""
    return _one_each(f"leak/user/{user_id}", _HOUR)


def administrator_buckets(settings: BreachSettings, address: str) -> Iterator[Bucket]:
    """Return the buckets for mails to administrators: a mail goes out if any has room.

    Immediately (also where nothing is said) is one an hour for each address (AP-12); the others are one a day, a week
    or 30 days for all addresses together.
    """
    frequencies: list[Frequency] = settings.admin_notification_frequency or ["immediately"]
    for frequency in frequencies:
        if frequency == "immediately":
            yield _one_each(f"leak/admin/{source(address)}", _HOUR)
        else:
            yield _one_each(f"leak/admin/{frequency}", _PERIODS[frequency])


def _one_each(key: str, seconds: int) -> Bucket:
    return Bucket(key, key, 1, 1 / seconds)
