"""Turns a message into a letter: Liquid, which can compute nothing but text, in HTML and in plain text.

Whatever a person wrote about themselves is escaped; addresses and subjects cannot carry a line break into a header.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlsplit

from liquid.exceptions import LiquidError

from keystead.errors import BadRequest
from keystead.rules.clients import ClientSettings
from keystead.rules.letter_texts import ENGLISH, LANGUAGES, Words
from keystead.rules.messages import CODE_LIFETIME, Letter, Message
from keystead.rules.profiles import Profile
from keystead.rules.sandbox import check_source, rendered
from keystead.rules.templates import Template, mailbox
from keystead.rules.tenant_settings import TenantMembers

_SUBJECT_LENGTH: Final = 200

_LAYOUT: Final = """<!doctype html>
<html lang="{{ request_language }}"><body style="margin:0;background:#f5f4f0;font-family:sans-serif;color:#1b1f1d">
<div style="max-width:32rem;margin:0 auto;padding:2rem">
<div style="background:#ffffff;border-radius:12px;padding:2rem">
<p style="font-size:1rem;line-height:1.5">@lead@</p>
@button@
<p style="font-size:0.875rem;line-height:1.5;color:#5a625e">@close@</p>
</div></div></body></html>"""

_BUTTON: Final = (
    '{% if url %}<p><a href="{{ url }}" style="display:inline-block;background:#1f5c4a;color:#ffffff;border-radius:8px;'
    'padding:0.75rem 1.25rem;text-decoration:none">@button@</a></p>{% endif %}'
)


@dataclass(frozen=True, slots=True)
class About:
    """What a message is about, as things are when it is sent."""

    public_url: str
    now: datetime
    user: Profile | None = None
    client: ClientSettings | None = None
    connection_name: str = ""
    tenant: TenantMembers = field(default_factory=TenantMembers)


def render(message: Message, template: Template | None, about: About) -> Letter | None:
    """Return what is sent; ``None`` where the template is switched off, or nobody wrote one that is not built in.

    Templates are for mail; texts to phones have words of their own. Raises ``LiquidError``.
    """
    if message.channel == "sms":
        return _text(message, about)
    if template is not None and not template.enabled:
        return None
    subject, body = _sources(message, template)
    if not body:
        return None
    variables = _variables(message, about)
    html = rendered(body, variables, html=True)
    return Letter(
        channel="email",
        to=message.to,
        subject=_one_line(rendered(subject, variables, html=False))[:_SUBJECT_LENGTH],
        text=as_text(html),
        html=html,
        sender=_sender(message, template, about),
    )


def check_template(template: Template) -> None:
    """Refuse a template of which any part could not be rendered. Raises ``BadRequest`` by path."""
    profile = Profile(user_id="auth0|example", connection_id="", created_at=_EXAMPLE_TIME, updated_at=_EXAMPLE_TIME)
    about = About("https://login.example.com", _EXAMPLE_TIME, user=profile)
    message = Message(channel="email", template="verify_email", to="ann@example.com", variables=_EXAMPLE)
    check_source(template.body or "", "body", _variables(message, about))
    check_source(template.subject or "", "subject", _variables(message, about))
    check_source(template.sender or "", "from", _of_redirects(message, about))
    check_source(template.result_url or "", "resultUrl", _of_redirects(message, about))
    if template.sender and not _sender(message, template, about):
        raise BadRequest("Must be an address, or a name and an address in angle brackets", path="from")
    if template.result_url and not result_url(template, message, about):
        raise BadRequest("Must be a web address", path="resultUrl")


def result_url(template: Template | None, message: Message, about: About) -> str:
    """Return where a browser goes after a link (VF-4); empty where that is nowhere, or no web address."""
    if template is None or not template.result_url:
        return ""
    try:
        url = rendered(template.result_url, _of_redirects(message, about), html=False).strip()
    except LiquidError:
        return ""
    return url if is_web_address(url) else ""


def is_web_address(url: str) -> bool:
    """Whether a browser can be sent there: http or https, and nothing that a header or a reader would stumble over."""
    if not (url.isascii() and url.isprintable()) or any(char in url for char in ' "<>\\^`{|}') or len(url) > 2000:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def link_lifetime(template: Template | None, default: timedelta) -> timedelta:
    """Return how long a link in a mail lives: what its template says (EM-2), or else the default."""
    seconds = template.url_lifetime_seconds if template else None
    return timedelta(seconds=seconds) if seconds else default


def as_text(html: str) -> str:
    """Return what a mail says for whoever reads no HTML: paragraphs, and links written out."""
    reader = _Reader()
    reader.feed(html)
    lines = ("".join(reader.parts)).split("\n")
    text = "\n".join(" ".join(line.split()) for line in lines)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip() + "\n"


class _Reader(HTMLParser):
    """Collects the words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._link = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a paragraph, remember where a link leads, skip what is not shown."""
        if tag in ("p", "div", "h1", "h2", "li", "tr"):
            self.parts.append("\n\n")
        elif tag == "br":
            self.parts.append("\n")
        elif tag in ("style", "script", "head"):
            self._hidden += 1
        elif tag == "a":
            self._link = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        """Write a link out behind its words."""
        if tag in ("style", "script", "head"):
            self._hidden = max(0, self._hidden - 1)
        elif tag == "a" and self._link:
            self.parts.append(f":\n{self._link}\n")
            self._link = ""

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))


def _words(message: Message) -> Words | None:
    """Return what is built in: in the language, or else in English; ``None`` where that is nothing."""
    return LANGUAGES.get(message.language, ENGLISH).get(message.template) or ENGLISH.get(message.template)


def _sources(message: Message, template: Template | None) -> tuple[str, str]:
    """Return subject and body, an administrator's own before what is built in; an empty body where there is none."""
    words = _words(message)
    subject, body = (words.subject, _built_in(words)) if words else ("", "")
    return (template.subject or subject, template.body or body) if template else (subject, body)


