"""Identifiers: one canonical form for every spelling, and nothing hostile gets through."""

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keystead.errors import InvalidIdentifier
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind, UsernameRules, canonical, local_part, parse

ANYTHING = st.text(st.characters(categories=None), max_size=80)
ALMOST = st.text("aA1.@+-_ İßéxn{}()\\\"';:/[]\u017f\u0301\u200d\u202e\0\ud800", max_size=40)
"""Text that comes close: what identifiers are made of, and what people have broken parsers with."""

LOCAL = st.text("abcXYZ019._+-éßλ", min_size=1, max_size=20)
EMAILS = st.builds(
    "{}@{}.{}".format, LOCAL, st.text("abcXYZ019-", min_size=1, max_size=12), st.sampled_from(["com", "De"])
)
PHONES = st.builds("+{}".format, st.text("0123456789", min_size=1, max_size=15))
USERNAMES = st.text("abcXYZ019@^$.!`-#+'~_", min_size=1, max_size=15)
LIKELY = {"email": EMAILS, "phone_number": PHONES, "username": USERNAMES}


def found(kind: IdentifierKind, text: str) -> str | None:
    """Return the canonical value, or ``None`` for no identifier."""
    try:
        return canonical(kind, text).value
    except InvalidIdentifier:
        return None


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("email", "ann@example.com", "ann@example.com"),
        ("email", "  Ann@Example.COM\n", "ann@example.com"),
        ("email", "ann+tag@example.com", "ann+tag@example.com"),
        ("email", "josé@example.com", "josé@example.com"),
        ("email", "jose\u0301@example.com", "josé@example.com"),
        ("email", "ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("email", "ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ("email", "ann@mail.internal", "ann@mail.internal"),
        ("phone_number", "+14155552671", "+14155552671"),
        ("phone_number", " +1 (415) 555-2671 ", "+14155552671"),
        ("phone_number", "+49.30/123456", "+4930123456"),
        ("username", "Ann_1", "ann_1"),
        ("username", "a@b@c", "a@b@c"),
        ("username", "@ann", "@ann"),
        ("username", "12345", "12345"),
    ],
)
def test_canonical(kind: IdentifierKind, typed: str, value: str) -> None:
    assert canonical(kind, typed) == Identifier(kind, value)


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        *((kind, bad) for kind in KINDS for bad in ("", "   ", "a\0b", "\ud800", "a\nb", "a" * 2000)),
        ("email", "ann"),
        ("email", "ann@localhost"),
        ("email", "ann@example"),
        ("email", "ann@@example.com"),
        ("email", "a b@example.com"),
        ("email", '"ann"@example.com'),
        ("email", "ann@[127.0.0.1]"),
        ("email", "Ann <ann@example.com>"),
        ("email", "ann@example.com,ben@example.com"),
        ("email", "an\u200bn@example.com"),
        ("email", "an\u202en@example.com"),
        *(("email", f"an{hidden}n@example.com") for hidden in "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2065"),
        *(("email", f"ann{hidden}@example.com") for hidden in "\u3164\ufe00\ufe0f\uffa0\ufff0\U000e0100\U000e01ef"),
        ("email", f"{'a' * 65}@example.com"),
        ("email", f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.com"),
        ("phone_number", "4155552671"),
        ("phone_number", "+1415555267100000"),
        ("phone_number", "+"),
        ("phone_number", "+1415x"),
        ("phone_number", "+٤١٥"),
        ("username", "ann smith"),
        ("username", "änn"),
        ("username", "ann\u0430"),
        ("username", "ann@example.com"),
        ("username", "+14155552671"),
        ("username", "+1-415.555"),
        ("username", "a" * 16),
        ("username", "<script>"),
    ],
)
def test_refused(kind: IdentifierKind, typed: str) -> None:
    with pytest.raises(InvalidIdentifier) as refusal:
        canonical(kind, typed)
    assert refusal.value.attribute == kind
    assert kind in refusal.value.text


@pytest.mark.parametrize(
    ("rules", "typed", "allowed"),
    [
        (UsernameRules(min_length=3), "ab", False),
        (UsernameRules(min_length=3), "abc", True),
        (UsernameRules(max_length=128), "a" * 128, True),
        (UsernameRules(max_length=128), "a" * 129, False),
        (UsernameRules(may_be_email=True), "a@b.example", True),
        (UsernameRules(may_be_email=True), "+123", False),
        (UsernameRules(may_be_phone=True), "+1-23", True),
        (UsernameRules(may_be_phone=True), "a@b.example", False),
    ],
)
def test_username_rules(rules: UsernameRules, typed: str, allowed: bool) -> None:
    if allowed:
        assert canonical("username", typed, rules).value == typed
    else:
        with pytest.raises(InvalidIdentifier):
            canonical("username", typed, rules)


