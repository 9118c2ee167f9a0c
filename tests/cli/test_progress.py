"""How far a job is, where no terminal is."""

import pytest

from keystead.cli.progress import EVERY, Progress


@pytest.mark.parametrize("rows", [{"rows_done": 500, "rows": 1000}, {}])
def test_a_line_now_and_then(capsys: pytest.CaptureFixture[str], rows: dict[str, int]) -> None:
    now = [0.0]
    progress = Progress(as_json=False, seconds=lambda: now[0])
    job = {"percentage_done": 50, "time_left_seconds": 7, **rows}
    for _ in range(50):
        progress.told(job)
        now[0] += EVERY / 20
    progress.over()
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) == 2, "at 10 and at 20 seconds of 25"
    for line in lines:
        assert line.startswith("keystead: 50 %")
        assert line.endswith(" 7 s left")
        assert ("500 of 1,000 rows" in line) == bool(rows)


def test_programs_are_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = Progress(as_json=True, seconds=lambda: now[0])
    now[0] = EVERY * 2
    progress.told({"percentage_done": 50})
    progress.over()
    assert capsys.readouterr() == ("", "")
