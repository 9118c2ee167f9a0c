"""``/api/v2/client-grants`` over HTTP, and what a client gets by them: in its own name and on people's behalf."""

import asyncio
from typing import Any

import pytest

from world import PUBLIC_URL, World

pytestmark = pytest.mark.anyio

AUDIENCE = "https://books.example.com"
SCOPES = ("read:books", "write:books", "burn:books")


async def api(world: World, *, user: str = "allow_all", client: str = "require_client_grant", **more: Any) -> str:
    subjects = {"user": {"policy": user}, "client": {"policy": client}}
    scopes = [{"value": value} for value in SCOPES]
    body = {"name": "Books", "identifier": AUDIENCE, "scopes": scopes, "subject_type_authorization": subjects} | more
    answer = await world.manage("POST", "/resource-servers", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def grant(world: World, client_id: str, *scope: str, **more: Any) -> dict[str, Any]:
    body = {"client_id": client_id, "audience": AUDIENCE} | ({"scope": list(scope)} if scope else {}) | more
    answer = await world.manage("POST", "/client-grants", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def machine(world: World) -> tuple[str, str]:
    made = await world.new_client(app_type="non_interactive")
    return made["client_id"], made["client_secret"]


async def scope_of(world: World, shown: tuple[str, str], **more: Any) -> list[str] | str:
    """Return the scope of a client's token in its own name, or the error."""
    answer = await world.token("client_credentials", auth=shown, audience=AUDIENCE, **more)
    found: str = answer.json().get("error", "")
    return found or answer.json()["scope"].split()


async def asked(world: World, *scope: str, **more: Any) -> list[str] | str:
    """Return the scope of a person's token by the default client, or the error."""
    answer = await world.login(audience=AUDIENCE, scope=" ".join(scope), **more)
    found: str = answer.json().get("error", "")
    return found or answer.json()["scope"].split()


async def test_what_a_grant_is_shown_with(world: World) -> None:
    await api(world)
    name, _ = await machine(world)
    found = await grant(world, name, "read:books")
    assert found.pop("id").startswith("cgr_")
    assert found == {
        "client_id": name,
        "audience": AUDIENCE,
        "scope": ["read:books"],
        "subject_type": "client",
        "allow_all_scopes": False,
        "organization_usage": "deny",
        "allow_any_organization": False,
        "is_system": False,
    }


async def test_lists_and_filters(world: World) -> None:
    await api(world)
    (name, _), (other, _) = await machine(world), await machine(world)
    mine = [await grant(world, name, "read:books"), await grant(world, name, subject_type="user")]
    theirs = await grant(world, other)
    by_id = sorted([*mine, theirs], key=lambda each: str(each["id"]))

    async def listed(query: str) -> list[dict[str, Any]]:
        return list((await world.manage("GET", f"/client-grants?{query}")).json())

    assert await listed(f"audience={AUDIENCE}") == by_id
    assert await listed(f"client_id={name}&subject_type=user") == [mine[1]]
    assert await listed(f"client_id={other}") == [theirs]
    assert await listed("client_id=nobody") == []
    assert await listed("allow_any_organization=true") == await listed("default_for=third_party_clients") == []
    assert await listed(f"audience={AUDIENCE}&allow_any_organization=false") == by_id
    assert len(await listed(f"audience={PUBLIC_URL}/api/v2/")) == 1
    assert await listed("audience=/api/v2/") == []
    paged = (await world.manage("GET", f"/client-grants?audience={AUDIENCE}&per_page=2&include_totals=true")).json()
    assert paged == {"start": 0, "limit": 2, "total": 3, "client_grants": by_id[:2]}
    first = (await world.manage("GET", f"/client-grants?audience={AUDIENCE}&take=2")).json()
    assert first == {"client_grants": by_id[:2], "next": by_id[1]["id"]}
    rest = (await world.manage("GET", f"/client-grants?audience={AUDIENCE}&take=2&from={first['next']}")).json()
    assert rest == {"client_grants": by_id[2:]}
    assert (await world.manage("GET", "/client-grants?subject_type=robot")).status_code == 400


async def test_one_of_a_kind(world: World) -> None:
    await api(world)
    name, _ = await machine(world)
    await grant(world, name, "read:books")
    answer = await world.manage("POST", "/client-grants", {"client_id": name, "audience": AUDIENCE, "scope": []})
    assert answer.status_code == 409
    assert answer.json()["message"] == f"A client grant already exists between {name} and {AUDIENCE}"
    await grant(world, name, "read:books", subject_type="user")


async def test_of_many_at_once_one_is_made(world: World) -> None:
    await api(world)
    name, _ = await machine(world)
    body = {"client_id": name, "audience": AUDIENCE, "scope": ["read:books"]}
    made = await asyncio.gather(*(world.manage("POST", "/client-grants", body) for _ in range(10)))
    assert sorted(each.status_code for each in made) == [201] + [409] * 9


async def test_grants_and_their_api_change_at_once(world: World) -> None:
    api_id = await api(world)
    name, _ = await machine(world)
    made = await grant(world, name, *SCOPES)
    fewer = [{"value": "read:books"}]
    for round_number in range(10):
        scopes = fewer if round_number % 2 else [{"value": value} for value in SCOPES]
        answers = await asyncio.gather(
            world.manage("PATCH", f"/resource-servers/{api_id}", {"scopes": scopes}),
            world.manage("PATCH", f"/client-grants/{made['id']}", {"scope": ["read:books", "write:books"]}),
        )
        assert [each.status_code for each in answers] in ([200, 200], [200, 400])
    held = (await world.manage("GET", f"/client-grants/{made['id']}")).json()["scope"]
    assert held == ["read:books"]


async def test_a_deleted_client_takes_its_grants_along(world: World) -> None:
    await api(world)
    name, _ = await machine(world)
    made = await grant(world, name, "read:books")
    assert (await world.manage("DELETE", f"/clients/{name}")).status_code == 204
    assert (await world.manage("GET", f"/client-grants/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"audience": None}, 400, "Payload validation error: 'Missing required property: audience'."),
        ({"client_id": "nobody"}, 404, "The client does not exist"),
        ({"audience": "https://nowhere.example"}, 404, "The resource server does not exist"),
        ({"audience": "/api/v2/"}, 404, "The resource server does not exist"),
        (
            {"scope": ["read:books", "eat:books"]},
            400,
            "Payload validation error: 'The API has no such scope: eat:books' on property scope.",
        ),
        ({"scope": "read:books"}, 400, "Payload validation error: 'Expected type array but found type string'"),
        (
            {"scope": ["read:books"], "allow_all_scopes": True},
            400,
            "Payload validation error: 'A grant has either scope or allow_all_scopes' on property allow_all_scopes.",
        ),
        ({"subject_type": "robot"}, 400, "Payload validation error: 'No enum match for: robot' on"),
        ({"organization_usage": "allow"}, 400, "Payload validation error: 'No enum match for: allow' on"),
        ({"default_for": "third_party_clients"}, 400, "Payload validation error: 'Keystead does not have this' on"),
        (
            {"audience": f"{PUBLIC_URL}/api/v2/", "subject_type": "user"},
            400,
            "Payload validation error: 'This API is never opened for subject type user' on property subject_type.",
        ),
        (
            {"audience": f"{PUBLIC_URL}/me/"},
            400,
            "Payload validation error: 'This API is never opened for subject type client' on property subject_type.",
        ),
    ],
    ids=str,
)
async def test_what_is_refused(world: World, body: dict[str, Any], status: int, message: str) -> None:
    await api(world)
    good = {"client_id": (await machine(world))[0], "audience": AUDIENCE, "scope": []}
    answer = await world.manage("POST", "/client-grants", good | body)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)


async def test_a_machine_gets_what_it_was_granted_and_no_more(world: World) -> None:
    await api(world)
    shown = await machine(world)
    assert await scope_of(world, shown) == "access_denied"
    made = await grant(world, shown[0], "read:books", "write:books")
    assert await scope_of(world, shown) == ["read:books", "write:books"]
    assert await scope_of(world, shown, scope="write:books") == ["write:books"]
    assert await scope_of(world, shown, scope="burn:books") == "invalid_scope"
    path = f"/client-grants/{made['id']}"
    changed = await world.manage("PATCH", path, {"scope": ["read:books"]})
    assert changed.json() == made | {"scope": ["read:books"]}
    assert await scope_of(world, shown) == ["read:books"]
    assert await scope_of(world, shown, scope="write:books") == "invalid_scope"
    every = await world.manage("PATCH", path, {"allow_all_scopes": True})
    assert every.json() == made | {"scope": [], "allow_all_scopes": True}
    assert await scope_of(world, shown) == list(SCOPES)
    for _ in range(2):
        assert (await world.manage("DELETE", path)).status_code == 204
    assert await scope_of(world, shown) == "access_denied"
    assert (await world.manage("GET", path)).json()["errorCode"] == "inexistent_client_grant"
    assert (await world.manage("PATCH", path, {"scope": []})).status_code == 404


async def test_a_grant_for_people_opens_nothing_for_the_machine(world: World) -> None:
    await api(world)
    shown = await machine(world)
    await grant(world, shown[0], "read:books", subject_type="user")
    assert await scope_of(world, shown) == "access_denied"


async def test_an_api_may_be_closed_to_machines(world: World) -> None:
    await api(world, client="deny_all")
    shown = await machine(world)
    await grant(world, shown[0], "read:books")
    assert await scope_of(world, shown) == "access_denied"


async def test_a_scope_that_the_api_loses_does_not_come_back_by_itself(world: World) -> None:
    api_id = await api(world)
    shown = await machine(world)
    made = await grant(world, shown[0], *SCOPES)
    left = [{"value": "read:books"}]
    await world.manage("PATCH", f"/resource-servers/{api_id}", {"scopes": left})
    assert await scope_of(world, shown) == ["read:books"]
    await world.manage("PATCH", f"/resource-servers/{api_id}", {"scopes": [*left, {"value": "burn:books"}]})
    assert await scope_of(world, shown) == ["read:books"]
    assert (await world.manage("GET", f"/client-grants/{made['id']}")).json()["scope"] == ["read:books"]


async def test_on_people_s_behalf_the_api_decides(world: World) -> None:
    await world.person()
    api_id = await api(world)
    assert await asked(world, "openid", "read:books", "eat:books") == ["openid", "read:books"]
    policy = {"subject_type_authorization": {"user": {"policy": "require_client_grant"}}}
    await world.manage("PATCH", f"/resource-servers/{api_id}", policy)
    assert await asked(world, "openid", "read:books") == "access_denied"
    await grant(world, world.client_id, "read:books")
    assert await asked(world, "openid", "read:books") == "access_denied"
    made = await grant(world, world.client_id, "read:books", subject_type="user")
    assert await asked(world, "openid", "read:books", "write:books") == ["openid", "read:books"]
    everything = ["openid", "profile", "email", "phone", "address", "read:books"]
    assert await asked(world) == everything
    await world.manage("PATCH", f"/client-grants/{made['id']}", {"scope": []})
    assert await asked(world, "openid", "read:books") == ["openid"]
    policy = {"subject_type_authorization": {"user": {"policy": "deny_all"}}}
    await world.manage("PATCH", f"/resource-servers/{api_id}", policy)
    answer = await world.login(audience=AUDIENCE, scope="openid read:books")
    assert answer.status_code == 403
    text = f'Client is not authorized to access "{AUDIENCE}".'
    assert answer.json() == {"error": "access_denied", "error_description": text}


async def test_what_is_taken_away_is_gone_from_the_next_refresh(world: World) -> None:
    await world.person()
    api_id = await api(world, user="require_client_grant", allow_offline_access=True)
    made = await grant(world, world.client_id, "read:books", "write:books", subject_type="user")
    tokens = await world.tokens(audience=AUDIENCE, scope="openid offline_access read:books write:books")

    async def renewed() -> list[str] | str:
        answer = await world.token("refresh_token", refresh_token=tokens["refresh_token"])
        found: str = answer.json().get("error", "")
        return found or [each for each in answer.json()["scope"].split() if each.endswith("books")]

    assert await renewed() == ["read:books", "write:books"]
    await world.manage("PATCH", f"/client-grants/{made['id']}", {"scope": ["read:books"]})
    assert await renewed() == ["read:books"]
    await world.manage("PATCH", f"/resource-servers/{api_id}", {"scopes": [{"value": "write:books"}]})
    assert await renewed() == []
    await world.manage("DELETE", f"/client-grants/{made['id']}")
    assert isinstance(await renewed(), str)


async def test_offline_access_only_where_the_api_allows_it(world: World) -> None:
    await world.person()
    api_id = await api(world)
    assert await asked(world, "openid", "offline_access") == ["openid"]
    await world.manage("PATCH", f"/resource-servers/{api_id}", {"allow_offline_access": True})
    assert await asked(world, "openid", "offline_access") == ["openid", "offline_access"]


async def test_a_person_s_login_never_opens_the_management_api(world: World) -> None:
    await world.person()
    answer = await world.login(audience=f"{PUBLIC_URL}/api/v2/", scope="openid read:users")
    assert answer.json()["scope"] == "openid"
    headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await world.client.get("/api/v2/users", headers=headers)).status_code == 403


