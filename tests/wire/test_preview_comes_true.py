"""The preview's answer is what then happens: people, passkeys and options at random, and everybody tries to log in."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlmodel import Session, col

from account import SCOPE, MyAccount
from authenticator import EDDSA, ES256, RS256, Authenticator
from keystead.db import tables
from policies import FORMATS, LEVELS, MODELS, OPTIONS, Json, options_of
from visitor import MOVED, Visitor
from world import PASSWORD, PUBLIC_URL, World, claims_of

EXAMPLES = 10
"""For each database. The same ones each time."""

NUMBERS = itertools.count()
"""Names for connections and people: they are many, and in one Keystead."""


@dataclass(frozen=True)
class Device:
    """What is made up of a passkey: what its authenticator shows, and what we know of it beside that."""

    shows: Json
    known: Json


@dataclass(frozen=True)
class Somebody:
    """What is made up of a person."""

    kinds: tuple[str, ...]
    password: bool
    devices: tuple[Device, ...]


DEVICES = st.builds(
    Device,
    shows=st.fixed_dictionaries(
        {
            "algorithms": st.sampled_from([(ES256,), (ES256,), (EDDSA,), (EDDSA,), (RS256,)]),
            "synced": st.booleans(),
            "verifies": st.sampled_from([True, True, False]),
            "counts": st.booleans(),
            "transports": st.sampled_from([("internal",), ("internal", "hybrid"), ("usb", "nfc"), ()]),
        }
    ),
    known=st.fixed_dictionaries(
        {
            "aaguid": st.sampled_from(MODELS),
            "trust": st.sampled_from(LEVELS),
            "attestation_format": st.sampled_from(FORMATS),
            "rp_id": st.sampled_from([*["localhost"] * 7, "elsewhere.example"]),
            "quarantine": st.sampled_from([*[None] * 7, "reported stolen"]),
        }
    ),
)
KINDS = st.sampled_from([("email",), ("username",), ("email", "username")])
WITH_PASSKEYS = st.lists(DEVICES, min_size=1, max_size=2).map(tuple)
PEOPLE = st.one_of(
    st.builds(Somebody, KINDS, st.just(False), WITH_PASSKEYS),
    st.builds(Somebody, KINDS, st.just(True), WITH_PASSKEYS),
    st.builds(Somebody, KINDS, st.just(True), st.just(())),
)


# --- people, as they are ---------------------------------------------------------------------------------------------


@dataclass
class Passkey:
    """A passkey in somebody's hands."""

    id: str
    device: Authenticator
    made_up: Device
    works_now: bool = False
    works_then: bool = False
    said: frozenset[str] = frozenset()
    """What the journal has against it once the change is saved."""

    @property
    def newly_refused(self) -> bool:
        return self.works_now and not self.works_then


@dataclass
class Person:
    """Somebody with an account."""

    user_id: str
    identifiers: list[str]
    password: bool
    passkeys: list[Passkey] = field(default_factory=list)
    password_now: bool = False
    password_then: bool = False

    @property
    def outcomes(self) -> list[str]:
        """What really became of them."""
        refused = any(each.newly_refused for each in self.passkeys)
        had = self.password_now or any(each.works_now for each in self.passkeys)
        left = any(each.works_then for each in self.passkeys)
        found = {
            "refused": refused,
            "re_enrol": refused and not left and self.password_then,
            "stranded": had and not left and not self.password_then,
        }
        return [name for name, holds in found.items() if holds]


