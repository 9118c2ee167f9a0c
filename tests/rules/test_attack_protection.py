"""Buckets: which attempts are counted together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.attack_protection import login_bucket, places_of_one, recovery_bucket, secret_bucket
from keystead.rules.identifiers import Identifier

ANN = Identifier("email", "ann@example.com")


def key(identifier: Identifier | None = ANN, typed: str = "", address: str = "203.0.113.9", at: str = "con_1") -> str:
    return login_bucket(at, identifier, typed, address).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key(typed="ann@example.com"), key(typed=" ANN@example.com")),
        (key(address="2001:db8::1"), key(address="2001:db8::ffff:0:0:9")),
        (key(address="2001:0db8::1"), key(address="2001:db8:0:0:0:0:0:2")),
        (key(address="::ffff:203.0.113.9"), key()),
        (key(address=""), key(address="not an address")),
        (key(None, "x" * 128), key(None, "x" * 4096)),
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
    """Ten failures, and all of them back after a block of thirty days; secrets of clients come back quickly."""
    login, secret = login_bucket("con_1", ANN, "", ""), secret_bucket("client", "203.0.113.9")
    assert (login.capacity, login.refill * 30 * 86_400) == (10, 1)
    assert (secret.capacity, secret.refill) == (10, 1 / 6)
    assert secret.key == "client/203.0.113.9/client"


def test_what_the_log_may_say_is_not_what_was_typed() -> None:
    assert login_bucket("con_1", ANN, "", "2001:db8::1").prefix == "login/con_1/2001:db8::/64"
    assert login_bucket("con_1", None, "hunter2", "").prefix == "login/con_1/unknown"
    assert secret_bucket("a/b", "203.0.113.9").prefix == "client/203.0.113.9"


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
    assert len(login_bucket("con_" + "x" * 16, None, typed, address).key) <= 600
    assert len(login_bucket("con_" + "x" * 16, longest, typed, address).key) <= 600
    assert len(secret_bucket(typed, address).key) <= 600
