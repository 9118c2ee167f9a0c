"""``/api/v2/email-templates``: messages in an administrator's own words (EM-1, EM-2)."""

from typing import Any

import pytest

from keystead.db import tables
from world import World

PATH = "/email-templates"
BODY: dict[str, Any] = {
    "template": "verify_email",
    "body": "<p>Hello {{ user.email }}, <a href='{{ url }}'>go on</a></p>",
    "from": "{{ application.name }} <team@example.com>",
    "subject": "Welcome to {{ application.name }}",
    "syntax": "liquid",
    "resultUrl": "{{ application.callback_domain }}/verified",
    "urlLifetimeInSeconds": 3600,
    "includeEmailInRedirect": False,
    "enabled": True,
}


async def test_from_the_first_to_the_last_word(world: World) -> None:
    absent = await world.manage("GET", f"{PATH}/verify_email")
    assert (absent.status_code, absent.json()["errorCode"]) == (404, "inexistent_email_template")
    made = await world.manage("POST", PATH, BODY)
    assert (made.status_code, made.json()) == (200, BODY)
    assert (await world.manage("GET", f"{PATH}/verify_email")).json() == BODY
    assert (await world.manage("POST", PATH, BODY)).status_code == 409
    changed = await world.manage("PATCH", f"{PATH}/verify_email", {"subject": None, "enabled": False})
    assert (changed.status_code, changed.json()) == (200, BODY | {"subject": None, "enabled": False})
    whole = {name: BODY[name] for name in ("template", "body", "from", "subject", "syntax", "enabled")}
    replaced = await world.manage("PUT", f"{PATH}/verify_email", whole)
    left = {"resultUrl": None, "urlLifetimeInSeconds": None, "includeEmailInRedirect": True}
    assert (replaced.status_code, replaced.json()) == (200, whole | left)
    assert (await world.manage("GET", f"{PATH}/verify_email")).json() == whole | left
    rows = await world.rows(tables.JournalRow)
    written = [row["details"]["template"] for row in rows if "email template" in str(row["description"])]
    assert written == ["verify_email"] * 3


async def test_what_a_tool_reads_it_may_send_back(world: World) -> None:
    names = ("template", "body", "from", "subject", "syntax", "enabled")
    nothing: dict[str, Any] = dict.fromkeys(names) | {"template": "reset_email"}
    made = await world.manage("POST", PATH, nothing)
    assert made.status_code == 200
    assert (await world.manage("PUT", f"{PATH}/reset_email", made.json())).json() == made.json()
    assert (await world.manage("PATCH", f"{PATH}/reset_email", made.json())).json() == made.json()


async def test_a_template_of_ones_own_is_what_is_sent(world: World) -> None:
    await world.manage("POST", PATH, BODY)
    await world.signup()
    (letter,) = await world.letters()
    assert letter.subject == "Welcome to Default App"
    assert letter.html.startswith("<p>Hello ann@example.com, <a href='http://localhost:8000/u/email-verification?")
    assert letter.text.startswith("Hello ann@example.com, go on:\nhttp://localhost:8000/u/email-verification?")


async def test_templates_speak_of_the_tenant(world: World) -> None:
    settings = {
        "friendly_name": "A & B",
        "support_email": "help@shop.example",
        "support_url": "https://shop.example/help",
    }
    assert (await world.manage("PATCH", "/tenants/settings", settings)).status_code == 200
    body = "{{ friendly_name }} {{ support_email }} {{ support_url }} {{ tenant }} {{ url }}"
    await world.manage("POST", PATH, BODY | {"body": body, "subject": "From {{ friendly_name }}"})
    await world.signup()
    (letter,) = await world.letters()
    assert letter.subject == "From A & B"
    assert letter.html.startswith("A &amp; B help@shop.example https://shop.example/help localhost:8000 http://")


async def test_one_that_is_built_in_may_be_switched_off(world: World) -> None:
    names = ("template", "body", "from", "subject", "syntax", "enabled")
    for template in ("verify_email", "welcome_email"):
        off = dict.fromkeys(names) | {"template": template, "enabled": False}
        assert (await world.manage("POST", PATH, off)).status_code == 200
    await world.signup()
    assert await world.letters() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
@pytest.mark.parametrize("name", ["reset_email", "no_such_email"])
async def test_what_nobody_wrote(shared_world: World, method: str, name: str) -> None:
    body = {"GET": None, "PATCH": {"subject": "x"}, "PUT": BODY | {"template": name}}[method]
    answer = await shared_world.manage(method, f"{PATH}/{name}", body)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_email_template")
    assert answer.json()["message"] == "The template does not exist."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"template": "no_such_email"}, "'No enum match for: no_such_email' on property template"),
        ({"body": "{% if %}"}, "on property body"),
        ({"body": "{{ user.name | safe }}"}, "on property body"),
        ({"body": "{% for i in (1..999999999) %}x{% endfor %}"}, "on property body"),
        ({"body": "x" * 100_001}, "'String is too long (100001 chars), maximum 100000' on property body"),
        ({"body": 5}, "'Expected type string but found type integer' on property body"),
        ({"subject": "{{ x"}, "on property subject"),
        ({"from": "team"}, "on property from"),
        ({"from": "a@example.com, b@example.com"}, "on property from"),
        ({"syntax": "handlebars"}, "'No enum match for: handlebars' on property syntax"),
        ({"resultUrl": "javascript:alert(1)"}, "on property resultUrl"),
        ({"urlLifetimeInSeconds": -1}, "'Value -1 is less than minimum 0' on property urlLifetimeInSeconds"),
        ({"urlLifetimeInSeconds": 1e300}, "on property urlLifetimeInSeconds"),
        ({"enabled": "yes"}, "'Expected type boolean but found type string' on property enabled"),
        ({"url_lifetime_seconds": 5}, "Additional properties not allowed: url_lifetime_seconds"),
        ({"more": 1}, "Additional properties not allowed: more"),
    ],
)
async def test_refusals(shared_world: World, change: dict[str, Any], told: str) -> None:
    answer = await shared_world.manage("POST", PATH, BODY | change)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_body"
    assert told in answer.json()["message"]
    assert (await shared_world.manage("GET", f"{PATH}/verify_email")).status_code == 404


@pytest.mark.parametrize("name", ["template", "body", "from", "subject", "syntax", "enabled"])
async def test_a_whole_template_says_everything(shared_world: World, name: str) -> None:
    body = {key: value for key, value in BODY.items() if key != name}
    answer = await shared_world.manage("POST", PATH, body)
    assert answer.json()["message"] == f"Payload validation error: 'Missing required property: {name}'."


async def test_a_template_keeps_its_name(world: World) -> None:
    await world.manage("POST", PATH, BODY)
    for method, body in (("PUT", BODY | {"template": "reset_email"}), ("PATCH", {"template": "reset_email"})):
        answer = await world.manage(method, f"{PATH}/verify_email", body)
        assert (answer.status_code, "on property template" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "own"),
    [
        ("GET", f"{PATH}/verify_email", "read"),
        ("POST", PATH, "create"),
        ("PUT", f"{PATH}/verify_email", "update"),
        ("PATCH", f"{PATH}/verify_email", "update"),
    ],
)
async def test_scopes(shared_world: World, method: str, path: str, own: str) -> None:
    others = " ".join(f"{verb}:email_templates" for verb in ("read", "create", "update", "delete") if verb != own)
    refused = await shared_world.manage(method, path, None if method == "GET" else BODY, scope=others)
    assert (refused.status_code, refused.json()["errorCode"]) == (403, "insufficient_scope")
