"""``password`` and ``password-realm`` at ``POST /oauth/token`` (auth0-behaviour 2.4, LG-1 to LG-3)."""

from typing import Any

import pytest

from keystead.rules.authority import CURRENT_USER_SCOPES
from world import PASSWORD, REALM_GRANT, World, basic, claims_of

WRONG = {"error": "invalid_grant", "error_description": "Wrong email or password."}
UNAUTHORIZED = {"error": "access_denied", "error_description": "Unauthorized"}


async def test_what_a_login_answers(world: World) -> None:
    user_id = await world.person()
    answer = await world.login(scope="openid profile email offline_access")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    found = answer.json()
    assert list(found) == ["access_token", "id_token", "refresh_token", "scope", "expires_in", "token_type"]
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 86400)
    assert found["scope"] == "openid profile email offline_access"
    now = int(world.clock().timestamp())
    assert claims_of(found["id_token"]) == {
        "nickname": "ann",
        "name": "ann@example.com",
        "picture": "http://localhost:8000/avatars/an.svg",
        "updated_at": "2026-06-01T12:00:00.000Z",
        "email": "ann@example.com",
        "email_verified": False,
        "iss": "http://localhost:8000/",
        "sub": user_id,
        "auth_time": now,
        "iat": now,
        "exp": now + 36_000,
        "aud": world.client_id,
        "amr": ["pwd"],
        "acr": "pwd",
    }
    access = claims_of(found["access_token"])
    assert access.pop("jti")
    assert access.pop("auth_at") == now * 1_000_000
    assert access == {
        "iss": "http://localhost:8000/",
        "sub": user_id,
        "auth_time": now,
        "iat": now,
        "exp": now + 86_400,
        "aud": "http://localhost:8000/userinfo",
        "azp": world.client_id,
        "client_id": world.client_id,
        "scope": "openid profile email offline_access",
        "amr": ["pwd"],
        "acr": "pwd",
    }
    assert await world.journal(user_id) == ["ss", "svr", "s"]


async def test_a_form_says_the_same(world: World) -> None:
    await world.person()
    form = {"grant_type": "password", "client_id": world.client_id, "username": "ann@example.com", "password": PASSWORD}
    answer = await world.client.post("/oauth/token", data=form)
    assert answer.status_code == 200
    assert answer.json()["scope"] == "openid profile email phone address"
    wrong = await world.client.post("/oauth/token", data=form | {"password": "wrong"})
    assert (wrong.status_code, wrong.json()) == (403, WRONG)


@pytest.mark.parametrize("absent", [None, ""])
async def test_null_and_empty_are_absent(shared_world: World, absent: str | None) -> None:
    await shared_world.signup("absent@example.com")
    names = ("realm", "scope", "audience", "organization", "redirect_uri", "client_secret")
    answer = await shared_world.login("absent@example.com", **dict.fromkeys(names, absent))
    assert answer.status_code == 200
    assert answer.json()["scope"] == "openid profile email phone address"  # LG-3: all, but offline_access


async def test_scope_is_what_was_asked_of_what_there_is(world: World) -> None:
    await world.person()
    assert (await world.tokens(scope="openid unheard:of email"))["scope"] == "openid email"
    without = await world.tokens(scope="email")
    assert "id_token" not in without
    assert "refresh_token" not in without
    twice = await world.tokens(scope="openid openid  email")
    assert twice["scope"] == "openid email"
    malformed = await world.login(scope='openid "email"')
    assert malformed.json() == {"error": "invalid_request", "error_description": "Malformed scope"}


async def test_an_audience(world: World) -> None:
    await world.person()
    found = await world.tokens(audience="http://localhost:8000/me/", scope="")
    scopes = found["scope"].split()
    assert "read:me:authentication_methods" in scopes
    assert "offline_access" not in scopes
    assert claims_of(found["access_token"])["aud"] == ["http://localhost:8000/me/", "http://localhost:8000/userinfo"]
    narrow = await world.tokens(audience="http://localhost:8000/me/", scope="read:me:authentication_methods")
    assert claims_of(narrow["access_token"])["aud"] == "http://localhost:8000/me/"


async def test_a_person_gets_no_power_over_the_management_api(world: World) -> None:
    await world.person()
    audience = world.first["management_audience"]
    for scope in ("", "read:users update:connections", "openid offline_access read:users"):
        found = await world.tokens(audience=audience, scope=scope)
        assert {each for each in found["scope"].split() if ":" in each} <= set(CURRENT_USER_SCOPES)
        assert "refresh_token" not in found
        header = {"authorization": f"Bearer {found['access_token']}"}
        answer = await world.client.get("/api/v2/users", headers=header)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope")


