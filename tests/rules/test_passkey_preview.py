"""What a change means for people: who is refused, asked to re-enrol, stranded; and how that is counted."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.connections import new_options, read_options
from keystead.rules.passkey_policy import Context, Credential, evaluate, policy_of
from keystead.rules.passkey_preview import Held, Person, Prospect, WaysIn, prospects, ways_in
from keystead.rules.passkey_report import MOST_MODELS, OTHER_MODELS, PreviewReport, counted, example
from keystead.rules.passkey_terms import PasskeyPolicy
from policies import FORMATS, LEVELS, MODELS, POLICIES, Json, options_of

OURS = ("localhost",)


def ways(
    *,
    passwords: bool = True,
    passkeys: bool = True,
    kinds: tuple[str, ...] = ("email",),
    rp_ids: tuple[str, ...] = OURS,
    **policy: Any,
) -> WaysIn:
    """Return who gets in by some options."""
    options = options_of((passwords, passkeys), kinds, policy)
    return ways_in(read_options(new_options(options)), rp_ids)


def passkey(name: str = "one", *, backed_up: bool = True, **facts: Any) -> Held:
    """Return a synced passkey whose user was verified, or one that differs in something."""
    known: Json = {"algorithm": -7, "backup_eligible": True, "user_verified": True, "aaguid": MODELS[0]}
    return Held(name, backed_up, Credential(**known | {"rp_id": OURS[0]} | facts))


def person(
    *passkeys: Held, password: bool = False, kinds: tuple[Any, ...] = ("email",), alike: int = 1, name: str = "ann"
) -> Person:
    """Return somebody."""
    return Person(name, password, frozenset(kinds), passkeys, alike)


def prospect(before: WaysIn, after: WaysIn, who: Person) -> Prospect:
    """Return what a change means for one person."""
    (found,) = prospects(before, after, [who])
    return found


SYNCED, BOUND = passkey("synced"), passkey("bound", backup_eligible=False)
NOW = ways()
NO_SYNCED = ways(backup="device_bound_only")


@dataclass(frozen=True)
class Case:
    """Somebody, a change, and what it means for them."""

    who: Person
    after: WaysIn
    outcomes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    before: WaysIn = NOW


CASES = {
    "nothing changes": Case(person(SYNCED), NOW),
    "the only passkey": Case(person(SYNCED), NO_SYNCED, ("refused", "stranded"), ("backup",)),
    "a password is left": Case(person(SYNCED, password=True), NO_SYNCED, ("refused", "re_enrol"), ("backup",)),
    "a passkey is left": Case(person(SYNCED, BOUND), NO_SYNCED, ("refused",), ("backup",)),
    "both are left": Case(person(SYNCED, BOUND, password=True), NO_SYNCED, ("refused",), ("backup",)),
    "a passkey that obeys": Case(person(BOUND), NO_SYNCED),
    "several reasons": Case(
        person(passkey(user_verified=False)),
        ways(backup="device_bound_only", user_verification="required"),
        ("refused", "stranded"),
        ("user_verification", "backup"),
    ),
    "advice": Case(person(SYNCED), ways(backup="device_bound_only", mode="advise")),
    "advice no more": Case(
        person(SYNCED),
        NO_SYNCED,
        ("refused", "stranded"),
        ("backup",),
        before=ways(backup="device_bound_only", mode="advise"),
    ),
    "refused before": Case(person(SYNCED), ways(backup="device_bound_only", counter="ignore"), before=NO_SYNCED),
    "refused before, a password is left": Case(person(SYNCED, password=True), ways(passkeys=False), before=NO_SYNCED),
    "refused before, the password goes": Case(
        person(SYNCED, password=True),
        ways(passwords=False, backup="device_bound_only"),
        ("stranded",),
        ("passwords_off",),
        before=NO_SYNCED,
    ),
    "let in again": Case(person(SYNCED), NOW, before=NO_SYNCED),
    "in quarantine": Case(person(passkey(quarantine="lost")), NO_SYNCED),
    "in quarantine, whatever is advised": Case(
        person(passkey(quarantine="lost")), NO_SYNCED, before=ways(mode="advise")
    ),
    "another is in quarantine": Case(
        person(SYNCED, passkey("other", quarantine="lost", backup_eligible=False)),
        NO_SYNCED,
        ("refused", "stranded"),
        ("backup",),
    ),
    "passkeys off": Case(person(SYNCED), ways(passkeys=False), ("refused", "stranded"), ("passkeys_off",)),
    "passkeys off, a password is left": Case(
        person(SYNCED, password=True), ways(passkeys=False), ("refused", "re_enrol"), ("passkeys_off",)
    ),
    "passkeys off, whatever is advised": Case(
        person(SYNCED), ways(passkeys=False, mode="advise"), ("refused", "stranded"), ("passkeys_off",)
    ),
    "passwords off": Case(person(password=True), ways(passwords=False), ("stranded",), ("passwords_off",)),
    "passwords off, a passkey is left": Case(person(SYNCED, password=True), ways(passwords=False)),
    "passwords off, and the passkey goes too": Case(
        person(SYNCED, password=True),
        ways(passwords=False, backup="device_bound_only"),
        ("refused", "stranded"),
        ("backup", "passwords_off"),
    ),
    "passwords were off": Case(
        person(SYNCED, password=True),
        ways(passkeys=False),
        ("refused", "re_enrol"),
        ("passkeys_off",),
        before=ways(passwords=False),
    ),
    "nothing to log in with": Case(person(), ways(passwords=False)),
    "the identifier is none any more": Case(
        person(password=True, kinds=("username",)),
        NOW,
        ("stranded",),
        ("identifiers",),
        before=ways(kinds=("email", "username")),
    ),
    "another identifier is": Case(
        person(password=True, kinds=("email", "username")), NOW, before=ways(kinds=("email", "username"))
    ),
    "the identifier was none": Case(
        person(SYNCED, password=True, kinds=("username",)),
        ways(passkeys=False),
        ("refused", "stranded"),
        ("passkeys_off",),
    ),
    "an older address": Case(
        person(passkey(rp_id="old.example")),
        NOW,
        ("refused", "stranded"),
        ("relying_party",),
        before=ways(rp_ids=("localhost", "old.example")),
    ),
    "an older address, whatever is advised": Case(
        person(passkey(rp_id="old.example")),
        ways(mode="advise"),
        ("refused", "stranded"),
        ("relying_party",),
        before=ways(rp_ids=("localhost", "old.example")),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_change_means_for_somebody(case: Case) -> None:
    found = prospect(case.before, case.after, case.who)
    assert (found.outcomes, found.reasons) == (case.outcomes, case.reasons)
    assert bool(list(found.lost)) == ("refused" in case.outcomes)


def test_hardened_connections_require_user_verification() -> None:
    hardened = ways_in(read_options(new_options(options_of(hardened=True))), OURS)
    assert prospect(NOW, hardened, person(passkey(user_verified=False))).reasons == ("user_verification",)
    assert prospect(NOW, hardened, person(SYNCED)).outcomes == ()


@pytest.mark.parametrize(
    ("who", "after", "asked"),
    [
        (person(password=True), ways(enrollment="required"), True),
        (person(password=True), ways(enrollment="required", required_after="2099-01-31"), True),
        (person(password=True), ways(enrollment="required", mode="advise"), False),
        (person(password=True), ways(enrollment="offer"), False),
        (person(password=True), ways(passwords=False, enrollment="required"), False),
        (person(SYNCED, password=True), ways(enrollment="required"), False),
        (person(SYNCED, password=True), ways(enrollment="required", backup="device_bound_only"), True),
        (person(passkey(quarantine="REVOKED"), password=True), ways(enrollment="required"), True),
        (person(SYNCED, BOUND, password=True), ways(enrollment="required", backup="device_bound_only"), False),
        (person(), ways(enrollment="required"), False),
    ],
)
def test_people_without_a_passkey_who_must_make_one(who: Person, after: WaysIn, asked: bool) -> None:
    assert prospect(NOW, after, who).asked == asked
    assert counted([prospect(NOW, after, who)]).people.enrol == asked


# --- what decides, and what does not ---------------------------------------------------------------------------------

CREDENTIALS = st.builds(
    Credential,
    algorithm=st.sampled_from([-7, -8, -257]),
    backup_eligible=st.booleans(),
    user_verified=st.booleans(),
    transports=st.lists(st.sampled_from(["internal", "hybrid", "usb"]), unique=True).map(tuple),
    aaguid=st.sampled_from(MODELS),
    trust=st.sampled_from(LEVELS),
    attestation_format=st.sampled_from(FORMATS),
    rp_id=st.sampled_from(["localhost", "old.example"]),
    quarantine=st.sampled_from([None, None, "lost"]),
)


@given(POLICIES, CREDENTIALS)
def test_what_is_left_out_says_nothing_of_a_login(policy: Json, credential: Credential) -> None:
    """Two that differ only there are the same to whoever asks whether a change can strand anybody."""
    options = read_options(new_options(options_of(policy=policy)))
    context = Context(registers=False, rp_ids=OURS)
    whole, kept = (evaluate(each, credential, context) for each in (policy_of(options), ways_in(options, OURS).policy))
    assert (whole.refused, whole.reasons, whole.mode) == (kept.refused, kept.reasons, kept.mode)


LOGIN: Json = {
    "user_verification": "required",
    "attestation": "direct",
    "authenticators": {"deny": [{"aaguid": MODELS[0]}]},
    "backup": "synced_only",
    "attachment": "platform",
    "algorithms": [-7],
    "mode": "advise",
}
"""A value of each field that decides who gets in, other than its default."""

OTHERS: Json = {
    "hints": ["hybrid"],
    "counter": "refuse",
    "max_per_user": 1,
    "timeout_ms": 15_000,
    "snooze_days": 0,
    "allow_never_ask": True,
    "enrollment": "required",
    "required_after": "2027-01-31",
    "automatic_upgrade": True,
    "passwordless_accounts": True,
    "step_up_seconds": 30,
}
"""The same of each field that does not."""


def test_every_field_either_decides_or_does_not() -> None:
    assert LOGIN.keys() | OTHERS.keys() == set(PasskeyPolicy.model_fields)
    for name, value in LOGIN.items():
        assert ways(**{name: value}) != NOW, name
    assert ways(**OTHERS) == NOW


@pytest.mark.parametrize(
    "other",
    [{"passwords": False}, {"passkeys": False}, {"kinds": ("username",)}, {"rp_ids": ("localhost", "old.example")}],
)
def test_what_else_decides(other: Json) -> None:
    assert ways(**other) != NOW


# --- the report ------------------------------------------------------------------------------------------------------


def report(before: WaysIn, after: WaysIn, *people: Person) -> PreviewReport:
    """Return what a change means for people."""
    return counted(prospects(before, after, people))


def test_everybody_is_counted_once_and_every_passkey_where_it_belongs() -> None:
    strict = ways(backup="device_bound_only", user_verification="required")
    found = report(
        NOW,
        strict,
        person(SYNCED, passkey("two", aaguid=MODELS[1]), name="loses two alike"),
        person(passkey(user_verified=False), password=True, name="two reasons"),
        person(SYNCED, BOUND, name="one is left"),
        person(passkey(quarantine="lost"), name="had none"),
        person(BOUND, name="obeys"),
        person(password=True, alike=40),
        person(alike=2),
    ).model_dump(exclude_none=True)
    assert found["passkeys"] == {"total": 7, "refused": 5, "newly_refused": 4, "advised_against": 0}
    people = {"total": 47, "with_passkeys": 5, "enrol": 0, "refused": 3, "re_enrol": 1, "stranded": 1}
    assert found["people"] == people

    def group(passkeys: tuple[int, int], people: tuple[int, int, int], **members: Any) -> Json:
        refused, newly = passkeys
        return {
            **members,
            "passkeys": {"refused": refused, "newly_refused": newly, "advised_against": 0},
            "people": dict(zip(("refused", "re_enrol", "stranded"), people, strict=True)),
        }

    assert found["by_reason"] == [
        group((5, 4), (3, 1, 1), reason="backup"),
        group((1, 1), (1, 1, 0), reason="user_verification"),
        group((1, 0), (0, 0, 0), reason="quarantine"),
    ]
    assert found["by_aaguid"] == [
        group((4, 3), (3, 1, 1), aaguid=MODELS[0]),
        group((1, 1), (1, 0, 1), aaguid=MODELS[1], name="Google Password Manager"),
    ]
    assert found["by_backup"] == [group((5, 4), (3, 1, 1), device_type="multi_device", backed_up=True)]
    assert found["by_user_verification"] == [
        group((4, 3), (2, 0, 1), user_verified=True),
        group((1, 1), (1, 1, 0), user_verified=False),
    ]


def test_backup_has_four_states() -> None:
    keys = [passkey(f"{be}{bs}", backup_eligible=be, backed_up=bs) for be in (True, False) for bs in (True, False)]
    found = report(NOW, ways(passkeys=False), person(*keys))
    assert {(each.device_type, each.backed_up) for each in found.by_backup} == {
        (device_type, backed_up) for device_type in ("multi_device", "single_device") for backed_up in (True, False)
    }
    assert [each.people.stranded for each in found.by_backup] == [1, 1, 1, 1]


def test_advice_is_counted_apart() -> None:
    found = report(NOW, ways(backup="device_bound_only", mode="advise"), person(SYNCED), person(BOUND))
    assert found.passkeys.model_dump() == {"total": 2, "refused": 0, "newly_refused": 0, "advised_against": 1}
    assert [each.passkeys.advised_against for each in found.by_reason] == [1]
    assert found.people.refused == found.people.stranded == 0


def test_passwords_that_are_lost_are_a_reason_without_a_passkey() -> None:
    found = report(NOW, ways(passwords=False), person(password=True, alike=12), person(SYNCED, password=True))
    assert [(each.reason, each.passkeys.refused, each.people.stranded) for each in found.by_reason] == [
        ("passwords_off", 0, 12)
    ]
    assert found.stranded_because == "passwords_off: 12"


def test_reasons_are_told_for_those_who_are_stranded_and_most_first() -> None:
    found = report(
        NOW,
        ways(passwords=False, backup="device_bound_only", algorithms=[-7]),
        person(SYNCED),
        person(SYNCED, BOUND),
        person(password=True, alike=3),
        person(passkey(algorithm=-8)),
    )
    assert found.stranded_because == "passwords_off: 3, backup: 2, algorithms: 1"


def test_models_that_somebody_makes_up_are_counted_together_at_some_point() -> None:
    people = (
        person(*(passkey(f"{number}", aaguid=f"{50 * who + number:08x}") for number in range(50)), name=f"{who}")
        for who in range(12)
    )
    found = counted(prospects(NOW, ways(passkeys=False), people))
    assert len(found.by_aaguid) == MOST_MODELS + 1
    assert sum(each.passkeys.refused for each in found.by_aaguid) == found.passkeys.refused == 600
    (others,) = (each for each in found.by_aaguid if each.aaguid == OTHER_MODELS)
    assert (others.passkeys.newly_refused, others.people.stranded) == (100, 2)


def test_an_example_names_the_passkeys_that_the_change_keeps_out() -> None:
    who = person(SYNCED, BOUND, passkey("gone", quarantine="lost"), passkey("a", algorithm=-8))
    found = example(prospect(NOW, ways(backup="device_bound_only", algorithms=[-7]), who))
    assert found.model_dump() == {
        "user_id": "ann",
        "outcomes": ["refused"],
        "reasons": ["backup", "algorithms"],
        "passkeys": [
            {"id": "a", "reasons": ["backup", "algorithms"]},
            {"id": "synced", "reasons": ["backup"]},
        ],
    }


PEOPLE = st.lists(
    st.builds(
        Person,
        user_id=st.just("somebody"),
        has_password=st.booleans(),
        identifiers=st.sampled_from([frozenset(), frozenset(["email"]), frozenset(["email", "username"])]),
        passkeys=st.lists(st.builds(Held, st.just("x"), st.booleans(), CREDENTIALS), max_size=3).map(tuple),
    ),
    max_size=6,
)
BEFORE_AND_AFTER = st.tuples(POLICIES, st.booleans(), POLICIES, st.booleans())


@given(PEOPLE, BEFORE_AND_AFTER)
def test_groups_are_parts_of_the_whole(people: list[Person], change: tuple[Json, bool, Json, bool]) -> None:
    """Each passkey has one model, one state of backup and one of verification; each person is one or the other."""
    was, passwords_were, will_be, passwords_will = change
    before, after = ways(passwords=passwords_were, **was), ways(passwords=passwords_will, **will_be)
    found = report(before, after, *people)
    for by in (found.by_aaguid, found.by_backup, found.by_user_verification):
        for name in ("refused", "newly_refused", "advised_against"):
            assert sum(getattr(each.passkeys, name) for each in by) == getattr(found.passkeys, name)
    assert found.passkeys.newly_refused <= found.passkeys.refused <= found.passkeys.total
    assert found.people.re_enrol <= found.people.refused
    judged = list(prospects(before, after, people))
    assert not any({"re_enrol", "stranded"} <= set(each.outcomes) for each in judged)
    assert all(bool(each.reasons) == bool(each.outcomes) for each in judged)
    assert report(after, after, *people).passkeys.newly_refused == 0
    tenfold = counted(prospects(before, after, (person(password=each.has_password, alike=10) for each in people)))
    single = counted(prospects(before, after, (person(password=each.has_password) for each in people * 10)))
    assert tenfold == single
