"""``/api/v2/prompts``: how pages ask, and texts of a tenant's own on them."""

from typing import Any

import httpx
import pytest

from keystead.rules.page_texts import PROMPTS
from visitor import Landed, Visitor
from world import World

pytestmark = pytest.mark.anyio

ASKED = {"universal_login_experience": "new", "identifier_first": True, "webauthn_platform_first_factor": False}


async def say(world: World, prompt: str, language: str = "en", **screens: Any) -> httpx.Response:
    """Replace the texts of a prompt."""
    return await world.manage("PUT", f"/prompts/{prompt}/custom-text/{language}", screens)


async def said(world: World, prompt: str, language: str = "en", **screens: Any) -> None:
    """Replace them, for certain; screens are named with underscores."""
    body = {name.replace("_", "-"): texts for name, texts in screens.items()}
    answer = await say(world, prompt, language, **body)
    assert (answer.status_code, answer.content) == (200, b""), answer.text


async def login(world: World, language: str = "en", **asked: str) -> Landed:
    """Come to the first page of a login, with a browser in that language."""
    visitor = Visitor.of(world)
    visitor.client.headers["accept-language"] = language
    return await visitor.authorize(asked)


async def test_how_pages_ask_can_be_sent_back(world: World) -> None:
    assert (await world.manage("GET", "/prompts")).json() == ASKED
    answer = await world.manage("PATCH", "/prompts", ASKED)
    assert (answer.status_code, answer.json()) == (200, ASKED)
    assert (await world.manage("PATCH", "/prompts", {"identifier_first": None})).json() == ASKED


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "'Too few properties defined (0), minimum 1'."),
        (
            {"universal_login_experience": "classic"},
            "'There are no classic pages' on property universal_login_experience.",
        ),
        (
            {"identifier_first": False},
            "'Pages ask who signs in before they ask for a password' on property identifier_first.",
        ),
        (
            {"webauthn_platform_first_factor": True},
            "'Passkeys are offered by the options of each connection' on property webauthn_platform_first_factor.",
        ),
        ({"other": 1}, "'Additional properties not allowed: other'."),
    ],
)
async def test_pages_do_not_ask_otherwise(world: World, body: dict[str, Any], message: str) -> None:
    answer = await world.manage("PATCH", "/prompts", body)
    assert (answer.status_code, answer.json()["message"]) == (400, f"Payload validation error: {message}")


async def test_pages_say_what_the_tenant_says(world: World) -> None:
    await said(
        world,
        "login-id",
        login_id={
            "pageTitle": "Welcome | ${clientName}",
            "title": "Welcome back",
            "description": "Your ${companyName} account opens ${clientName}.",
            "buttonText": "Next",
            "signupActionText": "First time?",
            "signupActionLinkText": "Join",
        },
    )
    assert (await world.manage("PATCH", "/tenants/settings", {"friendly_name": "<b>Shop</b>"})).status_code == 200
    world.clock.advance(seconds=11)
    landed = await login(world)
    assert "<h1>Welcome back</h1>" in landed.text
    assert "<title>Welcome | Default App</title>" in " ".join(landed.text.split()).replace("> ", ">").replace(" <", "<")
    opens = "Your <bdi>&lt;b&gt;Shop&lt;/b&gt;</bdi> account opens <bdi>Default App</bdi>."
    assert opens in landed.text
    assert "<button>Next</button>" in landed.text
    assert "First time? <a href=" in landed.text
    assert ">Join</a>" in landed.text
    assert "Sign in with a passkey" in landed.text  # what was not replaced


async def test_texts_are_text(world: World) -> None:
    await said(world, "login-id", login_id={"title": "<script>alert('1')</script> & \"more\" {{ 7*7 }}"})
    landed = await login(world)
    assert "<script>alert" not in landed.text
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &amp; &quot;more&quot; {{ 7*7 }}" in landed.text


async def test_a_language_has_texts_of_its_own(world: World) -> None:
    await said(world, "login-id", "de", login_id={"title": "Anmelden"})
    for landed in (await login(world, "de-AT,de;q=0.9"), await login(world, ui_locales="fr de")):
        assert "<h1>Anmelden</h1>" in landed.text
        assert '<html lang="de"' in landed.text
    for landed in (await login(world), await login(world, "fr"), await login(world, "de", ui_locales="en")):
        assert "<h1>Sign in</h1>" in landed.text
        assert '<html lang="en"' in landed.text


async def test_texts_are_replaced_whole_and_taken_back(world: World) -> None:
    await said(world, "login-id", login_id={"title": "One", "buttonText": "Two"})
    assert (await world.manage("GET", "/prompts/login-id/custom-text/en")).json() == {
        "login-id": {"title": "One", "buttonText": "Two"}
    }
    await said(world, "login-id", login_id={"title": "Three"})
    assert "<button>Continue</button>" in (await login(world)).text
    await said(world, "login-id")
    assert (await world.manage("GET", "/prompts/login-id/custom-text/en")).json() == {}
    assert "<h1>Sign in</h1>" in (await login(world)).text


