"""The table of names that ships with the product."""

import re

import pytest

from keystead.rules.authenticator_names import name_of, names


@pytest.mark.parametrize(
    ("aaguid", "name"),
    [
        ("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", "Google Password Manager"),
        ("fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "Apple Passwords"),
        ("08987058-cadc-4b81-b6e1-30de50dcbe96", "Windows Hello"),
        ("bada5566-a7aa-401f-bd96-45619a55120d", "1Password"),
        ("d548826e-79b4-db40-a3d8-11116f7e8349", "Bitwarden"),
        ("fa2b99dc-9e39-4257-8f92-4a30d23c4118", "YubiKey 5 Series with NFC"),
        ("f24a8e70-d0d3-f82c-2937-32523cc4de5a", "Apple device"),
    ],
)
def test_what_people_have_is_named(aaguid: str, name: str) -> None:
    assert name_of(aaguid) == name


@pytest.mark.parametrize("aaguid", ["", "00000000-0000-0000-0000-000000000000", "EA9B8D66-4D01-1D21-3CE4-B6B48CB575D4"])
def test_what_says_nothing_has_no_name(aaguid: str) -> None:
    assert name_of(aaguid) is None


def test_the_table_is_well_formed() -> None:
    found = names()
    assert len(found) > 350
    assert list(found) == sorted(found)
    for aaguid, name in found.items():
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", aaguid), aaguid
        assert name == " ".join(name.split())
        assert name.isprintable()
        assert 0 < len(name) < 80
