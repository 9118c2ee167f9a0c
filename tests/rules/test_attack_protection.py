"""Buckets: which attempts are counted together."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import BadRequest
from keystead.rules.attack_protection import (
    BruteForce,
    Guards,
    Guess,
    Limit,
    SuspiciousIp,
    address_limits,
    at_least_the_defaults,
    edit,
    is_allowed,
    password_limits,
    places_of_one,
    read_guards,
)
from keystead.rules.buckets import Bucket, LockKey, read_lock_key, recovery_bucket, secret_bucket
from keystead.rules.identifiers import Identifier
from keystead.rules.known_devices import Device

ANN = Identifier("email", "ann@example.com")


PLAIN = read_guards({"attack_protection": {"lock_scope": "auth0"}})
AWARE = read_guards({})
LAPTOP = Device(id="laptop").after_login("con_1", [ANN], "auth0|1")


def limits(guards: Guards = PLAIN, identifier: Identifier | None = ANN, **more: Any) -> list[Limit]:
    about: dict[str, Any] = {"connection_id": "con_1", "text": "", "address": "203.0.113.9", "tenure": "auth0|1"} | more
    return password_limits(guards, Guess(identifier=identifier, **about))


def key(identifier: Identifier | None = ANN, typed: str = "", address: str = "203.0.113.9", at: str = "con_1") -> str:
    return limits(identifier=identifier, text=typed, address=address, connection_id=at)[-1].bucket.key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key(address="2001:db8::1"), key(address="2001:db8::ffff:0:0:9")),
        (key(address="2001:0db8::1"), key(address="2001:db8:0:0:0:0:0:2")),
        (key(address="::ffff:203.0.113.9"), key()),
        (key(address=""), key(address="not an address")),
    ],
)
def test_counted_together(one: str, other: str) -> None:
    assert one == other


@pytest.mark.parametrize(
    "other",
    [
        key(Identifier("email", "ben@example.com")),
        key(Identifier("username", "ann@example.com")),
        key(None, "ann@example.com"),
        key(None, "email:ann@example.com"),
        key(address="203.0.113.10"),
        key(address="2001:db8::1"),
        key(at="con_2"),
        secret_bucket("con_1", "203.0.113.9").key,
    ],
)
def test_counted_apart(other: str) -> None:
    assert key() != other


@given(
    st.booleans(),
    st.sampled_from([[], ["block"], ["user_notification"]]),
    st.sampled_from(["count_per_identifier_and_ip", "count_per_identifier"]),
    st.integers(1, 100),
    st.sampled_from(["device_aware", "auth0"]),
    st.integers(1, 10_000),
    st.integers(1, 2500),
    st.integers(34_560, 86_400_000),
)
def test_no_setting_weakens_what_meets_a_guess_at_administrators(
    enabled: bool, shields: list[str], mode: str, most: int, scope: str, strangers: int, tries: int, rate: int
) -> None:
    stored = {
        "brute_force_protection": {"enabled": enabled, "shields": shields, "mode": mode, "max_attempts": most}
        | {"allowlist": ["0.0.0.0/0"]},
        "suspicious_ip_throttling": {"enabled": enabled, "shields": [], "allowlist": ["0.0.0.0/0"]}
        | {"stage": {"pre-login": {"max_attempts": tries, "rate": rate}}},
        "attack_protection": {"lock_scope": scope, "max_attempts_by_strangers": strangers},
    }
    usual = {each.rule: each for each in limits(read_guards({"brute_force_protection": {"mode": mode}}))}
    held = {each.rule: each for each in limits(at_least_the_defaults(read_guards(stored)))}
    assert held.keys() == usual.keys()
    for rule, limit in held.items():
        assert limit.blocks
        assert limit.bucket.capacity <= usual[rule].bucket.capacity
        assert limit.bucket.refill <= usual[rule].bucket.refill
    assert held["suspicious_ip"].bucket.capacity <= tries  # nor does the rule make what is stricter weaker
    if "brute_force" in held:
        assert held["brute_force"].bucket.capacity <= most
    assert at_least_the_defaults(AWARE) == AWARE


def test_different_networks_are_counted_apart() -> None:
    assert key(address="2001:db8:0:1::1") != key(address="2001:db8:0:2::1")


def test_guesses_at_a_recovery_are_an_account_s_by_whatever_name() -> None:
    """And where there is none, those of what was typed: never the same as an account's."""
    name = Identifier("username", "ann")
    assert recovery_bucket("con_1", "auth0|1", ANN, "") == recovery_bucket("con_1", "auth0|1", name, "x")
    others = [
        recovery_bucket(*about).key
        for about in (
            ("con_1", "auth0|1", ANN, ""),
            ("con_1", "auth0|2", ANN, ""),
            ("con_2", "auth0|1", ANN, ""),
            ("con_1", None, ANN, ""),
            ("con_1", None, name, ""),
            ("con_1", None, None, "auth0|1"),
        )
    ]
    assert len(set(others)) == len(others)
    bucket = recovery_bucket("con_1", "auth0|1", ANN, "")
    assert (bucket.capacity, round(bucket.refill * 30 * 86_400)) == (20, 20)


