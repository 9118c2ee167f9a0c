"""Whoever is locked out is told, and opens the lock with a link (AP-8)."""

import html
from typing import Any, Final
from urllib.parse import quote

import pytest
from sqlalchemy import update
from sqlmodel import Session

from authenticator import Authenticator
from conftest import Stencil
from keystead import worker
from keystead.db import tables, tenant
from keystead.errors import AddressBlocked
from keystead.rules.attack_protection import SETTINGS
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.events import Caller
from keystead.rules.messages import Letter
from keystead.web import wording
from visitor import Form, Landed, Visitor
from world import PASSWORD, World, open_world

pytestmark = pytest.mark.anyio

ANN: Final = "ann@example.com"
OWNER: Final = "root@example.com"
PAGE: Final = "/u/unblock"
SUBJECT: Final = "Somebody tried wrong passwords for your account"
TOLD: Final = (
    "Sign-in is blocked from here, because wrong passwords were tried too often. If there is an account, a message "
    "goes to its owner, at most once an hour. The link in the newest one unblocks it."
)
UNTOLD: Final = "Sign-in is blocked from here, because wrong passwords were tried too often."


async def fail(world: World, username: str = ANN, times: int = 10, said: str = "wrong") -> None:
    """Try so many wrong passwords."""
    for number in range(times):
        assert (await world.login(username, f"{said} {number}")).status_code == 403


async def fail_from(world: World, address: str, username: str = ANN) -> None:
    """Fill the lock of another address."""
    there = world.at(address)
    await fail(there, username, said=f"wrong from {address}")


async def warnings(world: World) -> list[Letter]:
    """Return the messages about locks, newest first."""
    return [each for each in await world.letters() if "wrong passwords" in each.text]


async def set_up(world: World, name: str, **change: Any) -> None:
    """Change settings of attack protection, as the database has them."""
    assert name in SETTINGS
    await world.db.write(tenant.set_to, name, change)


async def link(world: World) -> str:
    """Return the link of the newest mail, as a path."""
    return await world.link(ANN, PAGE)


async def press(visitor: Visitor, url: str) -> Landed:
    """Open a link, and press its button."""
    landed = await visitor.open(url)
    return await visitor.send(landed.form(PAGE))


# --- who is told -------------------------------------------------------------------------------------------------


async def test_the_owner_is_told_when_the_lock_fills_and_not_before(world: World) -> None:
    await world.person()
    await fail(world, times=9)
    assert await warnings(world) == []
    await fail(world, times=1, said="the tenth")
    (letter,) = await warnings(world)
    assert (letter.to, letter.subject) == (ANN, SUBJECT)
    assert "(ann@example.com) too often, from the address 203.0.113.9. Further tries are refused" in letter.text
    assert "http://localhost:8000/u/unblock?ticket=" in letter.text


async def test_a_right_password_that_leaves_nothing_tells_nobody(world: World) -> None:
    await world.person()
    await fail(world, times=9)
    assert (await world.login()).status_code == 200
    assert await warnings(world) == []


async def test_once_an_hour_for_each_address(world: World) -> None:
    await world.person()
    for minutes in (0, 30, 31):
        world.clock.advance(minutes=minutes)
        await fail(world, said=f"after {minutes}")
        assert len(await warnings(world)) == {0: 1, 30: 1, 31: 2}[minutes]
        await world.manage("DELETE", f"/user-blocks?identifier={ANN}")
    await fail_from(world, "198.51.100.7")
    assert len(await warnings(world)) == 3


async def test_a_thousand_addresses_do_not_fill_a_mailbox(world: World) -> None:
    await set_up(world, "attack_protection", lock_scope="auth0")
    await set_up(world, "brute_force_protection", max_attempts=1)
    await world.person()
    for number in range(15):
        there = world.at(f"198.51.100.{number}")
        await fail(there, times=1, said=f"{number}")
    assert len(await warnings(world)) == 10


async def test_a_lock_that_stays_full_sends_a_link_again_once_the_last_works_no_more(world: World) -> None:
    await world.person()
    await fail(world)
    first = await link(world)
    world.clock.advance(days=4)
    assert (await world.login()).status_code == 429
    assert len(await warnings(world)) == 1, "there is a link that works"
    world.clock.advance(days=2)
    for _ in range(3):
        assert (await world.login()).status_code == 429
    assert len(await warnings(world)) == 2
    assert await link(world) != first
    await press(Visitor.of(world), await link(world))
    assert (await world.login()).status_code == 200


