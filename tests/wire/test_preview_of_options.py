"""``POST /connections/{id}/passkey-policy/preview``, and the PATCH that is refused where it would strand people."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Engine, event

from account import MyAccount
from authenticator import AAGUID, Authenticator
from keystead.db import tables
from keystead.rules.events import TYPES
from policies import Json, options_of
from world import PUBLIC_URL, World

UNVERIFIED: Json = {"verifies": False}
BOUND: Json = {"synced": False}
NO_SYNCED = {"backup": "device_bound_only"}
once = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
"""For what does not ask much of a database."""

MODEL = "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16"


async def options_with(world: World, **changes: Any) -> Json:
    """Return the options of the default connection, with changes."""
    found: Json = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]
    return found | changes


async def preview(world: World, query: str = "", *, scope: str | None = None, **changes: Any) -> httpx.Response:
    """Ask what changes of the default connection's options would do."""
    path = f"/connections/{world.connection_id}/passkey-policy/preview{query}"
    return await world.manage("POST", path, {"options": await options_with(world, **changes)}, scope=scope)


async def save(world: World, query: str = "", *, scope: str | None = None, **changes: Any) -> httpx.Response:
    """Make changes of the default connection's options."""
    path = f"/connections/{world.connection_id}{query}"
    return await world.manage("PATCH", path, {"options": await options_with(world, **changes)}, scope=scope)


async def passkey_of(world: World, email: str, **parts: Any) -> str:
    """Sign somebody up with a passkey; return who it is."""
    await world.register(Authenticator(**parts), email)
    return next(str(row["user_id"]) for row in await world.rows(tables.Account) if row["email"] == email)


async def one_more(world: World, email: str, **parts: Any) -> None:
    """Give somebody with a password a passkey."""
    account = await MyAccount.of(world, username=email)
    begun = await account.begin()
    response = Authenticator(**parts).create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    assert (await account.verify(begun, response)).status_code == 201


def counts(report: Json) -> tuple[list[int], list[int]]:
    """Return how many passkeys are refused, newly refused, advised against; and how many people are affected how."""
    passkeys = [report["passkeys"][name] for name in ("refused", "newly_refused", "advised_against")]
    return passkeys, [report["people"][name] for name in ("refused", "re_enrol", "stranded")]


# --- the report ------------------------------------------------------------------------------------------------------


async def test_who_would_be_refused_asked_to_re_enrol_and_stranded(world: World) -> None:
    ann = await passkey_of(world, "ann@example.com")
    await passkey_of(world, "bob@example.com", **BOUND)
    cleo = await world.person("cleo@example.com")
    await one_more(world, "cleo@example.com", **UNVERIFIED)
    await world.person("dora@example.com")
    answer = await preview(world, passkey_policy=NO_SYNCED | {"user_verification": "required"})
    assert answer.status_code == 200
    ids = {row["user_id"]: row["id"] for row in await world.rows(tables.Passkey)}

    def group(passkeys: int, stranded: int, re_enrol: int, **members: Any) -> Json:
        people = {"refused": stranded + re_enrol, "re_enrol": re_enrol, "stranded": stranded}
        refused = {"refused": passkeys, "newly_refused": passkeys, "advised_against": 0}
        return members | {"passkeys": refused, "people": people}

    report = answer.json()
    shown = {each["user_id"]: each for each in report.pop("examples")}
    assert report == {
        "passkeys": {"total": 3, "refused": 2, "newly_refused": 2, "advised_against": 0},
        "people": {"total": 4, "with_passkeys": 3, "refused": 2, "re_enrol": 1, "stranded": 1, "enrol": 0},
        "by_reason": [group(2, 1, 1, reason="backup"), group(1, 0, 1, reason="user_verification")],
        "by_aaguid": [group(2, 1, 1, aaguid=MODEL)],
        "by_backup": [group(2, 1, 1, device_type="multi_device", backed_up=True)],
        "by_user_verification": [group(1, 1, 0, user_verified=True), group(1, 0, 1, user_verified=False)],
    }
    both = ["user_verification", "backup"]
    assert shown == {
        ann: {
            "user_id": ann,
            "outcomes": ["refused", "stranded"],
            "reasons": ["backup"],
            "passkeys": [{"id": ids[ann], "reasons": ["backup"]}],
        },
        cleo: {
            "user_id": cleo,
            "outcomes": ["refused", "re_enrol"],
            "reasons": both,
            "passkeys": [{"id": ids[cleo], "reasons": both}],
        },
    }
    assert bytes.fromhex(MODEL.replace("-", "")) == AAGUID


