"""What of the templates can be tried where no server can be had: hash schemes, what drivers are asked, clean errors."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from custom_db.legacy import ANN, LANGUAGES, NAMES, SCRIPTS, Legacy, calls
from keystead.app import SystemEntropy
from keystead.custom_db.limits import Limits, Programs
from keystead.custom_db.runner import Children
from keystead.rules.action_scripts import ScriptAnswer, ScriptLanguage

GUID = "8d8ac610-566d-4ef0-9c22-186b2a5ed793"
SALT = bytes(range(16))
CONFIGURATION = {"DB_HOST": "db.example.com", "DB_NAME": "legacy", "DB_USER": "u", "DB_PASSWORD": "p;}{'\"="}

# Stand-ins for the drivers of SQL Server: they print what they are asked, and answer every statement with the same row.
NODE = """
class ConnectionPool {
  constructor(given) { console.log(JSON.stringify({ given })); }
  on() {}
  async connect() { this.connected = true; return this; }
  request() {
    const values = {};
    return {
      input(name, type, value) { values[name] = value; },
      async query(statement) {
        console.log(JSON.stringify({ statement, values }));
        return { recordset: ROWS, rowsAffected: [ROWS.length] };
      },
    };
  }
}
module.exports = new Proxy({ ConnectionPool }, { get: (own, name) => own[name] || (() => name) });
"""
PYTHON = """
import json
class DatabaseError(Exception): pass
class IntegrityError(DatabaseError): pass
class Cursor:
    description = [(name,) for name in (ROWS[0] if ROWS else {})]
    rowcount = len(ROWS)
    def execute(self, statement, values):
        print(json.dumps({"statement": statement, "values": values}))
        return self
    def fetchall(self):
        return [tuple(row.values()) for row in ROWS]
class Connection:
    def cursor(self):
        return Cursor()
    def close(self):
        pass
def connect(**given):
    print(json.dumps({"given": given}))
    return Connection()
