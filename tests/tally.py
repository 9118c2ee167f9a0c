"""What is counted over a whole run, whichever process did it: ``conftest`` brings it together and prints it."""

from collections import Counter
from collections.abc import Iterator

TALLY: Counter[str] = Counter()
"""Counts by a text whose first word says of what: ``answered GET /api/v2/users 200``."""


def tallied(kind: str) -> Iterator[tuple[str, int]]:
    """Give what was counted of a kind, without its first word."""
    for name, count in sorted(TALLY.items()):
        if name.startswith(f"{kind} "):
            yield name.partition(" ")[2], count
