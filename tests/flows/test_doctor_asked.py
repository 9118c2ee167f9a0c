"""The doctor as a part of the server: by the Management API, and what it says of how a request arrived."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from keystead.adapters.probes import SystemProber
from keystead.db import keys
from keystead.errors import Busy
from keystead.flows.doctor import KEPT, PROBE, AskedOften, Doctor
from keystead.rules.mail_servers import MailServer
from keystead.secrecy import Secret
from post_box import post_box, trusting
from world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def doctor(world: World) -> Doctor:
    """The doctor of the server."""
    found: Doctor = world.app.state.flows.management.doctor
    return found


def errors(answer: Any) -> set[str]:
    return {each["id"] for each in answer["findings"] if each["status"] == "error"}


def clocks(world: World) -> set[str]:
    """Return what the doctor must say of clocks: that of the tests stands, and a database server's goes on."""
    return set() if world.db.is_sqlite else {"database_clock"}


async def test_by_the_management_api(world: World) -> None:
    answer = await world.manage("GET", "/keystead/doctor", scope="read:tenant_settings")
    assert answer.status_code == 200
    found = answer.json()
    ids = [each["id"] for each in found["findings"]]
    assert {"public_url", "database", "schema", "sealed", "jobs", "hashing"} <= set(ids)
    assert "reached" not in ids, "it asks nobody unless it is told to"
    assert errors(found) == clocks(world)
    assert found["status"] == ("error" if clocks(world) else "ok")
    assert (await world.manage("GET", "/keystead/doctor", scope="read:users")).status_code == 403
    assert (await world.manage("GET", "/keystead/doctor?offline=maybe")).status_code == 400


async def test_one_look_at_a_time(world: World) -> None:
    findings: AskedOften = world.app.state.flows.management.findings
    looking = asyncio.create_task(findings(offline=True))
    await asyncio.sleep(0)
    for offline in (True, False):
        with pytest.raises(Busy):
            await findings(offline=offline)
    found = await looking
    assert await findings(offline=True) is found
    world.clock.advance(seconds=KEPT.total_seconds())
    assert await findings(offline=True) is not found


async def test_what_is_wrong_is_told(world: World) -> None:
    await world.management_token()  # none is signed with what comes now
    (key, *_) = await world.db.read(keys.known)
    await world.db.write(keys.replace, replace(key, sealed_private=b"sealed by somebody else altogether"))
    answer = (await world.manage("GET", "/keystead/doctor")).json()
    assert answer["status"] == "error"
    assert errors(answer) == {"sealed"} | clocks(world)


def question(world: World, doctor: Doctor, *, age: float = 0) -> str:
    asked = f"{int(world.clock().timestamp() - age)}.nonce"
    return f"{asked}.{doctor.sealer.fingerprint(f'ask {asked}', PROBE)}"


async def test_how_a_request_arrived(world: World, doctor: Doctor) -> None:
    answer = await world.client.get("/healthz", params={"probe": question(world, doctor)})
    seen = answer.json()["probe"]
    assert len(seen.pop("proof")) == 64
    expected = {"peer": "203.0.113.9", "address": "203.0.113.9", "host": "localhost:8000"}
    assert seen == expected | {"forwarded_for": False, "trusted": False}
    forwarded = {"x-forwarded-for": "198.51.100.7"}
    answer = await world.client.get("/healthz", params={"probe": question(world, doctor)}, headers=forwarded)
    assert answer.json()["probe"]["forwarded_for"] is True


@pytest.mark.parametrize("age", [301, -301])
async def test_an_old_question_is_not_answered(world: World, doctor: Doctor, age: float) -> None:
    answer = await world.client.get("/healthz", params={"probe": question(world, doctor, age=age)})
    assert answer.json() == {"status": "ok"}


async def test_mail_is_tried_and_sent_only_where_it_was_asked_for(doctor: Doctor) -> None:
    async with post_box(starttls=True) as box:
        tried = at(doctor, box.port, "ann", "p@ss/word")
        assert (await found(tried, ""))["status"] == "ok"
        assert (box.users, box.mails) == (["ann"], [])
        assert (await found(tried, "bob@example.com"))["status"] == "ok"
        assert [mail["to"] for mail in box.mails] == ["bob@example.com"]
        refused = await found(at(doctor, box.port, "ann", "marked-wrong"), "")
        assert refused["status"] == "error"
        assert "the login was refused" in refused["found"]
        assert "marked" not in str(refused)
    assert (await found(tried, ""))["status"] == "error"


def at(doctor: Doctor, port: int, user: str, password: str) -> Doctor:
    server = MailServer("localhost", port, user, Secret(password), "required", "Keystead <no-reply@example.com>")
    prober = SystemProber("no-reply@example.com", trusting())
    return replace(doctor, machine=replace(doctor.machine, mail=server), prober=prober)


async def found(doctor: Doctor, send_to: str) -> Any:
    (finding, _) = await doctor._mail(send_to)
    return finding.on_wire()


async def test_a_stored_provider_wins(world: World, doctor: Doctor) -> None:
    body = {
        "name": "smtp",
        "default_from_address": "a@example.com",
        "credentials": {"smtp_host": "127.0.0.1", "smtp_port": 1},
    }
    assert (await world.manage("POST", "/emails/provider", body)).status_code in (200, 201)
    async with post_box() as box:
        tried = await found(at(doctor, box.port, "ann", "p@ss/word"), "")
    assert tried["status"] == "error"
    assert tried["found"].startswith("127.0.0.1:1, stored: ")
    assert tried["remedy"] == "PATCH /api/v2/emails/provider"
