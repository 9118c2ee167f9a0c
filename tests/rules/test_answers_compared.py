"""What tells two kinds of people apart, and what only looks as if it did."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.enumeration import KINDS, Difference, Kind, Reply, Sample, Verdict, judge, later, seen

HEADERS = (("Content-Type", "application/json"), ("Retry-After", "12"))


def sample(kind: Kind = "nobody", typed: str = "ann@example.com", **reply: Any) -> Sample:
    return Sample(kind, typed, replace(Reply(403, HEADERS, '{"error":"invalid_grant"}'), **reply))


def alike(kinds: tuple[Kind, ...] = KINDS, each: int = 20, seed: int = 1, spread: float = 0.01) -> list[Sample]:
    dice = random.Random(seed)  # noqa: S311
    return [sample(kind, seconds=dice.gauss(0.1, spread)) for kind in kinds for _ in range(each)]


def differences(samples: list[Sample], *apart: Kind) -> tuple[Difference, ...]:
    (verdict,) = judge({"probe": samples}, {"probe": apart})
    return verdict.differences


def named(samples: list[Sample], *apart: Kind) -> set[tuple[str, str, str]]:
    return {(each.one, each.other, each.aspect) for each in differences(samples, *apart)}


# --- what is random ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"_id":"65f0c0ffee65f0c0ffee65f0"}', '{"_id":"a5f0c0ffee65f0c0ffee65ff"}'),
        ("/u/login?state=QWERTZuiop-asdfghjkl_YXCVBNM1234567890qwert", "/u/login?state=" + "x7_-" * 10 + "abc"),
        ("dec_AbCdEfGhIjKlMnOp", "dec_0b2d4f6h8j0l2n4p"),
        ('"date":"2026-06-01T12:00:00.000Z"', '"date":"2027-01-02T03:04:05.678Z"'),
    ],
)
def test_what_is_random_is_reduced_to_its_shape(one: str, other: str) -> None:
    assert seen(sample(body=one)) == seen(sample(body=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<h1>Wrong password</h1>", "<h1>Wrong username</h1>"),
        ("email-identifier-challenge", "phone-identifier-challenge"),
        ('{"state":"QWERTZuiop-asdfghjkl1"}', '{"state":"QWERTZuiop-asdfghjkl12"}'),
        ('{"locked":true}', '{"locked":false}'),
    ],
)
def test_what_says_something_stays(one: str, other: str) -> None:
    assert seen(sample(body=one))["body"] != seen(sample(body=other))["body"]


@pytest.mark.parametrize("spell", ["{}", "name={}&", "<b>{}</b>"])
def test_what_was_typed_comes_back_to_everybody(spell: str) -> None:
    ann, bob = "a+nn@example.com", "robert@example.com"
    assert seen(sample(body=spell.format(ann), typed=ann)) == seen(sample(body=spell.format(bob), typed=bob))
    assert seen(sample(body="a%2Bnn%40example.com", typed=ann)) == seen(sample(body="robert%40example.com", typed=bob))


def test_counters_and_clocks_in_headers_are_not_compared_but_that_they_are_there_is() -> None:
    later_on = (("content-type", "application/json"), ("retry-after", "13"))
    assert seen(sample(headers=later_on)) == seen(sample())
    assert seen(sample(headers=later_on[:1]))["headers"] != seen(sample())["headers"]


def test_of_a_cookie_the_value_is_reduced_to_its_length() -> None:
    def cookie(value: str) -> str:
        return seen(sample(headers=(("set-cookie", value),)))["cookies"]

    assert cookie("session=abc; Path=/; Expires=Mon, 1") == cookie("session=xyz; Path=/; Expires=Tue, 2")
    assert cookie("session=abc; Path=/") != cookie("session=abcd; Path=/")
    assert cookie("session=abc; Path=/") != cookie("session=abc; Path=/; Secure")


# --- what differs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aspect", "change"),
    [
        ("status", {"status": 429}),
        ("headers", {"headers": (*HEADERS, ("x-user", "1"))}),
        ("cookies", {"headers": (*HEADERS, ("set-cookie", "a=b; Path=/"))}),
        ("body", {"body": '{"error":"unauthorized"}'}),
        ("work", {"work": {"hashes": 2}}),
    ],
)
def test_a_planted_leak_is_named_with_its_pair(aspect: str, change: dict[str, Any]) -> None:
    planted = [
        replace(each, reply=replace(each.reply, **change)) if each.kind == "blocked" else each for each in alike()
    ]
    pairs = {("nobody", "blocked"), ("password", "blocked")} | {("blocked", kind) for kind in KINDS[3:]}
    assert named(planted) == {(*pair, aspect) for pair in pairs}


def test_it_shows_where_two_answers_begin_to_differ() -> None:
    long = "x" * 10_000
    samples = [sample("nobody", body=long + " no such user"), sample("password", body=long + " wrong password")]
    (found,) = differences(samples)
    assert "no such user" in found.says
    assert "wrong password" in found.says
    assert len(found.says) < 150


def test_who_may_be_told_from_the_others_may_not_be_told_from_each_other() -> None:
    taken = [
        replace(each, reply=replace(each.reply, status=200)) if each.kind == "nobody" else each for each in alike()
    ]
    assert named(taken)
    assert not named(taken, "nobody")
    both = [replace(each, reply=replace(each.reply, status=200 + (each.kind == "blocked"))) for each in alike()]
    assert named(both, "nobody", "blocked") == {("nobody", "blocked", "status")}


def test_one_odd_answer_in_many_is_not_about_who_it_was() -> None:
    samples = alike(each=30)
    samples[3] = replace(samples[3], reply=replace(samples[3].reply, status=503))
    assert named(samples) == set()


# --- times ---------------------------------------------------------------------------------------------------------


def test_the_same_distribution_is_rarely_named() -> None:
    """At most one run in a hundred, over all of its pairs; seeded, so that it is the same hundred each time."""
    alarms = sum(bool(differences(alike(each=40, seed=seed))) for seed in range(100))
    assert alarms <= 1


@pytest.mark.parametrize("seed", range(20))
def test_a_shift_is_named(seed: int) -> None:
    slower = [
        replace(each, reply=replace(each.reply, seconds=each.reply.seconds + 0.02)) if each.kind == "passkey" else each
        for each in alike(each=60, seed=seed)
    ]
    pairs = {("passkey", "imported")} | {(kind, "passkey") for kind in KINDS[:4]}
    assert named(slower) == {(*pair, "time") for pair in pairs}


def test_a_shift_that_does_not_matter_is_not_named() -> None:
    """With enough samples any shift is significant: it has to matter as well."""
    dice = random.Random(7)  # noqa: S311
    values = {kind: [dice.gauss(0.1, 0.01) for _ in range(4000)] for kind in ("nobody", "password")}
    shifted = [each + 0.0015 for each in values["password"]]
    effect, chance = later(shifted, values["nobody"])
    assert chance < 1e-6
    assert 0.5 < effect < 0.6
    samples = [sample("nobody", seconds=each) for each in values["nobody"]]
    assert named([*samples, *(sample("password", seconds=each) for each in shifted)]) == set()


def test_a_known_value_of_the_test() -> None:
    """By hand: U = 24.5 of 25 with one tie, z = (24.5 - 12.5 - 0.5) / sqrt(25/12 * (11 - 6/90))."""
    effect, chance = later([5, 7, 8, 9, 10], [1, 2, 3, 4, 5])
    assert effect == pytest.approx(24.5 / 25)
    assert chance == pytest.approx(0.01597, abs=2e-4)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40), st.lists(st.floats(0, 10), min_size=1, max_size=40))
def test_the_two_sides_agree(one: list[float], other: list[float]) -> None:
    (effect, chance), (reverse, same) = later(one, other), later(other, one)
    assert effect + reverse == pytest.approx(1)
    assert chance == pytest.approx(same)
    assert 0 <= chance <= 1


@given(st.floats(0, 10), st.integers(0, 30), st.integers(0, 30))
def test_what_is_all_the_same_is_no_difference(value: float, n: int, m: int) -> None:
    assert later([value] * n, [value] * m) == (0.5, 1.0)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_order_does_not_matter(values: list[float]) -> None:
    half = len(values) // 2
    assert later(values[:half][::-1], values[half:]) == pytest.approx(later(values[:half], values[half:][::-1]))


def test_who_was_not_compared_is_told() -> None:
    samples = [sample("nobody"), sample("password"), sample("blocked")]
    apart: dict[str, tuple[Kind, ...]] = {"a": ("nobody", "passkey"), "c": ("nobody",)}
    judged = judge({"a": samples, "b": samples, "c": samples[:1]}, apart)
    assert [verdict.apart for verdict in judged] == [("nobody",), (), ()]


def test_the_medians_are_told() -> None:
    samples = [sample("nobody", seconds=each) for each in (0.1, 0.3, 0.2)] + [sample("password", seconds=0.5)]
    assert judge({"a": samples}) == [Verdict("a", 4, {"nobody": 0.2, "password": 0.5})]


def test_nothing_is_judged_of_nothing() -> None:
    assert judge({}) == []
    assert judge({"a": []}) == [Verdict("a", 0, {})]
