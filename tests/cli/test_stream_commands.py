"""``keystead streams`` on the database of an installation."""

import pytest

from conftest import Stencil
from shell import Shell

URL = "https://siem.example.com/keystead"


@pytest.fixture
def shell(installation: Stencil) -> Shell:
    return Shell(installation.settings)


def test_a_stream_all_its_life(shell: Shell) -> None:
    made = shell("streams", "create", "siem", URL, "--category", "auth.login.fail", "--json").document
    assert made["filters"] == [{"type": "category", "name": "auth.login.fail"}]
    (listed,) = shell("streams", "list", "--json").items
    assert listed == {name: value for name, value in made.items() if name != "signing_secret"}
    assert URL in shell("streams", "list").out

    assert "nothing to change" in shell("streams", "update", made["id"], code=2).err
    assert shell("streams", "update", made["id"], "--set", "status=paused").out == f"{made['id']} is changed\n"
    assert shell("streams", "show", made["id"], "--json").document["status"] == "paused"
    secret = shell("streams", "rotate-secret", made["id"], "--yes").out.strip()
    assert secret
    assert secret != made["signing_secret"]
    assert secret not in shell("streams", "show", made["id"]).out

    shell("streams", "delete", made["id"], "--yes")
    assert shell("streams", "list", "--json").items == []


def test_the_secret_alone_is_printed(shell: Shell) -> None:
    told = shell("streams", "create", "siem", URL, "--set", "sink.httpContentFormat=JSONLINES")
    assert (told.out.count("\n"), told.err) == (1, "")
    assert "JSONLINES" in shell("streams", "show", shell("streams", "list", "--json").items[0]["id"]).out


def test_what_is_wrong_is_said(shell: Shell) -> None:
    assert "httpEndpoint" in shell("streams", "create", "siem", "ftp://siem.example.com", code=2).err
    shell("streams", "show", "lst_none", code=2)
    shell("streams", "create", "siem", URL, "--category", "nothing", code=2)
