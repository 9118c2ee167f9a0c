"""Somebody with a fresh token of the My Account API."""

from dataclasses import dataclass
from typing import Any

import httpx

from authenticator import Authenticator
from world import PUBLIC_URL, World

_VERBS = ("read", "create", "update", "delete")
SCOPE = " ".join((*(f"{verb}:me:authentication_methods" for verb in _VERBS), "read:me:factors"))


@dataclass(frozen=True)
class MyAccount:
    """``/me/v1`` in one person's hands."""

    world: World
    token: str

    @classmethod
    async def of(cls, world: World, access_token: str | None = None, **login: Any) -> "MyAccount":
        """Use a token, or log in with a password for one."""
        audience = f"{world.settings.public_url}/me/"
        token = access_token or (await world.tokens(audience=audience, scope=SCOPE, **login))["access_token"]
        return cls(world, token)

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call a path below ``/me/v1/authentication-methods``."""
        url = f"/me/v1/authentication-methods{path}"
        headers = {"authorization": f"Bearer {self.token}"}
        return await self.world.client.request(method, url, headers=headers, **request)

    async def start(self, **more: Any) -> httpx.Response:
        """Ask for the options of one more passkey."""
        return await self.call("POST", "", json={"type": "passkey"} | more)

    async def begin(self, **more: Any) -> dict[str, Any]:
        """Ask for the options of one more passkey, and return them."""
        answer = await self.start(**more)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def verify(self, begun: dict[str, Any], response: object, **more: Any) -> httpx.Response:
        """Hand in the new passkey."""
        body = {"auth_session": begun["auth_session"], "authn_response": response}
        return await self.call("POST", "/passkey%7Cnew/verify", json=body | more)

    async def methods(self) -> list[dict[str, Any]]:
        """Return the person's methods."""
        found: list[dict[str, Any]] = (await self.call("GET", "")).json()["authentication_methods"]
        return found

    async def passkeys(self) -> list[dict[str, Any]]:
        """Return the person's passkeys."""
        return [each for each in await self.methods() if each["type"] == "passkey"]

    async def enrols(self, device: Authenticator) -> dict[str, Any]:
        """Add a passkey, and return it."""
        begun = await self.begin()
        answer = await self.verify(begun, device.create(begun["authn_params_public_key"], origin=PUBLIC_URL))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def signals(self) -> list[dict[str, Any]]:
        """Return what the person's browser is to be told."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = await self.world.client.get("/me/v1/keystead/signals", headers=headers)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["signals"]
        return found
