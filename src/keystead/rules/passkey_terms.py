"""``options.passkey_policy`` as a value: what a connection asks of passkeys. ``rules/passkey_policy`` judges by it.

A field that Keystead does not act on yet has a type that only its switched-off value fits.
"""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

UserVerification = Literal["required", "preferred", "discouraged"]
Backup = Literal["any", "device_bound_only", "synced_only"]
Attachment = Literal["any", "platform", "cross_platform"]
Hint = Literal["client-device", "security-key", "hybrid"]
Algorithm = Literal[-8, -7, -257]
Counter = Literal["auto", "ignore", "warn", "refuse"]
Mode = Literal["enforce", "advise"]

ALGORITHMS: Final[tuple[Algorithm, ...]] = (-8, -7, -257)
"""EdDSA, ES256, RS256: every one that can be verified, in the order that is offered (PK-22)."""

MOST_PER_USER: Final = 100
"""What no policy can exceed, nor the absence of one: the passkeys of an account are listed, excluded and counted."""


def _once_each(values: list[str] | list[int]) -> list[str] | list[int]:
    if len(set(values)) != len(values):
        raise ValueError("Array items are not unique")
    return values


class PasskeyPolicy(BaseModel):
    """What is asked of passkeys. Without a policy it is as at Auth0."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    user_verification: UserVerification = "preferred"
    """Whether an authenticator must check who holds it: a PIN, a finger, a face. Hardened connections: ``required``."""
    backup: Backup = "any"
    attachment: Attachment = "any"
    hints: Annotated[list[Hint], AfterValidator(_once_each)] = []
    algorithms: Annotated[list[Algorithm], Field(min_length=1), AfterValidator(_once_each)] = list(ALGORITHMS)
    """COSE identifiers, in the order in which they are offered."""
    counter: Counter = "auto"
    max_per_user: Annotated[int, Field(ge=1, le=MOST_PER_USER)] = 20
    timeout_ms: Annotated[int, Field(ge=15_000, le=600_000)] = 60_000
    """What the browser is told; the ceremony itself lives ``CEREMONY_LIFETIME``."""
    snooze_days: Annotated[int, Field(ge=0, le=365)] = 30
    allow_never_ask: bool = False
    step_up_seconds: Annotated[int, Field(ge=30, le=86_400)] = 300
    """How fresh a login must be to add or remove a passkey."""
    mode: Mode = "enforce"

    attestation: Literal["none"] = "none"
    authenticators: Annotated[dict[str, object], Field(max_length=0)] = {}
    enrollment: Literal["offer"] = "offer"
    automatic_upgrade: Literal[False] = False
    passwordless_accounts: Literal[False] = False