@dataclass
class Town:
    """A connection, and all of its people."""

    world: World
    name: str
    id: str = ""
    people: list[Person] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/connections/{self.id}"

    @property
    def passkeys(self) -> list[Passkey]:
        """Everybody's."""
        return [each for person in self.people for each in person.passkeys]

    @classmethod
    async def found(cls, world: World, people: list[Somebody]) -> "Town":
        """Make a connection that takes everybody, and let people sign up."""
        town = cls(world, f"Town{next(NUMBERS)}")
        options = options_of()
        town.id = await world.new_connection(town.name, **{k: v for k, v in options.items() if v is not None})
        for made_up in people:
            town.people.append(await town.settle(made_up))
        return town

    async def settle(self, made_up: Somebody) -> Person:
        """Sign somebody up with a password or with their first passkey, and add the other passkeys."""
        number = next(NUMBERS)
        profile = {"email": f"p{number}@example.com", "username": f"p{number}"}
        profile = {kind: profile[kind] for kind in made_up.kinds}
        mine = {"audience": f"{PUBLIC_URL}/me/", "scope": SCOPE, "realm": self.name}
        devices = [(Authenticator(**each.shows), each) for each in made_up.devices]
        if made_up.password:
            body: Json = {"email": None, "connection": self.name, **profile}
            await self.world.signup(**body)
            answer = await self.world.login(next(iter(profile.values())), **mine)
            left = devices
        else:
            begun = (await self.world.begin_register(user_profile=profile, realm=self.name)).json()
            response = devices[0][0].create(begun["authn_params_public_key"], origin=PUBLIC_URL)
            answer = await self.world.exchange(begun["auth_session"], response, **mine)
            left = devices[1:]
        assert answer.status_code == 200, answer.text
        account = await MyAccount.of(self.world, answer.json()["access_token"])
        for device, _ in left:
            begun = await account.begin()
            response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
            assert (await account.verify(begun, response)).status_code == 201
        rows = await self.world.db.write(_know, {device.credentials[0].id: each.known for device, each in devices})
        passkeys = [Passkey(rows[device.credentials[0].id], device, each) for device, each in devices]
        user_id = claims_of(answer.json()["access_token"])["sub"]
        return Person(user_id, list(profile.values()), made_up.password, passkeys)

    async def save(self, options: Json, *, accept: int | None = None) -> httpx.Response:
        """Change the options, whole."""
        query = "" if accept is None else f"?accept_stranded={accept}"
        return await self.world.manage("PATCH", self.path + query, {"options": options})

    async def preview(self, options: Json) -> Json:
        """Ask what options would do, page by page; ``examples`` holds everybody."""
        found: list[Json] = [{"next": ""}]
        while "next" in found[-1]:
            path = f"{self.path}/passkey-policy/preview?take=2&from={quote(found[-1]['next'])}"
            answer = await self.world.manage("POST", path, {"options": options})
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
        examples = [example for page in found[1:] for example in page.pop("examples")]
        for page in found[1:]:
            page.pop("next", None)
            assert page == found[-1], "every page has the whole counted"
        return found[-1] | {"examples": examples}

    async def everybody_tries(self, options: Json) -> list[tuple[bool, list[bool]]]:
        """Let everybody log in with whatever they have; return for whom the password worked, and which passkeys."""
        hardened = options["security_profile"] == "hardened"
        return [
            (
                person.password and await self._by_password(person, hardened=hardened),
                [await self._by_passkey(each) for each in person.passkeys],
            )
            for person in self.people
        ]

    async def _by_passkey(self, passkey: Passkey) -> bool:
        begun = await self.world.begin_challenge(realm=self.name)
        if begun.status_code != 200:
            assert begun.json()["error_description"] == "Passkeys are not enabled for the connection."
            passkey.said = frozenset(["passkeys_off"])
            return False
        options, credential = begun.json()["authn_params_public_key"], passkey.device.credentials[0]
        response = passkey.device.get(options, origin=PUBLIC_URL, credential=credential)
        answer = await self.world.exchange(begun.json()["auth_session"], response, realm=self.name)
        entry = await self.world.last_entry()
        passkey.said = frozenset(each["field"] for each in entry["details"].get("policy", ()))
        return answer.status_code == 200

    async def _by_password(self, person: Person, *, hardened: bool) -> bool:
        """By the grant; where that is refused to everybody, on the pages."""
        for identifier in person.identifiers:
            if hardened:
                worked = await self._on_the_pages(identifier)
            else:
                worked = (await self.world.login(identifier, realm=self.name)).status_code == 200
            if worked:
                return True
        return False

    async def _on_the_pages(self, identifier: str) -> bool:
        visitor = Visitor.of(self.world)
        landed = await visitor.authorize(connection=self.name)
        for path, typed in (
            ("/login/identifier", {"username": identifier}),
            ("/login/password", {"password": PASSWORD}),
        ):
            form = next((each for each in landed.forms() if path in each.action), None)
            if form is None:
                return False
            landed = await visitor.send(form, **typed)
        landed = await visitor.decline(landed)
        return landed.response.status_code in MOVED and "code" in landed.answer


def _know(session: Session, known: dict[bytes, Json]) -> dict[bytes, str]:
    """Set what is known of passkeys beside what their authenticators show; return their ids."""
    found = {}
    for credential_id, values in known.items():
        which = col(tables.Passkey.credential_id) == credential_id
        session.connection().execute(update(tables.Passkey).where(which).values(**values))
        found[credential_id] = session.connection().execute(select(col(tables.Passkey.id)).where(which)).scalar_one()
    return found


# --- what is counted -------------------------------------------------------------------------------------------------


