"""base64 as people bring it: either alphabet, padded or not, and one spelling of each."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules import base64url


@given(st.binary(max_size=40))
def test_either_alphabet_is_read_with_padding_and_without(octets: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(octets).decode()
        assert base64url.read(text) == base64url.read(text.rstrip("=")) == octets


@pytest.mark.parametrize("text", ["A", "AB", "AAAAA", "A A=", "AA\n==", "AA.=", "Ä", "=AAAA", "AA==AA=="])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        base64url.read(text)
