"""Which methods to offer, when to prompt for a passkey, and what a signature counter says."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import IdentifierKind

ALGORITHMS: Final = (-8, -7, -257)
"""EdDSA, ES256, RS256 in the order that is offered (PK-22)."""

TIMEOUT_MS: Final = 60_000
"""What the browser is told; the ceremony itself lives ``CEREMONY_LIFETIME``."""

CEREMONY_LIFETIME: Final = timedelta(seconds=300)
MAX_PER_USER: Final = 20
SNOOZE: Final = timedelta(days=30)
STEP_UP: Final = timedelta(seconds=300)
"""How fresh a login must be to add or remove a passkey."""

Prompt = Literal["none", "progressive", "local"]
CounterVerdict = Literal["accept", "warn", "refuse"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the login pages show."""

    button: bool
    autofill: bool
    password: bool
    signup: bool
    signup_password: bool
    signup_passkey: bool
    proved_first: tuple[IdentifierKind, ...] = ()
    """Identifiers of which a sign-up shows by a code that they are theirs."""


def offer(options: ConnectionOptions) -> Offer:
    """Return what a connection's pages offer (PK-1, PK-6, PW-15, SU-2)."""
    passkey = options.methods.passkey.enabled
    password = options.methods.password
    ui = options.passkeys.challenge_ui
    new_password = password.enabled and password.signup_behavior == "allow"
    return Offer(
        button=passkey and ui in ("both", "button"),
        autofill=passkey and ui in ("both", "autofill"),
        password=password.enabled,
        signup=not options.disable_signup and (new_password or passkey),
        signup_password=new_password,
        signup_passkey=passkey,
        proved_first=options.proved_at_signup(),
    )


def user_verification(options: ConnectionOptions) -> Literal["required", "preferred"]:
    """Return whether an authenticator must check who holds it: a PIN, a finger, a face."""
    return "required" if options.hardened else "preferred"


def prompt(
    options: ConnectionOptions,
    *,
    method: str,
    passkeys: int,
    attachment: str,
    snoozed_until: datetime | None,
    now: datetime,
) -> Prompt:
    """Return whether to offer a passkey after a login: after a password (PK-7), or here after another device's (PK-8).

    ``method`` is ``pwd`` or ``phr``; ``attachment`` is the browser's word for where the passkey that was used lives.
    """
    if not options.methods.passkey.enabled or passkeys >= MAX_PER_USER or _is_snoozed(snoozed_until, now):
        return "none"
    if method == "pwd" and passkeys == 0 and options.passkeys.progressive_enrollment_enabled:
        return "progressive"
    if method == "phr" and attachment == "cross-platform" and options.passkeys.local_enrollment_enabled:
        return "local"
    return "none"


def _is_snoozed(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until


def judge_counter(stored: int, reported: int, *, backup_eligible: bool) -> CounterVerdict:
    """Judge WebAuthn Level 3 §7.2 step 22: a counter that went back may mean a clone.

    Synced passkeys do not keep one counter between devices, so they only warn; device-bound ones are refused; 0 and 0
    is an authenticator without a counter.
    """
    if reported > stored or (stored == 0 and reported == 0):
        return "accept"
    return "warn" if backup_eligible else "refuse"
