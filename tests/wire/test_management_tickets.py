"""``/api/v2/tickets`` and ``/api/v2/jobs``: links that programs ask for, and mails with one (VF-3, RS-7)."""

from typing import Any

import pytest

from keystead import worker
from keystead.db import tables
from keystead.errors import NoSuchJob
from keystead.flows.post import MAX_TRIES
from world import PUBLIC_URL, World

VERIFY, CHANGE, MAIL = "/tickets/email-verification", "/tickets/password-change", "/jobs/verification-email"
NOBODY, CONNECTION = "auth0|nobody", "con_0000000000000000"


async def path_of(world: World, where: str, **body: Any) -> str:
    answer = await world.manage("POST", where, body)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"ticket"}
    return str(answer.json()["ticket"]).removeprefix(PUBLIC_URL)


async def open_link(world: World, path: str) -> int:
    return (await world.client.get(path.rstrip("#"))).status_code


async def test_a_ticket_that_verifies(world: World) -> None:
    user_id = await world.person()
    await world.letters()
    path = await path_of(world, VERIFY, user_id=user_id)
    assert path.startswith("/u/email-verification?ticket=")
    assert path.endswith("#")
    assert await open_link(world, path) == 200
    assert len(await world.letters()) == 1  # the one of the sign-up


async def test_a_ticket_for_a_new_password(world: World) -> None:
    user_id = await world.person()
    path = await path_of(world, CHANGE, user_id=user_id)
    assert path.startswith("/u/reset-password?ticket=")
    assert path.endswith("#")
    assert await open_link(world, path) == 200


async def test_by_address(world: World) -> None:
    await world.person()
    path = await path_of(world, CHANGE, connection_id=world.connection_id, email="Ann@Example.com")
    assert await open_link(world, path) == 200


@pytest.mark.parametrize("where", [VERIFY, CHANGE])
async def test_how_long_a_ticket_lives(world: World, where: str) -> None:
    user_id = await world.person()
    path = await path_of(world, where, user_id=user_id, ttl_sec=60)
    world.clock.advance(seconds=59)
    assert await open_link(world, path) == 200
    world.clock.advance(seconds=1)
    assert await open_link(world, path) == 400
    path = await path_of(world, where, user_id=user_id, ttl_sec=0)
    world.clock.advance(seconds=432_000 - 1)
    assert await open_link(world, path) == 200
    world.clock.advance(seconds=1)
    assert await open_link(world, path) == 400


@pytest.mark.parametrize("where", [VERIFY, CHANGE])
async def test_what_a_ticket_says(world: World, where: str) -> None:
    user_id = await world.person()
    more: dict[str, Any] = {"result_url": "https://shop.example.com/done?x=1", "includeEmailInRedirect": False}
    if where == CHANGE:
        more |= {"mark_email_as_verified": True, "client_id": world.client_id}
    identity = {"user_id": user_id.partition("|")[2], "provider": "auth0", "connection_id": world.connection_id}
    await path_of(world, where, user_id=user_id, identity=identity, **more)
    purpose = {VERIFY: "verify-email", CHANGE: "reset-password"}[where]
    (ticket,) = [row for row in await world.rows(tables.Ticket) if row["purpose"] == purpose]
    record = ticket["record"]
    assert (record["result_url"], record["include_email"]) == ("https://shop.example.com/done?x=1", False)
    assert ticket["subject"] == record["user_id"] == user_id
    if where == CHANGE:
        marks = {"kind": "email", "value": "ann@example.com"}
        assert (record["marks"], record["client_id"]) == (marks, world.client_id)


async def test_a_ticket_speaks_of_the_address_that_the_account_had(world: World) -> None:
    """Not of one that it got since: that one nobody vouched for."""
    user_id = await world.person("mallory@example.com")
    ticket = await world.manage("POST", CHANGE, {"user_id": user_id, "mark_email_as_verified": True})
    moved = await world.manage("PATCH", f"/users/{user_id}", {"email": "victim@example.com"})
    assert moved.status_code == 200
    link = ticket.json()["ticket"].rstrip("#")
    assert (await world.client.get(link)).status_code == 400


async def test_a_mail_that_verifies(world: World) -> None:
    user_id = await world.person()
    await world.letters()
    asked = await world.manage("POST", MAIL, {"user_id": user_id, "client_id": world.client_id})
    assert asked.status_code == 201
    job = asked.json()
    assert job == {
        "type": "verification_email",
        "status": "pending",
        "created_at": "2026-06-01T12:00:00.000Z",
        "id": job["id"],
    }
    assert (await world.manage("GET", f"/jobs/{job['id']}")).json() == job
    assert (await world.manage("GET", f"/jobs/{job['id']}/errors")).status_code == 204
    newest, _ = await world.letters()
    assert (newest.to, newest.subject) == ("ann@example.com", "Confirm your email address")
    assert await open_link(world, await world.link()) == 200
    done = (await world.manage("GET", f"/jobs/{job['id']}")).json()
    assert done == job | {"status": "completed", "percentage_done": 100}
    world.clock.advance(days=1)
    await world.db.write(worker.sweep, world.clock())
    with pytest.raises(NoSuchJob):
        await world.app.state.flows.tickets.job(job["id"])


