"""Shadow mode: what the customer's database says of a login that was decided here, held against our own verdict.

Nobody's login depends on any of it. What is compared is the moment after: the same identifier and password, given to
the script ``login`` when the answer is on its way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal, get_args

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Profile
from keystead.rules.returned_profiles import Returned, UnusableProfile, read
from keystead.rules.script_trials import Tried

Kind = Literal[
    "both_let_in",
    "both_refused",
    "changed_here",
    "only_here",
    "only_there",
    "other_id",
    "other_profile",
    "script_failed",
    "dropped",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

LISTED: Final[frozenset[Kind]] = frozenset({"changed_here", "only_here", "only_there", "other_id", "other_profile"})
"""Differences that are listed one by one: whoever is behind one had the right password, here or there.

A wrong password that both refuse, or a script that fails, is counted alone: a guesser would fill the list.
"""

SERIOUS: Final[frozenset[Kind]] = frozenset({"only_here", "only_there", "other_id"})
"""Differences that people would notice after a cut-over, in one direction or the other."""

KEPT: Final = timedelta(days=30)
"""How long counts and differences are kept."""

MOST_LISTED: Final = 1000
"""How many differences of a connection are kept: the newest."""

ENOUGH: Final = 100
"""How many logins must agree before a cut-over is advised, unless somebody says otherwise."""

DAYS: Final = 7
"""In how many days, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What we said of a login: who it was about, and whether the password was right."""

    profile: Profile
    let_in: bool
    changed_here: bool = False
    """Whether the password was changed here since the person came: the customer's database has not heard of it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing."""

    kind: Kind
    about: Mapping[str, Any]
    """What differs, by name; never a password, and no values of a profile."""


def compare(ours: Ours, theirs: Tried, options: ConnectionOptions, identifier: Identifier) -> Comparison:
    """Hold the verdict of the script against our own."""
    if theirs.outcome == "failed":
        return Comparison("script_failed", {"failure": theirs.failure[:200]})
    refusal = theirs.refusal
    if refusal and refusal.kind in ("error", "validation"):
        return Comparison("script_failed", {"failure": (refusal.message or refusal.code)[:200]})
    if refusal or theirs.value is None:  # ``unauthorized`` too: on purpose, it would not have let them in
        return _refused(ours, known_there=bool(refusal and refusal.user_id))
    try:
        found = read(theirs.value, options, [identifier])
    except UnusableProfile as why:
        return Comparison("script_failed", {"failure": str(why)[:200]})
    return _both(ours.profile, found) if ours.let_in else Comparison("only_there", {})


def _refused(ours: Ours, *, known_there: bool) -> Comparison:
    if not ours.let_in:
        return Comparison("both_refused", {})
    kind: Kind = "changed_here" if ours.changed_here and known_there else "only_here"
    return Comparison(kind, {"known_there": known_there})


def _both(profile: Profile, found: Returned) -> Comparison:
    if found.user_id != profile.user_id:
        return Comparison("other_id", {"user_id": found.user_id})
    there: dict[str, Any] = {str(kind): value for kind, value in found.identifiers.items()} | dict(found.names)
    there |= {"email_verified": found.email_verified, "phone_verified": found.phone_verified}
    differing = [name for name, value in there.items() if value is not None and value != getattr(profile, name)]
    return Comparison("other_profile", {"attributes": differing}) if differing else Comparison("both_let_in", {})


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether a cut-over is advised, and why or why not."""

    ready: bool
    text: str


def advise(counts: Mapping[Kind, int], *, enough: int, days: int) -> Advice:
    """Say whether the last days show that either database could go on alone."""
    agreed, serious = counts.get("both_let_in", 0) + counts.get("other_profile", 0), _sum(counts, SERIOUS)
    of = f"in the last {days} days"
    if serious:
        logins = "One login" if serious == 1 else f"{serious} logins"
        return Advice(False, f"{logins} ended differently here and there {of}: look at the differences first.")
    if agreed < enough:
        return Advice(False, f"{agreed} of {enough} logins agreed {of}, and none differed: wait for more.")
    unseen = counts.get("dropped", 0) + counts.get("script_failed", 0)
    if unseen > agreed:
        return Advice(False, f"More logins could not be compared ({unseen}) than agreed ({agreed}) {of}.")
    attributes = counts.get("other_profile", 0)
    besides = f" Of {attributes} of them attributes differ." if attributes else ""
    return Advice(True, f"{agreed} logins agreed {of}, and none differed: a cut-over is advised.{besides}")


def _sum(counts: Mapping[Kind, int], kinds: frozenset[Kind]) -> int:
    return sum(counts.get(kind, 0) for kind in kinds)


def window(today: date, days: int) -> date:
    """Return the first of the last so many days, today among them."""
    return today - timedelta(days=days - 1)


def summed(found: Sequence[tuple[date, Kind, int]]) -> dict[Kind, int]:
    """Return the counts of some days together."""
    total: dict[Kind, int] = {}
    for _, kind, count in found:
        total[kind] = total.get(kind, 0) + count
    return total


def by_day(found: Sequence[tuple[date, Kind, int]]) -> list[dict[str, Any]]:
    """Return the counts of each day as the Management API shows them, the newest day first."""
    days: dict[date, dict[str, int]] = {}
    for day, kind, count in found:
        days.setdefault(day, {})[kind] = count
    return [{"date": day.isoformat(), "counts": days[day]} for day in sorted(days, reverse=True)]
