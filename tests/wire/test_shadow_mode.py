"""``options.shadow_mode``: logins decided here are held against the customer's database, and nobody waits for that."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest

from keystead import worker
from keystead.db import tables
from keystead.flows.shadow import AFTER, Shadow
from keystead.rules.action_scripts import ScriptLanguage
from scripted_people import ANN, EMAIL, options, scripts
from world import PASSWORD, REALM_GRANT, World

ON_SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
LANGUAGES: list[ScriptLanguage] = ["node", "python"]
USER = "auth0|7"


@dataclass
class Cutover:
    """A connection whose people move here, with what both sides say of each login."""

    world: World
    id: str
    language: ScriptLanguage

    @property
    def shadow(self) -> Shadow:
        return cast("Shadow", self.world.app.state.flows.management.shadow)

    async def login(self, password: str = PASSWORD) -> httpx.Response:
        self.world.clock.advance(seconds=1)
        answer = await self.unsettled(password)
        await self.shadow.settle()
        return answer

    async def unsettled(self, password: str = PASSWORD) -> httpx.Response:
        return await self.world.login(EMAIL, password, realm="Second", grant_type=REALM_GRANT)

    async def legacy(self, **change: Any) -> None:
        """Have the customer's database say something else of Ann."""
        await self.scripts(**scripts(self.language, ANN | change))

    async def scripts(self, **sources: str) -> None:
        path = f"/connections/{self.id}"
        current = (await self.world.manage("GET", path)).json()["options"]
        saved = {"options": current | {"customScripts": current["customScripts"] | sources}}
        answer = await self.world.manage("PATCH", path, saved)
        assert answer.status_code == 200, answer.text

    async def report(self, query: str = "") -> dict[str, Any]:
        answer = await self.world.manage("GET", f"/keystead/scripts/{self.id}/shadow{query}")
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json())

    async def counts(self) -> dict[str, int]:
        return cast("dict[str, int]", (await self.report())["counts"])

    async def differences(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.world.manage("GET", f"/keystead/scripts/{self.id}/shadow/differences{query}")
        assert answer.status_code == 200, answer.text
        return cast("list[dict[str, Any]]", answer.json())


async def cutover(world: World, language: ScriptLanguage = "python") -> Cutover:
    """Return a connection to which Ann has moved with her first login."""
    connection = await world.new_connection(**options(language, ANN, import_mode=True, shadow_mode=True))
    found = Cutover(world, connection, language)
    found.shadow.after = 0.0
    assert (await found.login()).status_code == 200
    assert await found.counts() == {}, "whom the script let in is compared with nothing"
    return found


@pytest.mark.parametrize("language", LANGUAGES)
async def test_databases_that_agree(world: World, language: ScriptLanguage) -> None:
    moved = await cutover(world, language)
    for _ in range(3):
        assert (await moved.login()).status_code == 200
    assert (await moved.login("wrong password")).status_code == 403
    report = await moved.report("?enough=3")
    assert report["counts"] == {"both_let_in": 3, "both_refused": 1}
    assert (report["ready"], report["shadow_mode"]) == (True, True)
    assert "a cut-over is advised" in report["advice"]
    assert await moved.differences() == []
    waiting = await moved.report("?enough=4")
    assert (waiting["ready"], "3 of 4" in waiting["advice"]) == (False, True)
    assert "shadow_difference" not in await world.journal()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_databases_that_differ(world: World, language: ScriptLanguage) -> None:
    moved = await cutover(world, language)
    await moved.legacy(password="another password there")
    assert (await moved.login()).status_code == 200, "ours decides"
    assert (await moved.login("another password there")).status_code == 403, "ours decides"
    await moved.legacy(id=8)
    await moved.login()
    await moved.legacy(verified=False)
    await moved.login()
    await moved.scripts(login=BROKEN[language])
    assert (await moved.login()).status_code == 200, "a script that fails refuses nobody who lives here"

    kinds = ["only_here", "only_there", "other_id", "other_profile"]
    assert await moved.counts() == dict.fromkeys([*kinds, "script_failed"], 1)
    found = await moved.differences()
    assert [each["kind"] for each in reversed(found)] == kinds
    assert {each["user_id"] for each in found} == {USER}
    assert found[0]["attributes"] == ["email_verified"]
    assert found[1]["other_user_id"] == "auth0|8"
    assert found[3]["known_there"] is True
    assert [each["kind"] for each in await moved.differences("?kind=other_id")] == ["other_id"]
    page = (
        await world.manage(
            "GET", f"/keystead/scripts/{moved.id}/shadow/differences?per_page=2&page=1&include_totals=true"
        )
    ).json()
    assert (page["total"], [each["kind"] for each in page["differences"]]) == (4, ["only_there", "only_here"])

    report = await moved.report("?enough=1")
    assert (report["ready"], report["advice"][:8]) == (False, "3 logins")
    assert (await world.journal(USER)).count("shadow_difference") == 3, "those that people would notice"
    kept = str([await world.rows(each) for each in (tables.ShadowDifference, tables.ShadowCount, tables.JournalRow)])
    assert PASSWORD not in kept
    assert "another password" not in kept


BROKEN = {
    "node": "function login(i, p, callback) { callback(new Error('ECONNREFUSED')); }",
    "python": "def login(identifier, password):\n    raise ConnectionError('refused')\n",
}


@ON_SQLITE
async def test_a_password_that_was_changed_here_is_no_surprise(world: World) -> None:
    moved = await cutover(world)
    world.clock.advance(hours=1)
    assert (await world.manage("PATCH", f"/users/{quote(USER)}", {"password": "a new one here 7"})).status_code == 200
    assert (await moved.login("a new one here 7")).status_code == 200
    assert await moved.counts() == {"changed_here": 1}
    assert "shadow_difference" not in await world.journal(USER)
    assert (await moved.differences())[0]["kind"] == "changed_here"


@ON_SQLITE
async def test_whoever_is_locked_out_is_not_compared(world: World) -> None:
    moved = await cutover(world)
    statuses = [(await moved.login(world.wrong_password())).status_code for _ in range(15)]
    assert statuses[-1] == 429
    refused = statuses.count(403)
    assert await moved.counts() == {"both_refused": refused}
    assert (await moved.login()).status_code == 429
    assert await moved.counts() == {"both_refused": refused}


SLOW = """
import time

def login(identifier, password):
    time.sleep(1)
    return {"user_id": "7", "email": identifier}
"""


@ON_SQLITE
async def test_nobody_waits_and_what_is_too_much_is_dropped(world: World) -> None:
    moved = await cutover(world)
    await moved.scripts(login=SLOW)
    moved.shadow.after = AFTER
    doors = [replace(moved, world=world.at(f"198.51.100.{number}")) for number in range(15)]
    answers = await asyncio.gather(*(door.unsettled() for door in doors))
    assert {each.status_code for each in answers} == {200}
    assert await moved.counts() == {}, "every answer was there before the first comparison"
    await moved.shadow.settle()
    assert await moved.counts() == {"both_let_in": 12, "dropped": 3}
    crowded = await moved.report("?enough=1")
    assert crowded["ready"] is True


@ON_SQLITE
async def test_a_script_that_hangs_in_comparisons_stops_no_login(world: World) -> None:
    """Comparisons have a circuit of their own: people who still live there log in by the same script."""
    moved = await cutover(world)
    await moved.scripts(login=f"import os\n{scripts('python', ANN, BOB)['login'].replace(GUARD, CRASH)}")
    for _ in range(8):
        assert (await moved.login()).status_code == 200
    assert (await moved.counts())["script_failed"] == 8
    bob = await world.login("bob@example.com", PASSWORD, realm="Second", grant_type=REALM_GRANT)
    assert bob.status_code == 200, bob.text


BOB = ANN | {"id": 9, "email": "bob@example.com"}
GUARD = "    row = found(identifier)\n"
CRASH = f"{GUARD}    if identifier == '{EMAIL}':\n        os._exit(3)\n"


async def test_old_findings_go_and_new_ones_begin(world: World) -> None:
    moved = await cutover(world)
    await moved.legacy(id=8)
    await moved.login()
    world.clock.advance(days=8)
    world.forget_tokens()
    await moved.login()
    assert await moved.counts() == {"other_id": 1}, "of the last seven days"
    assert [each["counts"] for each in (await moved.report("?days=30"))["days"]] == [{"other_id": 1}] * 2
    await world.db.write(worker.sweep, world.clock() + timedelta(days=22))
    assert len(await moved.differences()) == 1

    narrow = await world.manage("DELETE", f"/keystead/scripts/{moved.id}/shadow", scope="read:connections_options")
    assert narrow.status_code == 403
    assert (await world.manage("DELETE", f"/keystead/scripts/{moved.id}/shadow")).status_code == 204
    assert (await moved.counts(), await moved.differences()) == ({}, [])

    await moved.login()
    await world.delete_user(USER)
    assert await moved.differences() == [], "they go with the account"


@ON_SQLITE
async def test_it_needs_two_passwords_to_compare(world: World) -> None:
    for custom in ({}, options("node", ANN)):
        body = {"name": "Plain", "strategy": "auth0", "options": custom | {"shadow_mode": True}}
        answer = await world.manage("POST", "/connections", body)
        assert (answer.status_code, "shadow_mode" in answer.json()["message"]) == (400, True), answer.text

    moved = await cutover(world)
    path = f"/connections/{moved.id}"
    kept = {"options": options("python", ANN, import_mode=True)}
    assert (await world.manage("PATCH", path, kept)).json()["options"]["shadow_mode"] is True
    ended = await world.manage("PATCH", path, {"options": options("python", ANN)})
    assert (ended.status_code, "shadow_mode" in ended.json()["options"]) == (200, False), "it ends with the migration"
    await moved.login()
    assert await moved.counts() == {}
    for route in ("", "/shadow", "/shadow/differences"):
        assert (await world.manage("GET", f"/keystead/scripts/con_none{route}")).status_code == 404
        narrow = await world.manage("GET", f"/keystead/scripts/{moved.id}{route}", scope="read:connections")
        assert narrow.status_code == 403
