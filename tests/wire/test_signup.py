"""``POST /dbconnections/signup``, byte for byte (auth0-behaviour 2.1)."""

import json
from typing import Any

import pytest

from keystead.db import tables
from world import PASSWORD, World

INVALID = {"name": "BadRequestError", "code": "invalid_signup", "description": "Invalid sign up", "statusCode": 400}
ATTRIBUTES = {
    "email": {"signup": {"status": "optional"}},
    "phone_number": {"signup": {"status": "optional"}},
    "username": {"signup": {"status": "optional"}},
}


async def accounts(world: World) -> int:
    return await world.count(tables.Account)


async def test_what_a_sign_up_answers(world: World) -> None:
    answer = await world.signup("ann@example.com", user_metadata={"plan": "basic"}, given_name="Ann", family_name="B")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    found = answer.json()
    assert list(found) == ["_id", "email", "email_verified", "given_name", "family_name", "user_metadata"]
    assert len(found.pop("_id")) == 24
    assert found == {
        "email": "ann@example.com",
        "email_verified": False,
        "given_name": "Ann",
        "family_name": "B",
        "user_metadata": {"plan": "basic"},
    }
    assert await world.journal() == ["ss", "svr"]


async def test_only_what_was_given_is_shown(world: World) -> None:
    assert list((await world.signup("ann@example.com")).json()) == ["_id", "email", "email_verified"]
    given = {"name": "Ann B", "nickname": "annie", "picture": "https://example.com/ann.png"}
    found = (await world.signup("bob@example.com", **given)).json()
    assert {name: found[name] for name in given} == given


async def test_every_identifier_in_the_recorded_order(world: World) -> None:
    await world.patch_options(attributes=ATTRIBUTES)
    answer = await world.signup("Ann@Example.com", username="Ann", phone_number="+1 (415) 555-2671")
    found = answer.json()
    assert list(found) == ["_id", "email", "username", "email_verified", "phone_number", "phone_verified"]
    assert found["username"] == "ann"
    assert (found["phone_number"], found["phone_verified"]) == ("+14155552671", False)
    phone = await world.signup(None, phone_number="+14155552672")  # type: ignore[arg-type]  # null: absent
    assert list(phone.json()) == ["_id", "phone_number", "phone_verified"]


@pytest.mark.parametrize("spelling", ["ANN@EXAMPLE.COM", " ann@example.com ", "Ann@Example.Com"])
async def test_an_address_has_one_spelling(shared_world: World, spelling: str) -> None:
    name = f"{spelling!r}".encode().hex()[:20]
    answer = await shared_world.signup(spelling.replace("nn@", f"nn{name}@").replace("NN@", f"NN{name}@"))
    assert answer.json()["email"] == f"ann{name}@example.com"


async def test_nobody_is_logged_in(world: World) -> None:
    answer = await world.signup()
    assert "set-cookie" not in answer.headers
    assert not {"access_token", "id_token"} & set(answer.json())
    assert (await world.counts())["RefreshToken"] == 0


async def test_an_identifier_is_somebody_s_once(world: World) -> None:
    await world.patch_options(attributes=ATTRIBUTES)
    await world.signup("ann@example.com", username="ann", phone_number="+14155552671")
    before = await world.counts()
    for more in (
        {"email": "ann@example.com"},
        {"email": "ANN@example.com"},
        {"email": "new@example.com", "username": "ANN"},
        {"email": "new@example.com", "phone_number": "+1 415 555 2671"},
        {"email": "new@example.com", "password": "another long password", "username": "ann"},
    ):
        answer = await world.signup(**{"email": "", **more})
        assert (answer.status_code, answer.json()) == (400, INVALID), more
        assert list(answer.json()) == ["name", "code", "description", "statusCode"]
    assert await world.counts() == before
    assert (await world.journal())[-5:] == ["fs"] * 5
    assert (await world.login("new@example.com")).status_code == 403


async def test_a_taken_address_costs_the_same_hash(world: World) -> None:
    await world.signup()
    before = world.hasher.hashed
    await world.signup()
    assert world.hasher.hashed == before + 1


