"""Second factors that come with people (IM-11): checked and kept, since nothing here asks for them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.errors import InvalidIdentifier
from keystead.rules.identifiers import canonical
from keystead.rules.row_complaints import RowError, missing, unformed, unknown, unlike, wrong_type

_MOST_FACTORS: Final = 10
_PHONE: Final = re.compile(r"\+[0-9]{1,15}")
_SECRET_KEY: Final = re.compile(r"[A-Z2-7]+")


def read_factors(given: Mapping[str, Any], errors: list[RowError]) -> list[dict[str, Any]] | None:
    """Read the second factors (IM-11). They open nothing here, and are kept for whoever they are exported to."""
    value, path = given.get("mfa_factors"), "mfa_factors"
    if value is None:
        return None
    if not isinstance(value, list):
        errors.append(wrong_type(path, "array", value))
        return None
    if not value:
        errors.append(RowError("ARRAY_LENGTH_SHORT", "Array is too short (0), minimum 1", path))
    if len(value) > _MOST_FACTORS:
        text = f"Array is too long ({len(value)}), maximum {_MOST_FACTORS}"
        errors.append(RowError("ARRAY_LENGTH_LONG", text, path))
        return None
    for at, each in enumerate(value):
        errors.extend(_factor(f"{path}.{at}", each))
    return value


_FACTORS: Final = {"totp": "secret", "phone": "value", "email": "value"}


def _factor(path: str, value: object) -> Iterator[RowError]:
    if not isinstance(value, dict):
        yield wrong_type(path, "object", value)
        return
    named = [name for name in value if name in _FACTORS]
    yield from (unknown(name, path) for name in value if name not in _FACTORS)
    if len(named) != 1:
        yield RowError("ANY_OF_MISSING", f"Exactly one of {', '.join(_FACTORS)} is required", path)
        return
    kind, inner = named[0], value[named[0]]
    where = f"{path}.{kind}"
    if not isinstance(inner, dict):
        yield wrong_type(where, "object", inner)
        return
    yield from (unknown(name, where) for name in inner if name != _FACTORS[kind])
    if _FACTORS[kind] not in inner:
        yield missing(_FACTORS[kind], where)
        return
    yield from _factor_value(kind, f"{where}.{_FACTORS[kind]}", inner[_FACTORS[kind]])


def _factor_value(kind: str, path: str, value: object) -> Iterator[RowError]:
    if not isinstance(value, str):
        yield wrong_type(path, "string", value)
    elif kind == "totp" and not _SECRET_KEY.fullmatch(value):
        yield RowError("PATTERN", "String does not match pattern ^[A-Z2-7]+$", path)
    elif kind == "phone" and not _PHONE.fullmatch(value):
        yield unlike(path, r"^\+[0-9]{1,15}$", value)
    elif kind == "email":
        try:
            canonical("email", value)
        except InvalidIdentifier:
            yield unformed(path, "email", value)
