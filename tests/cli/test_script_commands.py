"""``keystead scripts`` on the database of an installation, and once as its users start it."""

import json
from pathlib import Path

import pytest

from conftest import Stencil
from keystead.rules.action_scripts import ScriptLanguage
from program import keystead
from scripted_people import ANN, EMAIL, scripts
from shell import Shell, steered
from world import PASSWORD

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

LANGUAGES: list[ScriptLanguage] = ["node", "python"]
TEMPLATES = Path(__file__).parents[2] / "static" / "custom_db"
ENDING = {"node": "js", "python": "py"}


@pytest.fixture
def shell(installation: Stencil) -> Shell:
    return Shell(installation.settings)


def saved(shell: Shell, language: ScriptLanguage, directory: Path) -> dict[str, Path]:
    """Put every script into a new connection by commands, and return the files that they came from."""
    shell("connections", "create", "Legacy", "--set", "configuration.dsn=a secret dsn")
    files = {}
    for name, source in scripts(language, ANN).items():
        files[name] = directory / f"{name}.{ENDING[language]}"
        files[name].write_text(source, encoding="utf-8")
        shell("scripts", "set", "Legacy", name, str(files[name]), "--language", language)
    shell("connections", "update", "Legacy", "--set", "enabledDatabaseCustomization=true")
    return files


@pytest.mark.parametrize("language", LANGUAGES)
def test_scripts_all_their_life(shell: Shell, language: ScriptLanguage, tmp_path: Path) -> None:
    files = saved(shell, language, tmp_path)
    listed = shell("scripts", "list", "Legacy", "--json").items
    assert {each["name"] for each in listed} == set(files)
    assert {each["language"] for each in listed} == {language}
    assert listed[0]["bytes"] == files["login"].stat().st_size
    assert (
        shell("scripts", "show", "Legacy", "login").out
        == files["login"].read_text(encoding="utf-8").rstrip("\n") + "\n"
    )
    options = shell("connections", "show", "Legacy", "--json").document["options"]
    assert options["configuration"]["dsn"].startswith("2.0$"), "what is beside the scripts stays"

    right = shell("scripts", "try", "Legacy", "login", "--identifier", EMAIL, input=f"{PASSWORD}\n").out
    assert "Let in" in right
    assert PASSWORD not in right
    wrong = shell("scripts", "try", "Legacy", "login", "--identifier", EMAIL, "--json", input="wrong\n").document
    assert (wrong["outcome"], wrong["refusal"]["kind"]) == ("refused", "wrong_credentials")
    created = shell("scripts", "try", "Legacy", "create", "--set", "user.email=new@example.com", input="a password\n")
    assert "login is called next" in created.out

    told = shell("scripts", "test", "Legacy")
    assert "hold the contract" in told.err
    assert {line.split()[0] for line in told.out.splitlines()[1:]} == {"passed", "skipped"}
    named = shell("scripts", "test", "Legacy", "--identifier", EMAIL, "--json", input=f"{PASSWORD}\n").document
    assert named["passed"] is True

    status = shell("scripts", "status", "Legacy", "--json").document
    assert (status["store"], status["language"], status["this_process"]["circuit"]) == ("scripted", language, "closed")
    assert status["versions"][language][0].isdigit()
    assert set(status["scripts"]) == set(files)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_fails_has_a_status(shell: Shell, language: ScriptLanguage, tmp_path: Path) -> None:
    files = saved(shell, language, tmp_path)
    broken = tmp_path / f"broken.{ENDING[language]}"
    crash = {
        "node": "function login(i, p, cb) { console.log('oh'); process.exit(3); }",
        "python": "import os\ndef login(identifier, password):\n    print('oh')\n    os._exit(3)\n",
    }
    broken.write_text(crash[language], encoding="utf-8")
    told = shell(
        "scripts", "try", "Legacy", "login", "--identifier", EMAIL, "--source", str(broken), code=1, input="x\n"
    )
    assert told.out.startswith("outcome  failed")
    assert "console  oh" in told.out

    thrown = {
        "node": "function login(i, p, cb) { cb(new Error('ORA-01017')); }",
        "python": "def login(identifier, password):\n    raise RuntimeError('ORA-01017')\n",
    }
    broken.write_text(thrown[language], encoding="utf-8")
    told = shell(
        "scripts", "try", "Legacy", "login", "--identifier", EMAIL, "--source", str(broken), code=1, input="x\n"
    )
    assert "ORA-01017" in told.out

    files["delete"].write_text(
        files["get_user"].read_text(encoding="utf-8").replace("get_user", "delete"), encoding="utf-8"
    )
    shell("scripts", "set", "Legacy", "delete", str(files["delete"]))
    failed = shell("scripts", "test", "Legacy", "--json", code=1).document
    assert {each["check"]: each["status"] for each in failed["checks"]}["delete"] == "failed"