@pytest.mark.parametrize(
    ("typed", "active", "precedence", "expected"),
    [
        ("Ann@Example.com", ["email"], KINDS, Identifier("email", "ann@example.com")),
        ("Ann@Example.com", ["username"], KINDS, Identifier("username", "ann@example.com")),
        ("Ann@Example.com", ["username", "email"], KINDS, Identifier("email", "ann@example.com")),
        ("Ann@Example.com", KINDS, ["username", "email", "phone_number"], Identifier("email", "ann@example.com")),
        ("+1-415", KINDS, ["username", "email", "phone_number"], Identifier("phone_number", "+1415")),
        ("+1-415", ["email", "username"], ["username", "email", "phone_number"], Identifier("username", "+1-415")),
        ("ann@b@c", KINDS, ["username", "email", "phone_number"], Identifier("username", "ann@b@c")),
        ("+1 415", KINDS, KINDS, Identifier("phone_number", "+1415")),
        ("+1415", ["username"], KINDS, Identifier("username", "+1415")),
        ("a" * 100, ["email", "username"], KINDS, Identifier("username", "a" * 100)),
        ("ann", ["email", "phone_number"], KINDS, None),
        ("ann", [], KINDS, None),
        ("", KINDS, KINDS, None),
    ],
)
def test_parse(
    typed: str, active: list[IdentifierKind], precedence: list[IdentifierKind], expected: Identifier | None
) -> None:
    assert parse(typed, active, precedence) == expected


@pytest.mark.parametrize(
    ("rules", "typed", "kind"),
    [
        (UsernameRules(may_be_email=True), "ann@example.com", "username"),
        (UsernameRules(may_be_email=True), "+1415", "phone_number"),
        (UsernameRules(may_be_phone=True), "ann@example.com", "email"),
        (UsernameRules(may_be_phone=True), "+1415", "username"),
        (UsernameRules(min_length=8, max_length=9), "ann", "username"),
    ],
)
def test_usernames_may_look_like_another_kind_only_where_they_may(
    rules: UsernameRules, typed: str, kind: IdentifierKind
) -> None:
    assert parse(typed, KINDS, ["username", "email", "phone_number"], rules) == Identifier(kind, typed)


@given(st.sampled_from(KINDS), ANYTHING | ALMOST)
@example("email", "a@xn--.com")
@example("email", "a@xn--a-ecp.ru")
@example("email", f"a@{'.'.join('ß' * 60 for _ in range(3))}.com")
@example("username", "\ud800" * 300)
def test_hostile_text_is_refused_or_canonical(kind: IdentifierKind, text: str) -> None:
    """Nothing but ``InvalidIdentifier`` is ever raised, and what comes through can be stored and shown."""
    value = found(kind, text)
    if value is not None:
        assert 1 <= len(value) <= 254
        assert value == value.lower() == value.strip() == unicodedata.normalize("NFC", value)
        assert all(unicodedata.category(char)[0] not in "CZ" for char in value)


@given(st.data(), st.sampled_from(KINDS))
def test_canonical_is_idempotent(data: st.DataObject, kind: IdentifierKind) -> None:
    value = found(kind, data.draw(LIKELY[kind] | ALMOST | ANYTHING))
    assume(value is not None)
    assert value is not None
    assert found(kind, value) == value


@given(st.data(), st.sampled_from(KINDS))
def test_two_spellings_make_one_identifier(data: st.DataObject, kind: IdentifierKind) -> None:
    """Case, space around it and the composition of its characters change nothing."""
    text = data.draw(LIKELY[kind])
    value = found(kind, text)
    for spelling in (text.lower(), f" \t{text}\n", unicodedata.normalize("NFD", text)):
        assert found(kind, spelling) == value
    if text.isascii():
        assert found(kind, text.upper()) == found(kind, text.swapcase()) == value


@given(st.data(), st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_no_identifier_is_found_as_another_kind(
    data: st.DataObject, kind: IdentifierKind, other: IdentifierKind
) -> None:
    """Whoever signs up with one kind is never looked up as another, whichever kinds the connection takes."""
    value = found(kind, data.draw(LIKELY[kind] | ALMOST))
    assume(value is not None and kind != other)
    assert value is not None
    assert parse(value, KINDS) == Identifier(kind, value)
    if "username" not in (kind, other):
        assert parse(value, [other]) is None


def test_the_cap_comes_before_normalising() -> None:
    """900 characters that would fit once they are composed: composing hostile text is what must not be paid for."""
    decomposed = "e\u0301" * 450
    assert len(unicodedata.normalize("NFC", decomposed).encode()) <= 1024 < len(decomposed.encode())
    with pytest.raises(InvalidIdentifier, match="too long"):
        canonical("email", decomposed)


def test_local_part() -> None:
    assert local_part("ann@example.com") == "ann"
    assert local_part("a@b@example.com") == "a@b"
