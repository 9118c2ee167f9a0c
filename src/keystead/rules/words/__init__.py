"""Common passwords and words, as data: what ``password_options.dictionary`` compares with (PW-6, PW-10).

``en_10k`` is the top of zxcvbn's ranked passwords; ``en_100k`` is the union of the lists of zxcvbn and Django, 100,802
words. Compared whole and without regard to case. ``scripts/words.py`` writes them.
"""

import gzip
from functools import cache
from importlib.resources import files
from typing import Literal

WordList = Literal["en_10k", "en_100k"]


def is_common(password: str, words: WordList) -> bool:
    """Whether a password, folded to one case, is in a list."""
    return password in _words(words)


@cache
def _words(name: WordList) -> frozenset[str]:
    """Read a list on its first use, so that nobody pays for one that no connection asks for."""
    packed = files(__package__).joinpath(f"{name}.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode("utf-8").split("\n")[:-1])
