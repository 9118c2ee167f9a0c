"""Accounts with all that is their own, read for an archive and put back out of one."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError
from sqlmodel import Session, col

from keystead.db.tables import Account, AccountIdentifier, Connection, Moment, OldPassword, Passkey
from keystead.errors import IdentifierTaken, PasskeyTaken
from keystead.rules.user_archives import (
    ACCOUNT,
    ArchivedConnection,
    ArchivedPasskey,
    ArchivedPassword,
    ArchivedUser,
    Claim,
    Unusable,
)

Opened = Callable[[bytes], dict[str, Any]]
"""Opens what is sealed of an account."""

_FOR_PEOPLE: Final = col(Connection.for_administrators).is_(False)
_ACCOUNT: Final = (*(getattr(Account, name) for name in ACCOUNT), col(Account.sealed_extras))
_PASSKEY: Final = tuple(ArchivedPasskey.model_fields)

# Built once: building a statement costs as much as running it.
_PUT_ACCOUNT: Final = upsert(Account).on_conflict_do_nothing()
_PUT_CLAIM: Final = upsert(AccountIdentifier).on_conflict_do_nothing()
_PUT_PASSKEY: Final = upsert(Passkey).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows that belong to accounts, by whose they are."""

    by_owner: dict[str, list[dict[str, Any]]]

    def of(self, user_id: str) -> list[dict[str, Any]]:
        return self.by_owner.get(user_id, [])


def behind(
    session: Session, connection_id: str | None, last: tuple[datetime, str] | None, limit: int, opened: Opened
) -> list[ArchivedUser]:
    """Return who comes next, the oldest first, with all that is theirs; never an administrator."""
    place = (col(Account.created_at), col(Account.user_id))
    statement = select(*_ACCOUNT, col(Connection.name).label("connection"))
    statement = statement.join(Connection, col(Connection.id) == col(Account.connection_id)).where(_FOR_PEOPLE)
    if connection_id is not None:
        statement = statement.where(col(Account.connection_id) == connection_id)
    if last is not None:
        statement = statement.where(tuple_(*place) > tuple_(literal(last[0], Moment()), last[1]))
    rows = session.connection().execute(statement.order_by(*place).limit(limit)).all()
    ids = [row.user_id for row in rows]
    claims = _of(session, ids, AccountIdentifier, ("kind", "value"), ("kind", "value"))
    keys = _of(session, ids, Passkey, _PASSKEY, ("created_at", "id"))
    old = _of(session, ids, OldPassword, ("password_hash", "replaced_at"), ("id",))
    found = []
    for row in rows:
        values = dict(row._mapping)
        sealed = values.pop("sealed_extras")
        # Unchecked: what is stored is written down, whatever bounds a later version may have.
        found.append(
            ArchivedUser.model_construct(
                **values,
                identifiers=[Claim.model_construct(**each) for each in claims.of(row.user_id)],
                passkeys=[ArchivedPasskey.model_construct(**each) for each in keys.of(row.user_id)],
                old_passwords=[ArchivedPassword.model_construct(**each) for each in old.of(row.user_id)],
                extras=opened(sealed) if sealed else None,
            )
        )
    return found


def connections(session: Session, connection_id: str | None) -> list[ArchivedConnection]:
    """Return the connections of an archive."""
    columns = (col(Connection.id), col(Connection.name), col(Connection.display_name), col(Connection.options))
    statement = select(*columns).where(_FOR_PEOPLE).order_by(col(Connection.id))
    if connection_id is not None:
        statement = statement.where(col(Connection.id) == connection_id)
    found = []
    for row in session.connection().execute(statement):
        options = {name: value for name, value in row.options.items() if name != "configuration"}
        found.append(ArchivedConnection(id=row.id, name=row.name, display_name=row.display_name, options=options))
    return found


def put(session: Session, user: ArchivedUser, connection_id: str, sealed_extras: bytes | None, now: datetime) -> None:
    """Insert an account with all that is its own, byte by byte as it was, or nothing of it.

    It is signed out everywhere as of ``now``: its id may have been somebody's here, whose tokens are still about, and
    it keeps the date of its making.

    Raises ``IdentifierTaken`` (its attribute is ``user_id`` where the account or its handle is there) and
    ``PasskeyTaken``: the primary keys decide, whoever else is at it.
    """
    # From Python's values, and not from a dump: a model of pydantic's turns bytes into text only for JSON.
    values = {name: getattr(user, name) for name in ACCOUNT}
    values |= {"connection_id": connection_id, "sealed_extras": sealed_extras}
    values["signed_out_at"] = max(now, user.signed_out_at or now)
    if session.connection().execute(_PUT_ACCOUNT, values).rowcount != 1:
        raise IdentifierTaken("user_id")
    try:
        _claim(session, user, connection_id)
        _keys(session, user)
    except (IdentifierTaken, PasskeyTaken):
        session.connection().execute(delete(Account).where(col(Account.user_id) == user.user_id))
        raise
    old = [each.model_dump() | {"user_id": user.user_id} for each in user.old_passwords]
    if old:
        session.connection().execute(insert(OldPassword), old)


def put_with_care(
    session: Session, user: ArchivedUser, connection_id: str, sealed_extras: bytes | None, now: datetime
) -> None:
    """The same, where the database may not take it, and the transaction is to go on all the same.

    Raises ``Unusable`` besides.
    """
    try:
        with session.connection().begin_nested():
            put(session, user, connection_id, sealed_extras, now)
    except (DBAPIError, StatementError) as error:
        if isinstance(error, OperationalError):
            raise
        raise Unusable("The database does not take it") from None  # what it says may hold a part of the row


def _claim(session: Session, user: ArchivedUser, connection_id: str) -> None:
    # In one order for everybody, so that two imports do not wait for each other for ever.
    for each in sorted(user.identifiers, key=lambda claim: (claim.kind, claim.value)):
        values = {"connection_id": connection_id, "kind": each.kind, "value": each.value, "user_id": user.user_id}
        added = session.connection().execute(_PUT_CLAIM, values)
        if added.rowcount != 1:
            raise IdentifierTaken(each.kind)


def _keys(session: Session, user: ArchivedUser) -> None:
    for each in user.passkeys:
        values = {name: getattr(each, name) for name in _PASSKEY} | {"user_id": user.user_id}
        if session.connection().execute(_PUT_PASSKEY, values).rowcount != 1:
            raise PasskeyTaken


def _of(session: Session, ids: Collection[str], table: type[Any], names: Sequence[str], order: Sequence[str]) -> _Rows:
    """Return rows of a table that belong to some accounts, in order."""
    columns = [getattr(table, name) for name in names]
    statement = select(col(table.user_id), *columns).where(col(table.user_id).in_(ids))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in session.connection().execute(statement.order_by(*(getattr(table, name) for name in order))):
        values = dict(row._mapping)
        found.setdefault(values.pop("user_id"), []).append(values)
    return _Rows(found)
