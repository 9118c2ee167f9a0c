"""One row of an import: what becomes of an object of the file (auth0-behaviour 4.1), or every reason why nothing does.

Auth0's members, and ours: ``passkeys``, ``user_handle``. Identifiers get the form that they have after a sign-up, so
that what is unique there is unique here; hashes are read and bounded before anybody could log in with them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from keystead.errors import BadRequest, InvalidIdentifier
from keystead.rules import password_hashes
from keystead.rules.connection_options import Complexity, ConnectionOptions
from keystead.rules.hash_recipes import BadHash
from keystead.rules.identifiers import KINDS, RESERVED, Identifier, IdentifierKind, UsernameRules, canonical
from keystead.rules.import_passkeys import ReadPasskey, one_handle, read_handle, read_passkeys
from keystead.rules.mfa_factors import read_factors
from keystead.rules.password_hashes import ImportedHash
from keystead.rules.password_policy import complexity_of
from keystead.rules.profiles import Metadata, check_metadata_keys, check_metadata_size
from keystead.rules.row_complaints import (
    RowError,
    missing,
    too_long,
    too_short,
    unformed,
    unknown,
    unlike,
    wrong_type,
)
from keystead.rules.user_edits import required_identifiers

PREFIX: Final = "auth0|"
MASK: Final = "***"

_TEXTS: Final = {"given_name": 150, "family_name": 150, "name": 300, "nickname": 300, "picture": 2048}
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
MEMBERS: Final = frozenset((*KINDS, *_TEXTS, *_FLAGS, *_METADATA, *_SECRET, "user_id", "user_handle"))
UPSERTABLE: Final = ("email_verified", *_TEXTS, *_METADATA)
"""What an upsert changes of an account that is there (4.1)."""

_PHONE: Final = re.compile(r"\+[0-9]{1,15}")
_USER_ID: Final = re.compile(r"[^\s/]{1,249}")
_LONGEST_USERNAME: Final = 128
_ECHOED: Final = 4000
"""Characters of a text that a report says back of a row."""


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
    handle = read_handle(given, errors)
    passkeys = read_passkeys(given, terms.passkeys, errors)
    handle = one_handle(handle, passkeys, errors)
    factors = read_factors(given, errors)
    local_id = _local_id(given, errors)
    if errors:
        raise BadUser(errors)
    return ImportedUser(
        identifiers, values, local_id, password, tuple(passkeys), handle, factors, tuple(_notes(local_id))
    )


def echoed(row: object) -> dict[str, Any]:
    """Return a row as reports say it back: nothing secret, and not more than can be read.

    Of a member that nobody knows only the name: under ``password`` there may be people's own, in clear.
    """
    if not isinstance(row, dict):
        return {}
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in _SECRET or name not in MEMBERS:
            found[name[:100]] = MASK
        elif isinstance(value, dict | list):
            found[name] = value if len(str(value)) <= _ECHOED else MASK
        else:
            found[name] = value[:_ECHOED] if isinstance(value, str) else value
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
        is_plain = kind == "email" and error.text != RESERVED  # in the words that Auth0's clients know
        errors.append(unformed(kind, "email", value) if is_plain else RowError("FORMAT", error.text, kind))
        return None


def _values(given: Mapping[str, Any], errors: list[RowError]) -> dict[str, Any]:
    """Return the columns that a row names."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in _TEXTS:
            is_right = _is_text(name, value, _TEXTS[name], errors) and (name != "picture" or _is_url(value, errors))
        elif name in _FLAGS:
            is_right = _is_flag(name, value, errors)
        else:
            continue
        if is_right:
            found[name] = value
    for each in _METADATA:
        if each in given:
            found[each] = _metadata(each, given[each], errors)
    return found


def _is_flag(name: str, value: object, errors: list[RowError]) -> bool:
    if isinstance(value, bool):
        return True
    errors.append(wrong_type(name, "boolean", value))
    return False


def _is_url(picture: str, errors: list[RowError]) -> bool:
    if picture.startswith(("https://", "http://")) and picture.isprintable() and " " not in picture:
        return True
    errors.append(unformed("picture", "strict-uri", picture))
    return False


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


_READINGS: Final[Mapping[str, tuple[type, str, Callable[[Any], ImportedHash]]]] = {
    "password_hash": (str, "string", password_hashes.read_text),
    "custom_password_hash": (dict, "object", password_hashes.read_custom),
}


def _password(given: Mapping[str, Any], terms: Terms, errors: list[RowError]) -> ImportedHash | None:
    """Read the one hash that a row may have (IM-10)."""
    found = [name for name in _READINGS if name in given]
    if not found:
        return None
    if len(found) > 1:
        errors.append(RowError("NOT_PASSED", "password_hash and custom_password_hash exclude each other"))
        return None
    name, value = found[0], given[found[0]]
    kind, said, reading = _READINGS[name]
    if not terms.passwords:
        errors.append(RowError("NOT_PASSED", "The connection does not take passwords.", name))
    elif not isinstance(value, kind):
        errors.append(wrong_type(name, said, value))
    else:
        try:
            return reading(value)
        except BadHash as error:
            errors.append(RowError(error.code, error.text, f"{name}.{error.path}" if error.path else name))
    return None


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