NOWHERE = ["https://nowhere.example", "/api/v2/", "http://localhost:8000/api/v2", "x" * 9000]


@pytest.mark.parametrize("audience", NOWHERE, ids=[each[:30] for each in NOWHERE])
async def test_an_unknown_audience(shared_world: World, audience: str) -> None:
    answer = await shared_world.login("whoever@example.com", audience=audience)
    assert answer.status_code == 403
    assert answer.json() == {"error": "access_denied", "error_description": f"Service not found: {audience}"}


async def test_realms(world: World) -> None:
    await world.new_connection("Second", attributes={"username": {}, "email": {"signup": {"status": "optional"}}})
    await world.signup()
    await world.signup("", "second long password", connection="Second", username="ann")
    assert (await world.login(realm=world.connection)).status_code == 200
    assert (await world.login("ann", "second long password", realm="Second")).status_code == 200
    assert (await world.login("ann", "second long password")).status_code == 403
    by_realm = await world.token(REALM_GRANT, username="ANN", password="second long password", realm="Second")
    assert by_realm.status_code == 200
    connection = {"realms": ["staff", "Second"]}
    second = (await world.manage("GET", "/connections?name=Second")).json()[0]["id"]
    await world.manage("PATCH", f"/connections/{second}", connection)
    assert (await world.login("ann", "second long password", realm="staff")).status_code == 200
    missing = await world.token(REALM_GRANT, username="ann", password="second long password")
    assert missing.status_code == 400
    assert missing.json() == {"error": "invalid_request", "error_description": "Missing required parameter: realm"}


@pytest.mark.parametrize("realm", ["nowhere", "Administrators", "username-password-authentication", "x" * 5000])
async def test_a_realm_that_is_not_there_for_the_client(shared_world: World, realm: str) -> None:
    before = shared_world.hasher.verified
    answer = await shared_world.login(realm=realm)
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_request",
        "error_description": "invalid connection specified for the grant",
    }
    assert shared_world.hasher.verified == before


ATTEMPTS = {
    "nobody": ("nobody@example.com", PASSWORD),
    "wrong password": ("ann@example.com", "wrong"),
    "empty password": ("ann@example.com", ""),
    "another's password": ("ann@example.com", "bob's own long password"),
    "a password with more": ("ann@example.com", PASSWORD + "x"),
    "a password with less": ("ann@example.com", PASSWORD[:-1]),
    "a password in capitals": ("ann@example.com", PASSWORD.upper()),
    "without a password": ("passkey@example.com", PASSWORD),
    "without a password, empty": ("passkey@example.com", ""),
    "a password of 73 bytes": ("ann@example.com", "x" * 73),
    "a password of 10 KB": ("ann@example.com", "é" * 5000),
    "an identifier of 10 KB": ("x" * 10_000 + "@example.com", PASSWORD),
    "combining marks": ("a\u0300\u0301" * 2000, "a\u0301\u0300" * 3000),
    "a phone number": ("+14155552671", PASSWORD),
    "a username": ("ann", PASSWORD),
    "no identifier at all": ("!!! \u202e", PASSWORD),
    "white space": ("   ", PASSWORD),
    "a quote": ("ann@example.com' OR '1'='1", PASSWORD),
    "somebody of another connection": ("eve@example.com", PASSWORD),
    "an administrator's address": ("Administrators", PASSWORD),
}


@pytest.fixture(scope="module")
async def town(shared_world: World) -> World:
    """Ann and Bob with passwords, somebody without one, and Eve of another connection."""
    methods = {"password": {"api_behavior": "optional"}, "passkey": {"enabled": True}}
    await shared_world.patch_options(authentication_methods=methods, brute_force_protection=False)
    await shared_world.new_connection("Second")
    await shared_world.person("ann@example.com")
    await shared_world.person("bob@example.com", "bob's own long password")
    await shared_world.person("passkey@example.com", None)
    assert (await shared_world.signup("eve@example.com", connection="Second")).status_code == 200
    return shared_world


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_every_failure_answers_the_same_and_costs_one_hash(town: World, attempt: str) -> None:
    username, password = ATTEMPTS[attempt]
    before = (town.hasher.verified, town.hasher.hashed, await town.counts())
    answer = await town.login(username, password)
    assert (answer.status_code, answer.json()) == (403, WRONG)
    assert list(answer.json()) == ["error", "error_description"]
    assert answer.headers["cache-control"] == "no-store"
    assert (town.hasher.verified, town.hasher.hashed) == (before[0] + 1, before[1])
    assert await town.counts() == before[2]
    assert (await town.journal())[-1] == ("fp" if username in ("ann@example.com", "passkey@example.com") else "fu")