async def test_in_german(world: World) -> None:
    await world.person()
    world.client.headers["accept-language"] = "de"
    await fail(world)
    letter = (await world.letters())[0]
    assert letter.subject == "Jemand hat falsche Passwörter für Ihr Konto versucht"
    assert "Weitere Versuche werden vorerst abgewiesen." in letter.text
    assert "Mein Konto entsperren" in letter.text


async def test_a_template_of_one_s_own_knows_where_from(world: World) -> None:
    await world.person()
    template = {
        "template": "blocked_account",
        "syntax": "liquid",
        "enabled": True,
        "from": None,
        "subject": "Locked: {{ user.email }}",
        "body": "{{ user.source_ip }}|{{ user.city }}|{{ user.country }}|{{ url }}",
        "urlLifetimeInSeconds": 60,
    }
    assert (await world.manage("POST", "/email-templates", template)).status_code == 200
    await fail(world)
    letter = (await world.letters())[0]
    assert (letter.subject, letter.html.partition("http")[0]) == ("Locked: ann@example.com", "203.0.113.9|||")
    world.clock.advance(seconds=61)
    assert (await Visitor.of(world).open(letter.html.partition("localhost:8000")[2])).response.status_code == 400


async def test_without_the_shield_nobody_is_told(world: World) -> None:
    await set_up(world, "brute_force_protection", shields=["block"])
    await world.person()
    await fail(world)
    assert (await world.login()).status_code == 429
    assert await warnings(world) == []
    assert [each for each in await world.rows(tables.Job) if each["type"] == "block_notice"] == []


async def test_where_nothing_is_blocked_there_is_nothing_to_open(world: World) -> None:
    await set_up(world, "brute_force_protection", shields=["user_notification"])
    await world.person()
    await fail(world)
    (letter,) = await warnings(world)
    assert (await world.login()).status_code == 200
    assert "unblock" not in letter.text
    assert "You can sign in as before." in letter.text


async def test_nobody_is_told_whom_it_would_not_help(world: World) -> None:
    """An administrator's block stays; and whoever has no password is not kept out by failures."""
    await world.block(await world.person())
    await fail(world)
    await world.register(Authenticator(), "bob@example.com")
    await fail(world, "bob@example.com", said="another")
    assert await warnings(world) == []
    assert [each for each in await world.rows(tables.Ticket) if each["purpose"] == "unblock"] == []


async def test_nobody_is_told_of_a_lock_that_is_open_again(world: World) -> None:
    await world.person()
    await fail(world)
    await world.manage("DELETE", f"/user-blocks?identifier={ANN}")
    assert await warnings(world) == []


async def test_an_address_that_may_be_a_stranger_s_is_told_nothing(world: World) -> None:
    """The account's number was proved, its e-mail address never: whose it is nobody knows."""
    attributes = {"email": {"identifier": {"active": True}}, "phone_number": {"identifier": {"active": True}}}
    assert (await world.patch_options(attributes=attributes)).status_code == 200
    body = {"connection": world.connection, "email": ANN, "phone_number": "+4915123456789", "password": PASSWORD}
    made = await world.manage("POST", "/users", body | {"phone_verified": True})
    assert made.status_code == 201, made.text
    await fail(world)
    assert await warnings(world) == []
    await fail(world, "+49 151 23456789", said="by number")
    assert [(each.channel, each.to) for each in await warnings(world)] == [("sms", "+4915123456789")]


async def test_a_number_that_was_tried_gets_a_text_without_a_link_and_the_mailbox_the_link(world: World) -> None:
    attributes = {"email": {"identifier": {"active": True}}, "phone_number": {"identifier": {"active": True}}}
    assert (await world.patch_options(attributes=attributes)).status_code == 200
    body = {"connection": world.connection, "email": ANN, "phone_number": "+4915123456789", "password": PASSWORD}
    proved = {"email_verified": True, "phone_verified": True}
    assert (await world.manage("POST", "/users", body | proved)).status_code == 201
    for address in ("198.51.100.1", "198.51.100.2"):
        await fail_from(world, address, "+4915123456789")
    told = await warnings(world)
    assert sorted(each.channel for each in told) == ["email", "email", "sms"]  # a text an hour, whoever tries
    (text,) = (each for each in told if each.channel == "sms")
    assert "http" not in text.text
    assert "Further tries are refused for now." in text.text


