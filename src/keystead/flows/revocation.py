"""Ends what the revocation matrix says, in the transaction of what happened. Nothing else ends anything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, ceremonies, codes, one_time_codes, refresh_tokens, sessions, tenant, tickets
from keystead.db import transactions as logins
from keystead.db.sessions import EndedSession
from keystead.flows.logout_notices import LogoutNotices
from keystead.rules.revocation import (
    SETTING,
    SWITCHES,
    Artefact,
    Event,
    SessionOptions,
    Subject,
    Whose,
    endings,
    whose,
)


@dataclass(frozen=True)
class Revocation:
    """Runs the row of an event, and has clients told of the sessions that it ended."""

    notices: LogoutNotices

    def apply(self, session: Session, event: Event, subject: Subject, now: datetime) -> None:
        """End what the table says, as a part of a unit of work; before whom it is about is deleted.

        The account is locked first: whoever is being given something meanwhile either has it by then, and it ends, or
        is held against how things stand afterwards.
        """
        if subject.user_id:
            accounts.by_id(session, subject.user_id, lock=True)
        ended: list[EndedSession] = []
        for artefact, scope in endings(event, _options(session, event)).items():
            ended += _ENDERS[artefact](session, whose(scope, subject), now) or ()
        # What the table lets live of a session that has ended belongs to none from then on.
        refresh_tokens.leave(session, [each.id for each in ended])
        if ended:
            self.notices.queue(session, ended, event)


def _options(session: Session, event: Event) -> SessionOptions:
    return options(session) if event in SWITCHES else SessionOptions()


def options(session: Session) -> SessionOptions:
    """Return what the administrator decided about the table."""
    return SessionOptions.model_validate(tenant.get(session, SETTING) or {})


def _sessions(session: Session, which: Whose, now: datetime) -> list[EndedSession]:
    if which.session_id:
        found = sessions.end(session, which.session_id, now)
        return [found] if found else []
    return sessions.end_of_account(session, which.user_id, now, but=which.but_session)


def _refresh_tokens(session: Session, which: Whose, now: datetime) -> None:
    refresh_tokens.end(session, which)


def _access_tokens(session: Session, which: Whose, now: datetime) -> None:
    """Note from when on they count; those of a session that lives are good all the same."""
    accounts.change(session, which.user_id, {"signed_out_at": now})


def _codes(session: Session, which: Whose, now: datetime) -> None:
    codes.end(session, which)


def _ceremonies(session: Session, which: Whose, now: datetime) -> None:
    ceremonies.end(session, which)


def _tickets(session: Session, which: Whose, now: datetime) -> None:
    tickets.end(session, which)


def _one_time_codes(session: Session, which: Whose, now: datetime) -> None:
    one_time_codes.end(session, which)


def _transactions(session: Session, which: Whose, now: datetime) -> None:
    logins.end(session, which)


_ENDERS: Final[Mapping[Artefact, Callable[[Session, Whose, datetime], list[EndedSession] | None]]] = {
    Artefact.SESSION: _sessions,
    Artefact.REFRESH_TOKEN: _refresh_tokens,
    Artefact.ACCESS_TOKEN: _access_tokens,
    Artefact.CODE: _codes,
    Artefact.CEREMONY: _ceremonies,
    Artefact.TICKET: _tickets,
    Artefact.ONE_TIME_CODE: _one_time_codes,
    Artefact.TRANSACTION: _transactions,
}
