"""The page about branding names every text that may be replaced, and its examples are taken."""

import json
import re
from pathlib import Path

from keystead.rules import page_texts
from keystead.rules.branding import Branding, edit, stylesheet
from keystead.rules.page_texts import PROMPTS

PAGE = (Path(__file__).parents[2] / "docs/branding.md").read_text(encoding="utf-8")


def test_every_text_is_named() -> None:
    rows = re.findall(r"^\| ([a-z-]+) \| ([a-z-]+) \| ([\w, ]+) \|$", PAGE, flags=re.MULTILINE)
    told = {(prompt, screen): keys.split(", ") for prompt, screen, keys in rows}
    assert told == {(prompt, screen): list(keys) for prompt in PROMPTS for screen, keys in PROMPTS[prompt].items()}


def test_the_examples_are_taken() -> None:
    colours, pictures, texts = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL))
    assert "--accent: #7c3aed" in stylesheet(edit(Branding(), colours))
    assert edit(Branding(), pictures).origins() == ("https://cdn.example.com",)
    assert page_texts.read(page_texts.place("login-id", "en"), texts) == texts
    (gradient,) = re.findall(r"`(\{\"type\".*?\})`", PAGE)
    assert "linear-gradient(45deg" in stylesheet(
        edit(Branding(), {"colors": {"page_background": json.loads(gradient)}})
    )
