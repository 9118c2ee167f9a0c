"""From a message to a letter: the words, the language, the variables; and nothing that a name could do to a header."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules.clients import new_settings
from keystead.rules.letter_texts import ENGLISH, GERMAN, LANGUAGES
from keystead.rules.letters import About, as_text, check_template, is_web_address, link_lifetime, render, result_url
from keystead.rules.messages import Letter, Message, in_groups
from keystead.rules.profiles import Profile
from keystead.rules.templates import Template, mailbox

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
URL = "https://login.example.com/u/reset-password?ticket=a-b_c&x=1#"
CLIENT = new_settings({"name": "Shop & Co", "callbacks": ["/", "https://shop.example.com:8443/callback?x=1"]})
ANN = Profile(
    user_id="auth0|1",
    connection_id="con_1",
    email="ann@example.com",
    name="Ann <script>alert(1)</script>",
    nickname="ann",
    user_metadata={"plan": "<gold>"},
    created_at=NOW,
    updated_at=NOW,
)
ABOUT = About("https://login.example.com", NOW, user=ANN, client=CLIENT, connection_name="Users")


def letter(own: Template | None = None, **more: Any) -> Letter:
    given: dict[str, Any] = {
        "channel": "email",
        "template": "reset_email",
        "to": "ann@example.com",
        "variables": {"url": URL, "code": "123456", "what": "Something happened."},
        "client_id": "app",
    }
    found = render(Message(**given | more), own, ABOUT)
    assert found is not None
    return found


def written(**members: Any) -> Template:
    return Template(template="reset_email", **members)


@pytest.mark.parametrize("name", ENGLISH)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_built_in(name: str, language: str) -> None:
    found = letter(template=name, language=language)
    words = LANGUAGES[language][name]  # type: ignore[index]
    assert f'<html lang="{language}">' in found.html
    assert "{{" not in found.subject + found.text + found.html
    assert (URL in found.text) == bool(words.button)
    assert len(found.subject) > 5


def test_long_codes_are_read_in_groups() -> None:
    assert in_groups("123456") == "123456"
    assert in_groups("0123456789012345") == "0123 4567 8901 2345"


def test_passkeys_that_were_removed_are_spoken_of_only_then() -> None:
    said = [letter(template="passkey_recovered", variables={"removed": removed}).text for removed in (False, True)]
    assert ["were removed" in text for text in said] == [False, True]


def test_every_language_has_every_message() -> None:
    assert set(GERMAN) == set(ENGLISH)


def test_a_language_that_there_is_not_is_english() -> None:
    assert letter(language="fr").subject == letter(language="en").subject != letter(language="de").subject


def test_what_a_person_wrote_is_escaped() -> None:
    found = letter(written(body="<p>{{ user.name }} {{ user.user_metadata.plan }}</p>", subject="Hi {{ user.name }}"))
    assert found.html == "<p>Ann &lt;script&gt;alert(1)&lt;/script&gt; &lt;gold&gt;</p>"
    assert found.subject == "Hi Ann <script>alert(1)</script>"
    assert found.text == "Ann <script>alert(1)</script> <gold>\n"


def test_variables() -> None:
    names = {
        "application.name": "Shop &amp; Co",
        "application.clientID": "app",
        "connection.name": "Users",
        "request_language": "de",
        "tenant": "login.example.com",
        "friendly_name": "login.example.com",
        "support_email": "",
        "support_url": "",
        "organization.name": "",
        "custom_domain.domain": "login.example.com",
        "user.email": "ann@example.com",
        "user.email_verified": "false",
        "user.picture": "",
        "user.nickname": "ann",
        "user.given_name": "",
        "user.family_name": "",
        "user.app_metadata.x": "",
        "url": URL.replace("&", "&amp;"),
        "code": "123456",
    }
    body = "".join(f"{name}={{{{ {name} }}}}\n" for name in names)
    assert letter(written(body=body), language="de").html.splitlines() == [f"{k}={v}" for k, v in names.items()]


def test_a_template_that_is_off_sends_nothing() -> None:
    message = Message(channel="email", template="reset_email", to="ann@example.com")
    assert render(message, written(enabled=False), ABOUT) is None


def test_a_message_that_is_not_built_in_needs_a_template() -> None:
    message = Message(channel="email", template="enrollment_email", to="ann@example.com", variables={"url": URL})
    assert render(message, None, ABOUT) is None
    found = render(message, Template(template="enrollment_email", subject="Hello", body="{{ url }}"), ABOUT)
    assert found is not None
    assert found.subject == "Hello"


def test_a_text_to_a_phone_knows_no_template() -> None:
    to = {"channel": "sms", "to": "+4915123456789", "template": "verify_email_by_code"}
    found = letter(written(enabled=False, body="x"), **to)
    assert (found.to, found.html, found.subject) == ("+4915123456789", "", "")
    assert "123456" in found.text
    assert "+4915123456789" in found.text


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\x00", "\x0b", "\x85", "\u2028", "\u202e"])
def test_a_subject_is_one_line(mark: str) -> None:
    eve = ANN.model_copy(update={"name": f"a{mark}Bcc: eve@example.com"})
    about = About("https://login.example.com", NOW, user=eve)
    message = Message(channel="email", template="reset_email", to="ann@example.com")
    found = render(message, written(subject="{{ user.name }}"), about)
    assert found is not None
    assert found.subject == "a Bcc: eve@example.com"


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("team@example.com", "team@example.com"),
        ("{{ application.name }} <team@example.com>", "Shop & Co <team@example.com>"),
        ("{{ user.name }} <team@example.com>", " <team@example.com>"),
        (None, ""),
    ],
)
def test_a_sender_may_name_the_application_and_nothing_that_a_person_chose(sender: str | None, shown: str) -> None:
    assert letter(written(sender=sender)).sender == shown


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a@example.com", ("", "a@example.com")),
        ("<a@example.com>", ("", "a@example.com")),
        ("Ann Lee <a@example.com>", ("Ann Lee", "a@example.com")),
        ('"Lee, Ann" <a@example.com>', ("Lee, Ann", "a@example.com")),
        ("Büro <a@localhost>", ("Büro", "a@localhost")),
        ("a@[::1]", ("", "a@[::1]")),
        ("a@example.com, b@example.com", None),
        ("b@example.com <a@example.com>", None),
        ("Ann\nBcc: x <a@example.com>", None),
        ("a@example.com\r\nBcc: b@example.com", None),
        ("Ann <<a@example.com>>", None),
        ("Ann", None),
        ("a@b@example.com", None),
        ("", None),
    ],
)
def test_mailboxes(text: str, parts: tuple[str, str] | None) -> None:
    assert mailbox(text) == parts


@pytest.mark.parametrize(
    ("wanted", "url"),
    [
        ("https://shop.example.com/done", "https://shop.example.com/done"),
        (
            "{{ application.callback_domain }}/done?c={{ application.clientID }}",
            "https://shop.example.com:8443/done?c=app",
        ),
        ("{{ user.user_metadata.plan }}", ""),
        ("javascript:alert(1)", ""),
        ("https://shop.example.com/{{ application.name }}", ""),
        ("{{ nothing | nofilter }}", ""),
        (None, ""),
    ],
)
def test_where_a_link_leads_afterwards(wanted: str | None, url: str) -> None:
    message = Message(channel="email", template="verify_email", to="ann@example.com", client_id="app")
    assert result_url(written(result_url=wanted), message, ABOUT) == url


def test_without_a_client_it_leads_to_us() -> None:
    message = Message(channel="email", template="verify_email", to="ann@example.com")
    about = About("https://login.example.com", NOW)
    found = result_url(written(result_url="{{ application.callback_domain }}/x"), message, about)
    assert found == "https://login.example.com/x"


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "//example.com", "ftp://example.com", "javascript:alert(1)", "https://", "https:///x"),
        *("https://u@example.com", "https://exa mple.com", "https://example.com/\n", "https://exämple.com"),
        *("https://example.com/<x>", "https://example.com\\@evil.example", "https://[::1", "https://x/" + "a" * 2000),
    ],
)
def test_what_is_no_web_address(url: str) -> None:
    assert not is_web_address(url)


@pytest.mark.parametrize(
    ("seconds", "lifetime"), [(None, timedelta(days=5)), (0, timedelta(days=5)), (60, timedelta(seconds=60))]
)
def test_how_long_links_live(seconds: int | None, lifetime: timedelta) -> None:
    assert link_lifetime(written(url_lifetime_seconds=seconds), timedelta(days=5)) == lifetime
    assert link_lifetime(None, timedelta(days=5)) == timedelta(days=5)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"body": "{% if %}"}, "body"),
        ({"subject": "{{ x"}, "subject"),
        ({"sender": "Ann"}, "from"),
        ({"sender": "{{ user.email }}"}, "from"),
        ({"sender": "{% x %}"}, "from"),
        ({"result_url": "ftp://example.com"}, "resultUrl"),
        ({"result_url": "{{ user.email }}"}, "resultUrl"),
        ({"result_url": "{{"}, "resultUrl"),
    ],
)
def test_a_template_that_could_not_be_rendered_is_refused(members: dict[str, str], path: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_template(written(**members))
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree\n"),
        ('<p><a href="https://x/y?a=1&amp;b=2">Go</a> on</p>', "Go:\nhttps://x/y?a=1&b=2\n on\n"),
        ("<head><title>no</title></head><style>p {}</style><p>yes</p><script>no</script>", "yes\n"),
        ("</style></script><p>yes</p>", "yes\n"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb\n"),
        ("a &lt; b", "a < b\n"),
        ("<div><div><div></div></div></div>x", "x\n"),
    ],
)
def test_the_text_part(html: str, text: str) -> None:
    assert as_text(html) == text.replace("\n on", "\non")
