"""The Keystead of this machine's database, whose Management API a command calls in its own process."""

import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog

from keystead import settings as process
from keystead.cli.options import told_plainly
from keystead.cli.terminal import escaped
from keystead.ports import ManagementCalls
from keystead.start import open_management


@contextmanager
def calls(data_dir: Path | None) -> Iterator[ManagementCalls]:
    """Open it. Ends the command where a setting is wrong or nothing is installed."""
    _quiet()
    with ExitStack() as stack:
        with told_plainly():
            found = stack.enter_context(open_management(process.load(data_dir=data_dir)))
        # What is there by now stays: whatever makes many objects need not look at it again and again.
        gc.freeze()
        yield found


def _quiet() -> None:
    """Keep the log to what went wrong: a line for each request is for servers."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            escaped,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
    )
