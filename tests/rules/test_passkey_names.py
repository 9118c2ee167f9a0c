"""What a passkey is called, by its owner and by us."""

import pytest

from keystead.errors import BadRequest
from keystead.rules.passkey_names import chosen_name, shown_name

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("own", "provider", "transports", "user_agent", "expected"),
    [
        ("Mine", "1Password", ("internal",), CHROME, "Mine"),
        (None, "1Password", ("internal",), CHROME, "1Password"),
        ("", "1Password", ("usb",), CHROME, "1Password"),
        (None, "", ("internal",), CHROME, "Chrome on Linux"),
        (None, "", ("internal", "hybrid"), CHROME, "Chrome on Linux"),
        (None, "", (), CHROME, "Chrome on Linux"),
        (None, "", ("usb",), CHROME, "Security key"),
        (None, "", ("nfc", "usb"), CHROME, "Security key"),
        (None, "", ("smart-card",), "", "Security key"),
        (None, "", ("hybrid",), CHROME, "Phone or tablet"),
        (None, "", ("internal",), "python-httpx/0.28.1", "Passkey"),
        (None, "", (), "", "Passkey"),
    ],
)
def test_what_it_is_called(
    own: str | None, provider: str, transports: tuple[str, ...], user_agent: str, expected: str
) -> None:
    assert shown_name(own, provider, transports, user_agent) == expected


@pytest.mark.parametrize(
    "name",
    ["x", "x" * 100, "Küche", "日本語", "<b>", "a  b", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "Überall"],
)
def test_a_name(name: str) -> None:
    assert chosen_name(name) == name


def test_space_around_a_name_is_not_of_it() -> None:
    assert chosen_name("\u3000 Ann's phone\n") == "Ann's phone"
    assert chosen_name(" " * 200 + "x" * 100) == "x" * 100


@pytest.mark.parametrize("name", ["", "  ", "\n", "x" * 101])
def test_too_short_or_too_long(name: str) -> None:
    with pytest.raises(BadRequest, match="must have 1 to 100 characters") as refused:
        chosen_name(name)
    assert refused.value.path == "name"


@pytest.mark.parametrize(
    "name",
    ["a\x00b", "a\nb", "a\x85b", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\u200eb", "a\ufeffb", "a\u200bb"],
)
def test_nothing_that_cannot_be_seen(name: str) -> None:
    """Nor what turns the text around it: the name stands in a mail, beside words of ours."""
    with pytest.raises(BadRequest, match="control characters"):
        chosen_name(name)


def test_joiners_alone_are_no_name() -> None:
    with pytest.raises(BadRequest):
        chosen_name("\u200d\u200c")