async def test_a_mail_speaks_as_the_template_says(world: World) -> None:
    names = ("template", "body", "from", "subject", "syntax", "enabled")
    own = dict.fromkeys(names) | {"template": "verify_email", "subject": "Hello", "urlLifetimeInSeconds": 60}
    own |= {"resultUrl": "{{ application.callback_domain }}/done", "includeEmailInRedirect": False}
    await world.manage("POST", "/email-templates", own)
    user_id = await world.person()
    await world.manage("POST", MAIL, {"user_id": user_id})
    assert (await world.letters())[0].subject == "Hello"
    (ticket,) = [row for row in await world.rows(tables.Ticket) if row["purpose"] == "verify-email"]
    assert (ticket["expires_at"] - world.clock()).total_seconds() == 60
    assert (ticket["record"]["result_url"], ticket["record"]["include_email"]) == (f"{PUBLIC_URL}/done", False)


async def test_a_mail_that_could_not_be_delivered(world: World) -> None:
    user_id = await world.person()
    await world.letters()
    bad = {"name": "smtp", "credentials": {"smtp_host": "127.0.0.1", "smtp_port": 1}}
    await world.manage("POST", "/emails/provider", bad)
    job = (await world.manage("POST", MAIL, {"user_id": user_id})).json()
    await world.letters()
    waiting = (await world.manage("GET", f"/jobs/{job['id']}")).json()
    assert waiting["status"] == "pending"
    assert "SMTPConnectError" in waiting["status_details"]
    assert (await world.manage("GET", f"/jobs/{job['id']}/errors")).status_code == 204
    for number in range(MAX_TRIES - 1):
        world.clock.advance(seconds=5 * 4**number)
        await world.letters()
    errors = await world.manage("GET", f"/jobs/{job['id']}/errors")
    assert errors.status_code == 200
    assert (errors.json()["status"], errors.json()["id"]) == ("failed", job["id"])


async def test_jobs_that_nobody_asked_for_here_are_not_shown(world: World) -> None:
    await world.person()
    (job,) = await world.rows(tables.Job)
    for path in (f"/jobs/{job['id']}", f"/jobs/{job['id']}/errors", "/jobs/job_none"):
        answer = await world.manage("GET", path)
        assert (answer.status_code, answer.json()["message"]) == (404, "The job does not exist")


@pytest.mark.parametrize(
    ("where", "status", "told"),
    [(VERIFY, 404, "User not found."), (CHANGE, 404, "User not found."), (MAIL, 400, "The user does not exist.")],
)
async def test_nobody(shared_world: World, where: str, status: int, told: str) -> None:
    answer = await shared_world.manage("POST", where, {"user_id": NOBODY})
    assert (answer.status_code, answer.json()["message"]) == (status, told)


@pytest.mark.parametrize("where", [VERIFY, CHANGE, MAIL])
async def test_administrators_are_not_there_for_it(world: World, where: str) -> None:
    body = {"email": "owner@example.com", "password": "correct horse battery"}
    setup = str(world.first["administrator_setup_url"]).removeprefix(PUBLIC_URL)
    assert (await world.client.post(setup, data=body)).status_code == 200
    (owner,) = await world.rows(tables.Account)
    assert (await world.manage("POST", where, {"user_id": owner["user_id"]})).status_code in (400, 404)
    ask = {"connection_id": owner["connection_id"], "email": "owner@example.com"}
    if where == CHANGE:
        assert (await world.manage("POST", where, ask)).status_code == 400


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (VERIFY, "User does not have an email address."),
        (MAIL, "User does not have an email address."),
        (CHANGE, "The user does not have an email address."),
    ],
)
async def test_without_an_address(world: World, where: str, told: str) -> None:
    attributes = {
        "username": {"identifier": {"active": True}, "profile_required": False, "signup": {"status": "optional"}},
        "email": {"identifier": {"active": True}, "profile_required": False, "signup": {"status": "optional"}},
    }
    await world.new_connection("Names", attributes=attributes)
    body = {"connection": "Names", "username": "ann", "password": "correct horse battery"}
    made = await world.manage("POST", "/users", body)
    assert made.status_code == 201, made.text
    answer = await world.manage("POST", where, {"user_id": made.json()["user_id"]})
    assert (answer.status_code, answer.json()["message"]) == (400, told)


async def test_without_passwords(world: World) -> None:
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    await world.new_connection("Keys", authentication_methods=methods)
    made = await world.manage("POST", "/users", {"connection": "Keys", "email": "ann@example.com"})
    assert made.status_code == 201, made.text
    answer = await world.manage("POST", CHANGE, {"user_id": made.json()["user_id"]})
    assert answer.json()["message"] == "The user's main connection does not support this operation."


