"""A device that somebody logged in with before: it has a lock of its own, which no stranger can turn.

What it carries is signed and says no name: a random id, and a tag for each identifier that was logged in with. The tag
is of the account as it was: a new password, or a new owner of the identifier, makes strangers of the devices of whoever
was in before, who could have collected any number of them.
"""

from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

from keystead.rules.identifiers import Identifier
from keystead.secrecy import fingerprint

MOST_TAGS: Final = 24
"""How many identifiers a device is known for: a family's computer, with three each; the oldest go first."""


class Device(BaseModel):
    """What a device carries: its id, and for whom it is known, the newest first."""

    model_config = ConfigDict(frozen=True)

    id: str
    tags: tuple[str, ...] = ()

    def knows(self, connection_id: str, identifier: Identifier, tenure: str) -> bool:
        """Whether somebody logged in on it with an identifier before, however what was typed is read.

        ``tenure`` is the account's (``Profile.tenure``). Where there is none, nobody is known.
        """
        readings = (identifier, *identifier.otherwise)
        return bool(tenure) and any(_tag(connection_id, each, tenure) in self.tags for each in readings)

    def after_login(self, connection_id: str, identifiers: Iterable[Identifier], tenure: str) -> "Device":
        """Return what the device carries once somebody with these identifiers has logged in on it."""
        mine = tuple(_tag(connection_id, each, tenure) for each in identifiers)
        others = (each for each in self.tags if each not in mine)
        return self.model_copy(update={"tags": (*mine, *others)[:MOST_TAGS]})


def _tag(connection_id: str, identifier: Identifier, tenure: str) -> str:
    # Not of its kind: what was typed may be read as another kind than the account has it as (``identifiers.parse``).
    return fingerprint(f"{connection_id}/{identifier.value}/{tenure}")[:16]
