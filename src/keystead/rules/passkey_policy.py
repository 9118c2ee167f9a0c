"""Which methods a connection offers, and what its policy says of a passkey.

``evaluate`` is the only judge: registration and login ask it, and whoever wants to know what a policy would do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from keystead.rules.ceremonies import Ceremony, KnownPasskey, NewPasskey
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.passkey_terms import MOST_PER_USER, Allowed, Mode, PasskeyPolicy, Trust, reaches

CEREMONY_LIFETIME: Final = timedelta(seconds=300)
Judged = Literal[
    "relying_party",
    "quarantine",
    "user_verification",
    "attestation",
    "authenticators",
    "backup",
    "attachment",
    "algorithms",
    "counter",
    "max_per_user",
]
"""What a passkey can break: the fields of a policy, and two that no policy can soften."""

ALWAYS: Final[frozenset[Judged]] = frozenset({"relying_party", "quarantine"})
"""What refuses in a policy that advises, too: a passkey of another address, and one that was taken out of use."""


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


def without_passwords(options: ConnectionOptions) -> bool:
    """Whether accounts may live without a password for good: the policy says so, or the connection has none at all."""
    allowed = policy_of(options).passwordless_accounts or not options.methods.password.enabled
    return options.methods.passkey.enabled and allowed


def recoverable(options: ConnectionOptions) -> bool:
    """Whether a code leads somebody who lost their passkeys to a new one.

    Whoever wants no message to open an account switches this off together with the reset of passwords.
    """
    return without_passwords(options) and not options.disable_self_service_change_password


def policy_of(options: ConnectionOptions) -> PasskeyPolicy:
    """Return what a connection asks of passkeys; hardened ones require user verification unless they say otherwise."""
    policy = options.passkey_policy or PasskeyPolicy()
    if options.hardened and "user_verification" not in policy.model_fields_set:
        return policy.model_copy(update={"user_verification": "required"})
    return policy


def warnings(options: ConnectionOptions) -> list[str]:
    """Return what an administrator should know of a policy that is allowed and weak."""
    if not options.methods.passkey.enabled:
        return []
    policy, alone = policy_of(options), not options.methods.password.enabled
    asked, models = policy.user_verification, policy.authenticators
    claimed = models.trust == "none" and any(rule.trust == "none" for rule in models.allow)
    found = {
        "user_verification: discouraged lets in whoever holds the device": asked == "discouraged",
        "user_verification: preferred is skipped by some browsers, and there is no password beside it": (
            asked == "preferred" and alone
        ),
        "authenticators.allow: with trust none anybody can claim to be of a model that is allowed": claimed,
        "automatic_upgrade: a passkey that a browser makes by itself often has no user verification": (
            policy.automatic_upgrade and asked == "required"
        ),
        "passwordless_accounts: without verification at sign-up some will have no address to recover by": (
            recoverable(options) and not options.verified_at_signup()
        ),
    }
    return [text for text, holds in found.items() if holds]


# --- the verdict -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Credential:
    """What is known of a passkey: what its authenticator signed, and how its registration says it is reached."""

    algorithm: int
    backup_eligible: bool
    user_verified: bool
    """In this ceremony, by the authenticator's word."""
    transports: tuple[str, ...] = ()
    """As the browser reported them when the passkey was registered; nobody signs them."""
    aaguid: str = ""
    trust: Trust = "none"
    attestation_format: str = "none"
    rp_id: str = ""
    quarantine: str | None = None
    """Why it was taken out of use; ``None`` where it was not."""


def of_new(new: NewPasskey, rp_id: str) -> Credential:
    """Return what is known of a passkey that was just made."""
    return Credential(
        algorithm=new.algorithm,
        backup_eligible=new.backup_eligible,
        user_verified=new.user_verified,
        transports=new.transports,
        aaguid=new.aaguid,
        trust=new.trust,
        attestation_format=new.attestation_format,
        rp_id=rp_id,
        quarantine=new.quarantine,
    )


