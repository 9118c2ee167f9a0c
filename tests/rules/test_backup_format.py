"""The format of backups: whatever goes in comes out, and whatever was done to it in between is seen."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import InvalidBackup
from keystead.rules.backups import LONGEST_HEADING, LONGEST_LINE, Head, Manifest, Reading, Row, Table, written
from keystead.secrecy import Secret

HEAD = Head("0006", "1.2.3", "2026-06-01T12:00:00.000Z")
PEOPLE = Table("account", (("id", "text"), ("handle", "bytes"), ("created_at", "moment"), ("spent", "number")))
THINGS = Table("setting", (("name", "text"), ("value", "json"), ("number", "integer"), ("is_on", "boolean")))
MOMENT = datetime(2026, 6, 1, 12, 0, 0, 123456, UTC)
ANN = ["ann", b"\x00\xff", MOMENT, 0.1]
BOB = ["bob", None, None, None]
ONE = ["one", {"a": [1, 2.5, None, "\u00e4"]}, 2**60, True]


def sign(text: str, key: bytes = b"key") -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def vouch(mac: str, text: str) -> bool:
    return hmac.compare_digest(sign(text), mac)


def backup(*tables: tuple[Table, Iterable[Row]], head: Head = HEAD) -> list[bytes]:
    return list(written(head, tables, sign))


def read(lines: Sequence[bytes]) -> tuple[dict[str, list[Row]], Reading]:
    reading = Reading(iter(lines))
    return {table.name: [list(row) for row in rows] for table, rows in reading.tables()}, reading


@pytest.fixture
def lines() -> list[bytes]:
    return backup((PEOPLE, [ANN, BOB]), (THINGS, [ONE]))


def test_there_and_back(lines: list[bytes]) -> None:
    found, reading = read(lines)
    assert found == {"account": [ANN, BOB], "setting": [ONE]}
    assert reading.head == HEAD
    assert reading.manifest is not None
    assert [(name, rows) for name, rows, _ in reading.manifest.tables] == [("account", 2), ("setting", 1)]
    assert reading.manifest.rows == 3
    assert reading.is_vouched_for(vouch)
    assert all(line.endswith(b"\n") and line.isascii() for line in lines)


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (0, b'{"keystead_backup":1,"x":' + DEEP + b"}\n"),
        (0, b'{"keystead_backup":1,"x":"' + b"x" * LONGEST_HEADING + b'"}\n'),
        (0, b'{"keystead_backup":1,"secret_keys":7}\n'),
        (0, HEAD.line().replace(b"0006", b"\\u001b]0;owned\\u0007")),
        (0, HEAD.line().replace(b"0006", b"0006 is vouched for")),
        (0, HEAD.line().replace(b"0006", b"\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa6")),
        (0, HEAD.line().replace(b"2026-", b"\\nkeystead: it is vouched for, 2026-")),
        (0, HEAD.line().replace(b".000Z", b".000Z\\n")),
        (1, backup((PEOPLE, []))[1].replace(b'"account"', b'"account\\nkeystead: it is vouched for"')),
        (1, b'{"table":"' + b"x" * LONGEST_HEADING + b'","columns":[]}\n'),
        (1, b'{"table":"account","columns":' + DEEP[:8000] + DEEP[-8000:] + b"}\n"),
        (2, DEEP + b"\n"),
        (2, b'["' + b"x" * LONGEST_LINE),
        (-1, b'{"manifest":' + DEEP + b"}\n"),
    ],
)
def test_lines_that_only_an_attacker_writes_are_refused(lines: list[bytes], at: int, line: bytes) -> None:
    lines[at] = line
    with pytest.raises(InvalidBackup, match=r"cannot be read|too long"):
        read(lines)


def test_a_line_that_nobody_would_read_is_not_written() -> None:
    with pytest.raises(InvalidBackup, match="too long"):
        backup((THINGS, [["one", "x" * LONGEST_LINE, 1, True]]))


VALUES = {
    "text": st.text(),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "bytes": st.binary(),
    "moment": st.integers(-(2**31), 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
    | st.timedeltas(timedelta(), timedelta(days=1)).map(lambda after: MOMENT + after),
    "date": st.dates(),
    "json": st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
}


@given(data=st.data())
def test_every_value_comes_back_exactly(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=5))
    table = Table("t", tuple((f"c{at}", kind) for at, kind in enumerate(kinds)))  # type: ignore[misc]
    rows = data.draw(st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in kinds)), max_size=3))
    found, _ = read(backup((table, rows)))
    assert found == {"t": [list(row) for row in rows]}
    assert [list(map(type, row)) for row in found["t"]] == [list(map(type, row)) for row in rows]


def test_rows_that_nobody_reads_are_counted(lines: list[bytes]) -> None:
    reading = Reading(iter(lines))
    assert [table.name for table, _ in reading.tables()] == ["account", "setting"]
    assert reading.manifest is not None
    assert reading.manifest.rows == 3


def test_nothing_is_vouched_for_before_its_end(lines: list[bytes]) -> None:
    reading = Reading(iter(lines))
    next(reading.tables())
    assert not reading.is_vouched_for(lambda mac, text: True)


def _with(line: int, old: bytes, new: bytes) -> Any:
    def change(lines: list[bytes]) -> list[bytes]:
        assert old in lines[line]
        return [*lines[:line], lines[line].replace(old, new), *lines[line + 1 :]]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _with(0, b"0006", b"0005"),
        _with(1, b'"text"', b'"json"'),
        _with(2, b"ann", b"amy"),
        _with(2, b"0.1", b"0.2"),
        _with(2, b",", b", "),
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
        lambda lines: [*lines[:3], lines[2], *lines[3:]],
        lambda lines: [lines[0], *lines[4:]],
        lambda lines: [lines[0], *lines[4:6], *lines[1:4], lines[6]],
        lambda lines: [*lines, lines[2]],
        lambda lines: [*lines[:-1], b"{}\n"],
        lambda lines: lines[:-1],
        lambda lines: lines[:1],
        lambda lines: [],
        lambda lines: [*lines[:-1], lines[-1][:-1]],
        lambda lines: [b'{"keystead_backup":2}\n', *lines[1:]],
        lambda lines: [b"[]\n", *lines[1:]],
        lambda lines: [*lines[:2], b"[\n", *lines[2:]],
        lambda lines: [*lines[:2], b"[1]\n", *lines[2:]],
        lambda lines: [*lines[:2], b'["eve",7,null,null]\n', *lines[2:]],
        lambda lines: [*lines[:2], b'["eve","*",null,null]\n', *lines[2:]],
        lambda lines: [*lines[:2], b'["eve",null,"soon",null]\n', *lines[2:]],
        lambda lines: [lines[0], b'{"table":"account"}\n', *lines[2:]],
        lambda lines: [lines[0], b'{"table":"account","columns":[["id","shoe"]]}\n', *lines[2:]],
        lambda lines: [lines[0], b'{"table":"account","columns":7}\n', *lines[2:]],
    ],
)
def test_a_change_is_seen(lines: list[bytes], change: Any) -> None:
    with pytest.raises(InvalidBackup):
        read(change(lines))


def test_whoever_changes_it_all_cannot_sign_it(lines: list[bytes]) -> None:
    forged = list(written(HEAD, [(PEOPLE, [["eve", None, None, None]])], lambda text: sign(text, b"another key")))
    _, reading = read(forged)
    assert not reading.is_vouched_for(vouch)
    moved = json.loads(forged[-1]) | {"mac": json.loads(lines[-1])["mac"]}
    _, reading = read([*forged[:-1], json.dumps(moved).encode() + b"\n"])
    assert not reading.is_vouched_for(vouch)


def test_secret_keys_travel_in_the_head_and_show_nowhere_else() -> None:
    head = Head(HEAD.schema, HEAD.version, HEAD.created_at, (Secret("first"), Secret("second")))
    lines = backup((PEOPLE, [ANN]), head=head)
    _, reading = read(lines)
    assert [key.reveal() for key in reading.head.secret_keys] == ["first", "second"]
    assert reading.manifest is not None
    assert reading.manifest.with_secret_keys
    assert not [line for line in lines[1:] if b"first" in line]
    assert "first" not in repr(reading.head)


def test_lines_are_asked_for_one_by_one() -> None:
    asked = []

    def rows() -> Iterator[Row]:
        for number in range(3):
            asked.append(number)
            yield [str(number), None, None, None]

    pieces = written(HEAD, [(PEOPLE, rows())], sign)
    for _ in range(3):
        next(pieces)
    assert asked == [0]


def test_the_manifest_is_what_the_generator_returns() -> None:
    pieces = written(HEAD, [(PEOPLE, [ANN])], sign)
    found: list[Manifest] = []

    def all_of_it() -> Iterator[bytes]:
        found.append((yield from pieces))

    assert len(list(all_of_it())) == 4
    assert [manifest.rows for manifest in found] == [1]
