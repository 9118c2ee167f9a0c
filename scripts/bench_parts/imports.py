"""Users imported by the command, with hashes, over the same rows written by a bare ``executemany``; and its memory.

The import is its job, from when a worker begins it to its end: it reads, checks, decides and writes. The command does
more: it starts, takes the file in and looks through it. What is bare has its rows ready, of two tables with all their
indexes, as many in one transaction: once in a database as SQLite opens it, once with the page cache of ours.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from keystead.db.session import WRITER_CACHE_KIB
from keystead.flows.user_import import ROWS

FEW = 10_000
MANY = 100_000
LEAST = 0.5
"""Of the rate of what is bare."""
MOST_MEMORY = 1.25
"""How many times the memory many may take of what few take."""

_HASH = "$2b$10$C9hB01.YxRSTcn/ZOOo4j.TW7xCKKFKBSF.C7E0xiUwumqIDqWUXG"
_ROWS = {
    "account": "SELECT * FROM account ORDER BY rowid",
    "identifier": "SELECT identifier.* FROM identifier JOIN account USING (user_id) ORDER BY account.rowid",
}
"""What is written, in the order in which it was."""


@dataclass(frozen=True, slots=True)
class Imports:
    """Rows a second, and megabytes."""

    imported: float
    command: float
    bare: float
    bare_cached: float
    """With as large a page cache as Keystead's writer has."""
    import_processor: float
    """Microseconds of processor time for a row, of the whole command."""
    bare_processor: float
    memory_of_few: float
    memory_of_many: float

    @property
    def ratio(self) -> float:
        """What the import reaches of what is bare."""
        return self.imported / self.bare

    @property
    def whole(self) -> float:
        """What the command reaches of it."""
        return self.command / self.bare


@dataclass(frozen=True, slots=True)
class _Run:
    """What a command took."""

    seconds: float
    processor: float
    memory: float


def measured() -> Imports:
    """Import few and many into databases of their own, and write the same rows into a third."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as directory:
        root = Path(directory)
        few = _imported(root / "few", FEW)
        many = _imported(root / "many", MANY)
        seconds, processor = _bare(root / "many", root / "bare")
        cached, _ = _bare(root / "many", root / "cached", f"cache_size=-{WRITER_CACHE_KIB}")
        return Imports(
            imported=MANY / _job_seconds(root / "many"),
            command=MANY / many.seconds,
            bare=MANY / seconds,
            bare_cached=MANY / cached,
            import_processor=many.processor * 1e6 / MANY,
            bare_processor=processor * 1e6 / MANY,
            memory_of_few=few.memory,
            memory_of_many=many.memory,
        )


def printed(found: Imports) -> str:
    """Return the table."""
    lines = [
        f"{f'Import of {MANY:,} users, SQLite':<44}{'measured':>12}   aim",
        f"{'bare executemany, rows/s':<44}{found.bare:>12,.0f}",
        f"{'the import, rows/s':<44}{found.imported:>12,.0f}",
        f"{'ratio':<44}{found.ratio:>12.2f}   >= {LEAST:.2f} {_verdict(found.ratio >= LEAST)}",
        f"{'bare executemany, large page cache, rows/s':<44}{found.bare_cached:>12,.0f}",
        f"{'ratio':<44}{found.imported / found.bare_cached:>12.2f}",
        f"{'keystead users import, rows/s':<44}{found.command:>12,.0f}",
        f"{'ratio':<44}{found.whole:>12.2f}",
        f"{'processor time of a row, command, us':<44}{found.import_processor:>12.0f}",
        f"{'processor time of a row, bare, us':<44}{found.bare_processor:>12.0f}",
    ]
    grown = found.memory_of_many / found.memory_of_few
    few, many = f"memory, {FEW:,} users, MB", f"memory, {MANY:,} users, MB"
    lines += [
        f"{few:<44}{found.memory_of_few:>12.0f}",
        f"{many:<44}{found.memory_of_many:>12.0f}   <= {MOST_MEMORY:.2f} times {_verdict(grown <= MOST_MEMORY)}",
    ]
    return "\n".join(lines)


def _verdict(is_kept: bool) -> str:
    return "kept" if is_kept else "missed"


def _people(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "email": f"person-{number * 0x9E3779B1 % 2**32:08x}@d{number % 20}.example.com",
            "email_verified": True,
            "given_name": f"Person {number}",
            "family_name": "Example",
            "password_hash": _HASH,
            "app_metadata": {"plan": ("free", "paid")[number % 2]},
        }


def _imported(directory: Path, count: int) -> _Run:
    """Import people by the command."""
    directory.mkdir()
    _run(directory, "first-run")
    file = directory / "people.json"
    with file.open("w", encoding="utf-8") as out:
        for number, each in enumerate(_people(count)):
            out.write(("[" if number == 0 else ",\n") + json.dumps(each))
        out.write("]")
    name = json.loads((directory / "data/first-run.json").read_text(encoding="utf-8"))["connection"]["name"]
    return _run(directory, "users", "import", str(file), "--connection", name, "--json")


def _job_seconds(directory: Path) -> float:
    """Return how long the one import took, by what is noted of its job."""
    with closing(sqlite3.connect(directory / "data/keystead.db")) as database:
        (about, finished), *_ = database.execute("SELECT about, finished_at FROM job WHERE type = 'users_import'")
    return datetime.fromisoformat(finished).replace(tzinfo=UTC).timestamp() - float(json.loads(about)["begun_at"])


def _run(directory: Path, *arguments: str) -> _Run:
    """Run a command."""
    command = [sys.executable, "-m", "keystead", *arguments, "--data-dir", str(directory / "data")]
    began = time.perf_counter()
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((directory / "log").read_text()[-2000:])
    return _Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _bare(source: Path, target: Path, *pragmas: str) -> tuple[float, float]:
    """Write the rows that an import wrote into an empty database, and return the seconds, and those of a processor."""
    target.mkdir()
    _run(target, "first-run")
    with sqlite3.connect(source / "data/keystead.db") as database:
        tables = {name: database.execute(query).fetchall() for name, query in _ROWS.items()}
        connections = database.execute("SELECT * FROM connection").fetchall()
    written = sqlite3.connect(target / "data/keystead.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL", *pragmas):
        written.execute(f"PRAGMA {pragma}")
    written.execute("DELETE FROM connection")
    written.executemany(_insert("connection", connections), connections)
    parts = {name: iter(rows) for name, rows in tables.items()}
    began, processor = time.perf_counter(), time.process_time()
    while some := {name: list(islice(rows, ROWS)) for name, rows in parts.items()}:
        if not some["account"]:
            break
        written.execute("BEGIN IMMEDIATE")
        for name, rows in some.items():
            written.executemany(_insert(name, rows), rows)
        written.execute("COMMIT")
    took = time.perf_counter() - began, time.process_time() - processor
    written.close()
    return took


def _insert(table: str, rows: Sequence[Sequence[Any]]) -> str:
    return f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})"  # noqa: S608 - names of ours
