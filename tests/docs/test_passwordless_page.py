"""The page about life without passwords: its blocks are options that the server takes, its figures the code's own."""

import json
import re
from pathlib import Path

import pytest

from keystead.rules.buckets import recovery_bucket, reset_bucket
from keystead.rules.connections import read_options
from keystead.rules.messages import CODE_TRIES, LONG_CODE_DIGITS, RECOVERY_LIFETIME
from keystead.rules.passkey_policy import recoverable
from world import World

PAGE = (Path(__file__).parents[2] / "docs" / "passwordless.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=["no passwords", "accounts without"])
async def test_the_blocks_are_options_that_let_people_recover(world: World, block: str) -> None:
    answer = await world.patch_options(**json.loads(block))
    assert answer.status_code == 200, answer.text
    assert recoverable(read_options(answer.json()["options"]))


def test_the_figures_are_those_of_the_code() -> None:
    assert (RECOVERY_LIFETIME.total_seconds(), CODE_TRIES, LONG_CODE_DIGITS) == (600, 5, 16)
    assert "work once, for ten minutes and five guesses" in PAGE
    assert "codes of sixteen digits" in PAGE
    guesses, asked = recovery_bucket("con", "auth0|1", None, ""), reset_bucket("con", None, "", "")
    assert (guesses.capacity, round(guesses.refill * 86_400 * 1.5, 9)) == (20, 1)
    assert "twenty, and one more for each day and a half" in PAGE
    assert (asked.capacity, asked.refill) == (10, 1 / 60)
    assert "ten times, then once a minute" in " ".join(PAGE.split())
