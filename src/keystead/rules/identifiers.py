"""What did the person type: an e-mail address, a phone number or a username; and its one canonical form.

Uniqueness hangs on the canonical form, so it is computed here, in Python, and nowhere else: Python, SQLite and
PostgreSQL disagree about case. Lengths are capped in bytes before anything is normalised, since normalising is
quadratic on hostile text.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat

from keystead.errors import InvalidIdentifier
from keystead.rules.scripts import is_mixed

IdentifierKind = Literal["email", "phone_number", "username"]

KINDS: Final[tuple[IdentifierKind, ...]] = ("email", "phone_number", "username")
"""The default precedence (ID-10)."""

MAX_BYTES: Final = 1024
RESERVED: Final = "The email is in a domain that is reserved, where nobody has an address."
_LONGEST_EMAIL: Final = 254
_PHONE: Final = re.compile(r"\+[0-9]{1,15}")
_DIALLED: Final = re.compile(r"\+[0-9]{1,20}")
_PHONE_DECORATION: Final = re.compile(r"[ ().\-/\u2010-\u2015\u2212]")
_USERNAME: Final = re.compile(r"[a-z0-9@^$.!`\-#+'~_]+")
_VISIBLE: Final = re.compile(r"[!-~]+")
_EMAIL_LIKE: Final = re.compile(r"[^@]+@[^@]+")
_LABEL: Final = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,62}"
_TOP: Final = "(?!(?i:arpa|invalid|local|localhost|onion|test)$)[A-Za-z]{2,63}"
"""But for those that are nobody's (RFC 6761), which a library judges."""
_PLAIN_EMAIL: Final = re.compile(
    rf"(?=[^@]{{1,64}}@)[A-Za-z0-9_]+(?:[.+-][A-Za-z0-9_]+)*@(?:(?=[^.]{{1,63}}\.){_LABEL}\.)+{_TOP}"
)
"""Addresses as most are, which need no look at what else an address may be: a file has millions of them."""
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that are shown as nothing: Default_Ignorable_Code_Point of Unicode, but for the category C."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What somebody logs in with. Two identifiers are the same person's when ``kind`` and ``value`` are equal."""

    kind: IdentifierKind
    value: str
    otherwise: tuple["Identifier", ...] = field(default=(), compare=False, repr=False)
    """What the text that was typed can be read as too, where nobody has it as this kind (``parse``)."""
    typed: str = field(default="", compare=False, repr=False)
    """What was typed, letter by letter, where somebody typed it: a customer's database compares as it likes."""

    @property
    def as_typed(self) -> str:
        """Return the text by which a customer's database is asked."""
        return self.typed or self.value

    @property
    def counted_as(self) -> tuple[str, str]:
        """Kind and value under which tries are counted: one of the readings, whatever precedence puts first.

        An address or a number before a username: it is the same however it is spelled, and a username with other dots
        and dashes is another one, of which the same number has thousands.
        """
        found = min((self, *self.otherwise), key=lambda each: KINDS.index(each.kind))
        return found.kind, found.value


@dataclass(frozen=True, slots=True)
class UsernameRules:
    """How a username may look on a connection (ID-14, ID-15)."""

    min_length: int = 1
    max_length: int = 15
    may_be_email: bool = False
    may_be_phone: bool = False


_PLAIN: Final = UsernameRules()
_MOST: Final = 128
"""Characters of the longest username that a connection may allow."""


def canonical(kind: IdentifierKind, text: str, usernames: UsernameRules = _PLAIN) -> Identifier:
    """Return the canonical form of what is meant to be a ``kind``. Raises ``InvalidIdentifier``."""
    text = _gate(kind, text)
    if kind == "email":
        return Identifier(kind, _email(text))
    if kind == "phone_number":
        return Identifier(kind, _phone(text))
    return Identifier(kind, _username(text, usernames))


