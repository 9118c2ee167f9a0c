"""How often may somebody try: the settings (AP-1 to AP-9), and which limits an attempt meets under them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from keystead.rules.buckets import (
    ACCOUNT,
    Bucket,
    LockKey,
    Where,
    address_bucket,
    lock_bucket,
    passkey_bucket,
    same_user_bucket,
    source,
)
from keystead.rules.complaints import parse
from keystead.rules.identifiers import Identifier
from keystead.rules.known_devices import Device

BRUTE_FORCE: Final = "brute_force_protection"
SUSPICIOUS_IP: Final = "suspicious_ip_throttling"
LOCK: Final = "attack_protection"
SETTINGS: Final = (BRUTE_FORCE, SUSPICIOUS_IP, LOCK)
"""The names of the settings among those of the tenant."""

COST_OF_KNOWN: Final = 0.1
"""What it costs to try a password again that was wrong before: an old one that a phone still keeps, not a guess."""

Rule = Literal["same_user", "suspicious_ip", "brute_force", "device", "strangers", "account", "passkey"]
"""Which limit it is. The last five are brute-force protection: of an address, a device, all strangers, everybody; and
of a passkey at an address."""

EVENTS: Final[dict[Rule, str]] = {
    "same_user": "limit_sul",
    "suspicious_ip": "limit_mu",
    "brute_force": "limit_wc",
    "device": "limit_wc",
    "strangers": "limit_wc",
    "account": "limit_wc",
    "passkey": "limit_wc",
}
"""What the journal calls an attempt that met the limit."""

Settled = Literal["kept", "given_back", "emptied"]
"""What becomes of a charge where the secret was right."""

_LOCKS: Final[dict[Where, Rule]] = {
    "from": "brute_force",
    "device": "device",
    "strangers": "strangers",
    "anywhere": "account",
}
"""Which limit the lock of whose attempts is."""

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"Not an IP address or a CIDR range: {text[:100]}") from None
    return text


AllowList = Annotated[list[Annotated[str, AfterValidator(_network)]], Field(max_length=100)]
"""Addresses and networks that a limit does not count (AP-5)."""


class BruteForce(BaseModel):
    """``brute-force-protection`` as the wire has it. Without a shield, blocks are only recorded (AP-4)."""

    model_config = _CLOSED
    enabled: bool = True
    shields: list[Literal["block", "user_notification"]] = ["block", "user_notification"]
    mode: Literal["count_per_identifier_and_ip", "count_per_identifier"] = "count_per_identifier_and_ip"
    allowlist: AllowList = []
    max_attempts: int = Field(default=10, ge=1, le=100)


class LoginStage(BaseModel):
    """Failed logins of one address: a bucket of ``max_attempts`` that regains one every ``rate`` milliseconds."""

    model_config = _CLOSED
    max_attempts: int = Field(default=100, ge=1, le=2500)
    rate: int = Field(default=864_000, ge=34_560, le=86_400_000)


class SignupStage(BaseModel):
    """Sign-ups of one address, counted alike."""

    model_config = _CLOSED
    max_attempts: int = Field(default=50, ge=1, le=72_000)
    rate: int = Field(default=1_728_000, ge=1_200, le=86_400_000)


class AddressStages(BaseModel):
    """What is counted apart."""

    model_config = _CLOSED
    login: LoginStage = Field(default=LoginStage(), alias="pre-login")
    signup: SignupStage = Field(default=SignupStage(), alias="pre-user-registration")


class SuspiciousIp(BaseModel):
    """``suspicious-ip-throttling`` as the wire has it (AP-9)."""

    model_config = _CLOSED
    enabled: bool = True
    shields: list[Literal["block", "admin_notification"]] = ["admin_notification", "block"]
    allowlist: AllowList = []
    stage: AddressStages = AddressStages()


class LockSettings(BaseModel):
    """Ours: whose failures lock whom out."""

    model_config = _CLOSED
    lock_scope: Literal["device_aware", "auth0"] = "device_aware"
    """``device_aware``: a device that somebody logged in on before has a lock of its own, and strangers share one."""
    max_attempts_by_strangers: int = Field(default=100, ge=1, le=10_000)
    """Tries that all unknown devices and addresses together have at one identifier, regained over thirty days."""


Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Guards:
    """All settings together."""

    brute_force: BruteForce
    suspicious_ip: SuspiciousIp
    lock: LockSettings


def read_guards(stored: Mapping[str, Any]) -> Guards:
    """Read settings that were checked when they were stored; the defaults where nobody stored any."""
    return Guards(
        BruteForce.model_validate(stored.get(BRUTE_FORCE) or {}),
        SuspiciousIp.model_validate(stored.get(SUSPICIOUS_IP) or {}),
        LockSettings.model_validate(stored.get(LOCK) or {}),
    )


def at_least_the_defaults(guards: Guards) -> Guards:
    """Return settings that are nowhere weaker than the defaults: those of the administrators' own sign-in.

    Whoever may change the settings would otherwise guess the owners' passwords for as long as they like.
    """
    usual, was, login, lock = read_guards({}), guards.brute_force, guards.suspicious_ip.stage.login, guards.lock
    brute_force = usual.brute_force.model_copy(
        update={"mode": was.mode, "max_attempts": min(was.max_attempts, usual.brute_force.max_attempts)}
    )
    stage = usual.suspicious_ip.stage
    login = LoginStage(
        max_attempts=min(login.max_attempts, stage.login.max_attempts), rate=max(login.rate, stage.login.rate)
    )
    suspicious_ip = usual.suspicious_ip.model_copy(update={"stage": stage.model_copy(update={"login": login})})
    by_strangers = min(lock.max_attempts_by_strangers, usual.lock.max_attempts_by_strangers)
    return Guards(brute_force, suspicious_ip, LockSettings(max_attempts_by_strangers=by_strangers))


def edit(current: Settings, body: Mapping[str, Any]) -> Settings:
    """Return settings after a PATCH: members that it does not name stay, inside of other members too.

    The body is read alone first, so that what is wrong in it has its own path. Raises ``BadRequest`` by path.
    """
    given = parse(type(current), body).model_dump(mode="json", by_alias=True, exclude_unset=True)
    return type(current).model_validate(_merged(on_wire(current), given))


def on_wire(settings: BaseModel) -> dict[str, Any]:
    """Return settings as they are stored and shown; what nobody said is left out where it has no default."""
    return settings.model_dump(mode="json", by_alias=True, exclude_none=True)


def _merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    inner = {
        name: _merged(before[name], value)
        for name, value in given.items()
        if isinstance(value, dict) and isinstance(before.get(name), dict)
    }
    return {**before, **given, **inner}


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that an attempt meets: a bucket, and what a full one means."""

    rule: Rule
    bucket: Bucket
    blocks: bool = True
    """Whether a full bucket refuses; else it is only recorded (monitoring)."""
    notifies: bool = False
    """Whether somebody is told when the bucket fills."""
    weighs: bool = True
    """Whether a password that is known to be wrong costs less."""
    on_success: Settled = "emptied"
    """What becomes of the charge where the secret was right."""


