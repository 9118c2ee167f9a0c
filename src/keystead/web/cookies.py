"""The cookies of the hosted pages, written and read here and nowhere else.

``session`` leads to a row and needs no seal. ``browser`` ties a login transaction to the browser that began it,
``blocked`` names the account whose passkeys it was told not to offer, and ``device`` says for whom the browser is
known. These are sealed, each with a salt of its own, so that a made-up value is not even looked up.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.flows.sessions import Opened
from keystead.ports import Clock, Entropy
from keystead.secrecy import Secret
from keystead.settings import Settings
from keystead.web.seals import Seals

_BROWSER_SALT: Final = "keystead/browser/v1"
_BROWSER_AGE: Final = 30 * 86_400
_BLOCKED_SALT: Final = "keystead/blocked/v1"
_BLOCKED_AGE: Final = 365 * 86_400
_DEVICE_SALT: Final = "keystead/device/v1"
DEVICE_AGE: Final = 365 * 86_400
"""Seconds that a device is known for after the last login on it."""


@dataclass(frozen=True)
class Cookies:
    """Reads and writes cookies: ``__Host-`` and ``Secure`` where the public URL is https, always ``HttpOnly``."""

    settings: Settings
    seals: Seals
    clock: Clock
    entropy: Entropy

    def session(self, request: Request) -> Secret[str] | None:
        """Return what the session cookie holds."""
        found = request.cookies.get(self._name("session"), "")
        # Cookies can spell any octet, and PostgreSQL looks for no NUL.
        return Secret(found) if found and found.isprintable() else None

    def set_session(self, response: Response, opened: Opened) -> None:
        """Hand a session to the browser; one that is not persistent is forgotten when the browser is closed."""
        left = opened.record.expires_at - self.clock()
        max_age = max(int(left.total_seconds()), 1) if opened.record.persistent else None
        self._set(response, "session", opened.cookie.reveal(), max_age)

    def clear_session(self, response: Response) -> None:
        """Take the session from the browser."""
        self._set(response, "session", "", 0)

    def browser(self, request: Request) -> Secret[str] | None:
        """Return the browser's own secret, if it has one of ours."""
        found = self._opened(request, "browser", _BROWSER_SALT, _BROWSER_AGE)
        return Secret(found) if found is not None else None

    def new_browser(self) -> Secret[str]:
        """Return a secret for a browser that has none."""
        return Secret(self.entropy.token(32))

    def set_browser(self, response: Response, value: Secret[str]) -> None:
        """Give a browser its secret."""
        self._set(response, "browser", self.seals.seal(value.reveal(), _BROWSER_SALT), _BROWSER_AGE)

    def clear_browser(self, response: Response) -> None:
        """Take the browser's secret: every login that it has under way is nobody's from then on."""
        self._set(response, "browser", "", 0)

    def blocked(self, request: Request) -> str:
        """Return the account whose passkeys the browser was told not to offer; empty where there is none."""
        return self._opened(request, "blocked", _BLOCKED_SALT, _BLOCKED_AGE) or ""

    def set_blocked(self, response: Response, user_id: str) -> None:
        """Note whose passkey answered and was turned away: the next page says it, and later ones take it back."""
        self._set(response, "blocked", self.seals.seal(user_id, _BLOCKED_SALT), _BLOCKED_AGE)

    def clear_blocked(self, response: Response) -> None:
        """Forget it: the account is not blocked any more, or is gone."""
        self._set(response, "blocked", "", 0)

    def device(self, request: Request) -> str | None:
        """Return what ``Devices`` wrote about the browser, if anything."""
        return self._opened(request, "device", _DEVICE_SALT, DEVICE_AGE)

    def set_device(self, response: Response, value: str) -> None:
        """Give a browser what ``Devices`` writes about it."""
        self._set(response, "device", self.seals.seal(value, _DEVICE_SALT), DEVICE_AGE)

    def _name(self, name: str) -> str:
        return f"__Host-keystead-{name}" if self.settings.is_https else f"keystead-{name}"

    def _set(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        response.set_cookie(
            self._name(name),
            value,
            max_age=max_age,
            path="/",
            secure=self.settings.is_https,
            httponly=True,
            samesite=self.settings.cookie_samesite,
        )

    def _opened(self, request: Request, name: str, salt: str, max_age: int) -> str | None:
        sealed = request.cookies.get(self._name(name))
        return self.seals.open(sealed, salt, max_age) if sealed is not None else None
