"""People in the customer's own database: what is theirs, what is ours, and what a script cannot do."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, update
from sqlmodel import col

from authenticator import Authenticator
from customer import Answer, Customer, customer, live_elsewhere
from keystead.db import tables
from keystead.rules.circuits import FAILURES
from keystead.rules.configuration import as_ciphertext
from visitor import Visitor
from world import PASSWORD, World

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("installation", ["sqlite"], indirect=True)]

OTHER = "another horse battery"
NO_PASSKEYS: dict[str, Any] = {"authentication_methods": {}}
BOTH: dict[str, Any] = {
    "attributes": {"email": {}, "username": {"signup": {"status": "optional"}}},
    "enable_script_context": True,
}


@pytest.fixture
def people() -> Iterator[Customer]:
    """A customer with a database of their own."""
    with customer() as found:
        yield found


def refusing(kind: str, message: str = "", **more: Any) -> Any:
    """Return what has a script refuse."""
    return lambda given: {"refusal": {"kind": kind, "message": message, **more}}


async def entry(world: World, type: str) -> dict[str, Any]:
    """Return the newest entry of a type."""
    return [row for row in await world.rows(tables.JournalRow) if row["type"] == type][-1]


async def second_connection(world: World) -> str:
    """Make a connection whose people live here, and return its name."""
    await world.new_connection("Second", password_options={"complexity": {"min_length": 8}})
    return "Second"


async def login_at(world: World, realm: str, username: str = "ann@example.com", password: str = PASSWORD) -> Any:
    """Log in at a connection."""
    body: dict[str, Any] = {"realm": realm, "username": username, "password": password, "scope": "openid"}
    return await world.token("http://auth0.com/oauth/grant-type/password-realm", **body)


async def test_a_script_that_fails_stops_its_own_connection_alone(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD)
    await world.signup("bob@example.com", connection=await second_connection(world))
    people.instead["login"] = refusing("error", "ORA-01017: secret details")
    answer = await world.login()
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "ORA" not in answer.text
    found = await entry(world, "f")
    assert found["details"]["script"] == "login"
    assert "ORA-01017" in found["details"]["reason"]
    assert (await login_at(world, "Second", "bob@example.com")).status_code == 200
    landed = await Visitor.of(world).authorize()
    del people.instead["login"]
    await world.tokens()
    assert landed.response.status_code == 200


async def test_guesses_that_a_script_answers_with_an_error_are_counted(world: World, people: Customer) -> None:
    """Many scripts have one error for everything; where nothing answers at all, nobody is locked out by it."""
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD)
    people.instead["login"] = refusing("error", "Wrong password")
    codes = [(await world.login(password=f"guess {number}")).status_code for number in range(12)]
    assert codes == [500] * 10 + [429] * 2
    assert people.count("login") == 10
    silent = people.options("python")["customScripts"] | {"login": "import os\ndef login(*given):\n    os._exit(1)\n"}
    assert (await world.patch_options(customScripts=silent)).status_code == 200
    codes = [(await world.login("bob@example.com")).status_code for _ in range(12)]
    assert codes == [500] * 12


async def test_secrets_that_cannot_be_opened_lock_nobody_out(world: World, people: Customer) -> None:
    """The key that sealed them is gone: that is ours to mend, and no script has seen a guess."""
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD)
    (row,) = [each for each in await world.rows(tables.Connection) if each["id"] == world.connection_id]
    lost = row["options"] | {"configuration": {"key": as_ciphertext(b"x" * 40)}}
    change = update(tables.Connection).where(col(tables.Connection.id) == world.connection_id)
    await world.db.write(lambda it: it.connection().execute(change.values(options=lost)).rowcount)
    assert [(await world.login()).status_code for _ in range(12)] == [500] * 12
    await world.db.write(lambda it: it.connection().execute(change.values(options=row["options"])).rowcount)
    await world.tokens()


@pytest.mark.parametrize(("how", "reason"), [("error", "ORA-01017"), ("open", "left alone for a while")])
async def test_support_finds_out_why_a_script_let_nobody_in(
    world: World, people: Customer, how: str, reason: str
) -> None:
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD)
    await world.tokens()
    (user,) = (await world.manage("GET", "/users")).json()
    people.instead["login"] = refusing("error", "ORA-01017: secret details")
    if how == "open":
        ends = "import os\n\ndef login(*given, context=None):\n    os._exit(1)\n"
        assert (await world.patch_options(customScripts={"login": ends})).status_code == 200
        for _ in range(FAILURES):
            assert (await world.login()).status_code == 500
    visitor = Visitor.of(world)
    page = await visitor.log_in(await visitor.authorize(), "ann@example.com", PASSWORD)
    assert "aria-invalid" not in page.response.text, "the password is not at fault"
    for answer in (await world.login(), page.response):
        decision = answer.headers["keystead-decision"]
        assert reason not in answer.text
        by_id = await world.manage("GET", f"/keystead/decisions/{decision}", scope="read:logs")
        assert by_id.status_code == 200, by_id.text
        told = by_id.json()
        assert (told["rule"], told["script"]) == ("script_failed", "login")
        assert reason in told["detail"]
        assert (told["identifier"], told["user_id"]) == ("email:ann@example.com", user["user_id"])
        assert [each["type"] for each in told["events"]] == ["f"]
        query = {"about": "ann@example.com"}
        scope = "read:logs read:administrators"
        by_whom = await world.manage("GET", "/keystead/decisions", scope=scope, params=query)
        assert decision in [each["id"] for each in by_whom.json()]
    assert (await entry(world, "f"))["user_id"] == user["user_id"]
    doctor = (await world.manage("GET", "/keystead/doctor", scope="read:tenant_settings")).json()
    (finding,) = [each for each in doctor["findings"] if " failed " in each["found"]]
    assert (finding["id"], finding["status"]) == ("scripts", "warning")
    assert finding["remedy"] == f"keystead scripts status {world.connection}"
    failures = [row for row in await world.rows(tables.JournalRow) if row["type"] == "f"]
    assert f"failed {len(failures)} times within a day, login the last: " in finding["found"]
    assert reason in finding["found"]


async def test_what_a_script_says_to_people_is_text(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.instead["login"] = refusing("unauthorized", "<script>alert(1)</script> call us " + "x" * 2000)
    answer = await world.login()
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert len(answer.json()["error_description"]) == 500
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(), "ann@example.com", PASSWORD)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; call us" in landed.response.text
    assert "<script>alert" not in landed.response.text
    assert (await entry(world, "f"))["details"]["script"] == "login"
    people.instead["create"] = refusing("validation", "Not from there.", code="no_such_country")
    refused = await world.signup("new@example.com")
    assert refused.status_code == 400
    assert (refused.json()["name"], refused.json()["code"]) == ("ValidationError", "no_such_country")
    assert (await entry(world, "fs"))["details"]["script"] == "create"
    people.instead["create"] = refusing("validation", "there", code="user_exists")
    assert (await world.signup("new@example.com")).json()["code"] == "invalid_signup"


async def test_what_a_script_says_again_of_secrets_is_masked(world: World, people: Customer) -> None:
    """Errors of drivers have the address of the database with its password, and parameters of the query."""
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD)
    said = f"{people.url} refused ({PASSWORD})"
    for kind, status in (("error", 500), ("unauthorized", 403), ("wrong_credentials", 403)):
        people.instead["login"] = refusing(kind, said, user_id=None)
        assert (await world.login()).status_code == status
        found = await world.last_entry()
        assert (found["details"]["script"], "*** refused (***)" in str(found)) == ("login", True)
        assert not any(secret in str(found) for secret in (PASSWORD, people.url))
    people.instead["create"] = refusing("validation", said, code="x")
    refused = await world.signup("new@example.com", OTHER)
    assert refused.json()["description"] == f"*** refused ({PASSWORD})", "nobody's but the one of the call"
    people.instead["create"] = refusing("validation", f"not {OTHER}", code="x")
    assert (await world.signup("new@example.com", OTHER)).json()["description"] == "not ***"


async def test_the_code_and_the_id_of_a_refusal_are_masked_and_still_decide(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.instead["create"] = lambda given: refusing("validation", "no", code=f"not {given[0]['password']}")(given)
    assert (await world.signup("new@example.com", OTHER)).json()["code"] == "not ***"
    assert OTHER not in str(await world.last_entry())
    people.instead["create"] = refusing("validation", "there", code="user_exists")
    assert (await world.patch_options(configuration={"url": people.url, "word": "exists"})).status_code == 200
    assert (await world.signup("new@example.com", OTHER)).json()["code"] == "invalid_signup"
    people.instead["login"] = lambda given: refusing("wrong_credentials", "no", user_id=given[1])(given)
    await world.login("ann@example.com", "a-wrong-word")
    assert "a-wrong-word" not in str(await world.last_entry())
    people.instead["login"] = refusing("wrong_credentials", "no", user_id="annabel")
    await world.login("ann@example.com", "anna")
    assert (await world.last_entry())["user_id"] == "auth0|annabel", "guesses count, whatever is a part of the id"


@pytest.mark.parametrize("import_mode", [False, True])
async def test_no_script_opens_an_account_of_another_connection(
    world: World, people: Customer, import_mode: bool
) -> None:
    """A number is an id in every database: the script's says nothing of whom we know by it."""
    second = await second_connection(world)
    body = {"connection": second, "email": "owner@example.com", "password": PASSWORD, "user_id": "1"}
    assert (await world.manage("POST", "/users", body)).status_code == 201
    before = await world.rows(tables.Account)
    more = {"import_mode": True} if import_mode else NO_PASSKEYS
    await live_elsewhere(world, people, "python", **more)
    people.add("ann@example.com", PASSWORD, "1")
    answer = await world.login()
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "another connection" in (await entry(world, "f"))["details"]["reason"]
    assert await world.rows(tables.Account) == before
    await world.guess()
    assert (await world.last_entry())["user_id"] is None, "nor is a wrong password said to be theirs"
    assert (await login_at(world, second, "owner@example.com")).status_code == 200


