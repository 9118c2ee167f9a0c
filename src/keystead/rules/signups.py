"""What a sign-up says about a person, held against what the connection asks for."""

from collections.abc import Mapping

from keystead.errors import InvalidIdentifier, InvalidSignup
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import KINDS, Identifier, canonical
from keystead.rules.profiles import Draft, Profile, public_metadata, root_fields


def read_draft(body: Mapping[str, object], options: ConnectionOptions) -> Draft:
    """Return the account that a sign-up asks for (ID-3, SU-3).

    Raises ``InvalidIdentifier`` for an identifier that is missing, malformed or not taken here, ``InvalidSignup``
    where nothing is left to log in with, and ``BadRequest`` for profile members of the wrong form.
    """
    found = identifiers_of(body, options)
    active = options.active_identifiers()
    if not any(identifier.kind in active for identifier in found):
        raise InvalidSignup("At least one identifier is required.")
    metadata = public_metadata(body.get("user_metadata"))
    return Draft(identifiers=found, user_metadata=metadata, **root_fields(body))


def identifiers_of(body: Mapping[str, object], options: ConnectionOptions) -> tuple[Identifier, ...]:
    """Return the identifiers of a sign-up in canonical form. Raises ``InvalidIdentifier``."""
    statuses = options.signup_attributes()
    found = []
    for kind in KINDS:
        value, status = body.get(kind), statuses.get(kind, "inactive")
        if value is None or value == "":
            if status == "required":
                raise InvalidIdentifier(kind, f"{kind} is required")
            continue
        if status == "inactive":
            raise InvalidIdentifier(kind, f"{kind} is not allowed")
        if not isinstance(value, str):
            raise InvalidIdentifier(kind, f"{kind} must be a text")
        found.append(canonical(kind, value, options.username_rules()))
    return tuple(found)


def identifiers_of_profile(profile: Profile) -> tuple[Identifier, ...]:
    """Return what an account logs in with, as a draft has it."""
    values = {"email": profile.email, "phone_number": profile.phone_number, "username": profile.username}
    return tuple(Identifier(kind, value) for kind in KINDS if (value := values[kind]))


def check_password_given(options: ConnectionOptions, *, given: bool) -> None:
    """Refuse a password where there must be none, and the reverse (PW-15, SU-5). Raises ``InvalidSignup``."""
    password = options.methods.password
    if given and (not password.enabled or password.signup_behavior == "block"):
        raise InvalidSignup("password is not allowed")
    if not given and password.enabled and password.api_behavior == "required":
        raise InvalidSignup("password is required")
