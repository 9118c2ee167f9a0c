"""Passkeys in a row of an import, and the one handle by which they know their person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from keystead.rules import base64url
from keystead.rules.authentication_methods import HANDLE_BYTES, NO_AAGUID
from keystead.rules.passkey_terms import MOST_PER_USER
from keystead.rules.row_complaints import RowError, missing, of_validation, unformed, wrong_type


class RowPasskey(BaseModel):
    """A passkey of a row: what the Management API takes of one that was made elsewhere, and what it has since done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_id: Annotated[str, Field(strict=True, min_length=1, max_length=1400)]
    """The credential id, in base64."""
    public_key: Annotated[str, Field(strict=True, min_length=1, max_length=4000)]
    """COSE or SPKI in base64, or PEM."""
    user_handle: Annotated[str, Field(strict=True, min_length=1, max_length=100)] | None = None
    """That of the row, where it is there."""
    relying_party_identifier: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    credential_device_type: Literal["single_device", "multi_device"]
    credential_backed_up: Annotated[bool, Field(strict=True)] = False
    sign_count: Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)] = 0
    user_verified: Annotated[bool, Field(strict=True)] = False
    """Whether its authenticator verified its owner in its last ceremony."""
    aaguid: Annotated[str, Field(strict=True, pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")] = (
        NO_AAGUID
    )
    transports: Annotated[
        list[Annotated[str, Field(strict=True, pattern=r"^[a-z0-9-]{1,32}$")]], Field(max_length=10)
    ] = []
    name: Annotated[str, Field(strict=True, min_length=1, max_length=100)] | None = None
    user_agent: Annotated[str, Field(strict=True, max_length=300)] = ""
    created_at: AwareDatetime | None = None
    last_used_at: AwareDatetime | None = None

    @property
    def is_synced(self) -> bool:
        """The flag BE."""
        return self.credential_device_type == "multi_device"


@dataclass(frozen=True, slots=True)
class ReadPasskey:
    """A passkey of a row whose octets are read; its public key waits for whoever knows keys."""

    given: RowPasskey
    credential_id: bytes


def read_handle(given: Mapping[str, Any], errors: list[RowError]) -> bytes | None:
    """Return the handle that a row gives."""
    value = given.get("user_handle")
    if value is None:
        return None
    if not isinstance(value, str):
        errors.append(wrong_type("user_handle", "string", value))
        return None
    return _octets("user_handle", value, HANDLE_BYTES, errors)


def _octets(path: str, text: str, most: int, errors: list[RowError]) -> bytes | None:
    try:
        octets = base64url.read(text)
    except ValueError:
        errors.append(unformed(path, "base64", text))
        return None
    if not 1 <= len(octets) <= most:
        errors.append(RowError("MAX_LENGTH" if octets else "MIN_LENGTH", f"must have 1 to {most} bytes", path))
        return None
    return octets


_NOT_TAKEN: Final = "The connection does not take passkeys: authentication_methods.passkey.enabled is false."


def read_passkeys(given: Mapping[str, Any], are_taken: bool, errors: list[RowError]) -> list[ReadPasskey]:
    """Return the passkeys of a row. What is wrong with any is added to ``errors``."""
    value = given.get("passkeys")
    if value is None:
        return []
    if not isinstance(value, list):
        errors.append(wrong_type("passkeys", "array", value))
        return []
    if not are_taken and value:
        errors.append(RowError("NOT_PASSED", _NOT_TAKEN, "passkeys"))
        return []
    if len(value) > MOST_PER_USER:
        errors.append(too_many(len(value)))
        return []
    found = [passkey for at, each in enumerate(value) if (passkey := _passkey(f"passkeys.{at}", each, errors))]
    if len({each.credential_id for each in found}) != len(found):
        errors.append(RowError("CONFLICT", "Two passkeys have the same key_id", "passkeys"))
    return found


def too_many(passkeys: int) -> RowError:
    """Return what is wrong with a row by which somebody would have so many."""
    return RowError("ARRAY_LENGTH_LONG", f"Array is too long ({passkeys}), maximum {MOST_PER_USER}", "passkeys")


def _passkey(path: str, value: object, errors: list[RowError]) -> ReadPasskey | None:
    if not isinstance(value, dict):
        errors.append(wrong_type(path, "object", value))
        return None
    try:
        given = RowPasskey.model_validate({name: each for name, each in value.items() if each is not None})
    except ValidationError as error:
        errors.extend(of_validation(error, path))
        return None
    if given.credential_backed_up and not given.is_synced:
        text = "What is bound to a single device is not backed up"
        errors.append(RowError("NOT_PASSED", text, f"{path}.credential_backed_up"))
    credential_id = _octets(f"{path}.key_id", given.key_id, 1023, errors)
    return ReadPasskey(given, credential_id) if credential_id else None


def one_handle(handle: bytes | None, passkeys: list[ReadPasskey], errors: list[RowError]) -> bytes | None:
    """Return the one handle by which all passkeys of a person know them (WebAuthn Level 3 §14.6.1)."""
    for at, each in enumerate(passkeys):
        path = f"passkeys.{at}.user_handle"
        if each.given.user_handle is None:
            if handle is None:
                errors.append(missing("user_handle", f"passkeys.{at}"))
            continue
        own = _octets(path, each.given.user_handle, HANDLE_BYTES, errors)
        handle = handle or own
        if own is not None and own != handle:
            errors.append(RowError("CONFLICT", "must be that of the user's other passkeys", path))
    return handle