async def test_a_profile_alone_claims_nobodys_address(world: World, people: Customer) -> None:
    """Eve writes Ann's address into her profile, and moves first; Bob's own is his, though nobody verified it."""
    await live_elsewhere(world, people, "python", "login", "get_user", import_mode=True, **BOTH)
    people.add("ann@example.com", PASSWORD, "1", username="ann", email_verified=True)
    people.add("ann@example.com", OTHER, "2", username="eve", email_verified=False)
    people.add("bob@example.com", PASSWORD, "3", username="bob")
    await world.tokens("eve", OTHER)
    await world.tokens("ann@example.com")
    await world.tokens("bob")
    held = {(row["user_id"], row["value"]) for row in await world.rows(tables.AccountIdentifier)}
    owned = {("auth0|1", "ann@example.com"), ("auth0|1", "ann"), ("auth0|3", "bob@example.com"), ("auth0|3", "bob")}
    assert held == owned | {("auth0|2", "eve")}
    rows = {row["user_id"]: row["email"] for row in await world.rows(tables.Account)}
    assert rows == {"auth0|1": "ann@example.com", "auth0|2": None, "auth0|3": "bob@example.com"}


ALIKE: dict[str, Any] = {
    "attributes": {
        "email": {},
        "username": {"signup": {"status": "optional"}, "validation": {"allowed_types": {"email": True}}},
    },
}


