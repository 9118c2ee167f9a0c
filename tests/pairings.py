"""Which variants of a test run on which database, where nobody asks for all.

A test with many variants is run on both databases, and each of its variants on one: they take turns. Whoever names
tests, or asks with ``--every-pairing``, has each variant on each database.
"""

from collections import defaultdict
from collections.abc import Iterable

DATABASES = ("sqlite", "postgres")


def surplus(names: Iterable[str]) -> set[str]:
    """Return which of these tests, by node id, need not run: of variants that are on both databases, one of each."""
    tests: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        test, _, variant = name.partition("[")
        parts = variant.removesuffix("]").split("-")
        database = next((each for each in DATABASES if each in parts), None)
        if database is not None:
            parts.remove(database)
            tests[test]["-".join(parts)][database] = name
    left: set[str] = set()
    for variants in tests.values():
        both = [each for each in variants.values() if len(each) == len(DATABASES)]
        if len(both) > 1:
            left |= {each[DATABASES[(at + 1) % 2]] for at, each in enumerate(both)}
    return left
