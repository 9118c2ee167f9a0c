"""Which rows an event of the revocation matrix means, as conditions of a statement."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from keystead.db.tables import Account, AuthorizationCode, RefreshToken
from keystead.rules.revocation import Whose

Conditions = Sequence[ColumnElement[bool]]


def of_tokens(table: type[AuthorizationCode] | type[RefreshToken], whose: Whose) -> Conditions:
    """Return the conditions for rows that say whose they are, of which session and for which client."""
    found: list[ColumnElement[bool]] = []
    if whose.user_id:
        found.append(col(table.user_id) == whose.user_id)
    if whose.session_id:
        found.append(col(table.session_id) == whose.session_id)
    if whose.but_session:
        found.append(col(table.session_id) != whose.but_session)
    if whose.client_id:
        found.append(col(table.client_id) == whose.client_id)
    if whose.families and issubclass(table, RefreshToken):
        found.append(col(table.family).in_(whose.families))
    return _something(found)


def of_people(owner: ColumnElement[str] | Mapped[str], whose: Whose) -> Conditions:
    """Return the conditions for rows of which only the owner is known; ``owner`` is where."""
    if whose.connection_id:
        members = select(col(Account.user_id)).where(col(Account.connection_id) == whose.connection_id)
        return (owner.in_(members),)
    return _something([owner == whose.user_id] if whose.user_id else [])


def _something(found: list[ColumnElement[bool]]) -> Conditions:
    """A statement without conditions would end everybody's."""
    if not found:
        raise ValueError("nobody in particular")
    return tuple(found)