async def test_whoever_reads_the_outbox_sees_what_is_sent(world: World) -> None:
    await world.person()
    await fail(world)
    await world.letters()
    assert SUBJECT in (await Visitor.of(world).open("/dev/outbox")).text


# --- the same for everybody --------------------------------------------------------------------------------------


async def _left_by_filling(world: World, username: str) -> tuple[list[int], int, dict[str, int]]:
    before = {name: await world.count(table) for name, table in TABLES.items()}
    hashed = world.hasher.verified
    statuses = [(await world.login(username, f"wrong {number}")).status_code for number in range(11)]
    rows = {name: await world.count(table) - before[name] for name, table in TABLES.items()}
    return statuses, world.hasher.verified - hashed, rows


TABLES: Final = {
    "job": tables.Job,
    "ticket": tables.Ticket,
    "journal": tables.JournalRow,
    "attempt": tables.Attempt,
    "outbox": tables.OutboxMessage,
}


@pytest.mark.parametrize("other", ["nobody@example.com", "no identifier at all"])
async def test_a_request_leaves_the_same_whether_there_is_somebody_or_not(world: World, other: str) -> None:
    await world.person()
    await world.letters()
    here = world.at("198.51.100.1")
    there = world.at("198.51.100.2")
    somebody = await _left_by_filling(here, ANN)
    nobody = await _left_by_filling(there, other)
    assert nobody == somebody
    assert somebody[2] == {"job": 2, "ticket": 0, "journal": 11, "attempt": 15, "outbox": 0}
    assert [each.to for each in await warnings(world)] == [ANN]


async def _undone(world: World) -> list[dict[str, Any]]:
    return [each for each in await world.rows(tables.Job) if each["finished_at"] is None]


async def test_a_notice_names_nobody_to_whoever_reads_the_database(world: World) -> None:
    await world.person()
    await world.letters()
    await fail(world)
    (job,) = await _undone(world)
    assert b"ann" not in job["sealed"]
    assert "ann" not in str({name: value for name, value in job.items() if name != "sealed"})


async def test_the_page_says_the_same_to_everybody(world: World) -> None:
    await world.person()
    said = []
    for username in (ANN, "nobody@example.com"):
        await fail(world, username)
        visitor = Visitor.of(world)
        landed = await visitor.log_in(await visitor.authorize(), username)
        assert landed.response.status_code == 429
        assert TOLD in html.unescape(landed.text)
        said.append(landed.text.replace(username, "").count(""))
    assert len(set(said)) == 1


async def test_a_page_speaks_of_no_message_where_none_is_sent(world: World) -> None:
    await set_up(world, "brute_force_protection", shields=["block"])
    await fail(world)
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize())
    assert UNTOLD in html.unescape(landed.text)
    assert "a message" not in landed.text


async def test_other_limits_have_words_of_their_own_on_pages(world: World) -> None:
    await set_up(world, "suspicious_ip_throttling", stage={"pre-login": {"max_attempts": 1}})
    visitor = Visitor.of(world)
    landed = await visitor.log_in(await visitor.authorize(), password="wrong")
    landed = await visitor.send(landed.form("/login/password"), password="wrong")
    assert "Too many failed sign-ins from your network." in landed.text
    await set_up(world, "suspicious_ip_throttling", enabled=False)
    await set_up(world, "brute_force_protection", enabled=False)
    for _ in range(20):
        landed = await visitor.send(landed.form("/login/password"), password="wrong")
    assert "Too many sign-ins with these details in a short time." in landed.text


# --- the link ----------------------------------------------------------------------------------------------------


async def test_the_link_opens_the_lock_and_lets_the_browser_be_known(world: World) -> None:
    """Strangers go on filling their lock: the owner's new browser has one of its own."""
    user_id = await world.person()
    await fail(world)
    visitor = Visitor.of(world)
    landed = await visitor.open(await link(world))
    assert landed.response.status_code == 200
    assert "Unblock your account?" in landed.text
    assert ANN in landed.text
    landed = await visitor.send(landed.form(PAGE))
    assert "Your account is unblocked" in landed.text
    entry = await world.last_entry()
    assert (entry["type"], entry["user_id"], entry["client_id"]) == ("ublkdu", user_id, world.client_id)
    assert (await world.login()).status_code == 200
    world.clock.advance(minutes=2)
    await fail(world, said="again")
    assert (await world.login()).status_code == 429
    landed = await visitor.log_in(await visitor.authorize())
    assert "code" in landed.answer
    # Nor did that open anything for the others.
    assert (await world.login()).status_code == 429


