"""The harness of ``keystead doctor enumeration``, in the process: with statements, hashes and rows for times.

What a stranger could see is compared, and beside it what only we can count: an answer that took another number of
statements or hashes took another time.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import bcrypt
import httpx2
import pytest
from sqlalchemy import Engine, event, update
from sqlmodel import col

from keystead.adapters.stranger import HttpStranger
from keystead.db import tables
from keystead.errors import BadRequest, Unavailable
from keystead.flows.enumeration import Enumeration, Patient, Report, Wanted
from keystead.rules.enumeration import Ask, Kind, Reply
from keystead.secrecy import Secret
from world import PASSWORD, PUBLIC_URL, CountingEntropy, World

SAMPLES = 2


@dataclass
class Insider:
    """A stranger beside whom somebody counts."""

    world: World
    stranger: HttpStranger

    async def ask(self, request: Ask) -> Reply:
        """Ask, and note what the answer took: hashes, and statements by what they do to which table."""
        hasher, took = self.world.hasher, Counter[str]()
        hashes = hasher.hashed + hasher.verified

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            found = re.match(
                r"(SELECT|INSERT|UPDATE|DELETE).*?(?:FROM|INTO|UPDATE)\s+(\w+)", f"{statement} ", re.DOTALL
            )
            if not statement.startswith("BEGIN"):
                took[f"{found[1]} {found[2]}" if found else " ".join(statement.split()[:2])] += 1

        event.listen(Engine, "before_cursor_execute", note)
        try:
            reply = await self.stranger.ask(request)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        work = took | {"hashes": hasher.hashed + hasher.verified - hashes}
        return replace(reply, seconds=0.0, work=work)


async def examined(world: World, insider: Callable[[World, HttpStranger], Any] = Insider, **options: Any) -> Report:
    """Set the options, and have the harness try its people on them."""
    names = await imported(world)
    answer = await world.patch_options(**options)
    assert answer.status_code == 200, answer.text
    others: dict[Kind, list[str]] = {}
    if "email" in options.get("attributes", {"email": {}}):
        others = {"imported": names}
    if options.get("attributes", {}).get("email", {}).get("signup", {}).get("verification"):
        others["unverified"] = await unverified(world)

    async def wait(seconds: float) -> None:
        world.clock.advance(seconds=seconds)

    wanted = Wanted(world.client_id, world.connection, Secret(await world.management_token()), SAMPLES, others)
    async with HttpStranger(PUBLIC_URL, httpx2.ASGITransport(app=world.app)) as stranger:
        return await Enumeration(insider(world, stranger), CountingEntropy("doctor"), wait, wanted)()


async def imported(world: World) -> list[str]:
    """Make people whose hash is then as another system made it: of another cost."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
    names = [f"brought.along.{number}@example.com" for number in range(SAMPLES)]
    for email in names:
        body = {"connection": world.connection, "email": email, "password": PASSWORD, "email_verified": True}
        assert (await world.manage("POST", "/users", body)).status_code == 201
    statement = update(tables.Account).where(col(tables.Account.email).in_(names)).values(password_hash=hashed)
    await world.db.write(lambda session: session.connection().execute(statement).rowcount)
    return names


async def unverified(world: World) -> list[str]:
    """Sign people up who have to verify their address first, and let it be some time ago."""
    names = [f"has.to.verify.{number}@example.com" for number in range(SAMPLES)]
    for email in names:
        await world.person(email)
    world.clock.advance(hours=3)
    return names


def told(report: Report, *aspects: str) -> list[str]:
    """Return what was found."""
    return [
        f"{verdict.probe}: {each.one}/{each.other} {each.aspect}: {each.says}"
        for verdict in report.verdicts
        for each in verdict.differences
        if not aspects or each.aspect in aspects
    ]


BOTH = {"password": {"api_behavior": "optional"}, "passkey": {"enabled": True}}
OFF = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}


def known_by(*kinds: str, **about: Any) -> dict[str, Any]:
    """Return options for people who are known by these; what a sign-up asks for is the first."""
    status = {kind: {"signup": {"status": "required" if kind == kinds[0] else "optional"}} for kind in kinds}
    status[kinds[0]] |= about
    return {"attributes": status, "authentication_methods": BOTH}


VERIFIED = {"signup": {"status": "required", "verification": {"active": True}}}
OPTIONS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "both methods": {"authentication_methods": BOTH},
    "no sign-up": {"authentication_methods": BOTH, "disable_signup": True},
    "verified by link": known_by("email", **VERIFIED),
    "verified by code": known_by("email", verification_method="code", **VERIFIED),
    "several names": known_by("email", "username", "phone_number"),
    "phones": known_by("phone_number"),
    "usernames": known_by("username"),
    "no passwords": {"authentication_methods": OFF},
    "required passkeys": {"authentication_methods": BOTH, "passkey_policy": {"enrollment": "required"}},
}


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
@pytest.mark.parametrize("profile", ["standard", "hardened"])
@pytest.mark.parametrize("name", OPTIONS)
async def test_nobody_is_told_apart(world: World, profile: str, name: str) -> None:
    report = await examined(world, security_profile=profile, **OPTIONS[name])
    assert len(report.verdicts) >= 4
    assert told(report) == []


