"""Who has an account? Holds answers to strangers against each other, and names what tells two kinds of people apart.

What is random in every answer is reduced to its shape first, so that whatever differs then is about the person. Times
are compared by rank, which asks for no bell curve: one slow answer of a busy machine weighs no more than any other.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Final, Literal
from urllib.parse import quote, quote_plus

from keystead.secrecy import Secret

Kind = Literal["nobody", "password", "blocked", "unverified", "passkey", "imported"]
"""Who was typed: nobody, and people who differ in what a stranger must not learn."""

KINDS: Final[tuple[Kind, ...]] = ("nobody", "password", "blocked", "unverified", "passkey", "imported")

Aspect = Literal["status", "headers", "cookies", "body", "work", "time"]

ALPHA: Final = 0.01
"""How likely a run over people who do not differ may name any difference in time: over all pairs of the run."""

EFFECT: Final = 0.1
"""How far the chance that one answers later than the other must be from a half, to matter: 40 or 60 in a hundred."""

SHARE: Final = 0.1
"""In how large a share of the answers two kinds must differ in what can be read, to matter."""

_TALKATIVE: Final = frozenset({"retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "content-length", "date"})
"""Headers whose value counts or tells the time; that they are there is compared, and the body itself is."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{12,}")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")
_AROUND: Final = 60


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, as a program or a browser sends it: JSON, or a form, or neither."""

    method: str
    path: str
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    token: Secret[str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a stranger sees of one answer. ``work`` is what only a watcher inside can count."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    seconds: float = 0.0
    work: Mapping[str, int] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return the first header of a name; empty where there is none."""
        return next((value for each, value in self.headers if each.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer, and who was typed how to get it."""

    kind: Kind
    typed: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Difference:
    """Two kinds of people that an answer tells apart."""

    one: Kind
    other: Kind
    aspect: Aspect
    says: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe tells: nothing, where there are no differences."""

    probe: str
    samples: int
    medians: Mapping[Kind, float]
    """The time of the answers in the middle, in seconds."""
    differences: tuple[Difference, ...] = ()
    apart: tuple[Kind, ...] = ()
    """Kinds that may be told from the others here, and were not compared with them."""


def judge(found: Mapping[str, Sequence[Sample]], apart: Mapping[str, Collection[Kind]] | None = None) -> list[Verdict]:
    """Judge every probe. ``apart`` names those kinds, by probe, that may be told from the others, not from each other.

    The likelihood of a false alarm is shared out over all pairs of all probes (Bonferroni).
    """
    may = {probe: _told(samples, (apart or {}).get(probe, ())) for probe, samples in found.items()}
    pairs = {probe: list(_pairs(samples, may[probe])) for probe, samples in found.items()}
    alpha = ALPHA / max(1, sum(map(len, pairs.values())))
    judged = [_verdict(probe, samples, pairs[probe], alpha) for probe, samples in found.items()]
    return [replace(each, apart=may[each.probe]) for each in judged]


def seen(sample: Sample) -> dict[Aspect, str]:
    """Return what can be read of an answer, without what is random in every one and without what was typed."""
    reply = sample.reply
    named = [(name.lower(), value) for name, value in reply.headers]
    headers = [(name, _shape(value, sample.typed)) for name, value in named if name != "set-cookie"]
    shown = (f"{name}: {'' if name in _TALKATIVE else value}" for name, value in headers)
    cookies = (_cookie(value, sample.typed) for name, value in named if name == "set-cookie")
    return {
        "status": str(reply.status),
        "headers": "\n".join(sorted(shown)),
        "cookies": "\n".join(sorted(cookies)),
        "body": _shape(reply.body, sample.typed),
        "work": ", ".join(f"{count} {name}" for name, count in sorted(reply.work.items())),
    }


def later(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Return how likely a value of ``one`` is larger than one of ``other``, and how likely so much is by chance.

    The first is Vargha and Delaney's A; the second is of the two-sided Mann-Whitney U test, by the normal approximation
    with corrections for ties and continuity: good from about ten values each.
    """
    n, m = len(one), len(other)
    if not n or not m:
        return 0.5, 1.0
    ranks, ties = _ranks([*one, *other])
    u = sum(ranks[:n]) - n * (n + 1) / 2
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 0.5, 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return u / (n * m), math.erfc(z / math.sqrt(2))


def _ranks(values: Sequence[float]) -> tuple[list[float], float]:
    """Return the rank of each value, and the sum of t^3 - t over the groups of equal ones."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, ties, start = [0.0] * len(values), 0.0, 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for at in order[start:end]:
            ranks[at] = (start + 1 + end) / 2
        ties += (end - start) ** 3 - (end - start)
        start = end
    return ranks, ties


def _there(samples: Sequence[Sample]) -> list[Kind]:
    return [kind for kind in KINDS if any(each.kind == kind for each in samples)]


def _told(samples: Sequence[Sample], apart: Collection[Kind]) -> tuple[Kind, ...]:
    """Return which kinds that are there may be told from others that are."""
    there = _there(samples)
    told = tuple(kind for kind in there if kind in apart)
    return told if len(told) < len(there) else ()


def _pairs(samples: Sequence[Sample], apart: Collection[Kind]) -> Iterator[tuple[Kind, Kind]]:
    """Give the pairs of kinds that must be alike."""
    there = _there(samples)
    return ((one, other) for one, other in combinations(there, 2) if (one in apart) == (other in apart))


def _verdict(probe: str, samples: Sequence[Sample], pairs: Iterable[tuple[Kind, Kind]], alpha: float) -> Verdict:
    times = {kind: [each.reply.seconds for each in samples if each.kind == kind] for kind in KINDS}
    read = {kind: [seen(each) for each in samples if each.kind == kind] for kind in KINDS}
    found: list[Difference] = []
    for one, other in pairs:
        found += _read_apart(one, other, read)
        effect, chance = later(times[other], times[one])
        if chance < alpha and abs(effect - 0.5) >= EFFECT:
            found.append(Difference(one, other, "time", _timing(one, other, times, effect, chance)))
    medians = {kind: _median(values) for kind, values in times.items() if values}
    return Verdict(probe, len(samples), medians, tuple(found))


def _read_apart(one: Kind, other: Kind, read: Mapping[Kind, list[dict[Aspect, str]]]) -> Iterator[Difference]:
    for aspect in ("status", "headers", "cookies", "body", "work"):
        here, there = (Counter(each[aspect] for each in read[kind]) for kind in (one, other))
        if _distance(here, there) >= SHARE:
            mine, theirs = _most_apart(here, there), _most_apart(there, here)
            yield Difference(one, other, aspect, f"{_excerpt(mine, theirs)} | {_excerpt(theirs, mine)}")


def _distance(one: Counter[str], other: Counter[str]) -> float:
    """Return in which share of the answers two kinds differ (total variation)."""
    n, m = one.total(), other.total()
    return sum(abs(one[value] / n - other[value] / m) for value in one | other) / 2


def _most_apart(one: Counter[str], other: Counter[str]) -> str:
    n, m = one.total(), other.total()
    return max(one, key=lambda value: one[value] / n - other[value] / m)


def _excerpt(text: str, beside: str) -> str:
    """Return the part of a text where it begins to differ from another."""
    same = next((at for at, pair in enumerate(zip(text, beside, strict=False)) if pair[0] != pair[1]), None)
    start = max(0, (min(len(text), len(beside)) if same is None else same) - _AROUND // 3)
    return " ".join(text[start : start + _AROUND].split()) or "(nothing)"


def _timing(one: Kind, other: Kind, times: Mapping[Kind, Sequence[float]], effect: float, chance: float) -> str:
    medians = (f"{_median(times[kind]) * 1000:.2f} ms" for kind in (one, other))
    return f"{' | '.join(medians)}; {other} answers later in {effect:.0%}, p = {chance:.1e}"


def _median(values: Sequence[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _shape(text: str, typed: str) -> str:
    """Put shapes in the place of what was typed, of moments, and of whatever looks random; lengths stay."""
    for spelling in sorted(
        {typed, quote(typed), quote(typed, safe=""), quote_plus(typed), typed.replace("+", "&#43;")}
    ):
        if spelling:
            text = text.replace(spelling, "<typed>")
    return _TOKEN.sub(_masked, _DATE.sub("<moment>", text))


def _masked(found: re.Match[str]) -> str:
    """A word with a digit in it, or both small and capital letters, is an id, a nonce or a token; others are words."""
    word = found[0]
    is_word = word.islower() or word.isupper()
    return word if is_word and not any(char.isdigit() for char in word) else f"<{len(word)}>"


def _cookie(value: str, typed: str) -> str:
    """Return a cookie with the length of its value for the value; a sealed one is random whatever it holds."""
    pair, *attributes = value.split(";")
    name, _, content = pair.partition("=")
    moment = re.compile(r"expires=.*", re.IGNORECASE)
    kept = (moment.sub("expires", each.strip()) for each in attributes)
    return "; ".join([f"{name}=<{len(content)}>", *(_shape(each, typed) for each in kept)])
