"""What went wrong elsewhere has a number, and each number a test that tries it here, named after it."""

import ast
import re
from pathlib import Path

import pytest

NUMBERS = range(1, 45)
"""The incidents with passkeys and attestation, and those with passwords, locks and addresses."""


def tried() -> set[int]:
    """Return the numbers in the names of the tests of this folder."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(__file__).parent.glob("test_*.py")]
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
    return {int(found[1]) for node in nodes if (found := re.match(r"test_incident_(\d+)_", node.name))}


@pytest.mark.parametrize("number", NUMBERS)
def test_each_incident_is_tried(number: int) -> None:
    assert number in tried()
