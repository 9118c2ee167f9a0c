"""Accounts and their identifiers."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, bindparam, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute
from sqlmodel import Session, col

from keystead.db import decisions
from keystead.db.tables import Account, AccountIdentifier, Connection, EnabledClient, LoginSession
from keystead.errors import IdentifierTaken
from keystead.rules.folding import searched_by
from keystead.rules.identifiers import Identifier, IdentifierKind, claims
from keystead.rules.profiles import Draft, Profile, defaults
from keystead.rules.signups import identifiers_of_profile

_STORED: Final = tuple(name for name in Profile.model_fields if name != "has_password")
PROFILE: Final[tuple[InstrumentedAttribute[Any] | ColumnElement[Any], ...]] = (
    *(getattr(Account, name) for name in _STORED),
    col(Account.password_hash).is_not(None).label("has_password"),
)
"""What ``profile_of`` needs."""


@dataclass(frozen=True, slots=True)
class Known:
    """An account that was found by identifier, with the hash to compare."""

    profile: Profile
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the gate looks at before anybody is let in."""

    profile: Profile
    connection_active: bool
    client_enabled: bool
    asks_for_passkeys: bool
    """Whether the connection's policy may refuse people who have none."""
    session_known: bool
    """Whether there is a row of the session that was asked about; of one that is over there may be none."""
    session_ended: bool

    def signed_out_since(self, moment: datetime) -> bool:
        """Whether what was given at that moment, out of that session, has come to its end.

        A session that lives on has outlived every sign-out: it is the one in which it happened.
        """
        if self.session_known:
            return self.session_ended
        return self.profile.signed_out_at is not None and self.profile.signed_out_since(moment)


_OWN: Final = case(
    {"email": col(Account.email), "phone_number": col(Account.phone_number), "username": col(Account.username)},
    value=col(AccountIdentifier.kind),
)
"""The account's own identifier of the kind of the row."""

# Built once, with the values bound at each call: building a statement costs as much as running it.
_BY_ID: Final = select(*PROFILE).where(col(Account.user_id) == bindparam("user_id"))
_BY_HANDLE: Final = select(*PROFILE).where(col(Account.user_handle) == bindparam("user_handle"))
_BY_IDENTIFIER: Final = (
    select(*PROFILE, col(Account.password_hash))
    .join(AccountIdentifier, col(AccountIdentifier.user_id) == col(Account.user_id))
    .where(
        col(AccountIdentifier.connection_id) == bindparam("connection_id"),
        col(AccountIdentifier.kind) == bindparam("kind"),
        col(AccountIdentifier.value) == bindparam("value"),
        # Not what it only keeps from others, because its own looks like it.
        bindparam("value") == _OWN,
    )
)
_STANDING: Final = (
    select(
        *PROFILE,
        col(Connection.active),
        col(EnabledClient.client_id).is_not(None).label("enabled"),
        (col(Connection.options)["passkey_policy"]["enrollment"].as_string() == "required").label("asks"),
        col(LoginSession.id).is_not(None).label("session_known"),
        col(LoginSession.ended_at).is_not(None).label("session_ended"),
    )
    .join(Connection, col(Connection.id) == col(Account.connection_id))
    .outerjoin(
        EnabledClient,
        and_(
            col(EnabledClient.connection_id) == col(Account.connection_id),
            col(EnabledClient.client_id) == bindparam("client_id"),
        ),
    )
    .outerjoin(
        LoginSession,
        and_(col(LoginSession.id) == bindparam("session_id"), col(LoginSession.user_id) == col(Account.user_id)),
    )
    .where(col(Account.user_id) == bindparam("user_id"))
)
_ENTERED: Final = (
    update(Account)
    .where(col(Account.user_id) == bindparam("who"))
    .values(last_login=bindparam("now"), last_ip=bindparam("address"), logins_count=col(Account.logins_count) + 1)
)


def by_id(session: Session, user_id: str, *, lock: bool = False) -> Profile | None:
    """Return an account; locked, where what is read decides what is written."""
    statement = _BY_ID.with_for_update() if lock else _BY_ID
    row = session.connection().execute(statement, {"user_id": user_id}).first()
    return profile_of(row) if row else None


def with_password(session: Session, user_id: str) -> Known | None:
    """Return an account with its hash."""
    statement = select(*PROFILE, col(Account.password_hash)).where(col(Account.user_id) == user_id)
    row = session.connection().execute(statement).first()
    return Known(profile_of(row), row.password_hash) if row else None


def identifiers_of(session: Session, user_id: str) -> list[tuple[str, str]]:
    """Return kind and value of what an account logs in with, and of what it keeps from others."""
    statement = select(col(AccountIdentifier.kind), col(AccountIdentifier.value))
    rows = session.connection().execute(statement.where(col(AccountIdentifier.user_id) == user_id))
    return [(row.kind, row.value) for row in rows]


