"""Identifiers, generated: whatever people and attackers type, one person has one spelling and one kind."""

import unicodedata
from collections.abc import Callable

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from keystead.errors import InvalidIdentifier
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind, UsernameRules, canonical, claims, parse

ANYTHING = st.text(st.characters(categories=None), max_size=80)
ALMOST = st.text("aA1.@+-_ İßéxn{}()\\\"';:/[]\u017f\u0301\u200d\u202e\0\ud800\u0131\u03a3\u03c2\u0661", max_size=40)
"""Text that comes close: what identifiers are made of, and what people have broken parsers with."""

LATIN = "abcXYZ019._+-éßıſ"
GREEK = "αβγςΣΊόλ019.-"  # noqa: RUF001 - they look alike, which is the point
CYRILLIC = "абвЁйШщ019_+"  # noqa: RUF001 - they look alike, which is the point
JAPANESE = "山田たろうタローー019abc"
LOCAL = st.sampled_from([LATIN, GREEK, CYRILLIC, JAPANESE]).flatmap(
    lambda these: st.text(these, min_size=1, max_size=16)
)
LABEL = st.sampled_from(["abcXYZ019-", "äöüßéabc", "βόλος", "почта", "例え山田"]).flatmap(
    lambda these: st.text(these, min_size=1, max_size=10)
)
EMAILS = st.builds("{}@{}.{}".format, LOCAL, LABEL, st.sampled_from(["com", "De", "рф"]))
PHONES = st.builds(
    "+{}{}".format,
    st.sampled_from(["1", "44", "49", "39", "33", "7", "81", "86", "54", "52", "972"]),
    st.text("0123456789", min_size=7, max_size=11),
)
USERNAMES = st.text("abcXYZ019@^$.!`-#+'~_", min_size=1, max_size=15)
LIKELY = {"email": EMAILS, "phone_number": PHONES, "username": USERNAMES}
ANY_NAME = UsernameRules(max_length=128, may_be_email=True, may_be_phone=True)
ORDERS = st.permutations(KINDS)


