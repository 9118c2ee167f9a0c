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
    assert after_success(7.0) == Circuit(answered=7.0)


def test_one_call_decides() -> None:
    trying = admitted(opened(), PAUSE)
    assert trying is not None
    assert admitted(trying, PAUSE) is None
    assert admitted(given_up(trying), PAUSE) == trying  # nobody waited for that one: the next decides
    assert not after_success(PAUSE).is_open


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


def timed_out(circuit: Circuit, now: float, since: float) -> Circuit:
    """Return the circuit after five calls whose time was up."""
    for _ in range(FAILURES):
        circuit = after_failure(circuit, now, since)
    return circuit


def test_time_outs_open_it_where_nobody_was_answered_meanwhile() -> None:
    assert timed_out(Circuit(), 20.0, 0.0).is_open
    assert timed_out(after_success(5.0), 30.0, 10.0).is_open, "who was answered before shows nothing of what hangs now"
    answered = timed_out(after_success(5.0), 20.0, 0.0)
    assert (answered.is_open, answered.failures) == (False, 0)
    assert not timed_out(timed_out(after_success(5.0), 20.0, 0.0), 21.0, 4.9).is_open
    ended = after_success(5.0)
    for _ in range(FAILURES):
        ended = after_failure(ended, 20.0)
    assert ended.is_open, "what breaks is no stranger's doing"


def test_after_time_outs_a_call_that_decides_keeps_nobody_out() -> None:
    circuit = timed_out(Circuit(), 20.0, 0.0)
    assert admitted(circuit, 20.0 + PAUSE - 0.001) is None
    stranger = admitted(circuit, 20.0 + PAUSE)
    assert stranger is not None
    assert admitted(stranger, 20.0 + PAUSE) == stranger
    ann = after_success(26.0)
    assert after_failure(ann, 45.0, 20.0 + PAUSE) == ann
    again = after_failure(stranger, 45.0, 20.0 + PAUSE)
    assert again.until == 45.0 + 2 * PAUSE
    assert admitted(again, 45.0 + PAUSE) is None
