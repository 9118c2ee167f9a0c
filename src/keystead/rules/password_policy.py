"""Does this password satisfy the policy, and does it fit into bcrypt.

The report of a refusal is the rule tree that Auth0's SDKs show to people (auth0-behaviour 2.1), so its codes, messages
and ``format`` lists are part of the wire.
"""

import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from keystead.errors import BadRequest, WeakPassword
from keystead.rules.connection_options import (
    CharacterType,
    Complexity,
    ConnectionOptions,
    FlexibleDictionary,
    FlexibleHistory,
    PasswordLevel,
    PasswordOptions,
    ProfileData,
)
from keystead.rules.words import is_common
from keystead.secrecy import Secret

MAX_BYTES: Final = 4096
"""Cap before normalising, which is quadratic on hostile text."""

BCRYPT_BYTES: Final = 72

STEP_UP: Final = timedelta(seconds=300)
"""How fresh a login must be to change a password."""

_TYPES: Final[tuple[CharacterType, ...]] = ("lowercase", "uppercase", "number", "special")
_TYPE_TEXT: Final = {
    "lowercase": ("lower case letters (a-z)", "lowerCase"),
    "uppercase": ("upper case letters (A-Z)", "upperCase"),
    "number": ("numbers (i.e. 0-9)", "numbers"),
    "special": ("special characters (e.g. !@#$%^&*)", "specialCharacters"),
}
_LEVELS: Final[dict[PasswordLevel, Complexity]] = {
    "none": Complexity(min_length=1, max_length_exceeded="truncate"),
    "low": Complexity(min_length=6, max_length_exceeded="truncate"),
    "fair": Complexity(
        min_length=8, character_types=["lowercase", "uppercase", "number"], max_length_exceeded="truncate"
    ),
    "good": Complexity(
        min_length=8,
        character_types=list(_TYPES),
        character_type_rule="three_of_four",
        max_length_exceeded="truncate",
    ),
    "excellent": Complexity(
        min_length=10,
        character_types=list(_TYPES),
        character_type_rule="three_of_four",
        identical_characters="block",
        max_length_exceeded="truncate",
    ),
}
_LEGACY_FIELDS: Final = (
    "name",
    "username",
    "nickname",
    "user_metadata.name",
    "user_metadata.first",
    "user_metadata.last",
    "email",
)

Rule = dict[str, Any]


def complexity_of(options: ConnectionOptions) -> Complexity:
    """Return what a new password must be made of: the flexible policy, or the legacy level as one (PW-2, PW-4)."""
    level = options.password_level
    length = options.password_complexity_options and options.password_complexity_options.min_length
    if level is None and length is None:
        return options.password_options.complexity if options.password_options else Complexity()
    found = _LEVELS[level or "good"]
    return found.model_copy(update={"min_length": length}) if length else found


def history_size(options: ConnectionOptions) -> int:
    """Return how many of the last passwords must not be chosen again, the current one among them (PW-5, PW-10)."""
    if options.password_options:
        flexible = options.password_options.history
        return flexible.size if flexible.active else 0
    legacy = options.password_history
    return legacy.size if legacy and legacy.enable else 0


def policy_of(options: ConnectionOptions) -> PasswordOptions:
    """Return the policy in its flexible form, whichever way the connection says it (RS-13)."""
    if options.password_options:
        return options.password_options
    size, personal, words = history_size(options), options.password_no_personal_info, options.password_dictionary
    return PasswordOptions(
        complexity=complexity_of(options),
        profile_data=ProfileData(active=bool(personal and personal.enable), blocked_fields=list(_LEGACY_FIELDS)),
        history=FlexibleHistory(active=size > 0, size=max(size, 1)),
        dictionary=FlexibleDictionary(active=bool(words and words.enable), default="en_10k"),
    )


def used_before() -> WeakPassword:
    """Return the refusal of a password that the history holds."""
    return WeakPassword("PasswordHistoryError", "Password has previously been used")


def normal(password: Secret[str]) -> str | None:
    """Return the password in NFC, or ``None`` where no policy could ever accept it (too long, NUL, lone surrogate)."""
    text = password.reveal()
    try:
        if len(text.encode("utf-8")) > MAX_BYTES or "\0" in text:
            return None
    except UnicodeEncodeError:
        return None
    return unicodedata.normalize("NFC", text)


def as_typed(password: Secret[str]) -> Secret[str] | None:
    """Return the password for hashes that other systems made, or ``None`` where it is longer than anybody's."""
    return password if normal(password) is not None else None


def fit(password: Secret[str], complexity: Complexity) -> bytes | None:
    """Return the bytes that bcrypt gets, or ``None`` where they do not fit (PW-12).

    Cutting is a decision of the policy, never a side effect of the hasher.
    """
    text = normal(password)
    if text is None:
        return None
    encoded = text.encode("utf-8")
    if len(encoded) > BCRYPT_BYTES and complexity.max_length_exceeded == "error":
        return None
    return encoded[:BCRYPT_BYTES]


def check(password: Secret[str], options: ConnectionOptions, person: Mapping[str, Any]) -> bytes:
    """Return the bytes to hash for a password that satisfies the policy. Raises ``WeakPassword`` with the report.

    ``person`` holds the profile's values and ``user_metadata``, for the rule against personal information. What was
    used before is found out elsewhere (``history_size``): that costs hashes.
    """
    text = normal(password)
    if text is None or any(unicodedata.category(char) == "Cc" for char in text):
        raise BadRequest("The password contains characters that are not allowed, or is too long.", path="password")
    complexity = complexity_of(options)
    rules = _rules(text, complexity)
    if not all(rule["verified"] for rule in rules):
        report = {"rules": rules, "verified": False}
        raise WeakPassword("PasswordStrengthError", "Password is too weak", report, "\n".join(describe(complexity)))
    if _is_in_dictionary(text, options):
        raise WeakPassword("PasswordDictionaryError", "Password is too common")
    if _contains_personal(text, options, person):
        raise WeakPassword("PasswordNoUserInfoError", "Password contains user information")
    return text.encode("utf-8")[:BCRYPT_BYTES]


