"""The one gate: every way to a token or a session ends in ``admit``.

Peers' costliest bugs were gates that one grant knew and another did not (a blocked account that could still use its
passkey). So tokens and sessions are made of an ``Admitted`` value, and only this file makes one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlmodel import Session

from keystead.db import accounts, journal
from keystead.errors import AccountGone, ConnectionNotAllowed, DomainError, InvalidGrant, NotVerified, UserBlocked
from keystead.rules.events import Event
from keystead.rules.profiles import Profile

Method = Literal["pwd", "phr"]
"""How somebody proved themselves, in the words of ``amr``: a password, or a phishing-resistant passkey."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who proved who they are and may come in. Only ``admit`` makes one (a test looks)."""

    profile: Profile
    client_id: str
    method: Method
    authenticated_at: datetime


def admit(
    session: Session, user_id: str, client_id: str, method: Method, authenticated_at: datetime, session_id: str = ""
) -> Admitted:
    """Let somebody in, as things stand now; ``session_id`` is the session that the proof is of, if it is of one.

    Raises ``AccountGone``, ``InvalidGrant`` for a proof from before the account was signed out or of a session that
    has ended, ``UserBlocked``, ``NotVerified``, or ``ConnectionNotAllowed`` where the connection was switched off or
    taken from the client.
    """
    standing = accounts.standing(session, user_id, client_id, session_id)
    if standing is None:
        raise AccountGone
    if standing.profile.blocked:
        raise UserBlocked(user_id)
    if standing.signed_out_since(authenticated_at):
        raise InvalidGrant(detail="everything that was issued before has ended since")
    if standing.profile.must_verify:
        raise NotVerified(detail=" ".join(standing.profile.must_verify))
    if not (standing.connection_active and standing.client_enabled):
        raise ConnectionNotAllowed
    return Admitted(standing.profile, client_id, method, authenticated_at)


def enter(
    session: Session, user_id: str, client_id: str, method: Method, success: Event, failure: Event
) -> Admitted | DomainError:
    """Admit after a fresh proof, count the login and write the journal: the login is of the moment of its entry.

    A refusal is returned rather than raised, so that its journal entry is committed; the flow raises it afterwards.
    """
    try:
        admitted = admit(session, user_id, client_id, method, success.date)
    except DomainError as refusal:
        journal.add(session, failure.model_copy(update={"description": refusal.text}))
        return refusal
    accounts.entered(session, user_id, success.caller.address, success.date)
    journal.add(session, success)
    return admitted


def unwrap(outcome: Admitted | DomainError) -> Admitted:
    """Raise what a unit of work returned as a refusal, now that it is committed."""
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome
