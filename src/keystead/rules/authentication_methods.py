"""What administrators say about people's authentication methods: bodies, and what becomes of a passkey made elsewhere.

The members are those of Auth0's schemas (auth0-behaviour 2.5), as far as they are about passkeys; there are no other
methods that could be added.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from keystead.errors import BadRequest, OperationNotSupported
from keystead.rules import base64url
from keystead.rules.ceremonies import NewPasskey
from keystead.rules.complaints import complaint, parse
from keystead.rules.passkey_names import LONGEST, chosen_name

CREDENTIAL_ID_BYTES: Final = 1023
"""WebAuthn Level 3 §7.1 step 25."""

HANDLE_BYTES: Final = 64
"""WebAuthn Level 3 §5.4.3."""

NO_AAGUID: Final = "00000000-0000-0000-0000-000000000000"

_ELSEWHERE: Final = ("phone", "email", "totp", "webauthn-roaming")
"""Types that Auth0 has beside passkeys."""

_Preference = Literal["voice", "sms"]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ImportedPasskey(_Body):
    """The body of ``POST /users/{id}/authentication-methods``: a passkey that was made elsewhere (PK-33)."""

    type: Literal["passkey"]
    key_id: Annotated[str, Field(min_length=1, max_length=1400)]
    """The credential id, in base64."""
    public_key: Annotated[str, Field(min_length=1, max_length=4000)]
    """COSE or SPKI in base64, or PEM."""
    user_handle: Annotated[str, Field(min_length=1, max_length=100)]
    """What the authenticator calls the account, in base64. Without it nobody could be found by the passkey."""
    relying_party_identifier: Annotated[str, Field(min_length=1, max_length=255)]
    credential_device_type: Literal["single_device", "multi_device"]
    """The flag BE, which every login is held against (§7.2 step 19)."""
    credential_backed_up: bool = False
    aaguid: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")] = NO_AAGUID
    transports: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]], Field(max_length=10)] = []
    identity_user_id: Annotated[str, Field(max_length=300)] | None = None
    user_agent: Annotated[str, Field(max_length=300)] = ""
    name: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None


class MethodEdit(_Body):
    """The body of ``PATCH /users/{id}/authentication-methods/{method_id}``."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None
    preferred_authentication_method: _Preference | None = None


class OtherMethod(_Body):
    """An entry of ``PUT /users/{id}/authentication-methods``; Auth0's schema leaves passkeys out."""

    type: Literal["phone", "email", "totp"]
    name: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    phone_number: Annotated[str, Field(min_length=2, max_length=30)] | None = None
    email: Annotated[str, Field(min_length=1)] | None = None
    totp_secret: Annotated[str, Field(min_length=1)] | None = None
    preferred_authentication_method: _Preference | None = None


class _OtherMethods(RootModel[list[OtherMethod]]):
    """All that somebody shall have."""


class PasskeyKey(NamedTuple):
    """A public key as authenticators write it (COSE_Key), and its algorithm."""

    cose: bytes
    algorithm: int


def read_imported(body: Mapping[str, Any]) -> ImportedPasskey:
    """Read the body of a new method. Raises ``BadRequest``, and ``OperationNotSupported`` for Auth0's other types."""
    if body.get("type") in _ELSEWHERE:
        raise _unsupported([body["type"]])
    return parse(ImportedPasskey, body)


def read_edit(body: Mapping[str, Any]) -> MethodEdit:
    """Read what is to change. Raises ``BadRequest``, and ``OperationNotSupported`` for what only phones have."""
    edit = parse(MethodEdit, body)
    if edit.preferred_authentication_method is not None:
        raise OperationNotSupported("Only a phone has a preferred authentication method, and there are none here.")
    return edit.model_copy(update={"name": chosen_name(edit.name)}) if edit.name is not None else edit


def read_others(body: object) -> list[OtherMethod]:
    """Read what is to replace all that somebody has. Raises ``BadRequest``."""
    try:
        return _OtherMethods.model_validate(body, strict=True).root
    except ValidationError as error:
        raise complaint(error) from None


def refuse_others(methods: Sequence[OtherMethod]) -> None:
    """Refuse methods that there are not. Raises ``OperationNotSupported``."""
    if methods:
        raise _unsupported(sorted({each.type for each in methods}))


def imported(given: ImportedPasskey, key: PasskeyKey) -> NewPasskey:
    """Return an imported passkey as if it had just been registered, with the least that can be said of it.

    Nothing shows who made its authenticator, and nobody has seen it verify anybody: it counts as unverified until its
    first login, and its counter begins at zero. Raises ``BadRequest``.
    """
    synced = given.credential_device_type == "multi_device"
    if given.credential_backed_up and not synced:
        raise BadRequest("What is bound to a single device is not backed up", path="credential_backed_up")
    return NewPasskey(
        credential_id=_octets("key_id", given.key_id, CREDENTIAL_ID_BYTES),
        public_key=key.cose,
        algorithm=key.algorithm,
        sign_count=0,
        aaguid=given.aaguid.lower(),
        transports=tuple(dict.fromkeys(given.transports)),
        backup_eligible=synced,
        backed_up=given.credential_backed_up,
        user_verified=False,
        attestation_format="none",
    )


def handle_of(given: ImportedPasskey) -> bytes:
    """Return the user handle of an imported passkey. Raises ``BadRequest``."""
    return _octets("user_handle", given.user_handle, HANDLE_BYTES)


def _octets(name: str, text: str, most: int) -> bytes:
    try:
        octets = base64url.read(text)
    except ValueError:
        raise BadRequest("must be base64 or base64url", path=name) from None
    if not 1 <= len(octets) <= most:
        raise BadRequest(f"must have 1 to {most} bytes", path=name)
    return octets


def _unsupported(types: Sequence[str]) -> OperationNotSupported:
    return OperationNotSupported(
        f"Authentication methods of type {', '.join(types)} are not supported; passkey is the only type."
    )
