"""``POST /api/v2/tickets/passkey-enrollment``: a link with which somebody makes a passkey, whatever else they have."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from authenticator import FLAWLESS, UP, Authenticator, Flaw, flags
from keystead.db import tables
from visitor import Landed, Visitor
from world import PASSWORD, PUBLIC_URL, World, claims_of

TICKETS, PAGE = "/tickets/passkey-enrollment", "/u/passkey-enrollment/ticket"


async def ticket_for(world: World, user_id: str, **more: Any) -> str:
    """Ask for a link, and return it as a path."""
    answer = await world.manage("POST", TICKETS, {"user_id": user_id} | more)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"ticket"}
    assert answer.json()["ticket"].endswith("#")
    return str(answer.json()["ticket"]).removeprefix(PUBLIC_URL).rstrip("#")


async def made(visitor: Visitor, at: Landed, device: Authenticator | None = None, flaw: Flaw = FLAWLESS) -> Landed:
    """Make the passkey that the page asks for."""
    begun = await visitor.options(at, PAGE)
    response = (device or Authenticator()).create(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=flaw)
    return await visitor.send(at.form(PAGE), auth_session=begun["auth_session"], response=json.dumps(response))


async def used(world: World, link: str, device: Authenticator | None = None) -> Landed:
    """Open a link, and make the passkey."""
    visitor = Visitor.of(world)
    return await made(visitor, await visitor.open(link), device)


async def opens(world: World, link: str) -> bool:
    return (await Visitor.of(world).open(link)).response.status_code == 200


@pytest.fixture
async def ann(world: World) -> str:
    """Ann, who has a password."""
    return await world.person()


@pytest.fixture
async def bare(world: World) -> str:
    """Ben, whom an administrator made, without any credential."""
    methods = {"password": {"enabled": True, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    assert (await world.patch_options(authentication_methods=methods)).status_code == 200
    body = {"connection": world.connection, "email": "ben@example.com"}
    answer = await world.manage("POST", "/users", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["user_id"])


# --- from the request to the login ---------------------------------------------------------------------------------


async def test_from_the_request_to_the_login(world: World, ann: str) -> None:
    sent = await world.letters()
    link = await ticket_for(world, ann)
    assert await world.letters() == sent, "nothing is sent: whoever asked passes it on"
    assert link.startswith(f"{PAGE}?ticket=")
    entry = await world.last_entry()
    assert (entry["type"], entry["description"]) == ("sapi", "Create a passkey enrollment ticket")
    assert entry["user_id"] == ann
    visitor, device = Visitor.of(world), Authenticator()
    page = await visitor.open(link)
    assert "for <bdi>ann@example.com</bdi>" in page.text
    done = await made(visitor, page, device)
    assert (done.response.status_code, done.path) == (200, PAGE)
    assert "Your passkey is ready" in done.text
    assert await world.open_sessions() == 0
    assert "keystead-session" not in visitor.client.cookies, "that is for the new passkey to do"
    assert "gd_enrollment_complete" in await world.journal(ann)
    assert (await world.letters())[0].subject == "A passkey was added to your account"
    assert claims_of((await world.passkey_login(device)).json()["id_token"])["sub"] == ann


async def test_somebody_without_any_credential_gets_their_first(world: World, bare: str) -> None:
    device = Authenticator()
    await used(world, await ticket_for(world, bare), device)
    assert claims_of((await world.passkey_login(device)).json()["id_token"])["sub"] == bare


async def test_by_address(world: World, ann: str) -> None:
    body = {"connection_id": world.connection_id, "email": "Ann@Example.com"}
    answer = await world.manage("POST", TICKETS, body)
    assert answer.status_code == 201
    link = str(answer.json()["ticket"]).removeprefix(PUBLIC_URL)
    assert "ann@example.com" in (await Visitor.of(world).open(link)).text


async def test_back_to_where_the_administrator_wants_it(world: World, ann: str) -> None:
    url = "https://shop.example.com/welcome?x=1"
    done = await used(world, await ticket_for(world, ann, result_url=url, client_id=world.client_id))
    assert done.target.startswith(url)
    assert dict(parse_qsl(urlsplit(done.target).query)) == {
        "x": "1",
        "success": "true",
        "message": "Your passkey was created.",
    }


async def test_it_lives_for_a_day_or_as_long_as_was_said(world: World, ann: str) -> None:
    for more, seconds in (
        ({}, 86_400),
        ({"ttl_sec": 0}, 86_400),
        ({"ttl_sec": 60}, 60),
        ({"ttl_sec": 432_000}, 432_000),
    ):
        world.forget_tokens()
        link = await ticket_for(world, ann, **more)
        world.clock.advance(seconds=seconds - 1)
        assert await opens(world, link)
        world.clock.advance(seconds=1)
        assert not await opens(world, link)


async def test_a_newer_one_replaces_the_older(world: World, ann: str) -> None:
    first, second = await ticket_for(world, ann), await ticket_for(world, ann)
    assert [await opens(world, each) for each in (first, second)] == [False, True]


async def test_the_policy_holds_for_it(world: World, ann: str) -> None:
    await world.patch_options(passkey_policy={"backup": "device_bound_only"})
    link = await ticket_for(world, ann)
    refused = await used(world, link)
    assert refused.response.status_code == 403
    assert "Passkeys of this kind are not allowed here." in refused.text
    assert (await used(world, link, Authenticator(synced=False))).response.status_code == 200


# --- what is refused -----------------------------------------------------------------------------------------------

USER = {"user_id": "auth0|nobody"}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (USER, 404, "User not found."),
        ({}, 400, "Either user_id, or connection_id and email must be given"),
        ({"email": "ann@example.com"}, 400, "Either user_id, or connection_id and email must be given"),
        (USER | {"ttl_sec": 432_001}, 400, "ttl_sec"),
        (USER | {"ttl_sec": -1}, 400, "ttl_sec"),
        (USER | {"ttl_sec": True}, 400, "ttl_sec"),
        (USER | {"result_url": "javascript:alert(1)"}, 400, "result_url"),
        (USER | {"organization_id": "org_1"}, 400, "organization_id"),
        ({"connection_id": "con_0000000000000000", "email": "ann@example.com"}, 400, "does not exist"),
    ],
)
async def test_what_a_request_must_say(world: World, body: dict[str, Any], status: int, says: str) -> None:
    answer = await world.manage("POST", TICKETS, body)
    assert answer.status_code == status
    assert says in answer.json()["message"]


async def test_a_client_that_there_is_not(world: World, ann: str) -> None:
    answer = await world.manage("POST", TICKETS, {"user_id": ann, "client_id": "nobody"})
    assert (answer.status_code, "The client does not exist." in answer.json()["message"]) == (400, True)


async def test_where_passkeys_are_off(world: World, ann: str) -> None:
    link = await ticket_for(world, ann)
    methods = {"password": {"enabled": True}, "passkey": {"enabled": False}}
    await world.patch_options(authentication_methods=methods)
    answer = await world.manage("POST", TICKETS, {"user_id": ann})
    assert answer.status_code == 400
    assert "does not support this operation" in answer.json()["message"]
    assert not await opens(world, link)


async def test_who_may_ask(world: World, ann: str) -> None:
    refused = await world.manage("POST", TICKETS, {"user_id": ann}, scope="read:users update:users")
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")


# --- a link is used once -------------------------------------------------------------------------------------------


async def test_a_ceremony_that_fails_does_not_use_it_up(world: World, ann: str) -> None:
    link = await ticket_for(world, ann)
    visitor = Visitor.of(world)
    page = await visitor.open(link)
    begun = await visitor.options(page, PAGE)
    response = Authenticator().create(
        begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=Flaw(fields=flags(off=UP))
    )
    form = page.form(PAGE)
    fields = {"auth_session": begun["auth_session"], "response": json.dumps(response)}
    refused = await visitor.send(form, **fields)
    assert (refused.response.status_code, refused.path) == (403, PAGE)
    assert "Passkey could not be verified." in refused.text
    again = await visitor.send(form, **fields)
    assert "That took too long" in again.text, "the ceremony is spent"
    assert (await made(visitor, again)).response.status_code == 200


async def test_a_ceremony_is_of_one_link_alone(world: World, ann: str, bare: str) -> None:
    """What was begun with Ben's link makes Ann no passkey, nor the other way round; nor does another door take it."""
    hers, his = await ticket_for(world, ann), await ticket_for(world, bare)
    visitor = Visitor.of(world)
    page, other = await visitor.open(hers), await visitor.open(his)
    begun = await visitor.options(other, PAGE)
    response = json.dumps(Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL))
    fields = {"auth_session": begun["auth_session"], "response": response}
    assert (await visitor.send(page.form(PAGE), **fields)).response.status_code == 403
    assert await world.count(tables.Passkey) == 0
    begun = await visitor.options(page, PAGE)
    exchanged = await world.exchange(
        begun["auth_session"], Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    )
    assert exchanged.json()["error_description"] == "Authentication session expired"


