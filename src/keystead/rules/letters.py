"""Turns a message into a letter: Liquid, which can compute nothing but text, in HTML and in plain text.

Whatever a person wrote about themselves is escaped; addresses and subjects cannot carry a line break into a header.
"""

from html.parser import HTMLParser
from typing import Any, Final

from liquid import Environment
from liquid.exceptions import LiquidError
from pydantic import BaseModel, ConfigDict

from keystead.errors import BadRequest
from keystead.rules.clients import ClientSettings
from keystead.rules.letter_texts import ENGLISH, LANGUAGES
from keystead.rules.messages import CODE_LIFETIME, Letter, Message, TemplateName
from keystead.rules.profiles import Profile

MAX_SOURCE: Final = 100_000

_LAYOUT: Final = """<!doctype html>
<html lang="{{ request_language }}"><body style="margin:0;background:#f5f4f0;font-family:sans-serif;color:#1b1f1d">
<div style="max-width:32rem;margin:0 auto;padding:2rem">
<div style="background:#ffffff;border-radius:12px;padding:2rem">
<p style="font-size:1rem;line-height:1.5">@lead@</p>
@button@
<p style="font-size:0.875rem;line-height:1.5;color:#5a625e">@close@</p>
</div></div></body></html>"""

_BUTTON: Final = (
    '<p><a href="{{ url }}" style="display:inline-block;background:#1f5c4a;color:#ffffff;border-radius:8px;'
    'padding:0.75rem 1.25rem;text-decoration:none">@button@</a></p>'
)


class _Limited(Environment):
    """Liquid with an end to loops and to output."""

    loop_iteration_limit = 10_000
    output_stream_limit = 200_000


_HTML: Final = _Limited(autoescape=True)
_PLAIN: Final = _Limited(autoescape=False)


class Template(BaseModel):
    """An administrator's own template (EM-2)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    template: str
    body: str | None = None
    sender: str | None = None
    subject: str | None = None
    syntax: str = "liquid"
    result_url: str | None = None
    url_lifetime_seconds: int | None = None
    include_email_in_redirect: bool = True
    enabled: bool = True


def render(
    message: Message,
    template: Template | None,
    *,
    user: Profile | None,
    client: ClientSettings | None,
    connection_name: str,
    public_url: str,
) -> Letter | None:
    """Return what is sent; ``None`` where the template is switched off, or nobody wrote one that is not built in."""
    if template is not None and not template.enabled:
        return None
    words = LANGUAGES.get(message.language, ENGLISH).get(message.template) or ENGLISH.get(message.template)
    if words is None and (template is None or not template.body):
        return None
    subject = (template.subject if template else None) or (words.subject if words else "")
    body = (template.body if template else None) or _built_in(message.template, message.language)
    variables = _variables(message, user, client, connection_name, public_url)
    html = _HTML.from_string(body).render(**variables)
    plain_subject = " ".join(_PLAIN.from_string(subject).render(**variables).split())[:200]
    if message.channel == "sms":
        text = _PLAIN.from_string(words.lead if words else subject).render(**variables)
        return Letter(channel="sms", to=message.to, text=" ".join(text.split()))
    sender = (template.sender if template else None) or ""
    return Letter(channel="email", to=message.to, subject=plain_subject, text=as_text(html), html=html, sender=sender)


def check_source(source: str, path: str) -> None:
    """Refuse a template that could never be rendered. Raises ``BadRequest``."""
    if len(source) > MAX_SOURCE:
        raise BadRequest(f"String is too long ({len(source)} chars), maximum {MAX_SOURCE}", path=path)
    try:
        _HTML.from_string(source)
    except LiquidError as error:
        raise BadRequest(f"The template is not valid Liquid: {error}", path=path) from None


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
            self._hidden -= 1
        elif tag == "a" and self._link:
            self.parts.append(f":\n{self._link}\n")
            self._link = ""

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))


def _built_in(name: TemplateName, language: str) -> str:
    words = LANGUAGES.get(language, ENGLISH).get(name) or ENGLISH[name]
    button = _BUTTON.replace("@button@", words.button) if words.button else ""
    return _LAYOUT.replace("@lead@", words.lead).replace("@button@", button).replace("@close@", words.close)


def _variables(
    message: Message, user: Profile | None, client: ClientSettings | None, connection_name: str, public_url: str
) -> dict[str, Any]:
    """Return what templates may speak of (EM-3, EM-4): plain data, so that nothing can be called from there."""
    about_user: dict[str, Any] = {"email": message.to if message.channel == "email" else None}
    if user is not None:
        names = ("email", "email_verified", "phone_number", "picture", "nickname", "given_name", "family_name", "name")
        about_user |= {name: getattr(user, name) for name in (*names, "username", "user_metadata", "app_metadata")}
        about_user["email"] = user.email or about_user["email"]
    return {
        "user": about_user,
        "application": {"name": client.name if client else public_url, "clientID": message.client_id},
        "connection": {"name": connection_name},
        "request_language": message.language,
        "tenant": public_url,
        "friendly_name": public_url,
        "minutes": int(CODE_LIFETIME.total_seconds() // 60),
        **message.variables,
    }
