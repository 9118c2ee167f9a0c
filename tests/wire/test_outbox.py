"""``/dev/outbox``: what people would have been sent, on a development server and nowhere else."""

import re

import pytest

from conftest import Stencil
from keystead.db import tables
from keystead.rules.messages import Message
from world import World, open_world

PATH = "/dev/outbox"


async def test_nothing_yet(world: World) -> None:
    page = await world.client.get(PATH)
    assert page.status_code == 200
    assert "Nothing yet" in page.text


async def test_the_newest_is_first_and_its_link_can_be_followed(world: World) -> None:
    await world.signup()
    await world.letters()
    world.clock.advance(minutes=5)
    await world.signup("bob@example.com")
    await world.letters()
    page = (await world.client.get(PATH)).text
    assert page.index("bob@example.com") < page.index("ann@example.com")
    assert 'datetime="2026-06-01T12:05:00.000Z">01 June 2026, 12:05:00 UTC<' in page
    links = re.findall(r'<a href="http://localhost:8000(/u/email-verification\?ticket=[\w-]+)#?"', page)
    assert len(links) == 2
    assert (await world.client.get(links[0])).status_code == 200


async def test_what_people_wrote_is_text(world: World) -> None:
    message = Message(channel="email", template="stolen_credentials", to="ann@example.com")
    evil = message.model_copy(update={"variables": {"what": "<script>alert(1)</script><a href='javascript:x'>y</a>"}})
    await world.db.write(world.app.state.flows.post.send, evil)
    await world.letters()
    page = (await world.client.get(PATH)).text
    assert "<script>alert" not in page
    assert "href='javascript" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


async def test_a_text_to_a_phone(world: World) -> None:
    variables = {"code": "123456"}
    message = Message(channel="sms", template="verify_email_by_code", to="+4915123456789", variables=variables)
    await world.db.write(world.app.state.flows.post.send, message)
    await world.letters()
    page = (await world.client.get(PATH)).text
    assert "Text message" in page
    assert "123456" in page


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "app.localhost:8000"])
async def test_by_a_name_of_this_machine(world: World, host: str) -> None:
    assert (await world.client.get(PATH, headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "192.0.2.1", "127.0.0.1.nip.io"])
async def test_another_name_that_points_here_shows_nothing(world: World, host: str) -> None:
    assert (await world.client.get(PATH, headers={"host": host})).status_code == 404


@pytest.mark.parametrize(
    "public_url", ["https://login.example.com", "https://localhost:8443", "http://login.example.com", "http://10.0.0.1"]
)
async def test_a_public_server_puts_nothing_aside_and_shows_nothing(installation: Stencil, public_url: str) -> None:
    settings = installation.settings.model_copy(update={"public_url": public_url})
    async with open_world(settings, installation.document) as world:
        message = Message(channel="email", template="reset_email", to="ann@example.com")
        await world.db.write(world.app.state.flows.post.send, message)
        assert await world.letters() == []
        assert await world.rows(tables.OutboxMessage) == []
        assert (await world.client.get(PATH, headers={"host": "localhost"})).status_code == 404
        assert (await world.last_entry())["description"] == "no way to send email is configured"
