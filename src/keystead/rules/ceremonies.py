"""A WebAuthn ceremony as a value: what the finish is held against.

The record is written when the options are handed out. What was asked for then is what the answer is held to: neither
today's configuration nor anything in the response can soften it. What nobody can be asked for, such as backup flags, is
judged by the connection's policy as it is (``rules/passkey_policy``).
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from keystead.rules.passkey_terms import ALGORITHMS, Attachment, Attestation, Trust, UserVerification

CeremonyKind = Literal["signup", "enrolment", "recovery", "login"]
Mediation = Literal["", "conditional"]


class Ceremony(BaseModel):
    """One registration (``signup``, ``enrolment``, ``recovery``) or authentication (``login``), until its verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: CeremonyKind
    challenge: str
    """32 random bytes, base64url without padding."""
    rp_id: str
    origins: tuple[str, ...]
    """The only origins that may have shown the page; frozen when the options were made."""
    user_verification: UserVerification
    """What the policy demanded when it began, as with the next two: whatever is saved meanwhile does not matter."""
    attachment: Attachment = "any"
    algorithms: tuple[int, ...] = ()
    """COSE identifiers; of logins that were begun by an older version, none."""
    attestation: Attestation = "none"
    """What was asked of the authenticator; a new passkey is judged by it."""
    mediation: Mediation = ""
    """``conditional`` where the browser may make the passkey by itself: only then nobody need be present."""
    advisory: bool = False
    """Whether the policy only advised: nobody may be turned away by what the browser is told either."""
    client_id: str
    connection_id: str
    expires_at: datetime
    user_handle: str = ""
    """base64url; who the new credential will name, for registrations."""
    user_id: str = ""
    """The account that enrols or recovers; empty for sign-ups and for logins, where the passkey says who it is."""
    draft: dict[str, object] | None = None
    """The account that a sign-up will create; it exists nowhere else until the registration is verified (PK-23)."""
    transaction: str = ""
    """The login transaction of the hosted pages that it belongs to; empty for the APIs."""

    @property
    def is_registration(self) -> bool:
        """Whether it creates a passkey."""
        return self.kind != "login"

    @property
    def needs_presence(self) -> bool:
        """Whether somebody must have been there: always, but where the browser was let make a passkey by itself."""
        return not (self.is_registration and self.mediation == "conditional")

    @property
    def asked_verification(self) -> UserVerification:
        """What browser and authenticator are asked for, and held to."""
        return "preferred" if self.advisory and self.user_verification == "required" else self.user_verification

    @property
    def asked_attachment(self) -> Attachment:
        """Where the browser is told to look for an authenticator."""
        return "any" if self.advisory else self.attachment

    @property
    def offered(self) -> tuple[int, ...]:
        """The algorithms that a new passkey may have, the policy's first."""
        return tuple(dict.fromkeys((*self.algorithms, *ALGORITHMS))) if self.advisory else self.algorithms


class NewPasskey(BaseModel):
    """What a verified registration found: WebAuthn Level 3 §7.1 step 27."""

    model_config = ConfigDict(frozen=True)

    credential_id: bytes
    public_key: bytes
    """COSE_Key, exactly as the authenticator made it."""
    algorithm: int
    sign_count: int
    aaguid: str
    """Canonical UUID text; only a hint while the attestation is not trusted."""
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    attestation_format: str
    trust: Trust = "none"
    """How well it is known who made the authenticator."""
    certificates: tuple[bytes, ...] = ()
    """The chain of the attestation in DER, the authenticator's first; so that it can be looked at again."""
    quarantine: str | None = None
    """Why no such passkey may be made: something is known against its model."""
    attachment: str = ""
    """``platform``, ``cross-platform`` or empty: the browser's word, which nobody signed."""


class KnownPasskey(BaseModel):
    """What an assertion is checked with: the stored half."""

    model_config = ConfigDict(frozen=True)

    credential_id: bytes
    public_key: bytes
    algorithm: int
    sign_count: int
    backup_eligible: bool
    user_handle: bytes
    """The handle of the account that owns it."""
    transports: tuple[str, ...] = ()
    """As its registration reported them."""
    aaguid: str = ""
    trust: Trust = "none"
    attestation_format: str = "none"
    rp_id: str = ""
    quarantine: str | None = None
    """Why it is in quarantine; ``None`` where it is not."""


class AssertionResponse(BaseModel):
    """A login as the browser sent it, decoded and not yet believed: enough to look the passkey up by."""

    model_config = ConfigDict(frozen=True)

    credential_id: bytes
    user_handle: bytes
    """Whom the authenticator says it is; §7.2 step 6 holds it against the passkey's owner."""
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    attachment: str


class Assertion(BaseModel):
    """What a verified authentication found: WebAuthn Level 3 §7.2 steps 22 to 24 judge and store it."""

    model_config = ConfigDict(frozen=True)

    sign_count: int
    backed_up: bool
    user_verified: bool
    attachment: str
    """``platform``, ``cross-platform`` or empty: the browser's word, for offering local enrolment, never for trust."""
