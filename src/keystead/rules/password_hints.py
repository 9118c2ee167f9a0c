"""What a page says about a new password: the policy as a list that people read and a script ticks off.

A script judges what needs nothing but the password; it is a courtesy, and ``password_policy.check`` decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keystead.rules.connection_options import CharacterType, Complexity, ConnectionOptions
from keystead.rules.password_policy import BCRYPT_BYTES, complexity_of, history_size

_KINDS: Final[dict[CharacterType, tuple[str, str]]] = {
    "lowercase": ("a lower case letter", "lower"),
    "uppercase": ("an upper case letter", "upper"),
    "number": ("a number", "digit"),
    "special": ("a special character, such as !@#$%^&*", "special"),
}
"""What people call each kind, and what password managers do (the HTML attribute ``passwordrules``)."""

_RULES: Final = {
    "nonEmpty": "length",
    "lengthAtLeast": "length",
    "shouldContain": "types",
    "containsAtLeast": "types",
    "identicalChars": "identical",
    "sequentialChars": "sequential",
    "maxLength": "bytes",
}
"""The rules by their codes in the report."""


@dataclass(frozen=True, slots=True)
class Hint:
    """One rule. ``rule`` names it for the script, with a number in ``value``; empty where only the server can judge."""

    text: str
    rule: str = ""
    value: int = 0
    items: tuple["Hint", ...] = ()


def hints(options: ConnectionOptions, *, replaces: bool = False) -> list[Hint]:
    """Return the rules of a connection; ``replaces`` where there was a password before."""
    complexity = complexity_of(options)
    found = [Hint(_characters(complexity.min_length), "length", complexity.min_length)]
    if complexity.character_types:
        found.append(_types(complexity))
    if complexity.identical_characters == "block":
        found.append(Hint("No more than two equal characters in a row, such as aaa", "identical"))
    if complexity.sequential_characters == "block":
        found.append(Hint("No more than two characters in sequence, such as abc or 321", "sequential"))
    if complexity.max_length_exceeded == "error":
        text = f"At most {BCRYPT_BYTES} characters; accented letters and emoji count more than once"
        found.append(Hint(text, "bytes", BCRYPT_BYTES))
    return found + [Hint(text) for text in _judged_by_the_server(options, replaces)]


def missing(options: ConnectionOptions, report: Mapping[str, Any]) -> list[str]:
    """Return what a refused password lacks, out of the rule report of its refusal, in the words of the list."""
    unmet = {_RULES[rule["code"]] for rule in report["rules"] if not rule["verified"]}
    found = [hint for hint in hints(options) if hint.rule in unmet]
    return [f"{hint.text} {', '.join(item.text for item in hint.items)}".strip() for hint in found]


def for_password_managers(options: ConnectionOptions) -> str:
    """Return the policy as the HTML attribute ``passwordrules``, so that a generated password is a good one."""
    complexity = complexity_of(options)
    parts = [f"minlength: {complexity.min_length}", f"maxlength: {max(BCRYPT_BYTES, complexity.min_length)}"]
    kinds = [kind for kind in _KINDS if kind in complexity.character_types]
    parts += [f"required: {_KINDS[kind][1]}" for kind in kinds]
    if complexity.identical_characters == "block":
        parts.append("max-consecutive: 2")
    return "".join(f"{part}; " for part in parts).strip()


def _characters(count: int) -> str:
    return f"At least {count} characters" if count > 1 else "At least one character"


def _types(complexity: Complexity) -> Hint:
    items = tuple(Hint(text, kind) for kind, (text, _) in _KINDS.items() if kind in complexity.character_types)
    if complexity.character_type_rule == "all":
        return Hint("All of these:", "types", len(items), items)
    return Hint("Three of these four:", "types", 3, items)


def _judged_by_the_server(options: ConnectionOptions, replaces: bool) -> list[str]:
    flexible = options.password_options
    legacy_words, legacy_data = options.password_dictionary, options.password_no_personal_info
    found = []
    if flexible.dictionary.active if flexible else legacy_words and legacy_words.enable:
        found.append("Not a common password")
    if flexible.profile_data.active if flexible else legacy_data and legacy_data.enable:
        found.append("Nothing that is known about you, such as your name or address")
    size = history_size(options) if replaces else 0
    if size:
        found.append("Not your current password" if size == 1 else f"Not one of your last {size} passwords")
    return found
