"""What an action script returns about a person: read strictly, and held against our row (auth0-behaviour 5.3).

It is what somebody else's program says. Who it is must be plain, or it is refused, with a text for administrators;
what only decorates is cut or left out, since nobody should be locked out by their picture.
"""

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from keystead.errors import BadRequest, InvalidIdentifier
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind, UsernameRules, canonical, claims
from keystead.rules.profiles import (
    Draft,
    Metadata,
    Profile,
    check_metadata_keys,
    check_metadata_size,
    merge_metadata,
)

MOST_OTHERS: Final = 102_400
"""Bytes of all members that nobody here defined."""

MARK: Final = "elsewhere$"
"""What stands in place of a hash where the customer's database keeps the password. No password matches it."""

TOKENS: Final = ("access_token", "refresh_token")
"""Of a returned profile: shown to whoever may read them, in the identity (CD-9)."""

_REPLACED: Final = "\ufffd"
"""In place of what no database stores. Two texts that differ only there look the same: they tell nobody apart."""
_DEEPEST: Final = 20
_LONGEST_ID: Final = 255
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_ID: Final = re.compile(r"[^\s/]+")
_NAMES: Final = {"name": 300, "nickname": 300, "given_name": 150, "family_name": 150, "picture": 2048}
_OURS: Final = frozenset(
    {
        *("user_id", "id", "_id", "identities", "provider", "connection", "tenant", "client_id", "blocked"),
        *("created_at", "updated_at", "last_login", "last_ip", "logins_count", "last_password_reset", "multifactor"),
        *("email_verified", "phone_verified", "user_metadata", "app_metadata", *KINDS, *_NAMES),
    }
)
"""Members that say something here already: what a script says by them is read on purpose, or not at all."""

_SECRETS: Final = (*TOKENS, "mfa_factors")
_HASHES: Final = re.compile(
    r"(?<!com)pass(?!port|enger|ion|ive)|pwd|(?<![a-z])pw(?![a-z])|pw$|(?<!geo)hash(?!tag)|salt|secret(?!ar)|digest",
    re.IGNORECASE,
)
"""Members that are dropped, at any depth: scripts that select every column return the hash with it.

Rather a name too many: a hash that is kept is shown to administrators, and what is dropped can have another name.
"""

_AS_THERE: Final = UsernameRules(1, 128, may_be_email=True, may_be_phone=True)
"""Rules for new usernames do not apply: these are old."""

_VERIFIED: Final[Mapping[IdentifierKind, str]] = {"email": "email_verified", "phone_number": "phone_verified"}
_METADATA: Final[tuple[Literal["user_metadata", "app_metadata"], ...]] = ("user_metadata", "app_metadata")


class UnusableProfile(ValueError):
    """What a script returned cannot be anybody's profile; why, in words for administrators."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A person as the customer's database has them."""

    local_id: str
    identifiers: Mapping[IdentifierKind, str | None]
    """Of the kinds that the profile speaks of, or by which the person was found; ``None`` where there is none."""
    email_verified: bool | None
    phone_verified: bool | None
    names: Mapping[str, str | None]
    metadata: Mapping[str, Metadata]
    others: Mapping[str, Any]
    extras: Mapping[str, Any]
    """What is sealed: tokens (CD-9), second factors (MG-8), and identifiers as they are spelled there."""

    @property
    def user_id(self) -> str:
        """Return the id of our row."""
        return f"auth0|{self.local_id}"

    def verified(self, kind: IdentifierKind) -> bool | None:
        """Whether the identifier of a kind is verified; ``None`` where nothing was said."""
        return {"email": self.email_verified, "phone_number": self.phone_verified, "username": None}[kind]


def is_mark(stored: str | None) -> bool:
    """Whether the customer's database keeps the password."""
    return stored is not None and stored.startswith(MARK)


def read(value: object, options: ConnectionOptions, found_by: Iterable[Identifier] = ()) -> Returned:
    """Read what a script called back with. Raises ``UnusableProfile``.

    ``found_by`` are identifiers by which the script found the person: theirs, where the profile says nothing of that
    kind, and does not name the text as one of another kind. ``null``, and what cannot be read, say that there is none.
    """
    if not isinstance(value, dict):
        raise UnusableProfile(f"a profile must be an object, not {type(value).__name__}")
    given: dict[str, Any] = _clean(value, _DEEPEST)
    identifiers, spelled, wrong = _identifiers(given, options)
    for each in _theirs(found_by, given, dict(identifiers), options):
        identifiers[each.kind] = each.value
        spelled |= {each.kind: each.typed} if each.typed and each.typed != each.value else {}
    _check_required(identifiers, wrong, options)
    extras: dict[str, Any] = {name: given[name] for name in _SECRETS if given.get(name) is not None}
    return Returned(
        local_id=local_id(given["user_id"] if given.get("user_id") not in (None, "") else given.get("id")),
        identifiers=identifiers,
        email_verified=_flag(given, "email_verified"),
        phone_verified=_flag(given, "phone_verified"),
        names=_names(given, options),
        metadata=_metadata(given),
        others=_others(given, options),
        extras=extras | ({"as_spelled": spelled} if spelled else {}),
    )


