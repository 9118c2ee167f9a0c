"""Does this password satisfy the policy, and does it fit into bcrypt.

The report of a refusal is the rule tree that Auth0's SDKs show to people (auth0-behaviour 2.1), so its codes, messages
and ``format`` lists are part of the wire.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from keystead.errors import BadRequest, WeakPassword
from keystead.rules.connection_options import CharacterType, Complexity, ConnectionOptions, PasswordLevel
from keystead.secrecy import Secret

MAX_BYTES: Final = 4096
"""Cap before normalising, which is quadratic on hostile text (security.md F11)."""

BCRYPT_BYTES: Final = 72

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


def normal(password: Secret[str]) -> str | None:
    """Return the password in NFC, or ``None`` where no policy could ever accept it (too long, NUL, lone surrogate)."""
    text = password.reveal()
    try:
        if len(text.encode("utf-8")) > MAX_BYTES or "\0" in text:
            return None
    except UnicodeEncodeError:
        return None
    return unicodedata.normalize("NFC", text)


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

    ``person`` holds the profile's values and ``user_metadata``, for the rule against personal information.
    """
    text = normal(password)
    if text is None or any(unicodedata.category(char) == "Cc" for char in text):
        raise BadRequest("The password contains characters that are not allowed, or is too long.", path="password")
    complexity = complexity_of(options)
    rules = _rules(text, complexity)
    if not all(rule["verified"] for rule in rules):
        report = {"rules": rules, "verified": False}
        raise WeakPassword("PasswordStrengthError", "Password is too weak", report, "\n".join(describe(complexity)))
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
    return str(rule["message"] % tuple(rule["format"]) if "format" in rule else rule["message"])


def _rules(text: str, complexity: Complexity) -> list[Rule]:
    """Judge each rule of the policy on its own. Length counts characters (NIST SP 800-63B-4 §3.1.1.2)."""
    rules: list[Rule] = [
        {
            "message": "At least %d characters in length",
            "format": [complexity.min_length],
            "code": "lengthAtLeast",
            "verified": len(text) >= complexity.min_length,
        }
    ]
    if complexity.character_types:
        rules.append(_types(text, complexity))
    if complexity.identical_characters == "block":
        message = 'No more than %d identical characters in a row (e.g., "%s" not allowed)'
        verified = not _has_run(text, 0)
        rules.append({"message": message, "format": [2, "aaa"], "code": "identicalChars", "verified": verified})
    if complexity.sequential_characters == "block":
        message = 'No more than %d sequential characters in a row (e.g., "%s" not allowed)'
        verified = not (_has_run(text.lower(), 1) or _has_run(text.lower(), -1))
        rules.append({"message": message, "format": [2, "abc"], "code": "sequentialChars", "verified": verified})
    if len(text.encode("utf-8")) > BCRYPT_BYTES and complexity.max_length_exceeded == "error":
        message = "No more than %d bytes in length"
        rules.append({"message": message, "format": [BCRYPT_BYTES], "code": "maxLength", "verified": False})
    return rules


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
    """Whether three neighbours follow each other by ``step``; sequences only among letters and digits."""
    return any(
        ord(second) - ord(first) == step == ord(third) - ord(second)
        and (step == 0 or (first.isalnum() and second.isalnum() and third.isalnum()))
        for first, second, third in zip(text, text[1:], text[2:], strict=False)
    )


def _contains_personal(text: str, options: ConnectionOptions, person: Mapping[str, Any]) -> bool:
    """PW-7 and ``profile_data``: values of three characters or more in any case; of an e-mail also the local part."""
    legacy = options.password_no_personal_info
    if options.password_options and options.password_options.profile_data.active:
        fields: tuple[str, ...] = tuple(options.password_options.profile_data.blocked_fields)
    elif legacy and legacy.enable:
        fields = _LEGACY_FIELDS
    else:
        return False
    folded = text.casefold()
    return any(value.casefold() in folded for field in fields for value in _values(field, person))


def _values(field: str, person: Mapping[str, Any]) -> list[str]:
    found: Any = person
    for part in field.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, str):
        return []
    values = [found, found.rpartition("@")[0]] if field == "email" else [found]
    return [value for value in values if len(value) >= 3]
