"""``/userinfo``: who a token is about, as they are now."""

import pytest

from authenticator import Authenticator
from world import World, claims_of

ANN = {"given_name": "Ann", "family_name": "B", "name": "Ann B", "nickname": "annie"}


async def test_what_it_answers(world: World) -> None:
    await world.signup(**ANN)
    answer = await world.userinfo((await world.tokens())["access_token"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found.pop("sub").startswith("auth0|")
    assert found == ANN | {
        "picture": "http://localhost:8000/avatars/an.svg",
        "updated_at": "2026-06-01T12:00:00.000Z",
        "email": "ann@example.com",
        "email_verified": False,
    }


@pytest.mark.parametrize(
    ("scope", "members"),
    [
        ("openid", ["sub"]),
        ("openid email", ["sub", "email", "email_verified"]),
        ("openid profile", ["sub", "nickname", "name", "picture", "updated_at"]),
        ("openid phone", ["sub"]),
        ("openid offline_access address", ["sub"]),
    ],
)
async def test_the_scope_decides(shared_world: World, scope: str, members: list[str]) -> None:
    await shared_world.signup()
    answer = await shared_world.userinfo((await shared_world.tokens(scope=scope))["access_token"])
    assert list(answer.json()) == members


async def test_it_says_what_the_id_token_says(world: World) -> None:
    await world.signup(**ANN)
    found = await world.tokens(scope="openid profile email phone")
    about = (await world.userinfo(found["access_token"])).json()
    claims = claims_of(found["id_token"])
    assert {name: claims[name] for name in about} == about


async def test_phone_and_username(world: World) -> None:
    optional = {"signup": {"status": "optional"}}
    await world.patch_options(attributes={"email": {}, "phone_number": optional, "username": optional})
    await world.signup(username="ann", phone_number="+14155552671")
    about = (await world.userinfo((await world.tokens(scope="openid profile phone"))["access_token"])).json()
    assert (about["username"], about["preferred_username"]) == ("ann", "ann")
    assert (about["phone_number"], about["phone_number_verified"]) == ("+14155552671", False)


async def test_by_post(world: World) -> None:
    token = (await world.register(Authenticator()))["access_token"]
    answer = await world.client.post("/userinfo", headers={"authorization": f"bearer {token}"})
    assert answer.status_code == 200


async def test_somebody_who_is_blocked_or_gone(world: World) -> None:
    user_id = await world.person()
    token = (await world.tokens())["access_token"]
    await world.block(user_id)
    blocked = await world.userinfo(token)
    await world.block(user_id, False)
    assert (await world.userinfo(token)).status_code == 200
    await world.delete_user(user_id)
    gone = await world.userinfo(token)
    for answer in (blocked, gone):
        assert answer.status_code == 401
        assert answer.json() == {"error": "invalid_token", "error_description": "Invalid token"}
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer  . .",
        "Token x",
        "Bearer " + "x" * 9000,
    ],
)
async def test_without_a_good_token(shared_world: World, header: str) -> None:
    headers = {"authorization": header} if header else {}
    for method in ("GET", "POST"):
        answer = await shared_world.client.request(method, "/userinfo", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_token"
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert answer.headers["cache-control"] == "no-store"


async def test_a_token_in_the_address_is_no_token(world: World) -> None:
    await world.person()
    token = (await world.tokens())["access_token"]
    assert (await world.client.get(f"/userinfo?access_token={token}")).status_code == 401
