"""Our rows for people whom the customer's own database has: it is the truth, and whoever holds there, holds here.

Identifiers are claimed with displacement. Of two rows that were given the same address, at different times, the one
that was told last is right; so nobody is asked whether it is free.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db import accounts, census, connections
from keystead.db.tables import Account, AccountIdentifier
from keystead.errors import ConnectionNotAllowed
from keystead.rules.connection_options import StoreKind
from keystead.rules.folding import searched_by
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind
from keystead.rules.profiles import Draft, Profile
from keystead.rules.signups import identifiers_of_profile

_KNOWN: Final = select(*accounts.PROFILE, col(Account.password_hash), col(Account.sealed_extras)).where(
    col(Account.user_id) == bindparam("user_id")
)


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Our row for somebody, with what its profile does not say."""

    profile: Profile
    password_hash: str | None
    sealed_extras: bytes | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What goes into our row beside the profile."""

    password_hash: str | None
    other_attributes: Mapping[str, Any] | None = None
    sealed_extras: bytes | None = None

    def columns(self) -> dict[str, Any]:
        """Return the columns that no draft has."""
        others = dict(self.other_attributes) if self.other_attributes else None
        return {"other_attributes": others, "sealed_extras": self.sealed_extras}


def known(session: Session, user_id: str) -> Mirrored | None:
    """Return our row for somebody, of whichever connection it is."""
    row = session.connection().execute(_KNOWN, {"user_id": user_id}).first()
    return Mirrored(accounts.profile_of(row), row.password_hash, row.sealed_extras) if row else None


def holder(session: Session, connection_id: str, identifier: Identifier) -> Mirrored | None:
    """Return our row for whoever has an identifier, as we were told last."""
    found = accounts.by_identifier(session, connection_id, identifier)
    return known(session, found.profile.user_id) if found else None


def adopt(session: Session, connection_id: str, draft: Draft, kept: Kept, now: datetime) -> Profile:
    """Make an account that lives here from now on out of somebody who lived elsewhere.

    Raises ``IdentifierTaken``: who is here already is not displaced, and of two that adopt at once one is first. What
    was issued before, to an account of this id that was deleted here, has come to its end.
    """
    _check_store(session, connection_id, "migrating")
    profile = accounts.create(session, connection_id, draft, kept.password_hash, local_id=draft.local_id or "", now=now)
    accounts.change(session, profile.user_id, kept.columns())
    return accounts.by_id(session, profile.user_id) or profile


def meet(session: Session, connection_id: str, draft: Draft, kept: Kept, now: datetime) -> Profile:
    """Make our row for somebody who goes on living elsewhere. Raises ``IdentifierTaken`` where somebody has the id."""
    _check_store(session, connection_id, "scripted")
    unclaimed = draft.model_copy(update={"shared": KINDS})
    profile = accounts.create(
        session, connection_id, unclaimed, kept.password_hash, local_id=draft.local_id or "", now=now
    )
    _claim(session, profile, [each for each in draft.identifiers if each.kind not in draft.shared])
    accounts.change(session, profile.user_id, kept.columns())
    return accounts.by_id(session, profile.user_id) or profile


def follow(
    session: Session,
    user_id: str,
    values: Mapping[str, Any],
    now: datetime,
    *,
    shared: Iterable[IdentifierKind] = (),
) -> Profile | None:
    """Bring our row up to date; ``None`` where it is gone meanwhile."""
    if not accounts.change(session, user_id, {**values, "updated_at": now}):
        return None
    profile = accounts.by_id(session, user_id)
    assert profile is not None
    moved = [each for each in identifiers_of_profile(profile) if each.kind in values and each.kind not in shared]
    lost = [kind for kind in KINDS if kind in values]
    mine = (col(AccountIdentifier.user_id) == user_id, col(AccountIdentifier.kind).in_(lost))
    if lost:
        session.connection().execute(delete(AccountIdentifier).where(*mine))
    _claim(session, profile, moved)
    return profile


def _claim(session: Session, profile: Profile, identifiers: Iterable[Identifier]) -> None:
    """Claim identifiers, whoever had them. Only these, and not what looks like them: nobody signs up past a script."""
    for each in sorted(identifiers, key=lambda found: (found.kind, found.value)):
        column = col(getattr(Account, each.kind))
        verified = {"email": "email_verified", "phone_number": "phone_verified"}.get(each.kind)
        nothing: dict[str, Any] = {each.kind: None} | ({verified: False} if verified else {})
        others = (
            col(Account.connection_id) == profile.connection_id,
            column == each.value,
            col(Account.user_id) != profile.user_id,
        )
        session.connection().execute(update(Account).where(*others).values(**nothing, **searched_by({each.kind: None})))
        row = {"connection_id": profile.connection_id, "kind": each.kind, "value": each.value}
        claimed = upsert(AccountIdentifier).values(**row, user_id=profile.user_id)
        session.connection().execute(
            claimed.on_conflict_do_update(
                index_elements=["connection_id", "kind", "value"], set_={"user_id": profile.user_id}
            )
        )


def _check_store(session: Session, connection_id: str, store: StoreKind) -> None:
    """See that people still live where whoever asks believes that they do. Raises ``ConnectionNotAllowed``.

    Whoever moves them has counted that there are none (``census``), and this one was not among them.
    """
    census.join(session)
    connection = connections.get(session, connection_id)
    if connection is None or connection.policy().store != store:
        raise ConnectionNotAllowed(detail="the connection is gone, or its people live elsewhere by now")