@once
async def test_a_preview_changes_nothing_and_leaves_no_trace(world: World) -> None:
    await passkey_of(world, "ann@example.com")
    before = await world.rows(tables.Connection), await world.counts(), await world.journal()
    assert counts((await preview(world, passkey_policy=NO_SYNCED)).json()) == ([1, 1, 0], [1, 0, 1])
    assert (await world.rows(tables.Connection), await world.counts(), await world.journal()) == before


@once
async def test_options_are_taken_as_a_patch_takes_them(world: World) -> None:
    """What is ours survives a body without it, ``null`` resets it, and whatever else is left out has its default."""
    await passkey_of(world, "ann@example.com")
    await world.patch_options(passkey_policy=NO_SYNCED)
    path = f"/connections/{world.connection_id}/passkey-policy/preview"
    methods = {"authentication_methods": {"passkey": {"enabled": True}}}
    kept = (await world.manage("POST", path, {"options": methods})).json()
    assert counts(kept) == ([1, 0, 0], [0, 0, 0])
    reset = (await world.manage("POST", path, {"options": methods | {"passkey_policy": None}})).json()
    assert counts(reset) == ([0, 0, 0], [0, 0, 0])
    off = (await world.manage("POST", path, {"options": {}})).json()
    assert [each["reason"] for each in off["by_reason"]] == ["passkeys_off"]


@once
async def test_advice_refuses_nobody(world: World) -> None:
    await passkey_of(world, "ann@example.com")
    report = (await preview(world, passkey_policy=NO_SYNCED | {"mode": "advise"})).json()
    assert counts(report) == ([0, 0, 1], [0, 0, 0])
    assert [each["passkeys"]["advised_against"] for each in report["by_reason"]] == [1]
    assert report["examples"] == []


@once
async def test_people_without_a_passkey_who_must_make_one_are_counted(world: World) -> None:
    await passkey_of(world, "ann@example.com")
    await world.person("bob@example.com")
    for policy, asked in (({}, 0), ({"required_after": "2030-01-31"}, 1), ({"mode": "advise"}, 0)):
        wanted = {"enrollment": "required"} | policy if policy or asked else policy
        report = (await preview(world, passkey_policy=wanted)).json()
        assert (report["people"]["enrol"], counts(report)) == (asked, ([0, 0, 0], [0, 0, 0]))


@once
async def test_only_people_of_the_connection_count(world: World) -> None:
    second = await world.new_connection("Second", **{k: v for k, v in options_of().items() if v is not None})
    await passkey_of(world, "ann@example.com")
    answer = await world.manage("POST", f"/connections/{second}/passkey-policy/preview", {"options": {}})
    assert (answer.json()["passkeys"]["total"], answer.json()["people"]["total"]) == (0, 0)


# --- who may ask, and what is refused --------------------------------------------------------------------------------

READ = "read:connections read:connections_options"


@once
async def test_who_may_not_read_people_sees_numbers(world: World) -> None:
    await passkey_of(world, "ann@example.com")
    body = {"options": await options_with(world, passkey_policy=NO_SYNCED)}
    path = f"/connections/{world.connection_id}/passkey-policy/preview"
    blind = (await world.manage("POST", path, body, scope=READ)).json()
    seeing = (await world.manage("POST", path, body, scope=f"{READ} read:users")).json()
    assert seeing.pop("examples")
    assert blind == seeing