"""


def sha1(password: str, salt: bytes = SALT) -> str:
    """Hash as the older provider does."""
    return base64.b64encode(hashlib.sha1(salt + password.encode("utf-16-le")).digest()).decode()  # noqa: S324 - it is that


def pbkdf2(password: str, salt: bytes = SALT) -> str:
    """Hash as SimpleMembership does."""
    derived = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 32)
    return base64.b64encode(b"\0" + salt + derived).decode()


def membership(**changed: Any) -> dict[str, Any]:
    """Return somebody as the tables of the older provider have them."""
    own = {"UserId": GUID.upper(), "UserName": "Ann", "Email": ANN, "Password": sha1("Paßwort"), "PasswordFormat": 1}
    rest = {"PasswordSalt": base64.b64encode(SALT).decode(), "IsApproved": True, "IsLockedOut": False}
    return own | rest | {"done": 1, "nowhere": 0} | changed


def simple(**changed: Any) -> dict[str, Any]:
    """Return somebody as the tables of SimpleMembership have them."""
    return {"UserId": 7, "UserName": ANN, "Password": pbkdf2("Paßwort"), "IsConfirmed": False, "done": 1} | changed


class StandIns:
    """Runs scripts of templates in front of a driver that finds one row, or none."""

    def __init__(self, language: ScriptLanguage, directory: Path) -> None:
        self.language, self._directory = language, directory
        self.configuration = CONFIGURATION
        (directory / "node_modules" / "mssql").mkdir(parents=True)
        programs = Programs(modules=directory, python=directory)
        self.runtime = Children(SystemEntropy(), Limits(seconds=60, calls=1), programs)

    async def __call__(self, template: str, row: Mapping[str, Any] | None, *call: Any, **more: Any) -> ScriptAnswer:
        """Run a script with the driver finding that row."""
        rows = [] if row is None else [row]
        node = f"const ROWS = {json.dumps(rows)};\n{NODE}"
        (self._directory / "node_modules" / "mssql" / "index.js").write_text(node, encoding="utf-8")
        (self._directory / "mssql_python.py").write_text(f"ROWS = {rows!r}\n{PYTHON}", encoding="utf-8")
        legacy = Legacy(self.runtime, template, self.language, self.configuration)
        return await legacy.answer(*call, **more)


@pytest.fixture(params=LANGUAGES)
async def found(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StandIns]:
    """A driver that finds what the test says."""
    opened = StandIns(request.param, tmp_path)
    yield opened
    await opened.runtime.close()


async def test_the_older_membership(found: StandIns) -> None:
    """SHA-1 over salt and UTF-16, both in base64, in the ``Hashed`` format and no other."""
    ann = membership()
    answer = await found("aspnet_membership", ann, "login", ANN, "Paßwort")
    assert answer.value == {"user_id": GUID, "email": ANN, "email_verified": True, "nickname": "Ann"}
    assert _refusal(await found("aspnet_membership", ann, "login", ANN, "Passwort")) == ("wrong_credentials", GUID)
    assert _refusal(await found("aspnet_membership", ann, "login", ANN, "")) == ("wrong_credentials", GUID)
    assert _refusal(await found("aspnet_membership", None, "login", ANN, "Paßwort")) == ("wrong_credentials", None)
    other = membership(Email="änn@example.com")  # a collation may find her
    assert _refusal(await found("aspnet_membership", other, "login", ANN, "Paßwort")) == ("wrong_credentials", None)
    locked = membership(IsLockedOut=True)
    assert _refusal(await found("aspnet_membership", locked, "login", ANN, "Paßwort"))[0] == "unauthorized"
    assert _refusal(await found("aspnet_membership", locked, "login", ANN, "wrong")) == ("wrong_credentials", GUID)
    encrypted = membership(PasswordFormat=2)
    assert _refusal(await found("aspnet_membership", encrypted, "login", ANN, "Paßwort"))[0] == "error"


async def test_simple_membership(found: StandIns) -> None:
    """PBKDF2 with SHA-1 and 1000 rounds, behind a zero and its salt."""
    answer = await found("aspnet_simple_membership", simple(), "login", ANN, "Paßwort")
    assert answer.value == {"user_id": "7", "email": ANN, "email_verified": False}
    wrong = await found("aspnet_simple_membership", simple(), "login", ANN, "Passwort")
    assert _refusal(wrong) == ("wrong_credentials", "7")
    nobody = await found("aspnet_simple_membership", None, "login", ANN, "Paßwort")
    assert _refusal(nobody) == ("wrong_credentials", None)
    for text in (base64.b64encode(b"\1" + bytes(48)).decode(), base64.b64encode(bytes(48)).decode(), ""):
        other = await found("aspnet_simple_membership", simple(Password=text), "login", ANN, "")
        assert _refusal(other)[0] == "error"


@pytest.mark.parametrize("template", ["aspnet_membership", "aspnet_simple_membership"])
async def test_whoever_is_not_approved_is_kept_out_where_that_is_said(found: StandIns, template: str) -> None:
    """After the right password alone; and neither a link nor another address approves anybody."""
    is_simple = template == "aspnet_simple_membership"
    somebody, flag, own = (simple, "IsConfirmed", "7") if is_simple else (membership, "IsApproved", GUID)
    shut, by_id = somebody(**{flag: False}), {"identifierType": "user_id"}
    assert (await found(template, shut, "login", ANN, "Paßwort")).value["email_verified"] is False
    assert (await found(template, shut, "get_user", own, context=by_id)).value["user_id"] == own
    assert _asked(await found(template, shut, "create", {"email": ANN}))[-1]["values"]["approved"] is False
    assert "UPDATE" in _asked(await found(template, shut, "verify", ANN))[-1]["statement"]

    found.configuration = CONFIGURATION | {"UNAPPROVED": "refuse"}
    assert _refusal(await found(template, shut, "login", ANN, "Paßwort"))[0] == "unauthorized"
    assert _refusal(await found(template, shut, "login", ANN, "wrong")) == ("wrong_credentials", own)
    assert (await found(template, shut, "get_user", own, context=by_id)).value is None
    assert (await found(template, shut, "get_user", ANN)).value["email"] == ANN, "the address is taken"
    let_in = await found(template, somebody(**{flag: True}), "login", ANN, "Paßwort")
    assert (let_in.value["user_id"], "email_verified" in let_in.value) == (own, False)
    assert _asked(await found(template, shut, "create", {"email": ANN}))[-1]["values"]["approved"] is True
    verified = await found(template, shut, "verify", ANN)
    assert (verified.value, "UPDATE" in str(_asked(verified))) == (True, False)
    changed = _asked(await found(template, shut, "change_email", ANN, ANN.upper(), True))[-1]
    assert changed["values"]["kept"] is True


@pytest.mark.parametrize("name", ["create", "change_password"])
async def test_new_passwords_of_membership_are_what_its_tables_hold(found: StandIns, name: str) -> None:
    given = ({"email": ANN, "password": "Neues Paßwort"},) if name == "create" else (ANN, "Neues Paßwort")
    for template, row in (("aspnet_membership", membership()), ("aspnet_simple_membership", simple())):
        first, second = [_asked(await found(template, row, name, *given))[-1] for _ in range(2)]
        for statement in (first, second):
            stored = statement["values"]["password"]
            if template == "aspnet_membership":
                assert stored == sha1("Neues Paßwort", base64.b64decode(statement["values"]["salt"]))
            else:
                assert stored == pbkdf2("Neues Paßwort", base64.b64decode(stored)[1:17])
        assert first["values"]["password"] != second["values"]["password"], "salts are random"


async def test_whoever_signs_up_with_a_passkey_has_a_password_that_nobody_knows(found: StandIns) -> None:
    """The tables of membership take no NULL."""
    for template, row in (("aspnet_membership", membership()), ("aspnet_simple_membership", simple())):
        answer = await found(template, row, "create", {"email": ANN})
        assert answer.refusal is None, answer.refusal
        values = _asked(answer)[-1]["values"]
        for guess in ("", "undefined", "null", "None"):
            if template == "aspnet_membership":
                assert values["password"] != sha1(guess, base64.b64decode(values["salt"]))
            else:
                assert values["password"] != pbkdf2(guess, base64.b64decode(values["password"])[1:17])


@pytest.mark.parametrize("template", ["aspnet_membership", "aspnet_simple_membership"])
async def test_membership_that_is_taken_is_said_so(found: StandIns, template: str) -> None:
    user = {"email": ANN, "password": "Paßwort"}
    row = (membership if template == "aspnet_membership" else simple)(done=0)
    assert _refusal(await found(template, row, "create", user)) == ("validation", "user_exists")
    if template == "aspnet_membership":
        assert _refusal(await found(template, membership(done=0, nowhere=1), "create", user))[0] == "error"


async def test_no_value_is_part_of_a_statement(found: StandIns) -> None:
    """Whatever strangers type travels beside the statement, and never without encryption unless somebody says so."""
    hostile = "x'; DROP TABLE users; --"
    rows = {"aspnet_membership": membership(), "aspnet_simple_membership": simple()}
    somebody = {"id": 7, "email": ANN, "email_verified": True, "nickname": None, "password_hash": "x"}
    for template in ("sqlserver", "azure_sql", "aspnet_membership", "aspnet_simple_membership"):
        for name, given in (
            ("get_user", (hostile,)),
            ("verify", (hostile,)),
            ("delete", (hostile,)),
            ("change_email", (ANN, hostile, True)),
        ):
            row = rows.get(template, somebody)
            for line in _asked(await found(template, row, name, *given)):
                assert "DROP TABLE" not in line.get("statement", "")
                if "given" in line:
                    options = line["given"].get("options", line["given"])
                    assert options.get("encrypt", options.get("Encrypt")) in {True, "yes"}
                    assert options.get("trustServerCertificate", options.get("TrustServerCertificate")) in {False, "no"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "template", ["mongodb", "sqlserver", "azure_sql", "aspnet_membership", "aspnet_simple_membership"]
)
async def test_a_server_that_is_not_there(runtime: Children, template: str, language: ScriptLanguage) -> None:
    """The real drivers are loaded, find nobody, and the script ends as an error."""
    nowhere = {"DB_HOST": "127.0.0.9", "DB_PORT": "9", "DB_URI": "mongodb://127.0.0.9:9/", "BCRYPT_COST": "4"}
    legacy = Legacy(runtime, template, language, CONFIGURATION | nowhere)
    calls = legacy.answer("login", ANN, "a password"), legacy.answer("change_email", ANN, "bob@example.com", True)
    for answer in await asyncio.gather(*calls):
        assert answer.refusal is not None
        assert answer.refusal.kind == "error"
        assert "odule" not in answer.refusal.message, "the driver is installed"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_empty_one_says_what_is_not_written(runtime: Children, language: ScriptLanguage) -> None:
    legacy = Legacy(runtime, "empty", language, {})
    assert await legacy("login", ANN, "a password") is None
    assert await legacy("get_user", ANN) is None
    for name, given in calls()[2:]:
        answer = await legacy.answer(name, *given)
        assert answer.refusal is not None
        assert answer.refusal.kind == "error"
        assert f"The script {name} has not been written yet." in answer.refusal.message


def test_every_template_is_whole() -> None:
    """All scripts in both languages, none larger than one may be, and a README of what to install."""
    assert len(NAMES) == 9
    top = Path(__file__).parents[2] / "static" / "custom_db"
    for template in NAMES:
        assert (top / template / "README.md").is_file()
        for language, suffix in (("node", ".js"), ("python", ".py")):
            there = {path.name for path in (top / template / language).iterdir()}
            assert there - {"__pycache__"} == {f"{name}{suffix}" for name in SCRIPTS}
            assert all(path.stat().st_size < 100_000 for path in (top / template / language).iterdir())


def _refusal(answer: ScriptAnswer) -> tuple[str, str | None]:
    assert answer.refusal is not None, answer.value
    return answer.refusal.kind, answer.refusal.code or answer.refusal.user_id


def _asked(answer: ScriptAnswer) -> list[dict[str, Any]]:
    """Return what the driver printed."""
    return [json.loads(line) for line in answer.console if line.startswith("{")]
