"""Files of rows taken apart: how much work it is, whatever is in them."""

import json
from typing import Any

import pytest

from keystead.rules.row_files import RowReader

ROWS = 20_000
PER_ROW = 8_192
"""Characters that may be looked through for one bad row: far less than the file has."""


@pytest.mark.parametrize("row", [b"{x}", b'{"a":x}', b'{"email":"person-1@example.com","given_name":"Ann",}'])
def test_a_file_of_bad_rows_is_not_read_anew_for_each_of_them(row: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python counts the lines before whatever is wrong: that is what is counted here."""
    counted = 0

    class Counted(json.JSONDecodeError):
        def __init__(self, msg: str, doc: str, pos: int) -> None:
            nonlocal counted
            counted += pos
            super().__init__(msg, doc, pos)

    monkeypatch.setattr("json.decoder.JSONDecodeError", Counted)
    reader, found = RowReader(), list[Any]()
    found += reader.feed(b"[" + b",".join([row] * ROWS) + b"]")
    found += reader.close()
    assert len(found) == ROWS
    assert all(each.wrong for each in found)
    assert found[-1].end == ROWS * (len(row) + 1)
    assert ROWS < counted < ROWS * PER_ROW