def describe(complexity: Complexity) -> list[str]:
    """Return the policy in the lines that the wire calls ``policy``: one rule a line, items set in."""
    lines: list[str] = []
    for rule in _rules("", complexity):
        lines.append("* " + _worded(rule))
        lines += [f" * {item['message']}" for item in rule.get("items", ())]
    return lines


def _worded(rule: Rule) -> str:
    message, numbers = str(rule["message"]), tuple(rule.get("format", ()))
    return message % numbers if "%" in message else " ".join((message, *map(str, numbers)))


def _rules(text: str, complexity: Complexity) -> list[Rule]:
    """Judge each rule of the policy on its own. Length counts characters (NIST SP 800-63B-4 §3.1.1.2)."""
    rules = [_length(text, complexity.min_length)]
    if complexity.character_types:
        rules.append(_types(text, complexity))
    if complexity.identical_characters == "block":
        message = 'No more than %d identical characters in a row (e.g., "%s" not allowed)'
        verified = bool(text) and not _has_run(text, 0)
        rules.append({"message": message, "format": [2, "aaa"], "code": "identicalChars", "verified": verified})
    if complexity.sequential_characters == "block":
        message = 'No more than %d sequential alphanumeric characters (e.g., "%s" not allowed)'
        verified = bool(text) and not (_has_run(text, 1) or _has_run(text, -1))
        rules.append({"message": message, "format": [2, "abc"], "code": "sequentialChars", "verified": verified})
    if len(text.encode("utf-8")) > BCRYPT_BYTES and complexity.max_length_exceeded == "error":
        message = "Maximum password length exceeded"
        rules.append({"message": message, "format": [BCRYPT_BYTES], "code": "maxLength", "verified": False})
    return rules


def _length(text: str, least: int) -> Rule:
    if least == 1:
        return {"message": "Non-empty password required", "code": "nonEmpty", "verified": bool(text)}
    return {
        "message": "At least %d characters in length",
        "format": [least],
        "code": "lengthAtLeast",
        "verified": len(text) >= least,
    }


def _types(text: str, complexity: Complexity) -> Rule:
    wanted = [kind for kind in _TYPES if kind in complexity.character_types]
    items = [
        {"message": _TYPE_TEXT[kind][0], "code": _TYPE_TEXT[kind][1], "verified": any(_is(kind, char) for char in text)}
        for kind in wanted
    ]
    found = sum(bool(item["verified"]) for item in items)
    if complexity.character_type_rule == "all":
        return {"message": "Should contain:", "code": "shouldContain", "items": items, "verified": found == len(items)}
    return {
        "message": "Contain at least %d of the following %d types of characters:",
        "format": [3, 4],
        "code": "containsAtLeast",
        "items": items,
        "verified": found >= 3,
    }


def _is(kind: CharacterType, char: str) -> bool:
    """ASCII classes; ``special`` is ASCII punctuation and space (PW-3)."""
    if kind == "special":
        return " " <= char <= "~" and not char.isalnum()
    low, high = {"lowercase": ("a", "z"), "uppercase": ("A", "Z"), "number": ("0", "9")}[kind]
    return low <= char <= high


def _has_run(text: str, step: int) -> bool:
    """Whether three neighbours follow each other by ``step``; sequences only among ASCII letters and digits."""
    return any(
        ord(second) - ord(first) == step == ord(third) - ord(second)
        and (step == 0 or all(char.isascii() and char.isalnum() for char in (first, second, third)))
        for first, second, third in zip(text, text[1:], text[2:], strict=False)
    )


def _is_in_dictionary(text: str, options: ConnectionOptions) -> bool:
    """PW-6 and PW-10: the whole password, in any case, is a word of the list or one of the connection's own."""
    folded = _folded(text)
    if options.password_options:
        flexible = options.password_options.dictionary
        return flexible.active and (is_common(folded, flexible.default) or folded in map(_folded, flexible.custom))
    legacy = options.password_dictionary
    if legacy is None or not legacy.enable:
        return False
    return is_common(folded, "en_10k") or folded in map(_folded, legacy.dictionary)


def _contains_personal(text: str, options: ConnectionOptions, person: Mapping[str, Any]) -> bool:
    """PW-7 and ``profile_data``: values of three characters or more in any case; of an e-mail also the local part."""
    legacy = options.password_no_personal_info
    if options.password_options and options.password_options.profile_data.active:
        fields: tuple[str, ...] = tuple(options.password_options.profile_data.blocked_fields)
    elif legacy and legacy.enable:
        fields = _LEGACY_FIELDS
    else:
        return False
    folded = _folded(text)
    return any(_folded(value) in folded for field in fields for value in _values(field, person))


def _values(field: str, person: Mapping[str, Any]) -> list[str]:
    """Return what a field holds, under a name with dots for what is inside; a phone number also without its plus."""
    found: Any = person
    for part in field.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, str | int) or isinstance(found, bool):
        return []
    values = [str(found)]
    if field == "email":
        values.append(values[0].rpartition("@")[0])
    elif field == "phone_number":
        values.append(values[0].removeprefix("+"))
    return [value for value in values if len(value) >= 3]


def _folded(text: str) -> str:
    """Return a text as it is compared in any case. Folding may take a composed character apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
