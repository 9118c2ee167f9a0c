"""What is wrong with a row of an import: the codes of auth0-behaviour 4.4, in the words that Auth0's clients know."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from keystead.rules.complaints import reasons, type_of

_SHOWN: Final = 100
"""How much of a wrong value is said back."""

CODES: Final = (
    *("ANY_OF_MISSING", "ARRAY_LENGTH_LONG", "ARRAY_LENGTH_SHORT", "CONFLICT", "CONFLICT_EMAIL", "CONFLICT_USERNAME"),
    *("CONNECTION_NOT_FOUND", "DUPLICATED_USER", "ENUM_MISMATCH", "FORMAT", "INVALID_TYPE", "MAX_LENGTH", "MAXIMUM"),
    *("MFA_FACTORS_FAILED", "MIN_LENGTH", "MINIMUM", "NOT_PASSED", "OBJECT_REQUIRED", "PATTERN"),
)
"""Every code that a row can end with."""

_OF_PYDANTIC: Final = {
    "missing": "OBJECT_REQUIRED",
    "extra_forbidden": "NOT_PASSED",
    "string_too_short": "MIN_LENGTH",
    "string_too_long": "MAX_LENGTH",
    "string_pattern_mismatch": "PATTERN",
    "literal_error": "ENUM_MISMATCH",
    "greater_than_equal": "MINIMUM",
    "less_than_equal": "MAXIMUM",
    "too_short": "ARRAY_LENGTH_SHORT",
    "too_long": "ARRAY_LENGTH_LONG",
    "value_error": "FORMAT",
}


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row is refused, or a part of it."""

    code: str
    message: str
    path: str | None = None

    def on_wire(self) -> dict[str, Any]:
        """Return it as ``GET /jobs/{id}/errors`` shows it: without a path where it is about the whole row."""
        found = {"code": self.code, "message": self.message}
        return found | ({"path": self.path} if self.path is not None else {})


def wrong_type(path: str, expected: str, value: object) -> RowError:
    """Return the complaint about a value of another type."""
    return RowError("INVALID_TYPE", f"Expected type {expected} but found type {type_of(value)}", path)


def too_long(path: str, size: int, most: int) -> RowError:
    """Return the complaint about a text."""
    return RowError("MAX_LENGTH", f"String is too long ({size} chars), maximum {most}", path)


def too_short(path: str, size: int, least: int) -> RowError:
    """Return the complaint about a text."""
    return RowError("MIN_LENGTH", f"String is too short ({size} chars), minimum {least}", path)


def unformed(path: str, form: str, value: str) -> RowError:
    """Return the complaint about a text that has another form."""
    return RowError("FORMAT", f"Object didn't pass validation for format {form}: {value[:_SHOWN]}", path)


def unlike(path: str, pattern: str, value: str) -> RowError:
    """Return the complaint about a text that a pattern does not match."""
    return RowError("PATTERN", f"String does not match pattern {pattern}: {value[:_SHOWN]}", path)


def missing(name: str, path: str | None = None) -> RowError:
    """Return the complaint about a member that must be there."""
    return RowError("OBJECT_REQUIRED", f"Missing required property: {name}", path)


def unknown(name: str, path: str | None = None) -> RowError:
    """Return the complaint about a member that must not be there."""
    return RowError("NOT_PASSED", f"Additional properties not allowed: {name[:_SHOWN]}", path)


def of_validation(error: ValidationError, prefix: str) -> Iterator[RowError]:
    """Give what pydantic found in a member of a row."""
    for kind, path, text in reasons(error):
        code = _OF_PYDANTIC.get(kind, "INVALID_TYPE" if kind.endswith("_type") else "FORMAT")
        yield RowError(code, text, ".".join(part for part in (prefix, path) if part))
