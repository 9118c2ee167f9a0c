"""What somebody can sign in with: which passkey is the last way in."""

import pytest

from keystead.rules.passkey_policy import Credential
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.rules.ways_in import is_last, opens

HERE = ("login.example.com",)
ANY = PasskeyPolicy()
BOUND = PasskeyPolicy(backup="device_bound_only")
ADVICE = PasskeyPolicy(backup="device_bound_only", mode="advise")
SYNCED = Credential(algorithm=-7, backup_eligible=True, user_verified=True, rp_id=HERE[0])
RETIRED = Credential(algorithm=-7, backup_eligible=True, user_verified=True, rp_id="old.example.com")
QUARANTINED = Credential(
    algorithm=-7, backup_eligible=True, user_verified=True, rp_id=HERE[0], quarantine="REVOKED by its maker"
)


@pytest.mark.parametrize(
    ("policy", "credential", "expected"),
    [
        (ANY, SYNCED, True),
        (BOUND, SYNCED, False),
        (ADVICE, SYNCED, True),
        (ANY, QUARANTINED, False),
        (ADVICE, QUARANTINED, False),
        (ANY, RETIRED, False),
    ],
)
def test_what_opens(policy: PasskeyPolicy, credential: Credential, expected: bool) -> None:
    assert opens(policy, credential, HERE) == expected


@pytest.mark.parametrize(
    ("policy", "others", "password", "expected"),
    [
        (ANY, [], False, True),
        (ANY, [], True, False),
        (ANY, [SYNCED], False, False),
        (ANY, [QUARANTINED, RETIRED], False, True),
        (ANY, [QUARANTINED], True, False),
        (BOUND, [SYNCED], False, True),
        (ADVICE, [SYNCED], False, False),
        (ANY, [QUARANTINED, SYNCED], False, False),
    ],
)
def test_the_last_way_in(policy: PasskeyPolicy, others: list[Credential], password: bool, expected: bool) -> None:
    assert is_last(policy, others, HERE, password=password) == expected
