"""Every refusal has an id: whoever was refused learns nothing else by it, and an administrator finds why."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, get_args
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from account import MyAccount
from authenticator import FLAWS, Authenticator
from keystead import worker
from keystead.db import connections, tables
from keystead.errors import DatabaseUnavailable, DomainError, NoToken
from keystead.rules import attack_protection
from keystead.rules.decisions import REFUSALS, RULES
from recovery import at_the_code, enter
from visitor import Form, Visitor
from world import PASSWORD, PUBLIC_URL, REALM_GRANT, World, basic

pytestmark = pytest.mark.anyio

ANN, NOBODY = "ann@example.com", "stranger@example.com"
LEAKED = "AUTH0-TEST-and fifteen letters"
HEADER = "keystead-decision"

Asking = Callable[[World], Awaitable[httpx.Response]]


async def why(world: World, answer: httpx.Response) -> dict[str, Any]:
    """Return what an administrator learns of an answer; it has the id, and says nothing of the reason."""
    found = answer.headers.get_list(HEADER)
    assert len(found) == 1, (answer.status_code, answer.text)
    assert re.fullmatch(r"dec_[A-Za-z0-9_-]{16}", found[0])
    shown = await world.manage("GET", f"/keystead/decisions/{found[0]}", scope="read:logs")
    assert shown.status_code == 200, shown.text
    explained: dict[str, Any] = shown.json()
    assert explained["id"] == found[0]
    assert explained["explanation"] == RULES[explained["rule"]].says
    assert explained["lifted_by"] == RULES[explained["rule"]].lifted_by
    for hidden in (explained["explanation"], explained["lifted_by"], explained["id"]):
        assert hidden not in answer.text
    if explained["rule"] != explained["code"]:
        assert f'"{explained["rule"]}"' not in answer.text
    return explained


async def of_user(world: World, user_id: str, **query: Any) -> list[dict[str, Any]]:
    answer = await world.manage("GET", f"/users/{quote(user_id)}/decisions", scope="read:logs", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


# --- doors of programs -----------------------------------------------------------------------------------------------


async def _wrong(world: World) -> httpx.Response:
    return await world.guess()


async def _unknown(world: World) -> httpx.Response:
    return await world.guess(NOBODY)


async def _no_identifier(world: World) -> httpx.Response:
    return await world.guess("not an identifier at all")


async def _blocked(world: World) -> httpx.Response:
    users = (await world.manage("GET", "/users")).json()
    await world.block(users[0]["user_id"])
    return await world.login()


async def _unverified(world: World) -> httpx.Response:
    attribute = {
        "identifier": {"active": True},
        "verification_method": "link",
        "signup": {"status": "required", "verification": {"active": True}},
    }
    answer = await world.patch_options(attributes={"email": attribute})
    assert answer.status_code == 200, answer.text
    await world.signup("new@example.com")
    return await world.login("new@example.com")


async def _passwords_off(world: World) -> httpx.Response:
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    assert (await world.patch_options(authentication_methods=methods)).status_code == 200
    return await world.login()


async def _leaked(world: World) -> httpx.Response:
    await world.signup("leaked@example.com", LEAKED)
    settings = {"shields": ["block"]}
    await world.manage("PATCH", "/attack-protection/breached-password-detection", settings)
    return await world.login("leaked@example.com", LEAKED)


async def _locked(world: World) -> httpx.Response:
    for _ in range(10):
        await world.guess()
    return await world.login()


async def _too_often(world: World) -> httpx.Response:
    for _ in range(20):
        assert (await world.login()).status_code == 200
    return await world.login()


async def _bad_secret(world: World) -> httpx.Response:
    client = await world.new_client(app_type="non_interactive", grant_types=["client_credentials"])
    return await world.token("client_credentials", auth=(client["client_id"], "wrong"))


async def _many_bad_secrets(world: World) -> httpx.Response:
    client = await world.new_client(app_type="non_interactive", grant_types=["client_credentials"])
    for _ in range(10):
        assert (await world.token("client_credentials", auth=(client["client_id"], "wrong"))).status_code == 401
    return await world.token("client_credentials", auth=(client["client_id"], "wrong"))


async def _unknown_client(world: World) -> httpx.Response:
    return await world.token("client_credentials", auth=("nobody", "wrong"))


async def _grant(world: World) -> httpx.Response:
    await world.patch_client(world.client_id, grant_types=["authorization_code"])
    return await world.login()


async def _no_grant(world: World) -> httpx.Response:
    return await world.token("make_me_an_owner")


async def _refresh_unknown(world: World) -> httpx.Response:
    return await world.token("refresh_token", refresh_token="nothing")


async def _refresh_reused(world: World) -> httpx.Response:
    await world.patch_client(world.client_id, refresh_token={"rotation_type": "rotating"})
    token = (await world.tokens(scope="openid offline_access"))["refresh_token"]
    assert (await world.token("refresh_token", refresh_token=token)).status_code == 200
    return await world.token("refresh_token", refresh_token=token)


async def _code_unknown(world: World) -> httpx.Response:
    return await world.token("authorization_code", code="nothing", redirect_uri="https://app.example")


async def _signup_taken(world: World) -> httpx.Response:
    return await world.signup()


async def _signup_weak(world: World) -> httpx.Response:
    return await world.signup("new@example.com", "short")


async def _signup_leaked(world: World) -> httpx.Response:
    stage = {"pre-user-registration": {"shields": ["block"]}}
    await world.manage("PATCH", "/attack-protection/breached-password-detection", {"stage": stage})
    return await world.signup("new@example.com", LEAKED)


async def _signup_disabled(world: World) -> httpx.Response:
    await world.patch_options(disable_signup=True)
    return await world.signup("new@example.com")


async def _resets_flooded(world: World) -> httpx.Response:
    body = {"client_id": world.client_id, "connection": world.connection, "email": ANN}
    for _ in range(10):
        assert (await world.client.post("/dbconnections/change_password", json=body)).status_code == 200
    return await world.client.post("/dbconnections/change_password", json=body)


async def _connection(world: World) -> httpx.Response:
    body = {"client_id": world.client_id, "connection": "nowhere", "email": ANN, "password": PASSWORD}
    return await world.client.post("/dbconnections/signup", json=body)


async def _passkey_signup_taken(world: World) -> httpx.Response:
    return await world.begin_register(ANN)


async def _management_scope(world: World) -> httpx.Response:
    return await world.manage("GET", "/users", scope="read:clients")


async def _management_token(world: World) -> httpx.Response:
    return await world.client.get("/api/v2/users", headers={"authorization": "Bearer broken"})


async def _my_account_blocked(world: World) -> httpx.Response:
    account = await MyAccount.of(world)
    users = (await world.manage("GET", "/users")).json()
    await world.block(users[0]["user_id"])
    return await account.call("GET", "")


async def _old_login(world: World) -> httpx.Response:
    account = await MyAccount.of(world)
    world.clock.advance(hours=1)
    return await account.start()


DOORS: dict[str, tuple[Asking, str]] = {
    "a wrong password": (_wrong, "wrong_password"),
    "an unknown person": (_unknown, "nobody"),
    "no identifier": (_no_identifier, "no_identifier"),
    "somebody who is blocked": (_blocked, "user_blocked"),
    "somebody to be verified": (_unverified, "not_verified"),
    "passwords are off": (_passwords_off, "passwords_off"),
    "a leaked password": (_leaked, "breached_password"),
    "a lock": (_locked, "brute_force"),
    "too often": (_too_often, "same_user"),
    "a wrong client secret": (_bad_secret, "bad_client"),
    "many wrong client secrets": (_many_bad_secrets, "client_secret"),
    "an unknown client": (_unknown_client, "bad_client"),
    "a grant that the client has not": (_grant, "grant_not_allowed"),
    "a grant that nobody has": (_no_grant, "unsupported_grant"),
    "an unknown refresh token": (_refresh_unknown, "invalid_grant"),
    "a refresh token again": (_refresh_reused, "token_reused"),
    "an unknown code": (_code_unknown, "invalid_grant"),
    "a sign-up that is taken": (_signup_taken, "signup_taken"),
    "a sign-up with a weak password": (_signup_weak, "invalid_password"),
    "a sign-up with a leaked password": (_signup_leaked, "breached_password"),
    "sign-ups that are off": (_signup_disabled, "signup_disabled"),
    "too many resets": (_resets_flooded, "messages"),
    "an unknown connection": (_connection, "connection_not_allowed"),
    "a sign-up with a passkey that is taken": (_passkey_signup_taken, "signup_taken"),
    "a token without the scope": (_management_scope, "insufficient_scope"),
    "a broken token": (_management_token, "invalid_token"),
    "my account, blocked since": (_my_account_blocked, "user_blocked"),
    "my account, signed in long ago": (_old_login, "step_up_required"),
}


@pytest.mark.parametrize("door", DOORS)
async def test_a_refusal_leads_to_its_rule(world: World, door: str) -> None:
    await world.person()
    ask, rule = DOORS[door]
    answer = await ask(world)
    assert answer.status_code in (400, 401, 403, 429), answer.text
    found = await why(world, answer)
    assert found["rule"] == rule
    assert found["path"] == answer.request.url.path
    assert found["ip"] == "203.0.113.9"


# --- passkeys --------------------------------------------------------------------------------------------------------


async def test_passkeys_that_are_refused(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    user_id = (await world.manage("GET", "/users")).json()[0]["user_id"]

    begun = (await world.begin_challenge()).json()
    options = begun["authn_params_public_key"]
    wrong = device.get(options, origin=PUBLIC_URL, flaw=FLAWS["another challenge"])
    found = await why(world, await world.exchange(begun["auth_session"], wrong))
    assert (found["rule"], found["user_id"]) == ("ceremony_refused", user_id)

    found = await why(world, await world.exchange(begun["auth_session"], device.get(options, origin=PUBLIC_URL)))
    assert found["rule"] == "ceremony_expired"

    await world.delete_user(user_id)
    found = await why(world, await world.passkey_login(device))
    assert (found["rule"], found.get("user_id")) == ("unknown_credential", None)


async def test_a_passkey_that_the_policy_refuses(world: World) -> None:
    device = Authenticator()
    await world.register(device)
    answer = await world.patch_options(passkey_policy={"backup": "device_bound_only"})
    assert answer.status_code == 200, answer.text
    found = await why(world, await world.passkey_login(device))
    assert (found["rule"], found["user_id"][:6]) == ("passkey_policy", "auth0|")
    assert found["reasons"]
    assert [event["type"] for event in found["events"]] == ["f"]


# --- pages -----------------------------------------------------------------------------------------------------------


async def test_the_pages_of_a_login(world: World) -> None:
    user_id = await world.person()
    visitor = Visitor.of(world)
    for email, rule in ((ANN, "wrong_password"), (NOBODY, "nobody")):
        landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=email)
        assert HEADER not in landed.response.headers
        landed = await visitor.send(landed.form("/login/password"), password="wrong")
        found = await why(world, landed.response)
        assert (found["rule"], found["identifier"]) == (rule, f"email:{email}")
    await world.block(user_id)
    landed = await visitor.log_in(await visitor.authorize())
    assert landed.answer["error"] == "unauthorized"
    found = await why(world, landed.response)
    assert (found["rule"], found["user_id"], found["client_id"]) == ("user_blocked", user_id, world.client_id)


async def test_the_pages_of_a_sign_up(world: World) -> None:
    await world.person()
    visitor = Visitor.of(world)
    landed = await visitor.sign_up(await visitor.authorize(screen_hint="signup"), "new@example.com", "short")
    assert (await why(world, landed.response))["rule"] == "invalid_password"
    landed = await visitor.authorize(screen_hint="signup")
    landed = await visitor.send(landed.form("/signup/identifier"), email=ANN)
    assert (await why(world, landed.response))["rule"] == "signup_taken"


async def test_the_page_behind_a_link(world: World) -> None:
    await world.person()
    body = {"client_id": world.client_id, "connection": world.connection, "email": ANN}
    await world.client.post("/dbconnections/change_password", json=body)
    link = (await world.link(page="/u/reset-password")).rstrip("#")
    visitor = Visitor.of(world)
    page = await visitor.open(link)
    landed = await visitor.send(page.form("/reset-password"), password="short")
    assert (await why(world, landed.response))["rule"] == "invalid_password"
    assert (await visitor.send(page.form("/reset-password"), password="another horse battery")).response.is_success
    assert (await why(world, (await visitor.open(link)).response))["rule"] == "invalid_ticket"


async def test_the_page_that_asks_for_a_password_before_it_confirms_an_address(world: World) -> None:
    """It says in its own words that the password is wrong: what is kept is the refusal itself."""
    user_id = await world.person()
    link = await world.link(page="/u/email-verification")
    visitor = Visitor.of(world)
    page = await visitor.open(link)
    form = next(form for form in page.forms() if "password" in form.fields)
    found = await why(world, (await visitor.send(form, password="wrong")).response)
    assert (found["rule"], found["user_id"]) == ("wrong_password", user_id)


async def test_a_wrong_code(world: World) -> None:
    await world.patch_options(passkey_policy={"passwordless_accounts": True})
    visitor = Visitor.of(world)
    found = await why(world, (await enter(visitor, await at_the_code(visitor, NOBODY), "123456")).response)
    assert (found["rule"], [event["type"] for event in found["events"]]) == ("wrong_code", ["passkey_recovery_failed"])


async def test_a_login_that_is_over_and_a_form_of_somebody_elses(world: World) -> None:
    visitor = Visitor.of(world)
    assert (await why(world, (await visitor.open("/u/login?state=nothing")).response))["rule"] == "transaction_expired"
    landed = await visitor.authorize()
    form = landed.form("/login/identifier")
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await visitor.client.post(form.action, data={"username": ANN}, headers=headers)
    assert (await why(world, answer))["rule"] == "foreign_origin"


async def test_redirects_back_to_a_client(world: World) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.authorize(audience="https://nowhere.example")
    assert landed.answer["error"] == "access_denied"
    found = await why(world, landed.response)
    assert (found["rule"], found["client_id"]) == ("audience_not_allowed", world.client_id)


async def test_a_person_who_says_no_to_a_client(world: World) -> None:
    user_id = await world.person()
    await world.patch_client(world.client_id, is_first_party=False)
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    landed = await visitor.send(Form(landed.form("/consent").action), action="deny")
    assert landed.answer["error"] == "access_denied"
    found = await why(world, landed.response)
    assert (found["rule"], found["user_id"]) == ("denied_by_person", user_id)


async def test_nobody_is_refused_who_is_only_asked_to_sign_in(world: World) -> None:
    landed = await Visitor.of(world).authorize(prompt="none")
    assert landed.answer["error"] == "login_required"
    assert HEADER not in landed.response.headers


# --- what has none ---------------------------------------------------------------------------------------------------


async def test_what_is_no_decision_about_anybody(world: World) -> None:
    await world.person()
    answers = [
        await world.login(),
        await world.client.post("/oauth/token", json={}),
        await world.client.post("/oauth/token", content=b"{", headers={"content-type": "application/json"}),
        await world.client.get("/nowhere"),
        await world.manage("GET", "/users/auth0%7Cnobody"),
        await world.manage("GET", "/users", params={"page": "x"}),
    ]
    assert [HEADER in answer.headers for answer in answers] == [False] * len(answers)
    assert await world.count(tables.Decision) == 0


# --- what is kept ----------------------------------------------------------------------------------------------------


async def test_a_client_that_is_proved_wrongly_too_often(world: World) -> None:
    """Nobody's account is blocked, and nobody is told so."""
    client = await world.new_client(app_type="non_interactive", grant_types=["client_credentials"])
    wrong = (client["client_id"], "wrong")
    for _ in range(10):
        assert (await world.token("client_credentials", auth=wrong)).status_code == 401
    answer = await world.token("client_credentials", auth=wrong)
    said = "Too many failed attempts to prove this client. Wait a moment, and try again."
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_attempts")
    assert answer.json()["error_description"] == said
    explained = await why(world, answer)
    assert (explained["code"], explained["rule"]) == ("too_many_proofs", "client_secret")


