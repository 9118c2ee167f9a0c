"""The doctor's verdict on what runs action scripts."""

from collections.abc import Mapping, Sequence

from keystead.rules.action_scripts import ScriptLanguage
from keystead.rules.health import Finding, Interpreters, error, ok, skipped, warning
from keystead.rules.script_health import Failed

_CHECK = "scripts"
_WRAP = "KEYSTEAD_SCRIPT_WRAPPER=bwrap ...; see docs/action-scripts.md"
_LONGEST = 200
"""Characters of a script's own words."""


def scripts(needed: Mapping[ScriptLanguage, Sequence[str]], found: Interpreters | None) -> list[Finding]:
    """Judge what there is; ``needed`` are the names of connections with scripts, by language."""
    if found is None or not needed:
        return [skipped(_CHECK, "no connection has action scripts")]
    return [*_missing(needed, found), *_open(needed, found)] or [ok(_CHECK, _versions(needed, found))]


def failing(connection: str, failures: int, newest: Failed) -> Finding:
    """Judge a connection whose scripts failed within the last day: somebody was turned away each time."""
    times = "once" if failures == 1 else f"{failures} times"
    text = f"scripts of {connection} failed {times} within a day, {newest.script} the last: {newest.text[:_LONGEST]}"
    return warning(_CHECK, text, f"keystead scripts status {connection}")


def _missing(needed: Mapping[ScriptLanguage, Sequence[str]], found: Interpreters) -> list[Finding]:
    bad = []
    if "node" in needed and not found.node:
        text = f"{found.node_lacks}, and {_named(needed['node'])} needs it: nobody logs in there"
        bad.append(error(_CHECK, text, "KEYSTEAD_NODE=/usr/bin/node: Node.js 22.13 or later", "NODE"))
    if "python" in needed and not found.python:
        text = f"{found.python_lacks}, and {_named(needed['python'])} needs it: nobody logs in there"
        bad.append(error(_CHECK, text, "KEYSTEAD_SCRIPT_PYTHON=<an interpreter>", "SCRIPT_PYTHON"))
    return bad


def _open(needed: Mapping[ScriptLanguage, Sequence[str]], found: Interpreters) -> list[Finding]:
    loose = []
    if "node" in needed and found.node and not found.node_permission:
        text = f"Node.js {found.node} has no permission flags: scripts may start processes"
        loose.append(warning(_CHECK, text, "KEYSTEAD_NODE=<the path of Node.js 22.13 or later>", "NODE"))
    if not found.closes_files:
        text = "this kernel has no Landlock: what scripts run as may read our files, by Python at any rate"
        loose.append(warning(_CHECK, text, _WRAP))
    if not found.filters_calls:
        text = "system calls are not filtered here (seccomp): scripts may change the server's limits and priority"
        loose.append(warning(_CHECK, text, _WRAP))
    return loose


def _versions(needed: Mapping[ScriptLanguage, Sequence[str]], found: Interpreters) -> str:
    versions = {"node": f"Node.js {found.node} with {found.node_permission}", "python": f"Python {found.python}"}
    return f"{' and '.join(versions[each] for each in sorted(needed))}; files are closed to scripts by the kernel"


def _named(connections: Sequence[str]) -> str:
    return connections[0] if len(connections) == 1 else f"{connections[0]} and {len(connections) - 1} more"