def parse(
    text: str,
    active: Sequence[IdentifierKind],
    precedence: Sequence[IdentifierKind] = KINDS,
    usernames: UsernameRules = _PLAIN,
) -> Identifier | None:
    """Read what was typed into a login form: the first kind, by precedence, that it can be; ``None`` if it is none.

    Length rules of usernames do not apply, so that people keep logging in after the rules changed. What looks like an
    e-mail address or a phone number is one, where people log in with these, unless usernames may look like it. Then
    the text has more readings than one, of which at most one is somebody's (``claims``): the others are in
    ``otherwise``, so that precedence locks nobody out.
    """
    usernames = replace(
        usernames,
        min_length=1,
        max_length=_MOST,
        may_be_email=usernames.may_be_email or "email" not in active,
        may_be_phone=usernames.may_be_phone or "phone_number" not in active,
    )
    readings = [found for kind in precedence if kind in active and (found := _reading(kind, text, usernames))]
    return replace(readings[0], otherwise=tuple(readings[1:]), typed=text.strip()) if readings else None


def claims(identifier: Identifier) -> tuple[Identifier, ...]:
    """Return what an account with this identifier keeps from every other account of its connection.

    The identifier itself; what else a person would take for it (``STRASSE`` for ``straße``); and for a username that
    looks like an e-mail address or a phone number, that address or number. Otherwise whoever takes somebody's address
    for a username would be tried with that person's password.
    """
    if identifier.kind == "email":
        folded = _folded(identifier.value)
        return (identifier,) if folded == identifier.value else (identifier, Identifier("email", folded))
    if identifier.kind == "phone_number":
        return (identifier,)
    looks = [found for kind in KINDS[:2] if (found := _reading(kind, identifier.value, _PLAIN))]
    return _without_repeats((identifier, *(claim for found in looks for claim in claims(found))))


def check_own_names(identifiers: Collection[Identifier], kept: Collection[IdentifierKind]) -> None:
    """Refuse a username that looks like an e-mail address or phone number other than the account's own.

    For sign-ups, which nobody vouches for: otherwise a name would keep an address from whoever it belongs to, and
    nobody could ever show that a name is not its holder's. ``kept`` are the kinds that accounts may have.
    Raises ``InvalidIdentifier``.
    """
    own = {claim for each in identifiers if each.kind != "username" for claim in claims(each)}
    for name in identifiers:
        looks = claims(name)[1:] if name.kind == "username" else ()
        if any(each.kind in kept and each not in own for each in looks):
            raise InvalidIdentifier("username", "A username that looks like an email or a phone number must be yours.")


def local_part(email: str) -> str:
    """Return what stands before the last ``@``."""
    return email.rpartition("@")[0]


def _reading(kind: IdentifierKind, text: str, usernames: UsernameRules) -> Identifier | None:
    try:
        return canonical(kind, text, usernames)
    except InvalidIdentifier:
        return None


def _without_repeats(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    return tuple(dict.fromkeys(identifiers))


def _gate(kind: IdentifierKind, text: str) -> str:
    """Refuse what no identifier may contain; return the text without surrounding space, in NFKC.

    NFKC rather than NFC: letters of full width, ligatures and the like are written as what they stand for.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidIdentifier(kind, f"The {kind} is too long.")
    text = text.strip()
    if _VISIBLE.fullmatch(text):
        return text
    text = unicodedata.normalize("NFKC", text)
    if not text:
        raise InvalidIdentifier(kind, f"The {kind} is empty.")
    # Cc, Cf (zero-width, bidi controls), Cs (lone surrogates), Co, Cn, Zl, Zp and inner spaces, and letters that are
    # shown as nothing: none of this can be seen, so two accounts could look the same.
    hidden = _INVISIBLE.search(text) or any(unicodedata.category(char)[0] in "CZ" for char in text)
    if hidden and kind != "phone_number":
        raise InvalidIdentifier(kind, f"The {kind} contains characters that are not allowed.")
    return text


def _email(text: str) -> str:
    """Syntax by RFC 5321 and 6531, no DNS; the whole address in lower case (ID-12), the domain in IDNA's ASCII form."""
    if _PLAIN_EMAIL.fullmatch(text) and len(text) <= _LONGEST_EMAIL:
        return text.lower()
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False, allow_quoted_local=False)
    except EmailNotValidError as error:
        is_reserved = text.rpartition("@")[2].lower().rpartition(".")[2] in SPECIAL_USE_DOMAIN_NAMES
        said = RESERVED if is_reserved else "The email is not a valid address."
        raise InvalidIdentifier("email", said, detail=str(error)) from None
    local, domain = unicodedata.normalize("NFKC", found.local_part.lower()), found.ascii_domain.lower()
    address = f"{local}@{domain}"
    if not f"{local}{found.domain}".isascii():
        _check_letters(local, found.domain)
    if "." not in domain or len(local) > 64 or max(len(address), len(_folded(address))) > _LONGEST_EMAIL:
        raise InvalidIdentifier("email", "The email is not a valid address.")
    return address


