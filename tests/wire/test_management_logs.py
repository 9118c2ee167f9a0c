"""The journal over the Management API: by page, by checkpoint, by id, searched, verified and exported."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from keystead.db.tables import JournalRow, JournalSeal
from world import World


async def seal(world: World) -> None:
    world.clock.advance(seconds=3)
    await world.app.state.flows.management.chain.seal()


async def logs(world: World, query: str = "", path: str = "/logs") -> Any:
    answer = await world.manage("GET", f"{path}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(world: World, path: str) -> str:
    answer = await world.manage("GET", path)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_query_string")
    return str(answer.json()["message"])


@pytest.fixture
async def lived(world: World) -> World:
    """Two people, who sign up and log in, one of them wrongly; a second apart."""
    await world.person()
    world.clock.advance(seconds=1)
    await world.person("bob@example.com")
    world.clock.advance(seconds=1)
    await world.tokens()
    world.clock.advance(seconds=1)
    await world.guess("bob@example.com")
    return world


async def types(world: World, query: str) -> list[str]:
    return [each["type"] for each in await logs(world, query)]


async def test_newest_first_and_by_page(lived: World) -> None:
    await lived.management_token()
    everything = await lived.journal(exchanges=True)
    assert await types(lived, "") == everything[::-1]
    assert await types(lived, "?sort=date:1") == everything
    assert await types(lived, "?sort=date:1&per_page=2&page=1") == everything[2:4]
    assert await types(lived, "?page=19") == []
    page = await logs(lived, "?include_totals=true&per_page=2")
    assert {name: page[name] for name in ("start", "limit", "length", "total")} == {
        "start": 0,
        "limit": 2,
        "length": 2,
        "total": len(everything),
    }
    assert [each["type"] for each in page["logs"]] == everything[::-1][:2]


async def test_only_some_members(lived: World) -> None:
    assert set((await logs(lived, "?fields=type,log_id"))[0]) == {"type", "log_id"}
    without = await logs(lived, "?fields=details&include_fields=false")
    assert "details" not in without[0]
    assert "type" in without[0]


async def test_one_entry(lived: World) -> None:
    newest = next(each for each in await logs(lived) if each["type"] == "fp")
    assert await logs(lived, path=f"/logs/{newest['log_id']}") == newest
    assert newest["hostname"] == "localhost"
    assert newest["user_name"] == "bob@example.com"
    missing = await lived.manage("GET", "/logs/nothing")
    assert (missing.status_code, missing.json()["message"]) == (404, "Log not found.")


async def test_of_a_user(lived: World) -> None:
    (ann,) = [each["user_id"] for each in await logs(lived) if each["type"] == "s"]
    found = await logs(lived, path=f"/users/{quote(ann)}/logs")
    assert [each["type"] for each in found] == (await lived.journal(ann, exchanges=True))[::-1]
    assert {each["user_id"] for each in found} == {ann}
    page = await logs(lived, "?include_totals=true&per_page=1", path=f"/users/{quote(ann)}/logs")
    assert (page["total"], page["length"]) == (len(found), 1)
    await lived.delete_user(ann)
    assert (await logs(lived, path=f"/users/{quote(ann)}/logs"))[0]["type"] == "sdu"
    assert await logs(lived, path="/users/auth0%7Cnobody/logs") == []


async def test_of_a_user_behind_an_entry(lived: World) -> None:
    """All of them are reached, in either order, before they are sealed."""
    (ann,) = [each["user_id"] for each in await logs(lived) if each["type"] == "s"]
    path = f"/users/{quote(ann)}/logs"
    newest_first = await logs(lived, path=path)
    assert len(newest_first) > 2
    for sort, wanted in (("", newest_first), ("&sort=date:1", newest_first[::-1])):
        found: list[Any] = []
        while page := await logs(lived, f"?take=2{sort}{'&from=' + found[-1]['log_id'] if found else ''}", path):
            found += page
        assert found == wanted
    assert "no log event by that id" in await refused(lived, f"{path}?from=nothing")
    far = await lived.manage("GET", f"{path}?page=20")
    assert far.json()["message"] == "You can only page through the first 1000 records. Read on with from and take."


async def test_scopes(lived: World) -> None:
    newest = (await logs(lived))[0]["log_id"]
    for path, scope, status in (
        ("/logs", "read:logs_users", 403),
        (f"/logs/{newest}", "read:logs_users", 200),
        ("/users/x/logs", "read:logs_users", 200),
        ("/users/x/logs", "read:users", 403),
        ("/keystead/journal/verification", "read:logs_users", 403),
        ("/keystead/journal/export", "read:users", 403),
    ):
        assert (await lived.manage("GET", path, scope=scope)).status_code == status, path


# --- checkpoints -----------------------------------------------------------------------------------------------------


async def test_a_consumer_that_reads_on_gets_everything_once(lived: World) -> None:
    await lived.management_token()
    await seal(lived)
    found: list[Any] = []
    while page := await logs(lived, f"?take=2{'&from=' + found[-1]['log_id'] if found else ''}"):
        found += page
    assert [each["type"] for each in found] == await lived.journal(exchanges=True)


async def test_a_checkpoint_waits_for_what_is_not_sealed(lived: World) -> None:
    assert await logs(lived, "?take=20") == []
    newest = (await logs(lived))[0]["log_id"]
    assert await logs(lived, f"?from={newest}") == []
    await seal(lived)
    assert len(await logs(lived, "?take=20")) == len(await lived.journal(exchanges=True))
    await lived.tokens()
    assert await logs(lived, f"?from={newest}") == []
    await seal(lived)
    assert [each["type"] for each in await logs(lived, f"?from={newest}")] == ["s", "sepft"]


async def test_wrong_checkpoints(lived: World) -> None:
    assert "no log event by that id" in await refused(lived, "/logs?from=nothing")
    assert "maximum 100" in await refused(lived, "/logs?take=101")
    assert "minimum 1" in await refused(lived, "/logs?take=0")
    await refused(lived, "/logs?from=&q=type:s")
    assert "the oldest first" in await refused(lived, "/logs?take=5&sort=date:-1")
    assert "no pages" in await refused(lived, "/logs?take=5&page=1")
    assert "no pages" in await refused(lived, "/users?take=5&page=1")
    everything = await logs(lived, "?take=100&sort=date:1&page=0&per_page=50")  # as SDKs send it
    assert everything == await logs(lived, "?take=100")


@pytest.mark.parametrize("query", ["sort=type:1", "sort=date", "page=-1", "per_page=101", "include_totals=1"])
async def test_wrong_queries(world: World, query: str) -> None:
    await refused(world, f"/logs?{query}")
    await refused(world, f"/users/x/logs?{query}")


# --- searches --------------------------------------------------------------------------------------------------------


async def count(world: World, query: str) -> int:
    return len(await logs(world, f"?q={quote(query)}"))


async def test_a_search(lived: World) -> None:
    entries = await logs(lived)
    everything = await lived.journal(exchanges=True)
    ann = next(each["user_id"] for each in entries if each["type"] == "s")
    failed = next(each for each in entries if each["type"] == "fp")
    assert await types(lived, "?q=type:s") == ["s"]
    assert await types(lived, "?search=type:s") == ["s"]
    assert await count(lived, "type:(s OR fp)") == 2
    assert await count(lived, "type:s*") == len([each for each in everything if each.startswith("s")])
    assert await count(lived, f'user_id:"{ann}"') == len(await lived.journal(ann, exchanges=True))
    assert await count(lived, f'user_id:"{ann}" AND NOT type:s') == len(await lived.journal(ann, exchanges=True)) - 1
    assert await count(lived, f"connection:{lived.connection}") == await count(
        lived, f"connection_id:{lived.connection_id}"
    )
    assert await count(lived, f"connection:{lived.connection}") > 0
    assert await count(lived, "connection:nowhere") == 0
    assert await count(lived, f"client_id:{lived.client_id}") > 0
    assert await count(lived, "ip:203.0.113.9") == len(everything)
    assert await count(lived, f"log_id:{failed['log_id']}") == 1
    assert await count(lived, f"decision_id:{failed['decision_id']}") == 1
    assert await types(lived, "?q=_exists_:actor") == ["seccft"]
    assert await count(lived, "NOT _exists_:actor") == len(everything) - 1
    assert await count(lived, "-ip:203.0.113.9") == 0
    page = await logs(lived, "?q=type:s&include_totals=true")
    assert page["total"] == 1


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("user_agent:*a*b*c*d*e*", "character 12: a value may have 4 wildcards at most"),
        ("ip:*1", "character 4: a wildcard that is not at the end needs 3 other characters at least"),
        ("type:*a*", "character 6: a wildcard that is not at the end needs 3 other characters at least"),
    ],
)
async def test_what_a_search_may_not_cost(world: World, query: str, why: str) -> None:
    assert why in await refused(world, f"/logs?q={quote(query)}")
    assert f"{why}' on property search" in await refused(world, f"/logs?search={quote(query)}")


@pytest.mark.parametrize("path", ["/logs", "/users/x/logs"])
async def test_the_journal_is_read_by_number_only_so_far(world: World, path: str) -> None:
    for query in ("page=19", "page=9&per_page=100"):
        assert await logs(world, f"?{query}", path) == []
    for query in ("page=20", "page=10&per_page=100", "page=9999999&per_page=100&include_totals=true"):
        answer = await world.manage("GET", f"{path}?{query}")
        assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_paging")


async def test_a_search_by_time(lived: World) -> None:
    await lived.management_token()
    everything = len(await lived.journal(exchanges=True))
    day = lived.clock.now.date().isoformat()
    second = (await logs(lived, "?q=type:s"))[0]["date"]
    assert await count(lived, f"date:{day}") == everything
    assert await count(lived, f"date:[{day} TO {day}]") == everything
    assert await count(lived, f"date:{{{day} TO *]") == 0
    assert await count(lived, f"date:[* TO {day}}}") == 0
    assert await count(lived, f'date:["{second}" TO *]') == 4  # the login with its exchange, the guess, our own token
    assert await count(lived, f'date:{{"{second}" TO *]') == 2
    assert await count(lived, f'date:>="{second}"') == 4
    assert await count(lived, f'date:<"{second}"') == everything - 4


async def test_a_moment_is_all_that_its_precision_names(lived: World) -> None:
    """A moment as the answers show it finds its entries, and so does less of it."""
    everything = await count(lived, "date:[* TO *]")
    login = (await logs(lived, "?q=type:s"))[0]["date"]
    assert await count(lived, f'date:"{login}"') == 2  # the login with its exchange
    assert await count(lived, f'date:"{login[:19]}Z"') == 2
    assert await count(lived, f'date:"{login[:10]} {login[11:19]}"') == 2
    for whole in (f'"{login[:16]}"', login[:10], login[:10].replace("-", ""), login[:7], login[:4]):
        assert await count(lived, f"date:{whole}") == everything, whole
        assert await count(lived, f"date:[{whole} TO {whole}]") == everything, whole
        assert await count(lived, f"date:>{whole}") == 0, whole
    assert await count(lived, "date:[* TO 9999-12-31]") == everything


async def test_a_search_of_descriptions(lived: World) -> None:
    await lived.new_client()
    assert await count(lived, "description:client") == 1
    assert await count(lived, 'description:"create a CLIENT"') == 1
    assert await count(lived, "description:100%") == 0
    assert await count(lived, "description:_lient") == 0


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("type:", 6),
        ("s", 1),
        ("nothing:s", 1),
        ("type:s AND nothing:x", 12),
        ("type:[a TO b]", 6),
        ("date:yesterday", 6),
        ("date:20*", 6),
        ("date:2026-02-30", 6),
        ("date:[2026-06-01 TO 99999]", 6),
        ("_exists_:nothing", 1),
    ],
)
async def test_a_wrong_search_says_where(world: World, query: str, at: int) -> None:
    assert f"at character {at}:" in await refused(world, f"/logs?q={quote(query)}")


async def test_two_searches_at_once(world: World) -> None:
    await refused(world, "/logs?q=type:s&search=type:s")


# --- the chain -------------------------------------------------------------------------------------------------------


async def test_verification(lived: World) -> None:
    await seal(lived)
    found = await logs(lived, path="/keystead/journal/verification")
    (row,) = await lived.rows(JournalSeal)
    assert found["ok"] is True
    assert found["head"] == {"number": 1, "digest": row["digest"]}
    assert found["problems"] == []
    expect = f"?expect=1:{row['digest']}"
    assert (await logs(lived, expect, path="/keystead/journal/verification"))["ok"]
    other = f"?expect=2:{row['digest']}"
    assert [each["what"] for each in (await logs(lived, other, path="/keystead/journal/verification"))["problems"]] == [
        "cut_off"
    ]
    victim = (await lived.rows(JournalRow))[0]["log_id"]
    await lived.db.write(
        lambda session: session.connection().execute(
            text("UPDATE journal SET ip = '192.0.2.1' WHERE log_id = :id"), {"id": victim}
        )
    )
    (problem,) = (await logs(lived, path="/keystead/journal/verification"))["problems"]
    assert (problem["seal"], problem["what"], problem["log_id"]) == (1, "entry_changed", victim)


@pytest.mark.parametrize("expect", ["1", "x:y", "1:" + "g" * 64, "-1:" + "0" * 64, ""])
async def test_a_wrong_expectation(world: World, expect: str) -> None:
    await refused(world, f"/keystead/journal/verification?expect={expect}")


async def test_batches(lived: World) -> None:
    await seal(lived)
    await lived.tokens()
    await seal(lived)
    first = await logs(lived, "?take=1", path="/keystead/journal/seals")
    assert [each["number"] for each in first["seals"]] == [1]
    second = await logs(lived, f"?take=1&from={first['next']}", path="/keystead/journal/seals")
    assert [each["number"] for each in second["seals"]] == [2]
    assert "next" not in second
    assert second["seals"][0]["entries"] == 2
    await refused(lived, "/keystead/journal/seals?from=x")


# --- export ----------------------------------------------------------------------------------------------------------


async def exported(world: World, query: str = "") -> list[Any]:
    answer = await world.manage("GET", f"/keystead/journal/export{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_an_export_has_a_line_for_each(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keystead.flows.logs._PIECE", 2)
    lines = await exported(lived)
    assert [each["type"] for each in lines] == await lived.journal(exchanges=True)
    assert lines == (await logs(lived, "?sort=date:1"))
    assert lines[-1]["type"] == "mgmt_api_read"
    assert lines[-1]["details"]["request"] == {"method": "GET", "path": "/api/v2/keystead/journal/export"}


async def test_an_export_of_a_while(lived: World) -> None:
    entries = await logs(lived, "?sort=date:1")
    (login,) = [each for each in entries if each["type"] == "s"]
    since = quote(login["date"])
    assert [each["type"] for each in await exported(lived, f"?from={since}")][:2] == ["s", "sepft"]
    before = await exported(lived, f"?until={since}")
    assert [each["log_id"] for each in before] == [each["log_id"] for each in entries if each["date"] < login["date"]]
    assert await exported(lived, f"?from={since}&until={since}") == []
    assert [each["type"] for each in await exported(lived, "?from=2026-06-02")] == []
    for query in ("from=yesterday", "until=x", "format=xml"):
        await refused(lived, f"/keystead/journal/export?{query}")


async def test_head_exports_nothing(lived: World) -> None:
    assert (await lived.manage("HEAD", "/keystead/journal/export")).status_code == 200
    assert "mgmt_api_read" not in await lived.journal(exchanges=True)


async def test_an_export_as_ocsf(lived: World) -> None:
    lines = await exported(lived, "?format=ocsf")
    entries = await lived.rows(JournalRow)
    assert [each["metadata"]["uid"] for each in lines] == [each["log_id"] for each in entries]
    (login,) = [each for each in lines if each["status_code"] == "s"]
    assert (login["class_uid"], login["type_uid"], login["status_id"]) == (3002, 300201, 1)
    assert login["user"]["name"] == "ann@example.com"
    assert login["src_endpoint"] == {"ip": "203.0.113.9"}
    assert login["service"] == {"uid": lived.client_id, "name": "Default App"}