def tally(town: Town, having: Callable[[Passkey], bool]) -> Json:
    """Count what really happened to those passkeys that have something in common, and to their people."""
    passkeys = [each for each in town.passkeys if having(each)]
    people = [each for each in town.people if any(having(mine) and mine.newly_refused for mine in each.passkeys)]
    return {
        "passkeys": {
            "refused": sum(not each.works_then for each in passkeys),
            "newly_refused": sum(each.newly_refused for each in passkeys),
            "advised_against": sum(each.works_then and bool(each.said) for each in passkeys),
        },
        "people": {
            outcome: sum(outcome in each.outcomes for each in people) for outcome in ("refused", "re_enrol", "stranded")
        },
    }


def by_facts(groups: list[Json], *names: str) -> dict[tuple[Any, ...], Json]:
    """Return groups by what is common to each."""
    return {
        tuple(each[name] for name in names): {name: each[name] for name in ("passkeys", "people")} for each in groups
    }


BACKUP = {True: ("multi_device", True), False: ("single_device", False)}
FACTS: dict[str, tuple[tuple[str, ...], Callable[[Passkey], tuple[Any, ...]]]] = {
    "by_aaguid": (("aaguid",), lambda each: (each.made_up.known["aaguid"],)),
    "by_backup": (("device_type", "backed_up"), lambda each: BACKUP[each.device.synced]),
    "by_user_verification": (("user_verified",), lambda each: (each.device.verifies,)),
}
"""What the groups of a report have in common, and how to see it on a passkey."""


def check(report: Json, town: Town) -> None:
    """Hold a report against what happened."""
    everything = tally(town, lambda _: True)["passkeys"]
    assert report["passkeys"] == everything | {"total": len(town.passkeys)}
    counted = {
        outcome: sum(outcome in each.outcomes for each in town.people)
        for outcome in ("refused", "re_enrol", "stranded")
    }
    assert counted.items() <= report["people"].items()
    assert report["people"]["total"] == len(town.people)
    assert report["people"]["with_passkeys"] == sum(bool(each.passkeys) for each in town.people)
    affected = [each for each in town.passkeys if not each.works_then or each.said]
    for by, (names, fact) in FACTS.items():
        expected = {found: tally(town, lambda each: fact(each) == found) for found in map(fact, affected)}  # noqa: B023
        assert by_facts(report[by], *names) == expected, by
    happened = {
        each.user_id: (each.outcomes, {mine.id for mine in each.passkeys if mine.newly_refused})
        for each in town.people
        if each.outcomes
    }
    shown = {
        each["user_id"]: (each["outcomes"], {mine["id"] for mine in each["passkeys"]}) for each in report["examples"]
    }
    assert shown == happened
    assert len(report["examples"]) == len(happened), "nobody is shown twice"
    check_reasons(report, town)


def check_reasons(report: Json, town: Town) -> None:
    """Hold reasons against those that the journal gives; where a step of WebAuthn refused, it gives none."""
    said = {mine["id"]: set(mine["reasons"]) for each in report["examples"] for mine in each["passkeys"]}
    for passkey in town.passkeys:
        if passkey.newly_refused:
            assert said[passkey.id] == passkey.said or (not passkey.said and "user_verification" in said[passkey.id])
    for group in report["by_reason"]:
        having = [each for each in said.values() if group["reason"] in each]
        assert group["passkeys"]["newly_refused"] == len(having)
        people = [each for each in report["examples"] if group["reason"] in each["reasons"]]
        for outcome, count in group["people"].items():
            assert count == sum(outcome in each["outcomes"] for each in people)


@settings(max_examples=EXAMPLES)
@given(st.lists(PEOPLE, min_size=4, max_size=6), OPTIONS, OPTIONS)
async def test_the_preview_comes_true(shared_world: World, people: list[Somebody], before: Json, after: Json) -> None:
    town = await Town.found(shared_world, people)
    assert (await town.save(before, accept=1000)).status_code == 200
    for person, (password, worked) in zip(town.people, await town.everybody_tries(before), strict=True):
        person.password_now = password
        for passkey, works in zip(person.passkeys, worked, strict=True):
            passkey.works_now = works
    report = await town.preview(after)
    stranded = report["people"]["stranded"]
    if stranded:
        for accept in (None, stranded - 1):
            refused = await town.save(after, accept=accept)
            assert (refused.status_code, refused.json()["errorCode"]) == (400, "would_strand_users")
            assert refused.json()["report"]["people"] == report["people"]
    assert (await town.save(after, accept=stranded or None)).status_code == 200
    for person, (password, worked) in zip(town.people, await town.everybody_tries(after), strict=True):
        person.password_then = password
        for passkey, works in zip(person.passkeys, worked, strict=True):
            passkey.works_then = works
    check(report, town)
