"""What is wrong with a body, in the words that Auth0's clients know (auth0-behaviour 2.0)."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from keystead.errors import BadRequest

Body = TypeVar("Body", bound=BaseModel)
Item = TypeVar("Item", bound=Hashable)

_EXPECTED: Final = {
    "string_type": "string",
    "bool_type": "boolean",
    "int_type": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "list_type": "array",
    "tuple_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
}
_SHOWN: Final = 100
"""How much of a wrong value is said back."""

_WORDS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], str]]] = {
    "string_too_short": lambda value, c: f"String is too short ({len(value)} chars), minimum {c['min_length']}",
    "string_too_long": lambda value, c: f"String is too long ({len(value)} chars), maximum {c['max_length']}",
    "string_pattern_mismatch": lambda value, c: f"String does not match pattern {c['pattern']}: {value[:_SHOWN]}",
    "literal_error": lambda value, _: f"No enum match for: {str(value)[:_SHOWN]}",
    "greater_than_equal": lambda value, c: f"Value {value} is less than minimum {c['ge']}",
    "less_than_equal": lambda value, c: f"Value {value} is greater than maximum {c['le']}",
    "too_short": lambda value, c: f"Array is too short ({len(value)}), minimum {c['min_length']}",
    "too_long": lambda value, c: f"{_plural(value)} ({len(value)}), maximum {c['max_length']}",
    "value_error": lambda _, c: str(c["error"]),
}


def parse(kind: type[Body], body: Mapping[str, Any]) -> Body:
    """Read a body as a value; ``null`` is the same as absent. Raises ``BadRequest`` by path."""
    try:
        return kind.model_validate({name: value for name, value in body.items() if value is not None})
    except ValidationError as error:
        raise complaint(error) from None


def complaint(error: ValidationError) -> BadRequest:
    """Turn the first complaint of a validation into one of ours."""
    path, text = reason(error)
    return BadRequest(text, path=path)


def reason(error: ValidationError) -> tuple[str, str]:
    """Return the path of the first member at fault (its parent's, where it is missing or must not be there) and why."""
    _, path, text = reasons(error)[0]
    return path, text


def reasons(error: ValidationError) -> list[tuple[str, str, str]]:
    """Return the same of every member at fault, each with pydantic's name for what is wrong."""
    return [(found["type"], *_reason(found)) for found in error.errors(include_url=False)]


def _reason(found: ErrorDetails) -> tuple[str, str]:
    *parent, last = found["loc"] or ("",)
    if found["type"] == "missing":
        return _dotted(parent), f"Missing required property: {last}"
    if found["type"] == "extra_forbidden":
        return _dotted(parent), f"Additional properties not allowed: {str(last)[:_SHOWN]}"
    return _dotted(found["loc"]), _words(found)


def once_each(values: list[Item]) -> list[Item]:
    """Take a list in which nothing stands twice; for pydantic to ask. Raises ``ValueError``."""
    if len(set(values)) != len(values):
        raise ValueError("Array items are not unique")
    return values


def type_of(value: object) -> str:
    """Return JSON's name for the type of a value."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _words(first: ErrorDetails) -> str:
    kind, value = first["type"], first["input"]
    if kind in _EXPECTED:
        return f"Expected type {_EXPECTED[kind]} but found type {type_of(value)}"
    said = _WORDS.get(kind)
    return said(value, first.get("ctx", {})) if said else first["msg"]


def _plural(value: object) -> str:
    return "Too many properties defined" if isinstance(value, dict) else "Array is too long"


def _dotted(path: object) -> str:
    return ".".join(str(part)[:_SHOWN] for part in path) if isinstance(path, list | tuple) else ""