async def test_a_success_costs_one_hash_too(town: World) -> None:
    before = town.hasher.verified
    assert (await town.login()).status_code == 200
    assert town.hasher.verified == before + 1


@pytest.mark.parametrize("spelling", ["ANN@EXAMPLE.COM", "  ann@example.com", "Ann@Example.com "])
async def test_any_spelling_of_the_address_logs_in(town: World, spelling: str) -> None:
    assert (await town.login(spelling)).status_code == 200


async def test_the_same_password_in_another_normal_form(world: World) -> None:
    await world.person(password="un mot de passe très long")
    assert (await world.login(password="un mot de passe tre\u0300s long")).status_code == 200


async def test_blocked_is_said_only_after_the_right_password(world: World) -> None:
    user_id = await world.person()
    await world.block(user_id)
    wrong = await world.guess()
    assert (wrong.status_code, wrong.json()) == (403, WRONG)
    right = await world.login()
    assert right.status_code == 401
    assert right.json() == {"error": "unauthorized", "error_description": "user is blocked"}
    assert await world.journal(user_id) == ["ss", "svr", "sapi", "fp", "f"]
    assert (await world.last_entry())["description"] == "user is blocked"
    assert (await world.counts())["RefreshToken"] == 0
    await world.block(user_id, False)
    assert (await world.login()).status_code == 200


async def test_passwords_switched_off(world: World) -> None:
    user_id = await world.person()
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.patch_options(authentication_methods=methods)
    before = world.hasher.verified
    answer = await world.login()
    assert (answer.status_code, answer.json()) == (403, WRONG)
    assert world.hasher.verified == before + 1
    assert (await world.journal(user_id))[-1] == "fp"


async def test_an_identifier_that_is_switched_off(world: World) -> None:
    both: dict[str, Any] = {"email": {}, "username": {"signup": {"status": "optional"}}}
    await world.patch_options(attributes=both)
    await world.signup(username="ann")
    assert (await world.login("ann")).status_code == 200
    both["username"] = {"identifier": {"active": False}, "signup": {"status": "optional"}}
    await world.patch_options(attributes=both)
    assert (await world.login("ann")).status_code == 403
    assert (await world.login()).status_code == 200


MISSING: list[tuple[dict[str, Any], str]] = [
    ({"grant_type": None}, "Missing required parameter: grant_type"),
    ({"grant_type": ["password"]}, "Missing required parameter: grant_type"),
    ({"client_id": None}, "Missing required parameter: client_id"),
    ({"client_id": {"a": 1}}, "Missing required parameter: client_id"),
    ({"username": None}, "Missing required parameter: username"),
    ({"username": ""}, "Missing required parameter: username"),
    ({"username": 7}, "Parameter username must be a string"),
    ({"password": None}, "Missing required parameter: password"),
    ({"password": 7}, "Parameter password must be a string"),
    ({"password": ["x"]}, "Parameter password must be a string"),
    ({"realm": 7}, "Parameter realm must be a string"),
    ({"scope": ["openid"]}, "Parameter scope must be a string"),
    ({"audience": True}, "Parameter audience must be a string"),
    ({"client_secret": 7}, "Parameter client_secret must be a string"),
]


@pytest.mark.parametrize(("change", "text"), MISSING, ids=[str(change) for change, _ in MISSING])
async def test_what_is_missing_or_of_the_wrong_type(town: World, change: dict[str, Any], text: str) -> None:
    before = town.hasher.verified
    answer = await town.login(**change)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request", "error_description": text})
    assert town.hasher.verified == before


async def test_an_unknown_grant(town: World) -> None:
    answer = await town.token("telepathy")
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "unsupported_grant_type",
        "error_description": "Unsupported grant type: telepathy",
    }


async def test_a_grant_that_the_client_does_not_have(world: World) -> None:
    await world.person()
    client = await world.new_client(app_type="spa", grant_types=["authorization_code", REALM_GRANT])
    answer = await world.login(client_id=client["client_id"])
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "unauthorized_client",
        "error_description": "Grant type 'password' not allowed for the client.",
    }
    assert (await world.login(client_id=client["client_id"], grant_type=REALM_GRANT)).status_code == 400
    right = await world.login(client_id=client["client_id"], grant_type=REALM_GRANT, realm=world.connection)
    assert right.status_code == 200


