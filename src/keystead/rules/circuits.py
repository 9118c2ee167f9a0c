"""When to stop calling what keeps failing, and when to try again. Moments are seconds of any clock that only grows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

FAILURES: Final = 5
"""In a row, after which nothing is called for a while."""
PAUSE: Final = 5.0
"""Seconds of the first pause; each one that follows without a success in between is twice as long."""
LONGEST_PAUSE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """How it went lately. Closed at first; open after failures; half open when the pause is over."""

    failures: int = 0
    """Since it went well."""
    pauses: int = 0
    """Since it went well."""
    until: float | None = None
    """The end of the pause, if there is one."""
    trying: bool = False
    """Whether one call is under way that decides."""

    @property
    def is_open(self) -> bool:
        """Whether it waits to be shown that all is well again."""
        return self.until is not None


def admitted(circuit: Circuit, now: float) -> Circuit | None:
    """Return the circuit while a call is made, or ``None`` where none may be: after the pause, one at a time may."""
    if circuit.until is None:
        return circuit
    if circuit.trying or now < circuit.until:
        return None
    return replace(circuit, trying=True)


def after_failure(circuit: Circuit, now: float) -> Circuit:
    """Return the circuit after a call that failed."""
    failures = circuit.failures + 1
    if circuit.until is not None and not circuit.trying:
        return replace(circuit, failures=failures)  # one of those that were under way when it opened
    if failures < FAILURES:
        return replace(circuit, failures=failures)
    pause = min(PAUSE * 2**circuit.pauses, LONGEST_PAUSE)
    return Circuit(failures, min(circuit.pauses + 1, 10), now + pause)


def after_success(circuit: Circuit) -> Circuit:
    """Return the circuit after a call that went well: closed, whatever was before."""
    return Circuit()


def worst(circuits: Iterable[Circuit]) -> Circuit:
    """Return the circuit that is open for longest, or has failed most; one that never failed where there is none."""
    return max(circuits, key=lambda each: (each.is_open, each.until or 0.0, each.failures), default=Circuit())


def given_up(circuit: Circuit) -> Circuit:
    """Return the circuit after a call that nobody waited for: it shows nothing."""
    return replace(circuit, trying=False)