def _check_letters(local: str, domain: str) -> None:
    if not all(char.isascii() or unicodedata.category(char) in _WRITTEN for char in local):
        raise InvalidIdentifier("email", "The email contains characters that are not allowed.")
    if any(is_mixed(word) for word in (local, *domain.split("."))):
        raise InvalidIdentifier("email", "The email mixes letters of different scripts.")


_WRITTEN: Final = ("Ll", "Lo", "Lm", "Mn", "Mc", "Nd")
"""Beyond ASCII, letters, their marks and digits: signs and punctuation look too much like each other."""


def _folded(address: str) -> str:
    """Return what all addresses have in common that a person would take for the same.

    Not itself an address, and never one to write to: ``straße@`` and ``strasse@`` may be two mailboxes. Capitals first,
    since that is where ß and ss, the two small sigmas, and i with and without its dot meet; digits of all scripts
    count as what they mean.
    """
    if address.isascii() and "xn--" not in address:
        return address
    local, _, domain = address.rpartition("@")
    if "xn--" in domain:
        domain = validate_email(f"x@{domain}", check_deliverability=False, globally_deliverable=False).domain
    text = unicodedata.normalize("NFKC", f"{local}@{domain}".upper())
    text = unicodedata.normalize("NFKC", text.casefold().replace("i\u0307", "i"))
    return _in_ascii_digits(text)


def _in_ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char, char)) for char in text)


def _phone(text: str) -> str:
    """E.164 (ID-13), with the punctuation that people write taken out, and a zero that is only dialled at home."""
    number = _international(_PHONE_DECORATION.sub("", _in_ascii_digits(text)))
    # What changes when it is read again has more than one form.
    if not number or _international(number) != number:
        raise InvalidIdentifier("phone_number", "The phone_number must be in international form, such as +14155552671.")
    return number


def _international(bare: str) -> str:
    """Return the number that was dialled, or nothing where its length cannot be right for its country."""
    if not _DIALLED.fullmatch(bare):
        return ""
    try:
        number = phonenumbers.parse(bare, None)
    except NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    found = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return found if _PHONE.fullmatch(found) else ""


def _username(text: str, rules: UsernameRules) -> str:
    """ASCII of a closed set, folded to lower case (ID-14); never the look of somebody's e-mail or phone number."""
    folded = text.lower()
    if not _USERNAME.fullmatch(folded):
        raise InvalidIdentifier("username", "The username contains characters that are not allowed.")
    if not rules.min_length <= len(folded) <= rules.max_length:
        raise InvalidIdentifier(
            "username", f"The username must have between {rules.min_length} and {rules.max_length} characters."
        )
    if _EMAIL_LIKE.fullmatch(folded) and not rules.may_be_email:
        raise InvalidIdentifier("username", "The username cannot be an email address.")
    if _PHONE.fullmatch(_PHONE_DECORATION.sub("", folded)) and not rules.may_be_phone:
        raise InvalidIdentifier("username", "The username cannot be a phone number.")
    return folded
