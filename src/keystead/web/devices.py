"""Devices that somebody logged in on: browsers know it by a cookie, apps by a header that they keep and send back.

No token is a proof of anybody. It only says whose failures count: those of this device, not those of strangers.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keystead.ports import Entropy
from keystead.rules.known_devices import Device
from keystead.rules.profiles import Profile
from keystead.rules.signups import identifiers_of_profile
from keystead.web.cookies import DEVICE_AGE, Cookies
from keystead.web.cors import FOR_CLIENTS
from keystead.web.seals import Seals

HEADER: Final = "keystead-device"
_HEADER_SALT: Final = "keystead/device-of-app/v1"


@dataclass(frozen=True)
class Devices:
    """Reads what a device carries, and hands it out after a login. What is not ours is as good as nothing."""

    cookies: Cookies
    seals: Seals
    entropy: Entropy

    def of(self, request: Request) -> Device | None:
        """Return the device that asks, where somebody logged in on it before.

        Routes for other sites' pages look at no cookie: such a page could send wrong passwords from its visitor's own
        browser, and lock that.
        """
        if not request.scope["path"].startswith(FOR_CLIENTS):
            return _read(self.cookies.device(request))
        sealed = request.headers.get(HEADER)
        return _read(self.seals.open(sealed, _HEADER_SALT, DEVICE_AGE)) if sealed else None

    def remember(self, request: Request, response: Response, profile: Profile) -> None:
        """Let the browser be known for every identifier of somebody who proved in it who they are."""
        self.cookies.set_device(response, _written(self._after_login(request, profile)))

    def hand_out(self, request: Request, response: Response, profile: Profile) -> None:
        """The same for an app that took the person's proof itself: it keeps the header."""
        response.headers[HEADER] = self.seals.seal(_written(self._after_login(request, profile)), _HEADER_SALT)

    def _after_login(self, request: Request, profile: Profile) -> Device:
        device = self.of(request) or Device(id=self.entropy.id("dev_"))
        return device.after_login(profile.connection_id, identifiers_of_profile(profile), profile.tenure)


def _written(device: Device) -> str:
    return " ".join((device.id, *device.tags))


def _read(written: str | None) -> Device | None:
    if not written:
        return None
    device_id, *tags = written.split(" ")
    return Device(id=device_id, tags=tuple(tags))
