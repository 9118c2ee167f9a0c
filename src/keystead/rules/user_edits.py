"""What an administrator says about an account: a new one, or a change to one (auth0-behaviour 2.5)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import BadRequest
from keystead.rules.account_changes import NewIdentifier, NewPassword
from keystead.rules.action_scripts import CHANGED_BY, ScriptName
from keystead.rules.complaints import complaint, parse, type_of
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind, canonical
from keystead.rules.profiles import (
    ADVISED_METADATA,
    ROOT_FIELDS,
    Draft,
    Metadata,
    Profile,
    check_metadata_keys,
    check_metadata_size,
    merge_metadata,
    metadata_size,
)
from keystead.rules.revocation import Event
from keystead.rules.verification import Verifiable
from keystead.secrecy import Secret

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")

_NOT_TOGETHER: Final = (
    ("password", "email"),
    ("password", "email_verified"),
    ("username", "email"),
    ("username", "email_verified"),
    ("username", "password"),
)
"""What one PATCH cannot change at once (US-4)."""

_NO_USERNAMES: Final = "Cannot set username for connection without requires_username."
_NOTHING_TO_LOG_IN_WITH: Final = "At least one identifier is required: {}."

_VERIFIED: Final[dict[IdentifierKind, str]] = {"email": "email_verified", "phone_number": "phone_verified"}

_COLUMNS: Final = (
    *("blocked", "email_verified", "phone_verified"),
    *("name", "nickname", "given_name", "family_name", "picture"),
)
_METADATA: Final[tuple[Literal["user_metadata", "app_metadata"], ...]] = ("user_metadata", "app_metadata")


def _web_address(text: str) -> str:
    if not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text:
        raise ValueError(f"Object didn't pass validation for format strict-uri: {text[:100]}")
    return text


def _segment(text: str) -> str:
    # A slash would end the path segment of the URLs that the account is reached by, however it is encoded.
    if "/" in text or not text.isprintable():
        raise ValueError(f"String does not match pattern ^[^\\s/]*$: {text[:100]}")
    return text


Short = Annotated[str, Field(min_length=1, max_length=150)]
Long = Annotated[str, Field(min_length=1, max_length=300)]
Picture = Annotated[str, Field(max_length=2048), AfterValidator(_web_address)]
Phone = Annotated[str, Field(pattern=r"^\+[0-9]{1,15}$")]
Username = Annotated[str, Field(min_length=1, max_length=128)]
UserId = Annotated[str, Field(max_length=255, pattern=r"^\S*$"), AfterValidator(_segment)]


class NewUser(BaseModel):
    """The body of ``POST /api/v2/users``, but for the password, which travels wrapped."""

    model_config = _CLOSED

    connection: Annotated[str, Field(min_length=1)]
    email: str | None = None
    phone_number: Phone | None = None
    username: Username | None = None
    user_id: UserId | None = None
    email_verified: bool = False
    phone_verified: bool = False
    verify_email: bool | None = None
    verify_phone_number: bool | None = None
    blocked: bool | None = None
    given_name: Short | None = None
    family_name: Short | None = None
    name: Long | None = None
    nickname: Long | None = None
    picture: Picture | None = None
    user_metadata: Metadata | None = None
    app_metadata: Metadata | None = None


class UserEdit(BaseModel):
    """The body of ``PATCH /api/v2/users/{id}``, but for the password, which travels wrapped.

    Identifiers, names and picture take ``null``, which removes them.
    """

    model_config = _CLOSED

    connection: Annotated[str, Field(min_length=1)] | None = None
    client_id: Annotated[str, Field(min_length=1)] | None = None
    email: str | None = None
    phone_number: Phone | None = None
    username: Username | None = None
    blocked: bool = False
    email_verified: bool = False
    phone_verified: bool = False
    verify_email: bool = False
    verify_phone_number: bool = False
    given_name: Short | None = None
    family_name: Short | None = None
    name: Long | None = None
    nickname: Long | None = None
    picture: Picture | None = None
    user_metadata: Metadata = {}
    app_metadata: Metadata = {}


def read_new(body: Mapping[str, Any]) -> tuple[NewUser, Secret[str] | None]:
    """Read the body of a POST, the password apart. Raises ``BadRequest``."""
    new = parse(NewUser, {name: value for name, value in body.items() if name != "password"})
    _check_keys(new)
    return new, None if body.get("password") is None else _password(body["password"])


def read_edit(body: Mapping[str, Any]) -> tuple[UserEdit, Secret[str] | None]:
    """Read the body of a PATCH, the password apart. Raises ``BadRequest``; texts as recorded (US-4)."""
    try:
        edit = UserEdit.model_validate({name: value for name, value in body.items() if name != "password"})
    except ValidationError as error:
        raise complaint(error) from None
    for name in ("connection", "client_id"):
        if name in body and body[name] is None:
            raise BadRequest("Expected type string but found type null", path=name)
    _check_keys(edit)
    password = _password(body["password"]) if "password" in body else None
    for one, other in _NOT_TOGETHER:
        if one in body and other in body:
            raise BadRequest(f"Cannot update {one} and {other} simultaneously.")
    return edit, password


def draft(new: NewUser, options: ConnectionOptions, *, password: bool) -> Draft:
    """Return the account that an administrator asks for, held against the connection (ID-4, ID-11, PW-15).

    Raises ``BadRequest``, ``InvalidIdentifier``.
    """
    _check_members(new, options)
    _check_password(options, given=password)
    found = tuple(_identifiers(new, options))
    if not any(each.kind in options.active_identifiers() for each in found):
        raise BadRequest(_NOTHING_TO_LOG_IN_WITH.format(", ".join(options.active_identifiers())))
    for name in _METADATA:
        check_metadata_size(name, getattr(new, name))
    given = new.model_dump(include={*_COLUMNS, *_METADATA})
    return Draft(identifiers=found, shared=options.shared_kinds(), local_id=new.user_id or None, **given)


def new_identifiers(edit: UserEdit, profile: Profile, options: ConnectionOptions) -> dict[IdentifierKind, str | None]:
    """Return the identifiers that a PATCH changes, in canonical form; ``None`` takes one away.

    Raises ``InvalidIdentifier``, and ``BadRequest`` for what the connection's accounts cannot have or must have.
    """
    # What is there already is not judged again: rules may have changed since.
    given = [kind for kind in KINDS if kind in edit.model_fields_set and getattr(edit, kind) != profile.value_of(kind)]
    read = {kind: _read(kind, getattr(edit, kind), options) for kind in given}
    found = {kind: value for kind, value in read.items() if value != profile.value_of(kind)}
    if found.get("username") and "username" not in options.stored_attributes():
        raise BadRequest(_NO_USERNAMES)
    if None in found.values():
        _check_removal(found, profile.having(found), options)
    return found


def _read(kind: IdentifierKind, value: str | None, options: ConnectionOptions) -> str | None:
    return None if value is None else canonical(kind, value, options.username_rules()).value


def _check_removal(found: Mapping[IdentifierKind, str | None], after: Profile, options: ConnectionOptions) -> None:
    missing = next((kind for kind in _required(options) if kind in found and found[kind] is None), None)
    if missing is not None:
        raise BadRequest(f"Missing required property: {missing}", path="")
    if not any(after.value_of(kind) for kind in options.active_identifiers()):
        raise BadRequest(_NOTHING_TO_LOG_IN_WITH.format(", ".join(options.active_identifiers())))


def changes(
    edit: UserEdit, profile: Profile, identifiers: Mapping[IdentifierKind, str | None] | None = None
) -> dict[str, Any]:
    """Return the columns that a PATCH sets: named members are replaced, metadata is merged one level deep (US-3).

    Empty metadata removes all of it, as Auth0 documents. A new address is nobody's yet, unless it is said to be
    verified (VF-5); what is verified, or gone, need not be verified any more. Raises ``BadRequest``.
    """
    given, identifiers = edit.model_fields_set, identifiers or {}
    values: dict[str, Any] = {str(kind): value for kind, value in identifiers.items()}
    values |= {_VERIFIED[kind]: False for kind in identifiers if kind in _VERIFIED}
    values |= {name: getattr(edit, name) for name in _COLUMNS if name in given}
    for name in _METADATA:
        if name in given:
            values[name] = _merged(getattr(profile, name), getattr(edit, name))
            check_metadata_size(name, values[name])
    after = profile.model_copy(update=values)
    verified = after.verified_kinds()
    values["must_verify"] = [kind for kind in profile.must_verify if after.value_of(kind) and kind not in verified]
    return {name: value for name, value in values.items() if getattr(profile, name) != value}


def check_kept_elsewhere(edit: UserEdit, options: ConnectionOptions, connection: str, *, password: bool) -> None:
    """Refuse what the customer's own database says of its people (US-11). Raises ``BadRequest``.

    Metadata and blocks are ours. An identifier and a password can be changed where there is a script to do it there,
    and names where they do not follow that database.
    """
    scripts: dict[str, ScriptName] = {str(kind): name for kind, name in CHANGED_BY.items()}
    scripts |= {"password": "change_password"}
    given = set(edit.model_fields_set) | ({"password"} if password else set())
    may = {*_METADATA, "blocked", "connection", "client_id", "verify_email", "verify_phone_number"}
    may |= {
        name for name, script in scripts.items() if not options.lacks(script) and getattr(edit, name, "") is not None
    }
    may |= {verified for kind, verified in _VERIFIED.items() if kind in given & may}
    may |= set() if options.root_attributes == "on_each_login" else set(ROOT_FIELDS)
    if given - may:
        names = ", ".join(sorted(given - may))
        raise BadRequest(
            f"The database of the connection {connection} keeps this of its users, change it there: {names}"
        )


def told(
    edit: UserEdit,
    profile: Profile,
    identifiers: Mapping[IdentifierKind, str | None],
    password: Secret[str] | None,
) -> Iterator[NewIdentifier | NewPassword]:
    """Give what a customer's database is told of a change."""
    for kind, after in identifiers.items():
        verified = kind in _VERIFIED and bool(getattr(edit, _VERIFIED[kind]))
        yield NewIdentifier(kind, profile.value_of(kind), after, verified)
    if password is not None:
        yield NewPassword(password)


