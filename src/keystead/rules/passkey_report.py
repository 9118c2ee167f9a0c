"""The report of a preview: passkeys and people, counted in all and by what they have in common, with examples."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from keystead.rules.authenticator_names import name_of
from keystead.rules.passkey_preview import Fate, Held, Outcome, Prospect, Why

MOST_MODELS: Final = 500
"""How many models of authenticators are counted each by itself. Without attestation a passkey is of any model that it
says, so that somebody could make up as many as they like; what comes after is counted together."""
OTHER_MODELS: Final = "others"

_IN_TEXT: Final = 5
"""How many reasons a refusal names."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PasskeysAffected(_Told):
    """How many passkeys would not log in, which of them do now, and how many log in because a policy only advises."""

    refused: int
    newly_refused: int
    advised_against: int


class PeopleAffected(_Told):
    """How many people would lose a passkey, every passkey but not every way in, and every way in."""

    refused: int
    re_enrol: int
    stranded: int


class Passkeys(_Told):
    """All passkeys of a connection."""

    total: int
    refused: int
    newly_refused: int
    advised_against: int


class People(_Told):
    """All people of a connection."""

    total: int
    with_passkeys: int
    refused: int
    re_enrol: int
    stranded: int
    enrol: int
    """People without a passkey who must make one, now or from some day on."""


class OfReason(_Told):
    """What is affected for one reason; what is affected for two is counted twice."""

    reason: Why
    passkeys: PasskeysAffected
    people: PeopleAffected


class OfModel(_Told):
    """What is affected of one model of authenticator."""

    aaguid: str
    name: str | None = None
    """What it is called, where that is known."""
    passkeys: PasskeysAffected
    people: PeopleAffected


class OfBackup(_Told):
    """What is affected of the passkeys that can, or cannot, be on several devices, and are, or are not, backed up."""

    device_type: Literal["multi_device", "single_device"]
    backed_up: bool
    passkeys: PasskeysAffected
    people: PeopleAffected


class OfVerification(_Told):
    """What is affected of the passkeys whose user was, or was not, verified when they were used last."""

    user_verified: bool
    passkeys: PasskeysAffected
    people: PeopleAffected


class PasskeyLost(_Told):
    """A passkey that the change would keep out."""

    id: str
    reasons: list[Why]


class Example(_Told):
    """Somebody whom the change would affect."""

    user_id: str
    outcomes: list[Outcome]
    reasons: list[Why]
    passkeys: list[PasskeyLost]