def of_known(known: KnownPasskey, *, user_verified: bool) -> Credential:
    """Return what is known of a stored passkey."""
    return Credential(
        algorithm=known.algorithm,
        backup_eligible=known.backup_eligible,
        user_verified=user_verified,
        transports=known.transports,
        aaguid=known.aaguid,
        trust=known.trust,
        attestation_format=known.attestation_format,
        rp_id=known.rp_id,
        quarantine=known.quarantine,
    )


@dataclass(frozen=True, slots=True)
class Counters:
    """A signature counter as it was, and as it is shown now."""

    stored: int
    reported: int

    @property
    def went_back(self) -> bool:
        """Whether there may be a clone (WebAuthn Level 3 §7.2 step 22). 0 and 0: the authenticator does not count."""
        return self.reported <= self.stored and (self.stored, self.reported) != (0, 0)


@dataclass(frozen=True, slots=True)
class Context:
    """What a passkey is shown for."""

    registers: bool
    attachment: str = ""
    """For registrations: ``platform``, ``cross-platform`` or empty, the browser's word."""
    passkeys: int = 0
    """For registrations: how many the account has already."""
    counters: Counters | None = None
    """For logins."""
    rp_ids: tuple[str, ...] | None = None
    """The relying party ids that passkeys may be of; ``None`` where the ceremony itself has settled it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A field of the policy that a passkey breaks, and how."""

    field: Judged
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of a passkey."""

    mode: Mode
    reasons: tuple[Reason, ...]
    suspicious_counter: bool = False
    """Whether the counter went back and the policy cares, be it only to have it recorded."""

    @property
    def refused(self) -> bool:
        """Whether it is turned away. A policy that advises turns nobody away, but for what no policy can soften."""
        return bool(self.reasons) and (self.mode == "enforce" or any(each.field in ALWAYS for each in self.reasons))

    @property
    def text(self) -> str:
        """All reasons in one line, for the log."""
        return "passkey policy: " + "; ".join(f"{each.field}: {each.why}" for each in self.reasons)


def evaluate(policy: PasskeyPolicy, credential: Credential, context: Context) -> Verdict:
    """Judge a passkey, with every reason that there is against it."""
    found = ((field, rule(policy, credential, context)) for field, rule in _RULES.items())
    went_back = context.counters is not None and context.counters.went_back
    return Verdict(
        policy.mode,
        tuple(Reason(field, why) for field, why in found if why),
        suspicious_counter=went_back and policy.counter != "ignore",
    )


def as_begun(policy: PasskeyPolicy, ceremony: Ceremony) -> PasskeyPolicy:
    """Return today's policy with what was settled when a ceremony began.

    Whoever was told one thing is not judged by another; what an authenticator cannot be asked for, such as its backup
    flags, counts as the policy is now.
    """
    settled: dict[str, object] = {
        "user_verification": ceremony.user_verification,
        "attachment": ceremony.attachment,
        "algorithms": list(ceremony.algorithms) or policy.algorithms,
    }
    if ceremony.is_registration:
        settled["attestation"] = ceremony.attestation
    return policy.model_copy(update=settled)


def is_full(policy: PasskeyPolicy, passkeys: int) -> bool:
    """Whether an account can have no more. Advice ends at a hundred: beyond, it is a matter of resources."""
    return passkeys >= (policy.max_per_user if policy.mode == "enforce" else MOST_PER_USER)


def _relying_party(_: PasskeyPolicy, credential: Credential, context: Context) -> str:
    gone = context.rp_ids is not None and credential.rp_id not in context.rp_ids
    return f"the passkey is of {credential.rp_id}" if gone else ""


def _quarantine(_: PasskeyPolicy, credential: Credential, __: Context) -> str:
    return f"the passkey is in quarantine: {credential.quarantine}" if credential.quarantine is not None else ""


def _attestation(policy: PasskeyPolicy, credential: Credential, _: Context) -> str:
    """To ask indirectly is to take what comes; whoever asks directly means it."""
    wanting = policy.attestation in ("direct", "enterprise") and credential.attestation_format == "none"
    return "there is no attestation" if wanting else ""


def _authenticators(policy: PasskeyPolicy, credential: Credential, _: Context) -> str:
    """A model is only as good as the trust that it is known with: anybody can write an AAGUID (CVE-2026-6856)."""
    rules, trust = policy.authenticators, credential.trust
    if any(rule.aaguid == credential.aaguid and reaches(trust, rule.trust) for rule in rules.deny):
        return f"the authenticator {credential.aaguid} is denied"
    if rules.trust != "none" and not reaches(trust, rules.trust):
        return f"trust {trust} is below {rules.trust}"
    return _not_allowed(rules.allow, credential) if rules.allow else ""


def _not_allowed(allow: Sequence[Allowed], credential: Credential) -> str:
    needed = {rule.aaguid: rule.trust for rule in allow}.get(credential.aaguid)
    if needed is None:
        return f"the authenticator {credential.aaguid} is not among those that are allowed"
    enough = reaches(credential.trust, needed)
    return "" if enough else f"the authenticator {credential.aaguid} needs trust {needed} and has {credential.trust}"


def _user_verification(policy: PasskeyPolicy, credential: Credential, _: Context) -> str:
    wanting = policy.user_verification == "required" and not credential.user_verified
    return "the user was not verified" if wanting else ""


def _backup(policy: PasskeyPolicy, credential: Credential, _: Context) -> str:
    """By the flag BE, which never changes in the life of a passkey; BS comes and goes."""
    if policy.backup == "device_bound_only" and credential.backup_eligible:
        return "the passkey can be synced"
    if policy.backup == "synced_only" and not credential.backup_eligible:
        return "the passkey is bound to one device"
    return ""


def _attachment(policy: PasskeyPolicy, credential: Credential, context: Context) -> str:
    """Browser and authenticator do not sign this. Whoever contradicts it is refused, and so is a silent registration.

    At a login only the transports of the registration count: the same passkey of a phone is at hand on the phone, and
    at a distance for the computer beside it.
    """
    if policy.attachment == "any":
        return ""
    inside = policy.attachment == "platform"
    reached = [each for each in credential.transports if (each == "internal") == inside]
    if credential.transports and not reached:
        return f"the passkey is reached by {', '.join(credential.transports)}"
    if context.registers and context.attachment not in ("", policy.attachment.replace("_", "-")):
        return f"the authenticator is {context.attachment}"
    if context.registers and not credential.transports and not context.attachment:
        return "nothing says where the authenticator is"
    return ""


def _algorithms(policy: PasskeyPolicy, credential: Credential, _: Context) -> str:
    return "" if credential.algorithm in policy.algorithms else f"algorithm {credential.algorithm}"


def _counter(policy: PasskeyPolicy, credential: Credential, context: Context) -> str:
    """Synced passkeys do not keep one counter between devices, so that ``auto`` does not hold it against them."""
    refuses = policy.counter == "refuse" or (policy.counter == "auto" and not credential.backup_eligible)
    seen = context.counters
    return f"the counter went back from {seen.stored} to {seen.reported}" if refuses and seen and seen.went_back else ""


def _max_per_user(policy: PasskeyPolicy, _: Credential, context: Context) -> str:
    too_many = context.registers and context.passkeys >= policy.max_per_user
    return f"the account has {context.passkeys} passkeys" if too_many else ""


_RULES: Final[dict[Judged, Callable[[PasskeyPolicy, Credential, Context], str]]] = {
    "relying_party": _relying_party,
    "quarantine": _quarantine,
    "user_verification": _user_verification,
    "attestation": _attestation,
    "authenticators": _authenticators,
    "backup": _backup,
    "attachment": _attachment,
    "algorithms": _algorithms,
    "counter": _counter,
    "max_per_user": _max_per_user,
}
"""One rule for each field; what a rule returns is what is wrong, or nothing."""
