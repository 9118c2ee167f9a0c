"""What did the person type: an e-mail address, a phone number or a username; and its one canonical form.

Uniqueness hangs on the canonical form, so it is computed here, in Python, and nowhere else: Python, SQLite and
PostgreSQL disagree about case (security.md F27). Lengths are capped in bytes before anything is normalised, since
normalising is quadratic on hostile text (F11).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from email_validator import EmailNotValidError, validate_email

from keystead.errors import InvalidIdentifier

IdentifierKind = Literal["email", "phone_number", "username"]

KINDS: Final[tuple[IdentifierKind, ...]] = ("email", "phone_number", "username")
"""The default precedence (ID-10)."""

MAX_BYTES: Final = 1024
_PHONE: Final = re.compile(r"\+[0-9]{1,15}")
_PHONE_DECORATION: Final = re.compile(r"[ ().\-/]")
_USERNAME: Final = re.compile(r"[a-z0-9@^$.!`\-#+'~_]+")
_EMAIL_LIKE: Final = re.compile(r"[^@]+@[^@]+")
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that are shown as nothing: Default_Ignorable_Code_Point of Unicode, but for the category C."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What somebody logs in with. Two identifiers are the same person's when ``kind`` and ``value`` are equal."""

    kind: IdentifierKind
    value: str


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
    e-mail address or a phone number is one, where people log in with these, unless usernames may look like it:
    otherwise a precedence that begins with usernames would lock out everybody who has none.
    """
    usernames = replace(
        usernames,
        min_length=1,
        max_length=_MOST,
        may_be_email=usernames.may_be_email or "email" not in active,
        may_be_phone=usernames.may_be_phone or "phone_number" not in active,
    )
    for kind in precedence:
        if kind in active:
            try:
                return canonical(kind, text, usernames)
            except InvalidIdentifier:
                continue
    return None


def local_part(email: str) -> str:
    """Return what stands before the last ``@``."""
    return email.rpartition("@")[0]


def _gate(kind: IdentifierKind, text: str) -> str:
    """Refuse what no identifier may contain; return the text without surrounding space, in NFC."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidIdentifier(kind, f"The {kind} is too long.")
    text = unicodedata.normalize("NFC", text.strip())
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
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False, allow_quoted_local=False)
    except EmailNotValidError as error:
        raise InvalidIdentifier("email", "The email is not a valid address.", detail=str(error)) from None
    domain = found.ascii_domain.lower()
    address = f"{unicodedata.normalize('NFC', found.local_part.lower())}@{domain}"
    if "." not in domain or len(found.local_part) > 64 or len(address) > 254:
        raise InvalidIdentifier("email", "The email is not a valid address.")
    return address


def _phone(text: str) -> str:
    """E.164 (ID-13), with the punctuation that people write taken out."""
    bare = _PHONE_DECORATION.sub("", text)
    if not _PHONE.fullmatch(bare):
        raise InvalidIdentifier("phone_number", "The phone_number must be in international form, such as +14155552671.")
    return bare


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
