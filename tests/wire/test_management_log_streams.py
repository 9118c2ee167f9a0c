"""``/api/v2/log-streams``: Auth0's shape, secrets that are never shown again, and what is refused."""

from typing import Any

from keystead.db import tables
from keystead.rules.log_streams import MASK, MOST_STREAMS
from world import World

SINK = {
    "httpEndpoint": "https://logs.example.com/in",
    "httpAuthorization": "Bearer marked-secret-one",
    "httpCustomHeaders": [{"header": "X-Key", "value": "marked-secret-two"}],
}
NEW = {"name": "Logs", "type": "http", "sink": SINK}
SHOWN = {
    "httpEndpoint": "https://logs.example.com/in",
    "httpContentFormat": "JSONLINES",
    "httpContentType": "application/json",
    "httpAuthorization": MASK,
    "httpCustomHeaders": [{"header": "X-Key", "value": MASK}],
}


async def make(world: World, **more: Any) -> dict[str, Any]:
    answer = await world.manage("POST", "/log-streams", NEW | more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_made_shown_changed_and_ended(world: World) -> None:
    made = await make(world, filters=[{"type": "category", "name": "auth.login.fail"}])
    secret = made.pop("signing_secret")
    assert len(secret) >= 43
    assert made == {
        "id": made["id"],
        "name": "Logs",
        "type": "http",
        "status": "active",
        "isPriority": False,
        "filters": [{"type": "category", "name": "auth.login.fail"}],
        "sink": SHOWN,
    }
    assert made["id"].startswith("lst_")
    path = f"/log-streams/{made['id']}"
    assert (await world.manage("GET", path)).json() == made
    assert (await world.manage("GET", "/log-streams")).json() == [made]
    changed = await world.manage("PATCH", path, {"name": "More logs", "status": "paused", "filters": []})
    assert changed.json() == made | {"name": "More logs", "status": "paused", "filters": []}
    back = await world.manage("PATCH", path, {"status": "active", "isPriority": True})
    assert (back.json()["status"], back.json()["isPriority"]) == ("active", True)
    assert (await world.manage("DELETE", path)).status_code == 204
    assert (await world.manage("DELETE", path)).status_code == 204
    gone = await world.manage("GET", path)
    assert (gone.status_code, gone.json()["errorCode"]) == (404, "inexistent_log_stream")
    assert (await world.manage("PATCH", path, {"name": "x"})).status_code == 404
    assert (await world.manage("POST", f"{path}/rotate-secret")).status_code == 404


async def test_secrets_are_sealed_and_nowhere_else(world: World) -> None:
    made = await make(world)
    rotated = (await world.manage("POST", f"/log-streams/{made['id']}/rotate-secret")).json()
    assert rotated.pop("signing_secret") != made.pop("signing_secret")
    assert rotated == made
    marks = ("marked-secret", made["id"] and "Bearer")
    for table in (tables.LogStream, tables.JournalRow):
        assert not [mark for row in await world.rows(table) for mark in marks if mark in repr(row)]
    entries = [row for row in await world.rows(tables.JournalRow) if row["type"] == "sapi"]
    assert [entry["description"] for entry in entries] == [
        "Create a log stream",
        "Rotate the signing secret of a log stream",
    ]
    await world.manage("PATCH", f"/log-streams/{made['id']}", {"sink": SINK | {"httpAuthorization": "marked-secret-3"}})
    entry = await world.last_entry()
    assert entry["details"]["changed"] == ["sink"]
    assert "marked" not in repr(entry)


async def test_what_was_read_can_be_written_back(world: World) -> None:
    made = await make(world)
    path = f"/log-streams/{made['id']}"
    before = await world.rows(tables.LogStream)
    read = (await world.manage("GET", path)).json()
    body = {name: read[name] for name in ("name", "isPriority", "filters", "sink")}
    assert (await world.manage("PATCH", path, body)).json() == read
    (after,) = await world.rows(tables.LogStream)
    kept = ("name", "settings", "after_seal", "after_id", "status")
    assert {name: after[name] for name in kept} == {name: before[0][name] for name in kept}
    elsewhere = SHOWN | {"httpEndpoint": "https://elsewhere.example.com/"}
    refused = await world.manage("PATCH", path, {"sink": elsewhere})
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "invalid_body")


async def test_names_are_unique_and_streams_few(world: World) -> None:
    made = await make(world)
    again = await world.manage("POST", "/log-streams", NEW)
    assert (again.status_code, again.json()["message"]) == (409, "A log stream with the same name already exists")
    other = await make(world, name="Other")
    renamed = await world.manage("PATCH", f"/log-streams/{other['id']}", {"name": "Logs"})
    assert renamed.status_code == 409
    assert (await world.manage("PATCH", f"/log-streams/{made['id']}", {"name": "Logs"})).status_code == 200
    for number in range(MOST_STREAMS - 2):
        await make(world, name=f"Stream {number}")
    assert (await world.manage("POST", "/log-streams", NEW | {"name": "One more"})).status_code == 409


async def test_other_types_and_other_states_are_refused(world: World) -> None:
    refused = await world.manage("POST", "/log-streams", {"name": "x", "type": "datadog", "sink": {}})
    assert refused.status_code == 400
    assert "datadog are not supported" in refused.json()["message"]
    made = await make(world)
    for status in ("suspended", "asleep"):
        assert (await world.manage("PATCH", f"/log-streams/{made['id']}", {"status": status})).status_code == 400
    assert (await world.manage("PATCH", f"/log-streams/{made['id']}", {"type": "http"})).status_code == 400


async def test_scopes(world: World) -> None:
    made = await make(world)
    path = f"/log-streams/{made['id']}"
    for method, where, needed in [
        ("GET", "/log-streams", "read"),
        ("GET", path, "read"),
        ("POST", "/log-streams", "create"),
        ("PATCH", path, "update"),
        ("POST", f"{path}/rotate-secret", "update"),
        ("DELETE", path, "delete"),
    ]:
        others = " ".join(f"{verb}:log_streams" for verb in ("read", "create", "update", "delete") if verb != needed)
        assert (await world.manage(method, where, {}, scope=others)).status_code == 403, (method, where)