async def test_nobody_gives_what_they_do_not_have(world: World) -> None:
    name, _ = await machine(world)
    body = {"client_id": name, "audience": f"{PUBLIC_URL}/api/v2/"}
    little = "create:client_grants update:client_grants read:users"
    for more in ({"scope": ["read:users", "delete:users"]}, {"allow_all_scopes": True}):
        answer = await world.manage("POST", "/client-grants", body | more, scope=little)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "insufficient_scope"), more
    made = await world.manage("POST", "/client-grants", body | {"scope": ["read:users"]}, scope=little)
    assert made.status_code == 201
    path = f"/client-grants/{made.json()['id']}"
    more_of_it = await world.manage("PATCH", path, {"scope": ["read:users", "update:users"]}, scope=little)
    assert more_of_it.json()["message"] == "Insufficient scope, expected any of: update:users"
    assert (await world.manage("PATCH", path, {"scope": ["read:users", "update:users"]})).status_code == 200
    # What is there already may stay there.
    kept = await world.manage("PATCH", path, {"scope": ["update:users"]}, scope=little)
    assert (kept.status_code, kept.json()["scope"]) == (200, ["update:users"])


async def test_a_management_token_is_worth_what_is_left_of_the_grant(world: World) -> None:
    name, secret = await machine(world)
    audience = f"{PUBLIC_URL}/api/v2/"
    body = {"client_id": name, "audience": audience, "allow_all_scopes": True}
    made = (await world.manage("POST", "/client-grants", body)).json()
    token = (await world.token("client_credentials", auth=(name, secret), audience=audience)).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    assert (await world.client.get("/api/v2/users", headers=headers)).status_code == 200
    lessened = await world.manage(
        "PATCH", f"/client-grants/{made['id']}", {"allow_all_scopes": False, "scope": ["read:clients"]}
    )
    assert lessened.json()["scope"] == ["read:clients"]
    assert (await world.client.get("/api/v2/users", headers=headers)).status_code == 403
    assert (await world.client.get("/api/v2/clients", headers=headers)).status_code == 200
    await world.manage("DELETE", f"/client-grants/{made['id']}")
    assert (await world.client.get("/api/v2/clients", headers=headers)).status_code == 401


