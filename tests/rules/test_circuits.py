"""When what keeps failing is left alone, and when it is tried again."""

from keystead.rules.circuits import (
    FAILURES,
    LONGEST_PAUSE,
    PAUSE,
    Circuit,
    admitted,
    after_failure,
    after_success,
    given_up,
    worst,
)


def opened(now: float = 0.0) -> Circuit:
    """Return a circuit that has just opened."""
    circuit = Circuit()
    for _ in range(FAILURES):
        assert not circuit.is_open
        circuit = after_failure(circuit, now)
    return circuit


def test_it_opens_after_failures_in_a_row() -> None:
    circuit = opened()
    assert circuit.is_open
    assert admitted(circuit, PAUSE - 0.001) is None
    assert admitted(Circuit(failures=FAILURES - 1), 0) == Circuit(failures=FAILURES - 1)
    assert after_success(Circuit(failures=FAILURES - 1)) == Circuit()


def test_one_call_decides() -> None:
    trying = admitted(opened(), PAUSE)
    assert trying is not None
    assert admitted(trying, PAUSE) is None
    assert admitted(given_up(trying), PAUSE) == trying  # nobody waited for that one: the next decides
    assert after_success(trying) == Circuit()


def test_pauses_grow_up_to_a_minute() -> None:
    circuit, now, pauses = opened(), 0.0, []
    for _ in range(20):
        assert circuit.until is not None
        pauses.append(circuit.until - now)
        now = circuit.until
        trying = admitted(circuit, now)
        assert trying is not None
        circuit = after_failure(trying, now)
    assert pauses[:5] == [PAUSE, PAUSE * 2, PAUSE * 4, PAUSE * 8, LONGEST_PAUSE]
    assert set(pauses[4:]) == {LONGEST_PAUSE}


def test_the_worst_of_several() -> None:
    failed = Circuit(failures=FAILURES - 1)
    assert worst([]) == Circuit()
    assert worst([Circuit(), failed]) == failed
    assert worst([opened(), failed, opened(1.0), Circuit()]) == opened(1.0)


def test_calls_that_were_under_way_lengthen_nothing() -> None:
    circuit = opened()
    assert after_failure(circuit, 3.0).until == circuit.until
