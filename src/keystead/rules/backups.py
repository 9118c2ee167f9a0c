"""What a backup looks like: lines of JSON, the rows of one table after another, and at the end what vouches for them.

    {"keystead_backup": 1, "schema": "0006", "version": "…", "created_at": "…"}
    {"table": "account", "columns": [["user_id", "text"], …]}
    ["auth0|…", …]                     one line for each row
    …
    {"manifest": {…}, "mac": "…"}      rows and SHA-256 of each table, and a keyed hash of all that

Nothing in it depends on the database that it came from.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, cast, get_args

from keystead.errors import InvalidBackup
from keystead.secrecy import Secret

FORMAT: Final = 1
LONGEST_LINE: Final = 8 * 1024 * 1024
"""A row is refused beyond this: a file that nobody vouched for yet must not fill the memory. The largest that there can
be are a third of it."""

LONGEST_HEADING: Final = 16 * 1024
"""Likewise what a backup says first, and what it says of a table."""

LEFT_OUT: Final = (
    *("ceremony", "pushed_request", "login_transaction", "authorization_code", "one_time_code"),
    *("job", "job_file", "job_row", "job_claim", "outbox"),
)
"""What people are in the middle of, for an hour at most: they begin again. And messages under way, which whoever
restores must not send a second time."""

Kind = Literal["text", "integer", "number", "boolean", "bytes", "moment", "date", "json"]
Row = Sequence[Any]

_KINDS: Final = get_args(Kind)
_SCHEMA: Final = re.compile("[0-9]{4}")
_MADE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_NAME: Final = re.compile("[a-z][a-z0-9_]{0,62}")
"""These are shown before anybody has vouched for the file: they must have no room for a text of somebody else's."""

