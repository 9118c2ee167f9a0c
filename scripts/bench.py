"""The benchmark: what the server does per second, over what the machine could do at best, from one run.

Ratios hold on a noisy machine where seconds do not. The server is started as a user would start it; the load comes
from this process, over kept connections on the loopback interface. About four minutes in all.
"""

import argparse
import tempfile
from pathlib import Path

import uvloop
from scripts.bench_parts import imports, measures, user_lists
from scripts.bench_parts.report import Figures, printed
from scripts.bench_parts.server import Installation

WORKERS = (1, 2)


def main() -> None:
    """Measure with one worker and with two, and print the table."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--postgres", metavar="URL", help="measure on this empty database instead of SQLite")
    parser.add_argument("--users", action="store_true", help="lists of many users alone")
    parser.add_argument("--imports", action="store_true", help="imports of many users alone, into SQLite")
    asked = parser.parse_args()
    if asked.imports:
        print(imports.printed(imports.measured()))
        return
    database = "PostgreSQL" if asked.postgres else "SQLite"
    if not asked.users:
        with tempfile.TemporaryDirectory(prefix="keystead-bench-") as directory:
            installation = Installation(Path(directory), database_url=asked.postgres)
            print(printed(measured(installation), database=database))
    print(user_lists.printed(user_lists.measured(asked.postgres), database=database))
    if not (asked.users or asked.postgres):
        print(imports.printed(imports.measured()))


def measured(installation: Installation) -> dict[int, Figures]:
    """Return the figures by number of workers. The first start is one worker's alone: there is only one."""
    with installation.started(workers=1) as server:
        first = server.ready_after
    found = {}
    for workers in WORKERS:
        with installation.started(workers=workers) as server:
            found[workers] = uvloop.run(measures.of(server, workers))
    found[WORKERS[0]].first_start = first
    return found


if __name__ == "__main__":
    main()