async def test_an_unknown_browser_gets_in_while_strangers_fill_theirs_everywhere(world: World) -> None:
    await set_up(world, "attack_protection", max_attempts_by_strangers=20)
    await world.person()
    for number in (1, 2):
        await fail_from(world, f"198.51.100.{number}")
    home = world.at("192.0.2.200")
    assert (await home.login()).status_code == 429  # from where nobody ever failed
    visitor = Visitor.of(world)
    assert "Your account is unblocked" in (await press(visitor, await link(world))).text
    for number in (3, 4):
        await fail_from(world, f"198.51.100.{number}")
    home = world.at("192.0.2.200")
    assert (await home.login()).status_code == 429
    assert "code" in (await visitor.log_in(await visitor.authorize())).answer


async def test_opening_a_link_opens_no_lock(world: World) -> None:
    """What scanners of mail do; and what another site does that sends the form."""
    await world.person()
    await fail(world)
    url = await link(world)
    scanner = Visitor.of(world)
    for _ in range(3):
        seen = await scanner.open(url)
        assert seen.response.status_code == 200
    assert not [name for name in scanner.client.cookies if "device" in name]
    assert (await world.login()).status_code == 429
    foreign = await world.client.post(url, headers={"origin": "https://evil.example", "sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert (await world.login()).status_code == 429
    assert "Your account is unblocked" in (await press(Visitor.of(world), url)).text


async def test_it_logs_nobody_in(world: World) -> None:
    await world.person()
    await fail(world)
    visitor = Visitor.of(world)
    await press(visitor, await link(world))
    assert await world.open_sessions() == 0
    assert (await visitor.authorize()).path == "/u/login/identifier"


async def test_it_works_once(world: World) -> None:
    await world.person()
    await fail(world)
    url = await link(world)
    form = (await Visitor.of(world).open(url)).form(PAGE)
    await Visitor.of(world).send(form)
    await fail(world, said="again")
    other = Visitor.of(world)
    for landed in (await other.send(form), await other.open(url), await other.open(PAGE)):
        assert landed.response.status_code == 400
        assert "This link does not work any more" in landed.text
    assert not [name for name in other.client.cookies if "device" in name]
    assert (await world.login()).status_code == 429
    assert (await world.journal()).count("ublkdu") == 1


async def test_a_newer_link_ends_the_older(world: World) -> None:
    await world.person()
    await fail(world)
    older = await link(world)
    await fail_from(world, "198.51.100.7")
    newer = await link(world)
    assert newer != older
    assert (await Visitor.of(world).open(older)).response.status_code == 400
    assert (await Visitor.of(world).open(newer)).response.status_code == 200


@pytest.mark.parametrize(("hardened", "hours"), [(False, 120), (True, 24)])
async def test_how_long_it_lives(world: World, hardened: bool, hours: int) -> None:
    await world.person()
    await fail(world)
    if hardened:
        await world.patch_options(security_profile="hardened")
        await fail_from(world, "198.51.100.7")
    url = await link(world)
    world.clock.advance(hours=hours, seconds=-1)
    assert (await Visitor.of(world).open(url)).response.status_code == 200
    world.clock.advance(seconds=1)
    assert (await Visitor.of(world).open(url)).response.status_code == 400


@pytest.mark.parametrize(
    "change",
    [{"password": "another long password"}, {"email": "ann@example.org", "email_verified": True}, {"blocked": True}],
    ids=lambda change: next(iter(change)),
)
async def test_what_ends_other_links_ends_it(world: World, change: dict[str, Any]) -> None:
    user_id = await world.person()
    await fail(world)
    url = await link(world)
    assert (await Visitor.of(world).open(url)).response.status_code == 200
    answer = await world.manage("PATCH", f"/users/{quote(user_id)}", change)
    assert answer.status_code == 200, answer.text
    assert (await Visitor.of(world).open(url)).response.status_code == 400


async def test_a_deleted_account_has_none(world: World) -> None:
    user_id = await world.person()
    await fail(world)
    url = await link(world)
    await world.delete_user(user_id)
    assert (await Visitor.of(world).open(url)).response.status_code == 400


async def test_whoever_makes_links_up_is_charged(world: World) -> None:
    await set_up(world, "suspicious_ip_throttling", stage={"pre-login": {"max_attempts": 2}})
    visitor = Visitor.of(world)
    for status in (400, 400, 429):
        assert (await visitor.open(f"{PAGE}?ticket=made-up")).response.status_code == status


async def test_afterwards_it_leads_to_where_a_login_can_begin(world: World) -> None:
    await world.patch_client(world.client_id, initiate_login_uri="https://app.example.com/start")
    await world.person()
    await fail(world)
    landed = await press(Visitor.of(world), await link(world))
    assert 'href="https://app.example.com/start?iss=http%3A%2F%2Flocalhost%3A8000%2F"' in html.unescape(landed.text)


async def test_a_form_without_a_link(world: World) -> None:
    landed = await Visitor.of(world).send(Form(PAGE))
    assert (landed.response.status_code, "does not work any more" in landed.text) == (400, True)


# --- administrators ----------------------------------------------------------------------------------------------


async def become_administrator(world: World) -> None:
    """Open the set-up link, and become the administrator."""
    url = world.first["administrator_setup_url"].partition("http://localhost:8000")[2]
    assert (await world.client.post(url, data={"email": OWNER, "password": "a very long password"})).status_code == 200


async def test_administrators_are_told_of_an_address_once_an_hour(world: World) -> None:
    await become_administrator(world)
    await set_up(world, "suspicious_ip_throttling", stage={"pre-login": {"max_attempts": 3, "rate": 34_560}})
    for number in range(3):
        await world.login(f"nobody{number}@example.com")
    (letter,) = await world.letters()
    assert (letter.to, letter.subject) == (OWNER, "Too many failed sign-ins from one address")
    assert "from the address 203.0.113.9 than one address may have. Further tries from there" in letter.text
    world.clock.advance(seconds=35)
    await world.login("another@example.com")
    assert len(await world.letters()) == 1
    world.clock.advance(hours=1)
    await fail(world, "third@example.com", 3)
    assert len(await world.letters()) == 2


async def test_administrators_are_told_of_sign_ups(world: World) -> None:
    await become_administrator(world)
    await set_up(world, "suspicious_ip_throttling", stage={"pre-user-registration": {"max_attempts": 1}})
    protection = world.app.state.flows.unblocking.protection
    await protection.signing_up(Caller(address="203.0.113.9"), {})
    with pytest.raises(AddressBlocked) as refusal:
        await protection.signing_up(Caller(address="203.0.113.9"), {})
    assert wording.said(refusal.value, ConnectionOptions()).startswith("Too many accounts were created from your")
    (letter,) = (each for each in await world.letters() if each.to == OWNER)
    assert letter.subject == "Too many sign-ups from one address"


async def test_without_the_shield_administrators_hear_nothing(world: World) -> None:
    await become_administrator(world)
    await set_up(world, "suspicious_ip_throttling", shields=["block"], stage={"pre-login": {"max_attempts": 1}})
    await world.login("nobody@example.com")
    assert await world.letters() == []


# --- the worker --------------------------------------------------------------------------------------------------


async def test_of_many_workers_one_tells(world: World) -> None:
    await world.person()
    await world.letters()
    await fail(world)
    jobs = await _undone(world)
    unblocking = world.app.state.flows.unblocking
    for _ in range(3):
        await worker.deliver_due(world.db, unblocking, world.clock)
    assert (len(jobs), len(await warnings(world))) == (1, 1)


async def test_a_notice_that_cannot_be_read_is_given_up(installation: Stencil) -> None:
    """Sealed with a key that is gone: tried a few times, and never in the way of others."""
    async with open_world(installation.settings, installation.document) as world:
        await world.person()
        await world.letters()
        await fail(world)
        await world.db.write(_spoil)
        for _ in range(6):
            await world.letters()
            world.clock.advance(hours=1)
        (spoilt,) = (each for each in await world.rows(tables.Job) if each["type"] == "block_notice")
        assert (spoilt["status"], spoilt["error"], spoilt["tries"]) == ("failed", "InternalError", 5)
        await fail_from(world, "198.51.100.7")
        assert len(await warnings(world)) == 1


def _spoil(session: Session) -> None:
    job = tables.Job.__table__  # type: ignore[attr-defined]
    session.connection().execute(update(job).where(job.c.type == "block_notice").values(sealed=b"x" * 40))
