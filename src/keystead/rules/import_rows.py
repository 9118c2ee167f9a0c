"""One row of an import: what becomes of an object of the file (auth0-behaviour 4.1), or every reason why nothing does.

Auth0's members, and ours: ``passkeys``, ``user_handle``. Identifiers get the form that they have after a sign-up, so
that what is unique there is unique here; hashes are read and bounded before anybody could log in with them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import BadRequest, InvalidIdentifier
from keystead.rules import base64url, password_hashes
from keystead.rules.authentication_methods import HANDLE_BYTES, NO_AAGUID
from keystead.rules.connection_options import Complexity, ConnectionOptions
from keystead.rules.hash_recipes import BadHash
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind, UsernameRules, canonical
from keystead.rules.mfa_factors import read_factors
from keystead.rules.password_hashes import ImportedHash
from keystead.rules.password_policy import complexity_of
from keystead.rules.profiles import Metadata, check_metadata_keys, check_metadata_size
from keystead.rules.row_complaints import (
    RowError,
    missing,
    of_validation,
    too_long,
    too_short,
    unformed,
    unknown,
    unlike,
    wrong_type,
)
from keystead.rules.user_edits import required_identifiers

PREFIX: Final = "auth0|"
EXTRAS: Final = "account-extras"
"""For what ``account.sealed_extras`` is sealed."""
MASK: Final = "***"

_TEXTS: Final = {"given_name": 150, "family_name": 150, "name": 300, "nickname": 300}
_FLAGS: Final = ("email_verified", "phone_verified", "blocked")
_METADATA: Final[tuple[Literal["user_metadata", "app_metadata"], ...]] = ("user_metadata", "app_metadata")
_PROHIBITED: Final = frozenset(
    {
        *("__tenant", "_id", "blocked", "clientID", "created_at", "email_verified", "email", "globalClientID"),
        *("global_client_id", "identities", "lastIP", "lastLogin", "loginsCount", "metadata"),
        *("multifactor_last_modified", "multifactor", "updated_at", "user_id"),
    }
)
"""Members that ``app_metadata`` must not have: they would be read as those of the user (4.1)."""
_SECRET: Final = ("password_hash", "custom_password_hash", "mfa_factors", "passkeys")
"""Members that no report says back."""
MEMBERS: Final = frozenset((*KINDS, *_TEXTS, *_FLAGS, *_METADATA, *_SECRET, "picture", "user_id", "user_handle"))
UPSERTABLE: Final = ("email_verified", *_TEXTS, "picture", *_METADATA)
"""What an upsert changes of an account that is there (4.1)."""

_PHONE: Final = re.compile(r"\+[0-9]{1,15}")
_USER_ID: Final = re.compile(r"[^\s/]{1,249}")
_LONGEST_PICTURE: Final = 2048
_LONGEST_USERNAME: Final = 128
_MOST_PASSKEYS: Final = 100
_ECHOED: Final = 4000
"""Characters of a text that a report says back of a row."""


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


@dataclass(frozen=True, slots=True)
class ImportedUser:
    """What a row says, in the form in which it is stored."""

    identifiers: tuple[Identifier, ...]
    values: dict[str, Any] = field(repr=False)
    """Columns of the account that the row names."""
    local_id: str | None = None
    password: ImportedHash | None = field(default=None, repr=False)
    passkeys: tuple[ReadPasskey, ...] = field(default=(), repr=False)
    user_handle: bytes | None = None
    mfa_factors: list[dict[str, Any]] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    """What a rehearsal says besides."""

    @property
    def name(self) -> str | None:
        """The name that the row gives."""
        return self.values.get("name")

    @property
    def nickname(self) -> str | None:
        """Likewise."""
        return self.values.get("nickname")

    @property
    def picture(self) -> str | None:
        """Likewise."""
        return self.values.get("picture")

    def value_of(self, kind: IdentifierKind) -> str | None:
        """Return the identifier of that kind, if the row has one."""
        for each in self.identifiers:
            if each.kind == kind:
                return each.value
        return None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a connection asks of rows, looked up once for many."""

    usernames: UsernameRules
    stored: tuple[IdentifierKind, ...]
    required: tuple[IdentifierKind, ...]
    active: tuple[IdentifierKind, ...]
    shared: tuple[IdentifierKind, ...]
    passwords: bool
    passkeys: bool
    complexity: Complexity
    """What becomes of a password that is too long."""

    @classmethod
    def of(cls, options: ConnectionOptions) -> "Terms":
        """Return those of a connection."""
        return cls(
            usernames=options.username_rules(),
            stored=options.stored_attributes(),
            required=required_identifiers(options),
            active=options.active_identifiers(),
            shared=options.shared_kinds(),
            passwords=options.methods.password.enabled,
            passkeys=options.methods.passkey.enabled,
            complexity=complexity_of(options),
        )


