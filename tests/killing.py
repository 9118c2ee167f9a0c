"""Kills whoever imports users, again and again, at random moments, with a signal that nobody can catch.

A program of its own, so that what is killed is a process: it loads everything once and forks, and what a child does is
what a server would. It prints how often it killed; the last child is left alone. Reads its orders from standard input.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from keystead import worker
from keystead.app import create_app
from world import Clock, CountingEntropy, test_settings

LEASE = timedelta(minutes=3)
"""Longer than a lease: the next child finds the job free."""


def main() -> None:
    """Kill children until there were enough, then let one finish."""
    orders = json.load(sys.stdin)
    chance = random.Random(orders["seed"])  # noqa: S311 - the same moments each time, as far as a clock allows
    began = datetime.fromisoformat(orders["now"])
    killed = number = 0
    while True:
        number += 1
        is_last = killed == orders["kills"]
        if not _child_finished(orders, began + number * LEASE, None if is_last else chance.uniform(0, orders["most"])):
            killed += 1
            continue
        break
    print(killed)


def _child_finished(orders: dict[str, Any], now: datetime, after: float | None) -> bool:
    """Have a child import, and kill it ``after`` so many seconds; whether it was faster."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        _import(orders, now, told)
    os.close(told)
    os.read(ready, 1)
    os.close(ready)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("a child failed by itself")
    return True


def _import(orders: dict[str, Any], now: datetime, told: int) -> None:
    code = 1
    try:
        settings = test_settings(Path(orders["data_dir"]), database_url=orders["database_url"])
        app = create_app(settings, clock=Clock(now), entropy=CountingEntropy(f"{os.getpid()} {now}"))
        management = app.state.flows.management
        importer = replace(management.user_import, rows=orders["rows"], hours=0)
        os.write(told, b"r")
        asyncio.run(_deliver(importer, Clock(now)))
        code = 0
    finally:
        os._exit(code)


async def _deliver(importer: Any, clock: Clock) -> None:
    await worker.deliver_due(importer.db, importer, clock)


if __name__ == "__main__":
    main()