async def test_the_journal_has_each_change(world: World) -> None:
    await api(world)
    name, _ = await machine(world)
    made = await grant(world, name, "read:books", "write:books")
    about = {"client_id": name, "audience": AUDIENCE, "subject_type": "client", "allow_all_scopes": False}

    async def told(description: str) -> dict[str, Any]:
        entry = await world.last_entry()
        assert entry["description"] == description
        details: dict[str, Any] = entry["details"]
        return {each: details[each] for each in details.keys() - {"request", "created", "updated", "deleted"}}

    assert await told("Create a client grant") == {"grant": about | {"scope": ["read:books", "write:books"]}}
    await world.manage("PATCH", f"/client-grants/{made['id']}", {"scope": ["read:books"]})
    little = about | {"scope": ["read:books"]}
    less = {"grant": little, "changed": ["scope"], "added": [], "removed": ["write:books"]}
    assert await told("Update a client grant") == less
    await world.manage("PATCH", f"/client-grants/{made['id']}", {"scope": [], "allow_all_scopes": True})
    assert (await told("Update a client grant"))["added"] == sorted({*SCOPES} - {"read:books"})
    await world.manage("DELETE", f"/client-grants/{made['id']}")
    everything = about | {"scope": [], "allow_all_scopes": True}
    assert await told("Delete a client grant") == {"grant": everything}
