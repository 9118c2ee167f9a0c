"""``/api/v2/emails/provider``: one provider, whose password is sealed, and which wins over the environment (EM-6)."""

from typing import Any

import pytest

from conftest import Stencil
from keystead.db import tables
from keystead.rules.messages import Message
from post_box import post_box
from world import World, open_world

PATH = "/emails/provider"
CREDENTIALS = {"smtp_host": "mail.example.com", "smtp_port": 2525, "smtp_user": "ann", "smtp_pass": "p@ss/word"}
BODY: dict[str, Any] = {"name": "smtp", "default_from_address": "Team <team@example.com>", "credentials": CREDENTIALS}
SHOWN = {
    "name": "smtp",
    "enabled": True,
    "default_from_address": "Team <team@example.com>",
    "credentials": {"smtp_host": "mail.example.com", "smtp_port": 2525, "smtp_user": "ann"},
    "settings": {},
}


async def write_to_ann(world: World) -> None:
    message = Message(channel="email", template="reset_email", to="ann@example.com", variables={"url": "https://x"})
    await world.db.write(world.app.state.flows.post.send, message)


async def test_from_nothing_to_nothing(world: World) -> None:
    absent = await world.manage("GET", PATH)
    assert (absent.status_code, absent.json()["errorCode"]) == (404, "inexistent_email_provider")
    made = await world.manage("POST", PATH, BODY)
    assert (made.status_code, made.json()) == (201, SHOWN)
    assert (await world.manage("GET", PATH)).json() == SHOWN
    again = await world.manage("POST", PATH, BODY)
    assert (again.status_code, again.json()["statusCode"]) == (409, 409)
    assert (await world.manage("DELETE", PATH)).status_code == 204
    assert (await world.manage("GET", PATH)).status_code == 404
    for method, body in (("DELETE", None), ("PATCH", {"enabled": False})):
        assert (await world.manage(method, PATH, body)).status_code == 404


async def test_members_that_were_asked_for(world: World) -> None:
    await world.manage("POST", PATH, BODY)
    some = await world.manage("GET", PATH, params={"fields": "name,enabled", "include_fields": "true"})
    assert some.json() == {"name": "smtp", "enabled": True}
    others = await world.manage("GET", PATH, params={"fields": "credentials,settings", "include_fields": "false"})
    assert others.json() == {name: SHOWN[name] for name in ("name", "enabled", "default_from_address")}


async def test_the_password_is_nowhere_to_be_read(world: World) -> None:
    await world.manage("POST", PATH, BODY)
    await world.manage("PATCH", PATH, {"credentials": CREDENTIALS | {"smtp_pass": "another-secret"}})
    for table in (tables.Setting, tables.JournalRow):
        stored = str(await world.rows(table))
        assert not [word for word in ("p@ss/word", "another-secret", "mail.example.com") if word in stored]


async def test_a_change_replaces_what_it_names(world: World) -> None:
    await world.manage("POST", PATH, BODY)
    changed = await world.manage("PATCH", PATH, {"enabled": False, "default_from_address": None})
    assert changed.json() == {name: value for name, value in SHOWN.items() if name != "default_from_address"} | {
        "enabled": False
    }
    # A host alone would have the stored password sent to wherever it leads.
    moved = await world.manage("PATCH", PATH, {"credentials": {"smtp_host": "evil.example", "smtp_user": "ann"}})
    assert moved.json()["credentials"] == {"smtp_host": "evil.example", "smtp_port": 587, "smtp_user": "ann"}
    found = await world.app.state.flows.management.mail_provider.show()
    assert found.credentials.smtp_pass is None
    assert [entry["details"]["changed"] for entry in (await world.rows(tables.JournalRow))[-2:]] == [
        ["default_from_address", "enabled"],
        ["credentials"],
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "sendgrid"}, "'No enum match for: sendgrid' on property name"),
        ({"name": None}, "Missing required property: name"),
        ({"credentials": None}, "Missing required property: credentials"),
        ({"credentials": {"api_key": "x"}}, "Missing required property: smtp_host' on property credentials"),
        ({"credentials": CREDENTIALS | {"api_key": "x"}}, "Additional properties not allowed: api_key"),
        ({"credentials": CREDENTIALS | {"smtp_host": "a b"}}, "on property credentials.smtp_host"),
        ({"credentials": CREDENTIALS | {"smtp_host": "mail\x00"}}, ""),
        ({"credentials": CREDENTIALS | {"smtp_port": 0}}, "Value 0 is less than minimum 1"),
        ({"credentials": CREDENTIALS | {"smtp_port": "25"}}, "Expected type integer but found type string"),
        ({"credentials": CREDENTIALS | {"smtp_pass": 5}}, "Expected type string but found type integer"),
        ({"credentials": CREDENTIALS | {"smtp_pass": ""}}, "on property credentials.smtp_pass"),
        ({"default_from_address": "team"}, "on property default_from_address"),
        ({"default_from_address": "a@example.com, b@example.com"}, "on property default_from_address"),
        ({"settings": {"headers": {}}}, "on property settings"),
        ({"more": 1}, "Additional properties not allowed: more"),
    ],
)
async def test_refusals(shared_world: World, change: dict[str, Any], told: str) -> None:
    answer = await shared_world.manage("POST", PATH, BODY | change)
    assert answer.status_code == 400
    assert told in answer.json()["message"]
    assert "p@ss" not in answer.text
    assert (await shared_world.manage("GET", PATH)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_scopes(shared_world: World, method: str) -> None:
    own = {"GET": "read", "POST": "create", "PATCH": "update", "DELETE": "delete"}[method]
    others = " ".join(f"{verb}:email_provider" for verb in ("read", "create", "update", "delete") if verb != own)
    refused = await shared_world.manage(method, PATH, BODY if method in ("POST", "PATCH") else None, scope=others)
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")


async def test_the_stored_server_gets_the_mail(world: World) -> None:
    async with post_box(auth_require_tls=False) as box:
        here = CREDENTIALS | {"smtp_host": "127.0.0.1", "smtp_port": box.port}
        await world.manage("POST", PATH, BODY | {"credentials": here})
        await write_to_ann(world)
        assert await world.letters() == []
    (mail,) = box.mails
    assert (mail["From"], mail["To"], box.users) == ("Team <team@example.com>", "ann@example.com", ["ann"])


async def test_the_stored_server_wins_over_the_environment(installation: Stencil) -> None:
    async with post_box() as ours, post_box() as theirs:
        given = installation.settings.model_dump() | {"mail_from": "env@example.com"}
        given["smtp_url"] = f"smtp://127.0.0.1:{ours.port}"
        settings = type(installation.settings).model_validate(given)
        async with open_world(settings, installation.document) as world:
            stored = {"name": "smtp", "credentials": {"smtp_host": "127.0.0.1", "smtp_port": theirs.port}}
            await write_to_ann(world)
            assert await world.letters() == []
            await world.manage("POST", PATH, stored)
            await write_to_ann(world)
            assert await world.letters() == []
            await world.manage("PATCH", PATH, {"enabled": False})
            await write_to_ann(world)
            assert await world.letters() == []
    assert (len(ours.mails), len(theirs.mails)) == (2, 1)
    assert {mail["From"] for mail in (*ours.mails, *theirs.mails)} == {"env@example.com"}