@pytest.mark.parametrize("rules", [BOTH, BOTH | ALIKE], ids=["plain", "alike"])
@pytest.mark.parametrize("import_mode", [False, True])
@pytest.mark.parametrize("said", [{"email": None}, {}], ids=["null", "absent"])
async def test_a_username_that_is_anothers_address_takes_it_from_nobody(
    world: World, people: Customer, import_mode: bool, rules: dict[str, Any], said: dict[str, Any]
) -> None:
    """An old username that is Ann's address, with a password of its own, is no word of Ann's."""
    await live_elsewhere(world, people, "python", import_mode=import_mode, **rules)
    people.add("ann@example.com", PASSWORD, "1", username="ann")
    people.people["2"] = {"user_id": "2", "username": "ann@example.com", "password": OTHER, **said}

    def by_either(given: list[Any]) -> Answer:
        rows = [each for each in people.people.values() if given[0] in (each.get("email"), each["username"])]
        right = next((each for each in rows if each["password"] == given[1]), None)
        shown = {name: value for name, value in (right or {}).items() if name != "password"}
        return {"value": shown or None}

    people.instead["login"] = by_either
    if not import_mode:
        await world.tokens()
    await world.login(password=OTHER)
    await world.tokens()
    await world.tokens("ann")
    rows = {row["user_id"]: row["email"] for row in await world.rows(tables.Account)}
    assert rows["auth0|1"] == "ann@example.com"
    assert rows.get("auth0|2") is None