def test_sizes() -> None:
    """Twenty, then ten a minute; a hundred, then one each 864 s; ten, until thirty days after the last (AP-1 to 9)."""
    same_user, suspicious, lock = (each.bucket for each in limits())
    assert (same_user.capacity, same_user.refill * 60, same_user.lasts) == (20, 10, None)
    assert (suspicious.capacity, suspicious.refill * 864, suspicious.lasts) == (100, 1, None)
    assert (lock.capacity, lock.refill, lock.lasts) == (10, 0, 30 * 86_400)
    signup = address_limits(PLAIN, "203.0.113.9", "signup")[0].bucket
    assert (signup.capacity, signup.refill * 1728) == (50, 1)
    secret = secret_bucket("client", "203.0.113.9")
    assert (secret.capacity, secret.refill, secret.key) == (10, 1 / 6, "client/203.0.113.9/client")


def test_what_the_log_may_say_is_not_what_was_typed() -> None:
    for each in (*limits(AWARE), *limits(AWARE, None, text="hunter2"), *limits(AWARE, device=LAPTOP)):
        assert "ann" not in each.bucket.prefix
        assert "hunter2" not in each.bucket.prefix


RULES = [
    (PLAIN, {}, ["brute_force"]),
    (PLAIN, {"device": LAPTOP}, ["brute_force"]),
    (AWARE, {}, ["brute_force", "strangers"]),
    (AWARE, {"device": Device(id="another")}, ["brute_force", "strangers"]),
    (AWARE, {"device": LAPTOP}, ["device"]),
    (AWARE, {"device": LAPTOP, "connection_id": "con_2"}, ["brute_force", "strangers"]),
    (AWARE, {"protected": False}, []),
    (AWARE, {"protected": False, "device": LAPTOP}, []),
]


@pytest.mark.parametrize(("guards", "about", "expected"), RULES)
def test_which_locks_an_attempt_meets(guards: Guards, about: dict[str, Any], expected: list[str]) -> None:
    shared = [] if expected == ["device"] else ["suspicious_ip"]
    assert [each.rule for each in limits(guards, **about)] == ["same_user", *shared, *expected]


def test_a_known_device_shares_nothing() -> None:
    """Whoever fails beside it, at the same address and on the same name, fills nothing of its own."""
    mine, theirs = limits(AWARE, device=LAPTOP), limits(AWARE)
    assert {each.bucket.key for each in mine}.isdisjoint(each.bucket.key for each in theirs)
    elsewhere = limits(AWARE, device=LAPTOP, address="198.51.100.7")
    assert [each.bucket for each in elsewhere] == [each.bucket for each in mine], "wherever it is carried"


@pytest.mark.parametrize(("guards", "device", "rule"), [(PLAIN, None, "account"), (AWARE, None, "strangers")])
def test_a_lock_of_the_account(guards: Guards, device: Device | None, rule: str) -> None:
    whole = replace(guards, brute_force=BruteForce(mode="count_per_identifier"))
    found = limits(whole)[2:]
    assert [each.rule for each in found] == [rule]
    assert found[0].bucket.key == limits(whole, address="198.51.100.7")[-1].bucket.key


def test_whose_addresses_are_not_counted() -> None:
    off = replace(PLAIN, brute_force=BruteForce(allowlist=["203.0.113.0/24"]))
    assert [each.rule for each in limits(off)] == ["same_user", "suspicious_ip"]
    assert [each.rule for each in limits(off, address="203.0.114.1")][2:] == ["brute_force"]
    off = replace(PLAIN, suspicious_ip=SuspiciousIp(allowlist=["203.0.113.9", "2001:db8::/32"]))
    assert [each.rule for each in limits(off)] == ["same_user", "brute_force"]
    assert not is_allowed("", ["0.0.0.0/0", "::/0"])
    assert not is_allowed("unknown", ["0.0.0.0/0"])


