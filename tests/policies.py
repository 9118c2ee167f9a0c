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

METHODS: st.SearchStrategy[tuple[bool, bool]] = st.sampled_from(
    [(True, True), (True, True), (True, True), (True, False), (False, True)]
)
"""Whether passwords and passkeys are on: one of them at least."""

ATTRIBUTES: st.SearchStrategy[tuple[str, ...]] = st.sampled_from(
    [("email", "username"), ("email", "username"), ("email",), ("username",)]
)
"""What people log in with."""


def options_of(methods: tuple[bool, bool], kinds: tuple[str, ...], policy: Json | None, hardened: bool) -> Json:
    """Return whole options."""
    passwords, passkeys = methods
    needs_passkeys = ("enrollment", "required_after", "automatic_upgrade", "passwordless_accounts")
    kept = {name: value for name, value in (policy or {}).items() if passkeys or name not in needs_passkeys}
    return {
        "attributes": {kind: {"signup": {"status": "optional"}} for kind in kinds},
        "authentication_methods": {
            "password": {"enabled": passwords, "api_behavior": "optional"},
            "passkey": {"enabled": passkeys},
        },
        "passkey_policy": None if policy is None else kept,
        "security_profile": "hardened" if hardened else "standard",
    }


OPTIONS: Jsons = st.builds(options_of, METHODS, ATTRIBUTES, st.none() | POLICIES, st.sampled_from([False, False, True]))
"""Options that decide who gets in, whole."""
