"""The contract suite for action scripts: what holds passes, and each check is seen failing."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules.action_scripts import NAMES, ScriptAnswer, ScriptRefusal
from keystead.rules.script_checks import CHECKS
from keystead.rules.script_contract import Ask, Cast, Finding, Person, read_contract, suite, user_of
from keystead.rules.script_trials import Tried
from keystead.secrecy import Secret

ANN = Person({"email": "ann@example.com", "username": "ann", "phone_number": "+15550001"}, Secret("the first password"))
SPARE = Person(
    {"email": "new@example.com", "username": "new", "phone_number": "+15550002"}, Secret("the \N{EURO SIGN} second")
)
CAST = Cast(frozenset(NAMES), ANN, SPARE, "nobody@example.com", about={"tenant": "t"}, has_context=True)

Answer = Any


def refused(kind: Any, **more: Any) -> ScriptRefusal:
    return ScriptRefusal(kind, **more)


class Legacy:
    """A database and its scripts, as they should be. Tests replace one of them."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.console: list[str] = []
        self.seconds = 0.01

    def call(self, ask: Ask) -> Tried:
        arguments = [each.reveal() if isinstance(each, Secret) else each for each in ask.arguments]
        answer = getattr(self, ask.name)(*arguments, ask.context or {})
        if isinstance(answer, Exception):
            return Tried(failure=str(answer), console=self.console, seconds=self.seconds)
        if isinstance(answer, ScriptRefusal):
            return Tried(ScriptAnswer(refusal=answer), console=self.console, seconds=self.seconds)
        return Tried(ScriptAnswer(answer), console=self.console, seconds=self.seconds)

    def found(self, identifier: str) -> dict[str, Any] | None:
        return next((row for row in self.rows if identifier in (row["email"], row["username"], row["phone"])), None)

    def profile(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {"user_id": str(row["id"]), "email": row["email"], "email_verified": row["verified"]}

    def login(self, identifier: str, password: str, context: Mapping[str, Any]) -> Answer:
        row = self.found(identifier)
        if row is None or row["password"] != password:
            return refused("wrong_credentials", user_id=str(row["id"]) if row else None)
        return self.profile(row)

    def get_user(self, identifier: str, context: Mapping[str, Any]) -> Answer:
        if context.get("identifierType") == "user_id":
            row = next((row for row in self.rows if str(row["id"]) == identifier), None)
        else:
            row = self.found(identifier)
        return self.profile(row) if row else None

    def create(self, user: dict[str, Any], context: Mapping[str, Any]) -> Answer:
        if self.found(user["email"]):
            return refused("validation", code="user_exists")
        password = user["password"].reveal() if "password" in user else None
        row = {"id": 7 + len(self.rows), "email": user["email"], "password": password}
        self.rows.append(row | {"username": user["username"], "phone": user["phone_number"], "verified": False})
        return None

    def verify(self, email: str, context: Mapping[str, Any]) -> Answer:
        return self.update("email", email, verified=True)

    def change_password(self, email: str, password: str, context: Mapping[str, Any]) -> Answer:
        return self.update("email", email, password=password)

    def change_email(self, email: str, new: str, verified: bool, context: Mapping[str, Any]) -> Answer:
        return self.update("email", email, email=new)

    def change_username(self, username: str, new: str, context: Mapping[str, Any]) -> Answer:
        return self.update("username", username, username=new)

    def change_phone_number(self, number: str, new: str, verified: bool, context: Mapping[str, Any]) -> Answer:
        return self.update("phone", number, phone=new)

    def delete(self, user_id: str, context: Mapping[str, Any]) -> Answer:
        self.rows = [row for row in self.rows if str(row["id"]) != user_id]

    def update(self, column: str, value: str, **change: Any) -> Answer:
        for row in self.rows:
            if row[column] == value:
                row.update(change)
                return True
        return False


def run(legacy: Legacy, cast: Cast = CAST) -> dict[str, Finding]:
    checks = suite(cast, CHECKS)
    try:
        ask = next(checks)
        while True:
            ask = checks.send(legacy.call(ask))
    except StopIteration as ended:
        found: list[Finding] = ended.value
    assert [each.check for each in found] == [check.id for check in CHECKS]
    return {each.check: each for each in found}


def test_good_scripts_pass_every_check_and_leave_nobody_behind() -> None:
    legacy = Legacy()
    found = run(legacy)
    assert {each.check: (each.status, each.found) for each in found.values() if each.status != "passed"} == {}
    assert legacy.rows == []


def test_somebody_who_is_named_is_only_looked_at() -> None:
    legacy = Legacy()
    legacy.create(user_of(CAST, ANN), {})
    before = [dict(row) for row in legacy.rows]
    found = run(legacy, Cast(frozenset(NAMES), SPARE, SPARE, "nobody@example.com", ANN, has_context=True))
    assert legacy.rows == before
    writing = {
        "create",
        "create_twice",
        "create_without_password",
        "verify",
        "change_password",
        "change_email",
        "change_username",
    }
    writing |= {"change_phone_number", "delete", "delete_nobody"}
    assert {each.check for each in found.values() if each.status == "skipped"} == writing
    assert {each.status for each in found.values()} == {"skipped", "passed"}


def test_without_anybody_what_needs_nobody_is_checked() -> None:
    found = run(Legacy(), Cast(frozenset({"login", "get_user"}), ANN, SPARE, "nobody@example.com"))
    passed = {each.check for each in found.values() if each.status == "passed"}
    assert passed == {"unknown_login", "unknown_get_user", "hostile_identifiers", "quiet", "speed"}
    assert "name a person" in found["right_login"].found


Break = Callable[[Any], None]


def _replaced(name: str, answer: Answer) -> Break:
    return lambda legacy: setattr(legacy, name, lambda *_: answer)


def _always_in(legacy: Any) -> None:
    legacy.login = lambda identifier, *_: legacy.profile(
        legacy.found(identifier) or {"id": 1, "email": "x", "verified": True}
    )


def _any_password(legacy: Any) -> None:
    inner = legacy.login

    def login(identifier: str, password: str, context: Any) -> Answer:
        row = legacy.found(identifier)
        return legacy.profile(row) if row else inner(identifier, password, context)

    legacy.login = login


def _like(legacy: Any) -> None:
    inner = legacy.get_user
    legacy.get_user = lambda typed, context: legacy.profile(legacy.rows[0]) if typed == "%" else inner(typed, context)


def _injected(legacy: Any) -> None:
    inner = legacy.login
    legacy.login = lambda typed, password, context: (
        refused("error", message="syntax") if "'" in typed else inner(typed, password, context)
    )


def _password_injected(legacy: Any) -> None:
    inner = legacy.login
    legacy.login = lambda typed, password, context: (
        legacy.profile(legacy.rows[0]) if password == "%" else inner(typed, password, context)
    )


def _profiles(**change: Any) -> Break:
    def broken(legacy: Any) -> None:
        inner = legacy.profile
        legacy.profile = lambda row: inner(row) | change

    return broken


def _another_id_each_time(legacy: Any) -> None:
    inner, numbers = legacy.login, iter(range(1000))

    def login(*given: Any) -> Answer:
        answer = inner(*given)
        return answer | {"user_id": f"n{next(numbers)}"} if isinstance(answer, dict) else answer

    legacy.login = login


def _number(legacy: Any) -> None:
    legacy.profile = lambda row: {"user_id": row["id"], "email": row["email"], "email_verified": row["verified"]}


def _two_ids(legacy: Any) -> None:
    inner = legacy.get_user

    def get_user(*given: Any) -> Answer:
        answer = inner(*given)
        return answer | {"user_id": f"x{answer['user_id']}"} if answer else answer

    legacy.get_user = get_user


def _created_twice(legacy: Any) -> None:
    inner = legacy.create
    legacy.create = lambda user, context: None if legacy.found(user["email"]) else inner(user, context)


def _needs_a_password(legacy: Any) -> None:
    inner = legacy.create
    legacy.create = lambda user, context: inner(user, context) if "password" in user else ERROR


def _hides_who_has_no_password(legacy: Any) -> None:
    inner = legacy.get_user
    legacy.get_user = lambda typed, context: (
        None if (row := legacy.found(typed)) and row["password"] is None else inner(typed, context)
    )


def _hashes_nothing(legacy: Any) -> None:
    inner = legacy.create
    legacy.create = lambda user, context: inner({"password": Secret("undefined"), **user}, context)


def _deletes_whoever_has_a_password(legacy: Any) -> None:
    inner = legacy.delete
    legacy.delete = lambda user_id, context: (
        None if any(row["password"] is None for row in legacy.rows) else inner(user_id, context)
    )


def _old_password_too(legacy: Any) -> None:
    passwords: set[str] = set()
    inner = legacy.login

    def login(identifier: str, password: str, context: Any) -> Answer:
        row = legacy.found(identifier)
        if row:
            passwords.add(row["password"])
        return legacy.profile(row) if row and password in passwords else inner(identifier, password, context)

    legacy.login = login


def _letters_lost(legacy: Any) -> None:
    legacy.change_password = lambda email, new, _: legacy.update("email", email, password=f"{new}?")


def _found_by_the_old(legacy: Any) -> None:
    inner, former = legacy.get_user, dict[str, Any]()

    def change_email(email: str, new: str, *_: Any) -> Answer:
        former[email] = legacy.found(email)
        return legacy.update("email", email, email=new)

    legacy.change_email = change_email
    legacy.get_user = lambda typed, context: (
        inner(typed, context) or (legacy.profile(former[typed]) if typed in former else None)
    )


def _prints(legacy: Any) -> None:
    legacy.console = ["login ann@example.com the first password"]


def _prints_escaped(legacy: Any) -> None:
    legacy.console = [json.dumps({"password": SPARE.password.reveal()})]


def _slow(legacy: Any) -> None:
    legacy.seconds = 9.0


ERROR = refused("error", message="ECONNREFUSED")
BROKEN = [
    ("unknown_login", _always_in),
    ("unknown_login", _replaced("login", ERROR)),
    ("unknown_login", _replaced("login", RuntimeError("it took longer than 20 s"))),
    ("unknown_get_user", _replaced("get_user", ERROR)),
    ("unknown_get_user", _replaced("get_user", refused("wrong_credentials"))),
    ("unknown_get_user", _replaced("get_user", {"user_id": "1"})),
    ("create", _replaced("create", ERROR)),
    ("create_twice", _created_twice),
    ("create_without_password", _needs_a_password),
    ("create_without_password", _hides_who_has_no_password),
    ("create_without_password", _hashes_nothing),
    ("create_without_password", _deletes_whoever_has_a_password),
    ("right_login", _replaced("login", refused("wrong_credentials"))),
    ("right_login", _profiles(user_id=None)),
    ("stable_id", _another_id_each_time),
    ("stable_id", _number),
    ("same_person", _replaced("get_user", None)),
    ("same_person", _two_ids),
    ("wrong_password", _any_password),
    ("hostile_passwords", _password_injected),
    ("hostile_identifiers", _injected),
    ("hostile_identifiers", _like),
    ("verify", _replaced("verify", None)),
    ("verify", _replaced("verify", True)),
    ("change_password", _replaced("change_password", False)),
    ("change_password", _replaced("change_password", True)),
    ("change_password", _letters_lost),
    ("change_password", _old_password_too),
    ("change_email", _replaced("change_email", True)),
    ("change_email", _found_by_the_old),
    ("change_username", _replaced("change_username", False)),
    ("change_phone_number", _replaced("change_phone_number", ERROR)),
    ("delete", _replaced("delete", None)),
    ("delete", _replaced("delete", ERROR)),
    ("quiet", _prints),
    ("quiet", _prints_escaped),
    ("speed", _slow),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN)
def test_each_check_fails_where_it_must(check: str, broken: Break) -> None:
    legacy = Legacy()
    broken(legacy)
    found = run(legacy)[check]
    assert (found.status, bool(found.found), bool(found.advice)) == ("failed", True, True)


@pytest.mark.parametrize(("name", "how"), [("login", "with WrongUsernameOrPasswordError"), ("get_user", "with null")])
def test_a_script_that_waits_for_ever_for_strangers_is_told_to_call_back(name: str, how: str) -> None:
    legacy = Legacy()
    _replaced(name, RuntimeError("it took longer than 20 s"))(legacy)
    found = run(legacy)[f"unknown_{name}"]
    assert (found.status, found.found) == ("failed", "It failed: it took longer than 20 s")
    assert f"Call back where nobody is found, too: {how}." in found.advice


def _created_with(legacy: Any, answer: Answer) -> None:
    inner = legacy.create
    legacy.create = lambda user, context: answer if legacy.found(user["email"]) else inner(user, context)


def _ignores_context(legacy: Any) -> None:
    inner = legacy.get_user
    legacy.get_user = lambda typed, context: inner(typed, {})


def _names_nobody(legacy: Any) -> None:
    inner = legacy.login

    def login(*given: Any) -> Answer:
        answer = inner(*given)
        return refused("wrong_credentials") if isinstance(answer, ScriptRefusal) else answer

    legacy.login = login


def _deletes_once(legacy: Any) -> None:
    inner = legacy.delete

    def delete(user_id: str, context: Any) -> Answer:
        return inner(user_id, context) if legacy.get_user(user_id, {"identifierType": "user_id"}) else ERROR

    legacy.delete = delete


ADVISED = [
    ("create_twice", lambda legacy: _created_with(legacy, refused("validation", code="taken"))),
    ("profile", _profiles(password_hash="abc")),
    ("profile", _profiles(email_verified=1)),
    ("by_id", _ignores_context),
    ("wrong_password", _names_nobody),
    ("delete_nobody", _deletes_once),
    ("speed", lambda legacy: setattr(legacy, "seconds", 3.0)),
]


@pytest.mark.parametrize(("check", "broken"), ADVISED)
def test_what_works_and_should_be_better(check: str, broken: Break) -> None:
    legacy = Legacy()
    broken(legacy)
    found = run(legacy)
    assert (found[check].status, bool(found[check].advice)) == ("advice", True)
    assert "failed" not in {each.status for each in found.values() if each.check != "verify"}
    assert legacy.rows == []


def test_every_check_is_seen_failing_or_advising() -> None:
    assert {check.id for check in CHECKS} == {check for check, _ in (*BROKEN, *ADVISED)}


def test_whoever_was_made_is_deleted_where_the_login_failed() -> None:
    legacy: Any = Legacy()
    legacy.login = lambda *_: ERROR
    run(legacy)
    assert legacy.rows == []


@pytest.mark.parametrize(
    "body", [{"identifier": "ann"}, {"password": "x"}, {"who": "ann"}, {"identifier": 7, "password": "x"}]
)
def test_a_person_is_named_whole(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        read_contract(body)
