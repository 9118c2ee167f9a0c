"""Several processes that serve on the same sockets."""

import signal
from multiprocessing import resource_tracker

from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """Worker processes that a Ctrl-C does not reach: a terminal sends it to all, and imports would end in tracebacks.

    They inherit what is blocked here, and are ended by this process with SIGTERM.
    """

    def run(self) -> None:
        """Start them and look after them, until a signal says to stop."""
        resource_tracker.ensure_running()  # unblocks the signal when it starts, which is otherwise at the first worker
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        super().run()

    def handle_signals(self) -> None:
        """Take the signals that came, a Ctrl-C that has waited among them."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        super().handle_signals()