async def test_a_client_that_is_not_on_the_connection(world: World) -> None:
    await world.person()
    client = await world.new_client(app_type="spa", grant_types=["password"])
    switch = [{"client_id": client["client_id"], "status": False}]
    assert (await world.login(client_id=client["client_id"])).status_code == 200
    await world.manage("PATCH", f"/connections/{world.connection_id}/clients", switch)
    answer = await world.login(client_id=client["client_id"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
async def test_a_confidential_client_proves_itself_either_way(world: World, method: str) -> None:
    await world.person()
    client = await world.new_client(app_type="regular_web", grant_types=["password"], token_endpoint_auth_method=method)
    pair = client["client_id"], client["client_secret"]
    person: dict[str, Any] = {"username": "ann@example.com", "password": PASSWORD}
    in_body: dict[str, Any] = {"client_id": pair[0], "client_secret": pair[1]}
    assert (await world.token("password", **person, **in_body)).status_code == 200
    assert (await world.token("password", auth=pair, **person)).status_code == 200
    form = {"grant_type": "password", **person}
    by_form = await world.client.post("/oauth/token", data=form, headers={"authorization": basic(*pair)})
    assert by_form.status_code == 200


async def test_a_client_that_does_not_prove_itself(world: World) -> None:
    await world.person()
    client = await world.new_client(app_type="regular_web", grant_types=["password"])
    name, secret = client["client_id"], client["client_secret"]
    person: dict[str, Any] = {"username": "ann@example.com", "password": PASSWORD}
    before = world.hasher.verified
    answers = [
        await world.token("password", client_id=name, **person),
        await world.token("password", client_id=name, client_secret="", **person),
        await world.token("password", client_id=name, client_secret=None, **person),
        await world.token("password", client_id=name, client_secret="wrong", **person),
        await world.token("password", client_id=name, client_secret=secret[:-1], **person),
        await world.token("password", client_id="nobody", client_secret=secret, **person),
        await world.token("password", client_id="nobody", **person),
        await world.token("password", auth=(name, "wrong"), **person),
        await world.token("password", auth=(name, ""), **person),
        await world.token("password", auth=("", secret), **person),
        await world.token("password", auth=("a%00b", secret), **person),
        await world.token("password", auth=("a\0b", secret), **person),
    ]
    for header in ("Basic", "Basic !", "Basic " + "x" * 9000, "Bearer x", "Basic /////w==", "basic Og=="):
        body = {"grant_type": "password", "client_id": name, "client_secret": secret, **person}
        answers.append(await world.client.post("/oauth/token", json=body, headers={"authorization": header}))
    for answer in answers:
        assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
        assert answer.headers["www-authenticate"] == 'Basic realm="token"'
    assert world.hasher.verified == before


async def test_a_secret_is_form_encoded_inside_basic(world: World) -> None:
    await world.person()
    client = await world.new_client(app_type="regular_web", grant_types=["password"])
    encoded = "".join(f"%{ord(char):02X}" for char in client["client_secret"])
    pair = client["client_id"], encoded
    assert (await world.token("password", auth=pair, username="ann@example.com", password=PASSWORD)).status_code == 200


async def test_guessing_a_client_s_secret_is_limited_and_locks_nobody_out(world: World) -> None:
    await world.person()
    client = await world.new_client(app_type="regular_web", grant_types=["password"])
    name = client["client_id"]
    person: dict[str, Any] = {"username": "ann@example.com", "password": PASSWORD}
    guesses = [await world.token("password", client_id=name, client_secret="wrong", **person) for _ in range(12)]
    assert [guess.status_code for guess in guesses] == [401] * 10 + [429] * 2
    assert guesses[-1].json()["error"] == "too_many_attempts"
    right: dict[str, Any] = {"client_id": name, "client_secret": client["client_secret"]}
    assert (await world.token("password", **right, **person)).status_code == 200
    world.clock.advance(seconds=int(guesses[-1].headers["retry-after"]))
    again = [await world.token("password", client_id=name, client_secret="wrong", **person) for _ in range(2)]
    assert [guess.status_code for guess in again] == [401, 429]


async def test_unknown_parameters_are_ignored(town: World) -> None:
    answer = await town.login(connection="x", redirect_uri="https://x.example", auth0Client="y", device=None)
    assert answer.status_code == 200
