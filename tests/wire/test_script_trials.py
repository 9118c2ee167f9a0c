"""``POST /connections/{id}/scripts/{name}/try`` and ``/scripts/test``: scripts tried by whoever wrote them."""

from dataclasses import replace
from typing import Any

import pytest

from keystead.db import tables
from keystead.rules.action_scripts import ScriptLanguage
from scripted_people import ANN, EMAIL, options, scripts
from world import PASSWORD, REALM_GRANT, World

pytestmark = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)

LANGUAGES: list[ScriptLanguage] = ["node", "python"]
ARGUMENTS = {"identifier": EMAIL, "password": PASSWORD}


async def tried(world: World, name: str, body: dict[str, Any], connection: str) -> dict[str, Any]:
    answer = await world.manage("POST", f"/connections/{connection}/scripts/{name}/try", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def contract(world: World, connection: str, **body: Any) -> dict[str, dict[str, Any]]:
    answer = await world.manage("POST", f"/connections/{connection}/scripts/test", body)
    assert answer.status_code == 200, answer.text
    checks = answer.json()["checks"]
    assert answer.json()["passed"] == all(each["status"] != "failed" for each in checks)
    return {each["check"]: each for each in checks}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_saved_script_is_tried(world: World, language: ScriptLanguage) -> None:
    connection = await world.new_connection(**options(language, ANN, configuration={"dsn": "secret dsn"}))
    found = await tried(world, "login", ARGUMENTS, connection)
    assert (found["outcome"], found["language"], found["warnings"]) == ("answered", language, [])
    assert found["value"] == {"user_id": "7", "email": EMAIL, "email_verified": True}
    assert found["meaning"].startswith("Let in")
    assert found["seconds"] > 0

    wrong = await tried(world, "login", ARGUMENTS | {"password": "wrong password"}, connection)
    assert wrong["refusal"] == {"kind": "wrong_credentials", "code": "", "user_id": "7"}
    assert (wrong["outcome"], wrong["message"]) == ("refused", "no")

    nobody = await tried(world, "get_user", {"identifier": "nobody@example.com"}, connection)
    assert (nobody["outcome"], nobody["value"]) == ("answered", None)
    assert await world.count(tables.Account) == 0, "a trial writes no account"


EDITED = {
    "node": "function login(i, p, cb) { console.log('for', i, p, configuration.dsn); cb(null, {user_id: 5, p}); }",
    "python": """
from keystead_scripts import configuration
def login(identifier, password):
    print("for", identifier, password, configuration["dsn"])
    return {"user_id": 5, "p": password}
""",
}
REFUSING = {
    "node": """function login(i, password, callback) {
        callback(new WrongUsernameOrPasswordError(`id ${password}`, JSON.stringify(configuration)));
    }""",
    "python": """
import json
from keystead_scripts import WrongUsernameOrPasswordError, configuration
def login(identifier, password):
    raise WrongUsernameOrPasswordError(f"id {password}", json.dumps(dict(configuration)))
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_refusal_is_shown_without_secrets(world: World, language: ScriptLanguage) -> None:
    connection = await world.new_connection(**options(language, ANN, configuration={"key": 'a "key"\nof two lines'}))
    found = await tried(world, "login", {**ARGUMENTS, "source": REFUSING[language], "language": language}, connection)
    assert found["refusal"] == {"kind": "wrong_credentials", "code": "", "user_id": "id ***"}
    assert found["message"].replace(" ", "") == '{"key":"***"}'


FAILING = {
    "node": "function login(i, p, cb) { console.log('here I am'); while (true) {} }",
    "python": "def login(identifier, password):\n    print('here I am')\n    while True: pass\n",
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_edited_script_is_tried_before_it_is_saved(world: World, language: ScriptLanguage) -> None:
    connection = await world.new_connection(**options("node", ANN, configuration={"dsn": "saved dsn"}))
    body = {**ARGUMENTS, "source": EDITED[language], "language": language, "configuration": {"dsn": "edited dsn"}}
    found = await tried(world, "login", body, connection)
    assert found["value"] == {"user_id": 5, "p": "***"}
    assert found["console"] == [f"for {ANN['email']} *** ***"], "secrets are not shown, whoever prints them"
    assert "user_id is a number" in " ".join(found["warnings"])
    shown = (await world.manage("GET", f"/connections/{connection}")).json()["options"]
    assert shown["customScripts"] == scripts("node", ANN), "nothing is saved"

    entry = await world.last_entry()
    assert (entry["type"], entry["connection_id"]) == ("sapi", connection)
    assert "saved dsn" not in str(entry)
    assert PASSWORD not in str(entry)
    assert "login" in str(entry)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_a_failing_script_printed_is_shown(world: World, language: ScriptLanguage) -> None:
    connection = await world.new_connection(**options("node", ANN))
    runtime = world.app.state.flows.runtime
    runtime._limits = replace(runtime._limits, seconds=1)
    found = await tried(world, "login", {**ARGUMENTS, "source": FAILING[language], "language": language}, connection)
    assert (found["outcome"], found["value"], found["refusal"]) == ("failed", None, None)
    assert "longer than 1 s" in found["message"]
    assert found["console"] == ["here I am"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_answer_that_cannot_be_shown(world: World, language: ScriptLanguage) -> None:
    """Half of a surrogate pair is no UTF-8, and what nests too deep cannot be written."""
    connection = await world.new_connection(**options("node", ANN))
    deep = {"node": "while (n--) v = [v]; cb(null, v); }", "python": "\n    while n: v, n = [v], n - 1\n    return v\n"}
    odd = {"node": "cb('\\ud83d'); }", "python": "\n    raise RuntimeError('\\ud83d')\n"}
    begin = {
        "node": "function (i, p, cb) { let v = '\\ud83d', n = 700; console.log(v); ",
        "python": "def login(i, p):\n    v, n = '\\ud83d', 700\n    print(v)",
    }
    body = {**ARGUMENTS, "language": language}
    found = await tried(world, "login", {**body, "source": begin[language] + deep[language]}, connection)
    assert (found["outcome"], found["message"]) == ("failed", "its answer has more than 100 levels")
    assert found["console"] == ["\ufffd"]
    found = await tried(world, "login", {**body, "source": begin[language] + odd[language]}, connection)
    assert (found["outcome"], found["message"].removeprefix("RuntimeError: ")) == ("refused", "\ufffd")


async def test_trials_do_not_stop_logins(world: World) -> None:
    """Edited scripts that fail again and again open no circuit of the saved ones."""
    connection = await world.new_connection(**options("python", ANN))
    body = {**ARGUMENTS, "source": "import os\ndef login(identifier, password):\n    os._exit(3)\n"}
    for _ in range(12):
        assert (await tried(world, "login", body, connection))["outcome"] == "failed"
    answer = await world.login(EMAIL, PASSWORD, realm="Second", grant_type=REALM_GRANT)
    assert answer.status_code == 200, answer.text


async def test_what_cannot_be_tried(world: World) -> None:
    connection = await world.new_connection(**options("node", ANN))
    for name, body, says in (
        ("login", {"identifier": "ann@example.com"}, "Missing required property: password"),
        ("get_user", ARGUMENTS, "takes identifier"),
        ("change_username", {"username": "a", "new_username": "b"}, "no script change_username"),
        ("login", ARGUMENTS | {"language": "perl"}, "No enum match"),
        ("login", ARGUMENTS | {"passwrd": "x"}, "Additional properties"),
        ("log_in", ARGUMENTS, "No enum match"),
    ):
        answer = await world.manage("POST", f"/connections/{connection}/scripts/{name}/try", body)
        assert (answer.status_code, says in answer.json()["message"]) == (400, True), answer.text
    for path in ("login/try", "test"):
        answer = await world.manage("POST", f"/connections/con_none/scripts/{path}", {})
        assert answer.status_code == 404, answer.text
        narrow = await world.manage("POST", f"/connections/{connection}/scripts/{path}", {}, scope="update:connections")
        assert narrow.status_code == 403, narrow.text
    plain = await world.manage("POST", f"/connections/{world.connection_id}/scripts/test", {})
    assert (plain.status_code, "has no scripts" in plain.json()["message"]) == (400, True), plain.text


async def test_whoever_tries_too_often_waits(world: World) -> None:
    connection = await world.new_connection(**options("node", ANN))
    source = {"identifier": "a", "source": "function get(i, cb) { cb(null, null); }"}
    path = f"/connections/{connection}/scripts/get_user/try"
    statuses = [(await world.manage("POST", path, source)).status_code for _ in range(62)]
    assert (statuses[0], statuses[-1]) == (200, 429)
    world.clock.advance(seconds=5)
    assert (await world.manage("POST", path, source)).status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
async def test_good_scripts_hold_the_contract(world: World, language: ScriptLanguage) -> None:
    connection = await world.new_connection(**options(language))
    checks = await contract(world, connection)
    skipped = {name for name, each in checks.items() if each["status"] == "skipped"}
    assert skipped == {"by_id", "create_without_password", "change_username", "change_phone_number"}
    assert {each["status"] for each in checks.values()} == {"passed", "skipped"}, checks
    assert (await contract(world, connection))["create"]["status"] == "passed", "whoever was made is gone"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_somebody_is_named(world: World, language: ScriptLanguage) -> None:
    connection = await world.new_connection(**options(language, ANN))
    checks = await contract(world, connection, **ARGUMENTS)
    assert checks["same_person"]["status"] == checks["wrong_password"]["status"] == "passed"
    assert checks["create"]["status"] == "skipped"
    assert PASSWORD not in str(checks)


BAD = {
    "node": {
        "login": ("row.password !== password", "false", "wrong_password"),
        "get_user": ("row ? profile(row) : null", "row ? profile(row) : undefined.x", "unknown_get_user"),
        "delete": ("if (at >= 0)", "if (false)", "delete"),
    },
    "python": {
        "login": ('row["password"] != password', "False", "wrong_password"),
        "get_user": ("profile(row) if row else None", "profile(row)", "unknown_get_user"),
        "delete": ("!= user_id", "!= 0", "delete"),
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["login", "get_user", "delete"])
async def test_bad_scripts_do_not(world: World, language: ScriptLanguage, name: str) -> None:
    right, wrong, check = BAD[language][name]
    given = options(language)
    assert right in given["customScripts"][name]
    given["customScripts"][name] = given["customScripts"][name].replace(right, wrong)
    checks = await contract(world, await world.new_connection(**given))
    assert checks[check]["status"] == "failed", checks
    assert checks[check]["advice"]


CRASH = "import os\ndef login(identifier, password):\n    os._exit(3)\n"


async def test_how_scripts_fare(world: World) -> None:
    given = options("python", ANN)
    connection = await world.new_connection(**given | {"customScripts": given["customScripts"] | {"login": CRASH}})

    async def status() -> Any:
        answer = await world.manage("GET", f"/keystead/scripts/{connection}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    before = await status()
    assert (before["this_process"]["circuit"], before["this_process"]["calls"]) == ("closed", 0)
    assert before["last_day"] == {"failures": 0, "newest": []}
    for _ in range(6):
        answer = await world.login(EMAIL, PASSWORD, realm="Second", grant_type=REALM_GRANT)
        assert answer.status_code == 500, answer.text
    after = await status()
    assert after["this_process"]["circuit"] == "open"
    assert after["this_process"]["seconds_until_tried"] > 0
    assert (after["this_process"]["calls"], after["this_process"]["failures"]) == (6, 6)
    assert after["last_day"]["failures"] == 6
    assert {each["script"] for each in after["last_day"]["newest"]} == {"login"}
    assert "its process ended" in after["last_day"]["newest"][-1]["text"]
    world.clock.advance(days=2)
    world.forget_tokens()
    assert (await status())["last_day"]["failures"] == 0
