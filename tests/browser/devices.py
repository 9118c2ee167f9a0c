"""What a browser keeps passkeys in: Chromium's virtual authenticators, spoken to by its DevTools protocol."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import CDPSession, Page

from authenticator import Credential, unb64url

PATIENCE_S = 10


@dataclass
class Device:
    """One authenticator. It answers every request at once, unless it is told otherwise."""

    _session: CDPSession
    _id: str

    @property
    def credentials(self) -> list[dict[str, Any]]:
        """The passkeys that it holds."""
        found: list[dict[str, Any]] = self._call("getCredentials")["credentials"]
        return found

    def ignores(self) -> None:
        """Leave requests pending from now on, like a person who looks elsewhere."""
        self._call("setAutomaticPresenceSimulation", enabled=False)

    def answers(self) -> None:
        """Answer requests that are made from now on; one that is pending stays so."""
        self._call("setAutomaticPresenceSimulation", enabled=True)

    def refuses(self) -> None:
        """Fail every request from now on, as when a person closes the browser's dialog."""
        self._call("setUserVerified", isUserVerified=False)

    def relents(self) -> None:
        """Take ``refuses`` back."""
        self._call("setUserVerified", isUserVerified=True)

    def holds(self, credential: Credential) -> None:
        """Put a passkey on it, as a password manager does that syncs."""
        key = credential.pair.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        held = {
            "credentialId": _base64(credential.id),
            "isResidentCredential": True,
            "rpId": credential.rp_id,
            "privateKey": _base64(key),
            "userHandle": _base64(credential.user_handle),
            "signCount": credential.sign_count,
            "backupEligibility": True,
            "backupState": True,
        }
        self._call("addCredential", credential=held)

    def holds_again(self, credentials: list[dict[str, Any]]) -> None:
        """Put passkeys on it that a device held before it was lost, as somebody does who finds it."""
        for each in credentials:
            self._call("addCredential", credential=each)

    def forgets(self, credential_id: str) -> None:
        """Remove one passkey, named in base64url."""
        self._call("removeCredential", credentialId=_base64(unb64url(credential_id)))

    def settles_at(self, count: int) -> None:
        """Wait until it holds as many passkeys; a page's wish to forget one is fulfilled some time later."""
        deadline = time.monotonic() + PATIENCE_S
        while (held := len(self.credentials)) != count:
            assert time.monotonic() < deadline, f"the device holds {held} passkeys, not {count}"
            time.sleep(0.02)

    def is_lost(self) -> None:
        """Take the device away, with all that is on it."""
        self._call("removeVirtualAuthenticator")

    def _call(self, method: str, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._session.send(f"WebAuthn.{method}", {"authenticatorId": self._id, **more})
        return found


class Devices:
    """All the devices at hand in one tab. Another tab does not see them."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        self._session.send("WebAuthn.enable", {"enableUI": False})

    def add(self, transport: str = "internal") -> Device:
        """Add one: built into the computer (``internal``), or another that is brought near (``usb``, ``hybrid``)."""
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            "defaultBackupEligibility": transport == "internal",
            "defaultBackupState": transport == "internal",
        }
        answer = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return Device(self._session, answer["authenticatorId"])


@contextmanager
def devices_of(page: Page) -> Iterator[Devices]:
    """Put devices in front of a tab, and take them all away again."""
    session = page.context.new_cdp_session(page)
    yield Devices(session)
    session.send("WebAuthn.disable")
    session.detach()


def _base64(octets: bytes) -> str:
    """Encode as the DevTools protocol does: padded, and not for URLs."""
    return base64.b64encode(octets).decode()