def large_metadata(profile: Profile) -> dict[str, int]:
    """Return the bytes of metadata that is larger than advised, for the journal (US-12)."""
    sizes = {name: metadata_size(getattr(profile, name)) for name in _METADATA}
    return {name: size for name, size in sizes.items() if size > ADVISED_METADATA}


def endings(values: Mapping[str, Any], *, password: bool) -> Iterator[Event]:
    """Give what a change means for all that was handed out to the account (US-15)."""
    if password:
        yield Event.PASSWORD_RESET
    if values.get("blocked"):
        yield Event.BLOCKED
    if "email" in values or values.get("email_verified") is False:
        yield Event.EMAIL_CHANGED
    elif "phone_number" in values or "username" in values:
        yield Event.IDENTIFIER_CHANGED


def asked_to_verify(said: NewUser | UserEdit, profile: Profile) -> tuple[Verifiable, ...]:
    """Return what the owner of an account is asked to verify after a change (VF-5).

    A new account's e-mail address, unless nobody wants that; everything else only where it was asked for. Nobody is
    asked about what is verified already.
    """
    email = said.verify_email if isinstance(said, UserEdit) else said.verify_email is not False
    wanted: dict[Verifiable, bool | None] = {"email": email, "phone_number": said.verify_phone_number}
    return tuple(
        kind for kind, asked in wanted.items() if asked and profile.value_of(kind) and not profile.is_verified(kind)
    )


