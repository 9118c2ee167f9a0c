"""By when somebody needs a passkey, whose browser may make one by itself, and how long links about passkeys live."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.passkey_policy import Held, is_snoozed, policy_of
from keystead.rules.profiles import Profile

UPGRADE_LIFETIME: Final = timedelta(minutes=2)
"""How long after a password was right a browser may make a passkey by itself."""

UNDO_LIFETIME: Final = timedelta(days=7)
"""How long the link in the notice takes a passkey away that a browser made by itself."""

TICKET_LIFETIME: Final = timedelta(hours=24)
"""How long an administrator's link to a passkey lives: what NIST SP 800-63B-4 §4.2.1.2 gives a code in a mail."""

LONGEST_TICKET: Final = timedelta(days=5)
"""How long an administrator may have it live: whoever opens it needs nothing else."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """From when on somebody needs a passkey who has none that works."""

    at: datetime
    days_left: int
    """Days that have begun count; 0 once it is over."""

    @property
    def passed(self) -> bool:
        """Whether nobody goes on without a passkey any more."""
        return self.days_left == 0


class UndoLink(BaseModel):
    """The record of a link that takes one passkey away."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    passkey_id: str


class EnrolmentLink(BaseModel):
    """The record of an administrator's link to a passkey."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    client_id: str = ""
    result_url: str = ""
    """Where the browser is sent afterwards."""


def deadline(options: ConnectionOptions, now: datetime) -> Deadline | None:
    """Return by when people need a passkey; ``None`` where they never do, or the policy only advises it."""
    policy = policy_of(options)
    at = policy.required_from if options.methods.passkey.enabled and policy.mode == "enforce" else None
    return Deadline(at, max(0, -((now - at) // timedelta(days=1)))) if at else None


def advised(options: ConnectionOptions, now: datetime) -> bool:
    """Whether nobody would go on without a passkey, if the policy were enforced."""
    policy = policy_of(options)
    at = policy.required_from if options.methods.passkey.enabled and policy.mode == "advise" else None
    return at is not None and at <= now


def may_upgrade(
    options: ConnectionOptions, profile: Profile, passkeys: Held, snoozed_until: datetime | None, *, now: datetime
) -> bool:
    """Whether the browser of somebody whose password was right may make them a passkey without asking.

    Only the first one, of people who can be told of it, and who did not say that they want none for now.
    """
    policy = policy_of(options)
    wanted = options.methods.passkey.enabled and policy.automatic_upgrade and not is_snoozed(policy, snoozed_until, now)
    return wanted and passkeys == Held() and bool(profile.email)