@dataclass(frozen=True, slots=True)
class Guess:
    """Who is asked for, where from: what the limits of a password depend on."""

    connection_id: str
    identifier: Identifier | None
    text: str
    """What stands for text that is no identifier: a keyed hash, since it may be a password in the wrong field."""
    address: str
    device: Device | None = None
    tenure: str = ""
    """The account's, where a device is shown and there is one (``Profile.tenure``)."""
    protected: bool = True
    """Whether the connection has its brute-force protection on (AP-2)."""
    administers: bool = False
    """Whether the connection is the administrators': no setting weakens what meets a guess there."""

    @property
    def who(self) -> tuple[str, str]:
        """Kind and value, canonical, so that another spelling is not another bucket.

        Text that is no identifier is counted too: it costs the same hash.
        """
        return self.identifier.counted_as if self.identifier else ("text", self.text)

    @property
    def place(self) -> str:
        """Where it comes from: a device that is known for whoever is asked for, or else an address."""
        device = self.known_device
        return f"device/{device.id}" if device else source(self.address)

    @property
    def known_device(self) -> Device | None:
        """The device, where somebody logged in on it with this identifier before."""
        if self.identifier is None or self.device is None:
            return None
        return self.device if self.device.knows(self.connection_id, self.identifier, self.tenure) else None


def password_limits(guards: Guards, guess: Guess) -> list[Limit]:
    """Return the limits of trying a password, in the order in which they are charged.

    A known device that has a lock of its own shares none with anybody: whoever fails beside it, behind the same
    address, must not block it.
    """
    locked = _is_locked(guards, guess)
    device = guess.known_device if locked and guards.lock.lock_scope == "device_aware" else None
    where = f"device/{device.id}" if device else source(guess.address)
    same_user = same_user_bucket(guess.connection_id, guess.who, where)
    limits = [Limit("same_user", same_user, weighs=False, on_success="kept")]
    if device is None:
        limits += address_limits(guards, guess.address)
    if locked:
        limits += _locks(guards, guess, guess.who, device)
    return limits


def account_limits(guards: Guards, guess: Guess, user_id: str) -> list[Limit]:
    """Return the locks of whomever the customer's database found by what was typed.

    It may find one person by any number of spellings, each of which has locks of its own. A device that is known for
    what was typed meets none: these locks are filled by whoever likes.
    """
    known = guess.known_device if guards.lock.lock_scope == "device_aware" else None
    if known is not None or not _is_locked(guards, guess):
        return []
    return list(_locks(guards, guess, (ACCOUNT, user_id), None))