def test_shadow_mode_is_reported(shell: Shell, tmp_path: Path) -> None:
    saved(shell, "python", tmp_path)
    told = shell("scripts", "shadow", "Legacy", code=1)
    assert "shadow_mode is off" in told.err
    assert "0 of 100 logins agreed" in told.out
    shell("connections", "update", "Legacy", "--set", "import_mode=true", "--set", "shadow_mode=true")
    report = shell("scripts", "shadow", "Legacy", "--json", "--enough", "5", code=1).document
    assert (report["shadow_mode"], report["ready"], report["differences"]) == (True, False, [])
    assert shell("scripts", "forget-shadow", "Legacy", "--yes").out == "shadow mode begins anew for Legacy\n"


def test_what_is_wrong_is_said(shell: Shell, tmp_path: Path) -> None:
    saved(shell, "node", tmp_path)
    for arguments, says in (
        (("scripts", "show", "Legacy", "change_username"), "no script change_username"),
        (("scripts", "set", "Legacy", "login", str(tmp_path / "none.js")), "No such file"),
        (("scripts", "set", "Legacy", "log_in", "-"), "log_in"),
        (("scripts", "try", "Legacy", "login", "--identifier", EMAIL), "no password on standard input"),
        (("scripts", "try", "Legacy", "login", "--set", "password=x"), "a password is no argument"),
        (("scripts", "try", "Legacy", "create", "--set", "user.password=x"), "a password is no argument"),
        (("scripts", "try", "Legacy", "get_user", "--set", "verified=true"), "takes identifier"),
        (("scripts", "set", "Legacy", "login"), "or a directory with --from"),
        (("scripts", "set", "Legacy", "login", "--from", str(tmp_path)), "or a directory with --from"),
        (("scripts", "set", "Legacy", "--from", str(tmp_path / "none")), "has no scripts"),
        (("scripts", "test", "None"), "does not exist"),
        (("scripts", "template", "nothing"), "postgresql"),
    ):
        told = shell(*arguments, code=2)
        assert says in told.err, told.err


def test_all_scripts_of_a_directory_are_saved_at_once(shell: Shell, tmp_path: Path) -> None:
    shell("connections", "create", "Legacy")
    output = tmp_path / "legacy"
    shell("scripts", "template", "web_service", "--language", "python", "--output", str(output))
    said = shell("scripts", "set", "Legacy", "--from", str(output)).out
    assert said.startswith("login, get_user, create, verify, change_password, delete, change_email of Legacy are saved")
    listed = shell("scripts", "list", "Legacy", "--json").items
    assert [(each["name"], each["language"]) for each in listed] == [
        (name, "python")
        for name in ("login", "get_user", "create", "verify", "change_password", "delete", "change_email")
    ], "the language is that of the files"
    shell("scripts", "template", "empty", "--output", str(output / "node"))
    told = shell("scripts", "set", "Legacy", "--from", str(output / "node"), code=2)
    assert "--language node" in told.err
    (output / "login.js").write_text("(i, p, callback) => callback(null)", encoding="utf-8")
    told = shell("scripts", "set", "Legacy", "--from", str(output), code=2)
    assert "which of them" in told.err
    made = shell("scripts", "set", "Legacy", "--from", str(output), "--language", "node", "--json").document
    assert made["names"] == ["login"]


