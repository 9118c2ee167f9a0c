"""An address has one spelling, and what is none has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.addresses import spelled
from keystead.rules.buckets import source


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("::FFFF:C633:6407", "198.51.100.7"),
        ("2001:DB8:0:0::0007", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::1%en-0.100_a", "fe80::1%en-0.100_a"),
    ],
)
def test_one_spelling(text: str, expected: str) -> None:
    assert spelled(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "unknown", "_hidden", "localhost", "198.51.100", "198.51.100.7.8", "198.51.100.07", "1", "0x7f.1"),
        *("198.51.100.7/32", "198.51.100.7:80", "[2001:db8::7]", "198.51.100.7, 6.6.6.6", "198.51.100.7 ", "256.1.1.1"),
        *("2001:db8::7::1", "fe80::1%", "fe80::1%' OR 1=1 --", "fe80::1%a/b", "fe80::1%\n", "fe80::1%" + "x" * 16),
        *("fe80::1%ä", "١٩٨.51.100.7", "\uff1198.51.100.7", "\0", "198.51.100.7\0", ":" * 45, "1" * 100_000),
    ],
)
def test_none(text: str) -> None:
    assert spelled(text) is None


@given(st.text(max_size=60))
def test_whatever_comes_is_counted_somewhere(text: str) -> None:
    found = spelled(text)
    assert found is None or len(found) <= 45
    assert len(source(text)) <= 45


@given(st.ip_addresses())
def test_what_has_one_spelling_keeps_it(address: object) -> None:
    found = spelled(str(address))
    assert found is not None
    assert spelled(found) == found
    assert source(found) == source(str(address))
