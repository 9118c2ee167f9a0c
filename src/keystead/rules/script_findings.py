"""The doctor's verdict on what runs action scripts."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, unquote, urlsplit

from keystead.rules.action_scripts import ScriptLanguage
from keystead.rules.health import Finding, Interpreters, error, ok, skipped, warning
from keystead.rules.script_health import Failed

_CHECK = "scripts"
_WRAP = "KEYSTEAD_SCRIPT_WRAPPER=bwrap ...; see docs/action-scripts.md"
_TRUSTED = (
    "PostgreSQL is reached by a socket or without a password: scripts run as the same user, and it may let them in too"
)
_APART = (
    "KEYSTEAD_DATABASE_URL=postgresql://keystead:<a password>@127.0.0.1/keystead, and no peer or trust in pg_hba.conf; "
    f"or {_WRAP}"
)
_LONGEST = 200
"""Characters of a script's own words."""


def trusts_its_user(database_url: str) -> bool:
    """Whether a database may know the server by its system user alone: by a socket, or without a password."""
    parts = urlsplit(database_url)
    if not parts.scheme.startswith("postgres"):
        return False
    more = parse_qs(parts.query)
    # In the place of the host a socket's directory is written with %2F.
    host = unquote(parts.hostname or more.get("host", [""])[0])
    has_password = bool(parts.password or more.get("password"))
    return not host or host.startswith("/") or not has_password


def scripts(
    needed: Mapping[ScriptLanguage, Sequence[str]], found: Interpreters | None, *, reach_database: bool = False
) -> list[Finding]:
    """Judge what there is; ``needed`` are the names of connections with scripts, by language.

    ``reach_database`` says that they run without a wrapper beside a database that ``trusts_its_user``.
    """
    if found is None or not needed:
        return [skipped(_CHECK, "no connection has action scripts")]
    trusted = [warning(_CHECK, _TRUSTED, _APART, "DATABASE_URL")] if reach_database else []
    return [*_missing(needed, found), *_open(needed, found), *trusted] or [ok(_CHECK, _versions(needed, found))]


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
        text = f"Node.js {found.node} has no permission flags, which refuse files, processes and workers"
        loose.append(warning(_CHECK, text, "KEYSTEAD_NODE=<the path of Node.js 22.13 or later>", "NODE"))
    if not found.closes_files:
        text = "this kernel has no Landlock: what scripts run as may read our files, by Python at any rate"
        loose.append(warning(_CHECK, text, _WRAP))
    if not found.filters_calls:
        text = "system calls are not filtered here (seccomp): scripts may start processes that outlive the server, "
        text += "and change its limits, its priority and the modes of its files"
        loose.append(warning(_CHECK, text, _WRAP))
    return loose


def _versions(needed: Mapping[ScriptLanguage, Sequence[str]], found: Interpreters) -> str:
    versions = {"node": f"Node.js {found.node} with {found.node_permission}", "python": f"Python {found.python}"}
    return f"{' and '.join(versions[each] for each in sorted(needed))}; files are closed to scripts by the kernel"


def _named(connections: Sequence[str]) -> str:
    return connections[0] if len(connections) == 1 else f"{connections[0]} and {len(connections) - 1} more"