def test_what_is_no_script_is_not_saved(shell: Shell, tmp_path: Path) -> None:
    saved(shell, "python", tmp_path)
    before = shell("scripts", "list", "Legacy").out
    for file, source, language, says in (
        ("login.py", "def login(identifier, password)\n    return None\n", "", "is no Python: line 1"),
        ("login.py", "return None\n", "", "is no Python: line 1"),
        ("login.py", "def get_user(identifier):\n    return None\n", "", "a function login"),
        ("login.py", "", "", "a function login"),
        ("login.js", "function login(i, p, callback) { callback(null); }", "", "--language node"),
        ("login.js", "x", "node", "a function expression"),
        ("login.txt", "\0", "", "is no Python"),
    ):
        (tmp_path / file).write_text(source, encoding="utf-8")
        given = ("--language", language) if language else ()
        told = shell("scripts", "set", "Legacy", "login", str(tmp_path / file), *given, code=2)
        assert says in told.err, (source, told.err)
    assert shell("scripts", "list", "Legacy").out == before


def test_a_template_is_copied_and_nothing_is_written_over(shell: Shell, tmp_path: Path) -> None:
    names = shell("scripts", "template").out.split()
    assert {"postgresql", "mysql", "empty"} <= set(names)
    for name in names:
        for language in LANGUAGES:
            output = tmp_path / name / language
            shell("scripts", "template", name, "--language", language, "--output", str(output))
            assert (output / f"login.{ENDING[language]}").is_file()
            beside = {each.name for each in (TEMPLATES / name).iterdir() if each.is_file()}
            there = {each.name for each in (TEMPLATES / name / language).iterdir()}
            assert {each.name for each in output.iterdir()} == there | beside
    told = shell("scripts", "template", "empty", "--output", str(tmp_path / "empty" / "node"), code=2)
    assert "nothing is written over" in told.err


def test_as_it_is_started(installation: Stencil, tmp_path: Path) -> None:
    settings = installation.settings
    given = {"SECRET_KEYS": ",".join(key.reveal() for key in settings.secret_keys)}
    source = tmp_path / "login.py"
    source.write_text(scripts("python", ANN)["login"], encoding="utf-8")
    name = installation.document["connection"]["name"]

    def run(*arguments: str) -> str:
        done = keystead("scripts", *arguments, "--data-dir", settings.data_dir, **given)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    assert "is saved" in run("set", name, "login", str(source), "--language", "python")
    assert json.loads(run("list", name, "--json"))["name"] == "login"
    assert "Nobody has this identifier" in run(
        "try", name, "get_user", "--identifier", "x", "--source", str(nobody(tmp_path))
    )


def nobody(directory: Path) -> Path:
    source = directory / "get_user.js"
    source.write_text("function getByEmail(identifier, callback) { callback(null); }", encoding="utf-8")
    return source


def test_a_script_that_is_shown_steers_no_terminal(shell: Shell, tmp_path: Path) -> None:
    source = "# \x1b]0;owned\x07\r\ndef login(identifier, password):\r\n\treturn None  # Zoë \x9b2J\u202e\n"
    file = tmp_path / "login.py"
    file.write_text(source, encoding="utf-8", newline="")
    shell("connections", "create", "Legacy")
    shell("scripts", "set", "Legacy", "login", str(file))
    drawn = shell.at_terminal("scripts", "show", "Legacy", "login")
    assert not steered(drawn)
    assert drawn.splitlines() == [
        "# ?]0;owned?",
        "def login(identifier, password):",
        "\treturn None  # Zoë ?2J?",
    ]
    assert shell("scripts", "show", "Legacy", "login").out == source.replace("\r\n", "\n"), "a file gets it as it is"
