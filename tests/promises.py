"""What the description at ``/openapi.json`` promises, held against what was answered."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

from keystead.web.openapi import describe
from keystead.web.routes import routes

Document = dict[str, Any]

_CLOSED_IN = ("properties", "patternProperties", "$defs")


@cache
def description(public_url: str) -> Document:
    """Return the description of every route."""
    return describe(routes(Path(__file__).parents[1] / "static"), public_url)


@dataclass
class Promises:
    """The answers that are described, closed: an answer holds nothing that is not described."""

    document: Document
    _validators: dict[tuple[str, str, str, str], jsonschema_rs.Validator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        patterns = ((path, re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))) for path in self.document["paths"])
        self._paths = [(path, re.compile(pattern)) for path, pattern in patterns]
        self._paths.sort(key=lambda each: ("{" in each[0], -len(each[0])))  # what is spelt out comes first
        components = {name: closed(schema) for name, schema in self.document["components"]["schemas"].items()}
        self._components = {"components": {"schemas": components}}

    def broken(self, response: httpx.Response) -> Iterator[str]:
        """Give what an answer should not have been. Routes and methods that there are not promise nothing."""
        raw = response.request.url.raw_path.decode().partition("?")[0]
        path = next((path for path, pattern in self._paths if pattern.fullmatch(raw)), None)
        method = response.request.method.lower()
        found = self.document["paths"].get(path, {}).get("get" if method == "head" else method)
        if path is None or found is None:
            return
        where = f"{method.upper()} {path} {response.status_code}"
        answer = found["responses"].get(str(response.status_code))
        if answer is None:
            yield f"{where}: the status is not described: {response.text[:300]}"
            return
        yield from (f"{where}: no {name}" for name in answer.get("headers", {}) if name not in response.headers)
        if method != "head":
            yield from (f"{where}: {each}" for each in self._body(path, method, answer, response))

    async def keep(self, response: httpx.Response) -> None:
        """Fail where an answer is not as described."""
        await response.aread()
        assert list(self.broken(response)) == []

    def _body(self, path: str, method: str, answer: Document, response: httpx.Response) -> Iterator[str]:
        media = response.headers.get("content-type", "").partition(";")[0]
        if "content" not in answer:
            if response.content:
                yield f"a body that is not described: {response.text[:300]}"
            return
        if media not in answer["content"]:
            if "*/*" not in answer["content"]:
                yield f"{media} is not described"
            return
        if media.endswith("json") and "nd" not in media:  # a line for each is no JSON as a whole
            key = (path, method, str(response.status_code), media)
            if key not in self._validators:
                schema = closed(answer["content"][media]["schema"]) | self._components
                self._validators[key] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
            for error in self._validators[key].iter_errors(response.json()):
                yield f"{'.'.join(map(str, error.instance_path))}: {error.message[:300]} in {response.text[:300]}"


def closed(schema: Any) -> Any:
    """Return a schema whose objects hold nothing but what it names, where it says nothing of others."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: {each: closed(value) for each, value in inner.items()} if name in _CLOSED_IN else closed(inner)
        for name, inner in schema.items()
    }
    return {"additionalProperties": False} | found if "properties" in found else found
