"""Words for what goes over the wire: JSON Schema 2020-12, in which a model or a named shape may stand for itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
WHOLE: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
OBJECT: Final[Schema] = {"type": "object"}
"""An object of which nothing is said."""
NOTHING: Final[Schema] = {"type": "null"}

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
HTML: Final = "text/html"


def each(item: object) -> Schema:
    """Return a list of something."""
    return {"type": "array", "items": item}


def either(*shapes: object) -> Schema:
    """Return one or more of several."""
    inner = [shape["anyOf"] if isinstance(shape, Mapping) and "anyOf" in shape else [shape] for shape in shapes]
    return {"anyOf": [shape for several in inner for shape in several]}


def word(*words: str) -> Schema:
    """Return one of a few texts."""
    return {"type": "string", "enum": list(words)}


def text(least: int = 0, most: int | None = None) -> Schema:
    """Return a text of some length."""
    return {"type": "string"} | ({"minLength": least} if least else {}) | ({"maxLength": most} if most else {})


@dataclass(frozen=True, eq=False)
class Shape:
    """An object with a name of its own in the description: members that are always there, and others."""

    name: str
    always: Mapping[str, object]
    maybe: Mapping[str, object] = field(default_factory=dict)
    others: object = None
    """What members that are not named look like; ``None`` where there are none, or none to rely on."""
    like: object = None
    """A model whose members it may have too."""

    def part(self) -> "Shape":
        """Return the same object where only some of its members were asked for."""
        return Shape(f"{self.name}Part", {}, {**self.always, **self.maybe}, self.others, self.like)

    def schema(self) -> Schema:
        """Return it as a schema."""
        found: dict[str, Any] = {"type": "object", "properties": {**self.always, **self.maybe}}
        if self.always:
            found["required"] = list(self.always)
        return found if self.others is None else found | {"additionalProperties": self.others}


@dataclass(frozen=True, eq=False)
class Content:
    """An answer that is not JSON."""

    media: str
    schema: object = field(default_factory=lambda: TEXT)


PAGE: Final = Content(HTML)
"""A page for people."""
