"""Identifiers: one canonical form for every spelling, and nothing hostile gets through."""

import unicodedata

import pytest

from keystead.errors import InvalidIdentifier
from keystead.rules.identifiers import (
    KINDS,
    Identifier,
    IdentifierKind,
    UsernameRules,
    canonical,
    check_own_names,
    claims,
    local_part,
    parse,
)


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
        ("email", "ann@B\u00dcCHER\u3002example", "ann@xn--bcher-kva.example"),
        (
            "email",
            "\uff41\uff4e\uff4e\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d",
            "ann@example.com",
        ),
        ("email", "of\ufb01ce@example.com", "office@example.com"),
        ("email", "Stra\u00dfe@example.com", "stra\u00dfe@example.com"),
        ("email", "\u0418\u0432\u0430\u043d@example.com", "\u0438\u0432\u0430\u043d@example.com"),
        ("email", "\u5c71\u7530\u305f\u308d\u3046taro@example.com", "\u5c71\u7530\u305f\u308d\u3046taro@example.com"),
        ("email", "\uae40minsu@example.com", "\uae40minsu@example.com"),
        ("email", "ann@mail.internal", "ann@mail.internal"),
        ("phone_number", "+14155552671", "+14155552671"),
        ("phone_number", " +1 (415) 555-2671 ", "+14155552671"),
        ("phone_number", "+49.30/123456", "+4930123456"),
        ("phone_number", "+1\u2011415\u2011555\u20112671", "+14155552671"),
        ("phone_number", "+44 (0)20 7946 0958", "+442079460958"),
        ("phone_number", "+39 06 698 12345", "+390669812345"),
        ("phone_number", "\uff0b\uff14\uff19 \uff13\uff10 123456", "+4930123456"),
        ("phone_number", "+\u0664\u0669\u0663\u0660\u0661\u0662\u0663\u0664\u0665\u0666", "+4930123456"),
        ("phone_number", "+12345678900", "+12345678900"),
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
        ("phone_number", "+1415"),
        ("phone_number", "0014155552671"),
        ("phone_number", "tel:+14155552671"),
        ("phone_number", "+1 415 555 2671 ext. 5"),
        ("phone_number", "+14155552671;ext=5"),
        ("phone_number", "+1800FLOWERS"),
        ("phone_number", "+999123456"),
        ("phone_number", "\u202a+14155552671\u202c"),
        ("email", "p\u0430ypal@example.com"),
        ("email", "\u0430nn.smith@example.com"),
        ("email", "\u03b1nn@example.com"),
        ("email", "ann@p\u0430ypal.com"),
        ("email", "ann@xn--pypal-4ve.com"),
        ("email", "\u5c71\u0438@example.com"),
        ("email", "\u3042\uac00@example.com"),
        ("email", "ann\u2019s@example.com"),
        ("email", "ann\u2010smith@example.com"),
        ("email", "\U0001f511@example.com"),
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
        ("+1-415-555-2671", KINDS, ["username", "email", "phone_number"], Identifier("phone_number", "+14155552671")),
        ("+1-415", ["email", "username"], ["username", "email", "phone_number"], Identifier("username", "+1-415")),
        ("ann@b@c", KINDS, ["username", "email", "phone_number"], Identifier("username", "ann@b@c")),
        ("+1 415 555 2671", KINDS, KINDS, Identifier("phone_number", "+14155552671")),
        ("+1 415", KINDS, KINDS, None),
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
        (UsernameRules(may_be_email=True), "+14155552671", "phone_number"),
        (UsernameRules(may_be_phone=True), "ann@example.com", "email"),
        (UsernameRules(may_be_phone=True), "+14155552671", "username"),
        (UsernameRules(min_length=8, max_length=9), "ann", "username"),
    ],
)
def test_usernames_may_look_like_another_kind_only_where_they_may(
    rules: UsernameRules, typed: str, kind: IdentifierKind
) -> None:
    assert parse(typed, KINDS, ["username", "email", "phone_number"], rules) == Identifier(kind, typed)


@pytest.mark.parametrize(
    ("precedence", "first", "second"),
    [(["username", "email", "phone_number"], "username", "email"), (KINDS, "email", "username")],
)
def test_what_can_be_read_in_two_ways_is_looked_for_in_both(
    precedence: list[IdentifierKind], first: str, second: str
) -> None:
    found = parse("Ann@Example.com", KINDS, precedence, UsernameRules(may_be_email=True))
    assert found is not None
    assert [(each.kind, each.value) for each in (found, *found.otherwise)] == [
        (first, "ann@example.com"),
        (second, "ann@example.com"),
    ]


def test_where_usernames_look_like_themselves_there_is_one_reading() -> None:
    for typed in ("ann@example.com", "+14155552671", "ann"):
        found = parse(typed, KINDS)
        assert found is not None
        assert found.otherwise == ()


@pytest.mark.parametrize(
    ("kind", "value", "others"),
    [
        ("email", "ann@example.com", []),
        ("email", "stra\u00dfe@example.com", ["strasse@example.com"]),
        ("email", "\u03bd\u03af\u03ba\u03bf\u03c2@example.com", ["\u03bd\u03af\u03ba\u03bf\u03c3@example.com"]),
        ("email", "k\u0131z@example.com", ["kiz@example.com"]),
        ("email", "user\u0661@example.com", ["user1@example.com"]),
        ("email", "ann@xn--strae-oqa.example", ["ann@strasse.example"]),
        ("phone_number", "+14155552671", []),
        ("username", "ann", []),
        ("username", "ann@example.com", ["ann@example.com"]),
        ("username", "+1-415-555-2671", ["+14155552671"]),
        ("username", "+1415", []),
        ("username", "ann@b@c", []),
    ],
)
def test_what_an_account_keeps_from_others(kind: IdentifierKind, value: str, others: list[str]) -> None:
    own, *kept = claims(Identifier(kind, value))
    assert own == Identifier(kind, value)
    assert [each.value for each in kept] == others
    assert all(each.kind != "username" for each in kept)


EMAIL, NAME = Identifier("email", "ann@example.com"), Identifier("username", "ann@example.com")


def test_a_name_that_looks_like_an_address_must_be_the_person_s_own() -> None:
    check_own_names([EMAIL, NAME], KINDS)
    check_own_names([NAME], ["username", "phone_number"])
    check_own_names([Identifier("username", "ann")], KINDS)
    for found in ([NAME], [Identifier("email", "ben@example.com"), NAME], [Identifier("username", "+14155552671")]):
        with pytest.raises(InvalidIdentifier, match="must be yours") as refusal:
            check_own_names(found, KINDS)
        assert refusal.value.attribute == "username"


def test_the_cap_comes_before_normalising() -> None:
    """900 characters that would fit once they are composed: composing hostile text is what must not be paid for."""
    decomposed = "e\u0301" * 450
    assert len(unicodedata.normalize("NFC", decomposed).encode()) <= 1024 < len(decomposed.encode())
    with pytest.raises(InvalidIdentifier, match="too long"):
        canonical("email", decomposed)


def test_local_part() -> None:
    assert local_part("ann@example.com") == "ann"
    assert local_part("a@b@example.com") == "a@b"
