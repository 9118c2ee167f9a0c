"""People as values: the draft of an account, and the profile of one that exists."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from keystead.errors import BadRequest
from keystead.rules.identifiers import Identifier, IdentifierKind, local_part

ROOT_FIELDS: Final = ("given_name", "family_name", "name", "nickname", "picture")
"""What a sign-up may say about a person beside the identifiers (SU-3)."""

_LIMITS: Final = {"given_name": 150, "family_name": 150, "name": 300, "nickname": 300, "picture": 2048}

_INITIALS: Final = re.compile("[^a-z0-9]*([a-z0-9])(?:[^a-z0-9]*([a-z0-9]))?")

Metadata = dict[str, Any]

EXTRAS: Final = "account-extras"
"""What ``account.sealed_extras`` is sealed for, whoever writes or reads it."""

HANDLE_BYTES: Final = 32
"""Of a user handle of ours, all of them random: half of the most that WebAuthn allows (Level 3 §5.4.3)."""

MOST_METADATA: Final = 102_400
ADVISED_METADATA: Final = 10_240
"""Bytes of either kind of metadata: what is taken, and beyond what the journal has a note (US-12)."""


class Draft(BaseModel):
    """An account that does not exist yet."""

    model_config = ConfigDict(frozen=True)

    identifiers: tuple[Identifier, ...]
    email_verified: bool = False
    phone_verified: bool = False
    name: str | None = None
    nickname: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    user_metadata: Metadata | None = None
    app_metadata: Metadata | None = None
    blocked: bool | None = None
    must_verify: list[IdentifierKind] = []
    proved: tuple[IdentifierKind, ...] = ()
    """Kinds of which whoever signs up has shown that the identifier is theirs: nobody else can hold it unproved."""
    shared: tuple[IdentifierKind, ...] = ()
    """Kinds whose values other accounts of the connection may have too (ID-17)."""
    local_id: str | None = None
    """The part of the user id behind ``auth0|``, where an administrator chose it (US-2)."""
    user_handle: bytes | None = None
    """The handle that a passkey of this sign-up already carries."""
    client_id: str = ""
    """The client by which they sign up: a customer's script is told."""

    def value_of(self, kind: IdentifierKind) -> str | None:
        """Return the identifier of that kind, if the draft has one."""
        return next((each.value for each in self.identifiers if each.kind == kind), None)


class Profile(BaseModel):
    """An account as it is, without its secrets."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    connection_id: str
    email: str | None = None
    email_verified: bool = False
    phone_number: str | None = None
    phone_verified: bool = False
    username: str | None = None
    name: str | None = None
    nickname: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    picture: str | None = None
    user_metadata: Metadata | None = None
    app_metadata: Metadata | None = None
    blocked: bool | None = None
    created_at: datetime
    updated_at: datetime
    last_login: datetime | None = None
    last_ip: str | None = None
    logins_count: int = 0
    last_password_reset: datetime | None = None
    has_password: bool = False
    user_handle: bytes = b""
    signed_out_at: datetime | None = None
    """Access tokens that were issued before are no longer good here."""
    must_verify: list[IdentifierKind] = []
    """What must be verified before the account can be used: nobody is let in before (``flows/accounts.admit``)."""
    other_attributes: dict[str, Any] | None = None
    """Members that nobody here defined, as a script returned them: shown to administrators, and used for nothing."""

    @property
    def local_id(self) -> str:
        """The user id without the provider in front of it."""
        return self.user_id.partition("|")[2]

    @property
    def password_id(self) -> str:
        """The id by which its password is listed among its authentication methods."""
        return f"password|{self.local_id}"

    def signed_out_since(self, moment: datetime) -> bool:
        """Whether everything that a proof of that moment gave has come to its end, such as at a reset."""
        return self.signed_out_at is not None and moment < self.signed_out_at

    @property
    def tenure(self) -> str:
        """Which account it is, and since when nobody is in it any more who was before.

        A new password or a sign-out everywhere begins a new one; so does another account that gets the identifier.
        """
        moments = [each for each in (self.last_password_reset, self.signed_out_at) if each is not None]
        return f"{self.user_id} {max(moments).isoformat() if moments else ''}"

    def value_of(self, kind: IdentifierKind) -> str | None:
        """Return the identifier of that kind, if the account has one."""
        return {"email": self.email, "phone_number": self.phone_number, "username": self.username}[kind]

    def having(self, identifiers: Mapping[IdentifierKind, str | None]) -> "Profile":
        """Return the account as it would be with other identifiers, or without some."""
        return self.model_copy(update={str(kind): value for kind, value in identifiers.items()})

    def is_verified(self, kind: IdentifierKind) -> bool:
        """Whether the account's owner has shown that its identifier of that kind is theirs."""
        return kind in self.verified_kinds()

    def verified_kinds(self) -> tuple[IdentifierKind, ...]:
        """Return the kinds of which the account has an identifier that is verified. A username never is."""
        email: tuple[IdentifierKind, ...] = ("email",) if self.email and self.email_verified else ()
        phone: tuple[IdentifierKind, ...] = ("phone_number",) if self.phone_number and self.phone_verified else ()
        return (*email, *phone)

    def verifying(self, kind: IdentifierKind) -> dict[str, Any]:
        """Return the columns that say that an identifier is verified now."""
        column = "email_verified" if kind == "email" else "phone_verified"
        return {column: True, "must_verify": [each for each in self.must_verify if each != kind]}

    def best_identifier(self, precedence: Sequence[IdentifierKind]) -> str:
        """Return what WebAuthn calls ``user.name``: the first identifier by precedence (ID-10)."""
        values = {"email": self.email, "phone_number": self.phone_number, "username": self.username}
        return next((value for kind in precedence if (value := values[kind])), self.user_id)

    def display_name(self, precedence: Sequence[IdentifierKind]) -> str:
        """Return what WebAuthn calls ``user.displayName``: the person's name, if it is known."""
        return self.name or self.best_identifier(precedence)


