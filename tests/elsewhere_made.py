"""Passkeys that were made at another system, under our relying party id, and are brought here with their users."""

from typing import Any
from uuid import UUID

from authenticator import EDDSA, ES256, RS256, Authenticator, Credential, b64url

HANDLE = b64url(b"what the other system called her")


def made_elsewhere(
    device: Authenticator, *, handle: str = HANDLE, rp_id: str = "localhost", **more: Any
) -> dict[str, Any]:
    """Have a device make a passkey somewhere else, and return the body that imports it here."""
    options = {
        "rp": {"id": rp_id},
        "user": {"id": handle},
        "challenge": "",
        "pubKeyCredParams": [{"alg": algorithm} for algorithm in (ES256, EDDSA, RS256)],
    }
    device.create(options, origin=f"https://{rp_id}")
    return described(device, device.credentials[-1]) | more


def described(device: Authenticator, credential: Credential) -> dict[str, Any]:
    """Return what Auth0's schema has to say of a passkey on a device; the key as most systems keep it, in SPKI."""
    return {
        "type": "passkey",
        "key_id": b64url(credential.id),
        "public_key": b64url(credential.pair.spki()),
        "user_handle": b64url(credential.user_handle),
        "relying_party_identifier": credential.rp_id,
        "credential_device_type": "multi_device" if device.synced else "single_device",
        "credential_backed_up": device.synced,
        "aaguid": str(UUID(bytes=device.aaguid)),
        "transports": list(device.transports),
    }