_MOST_TABLES: Final = 500
_TOO_LONG: Final = "a line of it is too long"
_LINE: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and what its columns hold."""

    name: str
    columns: tuple[tuple[str, Kind], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """What a backup says first."""

    schema: str
    version: str
    created_at: str
    secret_keys: tuple[Secret[str], ...] = ()
    """The secret keys, where whoever made it asked for that."""

    def line(self) -> bytes:
        """Return its line."""
        about = {"schema": self.schema, "version": self.version, "created_at": self.created_at}
        keys = {"secret_keys": [key.reveal() for key in self.secret_keys]} if self.secret_keys else {}
        return _written({"keystead_backup": FORMAT, **about, **keys})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup: without this at its end, and a keyed hash that fits, it is none."""

    schema: str
    version: str
    created_at: str
    with_secret_keys: bool
    head: str
    """SHA-256 of the first line, in hex."""
    tables: tuple[tuple[str, int, str], ...]
    """Name, number of rows and SHA-256 of each."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(count for _, count, _ in self.tables)

    def on_wire(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        tables = [{"name": name, "rows": rows, "sha256": digest} for name, rows, digest in self.tables]
        return {
            "format": FORMAT,
            "schema": self.schema,
            "version": self.version,
            "created_at": self.created_at,
            "with_secret_keys": self.with_secret_keys,
            "head_sha256": self.head,
            "tables": tables,
            "left_out": list(LEFT_OUT),
        }

    def text(self) -> str:
        """Return what the keyed hash is made of."""
        return _LINE(self.on_wire())


Sign = Callable[[str], str]
Vouch = Callable[[str, str], bool | None]
"""Whether the first is a keyed hash of the second; ``None`` where its key is not at hand."""


def written(head: Head, tables: Iterable[tuple[Table, Iterable[Row]]], sign: Sign) -> Generator[bytes, None, Manifest]:
    """Give a backup piece by piece; return its manifest. ``tables`` are read once, in order.

    Raises ``InvalidBackup`` rather than write a line that nobody would read.
    """
    yield head.line()
    found = []
    for table, rows in tables:
        first = _written({"table": table.name, "columns": table.columns})
        part = _Part(table, hashlib.sha256(first))
        found.append(part)
        yield first
        for line in map(_written, map(_coded(table, _TO_JSON), rows)):
            if len(line) >= LONGEST_LINE:
                raise InvalidBackup(_TOO_LONG)
            part.digest.update(line)
            part.rows += 1
            yield line
    manifest = _manifest(head, [part.said() for part in found])
    yield _written({"manifest": manifest.on_wire(), "mac": sign(manifest.text())})
    return manifest


@dataclass
class _Part:
    """What is known of a table so far."""

    table: Table
    digest: "hashlib._Hash"
    rows: int = 0

    def said(self) -> tuple[str, int, str]:
        return self.table.name, self.rows, self.digest.hexdigest()


@dataclass
class Reading:
    """A backup as it is read, once, from its first line to its last. All raise ``InvalidBackup``."""

    lines: Iterator[bytes]
    head: Head = field(init=False)
    manifest: Manifest | None = field(init=False, default=None)
    """Once all was read: what the file says it is, and is."""
    _mac: str = field(init=False, default="")
    _next: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        self.head = _head(self._line())
        self._next = self._line()

    def tables(self) -> Iterator[tuple[Table, Iterator[Row]]]:
        """Give the tables, each with its rows; what is not read of them is passed over, but counted."""
        found: list[_Part] = []
        while self._next.startswith(b'{"table"'):
            part = _Part(_table(self._next), hashlib.sha256(self._next))
            if len(found) >= _MOST_TABLES:
                raise InvalidBackup("it has too many tables")
            self._next = self._line()
            rows = self._rows(part)
            yield part.table, rows
            for _ in rows:
                pass
            found.append(part)
        self._end(_manifest(self.head, [part.said() for part in found]))

    def is_vouched_for(self, vouch: Vouch) -> bool | None:
        """Whether whoever holds the secret keys made all of it just so; ``None`` where another key is named.

        Only once everything was read.
        """
        return vouch(self._mac, self.manifest.text()) if self.manifest else False

    def _rows(self, part: _Part) -> Iterator[Row]:
        coded = _coded(part.table, _FROM_JSON)
        while self._next.startswith(b"["):
            row = _row(self._next, coded)
            part.digest.update(self._next)
            part.rows += 1
            self._next = self._line()
            yield row

    def _end(self, manifest: Manifest) -> None:
        last = _object(self._next)
        if "manifest" not in last:
            raise InvalidBackup("it is not complete")
        if last["manifest"] != manifest.on_wire():
            raise InvalidBackup("it was changed, or damaged, since it was made")
        if next(self.lines, b""):
            raise InvalidBackup("there is something behind its end")
        self.manifest, self._mac = manifest, str(last.get("mac", ""))

    def _line(self) -> bytes:
        line = next(self.lines, b"")
        if not line.endswith(b"\n"):
            raise InvalidBackup("it is not complete" if len(line) < LONGEST_LINE else _TOO_LONG)
        return line


def _manifest(head: Head, tables: Sequence[tuple[str, int, str]]) -> Manifest:
    digest = hashlib.sha256(head.line()).hexdigest()
    return Manifest(head.schema, head.version, head.created_at, bool(head.secret_keys), digest, tuple(tables))


def _written(value: object) -> bytes:
    return _LINE(value).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidBackup("it cannot be read")
    return found


def _heading(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_HEADING:
        raise InvalidBackup(_TOO_LONG)
    return _object(line)


def _head(line: bytes) -> Head:
    found = _heading(line)
    if found.get("keystead_backup") != FORMAT:
        raise InvalidBackup("it is no backup, or one of a newer version")
    schema, version, created_at = (str(found.get(name, "")) for name in ("schema", "version", "created_at"))
    keys = found.get("secret_keys", [])
    if not (isinstance(keys, list) and _SCHEMA.fullmatch(schema) and _MADE.fullmatch(created_at)):
        raise InvalidBackup("it cannot be read")
    head = Head(schema, version, created_at, tuple(Secret(str(key)) for key in keys))
    if head.line() != line:  # what the digest of the first line is made of
        raise InvalidBackup("it was changed, or damaged, since it was made")
    return head


def _table(line: bytes) -> Table:
    found = _heading(line)
    try:
        columns = tuple((str(name), cast("Kind", kind)) for name, kind in found["columns"])
    except (KeyError, TypeError, ValueError):
        raise InvalidBackup("it cannot be read") from None
    if any(kind not in _KINDS for _, kind in columns):
        raise InvalidBackup("it holds what this version does not know")
    name = str(found["table"])
    if not _NAME.fullmatch(name):
        raise InvalidBackup("it cannot be read")
    return Table(name, columns)


def _row(line: bytes, coded: Callable[[Row], list[Any]]) -> Row:
    try:
        return coded(json.loads(line))
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
        raise InvalidBackup("it cannot be read") from None


def _coded(table: Table, codes: Mapping[Kind, Callable[[Any], Any]]) -> Callable[[Row], list[Any]]:
    """Return what translates a row: only columns that JSON has no type for cost anything."""
    size = len(table.columns)
    special = [(at, codes[kind]) for at, (_, kind) in enumerate(table.columns) if kind in codes]

    def code(row: Row) -> list[Any]:
        values = list(row)
        if len(values) != size:
            raise ValueError("another number of columns")
        for at, translate in special:
            if values[at] is not None:
                values[at] = translate(values[at])
        return values

    return code


_TO_JSON: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    "bytes": lambda value: base64.b64encode(value).decode("ascii"),
    "moment": lambda value: value.astimezone(UTC).isoformat(),
    "date": date.isoformat,
}
_FROM_JSON: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    "bytes": lambda value: base64.b64decode(value, validate=True),
    "moment": datetime.fromisoformat,
    "date": date.fromisoformat,
    "number": float,
}