class BadUser(ValueError):
    """A row that is refused, with every reason."""

    def __init__(self, errors: list[RowError]) -> None:
        self.errors = errors
        super().__init__(errors[0].message)


def read(row: object, terms: Terms) -> ImportedUser:
    """Return what a row says. Raises ``BadUser``."""
    if not isinstance(row, dict):
        raise BadUser([wrong_type("", "object", row) if row is not None else missing("user")])
    given = {name: value for name, value in row.items() if value is not None}
    errors = [unknown(name) for name in given if name not in MEMBERS]
    identifiers = _identifiers(given, terms, errors)
    values = _values(given, errors)
    password = _password(given, terms, errors)
    handle = _handle(given, errors)
    passkeys = _passkeys(given, terms, errors)
    handle = _one_handle(handle, passkeys, errors)
    factors = read_factors(given, errors)
    local_id = _local_id(given, errors)
    if errors:
        raise BadUser(errors)
    return ImportedUser(
        identifiers, values, local_id, password, tuple(passkeys), handle, factors, tuple(_notes(local_id))
    )


def echoed(row: object) -> dict[str, Any]:
    """Return a row as reports say it back: nothing secret, and not more than can be read."""
    if not isinstance(row, dict):
        return {}
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in _SECRET:
            found[name] = MASK
        elif isinstance(value, dict | list):
            found[name[:100]] = value if len(str(value)) <= _ECHOED else MASK
        else:
            found[name[:100]] = value[:_ECHOED] if isinstance(value, str) else value
        if len(found) == len(MEMBERS):
            break
    return found


def _identifiers(given: Mapping[str, Any], terms: Terms, errors: list[RowError]) -> tuple[Identifier, ...]:
    found = []
    for kind in KINDS:
        value = given.get(kind)
        if value is None:
            if kind in terms.required:
                errors.append(missing(kind))
        elif not isinstance(value, str):
            errors.append(wrong_type(kind, "string", value))
        elif (wrong := _misplaced(kind, value, terms)) is not None:
            errors.append(wrong)
        else:
            identifier = _canonical(kind, value, terms, errors)
            found += [identifier] if identifier else []
    if not errors and not any(each.kind in terms.active for each in found):
        errors.append(RowError("ANY_OF_MISSING", f"At least one identifier is required: {', '.join(terms.active)}."))
    return tuple(found)


def _misplaced(kind: IdentifierKind, value: str, terms: Terms) -> RowError | None:
    if kind == "phone_number" and not _PHONE.fullmatch(value):
        return unlike(kind, r"^\+[0-9]{1,15}$", value)
    if kind == "username" and not value:
        return too_short(kind, 0, 1)
    if kind == "username" and len(value) > _LONGEST_USERNAME:
        return too_long(kind, len(value), _LONGEST_USERNAME)
    if kind == "username" and kind not in terms.stored:
        return RowError("NOT_PASSED", "Cannot set username for connection without requires_username.", kind)
    return None


def _canonical(kind: IdentifierKind, value: str, terms: Terms, errors: list[RowError]) -> Identifier | None:
    try:
        return canonical(kind, value, terms.usernames)
    except InvalidIdentifier as error:
        shown = {"email": "email", "phone_number": "phone", "username": "username"}[kind]
        errors.append(unformed(kind, shown, value) if kind == "email" else RowError("FORMAT", error.text, kind))
        return None


