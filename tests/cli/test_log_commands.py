"""``keystead log`` and ``keystead administrators`` on the database of an installation."""

import json
import stat
from pathlib import Path

import pytest

from conftest import Stencil
from shell import Shell
from world import PUBLIC_URL


@pytest.fixture
def shell(installation: Stencil) -> Shell:
    """An installation, in which two things have happened."""
    found = Shell(installation.settings)
    for name in ("One", "Two"):
        found("clients", "create", name, "--set", "app_type=spa")
    return found


def test_the_newest_are_the_last(shell: Shell) -> None:
    lines = shell("log", "tail").out.splitlines()
    assert len(lines) == 2
    assert all("Create a client" in line and "cli" in line for line in lines)
    entries = shell("log", "tail", "--json").items
    assert [entry["type"] for entry in entries] == ["sapi", "sapi"]
    assert entries[0]["date"] <= entries[1]["date"]
    assert shell("log", "tail", "--lines", "1", "--json").items == entries[1:]
    assert [line.split()[-1] for line in lines] == [entry["log_id"] for entry in entries]
    assert shell("log", "tail", "--lines", "0", "--json").items == []
    shown = shell("log", "show", entries[0]["log_id"], "--json").document
    assert shown["log_id"] == entries[0]["log_id"]
    shell("log", "show", "nothing", code=2)


def test_the_tail_of_some(shell: Shell) -> None:
    assert len(shell("log", "tail", "--type", "sapi", "--type", "f", "--json").items) == 2
    assert shell("log", "tail", "--type", "f", "--json").items == []
    assert shell("log", "tail", "--user", "auth0|nobody", "--json").items == []
    assert len(shell("log", "tail", "--search", "client_id:cli", "--json").items) == 2
    told = shell("log", "tail", "--search", "type:(", "--json", code=2)
    assert told.err.startswith("keystead: ")
    assert "--follow goes with" in shell("log", "tail", "--search", "type:f", "--follow", code=2).err


def test_a_journal_is_verified(shell: Shell) -> None:
    told = shell("log", "verify")
    assert "as it was written" in told.out
    found = shell("log", "verify", "--json").document
    assert found["ok"] is True
    shell("log", "verify", "--expect", f"{found['head']['number']}:{found['head']['digest']}")
    assert json.loads(shell("log", "verify", "--expect", f"99:{'0' * 64}", "--json", code=1).out)["ok"] is False
    shell("log", "verify", "--expect", "nonsense", code=2)


def test_a_journal_is_exported(shell: Shell, tmp_path: Path) -> None:
    printed = shell("log", "export").items
    assert [entry["type"] for entry in printed[:2]] == ["sapi", "sapi"]
    target = tmp_path / "journal.ndjson"
    assert shell("log", "export", "--format", "ocsf", "--output", str(target)).out == ""
    events = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(events) >= 2
    assert all("class_uid" in event for event in events)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert shell("log", "export", "--until", "2001-01-01T00:00:00Z").out == ""
    shell("log", "export", "--from", "yesterday", "--output", str(tmp_path / "none"), code=2)
    shell("log", "export", "--output", str(tmp_path / "no" / "place"), code=2)
    assert [each.name for each in tmp_path.glob("*.ndjson*")] == ["journal.ndjson"], "no half of a file is left"
    assert not (tmp_path / "none").exists()


def test_administrators(shell: Shell) -> None:
    link = shell("administrators", "invite", "olga@example.com", "editor").out
    assert link.startswith(f"{PUBLIC_URL}/u/setup?ticket=")
    (olga,) = [each for each in shell("administrators", "list", "--json").items if each["email"] == "olga@example.com"]
    assert (olga["role"], olga["invited"]) == ("editor", True)
    shell("administrators", "role", olga["user_id"], "viewer", code=2)
    shell("administrators", "role", olga["user_id"], "viewer", "--yes")
    assert shell("administrators", "show", olga["user_id"], "--json").document["role"] == "viewer"
    shell("administrators", "role", olga["user_id"], "emperor", "--yes", code=2)
    shell("administrators", "block", olga["user_id"], "--yes")
    shell("administrators", "unblock", olga["user_id"])
    told = shell("administrators", "remove", olga["user_id"], code=2)
    assert "olga@example.com" in told.err
    shell("administrators", "remove", olga["user_id"], "--yes")
    shell("administrators", "show", olga["user_id"], code=2)
