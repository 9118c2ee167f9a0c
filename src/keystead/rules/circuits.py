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
    answered: float | None = None
    """When it went well last."""
    hangs: bool = False
    """Whether the failure that opened it was one of waiting."""

    @property
    def is_open(self) -> bool:
        """Whether it waits to be shown that all is well again."""
        return self.until is not None


def admitted(circuit: Circuit, now: float) -> Circuit | None:
    """Return the circuit while a call is made, or ``None`` where none may be: after the pause, one at a time may.

    Where waiting opened it, others may beside that one. It takes as long as a call may, and whoever asks for people
    whom the script never answers would be first after each pause, and keep everybody else out.
    """
    if circuit.until is None:
        return circuit
    if now < circuit.until or (circuit.trying and not circuit.hangs):
        return None
    return replace(circuit, trying=True)


def after_failure(circuit: Circuit, now: float, waited_since: float | None = None) -> Circuit:
    """Return the circuit after a call that failed; ``waited_since`` is when it began, where its time was up.

    That shows nothing where somebody was answered meanwhile: it is not all that hangs, but what this one asked. Anybody
    can ask for strangers, and there are scripts that never answer those.
    """
    if waited_since is not None and circuit.answered is not None and circuit.answered > waited_since:
        return given_up(circuit)
    failures = circuit.failures + 1
    if circuit.until is not None and not circuit.trying:
        return replace(circuit, failures=failures)  # one of those that were under way when it opened
    if failures < FAILURES:
        return replace(circuit, failures=failures)
    pause = min(PAUSE * 2**circuit.pauses, LONGEST_PAUSE)
    pauses, hangs = min(circuit.pauses + 1, 10), waited_since is not None
    return Circuit(failures, pauses, now + pause, answered=circuit.answered, hangs=hangs)


def after_success(now: float) -> Circuit:
    """Return the circuit after a call that went well: closed, whatever was before."""
    return Circuit(answered=now)


def worst(circuits: Iterable[Circuit]) -> Circuit:
    """Return the circuit that is open for longest, or has failed most; one that never failed where there is none."""
    return max(circuits, key=lambda each: (each.is_open, each.until or 0.0, each.failures), default=Circuit())


def given_up(circuit: Circuit) -> Circuit:
    """Return the circuit after a call that nobody waited for: it shows nothing."""
    return replace(circuit, trying=False)