def by_handle(session: Session, user_handle: bytes) -> Profile | None:
    """Return the account that authenticators know by this handle."""
    row = session.connection().execute(_BY_HANDLE, {"user_handle": user_handle}).first()
    return profile_of(row) if row else None


def by_identifier(session: Session, connection_id: str, identifier: Identifier) -> Known | None:
    """Return the account that logs in with the identifier, or else with what the same text can be read as.

    Every reading is looked up whatever the first one finds: the clock must not tell whether it found anybody.
    """
    row: Any = None
    for each in (identifier, *identifier.otherwise):
        values = {"connection_id": connection_id, "kind": each.kind, "value": each.value}
        found = session.connection().execute(_BY_IDENTIFIER, values).first()
        row = found if row is None else row
    return Known(profile_of(row), row.password_hash) if row is not None else None


def taken(session: Session, connection_id: str, identifiers: tuple[Identifier, ...]) -> IdentifierKind | None:
    """Return the kind of the first identifier that somebody has. A courtesy: the primary key decides when it counts."""
    return next((each.kind for each in identifiers if by_identifier(session, connection_id, each)), None)


def standing(session: Session, user_id: str, client_id: str, session_id: str = "") -> Standing | None:
    """Return what the gate needs to know, in one statement."""
    values = {"user_id": user_id, "client_id": client_id, "session_id": session_id}
    row = session.connection().execute(_STANDING, values).first()
    if row is None:
        return None
    return Standing(profile_of(row), row.active, row.enabled, bool(row.asks), row.session_known, row.session_ended)


def create(
    session: Session, connection_id: str, draft: Draft, password_hash: str | None, *, local_id: str, now: datetime
) -> Profile:
    """Insert an account and its identifiers. Raises ``IdentifierTaken``: the primary keys decide who was first."""
    values = draft.model_dump(include=set(_STORED) - {"user_handle"}) | defaults(draft)
    values |= {each.kind: each.value for each in draft.identifiers}
    values |= {
        "user_id": f"auth0|{draft.local_id or local_id}",
        "connection_id": connection_id,
        "password_hash": password_hash,
        "user_handle": draft.user_handle,
        "logins_count": 0,
        "created_at": now,
        "updated_at": now,
        # An id that somebody chose may have been another's: what was issued to them opens nothing of this account.
        "signed_out_at": now if draft.local_id else None,
    }
    for identifier in draft.identifiers:
        if identifier.kind in draft.proved:
            _release(session, connection_id, identifier, now)
    added = session.connection().execute(upsert(Account).values(values).on_conflict_do_nothing())
    if added.rowcount != 1:
        raise IdentifierTaken("user_id")
    _exchange(session, connection_id, values["user_id"], {}, _claimed(draft.identifiers, draft.shared))
    created = by_id(session, values["user_id"])
    assert created is not None
    return created


def change_identifiers(
    session: Session,
    profile: Profile,
    values: Mapping[IdentifierKind, str | None],
    *,
    shared: Collection[IdentifierKind] = (),
) -> None:
    """Give an account other identifiers, or take some away. Raises ``IdentifierTaken``.

    ``shared`` are the kinds whose values others may have too. The account must be locked.
    """
    before = _claimed(identifiers_of_profile(profile), shared)
    after = _claimed(identifiers_of_profile(profile.having(values)), shared)
    _exchange(session, profile.connection_id, profile.user_id, before, after)
    change(session, profile.user_id, {str(kind): value for kind, value in values.items()})


def _claimed(
    identifiers: Iterable[Identifier], shared: Collection[IdentifierKind] = ()
) -> dict[Identifier, IdentifierKind]:
    """Return the rows that keep identifiers from others, each with the kind of the identifier that it is there for."""
    found: dict[Identifier, IdentifierKind] = {}
    for identifier in identifiers:
        if identifier.kind not in shared:
            found = dict.fromkeys(claims(identifier), identifier.kind) | found
    return found


def _exchange(
    session: Session,
    connection_id: str,
    user_id: str,
    before: Mapping[Identifier, IdentifierKind],
    after: Mapping[Identifier, IdentifierKind],
) -> None:
    """Exchange an account's rows. Raises ``IdentifierTaken``: the primary key decides who was first.

    In one order for everybody, so that two accounts that swap their identifiers do not wait for each other for ever.
    """
    for row in sorted(before.keys() ^ after.keys(), key=lambda each: (each.kind, each.value)):
        values = {"connection_id": connection_id, "kind": row.kind, "value": row.value, "user_id": user_id}
        if row not in after:
            mine = (col(getattr(AccountIdentifier, name)) == value for name, value in values.items())
            session.connection().execute(delete(AccountIdentifier).where(*mine))
            continue
        added = session.connection().execute(upsert(AccountIdentifier).values(values).on_conflict_do_nothing())
        if added.rowcount != 1:
            raise IdentifierTaken(after[row])