class Named(Protocol):
    """Whoever may have names."""

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """What they log in with."""
        ...

    @property
    def name(self) -> str | None:
        """Their whole name."""
        ...

    @property
    def nickname(self) -> str | None:
        """What they are called."""
        ...

    @property
    def picture(self) -> str | None:
        """Where their picture is."""
        ...

    def value_of(self, kind: IdentifierKind) -> str | None:
        """Return the identifier of that kind, if there is one."""
        ...


def defaults(draft: Named) -> dict[str, str]:
    """Return name, nickname and picture for a new account, where the draft has none (SU-9).

    The picture is ours, so that nobody's browser tells a third party who logs in here: no request leaves unasked.
    """
    first = next((each.value for each in draft.identifiers), "")
    email = draft.value_of("email")
    nickname = draft.nickname or (local_part(email) if email else draft.value_of("username") or first)
    name = draft.name or first
    return {"name": name, "nickname": nickname, "picture": draft.picture or f"/avatars/{initials(name)}.svg"}


def look_alike(draft: Draft, connection_id: str, local_id: str, now: datetime) -> Profile:
    """Return what an account of a draft would look like, for whoever must not learn that there is none."""
    given: dict[str, Any] = draft.model_dump(include={*ROOT_FIELDS, "user_metadata", "must_verify"}) | defaults(draft)
    given |= {each.kind: each.value for each in draft.identifiers}
    given |= {"user_id": f"auth0|{local_id}", "connection_id": connection_id, "created_at": now, "updated_at": now}
    return Profile.model_validate(given)


def initials(name: str) -> str:
    """Return two lower-case letters or digits that stand for a name; ``xx`` where it has none."""
    found = _INITIALS.match(name.lower())
    return f"{found[1]}{found[2] or 'x'}" if found else "xx"


def root_fields(body: Mapping[str, object]) -> dict[str, str]:
    """Take the profile fields out of a sign-up body. Raises ``BadRequest`` by path."""
    found: dict[str, str] = {}
    for field in ROOT_FIELDS:
        value = body.get(field)
        if value is None:
            continue
        if not isinstance(value, str) or not 1 <= len(value) <= _LIMITS[field]:
            raise BadRequest(f"{field} must be a text of 1 to {_LIMITS[field]} characters.", path=field)
        found[field] = value
    picture = found.get("picture")
    if picture is not None and not picture.startswith(("https://", "http://")):
        raise BadRequest("picture must be a web address.", path="picture")
    return found


def public_metadata(value: object) -> Metadata | None:
    """Check the ``user_metadata`` of a sign-up (SU-3): at most 10 short texts. Raises ``BadRequest``."""
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > 10:
        raise BadRequest("user_metadata must be an object of at most 10 members.", path="user_metadata")
    for key, text in value.items():
        if not isinstance(text, str) or len(text) > 500 or not _good_key(key):
            raise BadRequest("user_metadata takes texts of at most 500 characters.", path=f"user_metadata.{key}"[:120])
    return dict(value)


def merge_metadata(current: Metadata | None, change: Metadata) -> Metadata:
    """Merge one level deep; ``null`` deletes a key (US-3)."""
    merged = {**(current or {}), **change}
    return {key: value for key, value in merged.items() if value is not None}


def check_metadata_keys(name: Literal["user_metadata", "app_metadata"], value: Metadata) -> None:
    """Refuse keys that cannot be searched for later (US-14). Raises ``BadRequest``."""
    for key in value:
        if not _good_key(key):
            raise BadRequest(
                f"{name} keys must not be empty, longer than 100 characters or contain '.' or '$'.", path=name
            )


def check_metadata_size(name: Literal["user_metadata", "app_metadata"], value: Metadata | None) -> None:
    """Refuse metadata that is larger than any (US-12). Raises ``BadRequest``."""
    size = metadata_size(value)
    if size > MOST_METADATA:
        raise BadRequest(f"Metadata is too large ({size} bytes), maximum {MOST_METADATA}", path=name)


_AS_STORED: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def metadata_size(value: Metadata | None) -> int:
    """Return the bytes of metadata, written as JSON."""
    return len(_AS_STORED.encode(value).encode()) if value else 0


def _good_key(key: str) -> bool:
    return 1 <= len(key) <= 100 and "." not in key and "$" not in key