def test_a_network_is_allowed_where_all_of_it_is() -> None:
    assert is_allowed("2001:db8::/64", ["2001:db8::/48"])
    assert not is_allowed("2001:db8::/64", ["2001:db8::1", "0.0.0.0/0"])
    assert not is_allowed("203.0.113.9", ["::/0"])


@pytest.mark.parametrize(
    ("bucket", "spent", "passed", "full"),
    [
        (Bucket("", "", 10), 9, 0, False),
        (Bucket("", "", 10), 9.1, 0, True),
        (Bucket("", "", 10), 10, 10**9, True),
        (Bucket("", "", 10, lasts=60), 10, 59, True),
        (Bucket("", "", 10, lasts=60), 10, 60, False),
        (Bucket("", "", 10, refill=0.5), 10, 1, True),
        (Bucket("", "", 10, refill=0.5), 10, 2, False),
        (Bucket("", "", 1, refill=0.5), 1, 10**9, False),
        (Bucket("", "", 5), 10, 0, True),
    ],
)
def test_a_bucket_is_full_without_room_for_one_more(bucket: Bucket, spent: float, passed: float, full: bool) -> None:
    assert bucket.is_full(spent, passed) is full


def test_monitoring_refuses_nobody_and_tells_nobody() -> None:
    watched = replace(PLAIN, brute_force=BruteForce(shields=[]), suspicious_ip=SuspiciousIp(shields=[]))
    assert [(each.blocks, each.notifies) for each in limits(watched)] == [(True, False), (False, False), (False, False)]


def test_a_change_keeps_what_it_does_not_name() -> None:
    changed = edit(SuspiciousIp(shields=["block"]), {"stage": {"pre-login": {"max_attempts": 7}}})
    assert changed.stage.login.model_dump() == {"max_attempts": 7, "rate": 864_000}
    assert (changed.shields, changed.stage.signup.max_attempts) == (["block"], 50)
    with pytest.raises(BadRequest, match="Not an IP address or a CIDR range: x"):
        edit(BruteForce(), {"allowlist": ["x"]})


@given(st.sampled_from(["email", "username", "text"]), st.text(max_size=60), st.sampled_from(
    [("from", "203.0.113.9"), ("from", "2001:db8::/64"), ("device", "a-b_c"), ("strangers", ""), ("anywhere", "")]
))  # fmt: skip
def test_keys_can_be_read_again(kind: str, value: str, end: tuple[str, str]) -> None:
    made = LockKey("con_1", kind, value, *end)  # type: ignore[arg-type]
    assert read_lock_key(str(made)) == made


def test_a_device_knows_a_handful_of_people() -> None:
    device = Device(id="d")
    people = [Identifier("email", f"{number}@example.com") for number in range(40)]
    for person in people:
        device = device.after_login("con_1", [person], "auth0|1")
    assert len(device.tags) == 24
    assert device.knows("con_1", people[-1], "auth0|1")
    assert device.knows("con_1", people[16], "auth0|1")
    assert not device.knows("con_1", people[15], "auth0|1")
    assert device.after_login("con_1", [people[16]], "auth0|1").tags[0] == device.tags[-1]


@pytest.mark.parametrize(
    ("workers", "queue", "places"),
    [(2, 64, 33), (8, 64, 36), (1, 4, 2), (1, 1, 1), (4, 4, 4), (64, 64, 64), (64, 10_000, 5032)],
)
def test_one_source_gets_half_of_the_places(workers: int, queue: int, places: int) -> None:
    """And every thread, where nobody else wants one; never all places."""
    assert places_of_one(workers, queue) == places < workers + queue


@given(st.text(max_size=5000), st.text(max_size=300))
def test_keys_fit_their_column(typed: str, address: str) -> None:
    """Keys are at most 600 characters, whatever was typed and wherever it came from."""
    longest = Identifier("phone_number", "x" * 254)
    for each in limits(AWARE, longest, address=address, connection_id="con_" + "x" * 16):
        assert len(each.bucket.key) <= 600
    assert len(secret_bucket(typed, address).key) <= 600