def _release(session: Session, connection_id: str, identifier: Identifier, now: datetime) -> None:
    """Free an identifier that somebody has just proved to be theirs, if its holder never did.

    Whoever signed up with a stranger's address must not keep it from them, nor wait in their account. A holder with
    another identifier that is verified keeps the account, without this one; any other account goes.
    """
    for holder in _holders(session, connection_id, claims(identifier)):
        if holder.is_verified(identifier.kind):
            continue
        if holder.verified_kinds():
            lose(session, holder, identifier, now)
        else:
            remove(session, holder.user_id)


def _holders(session: Session, connection_id: str, wanted: Collection[Identifier]) -> list[Profile]:
    """Return the accounts that keep any of these from others, locked."""
    found = []
    for each in wanted:
        mine = (
            col(AccountIdentifier.connection_id) == connection_id,
            col(AccountIdentifier.kind) == each.kind,
            col(AccountIdentifier.value) == each.value,
        )
        user_id = session.connection().execute(select(col(AccountIdentifier.user_id)).where(*mine)).scalar()
        holder = by_id(session, user_id, lock=True) if user_id else None
        found += [holder] if holder else []
    return list({holder.user_id: holder for holder in found}.values())


def lose(session: Session, profile: Profile, identifier: Identifier, now: datetime) -> None:
    """Take from an account whatever keeps an identifier from others."""
    wanted = set(claims(identifier))
    lost: dict[IdentifierKind, str | None] = {
        each.kind: None for each in identifiers_of_profile(profile) if wanted & set(claims(each))
    }
    change_identifiers(session, profile, lost)
    must_verify = [kind for kind in profile.must_verify if kind not in lost]
    change(session, profile.user_id, {"must_verify": must_verify, "updated_at": now})


def claimed(session: Session, connection_id: str, identifier: Identifier) -> bool:
    """Whether somebody keeps an identifier from others, because they have it or one that looks like it."""
    return bool(_holders(session, connection_id, claims(identifier)))


def with_email(session: Session, connection_id: str, email: str) -> list[str]:
    """Return the ids of whoever has an address in a connection; where addresses are shared, several."""
    mine = (col(Account.connection_id) == connection_id, col(Account.email) == email)
    return list(session.connection().execute(select(col(Account.user_id)).where(*mine)).scalars())


def any_of(session: Session, connection_id: str) -> bool:
    """Whether a connection has anybody."""
    anybody = select(col(Account.user_id)).where(col(Account.connection_id) == connection_id).limit(1)
    return session.connection().execute(anybody).first() is not None


def entered(session: Session, user_id: str, address: str, now: datetime) -> None:
    """Count a login."""
    session.connection().execute(_ENTERED, {"who": user_id, "now": now, "address": address[:45]})


def change(session: Session, user_id: str, values: Mapping[str, Any]) -> bool:
    """Set columns of an account, and those that follow from them; ``False`` where there is none."""
    values = {**values, **searched_by(values)}
    statement = update(Account).where(col(Account.user_id) == user_id).values(**values)
    return session.connection().execute(statement).rowcount == 1


def improve_hash(session: Session, user_id: str, old: str, new: str) -> bool:
    """Replace a hash by a better one of the same password; ``False`` where the password changed meanwhile."""
    statement = update(Account).where(col(Account.user_id) == user_id, col(Account.password_hash) == old)
    return session.connection().execute(statement.values(password_hash=new)).rowcount == 1


def remove(session: Session, user_id: str) -> bool:
    """Delete an account and all that hangs on it, what it was refused for included; ``False`` where there is none."""
    profile = by_id(session, user_id)
    if profile is not None:
        decisions.forget(session, decisions.about_user(profile))
    return session.connection().execute(delete(Account).where(col(Account.user_id) == user_id)).rowcount == 1


def administrators(session: Session) -> list[Profile]:
    """Return the accounts of the administrators' connection."""
    of_administrators = select(col(Connection.id)).where(col(Connection.for_administrators).is_(True))
    statement = select(*PROFILE).where(col(Account.connection_id).in_(of_administrators))
    return [profile_of(row) for row in session.connection().execute(statement.order_by(col(Account.user_id)))]


def snoozed_until(session: Session, user_id: str) -> datetime | None:
    """Return until when the person asked not to be offered a passkey."""
    statement = select(col(Account.passkey_prompt_snoozed_until)).where(col(Account.user_id) == user_id)
    return session.connection().execute(statement).scalar()


def profile_of(row: Row[*tuple[Any, ...]]) -> Profile:
    """Return the account of a row."""
    found = row._mapping
    return Profile.model_construct(**{name: found[name] for name in Profile.model_fields})
