"""What an administrator says about an account: a new one, or a change to one (auth0-behaviour 2.5)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import BadRequest
from keystead.rules.complaints import complaint, parse, type_of
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import KINDS, Identifier, canonical
from keystead.rules.profiles import Draft, Metadata, Profile, check_metadata_keys, merge_metadata
from keystead.secrecy import Secret

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")

NOT_YET: Final = ("email", "phone_number", "username", "password", "connection", "client_id")
"""What Auth0 lets a PATCH change and Keystead does not yet."""

_COLUMNS: Final = (
    *("blocked", "email_verified", "phone_verified"),
    *("name", "nickname", "given_name", "family_name", "picture"),
)


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
UserId = Annotated[str, Field(max_length=255, pattern=r"^\S*$"), AfterValidator(_segment)]


class NewUser(BaseModel):
    """The body of ``POST /api/v2/users``, but for the password, which travels wrapped."""

    model_config = _CLOSED

    connection: Annotated[str, Field(min_length=1)]
    email: str | None = None
    phone_number: Annotated[str, Field(pattern=r"^\+[0-9]{1,15}$")] | None = None
    username: Annotated[str, Field(min_length=1, max_length=128)] | None = None
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
    """The body of ``PATCH /api/v2/users/{id}``. Names and picture take ``null``, which removes them."""

    model_config = _CLOSED

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
    _check_keys("user_metadata", new.user_metadata)
    _check_keys("app_metadata", new.app_metadata)
    password = body.get("password")
    if password is None:
        return new, None
    if not isinstance(password, str):
        raise BadRequest(f"Expected type string but found type {type_of(password)}", path="password")
    if not password:
        raise BadRequest("String is too short (0 chars), minimum 1", path="password")
    return new, Secret(password)


def read_edit(body: Mapping[str, Any]) -> UserEdit:
    """Read the body of a PATCH. Raises ``BadRequest``; also for what is not there yet, by name."""
    later = next((name for name in NOT_YET if name in body), None)
    if later is not None:
        raise BadRequest(f"{later} cannot be changed through the API yet", path=later)
    try:
        edit = UserEdit.model_validate(dict(body))
    except ValidationError as error:
        raise complaint(error) from None
    _check_keys("user_metadata", edit.user_metadata)
    _check_keys("app_metadata", edit.app_metadata)
    return edit


def draft(new: NewUser, options: ConnectionOptions, *, password: bool) -> Draft:
    """Return the account that an administrator asks for, held against the connection (ID-4, ID-11, PW-15).

    Raises ``BadRequest``, ``InvalidIdentifier``.
    """
    _check_members(new, options)
    _check_password(options, given=password)
    found = tuple(_identifiers(new, options))
    if not any(each.kind in options.active_identifiers() for each in found):
        wanted = ", ".join(options.active_identifiers())
        raise BadRequest(f"At least one identifier is required: {wanted}.")
    given = new.model_dump(include=set(_COLUMNS) | {"user_metadata", "app_metadata"})
    return Draft(identifiers=found, local_id=new.user_id or None, **given)


def changes(edit: UserEdit, profile: Profile) -> dict[str, Any]:
    """Return the columns that a PATCH sets: named members are replaced, metadata is merged one level deep (US-3).

    Empty metadata removes all of it, as Auth0 documents.
    """
    given = edit.model_fields_set
    values: dict[str, Any] = {name: getattr(edit, name) for name in _COLUMNS if name in given}
    if "user_metadata" in given:
        values["user_metadata"] = _merged(profile.user_metadata, edit.user_metadata)
    if "app_metadata" in given:
        values["app_metadata"] = _merged(profile.app_metadata, edit.app_metadata)
    return {name: value for name, value in values.items() if getattr(profile, name) != value}


def ends_sessions(values: Mapping[str, Any]) -> bool:
    """Whether a change ends the account's sessions: it is blocked, or its e-mail is not known to be theirs (US-15)."""
    return values.get("blocked") is True or values.get("email_verified") is False


def _merged(current: Metadata | None, change: Metadata) -> Metadata | None:
    return merge_metadata(current, change) or None if change else None


def _check_keys(name: Literal["user_metadata", "app_metadata"], value: Metadata | None) -> None:
    check_metadata_keys(name, value or {})


def _check_members(new: NewUser, options: ConnectionOptions) -> None:
    """Refuse what the connection's accounts cannot have, and miss what they must."""
    if new.username is not None and "username" not in options.stored_attributes():
        raise BadRequest("Cannot set username for connection without requires_username.")
    if options.attributes is None:
        required = ["email"]
        if options.requires_username and new.username is None:
            raise BadRequest(
                "Missing username for Username-Password-Authentication connection with requires_username enabled"
            )
    else:
        required = [kind for kind in KINDS if (found := getattr(options.attributes, kind)) and found.profile_required]
    missing = next((kind for kind in required if getattr(new, kind) is None), None)
    if missing is not None:
        raise BadRequest(f"Missing required property: {missing}", path="")


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