def _values(given: Mapping[str, Any], errors: list[RowError]) -> dict[str, Any]:
    """Return the columns that a row names."""
    found: dict[str, Any] = {}
    for name, most in _TEXTS.items():
        if name in given and _is_text(name, given[name], most, errors):
            found[name] = given[name]
    for name in _FLAGS:
        if name in given:
            if isinstance(given[name], bool):
                found[name] = given[name]
            else:
                errors.append(wrong_type(name, "boolean", given[name]))
    picture = given.get("picture")
    if picture is not None and _is_text("picture", picture, _LONGEST_PICTURE, errors):
        if picture.startswith(("https://", "http://")) and picture.isprintable() and " " not in picture:
            found["picture"] = picture
        else:
            errors.append(unformed("picture", "strict-uri", picture))
    for each in _METADATA:
        if each in given:
            found[each] = _metadata(each, given[each], errors)
    return found


def _is_text(name: str, value: object, most: int, errors: list[RowError]) -> bool:
    if not isinstance(value, str):
        errors.append(wrong_type(name, "string", value))
    elif not value:
        errors.append(too_short(name, 0, 1))
    elif len(value) > most:
        errors.append(too_long(name, len(value), most))
    else:
        return True
    return False


def _metadata(name: Literal["user_metadata", "app_metadata"], value: object, errors: list[RowError]) -> Metadata | None:
    if not isinstance(value, dict):
        errors.append(wrong_type(name, "object", value))
        return None
    if name == "app_metadata" and (prohibited := _PROHIBITED.intersection(value)):
        errors.append(RowError("NOT_PASSED", f"{name} must not have {', '.join(sorted(prohibited))}", name))
    try:
        check_metadata_keys(name, value)
        check_metadata_size(name, value)
    except BadRequest as error:
        errors.append(RowError("MAX_LENGTH" if "too large" in error.text else "PATTERN", error.text, name))
    return {key: each for key, each in value.items() if each is not None} or None


def _password(given: Mapping[str, Any], terms: Terms, errors: list[RowError]) -> ImportedHash | None:
    """Read the one hash that a row may have (IM-10)."""
    found = [name for name in ("password_hash", "custom_password_hash") if name in given]
    if not found:
        return None
    name = found[0]
    if len(found) > 1:
        errors.append(RowError("NOT_PASSED", "password_hash and custom_password_hash exclude each other"))
    elif not terms.passwords:
        errors.append(RowError("NOT_PASSED", "The connection does not take passwords.", name))
    elif not isinstance(given[name], str if name == "password_hash" else dict):
        errors.append(wrong_type(name, "string" if name == "password_hash" else "object", given[name]))
    else:
        try:
            reading = password_hashes.read_text if name == "password_hash" else password_hashes.read_custom
            return reading(given[name])
        except BadHash as error:
            errors.append(RowError(error.code, error.text, f"{name}.{error.path}" if error.path else name))
    return None


def _handle(given: Mapping[str, Any], errors: list[RowError]) -> bytes | None:
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


def _passkeys(given: Mapping[str, Any], terms: Terms, errors: list[RowError]) -> list[ReadPasskey]:
    value = given.get("passkeys")
    if value is None:
        return []
    if not isinstance(value, list):
        errors.append(wrong_type("passkeys", "array", value))
        return []
    if not terms.passkeys and value:
        errors.append(RowError("NOT_PASSED", "The connection does not take passkeys.", "passkeys"))
        return []
    if len(value) > _MOST_PASSKEYS:
        text = f"Array is too long ({len(value)}), maximum {_MOST_PASSKEYS}"
        errors.append(RowError("ARRAY_LENGTH_LONG", text, "passkeys"))
        return []
    found = [passkey for at, each in enumerate(value) if (passkey := _passkey(f"passkeys.{at}", each, errors))]
    if len({each.credential_id for each in found}) != len(found):
        errors.append(RowError("CONFLICT", "Two passkeys have the same key_id", "passkeys"))
    return found


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


def _one_handle(handle: bytes | None, passkeys: list[ReadPasskey], errors: list[RowError]) -> bytes | None:
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


def _local_id(given: Mapping[str, Any], errors: list[RowError]) -> str | None:
    value = given.get("user_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        errors.append(wrong_type("user_id", "string", value))
    elif not (_USER_ID.fullmatch(value) and value.isprintable()):
        errors.append(unlike("user_id", r"^[^\s/]{1,249}$", value))
    else:
        return value
    return None


def _notes(local_id: str | None) -> Iterator[str]:
    if local_id is not None and "|" in local_id:
        yield f"the id becomes {PREFIX}{local_id}: exported ids are given without what stands before the |"
