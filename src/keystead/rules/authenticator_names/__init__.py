"""What models of authenticators are called, as data: an AAGUID and a name in each line of ``names.txt``.

For showing to people and nothing else: an AAGUID is hearsay until an attestation proves it, and so is its name. What
the FIDO metadata calls a model comes first where there is metadata (``flows/authenticator_models``).
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


def name_of(aaguid: str) -> str | None:
    """Return what a model is called; ``None`` where nobody here knows it, as of the AAGUID that is all zeros."""
    return names().get(aaguid)


@cache
def names() -> Mapping[str, str]:
    """Return every name by its AAGUID, read on the first use."""
    lines = files(__package__).joinpath("names.txt").read_text(encoding="utf-8").splitlines()
    return {aaguid: name for aaguid, _, name in (line.partition(" ") for line in lines)}
