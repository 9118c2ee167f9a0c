"""Credentials of clients: public keys with which they prove themselves (RFC 7523)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.complaints import parse

KeyAlgorithm = Literal["RS256", "RS384", "PS256", "ES256", "Ed25519"]
"""What a client may sign with: nothing with a shared secret, and nothing that has no key."""

KEY_ALGORITHMS: Final[tuple[str, ...]] = get_args(KeyAlgorithm)

MOST: Final = 20
"""How many credentials a client may have."""


class NewCredential(BaseModel):
    """A public key as it is registered."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    credential_type: Literal["public_key"]
    pem: Annotated[str, Field(min_length=1, max_length=4096)]
    name: Annotated[str, Field(max_length=128)] = ""
    alg: KeyAlgorithm = "RS256"
    kid: Annotated[str, Field(pattern=r"^[0-9a-zA-Z_-]{10,64}$")] | None = None
    expires_at: str | None = None
    parse_expiry_from_cert: bool = False


class CredentialEdit(BaseModel):
    """The body of a PATCH: of a credential only its end can be moved."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    expires_at: str | None = None


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that was read: as a JWK, with its thumbprint (RFC 7638), and the end that its certificate names."""

    jwk: dict[str, str]
    thumbprint: str
    expires_at: datetime | None = None


def new_credential(body: Mapping[str, Any]) -> NewCredential:
    """Read the body of a credential that is being made. Raises ``BadRequest``."""
    asked = parse(NewCredential, body)
    if asked.parse_expiry_from_cert and asked.expires_at is not None:
        raise BadRequest("A credential has either expires_at or the end of its certificate", path="expires_at")
    return asked


def credential_edit(body: Mapping[str, Any]) -> str | None:
    """Return the new end of a credential; ``None`` takes it away. Raises ``BadRequest``."""
    if "expires_at" not in body:
        raise BadRequest("Missing required property: expires_at", path="")
    return parse(CredentialEdit, body).expires_at


def end_of(text: str | None, now: datetime) -> datetime | None:
    """Return when a credential ends: a time with its zone, and to come. Raises ``BadRequest``."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadRequest("must be a time in ISO 8601 with its zone", path="expires_at")
    if found <= now:
        raise BadRequest("must be in the future", path="expires_at")
    return found


def inline_credentials(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the credentials in the body of a client that is being made. Raises ``BadRequest``.

    Whatever is not of that form is left to the check of the settings, which says what is wrong with it.
    """
    methods = body.get("client_authentication_methods")
    keys = methods.get("private_key_jwt") if isinstance(methods, dict) else None
    found = keys.get("credentials") if isinstance(keys, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return []
    if len(found) > MOST:
        path = "client_authentication_methods.private_key_jwt.credentials"
        raise BadRequest(f"Array is too long ({len(found)}), maximum {MOST}", path=path)
    return found
