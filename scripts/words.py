"""Write the lists of common passwords that ship with the product, from the packages that carry them.

Needs ``zxcvbn`` and ``django`` in the environment; run by hand when a newer version of either has better lists.
"""

import gzip
from pathlib import Path

import django.contrib.auth
from zxcvbn.frequency_lists import FREQUENCY_LISTS

WORDS = Path(__file__).parents[1] / "src/keystead/rules/words"


def main() -> None:
    """Write ``en_10k`` and ``en_100k``, sorted, so that the files are the same whenever the lists are."""
    from_django = Path(django.contrib.auth.__file__).parent / "common-passwords.txt.gz"
    with gzip.open(from_django, "rt", encoding="utf-8") as file:
        words = {line.strip() for line in file}
    for ranked in FREQUENCY_LISTS.values():
        words |= set(ranked)
    _write("en_10k", set(FREQUENCY_LISTS["passwords"][:10_000]))
    _write("en_100k", {word for word in words if word})


def _write(name: str, words: set[str]) -> None:
    text = "\n".join(sorted({word.casefold() for word in words})) + "\n"
    (WORDS / f"{name}.txt.gz").write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))


if __name__ == "__main__":
    main()
