"""What becomes of an account whose identifier nobody had verified, once somebody else shows that it is theirs.

Somebody may have signed up with a stranger's address and added credentials to wait in. Once the stranger proves that
the address is theirs, all that was there before must stop working: one rule for passwords, passkeys and imports.
"""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from keystead.db import accounts, old_passwords, passkeys
from keystead.flows.revocation import Revocation
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.profiles import Draft, Profile, defaults
from keystead.rules.revocation import Event, Subject
from keystead.rules.signups import identifiers_of_profile
from keystead.rules.verification import Verifiable


def empty(session: Session, profile: Profile, kept: Verifiable, revocation: Revocation, now: datetime) -> None:
    """Take everything from an account but its username and the address that was proved.

    Credentials, sessions, tokens, links, metadata and profile; and other addresses, which are of whoever was there
    before: a way in would be sent to them.
    """
    passkeys.remove_all(session, profile.user_id)
    old_passwords.remove_all(session, profile.user_id)
    revocation.apply(session, Event.EMPTIED, Subject(profile.user_id), now)
    others: tuple[IdentifierKind, ...] = ("email", "phone_number")
    lost: dict[IdentifierKind, str | None] = {kind: None for kind in others if kind != kept}
    accounts.change_identifiers(session, profile, lost)
    names = defaults(Draft(identifiers=identifiers_of_profile(profile.having(lost))))
    bare: dict[str, Any] = {
        "given_name": None,
        "family_name": None,
        "user_metadata": None,
        "app_metadata": None,
        "other_attributes": None,
        "sealed_extras": None,
        "must_verify": [],
    }
    accounts.change(session, profile.user_id, {**names, **bare, "password_hash": None, "updated_at": now})
