"""Where a way to a new password or passkey is sent, and what the link or code in it says."""

from pydantic import BaseModel, ConfigDict

from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Profile
from keystead.rules.verification import Verifiable


class Destination(BaseModel):
    """An address of an account: an e-mail address, or a phone that takes texts."""

    model_config = ConfigDict(frozen=True)

    kind: Verifiable
    value: str


class ResetLink(BaseModel):
    """The record of a link to a new password."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    client_id: str = ""
    password: str
    """The fingerprint of the hash that it is to replace: a password that was changed since has used the link up."""
    proves: Destination | None = None
    marks: Destination | None = None
    """An address that whoever asked for the link says is of whoever opens it."""
    result_url: str = ""
    include_email: bool = True


class Recovery(BaseModel):
    """Who lost their passkeys, and the address that a code shows to be theirs."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    proves: Destination


def may_choose(options: ConnectionOptions) -> bool:
    """Whether people may replace a password that they forgot, or no longer want."""
    lacking = options.lacks("get_user") or options.lacks("change_password")
    return options.methods.password.enabled and not options.disable_self_service_change_password and not lacking


def goes_by_code(identifier: Identifier | None, options: ConnectionOptions) -> bool:
    """Whether the page asks for a code: decided by what was typed alone, never by whether somebody has it."""
    return identifier is not None and identifier.kind != "username" and options.by_code(identifier.kind)


def destination(profile: Profile, identifier: Identifier) -> Destination | None:
    """Return where to send a way in, for an account that was found by an identifier.

    To the address that was typed, where its owner has shown that it is theirs, or nobody has shown anything. An address
    that is not verified, on an account with one that is, may be somebody else's: they must not get into that account.
    """
    addresses: list[Destination] = []
    if profile.email:
        addresses.append(Destination(kind="email", value=profile.email))
    if profile.phone_number:
        addresses.append(Destination(kind="phone_number", value=profile.phone_number))
    addresses.sort(key=lambda each: (not profile.is_verified(each.kind), each.kind != identifier.kind))
    return addresses[0] if addresses else None


def verified_destination(profile: Profile, identifier: Identifier) -> Destination | None:
    """Return the same where nobody but the owner can read what is sent there; ``None`` where nothing was verified."""
    found = destination(profile, identifier)
    return found if found and profile.is_verified(found.kind) else None