@pytest.mark.parametrize("where", [VERIFY, CHANGE, MAIL])
@pytest.mark.parametrize(
    "change",
    [{"user_id": "somebody"}, {"provider": "auth0", "connection_id": "con_0000000000000000"}, {"provider": "google"}],
)
async def test_an_identity_that_the_account_has_not(world: World, where: str, change: dict[str, str]) -> None:
    user_id = await world.person()
    identity = {"user_id": user_id.partition("|")[2], "provider": "auth0"} | change
    answer = await world.manage("POST", where, {"user_id": user_id, "identity": identity})
    assert answer.status_code == 400
    told = answer.json()["message"]
    assert "does not contain the given identity" in told or "on property identity.provider" in told


@pytest.mark.parametrize(
    ("where", "body", "told"),
    [
        (CHANGE, {}, "Either user_id, or connection_id and email must be given"),
        (CHANGE, {"email": "ann@example.com"}, "Either user_id"),
        (
            CHANGE,
            {"user_id": NOBODY, "email": "a@example.com", "connection_id": "con_0000000000000000"},
            "Either user_id",
        ),
        (
            CHANGE,
            {"connection_id": "con_0000000000000000", "email": "ann@example.com"},
            "The connection with id con_0000000000000000 does not exist.",
        ),
        (CHANGE, {"connection_id": "con_1", "email": "a@example.com"}, "String does not match pattern"),
        (CHANGE, {"user_id": NOBODY, "mark_email_as_verified": "yes"}, "Expected type boolean"),
        (VERIFY, {}, "Missing required property: user_id"),
        (VERIFY, {"user_id": NOBODY, "ttl_sec": -1}, "Value -1 is less than minimum 0"),
        (VERIFY, {"user_id": NOBODY, "ttl_sec": 10**12}, "is greater than maximum"),
        (VERIFY, {"user_id": NOBODY, "result_url": "javascript:alert(1)"}, "on property result_url"),
        (VERIFY, {"user_id": NOBODY, "result_url": "https://x", "client_id": "x"}, "cannot be given together"),
        (VERIFY, {"user_id": NOBODY, "organization_id": "org_1"}, "Organizations are not supported"),
        (MAIL, {"user_id": NOBODY, "organization_id": "org_1"}, "Organizations are not supported"),
        (MAIL, {"user_id": 5}, "Expected type string but found type integer"),
        (MAIL, {"user_id": NOBODY, "more": 1}, "Additional properties not allowed: more"),
    ],
)
async def test_refusals(shared_world: World, where: str, body: dict[str, Any], told: str) -> None:
    answer = await shared_world.manage("POST", where, body)
    assert answer.status_code == 400
    assert told in answer.json()["message"]


@pytest.mark.parametrize("where", [VERIFY, CHANGE, MAIL])
async def test_a_client_that_there_is_not(world: World, where: str) -> None:
    user_id = await world.person()
    answer = await world.manage("POST", where, {"user_id": user_id, "client_id": "nobody"})
    assert (answer.status_code, "on property client_id" in answer.json()["message"]) == (400, True)


async def test_by_an_address_that_nobody_has(world: World) -> None:
    for email, status in (("bob@example.com", 404), ("not an address", 400)):
        answer = await world.manage("POST", CHANGE, {"connection_id": world.connection_id, "email": email})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", VERIFY, "update:users read:user_tickets"),
        ("POST", CHANGE, "update:users read:user_tickets"),
        ("POST", MAIL, "read:users create:user_tickets"),
        ("GET", "/jobs/job_1", "read:connections"),
        ("GET", "/jobs/job_1/errors", "read:connections"),
    ],
)
async def test_scopes(shared_world: World, method: str, path: str, scope: str) -> None:
    body = {"user_id": NOBODY} if method == "POST" else None
    refused = await shared_world.manage(method, path, body, scope=scope)
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")


async def test_no_link_gets_into_the_journal(world: World) -> None:
    user_id = await world.person()
    links = [await path_of(world, where, user_id=user_id) for where in (VERIFY, CHANGE)]
    written = str(await world.rows(tables.JournalRow))
    assert not [link for link in links if link.partition("ticket=")[2].rstrip("#") in written]
    assert user_id in written


async def test_the_journal_says_that_a_link_was_asked_for(world: World) -> None:
    user_id = await world.person()
    before = len(await world.journal(user_id))
    await path_of(world, VERIFY, user_id=user_id, client_id=world.client_id)
    assert (await world.manage("POST", "/jobs/verification-email", {"user_id": user_id})).status_code == 201
    assert sorted((await world.journal(user_id))[before:]) == ["sapi", "sapi", "svr", "svr"]
    first, second = [row for row in await world.rows(tables.JournalRow) if row["type"] == "svr" and row["actor"]]
    assert first["details"] == second["details"] == {"email": "ann@example.com"}
    assert (first["client_id"], second["client_id"]) == (world.client_id, None)
