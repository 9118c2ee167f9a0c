"""How the action scripts of a connection fare, for administrators."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from keystead.rules.circuits import Circuit
from keystead.rules.health import Interpreters

LATELY: Final = timedelta(days=1)
"""How far back failures are looked for in the journal."""

State = Literal["closed", "open", "half_open"]
"""Scripts are called; are left alone for a while; are tried with one call."""


@dataclass(frozen=True, slots=True)
class ScriptHealth:
    """What one process knows of the scripts of a connection since it was started."""

    circuit: State = "closed"
    """Each script has its own: of the one that fares worst, and so are the next two."""
    seconds_until_tried: float = 0.0
    failures_in_a_row: int = 0
    calls: int = 0
    failures: int = 0
    last_failure: str = ""
    under_way: int = 0
    waiting: int = 0
    idle_children: int = 0

    def on_wire(self) -> dict[str, Any]:
        """Return it as the Management API shows it."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {"seconds_until_tried": round(self.seconds_until_tried, 1)}


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure in the journal, in whichever process it was."""

    date: datetime
    script: str
    text: str


def state_of(circuit: Circuit, now: float) -> tuple[State, float]:
    """Return whether scripts are called, and in how many seconds they are tried again where they are not."""
    if circuit.until is None:
        return "closed", 0.0
    return ("open", circuit.until - now) if now < circuit.until and not circuit.trying else ("half_open", 0.0)


def versions(found: Interpreters) -> dict[str, str]:
    """Return what runs scripts here, by language; why not, where there is none that works."""
    return {"node": found.node or found.node_lacks, "python": found.python or found.python_lacks}