WRONG: list[tuple[dict[str, Any], str, str | None]] = [
    ({"client_id": None}, "invalid_request", "Missing required parameter: client_id"),
    ({"client_id": ""}, "invalid_request", "Missing required parameter: client_id"),
    ({"client_id": 7}, "invalid_request", "Missing required parameter: client_id"),
    ({"connection": None}, "invalid_request", "Missing required parameter: connection"),
    ({"connection": ["x"]}, "invalid_request", "Missing required parameter: connection"),
    ({"email": None}, "invalid_signup", "email is required"),
    ({"email": ""}, "invalid_signup", "email is required"),
    ({"email": 7}, "invalid_signup", "email must be a text"),
    ({"email": "ann"}, "invalid_signup", "The email is not a valid address."),
    ({"email": "ann@example"}, "invalid_signup", "The email is not a valid address."),
    ({"email": "ann@@example.com"}, "invalid_signup", "The email is not a valid address."),
    ({"email": "ann\u200b@example.com"}, "invalid_signup", "The email contains characters that are not allowed."),
    ({"email": "a" * 65 + "@example.com"}, "invalid_signup", "The email is not a valid address."),
    ({"email": "ann@example.com" + "x" * 2000}, "invalid_signup", "The email is too long."),
    ({"email": "ann@example.com, bob@example.com"}, "invalid_signup", None),
    ({"username": "ann"}, "invalid_signup", "username is not allowed"),
    ({"phone_number": "+14155552671"}, "invalid_signup", "phone_number is not allowed"),
    ({"password": None}, "invalid_signup", "password is required"),
    ({"password": 12345678}, "invalid_request", "Parameter password must be a string"),
    ({"password": {}}, "invalid_request", "Parameter password must be a string"),
    ({"password": "x" * 5000}, "invalid_request", None),
    ({"password": "correct horse\tbattery"}, "invalid_request", None),
    ({"given_name": ""}, "invalid_request", "given_name must be a text of 1 to 150 characters."),
    ({"given_name": "x" * 151}, "invalid_request", "given_name must be a text of 1 to 150 characters."),
    ({"family_name": 7}, "invalid_request", "family_name must be a text of 1 to 150 characters."),
    ({"name": "x" * 301}, "invalid_request", "name must be a text of 1 to 300 characters."),
    ({"nickname": []}, "invalid_request", "nickname must be a text of 1 to 300 characters."),
    ({"picture": "javascript:alert(1)"}, "invalid_request", "picture must be a web address."),
    ({"user_metadata": "x"}, "invalid_request", "user_metadata must be an object of at most 10 members."),
    (
        {"user_metadata": {str(number): "x" for number in range(11)}},
        "invalid_request",
        "user_metadata must be an object of at most 10 members.",
    ),
    ({"user_metadata": {"x": "x" * 501}}, "invalid_request", "user_metadata takes texts of at most 500 characters."),
    ({"user_metadata": {"x": 7}}, "invalid_request", "user_metadata takes texts of at most 500 characters."),
    ({"user_metadata": {"x" * 101: "x"}}, "invalid_request", "user_metadata takes texts of at most 500 characters."),
    ({"user_metadata": {"a.b": "x"}}, "invalid_request", "user_metadata takes texts of at most 500 characters."),
]


@pytest.mark.parametrize(("change", "code", "description"), WRONG, ids=[str(row[0])[:40] for row in WRONG])
async def test_a_wrong_field_stores_nothing(
    shared_world: World, change: dict[str, Any], code: str, description: str | None
) -> None:
    before = await accounts(shared_world)
    answer = await shared_world.signup(**{"email": "wrong@example.com", "password": PASSWORD, **change})
    found = answer.json()
    assert answer.status_code == 400
    assert list(found) == ["name", "code", "description", "statusCode"]
    assert (found["name"], found["code"], found["statusCode"]) == ("BadRequestError", code, 400)
    assert description is None or found["description"] == description
    assert await accounts(shared_world) == before


async def test_the_limits_of_metadata_are_inside(world: World) -> None:
    metadata = {"x" * 99 + str(number): "y" * 500 for number in range(10)}
    assert (await world.signup(user_metadata=metadata)).json()["user_metadata"] == metadata


async def test_metadata_of_the_application_is_not_the_public_s_to_set(world: World) -> None:
    answer = await world.signup(app_metadata={"role": "owner"}, blocked=False, email_verified=True, user_id="chosen")
    assert answer.status_code == 200
    person = (await world.manage("GET", f"/users/auth0%7C{answer.json()['_id']}")).json()
    assert "app_metadata" not in person
    assert person["email_verified"] is False
    assert answer.json()["_id"] != "chosen"


GOOD = {
    "message": "Contain at least %d of the following %d types of characters:",
    "format": [3, 4],
    "code": "containsAtLeast",
    "items": [
        {"message": "lower case letters (a-z)", "code": "lowerCase", "verified": True},
        {"message": "upper case letters (A-Z)", "code": "upperCase", "verified": False},
        {"message": "numbers (i.e. 0-9)", "code": "numbers", "verified": False},
        {"message": "special characters (e.g. !@#$%^&*)", "code": "specialCharacters", "verified": False},
    ],
    "verified": False,
}


def length(least: int) -> dict[str, Any]:
    return {
        "message": "At least %d characters in length",
        "format": [least],
        "code": "lengthAtLeast",
        "verified": False,
    }


async def test_a_weak_password_by_the_level_good(world: World) -> None:
    await world.patch_options(password_options=None, passwordPolicy="good")
    answer = await world.signup(password="abc")
    assert answer.status_code == 400
    assert answer.json() == {
        "name": "PasswordStrengthError",
        "message": "Password is too weak",
        "code": "invalid_password",
        "description": {"rules": [length(8), GOOD], "verified": False},
        "policy": "* At least 8 characters in length\n"
        "* Contain at least 3 of the following 4 types of characters:\n"
        " * lower case letters (a-z)\n"
        " * upper case letters (A-Z)\n"
        " * numbers (i.e. 0-9)\n"
        " * special characters (e.g. !@#$%^&*)",
        "statusCode": 400,
    }
    assert await accounts(world) == 0