async def test_a_limit_as_it_is_now(world: World) -> None:
    await world.person()
    answer = await _locked(world)
    filled = world.clock()
    world.clock.advance(days=1)
    limit = (await why(world, answer))["limit"]
    assert (limit["capacity"], limit["spent"]) == (10, 10)
    assert limit["since"] == filled.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert limit["refuses_until"] == (filled + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    await world.manage("DELETE", "/user-blocks", params={"identifier": ANN})
    limit = (await why(world, answer))["limit"]
    assert (limit["spent"], limit["since"], limit["refuses_until"]) == (0, None, None)


async def test_a_limit_that_refills(world: World) -> None:
    await world.person()
    answer = await _too_often(world)
    limit = (await why(world, answer))["limit"]
    assert (limit["capacity"], limit["spent"]) == (20, 20)
    assert limit["refuses_until"] == (world.clock() + timedelta(seconds=6)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    world.clock.advance(seconds=30)
    limit = (await why(world, answer))["limit"]
    assert (limit["spent"], limit["refuses_until"]) == (15, None)


async def test_no_secret_is_kept(world: World) -> None:
    """Whatever was sent in whichever field: only what was read as an identifier is written down."""
    await world.person()
    marked = "hunter2 MARKED secret"
    await world.login(ANN, marked)
    await world.login(marked, marked)
    await world.signup("new@example.com", "MARKED")
    body = {"client_id": world.client_id, "connection": world.connection, "email": marked}
    for _ in range(11):
        await world.client.post("/dbconnections/change_password", json=body)
    await world.token("refresh_token", refresh_token=marked)
    await world.token("client_credentials", auth=("MARKED", "MARKED"))
    await world.exchange(marked, {"id": marked})
    await world.client.get("/userinfo", headers={"authorization": f"Bearer {marked}"})
    visitor = Visitor.of(world)
    await visitor.open(f"/u/reset-password?ticket={quote(marked)}")
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username=ANN)
    await visitor.send(landed.form("/login/password"), password=marked)
    assert await world.count(tables.Decision) >= 8
    rows = json.dumps([await world.rows(tables.Decision), await world.rows(tables.Attempt)], default=str)
    assert "MARKED" not in rows


async def test_refusals_of_a_user(world: World) -> None:
    user_id, bob = await world.person(), await world.person("bob@example.com")
    for _ in range(11):
        world.clock.advance(seconds=1)
        await world.guess()
    await world.guess("bob@example.com")
    found = await of_user(world, user_id)
    assert [each["rule"] for each in found] == ["brute_force", *["wrong_password"] * 10]
    assert [each["id"] for each in await of_user(world, user_id, page=1, per_page=2)] == [
        each["id"] for each in found[2:4]
    ]
    assert len(await of_user(world, bob)) == 1
    answer = await world.manage("GET", f"/users/{quote(user_id)}/decisions?include_totals=true&per_page=1")
    assert (answer.json()["total"], len(answer.json()["decisions"])) == (11, 1)


async def test_of_a_flood_some_are_not_kept_and_all_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keystead.flows.decisions.AT_ONCE", 0)
    answer = await world.guess(NOBODY)
    assert (answer.status_code, HEADER in answer.headers) == (403, True)
    assert await world.count(tables.Decision) == 0


async def test_who_has_an_address_now_inherits_nothing(world: World) -> None:
    first = (await world.signup(ANN)).json()
    await world.guess(ANN)
    user_id = f"auth0|{first['_id']}"
    assert len(await of_user(world, user_id)) == 1
    assert (await world.manage("PATCH", f"/users/{quote(user_id)}", {"email": "anna@example.com"})).status_code == 200
    await world.guess(ANN)  # nobody's, meanwhile
    world.clock.advance(seconds=1)
    second = (await world.signup(ANN)).json()
    assert await of_user(world, f"auth0|{second['_id']}") == []
    await world.guess(ANN)
    assert len(await of_user(world, f"auth0|{second['_id']}")) == 1
    assert len(await of_user(world, user_id)) == 1


async def test_the_same_identifier_on_another_connection_is_somebody_else(world: World) -> None:
    user_id = await world.person()
    await world.new_connection("Second")
    await world.guess(ANN, grant_type=REALM_GRANT, realm="Second")
    assert await of_user(world, user_id) == []
    assert await world.count(tables.Decision) == 1


async def test_the_address_is_the_persons_where_a_backend_may_name_it(world: World) -> None:
    user_id = await world.person()
    client = await world.new_client(
        app_type="regular_web", is_token_endpoint_ip_header_trusted=True, grant_types=["password"]
    )
    proof = basic(client["client_id"], client["client_secret"])
    headers = {"authorization": proof, "auth0-forwarded-for": "198.51.100.7"}
    body = {"grant_type": "password", "username": ANN, "password": "wrong"}
    await why(world, await world.client.post("/oauth/token", json=body, headers=headers))
    assert [each["ip"] for each in await of_user(world, user_id)] == ["198.51.100.7"]


async def test_scopes_and_what_there_is_not(world: World) -> None:
    user_id = await world.person()
    for path in ("/keystead/decisions/dec_nothing", f"/users/{quote(user_id)}/decisions"):
        assert (await world.manage("GET", path, scope="read:users")).status_code == 403
    answer = await world.manage("GET", "/keystead/decisions/dec_nothing")
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_decision")
    answer = await world.manage("GET", "/users/auth0%7Cnobody/decisions")
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_user")


async def test_administrators_are_out_of_reach(world: World) -> None:
    url = world.first["administrator_setup_url"].removeprefix(PUBLIC_URL)
    owner = {"email": "root@example.com", "password": "a very long password"}
    assert (await world.client.post(url, data=owner)).status_code == 200
    administrators = await world.db.read(connections.of_administrators)
    assert administrators is not None
    decision = (await world.guess(NOBODY)).headers[HEADER]
    await _about(world, decision, connection_id=administrators.id)
    assert (await world.manage("GET", f"/keystead/decisions/{decision}")).status_code == 404


async def _about(world: World, decision: str, **values: Any) -> None:
    statement = update(tables.Decision).where(col(tables.Decision.id) == decision).values(values)
    await world.db.write(lambda session: session.connection().execute(statement).rowcount)


async def test_who_shows_no_token_is_nobody(world: World) -> None:
    """A flood of such requests must not become one of statements."""
    for answer in (await world.client.get("/userinfo"), await world.client.get("/api/v2/users")):
        assert answer.status_code == 401
        assert HEADER not in answer.headers
    assert await world.count(tables.Decision) == 0


async def test_thirty_days(world: World) -> None:
    await world.guess(NOBODY)
    world.clock.advance(days=29, hours=23)
    await world.db.write(worker.sweep, world.clock())
    assert await world.count(tables.Decision) == 1
    world.clock.advance(hours=1)
    await world.db.write(worker.sweep, world.clock())
    assert await world.count(tables.Decision) == 0


async def test_they_go_with_the_user(world: World) -> None:
    user_id = await world.person()
    await world.person("bob@example.com")
    await _locked(world)
    await world.guess("bob@example.com")
    await world.delete_user(user_id)
    assert [row["identifier"] for row in await world.rows(tables.Decision)] == ["email:bob@example.com"]


async def test_a_database_that_is_away_refuses_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.person()
    there = await world.guess()
    decisions = world.app.state.flows.decisions

    class Away:
        """A database that takes nothing."""

        async def write(self, *work: object) -> None:
            raise DatabaseUnavailable

    monkeypatch.setattr(decisions, "db", Away())
    away = await world.guess()
    assert (away.status_code, away.content) == (there.status_code, there.content)
    assert HEADER in away.headers


# --- every error has a sentence --------------------------------------------------------------------------------------


def _below(kind: type[DomainError]) -> list[type[DomainError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _below(child))]


def test_every_refusal_has_a_sentence() -> None:
    kinds = {each for kind in REFUSALS for each in _below(kind)} - {NoToken}
    assert {kind.code for kind in kinds} - set(RULES) == set()
    assert set(get_args(attack_protection.Rule)) - set(RULES) == set()
    for rule in RULES.values():
        assert rule.says.endswith(".")
        assert rule.lifted_by.endswith(".")
