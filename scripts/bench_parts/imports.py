"""Users imported by the command, with hashes, over the same rows written by a bare ``executemany``; and its memory.

The command does all of it: it starts, takes the file in, checks it, reads, decides and writes. What is bare has its
rows ready, of two tables with all their indexes, as many in one transaction.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

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
    bare: float
    memory_of_few: float
    memory_of_many: float

    @property
    def ratio(self) -> float:
        """What the import reaches of what is bare."""
        return self.imported / self.bare


def measured() -> Imports:
    """Import few and many into databases of their own, and write the same rows into a third."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as directory:
        root = Path(directory)
        _, memory_of_few = _imported(root / "few", FEW)
        seconds, memory_of_many = _imported(root / "many", MANY)
        bare = _bare(root / "many", root / "bare")
        return Imports(MANY / seconds, MANY / bare, memory_of_few, memory_of_many)


def printed(found: Imports) -> str:
    """Return the table."""
    lines = [
        f"{f'Import of {MANY:,} users, SQLite':<44}{'measured':>12}   aim",
        f"{'bare executemany, rows/s':<44}{found.bare:>12,.0f}",
        f"{'keystead users import, rows/s':<44}{found.imported:>12,.0f}",
        f"{'ratio':<44}{found.ratio:>12.2f}   >= {LEAST:.2f} {_verdict(found.ratio >= LEAST)}",
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


def _imported(directory: Path, count: int) -> tuple[float, float]:
    """Import people by the command; return how many seconds it took, and how many megabytes."""
    directory.mkdir()
    _run(directory, "first-run")
    file = directory / "people.json"
    with file.open("w", encoding="utf-8") as out:
        for number, each in enumerate(_people(count)):
            out.write(("[" if number == 0 else ",\n") + json.dumps(each))
        out.write("]")
    name = json.loads((directory / "data/first-run.json").read_text(encoding="utf-8"))["connection"]["name"]
    began = time.perf_counter()
    memory = _run(directory, "users", "import", str(file), "--connection", name, "--json")
    return time.perf_counter() - began, memory


def _run(directory: Path, *arguments: str) -> float:
    """Run a command, and return how many megabytes it held at most."""
    command = [sys.executable, "-m", "keystead", *arguments, "--data-dir", str(directory / "data")]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((directory / "log").read_text()[-2000:])
    return usage.ru_maxrss / 1024


def _bare(source: Path, target: Path) -> float:
    """Write the rows that an import wrote into an empty database, and return how many seconds it took."""
    target.mkdir()
    _run(target, "first-run")
    with sqlite3.connect(source / "data/keystead.db") as database:
        tables = {name: database.execute(query).fetchall() for name, query in _ROWS.items()}
        connections = database.execute("SELECT * FROM connection").fetchall()
    written = sqlite3.connect(target / "data/keystead.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
        written.execute(f"PRAGMA {pragma}")
    written.execute("DELETE FROM connection")
    written.executemany(_insert("connection", connections), connections)
    parts = {name: iter(rows) for name, rows in tables.items()}
    began = time.perf_counter()
    while some := {name: list(islice(rows, ROWS)) for name, rows in parts.items()}:
        if not some["account"]:
            break
        written.execute("BEGIN IMMEDIATE")
        for name, rows in some.items():
            written.executemany(_insert(name, rows), rows)
        written.execute("COMMIT")
    seconds = time.perf_counter() - began
    written.close()
    return seconds


def _insert(table: str, rows: Sequence[Sequence[Any]]) -> str:
    return f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})"  # noqa: S608 - names of ours
