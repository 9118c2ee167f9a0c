import pytest

from world import World

pytestmark = pytest.mark.anyio


async def test_a(world: World) -> None:
    for n in range(5):
        a = await world.manage(
            "POST",
            "/users",
            {
                "connection": world.connection,
                "email": f"ann{n}@example.com",
                "password": "correct horse battery",
                "name": f"Änn {n}",
                "user_metadata": {"a": {"b": n}, "l": [1, "x"], "o": [{"c": "p"}, {"c": True}]},
            },
        )
        assert a.status_code == 201

    async def q(text, **m):
        a = await world.manage("GET", "/users", params={"q": text, "search_engine": "v3", **m})
        print(
            text,
            a.status_code,
            a.text
            if a.status_code != 200
            else [u["email"][:4] for u in (a.json() if isinstance(a.json(), list) else a.json()["users"])],
        )
        return a

    for t in [
        "email:ann1*",
        'name:"ÄNN 3"',
        "name:änn\\ 3",
        "name:ä*",
        "name:*nn\\ 2",
        "user_metadata.a.b:3",
        "user_metadata.l:x",
        "user_metadata.l:1",
        'user_metadata.l:"1"',
        "user_metadata.o.c:p",
        "user_metadata.o.c:true",
        "_exists_:user_metadata.o",
        "_exists_:app_metadata",
        "_exists_:user_metadata",
        "-user_metadata.a.b:3",
        "created_at:2026-06",
        "created_at:[2026-06-01T12:00:00 TO 9999]",
        "last_login:*",
        "logins_count:0",
        "NOT blocked:true",
        "blocked:false",
        "email.domain:example.com AND name:*1",
        'identities.connection:"%s"' % world.connection,
        "identities.connection:admin*",
        "identities.provider:auth0",
        "user_id:auth0*",
        "ann2@example.com",
        "shoe:5",
        "name:*n",
        "email_verified:false",
        "email_verified:x",
        "user_id:auth0|a\x00b",
        "user_metadata.a\"b'.c\\\\:1",
        "identities.user_id:*",
        "identities.user_id:a*",
    ]:
        await q(t)
    a = await q("name:ä*", take=2)
    print(a.json()["next"])
    b = await q("name:ä*", take=2, **{"from": a.json()["next"]})
    for s in ["email:-1", "name:1", "last_login:-1", "user_id:-1", "username:1", "logins_count:1"]:
        await q("*", sort=s, include_totals="true")
    print((await world.manage("GET", "/users-by-email?email=ANN1@example.com")).text[:60])
    print((await world.manage("GET", "/users?page=20")).text)
    print((await world.manage("GET", "/users?from=xx")).text)
    print((await world.manage("GET", "/users?q=a")).text)
    print(
        (await world.manage("DELETE", f"/connections/{world.connection_id}/users?email=ANN1@example.com")).status_code
    )
    print((await world.manage("GET", "/users-by-email?email=ANN1@example.com")).text[:60])
    assert 0
