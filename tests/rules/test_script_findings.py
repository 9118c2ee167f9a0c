"""What the doctor says of whatever runs action scripts."""

from typing import Any

import pytest

from keystead.rules.health import Interpreters
from keystead.rules.script_findings import scripts

GOOD: dict[str, Any] = {
    "node": "22.13.0",
    "node_permission": "--permission",
    "node_lacks": "",
    "python": "3.12.1",
    "python_lacks": "",
    "closes_files": True,
    "filters_calls": True,
}
NODE, PYTHON = {"node": ["customers"]}, {"python": ["staff", "partners"]}


@pytest.mark.parametrize(
    ("needed", "changed", "status", "found"),
    [
        ({}, {}, "skipped", "no connection has action scripts"),
        (NODE, {}, "ok", "Node.js 22.13.0 with --permission; files are closed"),
        (NODE | PYTHON, {}, "ok", "Node.js 22.13.0 with --permission and Python 3.12.1; files"),
        (
            NODE,
            {"node": "", "node_lacks": "there is no program node"},
            "error",
            "no program node, and customers needs it",
        ),
        (PYTHON, {"python": "", "python_lacks": "it is none"}, "error", "it is none, and staff and 1 more needs it"),
        (PYTHON, {"node": "", "node_lacks": "there is no program node"}, "ok", "Python 3.12.1"),
        (NODE, {"node": "18.0.0", "node_permission": ""}, "warning", "Node.js 18.0.0 has no permission flags"),
        (PYTHON, {"closes_files": False}, "warning", "this kernel has no Landlock"),
        (PYTHON, {"filters_calls": False}, "warning", "system calls are not filtered here"),
    ],
)
def test_the_verdict(needed: Any, changed: dict[str, Any], status: str, found: str) -> None:
    (finding,) = scripts(needed, Interpreters(**GOOD | changed))
    assert finding.status == status
    assert found in finding.found
    assert bool(finding.remedy) == (status in ("warning", "error"))