async def test_our_rows_follow_what_the_customer_changes(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", **BOTH)
    people.add("ann@example.com", PASSWORD, "1", username="ann", name="Ann", city="Berlin")
    people.add("bob@example.com", OTHER, "2", username="bob")
    await world.tokens()
    await world.tokens("bob", OTHER)
    # Ann leaves, and Bob gets her address: nobody told us.
    people.people["1"] |= {"email": "ann@new.example", "name": "Ann B.", "city": None, "email_verified": True}
    people.people["2"] |= {"email": "ann@example.com", "username": None}
    await world.tokens("ann@example.com", OTHER)
    rows = {row["user_id"]: row for row in await world.rows(tables.Account)}
    assert (rows["auth0|1"]["email"], rows["auth0|2"]["email"]) == (None, "ann@example.com")
    assert rows["auth0|2"]["username"] is None
    await world.tokens("ann@new.example")
    shown = (await world.manage("GET", "/users/auth0%7C1")).json()
    assert (shown["email"], shown["email_verified"], shown["name"]) == ("ann@new.example", True, "Ann B.")
    assert "city" not in shown
    held = {(row["kind"], row["value"]): row["user_id"] for row in await world.rows(tables.AccountIdentifier)}
    assert held == {
        ("email", "ann@example.com"): "auth0|2",
        ("email", "ann@new.example"): "auth0|1",
        ("username", "ann"): "auth0|1",
    }


async def test_what_is_shown_of_the_rest_and_to_whom(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", non_persistent_attrs=["gender"], **NO_PASSKEYS)
    more = {"access_token": "at", "refresh_token": "rt", "city": "Berlin", "gender": "f", "blocked": True}
    people.add("ann@example.com", PASSWORD, "1", **more, user_metadata={"plan": "basic"})
    await world.tokens()
    user = (await world.manage("GET", "/users/auth0%7C1", scope="read:users")).json()
    assert (user["city"], user["user_metadata"]) == ("Berlin", {"plan": "basic"})
    assert "gender" not in user
    assert "blocked" not in user
    assert "access_token" not in str(user)
    whole = (await world.manage("GET", "/users/auth0%7C1", scope="read:users read:user_idp_tokens")).json()
    (identity,) = whole["identities"]
    assert (identity["access_token"], identity["refresh_token"]) == ("at", "rt")
    entry = await world.last_entry()
    assert (entry["type"], entry["user_id"], entry["actor"] != "") == ("mgmt_api_read", "auth0|1", True)
    assert entry["details"]["tokens"] == ["access_token", "refresh_token"]
    assert "rt" not in entry["details"].values()
    before = await world.journal()
    for query, scope in (("?fields=email", "read:users read:user_idp_tokens"), ("", "read:users")):
        await world.manage("GET", f"/users/auth0%7C1{query}", scope=scope)
    assert await world.journal() == before, "nothing was handed out"
    stored = (await world.rows(tables.Account))[0]
    assert b"rt" not in stored["sealed_extras"]
    assert stored["other_attributes"] == {"city": "Berlin"}
    # From then on metadata is ours.
    people.people["1"]["user_metadata"] = {"plan": "gold"}
    await world.tokens()
    assert (await world.rows(tables.Account))[0]["user_metadata"] == {"plan": "basic"}


@pytest.mark.parametrize(
    ("when", "names"),
    [
        ("on_each_login", ["Ann", "Ann B."]),
        ("on_first_login", ["Ann", "Ann"]),
        ("never_on_login", ["ann@example.com", "ann@example.com"]),
    ],
)
async def test_names_follow_as_the_option_says(world: World, people: Customer, when: str, names: list[str]) -> None:
    await live_elsewhere(world, people, "python", set_user_root_attributes=when, **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD, "1", name="Ann")
    found = []
    for name in ("Ann", "Ann B."):
        people.people["1"]["name"] = name
        await world.tokens()
        found.append((await world.rows(tables.Account))[0]["name"])
    assert found == names


async def test_administrators_change_what_is_ours_and_what_a_script_changes(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", **BOTH)
    people.add("ann@example.com", PASSWORD, "1", username="ann", name="Ann")
    people.add("bob@example.com", PASSWORD, "2")
    await world.tokens()

    async def patch(**body: Any) -> Any:
        return await world.manage("PATCH", "/users/auth0%7C1", body)

    for refused in ({"name": "Other"}, {"email_verified": True}, {"username": None}):
        answer = await patch(**refused)
        assert answer.status_code == 400
        assert next(iter(refused)) in answer.json()["message"]
    assert (await patch(user_metadata={"a": 1}, blocked=False)).status_code == 200
    assert (await patch(email="bob@example.com")).status_code == 409
    assert (await patch(email="ann@new.example", email_verified=True)).json()["email"] == "ann@new.example"
    assert people.people["1"]["email"] == "ann@new.example"
    assert (await patch(username="anne")).json()["username"] == "anne"
    assert (await patch(password=OTHER)).status_code == 200
    assert people.people["1"]["password"] == OTHER
    await world.tokens("anne", OTHER)
    people.instead["change_email"] = refusing("error", "read only")
    failed = await patch(email="ann@third.example")
    assert (failed.status_code, failed.json()["errorCode"]) == (500, "auth0_idp_error")
    assert (await entry(world, "fce"))["details"]["script"] == "change_email"
    assert (await world.rows(tables.Account))[0]["email"] == "ann@new.example"


async def test_a_new_number_and_a_new_password_are_of_one_person(world: World, people: Customer) -> None:
    """Somebody has a number and nothing else, and the script of the password finds them by the new one."""
    optional = {"signup": {"status": "optional"}}
    attributes = {"email": optional, "phone_number": optional}
    await live_elsewhere(world, people, "python", attributes=attributes, **NO_PASSKEYS)
    old, new = "+14155552671", "+14155552672"
    people.people["1"] = {"user_id": "1", "phone_number": old, "password": PASSWORD}
    await world.tokens(old)
    answer = await world.manage("PATCH", "/users/auth0%7C1", {"phone_number": new, "password": OTHER})
    assert answer.status_code == 200, answer.text
    assert (people.people["1"]["phone_number"], people.people["1"]["password"]) == (new, OTHER)
    await world.tokens(new, OTHER)


async def test_who_is_deleted_during_a_login_stays_deleted(world: World, people: Customer) -> None:
    """There and here, after the script said who they are and before we wrote it down."""
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD, "1", name="Ann")
    await world.tokens()
    people.people["1"]["name"] = "Ann B."
    pending = ["DELETE FROM account WHERE user_id = 'auth0|1'"]

    def deleted_first(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE account ") and pending:
            connection.exec_driver_sql(pending.pop())

    event.listen(Engine, "before_cursor_execute", deleted_first)
    try:
        answer = await world.login()
    finally:
        event.remove(Engine, "before_cursor_execute", deleted_first)
    assert (pending, answer.status_code) == ([], 500)
    assert await world.count(tables.Account) == 0
    assert (await entry(world, "f"))["details"]["reason"] == "the account was deleted meanwhile"


async def test_without_a_script_there_is_no_such_thing(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "node", "login", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD, "1")
    await world.tokens()
    deleted = await world.manage("DELETE", "/users/auth0%7C1")
    assert (deleted.status_code, deleted.json()["errorCode"]) == (400, "operation_not_supported")
    assert "delete script" in deleted.json()["message"]
    assert (await world.signup("new@example.com")).status_code == 400
    for refused in ({"email": "x@example.com"}, {"password": OTHER}):
        assert (await world.manage("PATCH", "/users/auth0%7C1", refused)).status_code == 400
    assert await world.count(tables.Account) == 1


async def test_who_cannot_be_deleted_there_stays_here(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD, "1")
    await world.tokens()
    people.instead["delete"] = refusing("error", "foreign key")
    path = f"/connections/{world.connection_id}/users?email=ann@example.com"
    for answer in (await world.manage("DELETE", "/users/auth0%7C1"), await world.manage("DELETE", path)):
        assert (answer.status_code, answer.json()["errorCode"]) == (500, "auth0_idp_error")
    assert (await entry(world, "fdu"))["details"]["script"] == "delete"
    assert await world.count(tables.Account) == 1
    del people.instead["delete"]
    assert (await world.manage("DELETE", path)).status_code == 204
    assert (people.people, await world.count(tables.Account)) == ({}, 0)
    assert people.asked[-1] == ("delete", ["1"]), "without auth0| in front"


async def test_where_people_live_is_not_changed_under_them(world: World, people: Customer) -> None:
    await world.person()
    answer = await world.patch_options(**people.options("python", **NO_PASSKEYS))
    recorded = 'This database contains users. You cannot change "options.enabledDatabaseCustomization" setting.'
    assert (answer.status_code, answer.json()["message"]) == (400, recorded)
    await world.tokens()


async def test_who_is_deleted_here_comes_back_fresh(world: World, people: Customer) -> None:
    """The same id, and nothing of what the account before was given (incident 66)."""
    await live_elsewhere(world, people, "python", "login", "get_user", import_mode=True)
    people.add("ann@example.com", PASSWORD, "1")
    before = await world.tokens(scope="openid offline_access")
    await world.delete_user("auth0|1")
    world.clock.advance(seconds=5)
    after = await world.tokens()
    assert (await world.userinfo(after["access_token"])).json()["sub"] == "auth0|1"
    assert (await world.userinfo(before["access_token"])).status_code == 401
    assert (await world.token("refresh_token", refresh_token=before["refresh_token"])).status_code == 403


async def test_a_password_stays_there_until_it_is_used_or_replaced(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", "login", "get_user", import_mode=True)
    people.add("ann@example.com", PASSWORD, "1", user_metadata={"plan": "basic"}, city="Berlin")
    assert (await world.signup("ann@example.com", OTHER)).status_code == 400  # which meets her
    (row,) = await world.rows(tables.Account)
    assert (row["user_id"], row["user_metadata"], row["other_attributes"]) == (
        "auth0|1",
        {"plan": "basic"},
        {"city": "Berlin"},
    )
    people.people["1"]["password"] = OTHER  # changed there before she comes
    assert (await world.login()).status_code == 403
    await world.tokens(password=OTHER)
    people.people["1"]["password"] = PASSWORD  # and after: ours counts from then on
    assert (await world.login()).status_code == 403
    asked = people.count("login")
    await world.tokens(password=OTHER)
    assert people.count("login") == asked
    # Finished: both scripts answer that there is nobody (MG-5).
    people.instead |= {"login": lambda given: {"value": None}, "get_user": lambda given: {"value": None}}
    await world.tokens(password=OTHER)
    assert (await world.login("bob@example.com")).status_code == 403
    assert (await world.signup("bob@example.com")).status_code == 200
    await world.tokens("bob@example.com")


async def test_a_password_of_a_moved_account_is_not_the_one_before(world: World, people: Customer) -> None:
    """Import mode off, a new password there, and on again: what we kept is older than theirs."""
    await live_elsewhere(world, people, "python", "login", "get_user", import_mode=True, **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD, "1")
    await world.tokens()
    await live_elsewhere(world, people, "python", import_mode=False, **NO_PASSKEYS)
    people.people["1"]["password"] = OTHER
    assert (await world.login()).status_code == 403
    await world.tokens(password=OTHER)
    await live_elsewhere(world, people, "python", import_mode=True, **NO_PASSKEYS)
    assert (await world.login()).status_code == 403
    await world.tokens(password=OTHER)


@pytest.mark.parametrize("language", ["node", "python"])
async def test_a_passkey_sign_up_creates_somebody_there(world: World, people: Customer, language: Any) -> None:
    await live_elsewhere(world, people, language, enable_script_context=True)
    authenticator = Authenticator()
    await world.register(authenticator)
    (person,) = people.people.values()
    assert (person["email"], person["password"]) == ("ann@example.com", None)
    assert (await world.passkey_login(authenticator)).status_code == 200
    taken = await world.begin_register()
    assert taken.status_code == 400


async def test_no_passkey_gets_into_an_account_that_was_there(world: World, people: Customer) -> None:
    """By a create script that updates whom it should create."""
    await live_elsewhere(world, people, "python", enable_script_context=True)
    people.add("ann@example.com", PASSWORD, "1")
    await world.tokens()
    people.instead["create"] = lambda given: {"value": {"user_id": "1", "email": "mallory@example.com"}}
    authenticator = Authenticator()
    begun = (await world.begin_register("mallory@example.com")).json()
    response = authenticator.create(begun["authn_params_public_key"], origin="http://localhost:8000")
    answer = await world.exchange(begun["auth_session"], response)
    assert answer.status_code == 500
    assert await world.count(tables.Passkey) == 0
    assert (await world.rows(tables.Account))[0]["email"] == "ann@example.com"


async def test_create_is_told_who_signs_up(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "node", **BOTH)
    assert (await world.signup(username="ann", user_metadata={"plan": "basic"}, given_name="Ann")).status_code == 200
    order = [name for name, _ in people.asked]
    assert order[:3] == ["get_user", "get_user", "create"]
    user, context = next(given for name, given in people.asked if name == "create")
    assert context == {}
    assert user == {
        "tenant": "localhost",
        "connection": world.connection,
        "client_id": world.client_id,
        "email": "ann@example.com",
        "username": "ann",
        "password": PASSWORD,
        "user_metadata": {"plan": "basic"},
        "given_name": "Ann",
    }
    assert (await world.login("Ann@Example.com ")).status_code == 403, "for the customer to compare"
    assert people.asked[-1] == ("login", ["Ann@Example.com", PASSWORD, {}]), "as it was typed"


async def test_a_full_lock_asks_no_script(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD, "1")
    for _ in range(10):
        assert (await world.guess()).status_code == 403
    asked = people.count("login")
    assert (asked, (await world.login()).status_code) == (10, 429)
    assert people.count("login") == asked


async def test_the_hardened_profile_tells_the_owner_and_nobody_else(world: World, people: Customer) -> None:
    await live_elsewhere(world, people, "python", security_profile="hardened", **NO_PASSKEYS)
    people.add("ann@example.com", PASSWORD, "1")
    taken, free = await world.signup("ann@example.com", OTHER), await world.signup("new@example.com", OTHER)
    assert [each.status_code for each in (taken, free)] == [200, 200]
    assert taken.json().keys() == free.json().keys()
    assert [each["email"] for each in people.people.values()] == ["ann@example.com", "new@example.com"]
    told = [letter for letter in await world.letters() if letter.to == "ann@example.com"]
    assert len(told) == 1
