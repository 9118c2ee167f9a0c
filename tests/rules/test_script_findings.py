"""What the doctor says of whatever runs action scripts."""

from typing import Any

import pytest

from keystead.parts import given_of
from keystead.rules.action_scripts import ScriptLanguage
from keystead.rules.health import Interpreters
from keystead.rules.script_findings import scripts, trusts_its_user
from keystead.secrecy import Secret
from keystead.settings import Settings

GOOD: dict[str, Any] = {
    "node": "22.13.0",
    "node_permission": "--permission",
    "node_lacks": "",
    "python": "3.12.1",
    "python_lacks": "",
    "closes_files": True,
    "filters_calls": True,
}
NODE: dict[ScriptLanguage, list[str]] = {"node": ["customers"]}
PYTHON: dict[ScriptLanguage, list[str]] = {"python": ["staff", "partners"]}


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


@pytest.mark.parametrize(
    ("url", "trusts"),
    [
        ("sqlite:////var/lib/keystead/keystead.db", False),
        ("postgresql+psycopg://keystead:secret@db.example.com/keystead", False),
        ("postgresql+psycopg://keystead@db.example.com/keystead?password=secret", False),
        ("postgresql+psycopg://keystead@127.0.0.1/keystead", True),
        ("postgresql+psycopg:///keystead", True),
        ("postgresql+psycopg://keystead:secret@/keystead?host=/run/postgresql", True),
        ("postgresql+psycopg://keystead:secret@%2Frun%2Fpostgresql/keystead", True),
    ],
)
def test_a_database_that_may_let_scripts_in(url: str, trusts: bool) -> None:
    assert trusts_its_user(url) == trusts
    (finding,) = scripts(PYTHON, Interpreters(**GOOD), reach_database=trusts)
    assert finding.status == ("warning" if trusts else "ok")
    assert not trusts or ("by a socket or without a password" in finding.found and finding.remedy)


@pytest.mark.parametrize(("wrapper", "warned"), [("", True), ("bwrap --", False)])
def test_a_wrapper_keeps_them_apart(wrapper: str, warned: bool) -> None:
    settings = Settings(database_url=Secret("postgresql:///keystead"), script_wrapper=wrapper)
    assert given_of(settings).scripts_reach_database == warned