def _is_locked(guards: Guards, guess: Guess) -> bool:
    settings = guards.brute_force
    return settings.enabled and guess.protected and not is_allowed(guess.address, settings.allowlist)


def _locks(guards: Guards, guess: Guess, who: tuple[str, str], device: Device | None) -> Iterator[Limit]:
    """Give the locks of brute-force protection that an attempt meets (AP-2, AP-3), by the scope of locks."""
    settings = guards.brute_force
    which = {"from": source(guess.address), "device": device.id if device else ""}
    for where in locks_in_force(guards):
        if (where == "device") == (device is not None):
            key = LockKey(guess.connection_id, *who, where, which.get(where, ""))
            bucket = lock_bucket_of(guards, key)
            blocks, notifies = "block" in settings.shields, "user_notification" in settings.shields
            # What strangers share leaks, so that one of them who is right empties it for none of the others.
            settled: Settled = "given_back" if bucket.lasts is None else "emptied"
            yield Limit(_LOCKS[where], bucket, blocks, notifies, on_success=settled)


def locks_in_force(guards: Guards) -> tuple[Where, ...]:
    """Return whose attempts at one identifier are counted (AP-3), by the mode and the scope of locks.

    Strangers alone fill the lock of an account where devices are known; everybody does at Auth0, which is how victims
    are locked out.
    """
    whole_account = guards.brute_force.mode == "count_per_identifier"
    if guards.lock.lock_scope == "device_aware":
        return ("device", "strangers") if whole_account else ("device", "from", "strangers")
    return ("anywhere",) if whole_account else ("from",)


def lock_bucket_of(guards: Guards, key: LockKey) -> Bucket:
    """Return the bucket of a lock, as large as the settings are now."""
    if key.where == "strangers" and guards.brute_force.mode == "count_per_identifier_and_ip":
        return lock_bucket(key, guards.lock.max_attempts_by_strangers, leaks=True)
    return lock_bucket(key, guards.brute_force.max_attempts)


def lock_that_counts(guards: Guards, key: LockKey) -> Bucket | None:
    """Return the bucket of a lock; ``None`` where it counts nobody as the settings are now.

    By their mode and scope, or since its address is on the allow list.
    """
    spared = key.where == "from" and is_allowed(key.which, guards.brute_force.allowlist)
    return lock_bucket_of(guards, key) if key.where in locks_in_force(guards) and not spared else None


def passkey_limits(guards: Guards, credential_id: bytes, address: str) -> list[Limit]:
    """Return the limits of a wrong signature: of its address, and of this passkey there (NIST SP 800-63B §3.2.2)."""
    limits, settings = address_limits(guards, address), guards.brute_force
    if settings.enabled and not is_allowed(address, settings.allowlist):
        bucket = passkey_bucket(credential_id, address, settings.max_attempts)
        limits.append(Limit("passkey", bucket, "block" in settings.shields))
    return limits


def address_limits(guards: Guards, address: str, stage: Literal["login", "signup"] = "login") -> list[Limit]:
    """Return the limit of one address: of failed logins by whatever secret, or of sign-ups (AP-9)."""
    settings = guards.suspicious_ip
    if not settings.enabled or is_allowed(address, settings.allowlist):
        return []
    stages: dict[str, LoginStage | SignupStage] = {"login": settings.stage.login, "signup": settings.stage.signup}
    bucket = address_bucket(stage, address, stages[stage].max_attempts, stages[stage].rate)
    return [
        Limit(
            "suspicious_ip",
            bucket,
            "block" in settings.shields,
            "admin_notification" in settings.shields,
            on_success="given_back" if stage == "login" else "kept",
        )
    ]


def is_allowed(address: str, allowlist: list[str]) -> bool:
    """Whether an address, or the network that stands for it, is in a list; what is no address never is."""
    try:
        asked = ip_network(address)
    except ValueError:
        return False
    return any(_holds(ip_network(each, strict=False), asked) for each in allowlist)


def _holds(network: IPv4Network | IPv6Network, asked: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network) and isinstance(asked, IPv4Network):
        return asked.subnet_of(network)
    return isinstance(network, IPv6Network) and isinstance(asked, IPv6Network) and asked.subnet_of(network)


def places_of_one(workers: int, queue: int) -> int:
    """Return how many hashes one source may have under way: half of all, but never fewer than there are threads.

    Whoever is alone may use every thread, and a whole office may log in at once; nobody can fill the queue from one
    address. Calls of action scripts alike, by the children of a connection.
    """
    return max(workers, (workers + queue) // 2)
