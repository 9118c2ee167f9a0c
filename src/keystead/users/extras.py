"""What comes with a person and nobody may read in the database: tokens, second factors, how they are spelled there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keystead.errors import InternalError
from keystead.ports import Sealer
from keystead.rules.profiles import EXTRAS


@dataclass(frozen=True)
class Extras:
    """Seals and opens ``account.sealed_extras``."""

    sealer: Sealer

    def sealed(self, extras: Mapping[str, Any]) -> bytes | None:
        """Return what is stored; nothing where there is nothing."""
        return self.sealer.seal(json.dumps(extras).encode("utf-8"), EXTRAS) if extras else None

    def opened(self, sealed: bytes | None) -> dict[str, Any]:
        """Return what is in it: nothing, where it was sealed with a key that is gone."""
        try:
            found = json.loads(self.sealer.open(sealed, EXTRAS)) if sealed else {}
        except InternalError:
            return {}
        return found if isinstance(found, dict) else {}
