"""The commands that are calls of the Management API, on the database of an installation."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Route

from conftest import Stencil
from keystead.cli.commands import DECLARED
from keystead.cli.nouns import NOUNS, commands, loaded
from keystead.web.routes import MANAGEMENT
from shell import Shell
from world import PASSWORD, PUBLIC_URL

SHELL_ALONE = {
    *(
        "serve",
        "migrate",
        "first-run",
        "restore",
        "administrators recover",
        "doctor",
    ),  # before, or without, anybody who may call
    *("backup make", "backup verify"),  # the former with the secret keys too, if asked; else it is GET /keystead/backup
    "scripts template",  # copies files that are shipped
    *("login", "logout", "api", "version", "doctor enumeration"),  # about calls themselves, or about nothing stored
}
"""Commands that declare no call."""

CONNECTION = "Username-Password-Authentication"


@pytest.fixture
def shell(installation: Stencil) -> Shell:
    return Shell(installation.settings)


def routes(found: list[BaseRoute]) -> Iterator[str]:
    for route in found:
        if isinstance(route, Route):
            yield from (f"{method} {route.path_format}" for method in route.methods or ())


# --- what holds for all of them --------------------------------------------------------------------------------------


def test_every_command_is_made_of_management_calls() -> None:
    known, silent = set(routes(MANAGEMENT)), set[str]()
    for name, each in commands().items():
        declared = DECLARED.get(each.callback.__wrapped__)
        if declared is None:
            silent.add(name)
        else:
            assert declared, name
            assert set(declared) <= known, name
    assert silent <= SHELL_ALONE


def test_the_help_of_the_table_is_the_help_of_the_commands() -> None:
    for name, noun in NOUNS.items():
        first = (loaded(name).help or "").strip().split("\n\n")[0]
        assert " ".join(first.split()).startswith(noun.about.removesuffix(".")), name


def test_every_command_says_what_it_does() -> None:
    for name, each in commands().items():
        assert each.help, name
        for parameter in each.params:
            assert parameter.help, f"{name} {parameter.name}"


def test_every_example_is_a_command() -> None:
    """By its name and its options: what an example says can be run."""
    every, count = commands(), 0
    for name, each in every.items():
        for example in re.findall(
            r"^(?:Example: )?\s*(?:\w+=\S+ |.*\| )?keystead (.+)$", each.help or "", re.MULTILINE
        ):
            words = example.split()
            found = next((" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in every), None)
            assert found is not None, f"{name}: {example}"
            options = {option for parameter in every[found].params for option in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= options, f"{name}: {example}"
            count += 1
    assert count > 20


def test_names_are_suggested() -> None:
    told = Shell.elsewhere("connection", code=2)
    assert "No such command" in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("users", "show", "auth0|nobody"),
        ("users", "delete", "auth0|nobody", "--yes"),
        ("connections", "show", "nothing"),
        ("connections", "delete", "con_nothing", "--yes"),
        ("clients", "show", "nothing"),
        ("clients", "rotate-secret", "nothing", "--yes"),
        ("grants", "delete", "cgr_nothing", "--yes"),
        ("passkeys", "list", "auth0|nobody"),
        ("sessions", "list", "auth0|nobody"),
        ("sessions", "show", "nothing"),
        ("jobs", "show", "job_nothing"),
        ("jobs", "errors", "job_nothing"),
        ("keys", "revoke", "nothing", "--yes"),
        ("api", "GET", "/users/auth0%7Cnobody"),
    ],
    ids=" ".join,
)
def test_what_there_is_not(shell: Shell, arguments: tuple[str, ...]) -> None:
    told = shell(*arguments, code=2)
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert told.err.startswith("keystead: ")


@pytest.mark.parametrize("arguments", [("users", "show"), ("passkeys", "list"), ("sessions", "list")], ids=" ".join)
@pytest.mark.parametrize("typed", ["ann@example.com", 'a"n\\n', "ann OR *", "+15550100", "", "a" * 500])
def test_who_is_nobody(shell: Shell, arguments: tuple[str, ...], typed: str) -> None:
    told = shell(*arguments, typed, code=2)
    assert told.err.startswith(f"keystead: there is no user {typed}: an id is auth0|")


def test_what_is_no_text_is_nobody(shell: Shell) -> None:
    assert "there is no user" in shell("users", "show", "\udcff", code=2).err


def test_who_is_no_administrator(shell: Shell) -> None:
    shell("administrators", "invite", "strasse@example.com", "viewer")
    shell("administrators", "show", "stra\N{LATIN SMALL LETTER SHARP S}e@example.com", code=2)
    told = shell("administrators", "show", "ann@example.com", code=2)
    assert told.err == (
        "keystead: there is no administrator ann@example.com: keystead administrators list shows them\n"
    )


def test_where_nothing_is_installed(tmp_path: Path) -> None:
    told = Shell.elsewhere("users", "list", "--data-dir", str(tmp_path / "empty"), code=2)
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "keystead serve" in told.err
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "options.nothing"), "--set takes path=value"),
        (("--set", "=1"), "--set takes path=value"),
        (("--options", "missing.json"), "missing.json: No such file"),
        (("--options", "-"), "-: is no JSON"),
        ((), "there is nothing to change"),
    ],
)
def test_wrong_usage_is_refused_in_a_line(shell: Shell, arguments: tuple[str, ...], says: str) -> None:
    told = shell("connections", "update", CONNECTION, *arguments, code=2, input="{")
    assert told.err.startswith(f"keystead: {says}")
    assert told.err.count("\n") == 1


def test_what_the_api_says_is_told_with_its_code(shell: Shell) -> None:
    told = shell("connections", "create", CONNECTION, code=2)
    assert re.fullmatch(r"keystead: .+ \(\w+\)\n", told.err)


# --- connections -----------------------------------------------------------------------------------------------------


def test_connections(shell: Shell, tmp_path: Path) -> None:
    made = shell("connections", "create", "Staff", "--set", "security_profile=hardened", "--json").document
    assert (made["name"], made["options"]["security_profile"]) == ("Staff", "hardened")
    names = [item["name"] for item in shell("connections", "list", "--json").items]
    assert set(names) == {"Staff", CONNECTION}
    assert len(shell("connections", "list", "--limit", "1", "--json").items) == 1
    assert {row[1] for row in shell("connections", "list").rows} == set(names)
    assert (
        shell("connections", "show", "Staff", "--json").document
        == shell("connections", "show", made["id"], "--json").document
    )

    shell("connections", "update", "Staff", "--set", "passkey_policy.user_verification=required")
    shell("connections", "update", "Staff", "--set", "disable_signup=true")
    options = shell("connections", "show", "Staff", "--json").document["options"]
    assert options["passkey_policy"]["user_verification"] == "required", "one option is set, and the others stay"
    assert options["disable_signup"] is True
    assert "options.passkey_policy.user_verification  required" in re.sub(
        " {2,}", "  ", shell("connections", "show", "Staff").out
    )
    (tmp_path / "options.json").write_text('{"disable_signup": false}')
    shell("connections", "update", "Staff", "--options", str(tmp_path / "options.json"))
    assert shell("connections", "show", "Staff", "--json").document["options"]["disable_signup"] is False
    report = shell("connections", "preview", "Staff", "--set", "disable_signup=true", "--json").document
    assert report["users"]["total"] == 0 if "users" in report else report


def test_scripts_are_not_lost_unasked(shell: Shell, tmp_path: Path) -> None:
    file, options = tmp_path / "login.js", tmp_path / "options.json"
    file.write_text("function login(identifier, password, callback) { callback(null); }")
    shell("connections", "create", "Legacy", "--set", "configuration.SECRET=shh")
    shell("scripts", "set", "Legacy", "login", str(file))
    shell("connections", "update", "Legacy", "--set", "passkey_policy.user_verification=required")
    options.write_text("{}")
    refused = shell("connections", "update", "Legacy", "--options", str(options), code=2)
    assert "lose its scripts (login); values for scripts (SECRET)" in refused.err
    assert shell("scripts", "show", "Legacy", "login").out
    shell("connections", "update", "Legacy", "--options", str(options), "--yes")
    shell("scripts", "show", "Legacy", "login", code=2)


def test_clients_of_a_connection(shell: Shell) -> None:
    client = shell("clients", "create", "Shop", "--set", "app_type=spa", "--json").document["client_id"]

    def enabled() -> list[str]:
        return [item["client_id"] for item in shell("connections", "clients", "list", CONNECTION, "--json").items]

    assert client in enabled(), "a new client may use it"
    shell("connections", "clients", "disable", CONNECTION, client, code=2)
    assert client in enabled()
    shell("connections", "clients", "disable", CONNECTION, client, "--yes")
    assert client not in enabled()
    shell("connections", "clients", "enable", CONNECTION, client)
    assert client in enabled()


def test_a_deletion_names_what_is_lost(shell: Shell) -> None:
    shell("connections", "create", "Staff")
    for name in ("ann", "bob"):
        shell("users", "create", "--connection", "Staff", "--email", f"{name}@example.com", input=f"{PASSWORD}\n")
    refused = shell("connections", "delete", "Staff", code=2)
    assert "all of its 2 users" in refused.err
    assert "--yes" in refused.err
    assert len(shell("connections", "list", "--json").items) == 2
    shell("connections", "delete", "Staff", "--yes")
    assert len(shell("connections", "list", "--json").items) == 1


# --- users -----------------------------------------------------------------------------------------------------------


def person(shell: Shell, email: str = "ann@example.com", *more: str) -> dict[str, Any]:
    made: dict[str, Any] = shell(
        *("users", "create", "--connection", CONNECTION, "--email", email, "--json", *more), input=f"{PASSWORD}\n"
    ).document
    return made


def test_users(shell: Shell) -> None:
    made = person(shell, "ann@example.com", "--set", "user_metadata.plan=gold", "--set", "email_verified=true")
    assert (made["email"], made["email_verified"], made["user_metadata"]) == ("ann@example.com", True, {"plan": "gold"})
    user_id = made["user_id"]
    shell("users", "update", user_id, "--set", "name=Ann", "--set", "user_metadata.seats=3")
    shown = shell("users", "show", user_id, "--json").document
    assert (shown["name"], shown["user_metadata"]) == ("Ann", {"plan": "gold", "seats": 3})
    person(shell, "bob@example.com")
    assert {item["email"] for item in shell("users", "list", "--json").items} == {"ann@example.com", "bob@example.com"}
    found = shell("users", "list", "--search", "email:ann@example.com", "--json").items
    assert [item["user_id"] for item in found] == [user_id]
    assert len(shell("users", "list", "--connection", CONNECTION, "--limit", "1", "--json").items) == 1

    shell("users", "block", user_id, code=2)
    assert "blocked" not in shell("users", "show", user_id, "--json").document
    shell("users", "block", user_id, "--yes")
    assert shell("users", "show", user_id, "--json").document["blocked"] is True
    assert shell("users", "unblock", user_id).out == f"ann@example.com ({user_id}) may sign in\n"
    assert not shell("users", "show", user_id, "--json").document["blocked"]
    assert shell("users", "blocks", user_id, "--json").items == []

    assert shell("users", "reset-link", user_id).out.startswith(f"{PUBLIC_URL}/")
    assert shell("users", "verify-link", user_id, "--ttl", "60").out.startswith(f"{PUBLIC_URL}/")
    assert shell("passkeys", "enrolment-link", user_id).out.startswith(f"{PUBLIC_URL}/")
    assert shell("users", "decisions", user_id, "--json").items == []
    refused = shell("users", "delete", user_id, code=2)
    assert "ann@example.com" in refused.err
    shell("users", "delete", user_id, "--yes")
    shell("users", "show", user_id, code=2)


def test_a_password_is_no_argument(shell: Shell) -> None:
    told = shell(
        *("users", "create", "--connection", CONNECTION, "--email", "ann@example.com", "--set", f"password={PASSWORD}"),
        code=2,
    )
    assert PASSWORD not in told.err
    told = shell("users", "create", "--connection", CONNECTION, "--email", "ann@example.com", code=2)
    assert "no password on standard input" in told.err
    user_id = person(shell)["user_id"]
    weak = shell("users", "update", user_id, "--new-password", input="x\n", code=2)
    assert "PasswordStrengthError" in weak.err
    shell("users", "update", user_id, "--new-password", input="another horse battery\n")


def test_all_pages_are_read(shell: Shell) -> None:
    people = [person(shell, f"p{number}@example.com")["user_id"] for number in range(3)]
    assert [item["user_id"] for item in shell("users", "list", "--json").items] == people


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_all_that_the_journal_says_of_a_user_is_read(shell: Shell) -> None:
    user_id = person(shell)["user_id"]
    with closing(sqlite3.connect(shell.data_dir / "keystead.db")) as connection, connection:
        connection.execute("CREATE TEMP TABLE entry AS SELECT * FROM journal WHERE user_id = ? LIMIT 1", (user_id,))
        for number in range(1100):
            connection.execute("UPDATE entry SET log_id = ?", (f"{number:040d}",))
            connection.execute("INSERT INTO journal SELECT * FROM entry")
    found = [item["log_id"] for item in shell("users", "logs", user_id, "--json").items]
    assert len(found) > 1100
    assert found == sorted(set(found), reverse=True)
    assert len(shell("users", "logs", user_id, "--limit", "150", "--json").items) == 150


def test_a_verification_mail_is_a_job(shell: Shell) -> None:
    user_id = person(shell)["user_id"]
    job = shell("users", "verify-mail", user_id, "--json").document
    listed = shell("jobs", "list", "--json").items
    assert job["id"] in [item["id"] for item in listed]
    shown = shell("jobs", "show", job["id"], "--json").document
    assert (shown["id"], shown["status"], shown["tries"]) == (job["id"], "pending", 0)
    assert "sealed" not in shown
    assert shell("jobs", "list", "--status", "failed", "--json").items == []
    assert [item["id"] for item in shell("jobs", "list", "--type", shown["type"], "--json").items]
    assert shell("jobs", "list", "--type", "nothing", "--json").items == []
    assert "nothing went wrong" in shell("jobs", "errors", job["id"]).out
    shell("jobs", "list", "--status", "lost", code=2)


# --- clients and grants ----------------------------------------------------------------------------------------------


def test_clients(shell: Shell) -> None:
    made = shell(
        *("clients", "create", "Backend", "--set", "app_type=non_interactive"),
        *("--set", "token_endpoint_auth_method=client_secret_post", "--json"),
    )
    secret, client = made.document["client_secret"], made.document["client_id"]
    assert made.err == ""
    assert secret not in shell("clients", "show", client).out
    assert client in [item["client_id"] for item in shell("clients", "list", "--json").items]
    shell("clients", "update", client, "--set", "name=Back end")
    assert shell("clients", "show", client, "--json").document["name"] == "Back end"
    refused = shell("clients", "rotate-secret", client, code=2)
    assert "Back end" in refused.err
    rotated = shell("clients", "rotate-secret", client, "--yes")
    assert rotated.out.strip() not in ("", secret)
    assert rotated.err == "", "a secret is on standard output alone"

    audience = f"{PUBLIC_URL}/api/v2/"
    shell("grants", "create", client, audience, "--scope", "read:users", "--scope", "read:clients")
    (grant,) = shell("grants", "list", "--client", client, "--json").items
    assert grant["scope"] == ["read:users", "read:clients"]
    assert "name scopes with --scope" in shell("grants", "update", grant["id"], code=2).err
    lost = shell("grants", "update", grant["id"], "--scope", "read:users", code=2).err
    assert "Take read:clients for" in lost
    assert "--yes" in lost
    assert shell("grants", "list", "--client", client, "--json").items == [grant]
    more = ("--scope", "read:users", "--scope", "read:clients", "--scope", "read:logs")
    shell("grants", "update", grant["id"], *more)  # nothing is lost, and nobody asked
    shell("grants", "update", grant["id"], "--scope", "read:users", "--yes")
    assert shell("grants", "list", "--client", client, "--json").items[0]["scope"] == ["read:users"]
    shell("grants", "delete", grant["id"], code=2)
    shell("grants", "delete", grant["id"], "--yes")
    assert shell("grants", "list", "--client", client, "--json").items == []
    shell("clients", "delete", client, "--yes")
    shell("clients", "show", client, code=2)


# --- settings, mail, any call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "change", "value"),
    [
        ("tenant", "friendly_name=Shop", "Shop"),
        ("brute-force-protection", "max_attempts=5", 5),
        ("suspicious-ip-throttling", "enabled=false", False),
    ],
)
def test_settings(shell: Shell, subject: str, change: str, value: object) -> None:
    shell("settings", "update", subject, "--set", change)
    assert shell("settings", "show", subject, "--json").document[change.partition("=")[0]] == value
    assert shell("settings", "show", subject).out


def test_settings_of_nothing(shell: Shell) -> None:
    assert "brute-force-protection" in shell("settings", "show", "nothing", code=2).err
    for command in (
        ("settings", "update", "tenant"),
        ("mail", "update"),
        ("mail", "templates", "update", "reset_email"),
    ):
        assert "nothing to change" in shell(*command, code=2).err


def test_mail(shell: Shell, tmp_path: Path) -> None:
    shell("mail", "show", code=2)
    provider = {"name": "smtp", "credentials": {"smtp_host": "mail.example.com", "smtp_port": 587, "smtp_user": "u"}}
    provider["credentials"] |= {"smtp_pass": "s3cret-of-mail"}  # type: ignore[operator]
    (tmp_path / "provider.json").write_text(json.dumps(provider))
    shell("mail", "update", "--body", str(tmp_path / "provider.json"))
    shown = shell("mail", "show")
    assert "mail.example.com" in shown.out
    assert "s3cret-of-mail" not in shown.out
    shell("mail", "update", "--set", "default_from_address=shop@example.com")
    shell("mail", "delete", code=2)
    shell("mail", "delete", "--yes")
    shell("mail", "show", code=2)
    template = ("--set", "subject=Hello", "--set", "body=Hi {{ url }}", "--set", "from=", "--set", "syntax=liquid")
    shell("mail", "templates", "update", "verify_email", *template, "--set", "enabled=true")
    assert shell("mail", "templates", "show", "verify_email", "--json").document["subject"] == "Hello"
    shell("mail", "templates", "update", "verify_email", "--set", "subject=Again")
    assert shell("mail", "templates", "show", "verify_email", "--json").document["subject"] == "Again"


def test_any_call(shell: Shell) -> None:
    found = shell("api", "get", "/clients?per_page=1&include_totals=true").document
    assert found["limit"] == 1
    body = json.dumps({"friendly_name": "Shop"})
    assert shell("api", "PATCH", "/api/v2/tenants/settings", "--body", "-", input=body).document["friendly_name"]
    assert shell("api", "DELETE", "users/auth0%7Cnobody").out == ""
    assert "(invalid_query_string)" in shell("api", "GET", "/clients?per_page=-1", code=2).err
    shell("api", "GET", "/nowhere", code=2)


def test_the_journal_names_the_command_line(shell: Shell) -> None:
    person(shell)
    (entry,) = [each for each in shell("log", "tail", "--json").items if each["type"] == "sapi"]
    assert entry["client_id"] == "cli"
    assert entry["actor"] == "cli"
