"""What a request to make or change a connection says beside its options (auth0-behaviour 3.1)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import BadRequest
from keystead.rules.complaints import once_each, parse, reason
from keystead.rules.profiles import merge_metadata

STRATEGY: Final = "auth0"
"""The one strategy: a database connection."""

MAX_METADATA: Final = 10

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")


Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$")]
Realms = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")]],
    Field(max_length=10),
    AfterValidator(once_each),
]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=255)], Annotated[str, Field(max_length=255)] | None],
    Field(max_length=MAX_METADATA),
]


class Authentication(BaseModel):
    """``authentication``: whether the connection can be used for login."""

    model_config = _CLOSED
    active: bool


class ConnectedAccounts(BaseModel):
    """``connected_accounts``: kept and shown; there is nothing to connect to."""

    model_config = _CLOSED
    active: bool
    cross_app_access: bool | None = None


class RequestingApp(BaseModel):
    """``cross_app_access_requesting_app``: taken, so that a body of Auth0's passes, and not kept."""

    model_config = _CLOSED
    active: bool


class ConnectionEdit(BaseModel):
    """The body of a PATCH. ``id``, ``name`` and ``strategy`` may repeat what is, so that a GET can be sent back."""

    model_config = _CLOSED

    id: str | None = None
    name: str | None = None
    strategy: str | None = None
    display_name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    options: dict[str, Any] | None = None
    enabled_clients: list[str] | None = None
    """Not acted on: Auth0 stopped to, and a list that a tool read long ago must not take clients off (CN-5)."""
    is_domain_connection: bool | None = None
    show_as_button: bool | None = None
    realms: Realms | None = None
    metadata: Metadata | None = None
    authentication: Authentication | None = None
    connected_accounts: ConnectedAccounts | None = None
    cross_app_access_requesting_app: RequestingApp | None = None


class NewConnection(BaseModel):
    """The body of a POST."""

    model_config = _CLOSED

    name: Name
    strategy: str
    display_name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    options: dict[str, Any] = {}
    enabled_clients: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=1000)] = []
    is_domain_connection: bool = False
    show_as_button: bool | None = None
    realms: Realms = []
    metadata: Metadata | None = None
    authentication: Authentication = Authentication(active=True)
    connected_accounts: ConnectedAccounts = ConnectedAccounts(active=False)
    cross_app_access_requesting_app: RequestingApp | None = None


class OptionsPreview(BaseModel):
    """The body of a preview: the options that a PATCH would send."""

    model_config = _CLOSED
    options: dict[str, Any]


class ClientSwitch(BaseModel):
    """One entry of ``PATCH /connections/{id}/clients``."""

    model_config = _CLOSED
    client_id: Annotated[str, Field(min_length=1, max_length=64)]
    status: bool


def read_new(body: Mapping[str, Any]) -> NewConnection:
    """Read the body of a POST. Raises ``BadRequest``."""
    new = parse(NewConnection, body)
    if new.strategy != STRATEGY:
        raise BadRequest(f"No enum match for: {new.strategy[:100]}", path="strategy")
    return new


def read_edit(body: Mapping[str, Any]) -> ConnectionEdit:
    """Read the body of a PATCH. Raises ``BadRequest``."""
    return parse(ConnectionEdit, body)


def read_preview(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read the body of a preview. Raises ``BadRequest``."""
    return parse(OptionsPreview, body).options


def columns(
    edit: ConnectionEdit, *, name: str, display_name: str | None, about: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what a PATCH changes beside options and realms. Raises ``BadRequest``.

    A display name that is left out goes back to the name (CN-3); one that was never there stays away, so that sending
    back what was read changes nothing.
    """
    values: dict[str, Any] = {"display_name": edit.display_name or (name if display_name is not None else None)}
    if edit.is_domain_connection is not None:
        values["is_domain_connection"] = edit.is_domain_connection
    if edit.show_as_button is not None:
        values["show_as_button"] = edit.show_as_button
    if edit.authentication is not None:
        values["active"] = edit.authentication.active
    if edit.connected_accounts is not None:
        values["connected_accounts"] = edit.connected_accounts.model_dump(exclude_none=True)
    if edit.metadata is not None:
        values["about"] = kept_metadata(about, edit.metadata)
    return values


def kept_metadata(current: Mapping[str, Any] | None, change: Mapping[str, Any]) -> dict[str, Any] | None:
    """Merge metadata; ``null`` deletes a key. Raises ``BadRequest`` where there would be too many (CN-9)."""
    merged = merge_metadata(dict(current or {}), dict(change))
    if len(merged) > MAX_METADATA:
        raise BadRequest(f"Too many properties defined ({len(merged)}), maximum {MAX_METADATA}", path="metadata")
    return merged or None


def check_unchanged(edit: ConnectionEdit, *, id: str, name: str) -> None:
    """Refuse a PATCH that would change what never changes (CN-3). Raises ``BadRequest``."""
    for member, now in (("id", id), ("name", name), ("strategy", STRATEGY)):
        if getattr(edit, member) not in (None, now):
            raise BadRequest(f"Additional properties not allowed: {member}", path="")


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[str]:
    """Return the dotted names of the members that differ, for the journal: values may not be for everybody's eyes."""
    found: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{path}{name}.")
        elif old != new:
            found.append(f"{path}{name}")
    return found


def read_switch(position: int, entry: object) -> ClientSwitch:
    """Read one entry of a list of clients to enable or disable. Raises ``BadRequest``."""
    try:
        return ClientSwitch.model_validate(entry)
    except ValidationError as error:
        path, text = reason(error)
        raise BadRequest(text, path=f"{position}.{path}".rstrip(".")) from None
