"""What a change would do to the passkeys and the people that there are, told before it is saved.

No rule is here: ``evaluate`` says of each passkey whether it logs in, as things are and as they would be. People are
looked at one by one, so that a hundred thousand passkeys need no more room than ten.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, get_args

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.passkey_policy import Context, Credential, Judged, evaluate, policy_of
from keystead.rules.passkey_terms import PasskeyPolicy

Outcome = Literal["refused", "re_enrol", "stranded"]
"""What a change means for somebody: a passkey of theirs is refused that logs in now; of those none is left, but another
way in is; there was a way in and none is left."""

Switched = Literal["passkeys_off", "passwords_off", "identifiers"]
Why = Judged | Switched
"""Why a way in is none: what ``evaluate`` says, passkeys or passwords that are switched off, and a password whose owner
has nothing left to type beside it."""

REASONS: Final[tuple[Why, ...]] = (*get_args(Judged), *get_args(Switched))

_REMEMBERED: Final = 1024
"""How many kinds of passkeys are not judged twice; people's passkeys are few kinds, whatever somebody makes up."""

_NOT_AT_LOGIN: Final = (
    *("hints", "timeout_ms", "counter", "max_per_user", "step_up_seconds", "enrollment", "required_after"),
    *("snooze_days", "allow_never_ask", "automatic_upgrade", "passwordless_accounts"),
)
"""The fields of a policy that keep no passkey out whose counter is fine. Every other one may, and so may each that is
new, until a test shows that it belongs here."""

_ANY: Final = PasskeyPolicy()


@dataclass(frozen=True, slots=True)
class WaysIn:
    """All of a connection's options, and of the relying party, that decides who gets in.

    People are judged by nothing else, so that nobody gains or loses a way in where two of these are equal.
    """

    passwords: bool
    passkeys: bool
    identifiers: frozenset[IdentifierKind]
    """What people log in with who have a password."""
    policy: PasskeyPolicy
    rp_ids: tuple[str, ...]
    """The relying party ids whose passkeys log in."""
    asks: bool = field(default=False, compare=False)
    """Whether people without a passkey must make one, now or from some day on."""


def ways_in(options: ConnectionOptions, rp_ids: tuple[str, ...]) -> WaysIn:
    """Return what decides who gets in."""
    policy = policy_of(options)
    return WaysIn(
        passwords=options.methods.password.enabled,
        passkeys=options.methods.passkey.enabled,
        identifiers=frozenset(options.active_identifiers()),
        policy=policy.model_copy(update={name: getattr(_ANY, name) for name in _NOT_AT_LOGIN}),
        rp_ids=rp_ids,
        asks=policy.enrollment == "required" and policy.mode == "enforce",
    )


@dataclass(frozen=True, slots=True)
class Held:
    """A passkey as it is stored, seen as its next login would see it: the user verified or not, as the last time."""

    id: str
    backed_up: bool
    credential: Credential


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with all that they could log in with."""

    user_id: str
    has_password: bool
    identifiers: frozenset[IdentifierKind]
    passkeys: tuple[Held, ...] = ()
    alike: int = 1
    """For how many this one stands. Nobody with a passkey stands for others."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a passkey, and why."""

    works_now: bool
    works_then: bool
    reasons: tuple[Why, ...]
    """What is said against it after the change, be it only as advice."""

    @property
    def newly_refused(self) -> bool:
        """Whether the change is what keeps it out."""
        return self.works_now and not self.works_then


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a change means for somebody."""

    person: Person
    fates: tuple[Fate, ...]
    """One for each passkey, in their order."""
    outcomes: tuple[Outcome, ...]
    reasons: tuple[Why, ...]
    """Why ways in are lost that the outcomes are about."""
    asked: bool
    """Whether they have no passkey that works, get in, and must make one."""

    @property
    def lost(self) -> Iterator[tuple[Held, Fate]]:
        """The passkeys that the change keeps out."""
        return ((held, fate) for held, fate in zip(self.person.passkeys, self.fates, strict=True) if fate.newly_refused)


def prospects(before: WaysIn, after: WaysIn, people: Iterable[Person]) -> Iterator[Prospect]:
    """Say of each of some people what it means for them that one becomes the other."""

    @lru_cache(maxsize=_REMEMBERED)
    def fate_of(credential: Credential) -> Fate:
        works_now, _ = _judged(before, credential)
        works_then, reasons = _judged(after, credential)
        return Fate(works_now, works_then, reasons)

    return (_prospect(before, after, person, fate_of) for person in people)


def _judged(ways: WaysIn, credential: Credential) -> tuple[bool, tuple[Why, ...]]:
    """Return whether a passkey logs in, and what is said against it."""
    if not ways.passkeys:
        return False, ("passkeys_off",)
    verdict = evaluate(ways.policy, credential, Context(registers=False, rp_ids=ways.rp_ids))
    return not verdict.refused, tuple(each.field for each in verdict.reasons)


def _prospect(before: WaysIn, after: WaysIn, person: Person, fate_of: Callable[[Credential], Fate]) -> Prospect:
    fates = tuple(fate_of(each.credential) for each in person.passkeys)
    password_now, password_then = _has_password_login(before, person), _has_password_login(after, person)
    outcomes = _outcomes(fates, password_now, password_then)
    reasons: dict[Why, None] = {why: None for fate in fates if fate.newly_refused for why in fate.reasons}
    if password_now and "stranded" in outcomes:
        reasons["identifiers" if after.passwords else "passwords_off"] = None
    asked = after.asks and password_then and not any(fate.works_then for fate in fates)
    return Prospect(person, fates, outcomes, tuple(reasons), asked)


def _outcomes(fates: Sequence[Fate], password_now: bool, password_then: bool) -> tuple[Outcome, ...]:
    lost: tuple[Outcome, ...] = ("refused",) if any(each.newly_refused for each in fates) else ()
    if any(each.works_then for each in fates):
        return lost
    if password_then:
        return (*lost, "re_enrol") if lost else ()
    had = password_now or any(each.works_now for each in fates)
    return (*lost, "stranded") if had else ()


def _has_password_login(ways: WaysIn, person: Person) -> bool:
    """Whether somebody has a password, passwords are on, and there is a name to type beside it."""
    return ways.passwords and person.has_password and not ways.identifiers.isdisjoint(person.identifiers)
