"""The levels and the rule tree agree with the npm package ``password-sheriff``, which Auth0 and its SDKs judge by.

All passwords go through one Node process, as lines of JSON.
"""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from keystead.errors import WeakPassword
from keystead.rules.connections import read_options
from keystead.rules.password_policy import check
from keystead.secrecy import Secret

PACKAGE = "password-sheriff@^2.0.0"
LEVELS = ("none", "low", "fair", "good", "excellent")
FLEXIBLE = "flexible"
COUNT = 2_500
ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "aA1!",
    "\u00e9\u00df\u03a9\u4e2d\u0663\u20ac",
)
JUDGE = """
const sheriff = require(process.argv[2]);
const { charsets, PasswordPolicy } = sheriff;
const flexible = new PasswordPolicy({
  length: { minLength: 4 },
  contains: { expressions: [charsets.lowerCase, charsets.numbers] },
  identicalChars: { max: 2 },
  sequentialChars: { max: 2 },
});
const named = (name) => (name === "flexible" ? flexible : sheriff(name));
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { level, password } = JSON.parse(line);
  const policy = named(level);
  const found = { accepted: policy.check(password), report: policy.missing(password), policy: policy.toString() };
  process.stdout.write(JSON.stringify(found) + "\\n");
});
"""
COMPLEXITY = {
    "min_length": 4,
    "character_types": ["number", "lowercase"],
    "identical_characters": "block",
    "sequential_characters": "block",
    "max_length_exceeded": "truncate",
}
Verdict = dict[str, Any]


@pytest.fixture(scope="module")
def sheriff(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package into a directory of its own, and return where it is."""
    missing = pytest.fail if os.environ.get("KEYSTEAD_TEST_REQUIRE_ALL") else pytest.skip
    if not shutil.which("node") or not shutil.which("npm"):
        missing("there is no Node.js")
    place = tmp_path_factory.mktemp("password-sheriff")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(place), PACKAGE]
    installed = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100, check=False)
    if installed.returncode:
        missing(f"npm could not install {PACKAGE}: {installed.stderr[-300:]}")
    return place / "node_modules/password-sheriff"


def theirs(package: Path, asked: list[tuple[str, str]]) -> list[Verdict]:
    """Have the package judge passwords, each by a level."""
    lines = "".join(json.dumps({"level": level, "password": password}) + "\n" for level, password in asked)
    script = package.parent.parent / "judge.js"
    script.write_text(JUDGE, encoding="utf-8")
    command = ["node", str(script), str(package)]
    found = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=100, check=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


def ours(level: str, password: str) -> Verdict:
    """Judge a password ourselves."""
    flexible = {"password_options": {"complexity": COMPLEXITY}}
    options = read_options(flexible if level == FLEXIBLE else {"passwordPolicy": level})
    try:
        check(Secret(password), options, {})
    except WeakPassword as refusal:
        return {"accepted": False, "report": refusal.report, "policy": refusal.summary}
    return {"accepted": True}


def generated(count: int) -> list[str]:
    """Make passwords of up to 14 characters, with the runs that make rules fail; the same ones each time."""
    chance = random.Random(20260601)  # noqa: S311 - the same passwords each time is the point
    found = [""]
    while len(found) < count:
        parts = [chance.choice(chance.choice(ALPHABETS)) * chance.choice((1, 1, 1, 1, 2, 3)) for _ in range(14)]
        text = "".join(parts)
        if chance.random() < 0.2:
            text = chance.choice(("abc", "cba", "789", "aBc", "321", "xyz", "Zab", "089")) + text
        found.append(text[: chance.randrange(1, 15)])
    return found


def test_verdicts_and_rule_trees_agree(sheriff: Path) -> None:
    asked = [(level, password) for level in (*LEVELS, FLEXIBLE) for password in generated(COUNT)]
    verdicts: dict[str, set[bool]] = {level: set() for level in (*LEVELS, FLEXIBLE)}
    different = []
    for (level, password), expected in zip(asked, theirs(sheriff, asked), strict=True):
        found = ours(level, password)
        verdicts[level].add(found["accepted"])
        if found["accepted"] != expected["accepted"] or (not found["accepted"] and found != expected):
            different.append((level, password, found, expected))
    assert different[:3] == []
    assert {level for level, seen in verdicts.items() if seen != {True, False}} == set(), "each level says yes and no"


@pytest.mark.parametrize(
    ("level", "password", "accepted"),
    [
        ("low", "\N{GRINNING FACE}" * 3, False),
        ("excellent", "Aa1!Bb2@" + "\N{GRINNING FACE}" * 3, False),
        ("low", "e\u0301" * 3, False),
    ],
    ids=["three characters", "equal characters", "composed characters"],
)
def test_where_they_differ_for_a_reason(sheriff: Path, level: str, password: str, accepted: bool) -> None:
    """They count 16-bit units of what was typed; we count characters of what is hashed (NFC)."""
    (expected,) = theirs(sheriff, [(level, password)])
    assert expected["accepted"], "or there is no difference to speak of"
    assert ours(level, password)["accepted"] is accepted
