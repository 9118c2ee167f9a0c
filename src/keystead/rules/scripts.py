"""Writing systems: which of them a word mixes, so that letters of one cannot pass for those of another.

The idea is the level "highly restrictive" of UTS 39 §5.2: one script, or Latin with the scripts that Chinese, Japanese
and Korean are written in. A word that is written whole in a script whose letters look like another's is let through.
"""

import unicodedata
from functools import lru_cache
from typing import Final

_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
"""What people write together."""

_NAMED: Final = {"IDEOGRAPHIC": "CJK", "KATAKANA-HIRAGANA": "KATAKANA"}
"""Names of characters that do not begin with the name of their script."""


def is_mixed(word: str) -> bool:
    """Whether the letters of a word come from scripts that nobody writes together."""
    if word.isascii():
        return False
    scripts = {_script(char) for char in word if unicodedata.category(char)[0] == "L"}
    return len(scripts) > 1 and not any(scripts <= each for each in _TOGETHER)


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """Return the script of a letter, which is the first word of its name."""
    first = unicodedata.name(letter, "UNKNOWN").split()[0]
    return _NAMED.get(first, first)