async def test_on_the_other_database_too(world: World) -> None:
    assert told(await examined(world, authentication_methods=BOTH)) == []


async def test_everybody_costs_one_hash(world: World) -> None:
    asked: list[tuple[str, int]] = []

    class Counting(Insider):
        async def ask(self, request: Ask) -> Reply:
            reply = await super().ask(request)
            if request.path.startswith(("/oauth/token", "/u/login/password")) and request.method == "POST":
                asked.append((str(reply.status), reply.work["hashes"]))
            return reply

    await examined(world, Counting, authentication_methods=BOTH)
    tried = [hashes for status, hashes in asked if status != "429"]
    assert set(tried) <= {0, 1}
    assert tried.count(1) > 50
    assert {hashes for status, hashes in asked if status == "429"} == {0}


# --- what it finds -------------------------------------------------------------------------------------------------


@dataclass
class Blabbing(Insider):
    """A Keystead that says more of one person than of others: each of the ways is one that a peer had."""

    says: Callable[[Reply], Reply] = lambda reply: reply
    about: str = ""

    async def ask(self, request: Ask) -> Reply:
        """Ask, and bend the answers to a wrong password of whoever is named."""
        reply = await super().ask(request)
        named = request.path == "/oauth/token" and (request.json or {}).get("username") == self.about
        return self.says(reply) if named else reply


LEAKS: dict[str, Callable[[Reply], Reply]] = {
    "status": lambda reply: replace(reply, status=401),
    "headers": lambda reply: replace(reply, headers=(*reply.headers, ("x-reason", "known"))),
    "cookies": lambda reply: replace(reply, headers=(*reply.headers, ("set-cookie", "known=1; Path=/"))),
    "body": lambda reply: replace(reply, body=reply.body.replace("Wrong email or password.", "Wrong password.")),
    "work": lambda reply: replace(reply, work={**reply.work, "hashes": 2}),
}


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
@pytest.mark.parametrize("aspect", LEAKS)
async def test_a_planted_leak_is_named_with_its_pair(world: World, aspect: str) -> None:
    def bent(world: World, stranger: HttpStranger) -> Insider:
        return Blabbing(world, stranger, LEAKS[aspect], "brought.along.0@example.com")

    report = await examined(world, bent)
    found = {(each.one, each.other, each.aspect) for verdict in report.verdicts for each in verdict.differences}
    assert found >= {("nobody", "imported", aspect), ("password", "imported", aspect)}
    assert {other for _, other, _ in found} == {"imported"}
    assert {verdict.probe for verdict in report.verdicts if verdict.differences} <= {
        "password grant",
        "password-realm grant",
        "password-realm grant, locked",
        "unknown passkey",
    }


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_nobody_is_left_behind(world: World) -> None:
    before = [each["user_id"] for each in (await world.manage("GET", "/users?per_page=100")).json()]
    await examined(world, authentication_methods=BOTH)
    after = (await world.manage("GET", "/users?per_page=100")).json()
    assert {each["email"] for each in after if each["user_id"] not in before} == {
        f"brought.along.{number}@example.com" for number in range(SAMPLES)
    }


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_nobody_is_left_behind_where_it_breaks_off(world: World) -> None:
    class Failing(Insider):
        asked = 0

        async def ask(self, request: Ask) -> Reply:
            type(self).asked += request.path == "/oauth/token"
            if self.asked == 3 and request.path == "/oauth/token":
                raise Unavailable("gone")
            return await super().ask(request)

    with pytest.raises(Unavailable):
        await examined(world, Failing)
    assert len((await world.manage("GET", "/users?per_page=100")).json()) == SAMPLES


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"connection": "nowhere"}, "There is no connection nowhere."),
        ({"client_id": "nobody"}, "GET /clients/nobody: 404"),
        ({"token": Secret("made up")}, "GET /clients/"),
    ],
)
async def test_what_is_needed_is_said(world: World, change: dict[str, Any], says: str) -> None:
    token = Secret(await world.management_token())
    wanted = replace(Wanted(world.client_id, world.connection, token, SAMPLES), **change)

    async def wait(seconds: float) -> None:
        raise AssertionError

    async with HttpStranger(PUBLIC_URL, httpx2.ASGITransport(app=world.app)) as stranger:
        with pytest.raises(BadRequest) as refusal:
            await Enumeration(stranger, CountingEntropy("doctor"), wait, wanted)()
    assert says in refusal.value.text


async def test_it_comes_back_when_told_to() -> None:
    waited: list[float] = []
    answers = [Reply(429, (("Retry-After", "7"),), ""), Reply(429, (("Retry-After", "2592000"),), "locked")]

    class Limited:
        async def ask(self, request: Ask) -> Reply:
            return answers.pop(0)

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    assert (await Patient(Limited(), wait).ask(Ask("GET", "/"))).body == "locked"
    assert waited == [7]
