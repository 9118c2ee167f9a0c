"""A model as JSON Schema 2020-12, so that what validates a body can also be read about."""

import json
from typing import Any, Final

from pydantic import BaseModel

Model = type[BaseModel]

REFERENCE: Final = "#/components/schemas/{model}"
"""How one schema names another where both are components of a description (OpenAPI 3.1 §4.8.7)."""

_FOR_US: Final = ("title", "description", "default")
"""What pydantic takes from names and docstrings, which speak to who reads the code, and defaults."""


def schemas_of(model: Model) -> dict[str, Any]:
    """Return the schemas of a model and of all that it holds, by name, with members as the wire calls them."""
    found = _bare(model.model_json_schema(by_alias=True, ref_template=REFERENCE))
    inner: dict[str, Any] = found.pop("$defs", {})
    return inner if model.__name__ in inner else {**inner, model.__name__: found}


def is_model(value: object) -> bool:
    """Whether a value is a model, not one of its instances."""
    return isinstance(value, type) and issubclass(value, BaseModel)


def _bare(found: Any, *, names: bool = False) -> Any:
    """Return a schema without what is for us; ``names`` where the keys are those of members, whatever they are.

    A default is told in words: programs that are made of a description send what it calls a default, and in a PATCH
    that would set back everything that nobody mentioned.
    """
    if isinstance(found, list):
        return [_bare(each) for each in found]
    if not isinstance(found, dict):
        return found
    bare = {
        key: _bare(value, names=not names and key in ("properties", "$defs"))
        for key, value in found.items()
        if names or key not in _FOR_US
    }
    default = None if names else found.get("default")
    return bare if default is None else bare | {"description": f"A new one has, unless told: {json.dumps(default)}"}