async def test_pages_of_others_do_nothing(world: World, ann: str) -> None:
    page = await Visitor.of(world).open(await ticket_for(world, ann))
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    for action in (page.form(PAGE).action, page.form(PAGE).action.replace("?", "/options?")):
        answer = await Visitor.of(world).client.post(action, headers=headers)
        assert answer.status_code == 403
    assert await world.count(tables.CeremonyRow) == 0


async def test_the_last_place_is_not_taken_twice(world: World, ann: str) -> None:
    await world.patch_options(passkey_policy={"max_per_user": 1})
    link = await ticket_for(world, ann)
    visitor = Visitor.of(world)
    page = await visitor.open(link)
    begun = await visitor.options(page, PAGE)
    login = await visitor.authorize()
    login = await visitor.send(login.form("/login/identifier"), username="ann@example.com")
    login = await visitor.send(login.form("/login/password"), password=PASSWORD)
    other = await visitor.options(login, "/u/passkey-enrollment")
    response = Authenticator().create(other["authn_params_public_key"], origin=PUBLIC_URL)
    form = login.form("/u/passkey-enrollment")
    await visitor.send(form, auth_session=other["auth_session"], response=json.dumps(response))
    assert await world.count(tables.Passkey) == 1
    response = Authenticator().create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    refused = await visitor.send(page.form(PAGE), auth_session=begun["auth_session"], response=json.dumps(response))
    assert "You have reached the maximum number of passkeys." in refused.text
    assert await world.count(tables.Passkey) == 1
