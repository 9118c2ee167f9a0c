"""Random passkey policies and connection options, such as the API takes."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
Jsons = st.SearchStrategy[Json]

MODELS = (
    "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16",
    "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",
    "00000000-0000-0000-0000-000000000000",
)
"""Models of authenticators; the last is what those say that say none."""

LEVELS = ("none", "self", "trusted_chain", "certified_L1")
"""Some of the levels of trust: few, so that they often meet."""

FORMATS = ("none", "packed")


def _some(**members: st.SearchStrategy[Any]) -> Jsons:
    return st.fixed_dictionaries({}, optional=members)


def _rules(levels: st.SearchStrategy[str]) -> st.SearchStrategy[list[Json]]:
    rule = st.fixed_dictionaries({"aaguid": st.sampled_from(MODELS), "trust": levels})
    return st.lists(rule, max_size=2, unique_by=lambda each: str(each["aaguid"]))


_LEVEL = st.sampled_from(LEVELS)

_ATTESTED: Jsons = st.fixed_dictionaries(
    {"attestation": st.sampled_from(["indirect", "direct", "enterprise"])},
    optional={"authenticators": _some(allow=_rules(_LEVEL), deny=_rules(_LEVEL), trust=_LEVEL)},
)
"""A level of trust needs attestation to be asked for."""

_UNATTESTED = _some(authenticators=_some(allow=_rules(st.just("none")), deny=_rules(_LEVEL)))

_OTHERS = _some(
    user_verification=st.sampled_from(["required", "preferred", "discouraged"]),
    backup=st.sampled_from(["any", "device_bound_only", "synced_only"]),
    attachment=st.sampled_from(["any", "platform", "cross_platform"]),
    algorithms=st.lists(st.sampled_from([-8, -7, -257]), min_size=1, unique=True),
    mode=st.sampled_from(["enforce", "enforce", "advise"]),
    counter=st.sampled_from(["auto", "ignore", "warn", "refuse"]),
    max_per_user=st.integers(1, 100),
    hints=st.lists(st.sampled_from(["client-device", "security-key", "hybrid"]), unique=True),
    timeout_ms=st.integers(15_000, 600_000),
    snooze_days=st.integers(0, 365),
    allow_never_ask=st.booleans(),
    step_up_seconds=st.integers(30, 86_400),
)

_ENROLMENT: Jsons = st.sampled_from(
    [
        {},
        {"enrollment": "off"},
        {"enrollment": "required"},
        {"enrollment": "required", "required_after": "2027-01-31"},
        {"automatic_upgrade": True},
        {"passwordless_accounts": True},
    ]
)
"""What needs passkeys to be on."""


def _merged(parts: Iterable[Json]) -> Json:
    return {name: value for part in parts for name, value in part.items()}


POLICIES: Jsons = st.tuples(_OTHERS, st.one_of(_UNATTESTED, _ATTESTED), _ENROLMENT).map(_merged)
"""Every field of ``passkey_policy``."""

_RULE = st.fixed_dictionaries({"aaguid": st.sampled_from(MODELS), "trust": _LEVEL})
_ONE_FIELD: Jsons = st.one_of(
    st.just({"user_verification": "required"}),
    st.just({"attestation": "direct"}),
    st.builds(lambda rule: {"authenticators": {"deny": [rule]}}, _RULE),
    st.builds(lambda rule: {"attestation": "indirect", "authenticators": {"allow": [rule]}}, _RULE),
    st.builds(lambda trust: {"attestation": "indirect", "authenticators": {"trust": trust}}, _LEVEL),
    st.sampled_from([{"backup": each} for each in ("device_bound_only", "synced_only")]),
    st.sampled_from([{"attachment": each} for each in ("platform", "cross_platform")]),
    st.sampled_from([{"algorithms": each} for each in ([-7], [-8, -257], [-257, -7])]),
)
ONE_OR_TWO: Jsons = st.builds(
    lambda one, other, mode: one | other | mode,
    _ONE_FIELD,
    st.just({}) | _ONE_FIELD,
    st.sampled_from([{}, {}, {}, {"mode": "advise"}]),
)
"""Policies that ask for little, as they do that somebody is about to save: what obeys and what breaks them meet."""


def options_of(
    methods: tuple[bool, bool] = (True, True),
    kinds: tuple[str, ...] = ("email", "username"),
    policy: Json | None = None,
    hardened: bool = False,
) -> Json:
    """Return whole options: whether passwords and passkeys are on, and what people log in with."""
    passwords, passkeys = methods
    return {
        "attributes": {kind: {"signup": {"status": "optional"}} for kind in kinds},
        "authentication_methods": {
            "password": {"enabled": passwords, "api_behavior": "optional"},
            "passkey": {"enabled": passkeys},
        },
        "passkey_policy": policy,
        "security_profile": "hardened" if hardened else "standard",
    }


OPTIONS: Jsons = st.builds(
    options_of,
    st.sampled_from([(True, True), (True, True), (True, True), (False, True), (True, False)]),
    st.sampled_from([("email", "username"), ("email", "username"), ("email", "username"), ("email",), ("username",)]),
    st.none() | ONE_OR_TWO | ONE_OR_TWO,
    st.sampled_from([False, False, False, True]),
)
"""Options of which any part may decide who gets in."""
