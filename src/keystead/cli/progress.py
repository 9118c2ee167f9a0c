"""How far a job is, for whoever waits for it; and what is said to whoever leaves."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

import typer

from keystead.cli.api import Api
from keystead.cli.terminal import INTERRUPTED, document, redraw, refuse, say, tell

EVERY: Final = 10.0
"""Seconds from one line to the next where no terminal is."""

_BAR: Final = 24
_LEASE: Final = "2 minutes"  # ``db.jobs.LEASE``, which a command of another machine does not have
_DONE: Final = "percentage_done"


class Progress:
    """A bar on a terminal, with how fast it goes; elsewhere a line now and then; programs are told nothing."""

    def __init__(self, *, as_json: bool, seconds: Callable[[], float] = perf_counter) -> None:
        self._is_quiet, self._is_terminal, self._seconds = as_json, sys.stderr.isatty(), seconds
        self._first: tuple[float, int] | None = None
        self._last = seconds()

    def told(self, job: Mapping[str, Any]) -> None:
        """Say how far the job is."""
        if self._is_quiet or _DONE not in job:
            return
        now = self._seconds()
        text = self._line(job, now)
        if self._is_terminal:
            full = "#" * (_BAR * job[_DONE] // 100)
            redraw(f"[{full:.<{_BAR}}] {text}")
        elif now - self._last >= EVERY:
            self._last = now
            tell(text)

    def said(self, line: str) -> None:
        """Say something besides."""
        self.over()
        if not self._is_quiet:
            tell(line)

    def over(self) -> None:
        """Take the bar away."""
        if self._is_terminal and not self._is_quiet:
            redraw()

    def _line(self, job: Mapping[str, Any], now: float) -> str:
        done = int(job.get("rows_done", 0))
        self._first = self._first or (now, done)
        passed = now - self._first[0]
        rows = [f"{done:,} of {job['rows']:,} rows"] if "rows" in job else []
        rate = [f"{(done - self._first[1]) / passed:,.0f} rows/s"] if rows and passed > 0 else []
        left = [f"{job['time_left_seconds']} s left"] if "time_left_seconds" in job else []
        return "  ".join([f"{job[_DONE]:>3} %", *rows, *rate, *left])


def finished(api: Api, job_id: str, left: Callable[[Mapping[str, Any]], str], *, resumed: bool = False) -> Any:
    """Wait for a job, and return it completed; one that failed ends the command.

    ``left`` says what becomes of it where Ctrl-C ends the waiting, by how it was seen last. With ``resumed`` it may be
    somebody else's still, and people are told what is waited for.
    """
    progress, seen, untold = Progress(as_json=api.as_json), dict[str, Any](), resumed

    def told(job: Mapping[str, Any], is_here: bool) -> None:
        nonlocal untold
        seen.update(job)
        if untold and not is_here:
            untold = False
            progress.said(f"{job_id} {_waits(job)}")
        progress.told(job)

    try:
        job = api.waited(job_id, told)
    except KeyboardInterrupt:
        progress.over()
        tell(f"{job_id} is not over: {left(seen)}")
        raise typer.Exit(INTERRUPTED) from None
    progress.over()
    if job["status"] != "completed":
        if api.as_json:
            document(job)
        raise refuse(str(job.get("status_details", "it could not be done")))
    return job


@contextmanager
def nothing_done() -> Iterator[None]:
    """Say so to whoever leaves while nothing was asked for yet."""
    try:
        yield
    except KeyboardInterrupt:
        say("", err=True)
        tell("nothing was done")
        raise typer.Exit(INTERRUPTED) from None


def _waits(job: Mapping[str, Any]) -> str:
    if job["status"] == "pending":
        return "waits for its turn, or to be tried again"
    return f"is under way in another process; if that process is gone, it goes on here within {_LEASE}"
