"""Several processes that serve on the same sockets."""

import os
import signal
from multiprocessing import resource_tracker
from typing import Final

from uvicorn.supervisors import Multiprocess

_LOOK_SECONDS: Final = 0.2


class Workers(Multiprocess):
    """Worker processes that a Ctrl-C does not reach: a terminal sends it to all, and imports would end in tracebacks.

    They inherit what is blocked here, and are ended by this process with SIGTERM.
    """

    def run(self) -> None:
        """Start them and look after them, until a signal says to stop."""
        resource_tracker.ensure_running()  # unblocks the signal when it starts, which is otherwise at the first worker
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        super().run()

    def join_all(self) -> None:
        """Wait for them. Whoever says a second time that it should stop is heard by those that still drain."""
        for process in self.processes:
            while process.exitcode is None:
                process.process.join(_LOOK_SECONDS)
                if self.signal_queue:
                    self.signal_queue.clear()
                    self._tell_again()

    def _tell_again(self) -> None:
        for process in self.processes:
            if process.exitcode is None and process.pid is not None:
                os.kill(process.pid, signal.SIGTERM)

    def handle_signals(self) -> None:
        """Take the signals that came, a Ctrl-C that has waited among them."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        super().handle_signals()
