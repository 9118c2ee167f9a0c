"""The one gate: every way to a token or a session ends here.

Peers' costliest bugs were gates that one grant knew and another did not (a blocked account that could still use its
passkey). So tokens and codes are made of an ``Admitted`` value, sessions of an ``Entered`` one, and only this file
makes them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from sqlmodel import Session

from keystead.db import accounts, connections, journal, passkeys
from keystead.db.accounts import Standing
from keystead.errors import (
    AccountGone,
    ConnectionNotAllowed,
    DomainError,
    EnrolmentRequired,
    InvalidGrant,
    NotVerified,
    UserBlocked,
)
from keystead.flows.journal import Journal
from keystead.flows.relying_party import current
from keystead.ports import Clock
from keystead.rules import enrolment
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.enrolment import Deadline
from keystead.rules.events import Event
from keystead.rules.passkey_policy import policy_of
from keystead.rules.profiles import Profile
from keystead.rules.ways_in import opens

Method = Literal["pwd", "phr"]
"""How somebody proved themselves, in the words of ``amr``: a password, or a phishing-resistant passkey."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody who proved who they are. Good for a session on our own pages, where what is lacking can be made up for.

    No client gets anything of it. Only the gate makes one (a test looks).
    """

    profile: Profile
    client_id: str
    method: Method
    authenticated_at: datetime


@dataclass(frozen=True, slots=True)
class Admitted(Entered):
    """Somebody who proved who they are and lacks nothing: clients may have codes and tokens of theirs."""


E = TypeVar("E", bound=Entered)


@dataclass(frozen=True)
class Admission:
    """Who may come in, as things stand now."""

    journal: Journal
    clock: Clock
    public_url: str

    def admit(
        self,
        session: Session,
        user_id: str,
        client_id: str,
        method: Method,
        authenticated_at: datetime,
        session_id: str = "",
    ) -> Admitted:
        """Let somebody in on a proof from before; ``session_id`` is the session that the proof is of, if it is of one.

        Raises what ``_let_in`` raises, and ``EnrolmentRequired`` where they need a passkey by now and have none that
        works, however they proved themselves then.
        """
        standing = _let_in(session, user_id, client_id, authenticated_at, session_id)
        self._check_passkey(session, standing)
        return Admitted(standing.profile, client_id, method, authenticated_at)

    def enter(
        self, session: Session, method: Method, success: Event, failure: Event, *besides: Event
    ) -> Admitted | DomainError:
        """Admit after a fresh proof, count the login and write the journal: the login is of the moment of its entry.

        ``success`` says who and to which client. A refusal is returned rather than raised, so that its journal entry is
        committed; the flow raises it afterwards. ``besides`` is written with the success, by the same statement.
        """
        outcome = self._enter(session, method, (success, *besides), failure, passkey=method != "phr")
        if isinstance(outcome, DomainError):
            return outcome
        return Admitted(outcome, success.client_id or "", method, success.date)

    def enter_pages(self, session: Session, method: Method, success: Event, failure: Event) -> Entered | DomainError:
        """The same for our own pages, also for somebody who must make a passkey before any client gets anything."""
        outcome = self._enter(session, method, (success,), failure, passkey=False)
        if isinstance(outcome, DomainError):
            return outcome
        return Entered(outcome, success.client_id or "", method, success.date)

    def needs_passkey(self, session: Session, user_id: str, options: ConnectionOptions) -> Deadline | None:
        """Return from when on somebody needs a passkey; ``None`` where they have one that works, or need none."""
        found = enrolment.deadline(options, self.clock())
        return found if found and not self._has_passkey(session, user_id, options) else None

    def _enter(
        self, session: Session, method: Method, events: tuple[Event, ...], failure: Event, *, passkey: bool
    ) -> Profile | DomainError:
        """``passkey``: whether they must have one, where it is time; not if they have shown it just now."""
        success = events[0]
        try:
            standing = _let_in(session, success.user_id or "", success.client_id or "", success.date)
            if passkey:
                self._check_passkey(session, standing)
        except DomainError as refusal:
            journal.add(session, failure.model_copy(update={"description": refusal.text}))
            return refusal
        profile = standing.profile
        accounts.entered(session, profile.user_id, success.caller.address, success.date)
        journal.add(session, *events)
        if method == "pwd":
            self._advise(session, standing, success)
        return profile

    def _check_passkey(self, session: Session, standing: Standing) -> None:
        """Raise ``EnrolmentRequired`` for somebody who needs a passkey by now and has none that works."""
        options = _options(session, standing)
        found = self.needs_passkey(session, standing.profile.user_id, options) if options else None
        if found and found.passed:
            raise EnrolmentRequired

    def _advise(self, session: Session, standing: Standing, success: Event) -> None:
        """Write down who could not have come in, if the policy were enforced."""
        options, user_id = _options(session, standing), standing.profile.user_id
        if options is None or not enrolment.advised(options, self.clock()):
            return
        if not self._has_passkey(session, user_id, options):
            about = {"user_id": user_id, "connection_id": success.connection_id, "client_id": success.client_id}
            lacking = [{"field": "enrollment", "why": "there is no passkey that works"}]
            event = self.journal.event(
                "passkey_policy_advice", success.caller, purpose="login", policy=lacking, **about
            )
            journal.add(session, event)

    def _has_passkey(self, session: Session, user_id: str, options: ConnectionOptions) -> bool:
        """Whether an account has a passkey that the connection's policy would let in."""
        policy, rp_ids = policy_of(options), current(session, self.public_url).ids
        return any(opens(policy, each.credential, rp_ids) for each in passkeys.of_account(session, user_id))


def unwrap(outcome: E | DomainError) -> E:
    """Raise what a unit of work returned as a refusal, now that it is committed."""
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def _let_in(
    session: Session, user_id: str, client_id: str, authenticated_at: datetime, session_id: str = ""
) -> Standing:
    """Return how things stand with somebody who may come in.

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
    return standing


def _options(session: Session, standing: Standing) -> ConnectionOptions | None:
    """Return the options of a connection that may want everybody to have a passkey; of any other, nothing is read."""
    if not standing.asks_for_passkeys:
        return None
    connection = connections.get(session, standing.profile.connection_id)
    return connection.policy() if connection else None
