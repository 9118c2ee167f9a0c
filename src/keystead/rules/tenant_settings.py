"""Settings of the tenant, under Auth0's names: those that act here, and those that only describe the tenant."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from keystead.errors import BadRequest
from keystead.rules.clients import Redirect
from keystead.rules.complaints import parse
from keystead.rules.sessions import CookieMode, Limits, Span

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")

_YEAR: Final = 8_760
"""Hours: the longest that a session can last."""

MOST_MINUTES: Final = _YEAR * 60

IN_MINUTES: Final = (
    "session_lifetime",
    "idle_session_lifetime",
    "ephemeral_session_lifetime",
    "idle_ephemeral_session_lifetime",
)
"""What a PATCH may say in minutes too, under the name with ``_in_minutes``."""

_PAIRS: Final = (
    ("idle_session_lifetime", "session_lifetime"),
    ("idle_ephemeral_session_lifetime", "ephemeral_session_lifetime"),
)


def _web_address(text: str) -> str:
    if text and (not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text):
        raise ValueError(f"Object didn't pass validation for format absolute-uri-or-empty: {text[:100]}")
    return text


def _secure_address(text: str) -> str:
    if text and not text.startswith("https://"):
        raise ValueError(f"Object didn't pass validation for format absolute-https-uri-or-empty: {text[:100]}")
    return _web_address(text)


def _email(text: str) -> str:
    local, at, host = text.rpartition("@")
    if text and not (local and at and host and text.isprintable() and " " not in text):
        raise ValueError(f"Object didn't pass validation for format email-or-empty: {text[:100]}")
    return text


Hours = Annotated[float, Field(ge=1 / 60, le=_YEAR)]
Minutes = Annotated[int, Field(ge=1, le=MOST_MINUTES)]
Text = Annotated[str, StringConstraints(max_length=300)]
WebAddress = Annotated[str, Field(max_length=2048), AfterValidator(_web_address)]
SecureAddress = Annotated[str, Field(max_length=2048), AfterValidator(_secure_address)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Locale = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class Flags(BaseModel):
    """``flags``: those that act."""

    model_config = _CLOSED

    enable_client_connections: bool = True
    """A new client may use the connections that there are."""
    revoke_refresh_token_grant: bool = False
    """Giving back a refresh token takes back what the person allowed the client, with all its tokens."""


class SessionCookie(BaseModel):
    """``session_cookie``."""

    model_config = _CLOSED

    mode: CookieMode = "persistent"
    """``non-persistent``: the browser forgets the cookie when it is closed, and the ephemeral lifetimes hold."""


class LogoutPrompt(BaseModel):
    """``sessions``."""

    model_config = _CLOSED

    oidc_logout_prompt_enabled: bool = True
    """``/oidc/logout`` asks the person, where no ID token says that the client may end the session."""


class TenantMembers(BaseModel):
    """``/api/v2/tenants/settings`` as the wire has it. Lifetimes are in hours."""

    model_config = _CLOSED

    session_lifetime: Hours = 168
    idle_session_lifetime: Hours = 72
    ephemeral_session_lifetime: Hours = 72
    idle_ephemeral_session_lifetime: Hours = 24
    session_cookie: SessionCookie = SessionCookie()
    sessions: LogoutPrompt = LogoutPrompt()
    flags: Flags = Flags()
    default_directory: Text = ""
    default_redirection_uri: SecureAddress = ""
    allowed_logout_urls: list[Redirect] = []
    friendly_name: Text = ""
    picture_url: WebAddress = ""
    support_email: Email = ""
    support_url: WebAddress = ""
    enabled_locales: Annotated[list[Locale], Field(min_length=1, max_length=100)] = ["en", "de"]

    def limits(self) -> Limits:
        """Return how long sessions last."""
        return Limits(
            Span.of_hours(self.session_lifetime, self.idle_session_lifetime),
            Span.of_hours(self.ephemeral_session_lifetime, self.idle_ephemeral_session_lifetime),
            self.session_cookie.mode,
        )


NAMES: Final = tuple(TenantMembers.model_fields)
"""Each member is stored by its name, so that whoever needs one reads one."""


def read(stored: Mapping[str, Any]) -> TenantMembers:
    """Read what was checked when it was stored; defaults where nothing was."""
    return TenantMembers.model_validate(dict(stored))


def edit(current: TenantMembers, body: Mapping[str, Any]) -> tuple[TenantMembers, tuple[str, ...]]:
    """Return the settings after a PATCH, and the names of what it sets. Raises ``BadRequest`` by path.

    Members of ``flags``, ``sessions`` and ``session_cookie`` that are not named stay as they are.
    """
    given = _in_hours(body)
    asked = parse(TenantMembers, given).model_dump(mode="json", exclude_unset=True)
    before = current.model_dump(mode="json")
    merged = {name: before[name] | value if isinstance(value, dict) else value for name, value in asked.items()}
    after = TenantMembers.model_validate(before | merged)
    for idle, whole in _PAIRS:
        if getattr(after, idle) > getattr(after, whole) and {idle, whole} & merged.keys():
            raise BadRequest(f"{idle} must not be longer than {whole}", path=idle)
    return after, tuple(merged)


class _InMinutes(BaseModel):
    model_config = _CLOSED

    session_lifetime_in_minutes: Minutes | None = None
    idle_session_lifetime_in_minutes: Minutes | None = None
    ephemeral_session_lifetime_in_minutes: Minutes | None = None
    idle_ephemeral_session_lifetime_in_minutes: Minutes | None = None


def _in_hours(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body whose lifetimes are all in hours. Raises ``BadRequest`` where one is said in both ways."""
    said = {f"{name}_in_minutes": name for name in IN_MINUTES if f"{name}_in_minutes" in body}
    minutes = parse(_InMinutes, {name: body[name] for name in said})
    both = next((name for name in said.values() if name in body), None)
    if both:
        raise BadRequest(f"{both} and {both}_in_minutes cannot be set together", path=both)
    rest = {name: value for name, value in body.items() if name not in said}
    return rest | {said[name]: value / 60 for name, value in minutes if value is not None}