def wide(text: str) -> str:
    """Return what an input method of East Asia types: ASCII in full width."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def found(kind: IdentifierKind, text: str, rules: UsernameRules = ANY_NAME) -> Identifier | None:
    """Return the identifier, or ``None`` for none."""
    try:
        return canonical(kind, text, rules)
    except InvalidIdentifier:
        return None


def clash(one: Identifier, other: Identifier) -> bool:
    """Whether two accounts of a connection cannot have these: there is something that both would have to hold."""
    return bool(set(claims(one)) & set(claims(other)))


@given(st.sampled_from(KINDS), ANYTHING | ALMOST)
@example("email", "a@xn--.com")
@example("email", "a@xn--a-ecp.ru")
@example("email", f"a@{'.'.join('ß' * 60 for _ in range(3))}.com")
@example("email", "ΐ" * 60 + "@example.com")
@example("username", "\ud800" * 300)
@settings(max_examples=300)
def test_hostile_text_is_refused_or_canonical(kind: IdentifierKind, text: str) -> None:
    """Nothing but ``InvalidIdentifier`` is ever raised, and what comes through can be stored and shown."""
    identifier = found(kind, text)
    if identifier is None:
        return
    value = identifier.value
    assert value == value.lower() == value.strip() == unicodedata.normalize("NFKC", value)
    assert all(unicodedata.category(char)[0] not in "CZ" for char in value)
    for claim in claims(identifier):
        assert 1 <= len(claim.value) <= 254


@given(ANYTHING | ALMOST, st.lists(st.sampled_from(KINDS), unique=True), ORDERS, st.booleans(), st.booleans())
def test_a_login_form_takes_any_text(
    text: str, active: list[IdentifierKind], order: list[IdentifierKind], email: bool, phone: bool
) -> None:
    read = parse(text, active, order, UsernameRules(may_be_email=email, may_be_phone=phone))
    assert read is None or {each.kind for each in (read, *read.otherwise)} <= set(active)


@given(st.data(), st.sampled_from(KINDS))
@settings(max_examples=200)
def test_canonical_is_idempotent(data: st.DataObject, kind: IdentifierKind) -> None:
    first = found(kind, data.draw(LIKELY[kind] | ALMOST | ANYTHING))
    if first is not None:
        assert found(kind, first.value) == first


SPELLINGS: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "small letters": str.lower,
    "the other case": str.swapcase,
    "full width": wide,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "composed": lambda text: unicodedata.normalize("NFC", text),
    "in space": lambda text: f" \t{text}\u3000\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(data=st.data(), kind=st.sampled_from(KINDS))
@settings(max_examples=100)
def test_two_spellings_never_make_two_accounts(spelling: str, data: st.DataObject, kind: IdentifierKind) -> None:
    """Another spelling is the same identifier, or clashes with it, or is none."""
    text = data.draw(LIKELY[kind])
    first, second = found(kind, text), found(kind, SPELLINGS[spelling](text))
    if first is not None and second is not None:
        assert clash(first, second)
        if text.isascii():
            assert first == second


@given(st.sampled_from(KINDS), USERNAMES | EMAILS | PHONES)
def test_ascii_has_one_form_in_every_spelling(kind: IdentifierKind, text: str) -> None:
    """What people type most can be typed in every spelling, not only refused in most."""
    assume(text.isascii())
    first = found(kind, text)
    assert {found(kind, spell(text)) for spell in SPELLINGS.values()} == {first}


@given(EMAILS, st.sampled_from(".。．｡"))  # noqa: RUF001 - they look alike, which is the point
def test_a_domain_is_one_in_letters_and_in_punycode(email: str, dot: str) -> None:
    first = found("email", email)
    if first is None:
        return
    local, _, domain = email.rpartition("@")
    assert found("email", f"{local}@{domain.replace('.', dot)}") == first
    assert found("email", f"{local}@{first.value.rpartition('@')[2].upper()}") == first


@given(PHONES, st.data())
def test_a_phone_number_is_one_however_it_is_written(phone: str, data: st.DataObject) -> None:
    first = found("phone_number", phone)
    gaps = data.draw(st.lists(st.sampled_from(["", " ", "-", ".", "/", "(", ")", "\u2011", "\xa0"]), max_size=20))
    zero = data.draw(st.sampled_from("0٠०０"))  # noqa: RUF001 - they look alike, which is the point
    digits = "".join(chr(ord(zero) + int(char)) if char.isdigit() else char for char in phone)
    written = "".join(char + gap for char, gap in zip(digits, [*gaps, *[""] * 20], strict=False))
    assert found("phone_number", written) == first


@given(st.data(), st.sampled_from(KINDS), st.lists(st.sampled_from(KINDS), unique=True, min_size=1), ORDERS)
@settings(max_examples=200)
def test_no_identifier_is_found_as_another_kind(
    data: st.DataObject, kind: IdentifierKind, active: list[IdentifierKind], order: list[IdentifierKind]
) -> None:
    """Whoever signs up with one kind is never looked up as another, whichever kinds the connection takes."""
    identifier = found(kind, data.draw(LIKELY[kind] | ALMOST), UsernameRules())
    if identifier is None:
        return
    read = parse(identifier.value, active, order)
    if kind in active:
        assert read == identifier
        assert read is not None
        assert read.otherwise == ()
    elif "username" not in active:
        assert read is None


@given(EMAILS | PHONES | USERNAMES, ORDERS)
@settings(max_examples=200)
def test_a_text_is_never_two_people_s(text: str, order: list[IdentifierKind]) -> None:
    """Where names may look like addresses: all that a text can be read as, one account alone can have."""
    read = parse(text, KINDS, order, ANY_NAME)
    if read is None:
        return
    for one in (read, *read.otherwise):
        assert all(clash(one, other) for other in (read, *read.otherwise))


PLAIN_LOCAL = st.lists(st.text("aZ09_.+-", min_size=1, max_size=20), min_size=1, max_size=4).map("".join)
PLAIN_DOMAIN = st.lists(
    st.text("aXn0-", min_size=1, max_size=64) | st.sampled_from(["xn--", "com", "DE", "test", "Local", "arpa", "1"]),
    min_size=1,
    max_size=5,
).map(".".join)


@given(st.builds("{}@{}".format, PLAIN_LOCAL, PLAIN_DOMAIN))
@example("a@b.com")
@example("a..b@b.com")
@example("a.-b@b.com")
@example(".a@b.com")
@example("a@-b.com")
@example("a@b-.com")
@example("a@b--c.com")
@example("a@bc--d.com")
@example("a@xn--a.com")
@example("a@b.test")
@example("a@b.1")
@example(f"{'a' * 64}@b.com")
@example(f"{'a' * 65}@b.com")
@example(f"a@{'b' * 63}.com")
@example(f"a@{'b' * 64}.com")
@example(f"a@{'b' * 63}.{'b' * 63}.{'b' * 63}.{'b' * 57}.com")
@example(f"a@{'b' * 63}.{'b' * 63}.{'b' * 63}.{'b' * 56}.com")
@settings(max_examples=300)
def test_an_address_in_ascii_is_what_the_library_says(text: str) -> None:
    """However it is read: most are recognised without asking the library."""
    try:
        read = validate_email(text, check_deliverability=False, globally_deliverable=False, allow_quoted_local=False)
    except EmailNotValidError:
        assert found("email", text) is None
        return
    is_ours = "." in read.ascii_domain and len(read.local_part) <= 64 and len(text) <= 254
    assume("xn--" not in read.ascii_domain.lower())  # what such a name shows is judged as well
    expected = f"{read.local_part}@{read.ascii_domain}".lower()
    identifier = found("email", text)
    assert (identifier.value if identifier else None) == (expected if is_ours else None)