async def test_every_page_of_a_sign_up_and_a_login_has_its_own(world: World) -> None:
    for prompt in PROMPTS:
        texts = {screen: {key: f"{screen} {key}" for key in known} for screen, known in PROMPTS[prompt].items()}
        assert (await world.manage("PUT", f"/prompts/{prompt}/custom-text/en", texts)).status_code == 200
    visitor = Visitor.of(world)
    landed = await visitor.authorize({"screen_hint": "signup"})
    for screen, path, more in (
        ("signup-id", "/signup/identifier", {"email": "ann@example.com"}),
        ("passkey-enrollment", "/signup/passkey", {"action": "skip"}),
        ("signup-password", "/signup/password", {}),
    ):
        missing = {key for key in texts_of(screen) if f"{screen} {key}" not in landed.text}
        assert not missing, f"{screen}: {missing}"
        landed = await visitor.send(landed.form(path), **more)
    landed = await login(world)
    assert "login-id signupActionLinkText" in landed.text
    landed = await visitor.send((await visitor.authorize()).form("/login/identifier"), username="ann@example.com")
    assert "login-password passwordPlaceholder" in landed.text
    landed = await visitor.open(landed.text.partition('href="/u/reset-password/request')[1][6:] + query(landed))
    missing = {key for key in texts_of("reset-password-request") if f"reset-password-request {key}" not in landed.text}
    assert not missing


def texts_of(screen: str) -> dict[str, str]:
    """Return the texts of a screen, wherever it belongs."""
    (found,) = [dict(texts[screen]) for texts in PROMPTS.values() if screen in texts]
    return found


def query(landed: Landed) -> str:
    """Return the query of the login that is under way."""
    return f"?{landed.response.url.query.decode()}"


@pytest.mark.parametrize(
    ("prompt", "language", "body", "message"),
    [
        ("nothing", "en", {}, "Path validation error: 'No enum match for: nothing' on property prompt."),
        ("login-id", "xx", {}, "Path validation error: 'No enum match for: xx' on property language."),
        (
            "mfa",
            "en",
            {"mfa": {"title": "x"}},
            "Path validation error: 'There is no page with texts of mfa' on property prompt.",
        ),
        (
            "login-id",
            "fr",
            {"login-id": {"title": "x"}},
            "Path validation error: 'Pages are shown in en and de alone' on property language.",
        ),
        (
            "login-id",
            "en",
            {"login": {"title": "x"}},
            "Payload validation error: 'Additional properties not allowed: login'.",
        ),
        (
            "login-id",
            "en",
            {"login-id": {"captchaText": "x"}},
            "Payload validation error: 'Additional properties not allowed: captchaText' on property login-id.",
        ),
        (
            "login-id",
            "en",
            {"login-id": "x"},
            "Payload validation error: 'Expected type object but found type string' on property login-id.",
        ),
        (
            "login-id",
            "en",
            {"login-id": {"title": 1}},
            "Payload validation error: 'Expected type string but found type integer' on property login-id.title.",
        ),
        (
            "login-id",
            "en",
            {"login-id": {"title": ""}},
            "Payload validation error: 'String is too short (0 chars), minimum 1' on property login-id.title.",
        ),
        (
            "login-id",
            "en",
            {"login-id": {"title": "x" * 501}},
            "Payload validation error: 'String is too long (501 chars), maximum 500' on property login-id.title.",
        ),
        (
            "login-id",
            "en",
            {"login-id": {"title": "two\nlines"}},
            "Payload validation error: 'Texts are one line, of characters that can be seen' "
            "on property login-id.title.",
        ),
        (
            "login-id",
            "en",
            {"login-id": {"title": "${user.password}"}},
            "Payload validation error: 'There is no variable ${user.password}' on property login-id.title.",
        ),
    ],
)
async def test_what_no_page_would_show_is_refused(
    world: World, prompt: str, language: str, body: dict[str, Any], message: str
) -> None:
    answer = await say(world, prompt, language, **body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_tools_may_ask_for_the_texts_of_any_prompt(world: World) -> None:
    for prompt, language in (("mfa", "en"), ("login-id", "pt-BR"), ("common", "de")):
        path = f"/prompts/{prompt}/custom-text/{language}"
        assert (await world.manage("GET", path)).json() == {}
        assert (await world.manage("PUT", path, {})).status_code == 200
        assert (await world.manage("GET", path)).json() == {}


async def test_a_change_is_in_the_journal_without_its_words(world: World) -> None:
    await said(world, "login-id", login_id={"title": "Welcome"})
    entry = await world.last_entry()
    assert entry["description"] == "Set custom text for a prompt"
    assert {name: entry["details"][name] for name in ("prompt", "language", "changed")} == {
        "prompt": "login-id",
        "language": "en",
        "changed": ["login-id"],
    }
    assert "Welcome" not in str(entry)