def local_id(value: object) -> str:
    """Return an id as text (5.3: numbers are written out). Raises ``UnusableProfile``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not text:
        raise UnusableProfile("a profile needs a user_id")
    if len(text) > _LONGEST_ID or not text.isprintable() or not _ID.fullmatch(text) or _REPLACED in text:
        raise UnusableProfile(f"user_id must be at most {_LONGEST_ID} characters without spaces and slashes")
    return text


def hashes_in(profile: Mapping[str, Any]) -> Iterator[str]:
    """Give the names, with dots where they are nested, of members that are dropped since they look like a hash."""
    left = [(name, name, value) for name, value in profile.items() if name not in _OURS and name not in _SECRETS]
    while left:
        path, name, value = left.pop()
        if _HASHES.search(name):
            yield path
        elif isinstance(value, list | dict):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            left += [(f"{path}.{each}", str(each), found) for each, found in inner]


def spelled(extras: Mapping[str, Any], identifier: Identifier) -> str:
    """Return how an identifier is spelled in the customer's database, as far as we were told."""
    text = (extras.get("as_spelled") or {}).get(identifier.kind)
    return text if isinstance(text, str) and _reads_as(identifier.kind, text, identifier.value) else identifier.value


def _reads_as(kind: IdentifierKind, text: str, value: str) -> bool:
    """Whether a text is a spelling of an identifier."""
    try:
        return canonical(kind, text, _AS_THERE).value == value
    except InvalidIdentifier:
        return False


def new_account(found: Returned, options: ConnectionOptions, asked: Draft | None) -> Draft:
    """Return the account for somebody whom we meet for the first time; ``asked`` is the sign-up, if it is one."""
    asked = asked or Draft(identifiers=())
    given = tuple(Identifier(kind, value) for kind in KINDS if (value := found.identifiers.get(kind)) is not None)
    proved = {each.kind for each in given if found.verified(each.kind) or _was_proved(asked, each)}
    values: dict[str, Any] = {}
    if options.root_attributes != "never_on_login":
        values = {name: value for name, value in found.names.items() if value is not None}
    for name in _METADATA:
        values[name] = merge_metadata(getattr(asked, name), found.metadata.get(name, {})) or None
    values |= {
        "identifiers": given,
        "email_verified": "email" in proved,
        "phone_verified": "phone_number" in proved,
        "must_verify": sorted({each.kind for each in given}.intersection(asked.must_verify) - proved),
        "proved": (),
        "shared": options.shared_kinds(),
        "local_id": found.local_id,
    }
    return asked.model_copy(update=values)


def unproved(draft: Draft, found_by: Identifier, kept: Collection[IdentifierKind]) -> list[Identifier]:
    """Return the identifiers that a new account would claim on nothing but the word of its profile.

    Whoever writes somebody else's address into a profile there, and comes here first, would keep its owner out. So
    would whoever has it for a username: that claims the address, too, where accounts have addresses (``kept``).
    """
    proved = {"email": draft.email_verified, "phone_number": draft.phone_verified}
    claimed = [each for each in draft.identifiers if each.kind not in draft.shared]
    own = {*draft.identifiers}
    asked = {
        each
        for each in (found_by, *found_by.otherwise)
        if all(claim in own or claim.kind not in kept for claim in claims(each) if claim.kind != each.kind)
    }
    return [each for each in claimed if not proved.get(each.kind) and each not in asked]


def changes(found: Returned, profile: Profile, options: ConnectionOptions) -> dict[str, Any]:
    """Return the columns of our row that differ from what the customer's database has (CD-8).

    Metadata was taken when we met: from then on it is ours, and changed here. So are ``blocked`` and what passkeys hang
    on. An identifier of which nothing was said stays.
    """
    values: dict[str, Any] = {str(kind): value for kind, value in found.identifiers.items()}
    values |= _verifications(found, profile)
    if options.root_attributes == "on_each_login":
        # What accounts have by default is kept where the customer's database has nothing.
        always = ("name", "nickname", "picture")
        values |= {name: text for name, text in found.names.items() if text is not None or name not in always}
    values["other_attributes"] = dict(found.others) or None
    after = profile.model_copy(update=values)
    verified = after.verified_kinds()
    values["must_verify"] = [kind for kind in profile.must_verify if after.value_of(kind) and kind not in verified]
    return {name: value for name, value in values.items() if getattr(profile, name) != value}


def _verifications(found: Returned, profile: Profile) -> dict[str, bool]:
    """Return which identifiers are verified: as is said there, else as it was, for the identifier that it was of."""
    values = {}
    for kind, column in _VERIFIED.items():
        value = found.identifiers.get(kind, profile.value_of(kind))
        kept = profile.is_verified(kind) and value == profile.value_of(kind)
        said = found.verified(kind)
        values[column] = value is not None and (kept if said is None else said)
    return values


def _was_proved(asked: Draft, identifier: Identifier) -> bool:
    """Whether whoever signs up has shown that the identifier is theirs."""
    proved = {"email": asked.email_verified, "phone_number": asked.phone_verified}
    return proved.get(identifier.kind, False) and asked.value_of(identifier.kind) == identifier.value