class PreviewReport(_Told):
    """What a change would do."""

    passkeys: Passkeys
    people: People
    by_reason: list[OfReason]
    by_aaguid: list[OfModel]
    by_backup: list[OfBackup]
    by_user_verification: list[OfVerification]
    examples: list[Example] | None = None
    """``None`` where nobody asked for them, or may not see who people are."""
    next: str | None = None
    """Behind whom the examples go on."""

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The numbers in all, for the journal."""
        return {"passkeys": self.passkeys.model_dump(), "people": self.people.model_dump()}

    @property
    def stranded_because(self) -> str:
        """How many people lose every way in for which reason, most first, in one line."""
        found = sorted(self.by_reason, key=lambda each: -each.people.stranded)
        named = [f"{each.reason}: {each.people.stranded}" for each in found if each.people.stranded]
        return ", ".join(named[:_IN_TEXT])


def example(prospect: Prospect) -> Example:
    """Return somebody as an example."""
    lost = [PasskeyLost(id=held.id, reasons=list(fate.reasons)) for held, fate in prospect.lost]
    return Example(
        user_id=prospect.person.user_id,
        outcomes=list(prospect.outcomes),
        reasons=list(prospect.reasons),
        passkeys=sorted(lost, key=lambda each: each.id),
    )


_Group = tuple[str, tuple[tuple[str, str | bool], ...]]
"""In which list of the report something is counted, and what it has in common there."""


@dataclass(slots=True)
class _Tally:
    """How many passkeys and how many people there are of something."""

    passkeys: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PasskeysAffected.model_fields, 0))
    people: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PeopleAffected.model_fields, 0))


@dataclass(slots=True)
class _Tallies:
    """The tally of all, and one for each group: as many numbers as there are kinds of passkeys."""

    all: _Tally = field(default_factory=_Tally)
    groups: dict[_Group, _Tally] = field(default_factory=dict)
    passkeys: int = 0
    people: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("total", "with_passkeys", "enrol"), 0))
    models: int = 0

    def add(self, prospect: Prospect) -> None:
        """Count somebody, each of their passkeys by what it has in common with others, and each group once for them."""
        person = prospect.person
        self.passkeys += len(person.passkeys)
        self.people["total"] += person.alike
        self.people["with_passkeys"] += person.alike * bool(person.passkeys)
        self.people["enrol"] += person.alike * prospect.asked
        concerned = {_of_reason(why) for why in prospect.reasons}
        for held, fate in zip(person.passkeys, prospect.fates, strict=True):
            if fate.reasons:
                concerned.update(self._passkey(held, fate))
        for outcome in prospect.outcomes:
            for tally in (self.all, *(self._tally(each) for each in concerned)):
                tally.people[outcome] += person.alike

    def _passkey(self, held: Held, fate: Fate) -> Iterable[_Group]:
        """Count a passkey that something is said against; return what its owner's outcome has to do with."""
        groups = self._groups(held, fate)
        for tally in (self.all, *(self._tally(each) for each in groups)):
            tally.passkeys["refused"] += not fate.works_then
            tally.passkeys["newly_refused"] += fate.newly_refused
            tally.passkeys["advised_against"] += fate.works_then
        return groups if fate.newly_refused else ()

    def _groups(self, held: Held, fate: Fate) -> list[_Group]:
        credential = held.credential
        device_type = "multi_device" if credential.backup_eligible else "single_device"
        return [
            *(_of_reason(why) for why in fate.reasons),
            self._of_model(credential.aaguid),
            ("by_backup", (("device_type", device_type), ("backed_up", held.backed_up))),
            ("by_user_verification", (("user_verified", credential.user_verified),)),
        ]

    def _of_model(self, aaguid: str) -> _Group:
        group: _Group = ("by_aaguid", (("aaguid", aaguid),))
        if group not in self.groups:
            if self.models == MOST_MODELS:
                return ("by_aaguid", (("aaguid", OTHER_MODELS),))
            self.models += 1
        return group

    def _tally(self, group: _Group) -> _Tally:
        found = self.groups.get(group)
        if found is None:
            found = self.groups[group] = _Tally()
        return found


def counted(prospects: Iterable[Prospect]) -> PreviewReport:
    """Count what a change means for people, one after the other."""
    tallies = _Tallies()
    for prospect in prospects:
        tallies.add(prospect)
    lists: dict[str, list[dict[str, Any]]] = {by: [] for by in PreviewReport.model_fields if by.startswith("by_")}
    for (by, members), tally in sorted(tallies.groups.items(), key=_most_first):
        lists[by].append({**dict(members), "passkeys": tally.passkeys, "people": tally.people})
    for model in lists["by_aaguid"]:
        model["name"] = name_of(model["aaguid"])
    passkeys = {"total": tallies.passkeys, **tallies.all.passkeys}
    return PreviewReport(passkeys=passkeys, people={**tallies.people, **tallies.all.people}, **lists)


def _of_reason(why: Why) -> _Group:
    return ("by_reason", (("reason", why),))


def _most_first(counted: tuple[_Group, _Tally]) -> tuple[object, ...]:
    """Whatever strands most people first."""
    group, tally = counted
    people = [-tally.people[name] for name in ("stranded", "re_enrol", "refused")]
    return (*people, *(-each for each in tally.passkeys.values()), group)