@pytest.mark.parametrize("scope", READ.split())
@once
async def test_it_needs_both_scopes(world: World, scope: str) -> None:
    path = f"/connections/{world.connection_id}/passkey-policy/preview"
    answer = await world.manage("POST", path, {"options": {}}, scope=scope)
    other = next(each for each in READ.split() if each != scope)
    assert (answer.status_code, answer.json()["message"]) == (403, f"Insufficient scope, expected any of: {other}")


@pytest.mark.parametrize(
    "changes",
    [
        {"passkey_policy": {"backup": "sometimes"}},
        {"passkey_policy": {"required_after": "2027-01-31"}},
        {"passkey_policy": {"unknown": 1}},
        {"authentication_methods": {"password": {"enabled": False}}},
        {"precedence": ["email"]},
        {"attributes": {"email": {"unique": False, "identifier": {"active": False}}, "username": {}}},
        {"import_mode": True},
    ],
)
@once
async def test_options_that_cannot_be_are_refused_as_by_a_patch(world: World, changes: Json) -> None:
    asked, saved = await preview(world, **changes), await save(world, **changes)
    assert asked.status_code == saved.status_code == 400
    assert asked.json() == saved.json()
    assert "options." in asked.json()["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Payload validation error: 'Missing required property: options'."),
        (
            {"options": {}, "name": "x"},
            "Payload validation error: 'Additional properties not allowed: name'.",
        ),
        (
            {"options": []},
            "Payload validation error: 'Expected type object but found type array' on property options.",
        ),
        (
            {"options": None},
            "Payload validation error: 'Missing required property: options'.",
        ),
    ],
)
@once
async def test_bodies_that_are_none(world: World, body: Json, message: str) -> None:
    answer = await world.manage("POST", f"/connections/{world.connection_id}/passkey-policy/preview", body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


@pytest.mark.parametrize("query", ["take=0", "take=101", "outcome=happy", "reason=because", "from=a&from=b"])
@once
async def test_queries_that_are_none(world: World, query: str) -> None:
    answer = await preview(world, f"?{query}")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_query_string")


@once
async def test_a_connection_that_there_is_not_for_anybody(world: World) -> None:
    rows = await world.rows(tables.Connection)
    administrators = next(row["id"] for row in rows if row["for_administrators"])
    for connection_id in ("con_none", administrators):
        answer = await world.manage("POST", f"/connections/{connection_id}/passkey-policy/preview", {"options": {}})
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_connection")


# --- examples, page by page ------------------------------------------------------------------------------------------


async def pages(world: World, query: str, **changes: Any) -> list[list[Json]]:
    """Return all pages of examples."""
    found: list[list[Json]] = []
    last = ""
    while True:
        report = (await preview(world, f"?from={quote(last)}&{query}", **changes)).json()
        found.append(report["examples"])
        if "next" not in report:
            return found
        last = report["next"]


async def test_examples_come_page_by_page_in_the_order_of_their_ids(world: World) -> None:
    people = sorted([await passkey_of(world, f"person{number}@example.com") for number in range(5)])
    found = await pages(world, "take=2", passkey_policy=NO_SYNCED)
    assert [[each["user_id"] for each in page] for page in found] == [people[:2], people[2:4], people[4:]]
    assert [len(page) for page in await pages(world, "take=5", passkey_policy=NO_SYNCED)] == [5]
    nobody = await preview(world, f"?from={quote(people[-1])}", passkey_policy=NO_SYNCED)
    assert (nobody.json()["examples"], "next" in nobody.json()) == ([], False)
    assert counts(nobody.json()) == ([5, 5, 0], [5, 0, 5]), "whichever page it is, everybody is counted"
    between = await preview(world, f"?from={quote(people[2] + 'x')}", passkey_policy=NO_SYNCED)
    assert [each["user_id"] for each in between.json()["examples"]] == people[3:]


async def test_examples_of_one_outcome_or_for_one_reason(world: World) -> None:
    ann = await passkey_of(world, "ann@example.com")
    bob = await world.person("bob@example.com")
    await one_more(world, "bob@example.com", **BOUND)
    cleo = await passkey_of(world, "cleo@example.com", **BOUND, **UNVERIFIED)
    await passkey_of(world, "dora@example.com", **BOUND)
    changes = {"passkey_policy": NO_SYNCED | {"user_verification": "required", "authenticators": {}}}

    async def shown(query: str) -> set[str]:
        return {each["user_id"] for page in await pages(world, query, **changes) for each in page}

    assert await shown("take=1") == {ann, cleo}
    assert await shown("reason=backup") == {ann}
    assert await shown("reason=user_verification") == {cleo}
    assert await shown("reason=quarantine") == set()
    assert await shown("outcome=re_enrol") == set()
    changes = {"authentication_methods": {"passkey": {"enabled": False}}}
    assert await shown("outcome=re_enrol") == {bob}
    assert await shown("outcome=refused&take=1") == {row["user_id"] for row in await world.rows(tables.Passkey)}
    assert await shown("outcome=stranded&reason=passkeys_off") == await shown("outcome=refused") - {bob}


async def test_people_without_passkeys_are_examples_too(world: World) -> None:
    people = sorted([await world.person(f"person{number}@example.com") for number in range(3)])
    await passkey_of(world, "ann@example.com")
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    found = await pages(world, "take=2", authentication_methods=methods)
    assert [each["user_id"] for page in found for each in page] == people
    assert {tuple(each["reasons"]) for page in found for each in page} == {("passwords_off",)}


# --- a change that would strand somebody -----------------------------------------------------------------------------


async def test_a_patch_that_would_strand_people_is_refused_with_the_report(world: World) -> None:
    ann = await passkey_of(world, "ann@example.com")
    await passkey_of(world, "bob@example.com", **UNVERIFIED)
    await world.person("cleo@example.com")
    await one_more(world, "cleo@example.com")
    before = await world.rows(tables.Connection), await world.journal()
    policy = NO_SYNCED | {"user_verification": "required"}
    answer = await save(world, passkey_policy=policy)
    assert answer.status_code == 400
    refusal = answer.json()
    where = f"POST /api/v2/connections/{world.connection_id}/passkey-policy/preview"
    assert refusal["message"] == (
        "2 people could not sign in any more (backup: 2, user_verification: 1), so nothing was changed. "
        f"{where} tells more. Give them another way to sign in first, or say that you accept it with ?accept_stranded=2"
    )
    assert (refusal["errorCode"], refusal["error"]) == ("would_strand_users", "Bad Request")
    report = (await preview(world, "?outcome=stranded", passkey_policy=policy)).json()
    assert refusal["report"] == report
    assert ann in {each["user_id"] for each in report["examples"]}
    assert (await world.rows(tables.Connection), await world.journal()) == before


async def test_it_is_saved_where_the_request_accepts_as_many(world: World) -> None:
    for number in range(3):
        await passkey_of(world, f"person{number}@example.com")
    for accepted in (0, 2):
        refused = await save(world, f"?accept_stranded={accepted}", passkey_policy=NO_SYNCED)
        assert (refused.status_code, refused.json()["errorCode"]) == (400, "would_strand_users")
    saved = await save(world, "?accept_stranded=3", passkey_policy=NO_SYNCED)
    assert (saved.status_code, saved.json()["options"]["passkey_policy"]) == (200, NO_SYNCED)
    entry = await world.last_entry()
    assert entry["type"] == "sapi"
    assert entry["type"] in TYPES
    assert entry["details"]["foreseen"] == {
        "passkeys": {"total": 3, "refused": 3, "newly_refused": 3, "advised_against": 0},
        "people": {"total": 3, "with_passkeys": 3, "refused": 3, "re_enrol": 0, "stranded": 3, "enrol": 0},
    }
    again = await save(world, passkey_policy=NO_SYNCED | {"counter": "ignore"})
    assert again.status_code == 200, "who is out already is not stranded again"


@once
async def test_more_than_as_many_will_do(world: World) -> None:
    await passkey_of(world, "ann@example.com")
    assert (await save(world, "?accept_stranded=50", passkey_policy=NO_SYNCED)).status_code == 200


@pytest.mark.parametrize("accepted", ["-1", "one", "1.5", "", "9999999999"])
@once
async def test_what_is_accepted_is_a_number(world: World, accepted: str) -> None:
    answer = await save(world, f"?accept_stranded={accepted}", passkey_policy=NO_SYNCED)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_query_string")


@once
async def test_who_loses_a_passkey_but_no_way_in_stops_nobody(world: World) -> None:
    await world.person("cleo@example.com")
    await one_more(world, "cleo@example.com")
    assert (await save(world, passkey_policy=NO_SYNCED)).status_code == 200
    assert counts((await world.last_entry())["details"]["foreseen"]) == ([1, 1, 0], [1, 1, 0])


PASSKEYS_ALONE = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
STRANDING: dict[str, tuple[Json, list[str]]] = {
    "passkeys off": ({"authentication_methods": {"passkey": {"enabled": False}}}, ["passkeys_off"]),
    "passwords off": ({"authentication_methods": PASSKEYS_ALONE}, ["passwords_off"]),
    "no identifier left": ({"attributes": {"username": {}}}, ["identifiers"]),
    "hardened": ({"security_profile": "hardened"}, ["user_verification"]),
}


@pytest.mark.parametrize(("changes", "reasons"), STRANDING.values(), ids=STRANDING)
@once
async def test_whatever_part_of_the_options_strands_somebody(world: World, changes: Json, reasons: list[str]) -> None:
    await world.person("ann@example.com")
    await passkey_of(world, "bob@example.com", **UNVERIFIED)
    answer = await save(world, **changes)
    assert answer.status_code == 400
    assert [each["reason"] for each in answer.json()["report"]["by_reason"]] == reasons
    assert answer.json()["message"].startswith(f"1 person could not sign in any more ({reasons[0]}: 1), so nothing")
    assert (await save(world, "?accept_stranded=1", **changes)).status_code == 200


@once
async def test_a_refusal_names_at_most_ten_and_only_to_whoever_may_read_people(world: World) -> None:
    for number in range(11):
        await passkey_of(world, f"person{number}@example.com")
    changes = {"options": await options_with(world, passkey_policy=NO_SYNCED)}
    path, write = f"/connections/{world.connection_id}", "update:connections update:connections_options"
    blind = (await world.manage("PATCH", path, changes, scope=write)).json()
    assert "examples" not in blind["report"]
    assert "next" not in blind["report"]
    seeing = (await world.manage("PATCH", path, changes, scope=f"{write} read:users")).json()
    assert len(seeing["report"]["examples"]) == 10
    assert seeing["report"]["next"] == seeing["report"]["examples"][-1]["user_id"]
    assert seeing["message"] == blind["message"]


@once
async def test_what_is_no_option_strands_nobody(world: World) -> None:
    """A connection that is switched off is switched on again: that is another matter."""
    await passkey_of(world, "ann@example.com")
    body = {"authentication": {"active": False}, "realms": ["staff"]}
    assert (await world.manage("PATCH", f"/connections/{world.connection_id}", body)).status_code == 200


# --- what it costs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Everything that is asked of the database."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


ORDINARY: dict[str, Json] = {
    "nothing": {},
    "pages": {"passkey_options": {"challenge_ui": "button"}},
    "sign-up": {"disable_signup": True},
    "notes": {"note": "of ours"},
    "policy": {"passkey_policy": {"hints": ["hybrid"], "max_per_user": 3, "counter": "warn", "enrollment": "required"}},
}


@pytest.mark.parametrize("changes", ORDINARY.values(), ids=ORDINARY)
async def test_a_patch_that_can_strand_nobody_looks_at_nobody(
    world: World, statements: list[str], changes: Json
) -> None:
    body = {"options": await options_with(world, **changes)}
    statements.clear()
    assert (await world.manage("PATCH", f"/connections/{world.connection_id}", body)).status_code == 200
    assert not [each for each in statements if "passkey" in each.replace("passkey_", "")]
    assert "foreseen" not in (await world.last_entry())["details"]
    statements.clear()
    assert (await save(world, passkey_policy=NO_SYNCED)).status_code == 200
    assert [each for each in statements if "FROM account JOIN passkey" in " ".join(each.split())]
