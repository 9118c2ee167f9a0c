"""When somebody is asked for a passkey, by when they need one, and whose browser may make one by itself."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.passkey_policy import policy_of
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.rules.profiles import Profile

Prompt = Literal["none", "progressive", "local", "moved", "required"]
"""Why somebody is asked: they logged in with a password, from another device, from an older address, or must."""

NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Until when somebody is not asked who said "never"."""

UPGRADE_LIFETIME: Final = timedelta(minutes=2)
"""How long after a password was right a browser may make a passkey by itself."""

UNDO_LIFETIME: Final = timedelta(days=7)
"""How long the link in the notice takes a passkey away that a browser made by itself."""

TICKET_LIFETIME: Final = timedelta(hours=24)
"""How long an administrator's link to a passkey lives: what NIST SP 800-63B-4 §4.2.1.2 gives a code in a mail."""

LONGEST_TICKET: Final = timedelta(days=5)
"""How long an administrator may have it live: whoever opens it needs nothing else."""


@dataclass(frozen=True, slots=True)
class Held:
    """How many passkeys somebody has: of the current relying party id, and of older ones that still log in."""

    current: int = 0
    older: int = 0

    @property
    def must_move(self) -> bool:
        """Whether they lose their last passkey when the older ids go."""
        return self.older > 0 and self.current == 0


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


def prompt(
    options: ConnectionOptions,
    *,
    method: str,
    passkeys: Held,
    attachment: str,
    snoozed_until: datetime | None,
    now: datetime,
) -> Prompt:
    """Return whether to offer a passkey after a login: after a password (PK-7), or here after another device's (PK-8).

    Whoever has but passkeys for an older address is offered one for the current address, however they logged in.
    ``method`` is ``pwd`` or ``phr``; ``attachment`` is the browser's word for where the passkey that was used lives.
    """
    policy = policy_of(options)
    if not _has_room(options, passkeys) or not _asks(policy, snoozed_until, now):
        return "none"
    if passkeys.must_move:
        return "moved"
    if method == "pwd":
        return "progressive" if not passkeys.current and options.passkeys.progressive_enrollment_enabled else "none"
    from_afar = attachment == "cross-platform" and policy.attachment != "cross_platform"
    return "local" if from_afar and options.passkeys.local_enrollment_enabled else "none"


def _has_room(options: ConnectionOptions, passkeys: Held) -> bool:
    return options.methods.passkey.enabled and passkeys.current < policy_of(options).max_per_user


def _asks(policy: PasskeyPolicy, snoozed_until: datetime | None, now: datetime) -> bool:
    return policy.enrollment != "off" and not is_snoozed(policy, snoozed_until, now)


def snoozed(policy: PasskeyPolicy, now: datetime, *, never: bool) -> datetime:
    """Return until when somebody is not asked again who said so; ``never`` counts where the policy allows it."""
    return NEVER if never and policy.allow_never_ask else now + timedelta(days=policy.snooze_days)


def is_snoozed(policy: PasskeyPolicy, until: datetime | None, now: datetime) -> bool:
    """Whether somebody does not want to be asked yet. A "never" holds as long as the policy allows one."""
    return until is not None and now < until and (until < NEVER or policy.allow_never_ask)


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
