"""``options.passkey_policy`` as a value: what a connection asks of passkeys. ``rules/passkey_policy`` judges by it."""

from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from keystead.rules.complaints import once_each

UserVerification = Literal["required", "preferred", "discouraged"]
Backup = Literal["any", "device_bound_only", "synced_only"]
Attachment = Literal["any", "platform", "cross_platform"]
Hint = Literal["client-device", "security-key", "hybrid"]
Algorithm = Literal[-8, -7, -257]
Counter = Literal["auto", "ignore", "warn", "refuse"]
Mode = Literal["enforce", "advise"]
Attestation = Literal["none", "indirect", "direct", "enterprise"]
Trust = Literal[
    "none",
    "self",
    "untrusted_chain",
    "trusted_chain",
    "certified_L1",
    "certified_L1plus",
    "certified_L2",
    "certified_L2plus",
    "certified_L3",
    "certified_L3plus",
]
Enrollment = Literal["off", "offer", "required"]

TRUST_LEVELS: Final[tuple[Trust, ...]] = get_args(Trust)
"""How well it is known who made an authenticator, from hearsay to a certificate of the FIDO Alliance."""

Aaguid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A model of authenticator, as the lower-case text of a UUID."""

ALGORITHMS: Final[tuple[Algorithm, ...]] = (-8, -7, -257)
"""EdDSA, ES256, RS256: every one that can be verified, in the order that is offered (PK-22)."""

MOST_PER_USER: Final = 100
"""What no policy can exceed, nor the absence of one: the passkeys of an account are listed, excluded and counted."""


def reaches(trust: Trust, least: Trust) -> bool:
    """Whether a level of trust is as high as another."""
    return TRUST_LEVELS.index(trust) >= TRUST_LEVELS.index(least)


def _day(text: str) -> str:
    date.fromisoformat(text)  # the pattern leaves 31 February
    return text


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Allowed(_Closed):
    """A model that may be used, where it is known that well that a passkey is of it."""

    aaguid: Aaguid
    trust: Trust = "trusted_chain"


class Denied(_Closed):
    """A model that may not be used. Without attestation too: nobody pretends to be of a model that is refused."""

    aaguid: Aaguid
    trust: Trust = "none"


def _each_model_once(rules: list[Allowed] | list[Denied]) -> list[Allowed] | list[Denied]:
    once_each([rule.aaguid for rule in rules])
    return rules


class Authenticators(_Closed):
    """``authenticators``: which models of authenticators may hold passkeys."""

    allow: Annotated[list[Allowed], Field(max_length=500), AfterValidator(_each_model_once)] = []
    """Empty: any."""
    deny: Annotated[list[Denied], Field(max_length=500), AfterValidator(_each_model_once)] = []
    trust: Trust = "none"
    """The least that any passkey needs."""

    @property
    def needs_attestation(self) -> bool:
        """Whether nobody can meet it who does not show who made the authenticator."""
        return any(level != "none" for level in (self.trust, *(rule.trust for rule in self.allow)))


class PasskeyPolicy(_Closed):
    """What is asked of passkeys. Without a policy it is as at Auth0."""

    user_verification: UserVerification = "preferred"
    """Whether an authenticator must check who holds it: a PIN, a finger, a face. Hardened connections: ``required``."""
    attestation: Attestation = "none"
    """What is asked of authenticators; ``direct`` and ``enterprise`` take no passkey without a statement."""
    authenticators: Authenticators = Authenticators()
    backup: Backup = "any"
    attachment: Attachment = "any"
    hints: Annotated[list[Hint], AfterValidator(once_each)] = []
    algorithms: Annotated[list[Algorithm], Field(min_length=1), AfterValidator(once_each)] = list(ALGORITHMS)
    """COSE identifiers, in the order in which they are offered."""
    counter: Counter = "auto"
    max_per_user: Annotated[int, Field(ge=1, le=MOST_PER_USER)] = 20
    timeout_ms: Annotated[int, Field(ge=15_000, le=600_000)] = 60_000
    """What the browser is told; the ceremony itself lives ``CEREMONY_LIFETIME``."""
    snooze_days: Annotated[int, Field(ge=0, le=365)] = 30
    allow_never_ask: bool = False
    enrollment: Enrollment = "offer"
    required_after: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_day)] | None = None
    """With ``required``: the day from whose beginning, in UTC, nobody goes on without a passkey. ``None``: at once."""
    automatic_upgrade: bool = False
    """Whether a browser may make a passkey by itself right after a password login (conditional create)."""
    passwordless_accounts: bool = False
    """Whether accounts may live without a password for good."""
    step_up_seconds: Annotated[int, Field(ge=30, le=86_400)] = 300
    """How fresh a login must be to add or remove a passkey."""
    mode: Mode = "enforce"

    @property
    def required_from(self) -> datetime | None:
        """When a passkey becomes required: a moment that may be past; ``None`` where it never does."""
        if self.enrollment != "required":
            return None
        return datetime.fromisoformat(self.required_after or "1970-01-01").replace(tzinfo=UTC)