@pytest.mark.parametrize("password", ["", "short", "fourteen-chars"])
async def test_a_short_password_by_the_default_policy(shared_world: World, password: str) -> None:
    before = await accounts(shared_world)
    answer = await shared_world.signup("weak@example.com", password)
    assert answer.json() == {
        "name": "PasswordStrengthError",
        "message": "Password is too weak",
        "code": "invalid_password",
        "description": {"rules": [length(15)], "verified": False},
        "policy": "* At least 15 characters in length",
        "statusCode": 400,
    }
    assert await accounts(shared_world) == before


async def test_a_password_of_73_bytes_is_refused_and_one_of_72_is_not(world: World) -> None:
    answer = await world.signup("ann@example.com", "x" * 73)
    codes = [rule["code"] for rule in answer.json()["description"]["rules"]]
    assert codes == ["lengthAtLeast", "maxLength"]
    assert (await world.signup("ann@example.com", "x" * 72)).status_code == 200
    assert (await world.login("ann@example.com", "x" * 72)).status_code == 200
    assert (await world.login("ann@example.com", "x" * 73)).status_code == 403


async def test_a_password_that_names_the_person(world: World) -> None:
    await world.patch_options(password_options={"profile_data": {"active": True}})
    answer = await world.signup("annabella@example.com", "I am Annabella, hello")
    assert answer.status_code == 400
    assert answer.json() == {
        "name": "PasswordNoUserInfoError",
        "message": "Password contains user information",
        "code": "invalid_password",
        "description": "Password contains user information",
        "statusCode": 400,
    }


async def test_a_password_may_be_left_out_only_where_the_connection_says_so(world: World) -> None:
    methods = {"password": {"api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    assert (await world.signup("ann@example.com", None)).status_code == 200
    assert (await world.signup("bob@example.com", "")).json()["code"] == "invalid_password"
    blocked = {"password": {"signup_behavior": "block", "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=blocked)
    answer = await world.signup("bob@example.com")
    assert answer.json() == INVALID | {"description": "password is not allowed"}


async def test_sign_up_can_be_switched_off(world: World) -> None:
    await world.patch_options(disable_signup=True)
    for email in ("ann@example.com", "no address"):
        answer = await world.signup(email)
        assert (answer.status_code, answer.json()) == (400, {"error": "public signup is disabled"})
    await world.patch_options(disable_signup=False)
    assert (await world.signup()).status_code == 200


async def test_a_connection_that_is_not_there_for_the_client(world: World) -> None:
    elsewhere = await world.new_client(app_type="native")
    connection_id = await world.new_connection("Elsewhere", clients=[elsewhere["client_id"]])
    switch = [{"client_id": elsewhere["client_id"], "status": False}]
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    for change in (
        {"connection": "nowhere"},
        {"connection": "Elsewhere"},  # exists, not for the default client
        {"connection": "Administrators"},
        {"connection": world.connection_id},  # an id is no name
        {"connection": world.connection.lower()},
        {"client_id": "nobody"},
        {"client_id": elsewhere["client_id"]},
    ):
        answer = await world.signup(**change)
        assert (answer.status_code, answer.json()) == (400, {"error": "connection not found"}), change
    await world.manage("PATCH", f"/connections/{connection_id}", {"authentication": {"active": False}})
    answer = await world.signup(client_id=elsewhere["client_id"], connection="Elsewhere")
    assert answer.json() == {"error": "connection not found"}
    assert await accounts(world) == 0


async def test_a_form_will_do(world: World) -> None:
    form = {"client_id": world.client_id, "connection": world.connection, "email": "Ann@example.com"}
    answer = await world.client.post("/dbconnections/signup", data=form | {"password": PASSWORD, "given_name": "Ann"})
    assert answer.status_code == 200
    assert answer.json()["email"] == "ann@example.com"
    assert answer.json()["given_name"] == "Ann"
    weak = await world.client.post("/dbconnections/signup", data=form | {"password": ""})
    assert weak.json()["code"] == "invalid_password"


async def test_unknown_members_are_ignored(world: World) -> None:
    answer = await world.signup(captcha="x", state="y", organization="z", something={"deep": [1, 2, {"er": None}]})
    assert answer.status_code == 200
    assert list(answer.json()) == ["_id", "email", "email_verified"]


async def test_two_connections_keep_their_people_apart(world: World) -> None:
    await world.new_connection("Second")
    first, second = await world.signup(), await world.signup(connection="Second", password="another long password")
    assert first.json()["_id"] != second.json()["_id"]
    assert (await world.login(realm="Second")).status_code == 403
    assert (await world.login(realm="Second", password="another long password")).status_code == 200


async def test_the_body_is_json_of_the_recorded_form(world: World) -> None:
    text = (await world.signup("ann@example.com", user_metadata={"näme": "Änn"})).text
    assert json.loads(text)["user_metadata"] == {"näme": "Änn"}
    assert '"näme":"Änn"' in text
