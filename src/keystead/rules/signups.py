"""What a sign-up says about a person, held against what the connection asks for."""

from collections.abc import Mapping

from keystead.errors import InvalidIdentifier, InvalidSignup
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import KINDS, Identifier, canonical, check_own_names
from keystead.rules.profiles import Draft, Profile, public_metadata, root_fields


def read_draft(
    body: Mapping[str, object], options: ConnectionOptions, proved: Mapping[str, str] | None = None
) -> Draft:
    """Return the account that a sign-up asks for (ID-3, SU-3).

    ``proved`` are identifiers, by kind, that whoever signs up has shown to be theirs.
    Raises ``InvalidIdentifier`` for an identifier that is missing, malformed or not taken here, ``InvalidSignup``
    where nothing is left to log in with, and ``BadRequest`` for profile members of the wrong form.
    """
    found = identifiers_of(body, options)
    active = options.active_identifiers()
    if not any(identifier.kind in active for identifier in found):
        raise InvalidSignup("At least one identifier is required.")
    metadata = public_metadata(body.get("user_metadata"))
    shown = tuple(each.kind for each in found if (proved or {}).get(each.kind) == each.value)
    given = {each.kind for each in found}
    return Draft(
        identifiers=found,
        proved=shown,
        shared=options.shared_kinds(),
        email_verified="email" in shown,
        phone_verified="phone_number" in shown,
        must_verify=[kind for kind in options.verified_at_signup() if kind in given and kind not in shown],
        user_metadata=metadata,
        **root_fields(body),
    )


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
    check_own_names(found, options.stored_attributes())
    return tuple(found)


def identifiers_of_profile(profile: Profile) -> tuple[Identifier, ...]:
    """Return what an account logs in with, as a draft has it."""
    values = {"email": profile.email, "phone_number": profile.phone_number, "username": profile.username}
    return tuple(Identifier(kind, value) for kind in KINDS if (value := values[kind]))


def check_one_identifier(draft: Draft, options: ConnectionOptions) -> None:
    """Refuse a sign-up by API with more than one identifier where nobody may learn who has an account.

    Whether the second was stored would tell whether the first was free. The pages ask for a code first.
    Raises ``InvalidSignup``.
    """
    if options.hardened and len(draft.identifiers) > 1:
        raise InvalidSignup("Only one identifier can be given here. Sign up on the pages.")


def check_password_given(options: ConnectionOptions, *, given: bool) -> None:
    """Refuse a password where there must be none, and the reverse (PW-15, SU-5). Raises ``InvalidSignup``."""
    password = options.methods.password
    if given and (not password.enabled or password.signup_behavior == "block"):
        raise InvalidSignup("password is not allowed")
    if not given and password.enabled and password.api_behavior == "required":
        raise InvalidSignup("password is required")