def _identifiers(
    given: Mapping[str, Any], options: ConnectionOptions
) -> tuple[dict[IdentifierKind, str | None], dict[str, str], dict[IdentifierKind, str]]:
    """Return identifiers in canonical form, as they are spelled where that differs, and why others cannot be read.

    One that cannot be read is none: a telephone number that was never international must lock nobody out.
    """
    found: dict[IdentifierKind, str | None] = {}
    spelled: dict[str, str] = {}
    wrong: dict[IdentifierKind, str] = {}
    for kind in KINDS:
        if kind not in given or kind not in options.stored_attributes():
            continue
        value = given[kind]
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        found[kind] = None
        if not text:
            continue
        if _REPLACED in text:
            wrong[kind] = f"{kind} has characters that cannot be stored"
            continue
        try:
            found[kind] = canonical(kind, text, _AS_THERE).value
        except InvalidIdentifier as refusal:
            wrong[kind] = refusal.text
            continue
        if found[kind] != text:
            spelled[kind] = text
    return found, spelled, wrong


def _theirs(
    found_by: Iterable[Identifier],
    given: Mapping[str, Any],
    named: Mapping[IdentifierKind, str | None],
    options: ConnectionOptions,
) -> Iterator[Identifier]:
    """Give the identifiers by which somebody was found, of kinds of which the profile says nothing.

    But not a text that it names as one of another kind: a username that is somebody else's address finds its holder,
    and makes the address no more theirs.
    """
    for each in found_by:
        elsewhere = any(value and _reads_as(kind, each.as_typed, value) for kind, value in named.items())
        if each.kind in options.stored_attributes() and each.kind not in given and not elsewhere:
            yield each


def _check_required(
    identifiers: Mapping[IdentifierKind, str | None], wrong: Mapping[IdentifierKind, str], options: ConnectionOptions
) -> None:
    """With ``attributes``, what every profile must have is there (5.3); with or without, something is."""
    attributes = options.attributes
    required = [kind for kind in KINDS if attributes and (each := getattr(attributes, kind)) and each.profile_required]
    missing = next((kind for kind in required if not identifiers.get(kind)), None)
    if missing is None and not any(identifiers.values()):
        missing = next(iter(wrong), "email")
    if missing is not None:
        raise UnusableProfile(f"a profile needs {missing}. {wrong.get(missing, '')}".strip())


def _flag(given: Mapping[str, Any], name: str) -> bool | None:
    value = given.get(name)
    if value is None:
        return None
    if value in (True, False):  # 1 and 0 too, as MySQL has them
        return bool(value)
    raise UnusableProfile(f"{name} must be true or false")


def _names(given: Mapping[str, Any], options: ConnectionOptions) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, longest in _NAMES.items():
        if name not in given or name in options.non_persistent_attrs:
            continue
        if not isinstance(given[name] or "", str):
            raise UnusableProfile(f"{name} must be a text")
        found[name] = (given[name] or "")[:longest] or None
    if not _is_picture(found.get("picture") or "https://"):
        del found["picture"]
    return found


def _is_picture(text: str) -> bool:
    return text.startswith(("https://", "http://")) and text.isprintable()


def _metadata(given: Mapping[str, Any]) -> dict[str, Metadata]:
    found: dict[str, Metadata] = {}
    for name in _METADATA:
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, dict):
            raise UnusableProfile(f"{name} must be an object")
        try:
            check_metadata_keys(name, value)
            check_metadata_size(name, value)
        except BadRequest as refusal:
            raise UnusableProfile(refusal.text) from None
        found[name] = value
    return found


def _others(given: Mapping[str, Any], options: ConnectionOptions) -> dict[str, Any]:
    left_out: Collection[str] = {*_OURS, *_SECRETS, *options.non_persistent_attrs}
    own = {name: value for name, value in given.items() if value is not None and name not in left_out}
    found: dict[str, Any] = _without_hashes(own)
    size = len(json.dumps(found, ensure_ascii=False).encode())
    if size > MOST_OTHERS:
        raise UnusableProfile(f"a profile has {size} bytes of members of its own, at most {MOST_OTHERS} are taken")
    return found


def _without_hashes(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_hashes(each) for each in value]
    if isinstance(value, dict):
        return {name: _without_hashes(each) for name, each in value.items() if not _HASHES.search(name)}
    return value


def _clean(value: object, depth: int) -> Any:
    """Return a value without what no database stores (NUL, half a surrogate). Raises ``UnusableProfile``."""
    if isinstance(value, str):
        return _UNSTORABLE.sub(_REPLACED, value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if depth > 0 and isinstance(value, list | dict):
        return _inner(value, depth - 1)
    raise UnusableProfile("a profile holds values of JSON, not too deep")


def _inner(value: list[Any] | dict[Any, Any], depth: int) -> Any:
    if isinstance(value, list):
        return [_clean(each, depth) for each in value]
    return {_clean(str(name), 0): _clean(each, depth) for name, each in value.items()}
