"""The budgets: what keeps every file one sitting and every function one screen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import keystead

ROOT = Path(keystead.__file__).parent
FILES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py") if "versions" not in path.parts
}

MODULE_LINES = 400
LONGER_BY_DECISION = {"errors.py": 860, "db/tables.py": 680, "ports.py": 480, "settings.py": 440}
"""Catalogues rather than code: everything that can go wrong, every table, seam and setting, each in one read."""

FUNCTION_LINES = 60
COMPLEXITY = 10
PARAMETERS = 6
"""Beside ``self``."""

VAGUE = re.compile(r"_?(utils?|helpers?|common|misc|managers?|tools|shared|base|core|kit|lib|services?|stuff)")
VAGUE_CLASS = re.compile(r"\w*(Utils?|Helper|Manager|Service|Impl)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions() -> Iterator[tuple[str, Function]]:
    for path, tree in FILES.items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def _complexity(function: ast.AST) -> int:
    """Count McCabe's way: one, and one for each decision; a nested function has a count of its own."""
    total, nodes = 1, list(ast.iter_child_nodes(function))
    decisions = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.IfExp, ast.ExceptHandler, ast.comprehension)
    for node in nodes:
        if isinstance(node, Function | ast.ClassDef | ast.Lambda):
            continue
        total += (
            len(node.values) - 1 if isinstance(node, ast.BoolOp) else isinstance(node, (*decisions, ast.match_case))
        )
        nodes.extend(ast.iter_child_nodes(node))
    return total


def _parameters(function: Function) -> int:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in ("self", "cls") for argument in every)


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def test_a_module_is_one_sitting() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: size for name, size in sizes.items() if size > LONGER_BY_DECISION.get(name, MODULE_LINES)} == {}


def test_a_function_is_one_screen() -> None:
    sizes = {where: (node.end_lineno or 0) - node.lineno + 1 for where, node in _functions()}
    assert {where: size for where, size in sizes.items() if size > FUNCTION_LINES} == {}


def test_a_function_decides_little() -> None:
    found = {where: _complexity(node) for where, node in _functions()}
    assert {where: count for where, count in found.items() if count > COMPLEXITY} == {}


def test_a_function_asks_for_little() -> None:
    found = {where: _parameters(node) for where, node in _functions()}
    assert {where: count for where, count in found.items() if count > PARAMETERS} == {}


def test_whatever_is_public_says_what_it_means() -> None:
    """Modules, classes, functions and methods; what is inside a function or a private class is not public."""

    def silent(node: ast.Module | ast.ClassDef | Function, name: str) -> Iterator[str]:
        if not ast.get_docstring(node):
            yield name
        if isinstance(node, ast.Module | ast.ClassDef):
            for child in node.body:
                if isinstance(child, ast.ClassDef | Function) and _is_public(child.name):
                    yield from silent(child, f"{name}.{child.name}")

    missing = [each for path, tree in FILES.items() for each in silent(tree, str(path.relative_to(ROOT)))]
    assert missing == []


def test_names_say_something() -> None:
    paths = [part for path in FILES for part in path.relative_to(ROOT).with_suffix("").parts]
    classes = [node.name for tree in FILES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert [name for name in paths if VAGUE.fullmatch(name)] == []
    assert [name for name in classes if VAGUE_CLASS.fullmatch(name)] == []


def test_folders_are_shallow() -> None:
    assert [path for path in FILES if len(path.relative_to(ROOT).parts) > 3] == []
