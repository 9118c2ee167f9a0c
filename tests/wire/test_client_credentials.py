"""``client_credentials``: a client in its own name (LG-9)."""

import pytest

from world import World, basic, claims_of

GRANT = "client_credentials"


def pair(world: World) -> tuple[str, str]:
    client = world.first["clients"]["management"]
    return client["client_id"], client["client_secret"]


async def test_what_it_answers(world: World) -> None:
    audience = world.first["management_audience"]
    answer = await world.token(GRANT, auth=pair(world), audience=audience)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert list(found) == ["access_token", "scope", "expires_in", "token_type"]
    assert (found["expires_in"], found["token_type"]) == (86_400, "Bearer")
    assert "update:connections" in found["scope"].split()
    claims = claims_of(found["access_token"])
    now = int(world.clock().timestamp())
    assert claims.pop("jti")
    assert claims == {
        "iss": "http://localhost:8000/",
        "sub": f"{pair(world)[0]}@clients",
        "aud": audience,
        "azp": pair(world)[0],
        "client_id": pair(world)[0],
        "iat": now,
        "exp": now + 86_400,
        "scope": found["scope"],
        "gty": "client-credentials",
    }


async def test_in_the_body_by_basic_and_as_a_form(world: World) -> None:
    client_id, secret = pair(world)
    asked = {"grant_type": GRANT, "audience": world.first["management_audience"]}
    shown = asked | {"client_id": client_id, "client_secret": secret}
    header = {"authorization": basic(client_id, secret)}
    assert (await world.client.post("/oauth/token", json=shown)).status_code == 200
    assert (await world.client.post("/oauth/token", data=shown)).status_code == 200
    assert (await world.client.post("/oauth/token", data=asked, headers=header)).status_code == 200
    nulls = {"organization": None, "scope": "", "realm": None}
    assert (await world.client.post("/oauth/token", json=shown | nulls)).status_code == 200


async def test_a_part_of_the_scope(world: World) -> None:
    audience = world.first["management_audience"]
    found = (await world.token(GRANT, auth=pair(world), audience=audience, scope="read:users read:clients")).json()
    assert found["scope"] == "read:users read:clients"
    more = await world.token(GRANT, auth=pair(world), audience=audience, scope="read:users read:everything")
    assert more.status_code == 403
    assert more.json() == {
        "error": "invalid_scope",
        "error_description": "The requested scope exceeds what was granted.",
    }


@pytest.mark.parametrize("audience", ["", None])
async def test_an_audience_is_needed(shared_world: World, audience: str | None) -> None:
    answer = await shared_world.token(GRANT, auth=pair(shared_world), audience=audience)
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_request", "error_description": "Missing required parameter: audience"}


@pytest.mark.parametrize(
    ("audience", "text"),
    [
        ("http://localhost:8000/me/", 'Client is not authorized to access "http://localhost:8000/me/".'),
        ("https://nowhere.example", "Service not found: https://nowhere.example"),
        ("/api/v2/", "Service not found: /api/v2/"),
        ("http://localhost:8000/userinfo", "Service not found: http://localhost:8000/userinfo"),
    ],
)
async def test_an_api_that_the_client_holds_no_grant_for(shared_world: World, audience: str, text: str) -> None:
    answer = await shared_world.token(GRANT, auth=pair(shared_world), audience=audience)
    assert (answer.status_code, answer.json()) == (403, {"error": "access_denied", "error_description": text})


async def test_a_client_without_a_grant_for_the_api(world: World) -> None:
    client = await world.new_client(app_type="non_interactive")
    shown = client["client_id"], client["client_secret"]
    answer = await world.token(GRANT, auth=shown, audience=world.first["management_audience"])
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")


async def test_a_public_client_has_no_name_of_its_own(world: World) -> None:
    answer = await world.token(GRANT, audience=world.first["management_audience"])
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "unauthorized_client",
        "error_description": "Grant type 'client_credentials' not allowed for the client.",
    }


async def test_a_wrong_secret(world: World) -> None:
    client_id, secret = pair(world)
    for wrong in ("", "wrong", secret.swapcase(), secret + "x", " " + secret):
        answer = await world.token(GRANT, auth=(client_id, wrong), audience=world.first["management_audience"])
        assert answer.status_code == 401
        assert answer.json() == {"error": "access_denied", "error_description": "Unauthorized"}


async def test_a_token_of_a_client_is_nobody_s(world: World) -> None:
    token = await world.management_token()
    assert (await world.userinfo(token)).status_code == 401
    header = {"authorization": f"Bearer {token}"}
    assert (await world.client.get("/me/v1/authentication-methods", headers=header)).status_code == 401