def _built_in(words: Words) -> str:
    button = _BUTTON.replace("@button@", words.button) if words.button else ""
    return _LAYOUT.replace("@lead@", words.lead).replace("@button@", button).replace("@close@", words.close)


def _text(message: Message, about: About) -> Letter | None:
    words = _words(message)
    if words is None:
        return None
    source = words.lead + (" {{ url }}" if "url" in message.variables else "")
    text = _one_line(rendered(source, _variables(message, about), html=False))
    return Letter(channel="sms", to=message.to, text=text)


def _sender(message: Message, template: Template | None, about: About) -> str:
    """Return the template's own sender, which may name the application but nothing that a person chose; or nothing."""
    if template is None or not template.sender:
        return ""
    sender = rendered(template.sender, _of_redirects(message, about), html=False)
    return sender if mailbox(sender) else ""


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _variables(message: Message, about: About) -> dict[str, Any]:
    """Return what templates may speak of (EM-3, EM-4): plain data, so that nothing can be called from there."""
    about_user: dict[str, Any] = {"email": message.to if message.channel == "email" else None}
    if about.user is not None:
        names = ("email", "email_verified", "phone_number", "picture", "nickname", "given_name", "family_name", "name")
        about_user |= {name: getattr(about.user, name) for name in (*names, "username")}
        about_user |= {name: getattr(about.user, name) or {} for name in ("user_metadata", "app_metadata")}
        about_user["email"] = about.user.email or about_user["email"]
    host = urlsplit(about.public_url).netloc
    return {
        "application": _application(message, about),
        "connection": {"name": about.connection_name},
        "organization": {},
        "custom_domain": {"domain": host},
        "address": message.to,
        "request_language": message.language,
        "tenant": host,
        "friendly_name": about.tenant.friendly_name or host,
        "support_email": about.tenant.support_email,
        "support_url": about.tenant.support_url,
        "now": about.now,
        "today": about.now.date(),
        "minutes": int(CODE_LIFETIME.total_seconds() // 60),
        **message.variables,
        "user": about_user | message.variables.get("user", {}),
    }


def _of_redirects(message: Message, about: About) -> dict[str, Any]:
    """Return what senders and redirects may speak of: the application, and nothing that a person chose (EM-4)."""
    return {"application": _application(message, about), "now": about.now, "today": about.now.date()}


def _application(message: Message, about: About) -> dict[str, Any]:
    callbacks = about.client.callbacks if about.client else []
    first = next((urlsplit(url) for url in callbacks if url.startswith(("https://", "http://"))), None)
    return {
        "name": about.client.name if about.client else urlsplit(about.public_url).hostname,
        "clientID": message.client_id or "",
        "callback_domain": f"{first.scheme}://{first.netloc}" if first else about.public_url,
    }


_EXAMPLE_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
_EXAMPLE: Final = {"url": "https://login.example.com/u/example", "code": "123456"}
