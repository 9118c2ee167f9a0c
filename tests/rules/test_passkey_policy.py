"""Passkeys: what is offered, when somebody is asked to make one, and what a policy says of one."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from keystead.rules.ceremonies import Ceremony
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.connections import read_options
from keystead.rules.passkey_policy import (
    Context,
    Counters,
    Credential,
    Offer,
    Reason,
    Verdict,
    as_begun,
    evaluate,
    is_full,
    offer,
    policy_of,
    recoverable,
    warnings,
    without_passwords,
)
from keystead.rules.passkey_terms import MOST_PER_USER, Authenticators, Mode, PasskeyPolicy, Trust

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODEL, OTHER = "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16", "00000000-0000-0000-0000-000000000000"


def options(*, passkey: bool = True, password: dict[str, Any] | None = None, **more: Any) -> ConnectionOptions:
    methods = {"passkey": {"enabled": passkey}, "password": password or {"enabled": True}}
    beside = (
        *("disable_signup", "disable_self_service_change_password"),
        *("passkey_policy", "security_profile", "attributes"),
    )
    others = {name: more.pop(name) for name in list(more) if name in beside}
    return read_options({"authentication_methods": methods, "passkey_options": more} | others)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (options(), Offer(True, True, True, True, True, True)),
        (options(challenge_ui="both"), Offer(True, True, True, True, True, True)),
        (options(challenge_ui="button"), Offer(True, False, True, True, True, True)),
        (options(challenge_ui="autofill"), Offer(False, True, True, True, True, True)),
        (options(passkey=False), Offer(False, False, True, True, True, False)),
        (options(disable_signup=True), Offer(True, True, True, False, True, True)),
        (options(password={"enabled": False}), Offer(True, True, False, True, False, True)),
        (options(password={"enabled": True, "signup_behavior": "block"}), Offer(True, True, True, True, False, True)),
        (
            options(passkey=False, password={"enabled": True, "signup_behavior": "block"}),
            Offer(False, False, True, False, False, False),
        ),
        (read_options({}), Offer(False, False, True, True, True, False)),
    ],
)
def test_offer(given: ConnectionOptions, expected: Offer) -> None:
    assert offer(given) == expected


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, "preferred"),
        ({"passkey_policy": {"user_verification": "discouraged"}}, "discouraged"),
        ({"security_profile": "hardened"}, "required"),
        ({"security_profile": "hardened", "passkey_policy": {"backup": "synced_only"}}, "required"),
        ({"security_profile": "hardened", "passkey_policy": {"user_verification": "preferred"}}, "preferred"),
    ],
)
def test_hardened_connections_require_user_verification_unless_they_say_otherwise(
    given: dict[str, Any], asked: str
) -> None:
    assert policy_of(options(**given)).user_verification == asked


PASSKEYS_ALONE = {"enabled": False, "api_behavior": "optional"}
LIVING_WITHOUT = {"passwordless_accounts": True}


@pytest.mark.parametrize(
    ("given", "without"),
    [
        (options(), False),
        (options(passkey_policy={"passwordless_accounts": False}), False),
        (options(passkey_policy=LIVING_WITHOUT), True),
        (options(password=PASSKEYS_ALONE), True),
        (options(password=PASSKEYS_ALONE, passkey_policy={"passwordless_accounts": False}), True),
        (options(password={"enabled": True, "signup_behavior": "block"}), False),
        (options(passkey=False), False),
    ],
)
def test_accounts_live_without_passwords_by_the_policy_or_where_there_are_none(
    given: ConnectionOptions, without: bool
) -> None:
    assert without_passwords(given) is without
    assert recoverable(given) is without
    off = given.model_copy(update={"disable_self_service_change_password": True})
    assert without_passwords(off) is without
    assert recoverable(off) is False, "no message opens an account then"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (options(), None),
        (options(passkey_policy={"user_verification": "discouraged"}), "discouraged"),
        (options(passkey=False, passkey_policy={"user_verification": "discouraged"}), None),
        (options(password=PASSKEYS_ALONE), "preferred"),
        (options(password=PASSKEYS_ALONE, passkey_policy={"user_verification": "required"}), None),
        (options(password=PASSKEYS_ALONE, security_profile="hardened"), None),
    ],
)
def test_user_verification_that_some_browsers_skip_is_warned_of_where_it_is_the_only_second_factor(
    given: ConnectionOptions, word: str | None
) -> None:
    said = [text.split()[1] for text in warnings(given) if text.startswith("user_verification")]
    assert said == ([word] if word else [])


BY_LINK = {"email": {"signup": {"status": "required", "verification": {"active": True}}}}


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        (options(), False),
        (options(passkey_policy=LIVING_WITHOUT), True),
        (options(password=PASSKEYS_ALONE), True),
        (options(password=PASSKEYS_ALONE, attributes=BY_LINK), False),
        (options(password=PASSKEYS_ALONE, attributes={"email": {}}), True),
        (options(password=PASSKEYS_ALONE, disable_self_service_change_password=True), False),
    ],
)
def test_addresses_that_nobody_verified_are_warned_of_where_they_are_the_way_back(
    given: ConnectionOptions, warned: bool
) -> None:
    assert any(text.startswith("passwordless_accounts") for text in warnings(given)) is warned


# --- the verdict -------------------------------------------------------------------------------------------------

LOGIN = Context(registers=False)


def judged(
    policy: dict[str, Any], context: Context = LOGIN, *, verified: bool = True, synced: bool = True, **more: Any
) -> list[str]:
    """Return the fields that a passkey breaks, unless told otherwise one that any policy likes."""
    credential = replace(Credential(-7, backup_eligible=synced, user_verified=verified), **more)
    return [reason.field for reason in evaluate(PasskeyPolicy(**policy), credential, context).reasons]


@pytest.mark.parametrize("registers", [True, False])
@pytest.mark.parametrize(
    ("policy", "passkey", "broken"),
    [
        ({}, {}, []),
        ({}, {"verified": False, "synced": False, "algorithm": -257}, []),
        ({"user_verification": "required"}, {}, []),
        ({"user_verification": "required"}, {"verified": False}, ["user_verification"]),
        ({"user_verification": "preferred"}, {"verified": False}, []),
        ({"user_verification": "discouraged"}, {"verified": False}, []),
        ({"user_verification": "discouraged"}, {}, []),
        ({"backup": "any"}, {"synced": False}, []),
        ({"backup": "device_bound_only"}, {"synced": False}, []),
        ({"backup": "device_bound_only"}, {}, ["backup"]),
        ({"backup": "synced_only"}, {}, []),
        ({"backup": "synced_only"}, {"synced": False}, ["backup"]),
        ({"algorithms": [-7]}, {}, []),
        ({"algorithms": [-257, -8]}, {}, ["algorithms"]),
        ({"algorithms": [-257, -8]}, {"algorithm": -8}, []),
        ({"backup": "synced_only", "algorithms": [-8]}, {"synced": False}, ["backup", "algorithms"]),
    ],
)
def test_what_holds_at_registrations_and_logins_alike(
    registers: bool, policy: dict[str, Any], passkey: dict[str, Any], broken: list[str]
) -> None:
    assert judged(policy, Context(registers=registers), **passkey) == broken


INSIDE, PHONE, KEY = ("internal",), ("internal", "hybrid"), ("usb", "nfc")


@pytest.mark.parametrize(
    ("wanted", "said", "transports", "registers", "logs_in"),
    [
        ("any", "", (), True, True),
        ("any", "cross-platform", INSIDE, True, True),
        ("platform", "platform", INSIDE, True, True),
        ("platform", "platform", PHONE, True, True),
        ("platform", "platform", (), True, True),
        ("platform", "", INSIDE, True, True),
        ("platform", "cross-platform", PHONE, False, True),
        ("platform", "cross-platform", KEY, False, False),
        ("platform", "cross-platform", (), False, True),
        ("platform", "platform", KEY, False, False),
        ("platform", "", KEY, False, False),
        ("platform", "", (), False, True),
        ("cross_platform", "cross-platform", KEY, True, True),
        ("cross_platform", "cross-platform", PHONE, True, True),
        ("cross_platform", "cross-platform", ("smart-card",), True, True),
        ("cross_platform", "", KEY, True, True),
        ("cross_platform", "platform", PHONE, False, True),
        ("cross_platform", "platform", INSIDE, False, False),
        ("cross_platform", "cross-platform", INSIDE, False, False),
        ("cross_platform", "", (), False, True),
    ],
)
def test_attachment_by_what_the_browser_said_when_the_passkey_was_made(
    wanted: str, said: str, transports: tuple[str, ...], registers: bool, logs_in: bool
) -> None:
    policy = {"attachment": wanted}
    made = judged(policy, Context(registers=True, attachment=said), transports=transports)
    assert made == ([] if registers else ["attachment"])
    assert judged(policy, transports=transports) == ([] if logs_in else ["attachment"])


COUNTERS = [(0, 0), (0, 1), (5, 6), (5, 7), (2**32 - 2, 2**32 - 1), (5, 5), (7, 5), (7, 0)]
BACK = {(5, 5), (7, 5), (7, 0)}


@pytest.mark.parametrize("counters", COUNTERS)
@pytest.mark.parametrize(
    ("counter", "synced", "refuses", "records"),
    [
        ("auto", True, False, True),
        ("auto", False, True, True),
        ("ignore", True, False, False),
        ("ignore", False, False, False),
        ("warn", True, False, True),
        ("warn", False, False, True),
        ("refuse", True, True, True),
        ("refuse", False, True, True),
    ],
)
def test_a_counter_that_goes_back_is_judged_by_policy_and_kind_of_passkey(
    counters: tuple[int, int], counter: str, synced: bool, refuses: bool, records: bool
) -> None:
    """WebAuthn Level 3 §7.2 step 22."""
    shown = Context(registers=False, counters=Counters(*counters))
    passkey = Credential(-7, backup_eligible=synced, user_verified=True)
    verdict = evaluate(PasskeyPolicy.model_validate({"counter": counter}), passkey, shown)
    went_back = counters in BACK
    assert verdict.refused == (went_back and refuses)
    assert verdict.suspicious_counter == (went_back and records)
    assert [reason.field for reason in verdict.reasons] == (["counter"] if went_back and refuses else [])


@pytest.mark.parametrize(
    ("most", "passkeys", "broken"), [(20, 19, []), (20, 20, ["max_per_user"]), (1, 0, []), (1, 1, ["max_per_user"])]
)
def test_a_passkey_too_many(most: int, passkeys: int, broken: list[str]) -> None:
    policy: dict[str, Any] = {"max_per_user": most}
    assert judged(policy, Context(registers=True, passkeys=passkeys)) == broken
    assert judged(policy, Context(registers=False, passkeys=passkeys)) == []
    assert is_full(PasskeyPolicy(**policy), passkeys) == bool(broken)


def test_advice_has_the_same_reasons_and_turns_nobody_away() -> None:
    reasons = (Reason("backup", "the passkey can be synced"), Reason("algorithms", "algorithm -7"))
    terms: dict[str, Any] = {"backup": "device_bound_only", "algorithms": [-8]}
    passkey = Credential(-7, backup_eligible=True, user_verified=True)
    enforced = evaluate(PasskeyPolicy(**terms), passkey, LOGIN)
    assert enforced == Verdict("enforce", reasons)
    assert enforced.refused
    assert enforced.text == "passkey policy: backup: the passkey can be synced; algorithms: algorithm -7"
    advised = evaluate(PasskeyPolicy(**terms, mode="advise"), passkey, LOGIN)
    assert advised == Verdict("advise", reasons)
    assert not advised.refused


def test_nobody_is_refused_for_nothing() -> None:
    verdict = evaluate(PasskeyPolicy(), Credential(-7, backup_eligible=True, user_verified=True), LOGIN)
    assert verdict == Verdict("enforce", ())
    assert not verdict.refused


@pytest.mark.parametrize(("passkeys", "full"), [(1, False), (MOST_PER_USER - 1, False), (MOST_PER_USER, True)])
def test_advice_ends_at_a_hundred_passkeys(passkeys: int, full: bool) -> None:
    assert is_full(PasskeyPolicy(max_per_user=1, mode="advise"), passkeys) == full


def begun(**terms: Any) -> Ceremony:
    """Return a ceremony that was begun under a policy."""
    record = {"kind": "login", "challenge": "", "rp_id": "", "origins": (), "client_id": "", "connection_id": ""}
    return Ceremony.model_validate(record | {"user_verification": "preferred", "expires_at": NOW} | terms)


def test_what_the_browser_was_told_counts_as_it_was_told() -> None:
    lax = begun(algorithms=(-8, -7, -257))
    strict = PasskeyPolicy(
        user_verification="required", attachment="platform", algorithms=[-8], backup="synced_only", mode="advise"
    )
    held = as_begun(strict, lax)
    assert (held.user_verification, held.attachment, held.algorithms) == ("preferred", "any", [-8, -7, -257])
    assert (held.backup, held.mode) == ("synced_only", "advise"), "as the policy is now"
    older = as_begun(strict, begun())
    assert older.algorithms == [-8], "a login of a version that did not write them down"


@pytest.mark.parametrize(
    ("advisory", "verification", "attachment", "offered"),
    [
        (False, "required", "platform", (-7,)),
        (True, "preferred", "any", (-7, -8, -257)),
    ],
)
def test_advice_keeps_the_browser_from_turning_people_away(
    advisory: bool, verification: str, attachment: str, offered: tuple[int, ...]
) -> None:
    ceremony = begun(user_verification="required", attachment="platform", algorithms=(-7,), advisory=advisory)
    told = (ceremony.asked_verification, ceremony.asked_attachment, ceremony.offered)
    assert told == (verification, attachment, offered)


def test_advice_does_not_ask_for_more_than_the_policy() -> None:
    assert begun(user_verification="discouraged", advisory=True).asked_verification == "discouraged"


def known(**about: Any) -> Credential:
    return Credential(algorithm=-7, backup_eligible=True, user_verified=True, **about)


def fields(policy: dict[str, Any], credential: Credential, **about: Any) -> list[str]:
    verdict = evaluate(PasskeyPolicy(**policy), credential, Context(registers=False, **about))
    return [each.field for each in verdict.reasons]


@pytest.mark.parametrize(
    ("asked", "form", "broken"),
    [
        ("none", "none", False),
        ("none", "packed", False),
        ("indirect", "none", False),
        ("direct", "none", True),
        ("direct", "packed", False),
        ("enterprise", "none", True),
        ("enterprise", "tpm", False),
    ],
)
def test_whoever_asks_directly_takes_no_passkey_without_attestation(asked: str, form: str, broken: bool) -> None:
    assert fields({"attestation": asked}, known(attestation_format=form)) == ["attestation"] * broken


ALLOWED: dict[str, Any] = {"allow": [{"aaguid": MODEL}]}


@pytest.mark.parametrize(
    ("rules", "aaguid", "trust", "broken"),
    [
        ({}, OTHER, "none", False),
        ({"trust": "self"}, OTHER, "none", True),
        ({"trust": "self"}, OTHER, "self", False),
        ({"trust": "self"}, OTHER, "certified_L1", False),
        ({"trust": "certified_L2"}, MODEL, "certified_L1plus", True),
        ({"trust": "certified_L2"}, MODEL, "certified_L2", False),
        (ALLOWED, MODEL, "none", True),
        (ALLOWED, MODEL, "self", True),
        (ALLOWED, MODEL, "untrusted_chain", True),
        (ALLOWED, MODEL, "trusted_chain", False),
        (ALLOWED, MODEL, "certified_L1", False),
        (ALLOWED, OTHER, "certified_L3plus", True),
        ({"allow": [{"aaguid": MODEL, "trust": "none"}]}, MODEL, "none", False),
        (ALLOWED | {"trust": "certified_L1"}, MODEL, "trusted_chain", True),
        ({"deny": [{"aaguid": MODEL}]}, MODEL, "none", True),
        ({"deny": [{"aaguid": MODEL}]}, MODEL, "certified_L1", True),
        ({"deny": [{"aaguid": MODEL}]}, OTHER, "none", False),
        ({"deny": [{"aaguid": MODEL, "trust": "trusted_chain"}]}, MODEL, "none", False),
        ({"deny": [{"aaguid": MODEL, "trust": "trusted_chain"}]}, MODEL, "trusted_chain", True),
        (ALLOWED | {"deny": [{"aaguid": MODEL}]}, MODEL, "trusted_chain", True),
    ],
)
def test_a_model_counts_at_the_trust_that_its_rule_names(
    rules: dict[str, Any], aaguid: str, trust: Trust, broken: bool
) -> None:
    policy = {"authenticators": Authenticators.model_validate(rules)}
    assert fields(policy, known(aaguid=aaguid, trust=trust)) == ["authenticators"] * broken


@pytest.mark.parametrize("mode", ["enforce", "advise"])
@pytest.mark.parametrize(
    ("about", "context", "broken"),
    [
        ({"quarantine": "REVOKED"}, {}, ["quarantine"]),
        ({"quarantine": ""}, {}, ["quarantine"]),
        ({"rp_id": "old.example"}, {"rp_ids": ("new.example",)}, ["relying_party"]),
        ({"rp_id": "old.example"}, {"rp_ids": ("new.example", "old.example")}, []),
        ({"rp_id": "old.example"}, {}, []),
    ],
)
def test_no_mode_softens_quarantine_and_address(
    mode: Mode, about: dict[str, Any], context: dict[str, Any], broken: list[str]
) -> None:
    verdict = evaluate(PasskeyPolicy(mode=mode), known(**about), Context(registers=False, **context))
    assert ([each.field for each in verdict.reasons], verdict.refused) == (broken, bool(broken))


def test_advice_about_something_else_refuses_nobody() -> None:
    policy = PasskeyPolicy(mode="advise", attestation="direct", backup="device_bound_only")
    assert not evaluate(policy, known(), Context(registers=False)).refused


@pytest.mark.parametrize(
    ("policy", "moment"),
    [
        ({}, None),
        ({"enrollment": "off"}, None),
        ({"enrollment": "required"}, datetime(1970, 1, 1, tzinfo=UTC)),
        ({"enrollment": "required", "required_after": "2027-01-31"}, datetime(2027, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_passkey_is_required_from_the_beginning_of_a_day(policy: dict[str, Any], moment: datetime | None) -> None:
    assert PasskeyPolicy(**policy).required_from == moment