def _merged(current: Metadata | None, change: Metadata) -> Metadata | None:
    return merge_metadata(current, change) or None if change else None


def _password(value: object) -> Secret[str]:
    if not isinstance(value, str):
        raise BadRequest(f"Expected type string but found type {type_of(value)}", path="password")
    if not value:
        raise BadRequest("String is too short (0 chars), minimum 1", path="password")
    return Secret(value)


def _check_keys(said: NewUser | UserEdit) -> None:
    for name in _METADATA:
        check_metadata_keys(name, getattr(said, name) or {})


def _check_members(new: NewUser, options: ConnectionOptions) -> None:
    """Refuse what the connection's accounts cannot have, and miss what they must."""
    if new.username is not None and "username" not in options.stored_attributes():
        raise BadRequest(_NO_USERNAMES)
    if options.attributes is None and options.requires_username and new.username is None:
        raise BadRequest(
            "Missing username for Username-Password-Authentication connection with requires_username enabled"
        )
    missing = next((kind for kind in _required(options) if getattr(new, kind) is None), None)
    if missing is not None:
        raise BadRequest(f"Missing required property: {missing}", path="")


def _required(options: ConnectionOptions) -> tuple[IdentifierKind, ...]:
    """Return what every account of the connection must have, however it is made or changed (ID-4, ID-16)."""
    if options.attributes is None:
        return ("email", "username") if options.requires_username else ("email",)
    return tuple(kind for kind in KINDS if (found := getattr(options.attributes, kind)) and found.profile_required)


def _check_password(options: ConnectionOptions, *, given: bool) -> None:
    password = options.methods.password
    if given and not password.enabled:
        raise BadRequest("The connection does not take passwords.", path="password")
    if not given and password.enabled and password.api_behavior == "required":
        raise BadRequest("Missing required property: password", path="")


def _identifiers(new: NewUser, options: ConnectionOptions) -> list[Identifier]:
    """E-mail and phone are unique within the connection even where nobody logs in with them (ID-11)."""
    rules = options.username_rules()
    return [canonical(kind, value, rules) for kind in KINDS if (value := getattr(new, kind)) is not None]
