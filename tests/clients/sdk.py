"""Which method of auth0-python's ``ManagementClient`` calls which route, read from its sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

Calls = dict[str, list[str]]
"""Methods by the route that they call, such as ``GET /api/v2/users/{}``."""


def calls_of(python: Path) -> Calls:
    """Return the calls of the SDK that an interpreter has."""
    (package,) = python.parents[1].glob("lib/python*/site-packages/auth0/management")
    found: Calls = {}
    for path in sorted(package.rglob("raw_client.py")):
        names = path.parent.relative_to(package).parts
        for method, label in _calls_in(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(label, []).append(".".join((*names, method)))
    return found


def _calls_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Give each method of the client that is not async, and what it calls."""
    for kind in tree.body:
        if isinstance(kind, ast.ClassDef) and kind.name.startswith("Raw"):
            for method in kind.body:
                if isinstance(method, ast.FunctionDef):
                    yield from ((method.name, label) for label in _requests_in(method))


def _requests_in(method: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("request", "stream")
        ):
            verb = next((each.value for each in node.keywords if each.arg == "method"), None)
            if node.args and isinstance(verb, ast.Constant):
                yield f"{verb.value!s} /api/v2/{_path(node.args[0])}"


def _path(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in parts)
