"""Ways to somebody else's account or rights that were found open once, and are shut."""

import json

import pytest
from sqlalchemy import delete, select
from sqlmodel import Session

from authenticator import Authenticator
from keystead.db import tables
from visitor import Form, Visitor
from world import PASSWORD, PUBLIC_URL, World

pytestmark = pytest.mark.anyio

OPTIONS = "/u/passkey-enrollment/options"


async def test_changing_clients_does_not_give_their_secrets(world: World) -> None:
    management = world.first["clients"]["management"]
    path = f"/clients/{management['client_id']}"
    public = {"token_endpoint_auth_method": "none", "grant_types": ["authorization_code"]}
    again = {"token_endpoint_auth_method": "client_secret_post", "grant_types": ["client_credentials"]}
    assert (await world.manage("PATCH", path, public, scope="update:clients")).status_code == 200
    back = await world.manage("PATCH", path, again, scope="update:clients")
    assert back.status_code == 200
    assert "client_secret" not in back.json()
    answer = await world.token("client_credentials", **management, audience=world.first["management_audience"])
    assert answer.status_code == 200  # the owner's secret is what it was


async def test_a_first_secret_needs_the_scope_for_secrets(world: World) -> None:
    app = await world.new_client(app_type="native")
    change = {"token_endpoint_auth_method": "client_secret_post"}
    refused = await world.manage("PATCH", f"/clients/{app['client_id']}", change, scope="update:clients")
    assert refused.status_code == 403
    assert refused.json()["message"] == "Insufficient scope, expected any of: update:client_keys"
    allowed = await world.manage("PATCH", f"/clients/{app['client_id']}", change)
    assert len(allowed.json()["client_secret"]) >= 64


async def at_the_offer(world: World) -> tuple[Visitor, str]:
    """Log in on the pages, as far as the offer of a passkey; return the browser and the login's state."""
    visitor = Visitor.of(world)
    landed = await visitor.authorize()
    landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    landed = await visitor.send(landed.form("/login/password"), password=PASSWORD)
    assert landed.path == "/u/passkey-enrollment"
    return visitor, landed.form("/passkey-enrollment").action.partition("state=")[2]


async def test_an_open_offer_works_while_the_session_lasts(world: World) -> None:
    await world.signup()
    visitor, state = await at_the_offer(world)
    assert (await visitor.client.post(f"{OPTIONS}?state={state}")).status_code == 200


@pytest.mark.parametrize("ended", ["blocked", "signed out", "late"])
async def test_an_open_offer_is_worth_nothing_once_the_session_has_ended(world: World, ended: str) -> None:
    user_id = await world.person()
    visitor, state = await at_the_offer(world)
    begun = (await visitor.client.post(f"{OPTIONS}?state={state}")).json()
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    if ended == "blocked":
        await world.block(user_id)
    elif ended == "signed out":
        await visitor.client.get("/v2/logout")
    else:
        world.clock.advance(seconds=301)
    form = Form(f"/u/passkey-enrollment?state={state}", {"auth_session": begun["auth_session"]})
    await visitor.send(form, response=json.dumps(response))
    assert await world.count(tables.Passkey) == 0
    assert (await visitor.client.post(f"{OPTIONS}?state={state}")).status_code >= 400


async def test_no_code_for_a_login_whose_session_has_ended(world: World) -> None:
    await world.signup()
    visitor, state = await at_the_offer(world)
    cookies = dict(visitor.client.cookies)
    await visitor.client.get("/v2/logout")
    visitor.client.cookies.update(cookies)
    landed = await visitor.send(Form(f"/u/passkey-enrollment?state={state}"), action="skip")
    assert landed.response.status_code == 400
    assert await world.count(tables.AuthorizationCode) == 0


async def test_guessing_a_secret_does_not_lock_the_client_out(world: World) -> None:
    management = world.first["clients"]["management"]
    audience = world.first["management_audience"]
    for _ in range(12):
        await world.token("client_credentials", **management | {"client_secret": "guess"}, audience=audience)
    guess = await world.token("client_credentials", **management | {"client_secret": "guess"}, audience=audience)
    assert guess.status_code == 429
    assert (await world.token("client_credentials", **management, audience=audience)).status_code == 200


async def test_invented_clients_leave_no_rows(world: World) -> None:
    for number in range(5):
        await world.token("client_credentials", client_id=f"nobody-{number}", client_secret="guess", audience="x")
    assert await world.count(tables.Attempt) == 0


async def test_third_party_clients_get_nobodys_tokens_unasked(world: World) -> None:
    await world.signup()
    await world.patch_client(world.client_id, is_first_party=False)
    assert (await world.login()).json()["error"] == "unauthorized_client"
    visitor = Visitor.of(world)
    assert (await visitor.log_in(await visitor.authorize())).path == "/u/consent"
    assert (await visitor.authorize(prompt="none")).answer["error"] == "consent_required"


async def test_a_named_connection_is_not_entered_with_another_ones_session(world: World) -> None:
    await world.signup()
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    assert "code" in landed.answer
    await world.new_connection("employees", clients=[world.client_id])
    assert "code" in (await visitor.authorize(prompt="none")).answer
    assert (await visitor.authorize(prompt="none", connection="employees")).answer["error"] == "login_required"


async def test_a_management_token_ends_with_its_client(world: World) -> None:
    token = await world.management_token()
    await world.db.write(_forget_grants)
    answer = await world.client.get("/api/v2/users", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def _forget_grants(session: Session) -> None:
    session.connection().execute(delete(tables.ClientGrant))


async def test_a_recycled_user_id_does_not_open_with_the_old_token(world: World) -> None:
    user_id = await world.person()
    token = (await world.tokens())["access_token"]
    await world.delete_user(user_id)
    world.clock.advance(seconds=10)
    body = {"connection": world.connection, "email": "new@example.com", "password": PASSWORD}
    made = await world.manage("POST", "/users", body | {"user_id": user_id.partition("|")[2]})
    assert made.json()["user_id"] == user_id
    assert (await world.userinfo(token)).status_code == 401


async def test_the_database_does_not_hold_the_state_of_a_login(world: World) -> None:
    landed = await Visitor.of(world).authorize()
    state = landed.form().action.partition("state=")[2]
    rows = await world.db.read(lambda session: session.connection().execute(select(tables.Transaction)).all())
    assert len(rows) == 1
    assert state not in str(rows)
