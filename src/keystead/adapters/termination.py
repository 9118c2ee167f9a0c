"""Being told to stop, before whoever serves hears of it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_STOP: Final = signal.SIGTERM


@contextmanager
def on_sigterm(noted: Callable[[], None], seconds: float) -> Iterator[None]:
    """Have SIGTERM call ``noted`` at once, and only so many seconds later do what it did before.

    Meanwhile all goes on: whoever sends requests has the time to notice and to send them elsewhere. A second one ends
    the wait. Signals are the main thread's; on another one nothing is changed.
    """
    before = signal.getsignal(_STOP)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    loop, then = asyncio.get_running_loop(), before

    def stop(number: int, frame: FrameType | None) -> None:
        noted()
        signal.signal(_STOP, then)
        loop.call_soon_threadsafe(loop.call_later, seconds, then, number, frame)

    signal.signal(_STOP, stop)
    try:
        yield
    finally:
        if signal.getsignal(_STOP) is stop:
            signal.signal(_STOP, before)
