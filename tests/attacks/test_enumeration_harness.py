"""The harness of ``keystead doctor enumeration``, in the process: with statements, hashes and rows for times.

What a stranger could see is compared, and beside it what only we can count: an answer that took another number of
statements or hashes took another time.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bcrypt
import httpx2
import pytest
from sqlalchemy import Engine, event, update
from sqlmodel import col

from keystead.adapters.stranger import HttpStranger
from keystead.db import tables
from keystead.flows.enumeration import Enumeration, Report, Wanted
from keystead.flows.strangers import unused
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
    print(report.kinds, report.notes, sorted(v.probe for v in report.verdicts))
    assert told(report) == []
