"""Settings of bot detection and captchas, which deploy tools read and write (decision 22): kept, shown, and off.

Nothing reads them. What would be a secret of a captcha's provider is therefore taken and not kept.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from keystead.rules.attack_protection import AllowList

BOT_DETECTION: Final = "bot_detection"
CAPTCHA: Final = "captcha"

Challenge = Literal["never", "when_risky", "always"]

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")
_Text = Annotated[str, Field(max_length=1000)]
_Secret = Annotated[str | None, Field(max_length=1000, exclude=True, repr=False, json_schema_extra={"writeOnly": True})]
"""Taken, since tools send it, and forgotten at once: what nothing uses cannot leak."""


class BotDetection(BaseModel):
    """``bot-detection`` as the wire has it; SDKs insist on all six members."""

    model_config = _CLOSED
    bot_detection_level: Literal["low", "medium", "high"] = "medium"
    challenge_password_policy: Challenge = "never"  # noqa: S105 - how often, no password
    challenge_passwordless_policy: Challenge = "never"
    challenge_password_reset_policy: Challenge = "never"  # noqa: S105 - how often, no password
    allowlist: AllowList = []
    monitoring_mode_enabled: bool = False


class SiteKey(BaseModel):
    """A provider that knows a site by its key."""

    model_config = _CLOSED
    site_key: _Text
    secret: _Secret = None


class Enterprise(BaseModel):
    """reCAPTCHA Enterprise."""

    model_config = _CLOSED
    site_key: _Text
    project_id: _Text | None = None
    api_key: _Secret = None


class Arkose(SiteKey):
    """Arkose, whose hosts have names of the customer's."""

    client_subdomain: _Text | None = None
    verify_subdomain: _Text | None = None
    fail_open: bool | None = None


class AuthChallenge(BaseModel):
    """Auth0's own challenge."""

    model_config = _CLOSED
    fail_open: bool


class SimpleCaptcha(BaseModel):
    """Auth0's own picture, of which there is nothing to set."""

    model_config = _CLOSED


class Captcha(BaseModel):
    """``captcha`` as the wire has it: which provider asks, and what each is told."""

    model_config = _CLOSED
    active_provider_id: (
        Literal[
            "arkose",
            "auth_challenge",
            "friendly_captcha",
            "hcaptcha",
            "recaptcha_v2",
            "recaptcha_enterprise",
            "simple_captcha",
        ]
        | None
    ) = None
    arkose: Arkose | None = None
    auth_challenge: AuthChallenge | None = None
    friendly_captcha: SiteKey | None = None
    hcaptcha: SiteKey | None = None
    recaptcha_v2: SiteKey | None = None
    recaptcha_enterprise: Enterprise | None = None
    simple_captcha: SimpleCaptcha | None = None
