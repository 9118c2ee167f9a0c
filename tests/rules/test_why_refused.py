"""What is kept of a refusal, and how full its limit is by now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.errors import BadRequest, Busy, NoSuchUser, WeakPassword, WrongCredentials
from keystead.rules.attack_protection import BruteForce, Guards, LockSettings, SuspiciousIp, read_guards
from keystead.rules.buckets import Bucket, LockKey, Where
from keystead.rules.decisions import Asking, Explanation, bucket_of, decide, is_refusal, state_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ASKING = Asking("dec_1", "/oauth/token", "203.0.113.9", "curl")
GUARDS = read_guards({})


def lock(where: Where, which: str = "") -> dict[str, Any]:
    return {"bucket": str(LockKey("con_1", "email", "ann@example.com", where, which)), "capacity": 3}


def test_only_known_facts_are_kept() -> None:
    error = WrongCredentials(detail="x\0y").because(
        rule="made_up", identifier="text:hunter2", password="hunter2", retry_after="hunter2", bucket=["hunter2"]
    )
    kept = decide(error, ASKING, NOW)
    assert "hunter2" not in str(kept)
    assert (kept.rule, kept.detail, kept.identifier) == ("wrong_credentials", "xy", None)
    assert decide(WrongCredentials().because(identifier="email:a@b.c"), ASKING, NOW).identifier == "email:a@b.c"
    weak = decide(WeakPassword("PasswordStrengthError", "Too weak"), ASKING, NOW)
    assert weak.facts["reasons"] == ["PasswordStrengthError"]


def test_a_rule_of_another_version_is_shown_all_the_same() -> None:
    kept = decide(WrongCredentials(), ASKING, NOW)._replace(facts={"rule": "of tomorrow"})
    shown = Explanation(kept).on_wire()
    assert shown["rule"] == "of tomorrow"
    assert shown["explanation"]


@pytest.mark.parametrize("error", [BadRequest("No."), NoSuchUser(), Busy()])
def test_what_is_no_decision(error: Any) -> None:
    assert not is_refusal(error)


def test_a_bucket_has_the_size_that_it_has_now() -> None:
    tight = Guards(BruteForce(max_attempts=5), SuspiciousIp(), LockSettings(max_attempts_by_strangers=7))
    for key in (lock("from", "203.0.113.9"), lock("device", "d")):
        bucket = bucket_of(key, tight)
        assert bucket is not None
        assert bucket.capacity == 5
    strangers = bucket_of(lock("strangers"), tight)
    assert strangers is not None
    assert (strangers.capacity, strangers.lasts) == (7, None)
    of_network = bucket_of({"bucket": "address/login/2001:db8::/64"}, GUARDS)
    assert of_network is not None
    assert (of_network.key, of_network.capacity) == ("address/login/2001:db8::/64", 100)
    other = bucket_of({"bucket": "client/203.0.113.9/abc", "capacity": 10, "refill": 0.5, "lasts": None}, GUARDS)
    assert other == Bucket("", "client/203.0.113.9/abc", 10, 0.5)
    assert bucket_of({}, GUARDS) is None


def test_a_limit_that_was_switched_off_refuses_nobody() -> None:
    for settings in (BruteForce(enabled=False), BruteForce(shields=["user_notification"])):
        assert bucket_of(lock("from", "203.0.113.9"), Guards(settings, SuspiciousIp(), LockSettings())) is None
    spared = Guards(BruteForce(allowlist=["203.0.113.0/24"]), SuspiciousIp(), LockSettings())
    assert bucket_of(lock("from", "203.0.113.9"), spared) is None
    assert bucket_of(lock("from", "198.51.100.7"), spared) is not None
    assert bucket_of(lock("strangers"), spared) is not None
    plain = Guards(BruteForce(), SuspiciousIp(), LockSettings(lock_scope="auth0"))
    assert [bucket_of(each, plain) for each in (lock("device", "d"), lock("strangers"), lock("anywhere"))] == [None] * 3
    address = {"bucket": "address/signup/203.0.113.9"}
    for suspicious in (
        SuspiciousIp(enabled=False),
        SuspiciousIp(shields=[]),
        SuspiciousIp(allowlist=["203.0.113.0/24"]),
    ):
        assert bucket_of(address, Guards(BruteForce(), suspicious, LockSettings())) is None


def test_how_full_it_is_and_until_when() -> None:
    refilling, lasting = Bucket("", "k", 20, 0.5), Bucket("", "k", 10, lasts=60)
    full = state_of(refilling, 20, NOW, NOW)
    assert (full.spent, full.refuses_until) == (20, NOW + timedelta(seconds=2))
    later = state_of(refilling, 20, NOW, NOW + timedelta(seconds=10))
    assert (later.spent, later.refuses_until) == (15, None)
    assert state_of(lasting, 10, NOW, NOW + timedelta(seconds=59)).refuses_until == NOW + timedelta(seconds=60)
    over = state_of(lasting, 10, NOW, NOW + timedelta(seconds=60))
    assert (over.spent, over.refuses_until) == (0, None)
    assert state_of(lasting, 0.0, None, NOW).refuses_until is None
