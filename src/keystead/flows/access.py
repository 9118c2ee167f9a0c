"""Administrators see what people are signed in with, and end it: sessions, refresh tokens, consents (TK-5, TK-6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from keystead.db import clients, consents, journal, refresh_tokens, sessions
from keystead.db.consents import ConsentFilter, ConsentRecord
from keystead.db.refresh_tokens import TokenDetails, TokenFilter
from keystead.db.session import Database
from keystead.db.sessions import SessionDetails
from keystead.errors import NoSuchRefreshToken, NoSuchSession, NoSuchUser
from keystead.flows import reach
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.revocation import Revocation
from keystead.ports import Clock
from keystead.rules.revocation import Event, Subject

AT_ONCE: Final = 25
"""Of how many accounts the refresh tokens are ended in one transaction: a quarter of a second, on SQLite."""


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A refresh token, and whether its client gets another one at each use."""

    details: TokenDetails
    rotating: bool


@dataclass(frozen=True)
class Access:
    """Everything that is said about it through the Management API. Administrators are out of its reach."""

    db: Database
    revocation: Revocation
    journal: Journal
    clock: Clock

    async def session(self, session_id: str) -> SessionDetails:
        """Return a session that is still good. Raises ``NoSuchSession``."""
        return await self.db.read(self._session, session_id)

    async def describe_session(
        self, session_id: str, notes: Mapping[str, Any] | None, operation: Operation
    ) -> SessionDetails:
        """Replace the notes about a session. Raises ``NoSuchSession``."""
        return await self.db.write(self._describe_session, session_id, notes, operation)

    async def end_session(self, session_id: str, event: Event, operation: Operation) -> None:
        """End a session, with or without its refresh tokens. Raises ``NoSuchSession``."""
        await self.db.write(self._end_session, session_id, event, operation)

    async def sessions_of(self, user_id: str, after: str, limit: int) -> tuple[list[SessionDetails], int]:
        """Return the good sessions of an account, and how many there are. Raises ``NoSuchUser``."""
        return await self.db.read(self._sessions_of, user_id, after, limit)

    async def end_sessions_of(self, user_id: str, operation: Operation) -> None:
        """End every session of an account, without refresh tokens. Raises ``NoSuchUser``."""
        await self.db.write(self._end_sessions_of, user_id, operation)

    async def token(self, token_id: str) -> ListedToken:
        """Return a refresh token that can still be used. Raises ``NoSuchRefreshToken``."""
        return await self.db.read(self._token, token_id)

    async def describe_token(self, token_id: str, notes: Mapping[str, Any] | None, operation: Operation) -> ListedToken:
        """Replace the notes about a refresh token. Raises ``NoSuchRefreshToken``."""
        return await self.db.write(self._describe_token, token_id, notes, operation)

    async def tokens_of(self, user_id: str, client_id: str, after: str, limit: int) -> tuple[list[ListedToken], int]:
        """Return the refresh tokens of an account, and how many it has in all. Raises ``NoSuchUser``."""
        return await self.db.read(self._tokens_of, user_id, client_id, after, limit)

    async def end_tokens(self, wanted: TokenFilter, operation: Operation) -> None:
        """End refresh tokens with their families; those of nobody in particular are none.

        A few accounts at a time: a client's may be everybody's, and whoever logs in meanwhile must not wait for all of
        them. What was done stays where it is broken off; asking again ends the rest.
        """
        after: str | None = ""
        while after is not None:
            after = await self.db.write(self._end_tokens, wanted, operation, after)

    async def end_tokens_of(self, user_id: str, operation: Operation) -> None:
        """End every refresh token of an account. Raises ``NoSuchUser``."""
        await self.db.write(self._end_tokens_of, user_id, operation)

    async def revoke_access(self, user_id: str, session_id: str, operation: Operation, *, keep_tokens: bool) -> None:
        """Sign somebody out: of one session or everywhere, with or without refresh tokens.

        Raises ``NoSuchUser``, ``NoSuchSession``.
        """
        await self.db.write(self._revoke_access, user_id, session_id, keep_tokens, operation)

    async def consents(self, wanted: ConsentFilter, offset: int, limit: int) -> tuple[list[ConsentRecord], int]:
        """Return what people allowed clients, the newest first, and how many there are."""
        return await self.db.read(_consents, wanted, offset, limit)

    async def end_consent(self, consent_id: str, operation: Operation) -> None:
        """Take a consent back, with what it gave; no error where there is none."""
        await self.db.write(self._end_consent, consent_id, operation)

    async def end_consents_of(self, user_id: str, operation: Operation) -> None:
        """Take back everything that somebody allowed. Raises ``NoSuchUser``."""
        await self.db.write(self._end_consents_of, user_id, operation)

    def _session(self, session: Session, session_id: str) -> SessionDetails:
        found = sessions.details(session, session_id, self.clock())
        if found is None or not reach.holds(session, found.user_id):
            raise NoSuchSession
        return found

    def _describe_session(
        self, session: Session, session_id: str, notes: Mapping[str, Any] | None, operation: Operation
    ) -> SessionDetails:
        found = self._session(session, session_id)
        sessions.describe(session, session_id, notes)
        self._record(session, operation, "Update a session", found.user_id, session_id=session_id)
        return self._session(session, session_id)

    def _end_session(self, session: Session, session_id: str, event: Event, operation: Operation) -> None:
        found = self._session(session, session_id)
        self.revocation.apply(session, event, Subject(found.user_id, session_id), self.clock())
        self._record(session, operation, "Delete a session", found.user_id, session_id=session_id)

    def _sessions_of(self, session: Session, user_id: str, after: str, limit: int) -> tuple[list[SessionDetails], int]:
        _require(session, user_id)
        now = self.clock()
        found = sessions.of_account(session, user_id, now, after=after, limit=limit)
        return found, sessions.count(session, user_id, now)

    def _end_sessions_of(self, session: Session, user_id: str, operation: Operation) -> None:
        _require(session, user_id)
        self._end_each(session, user_id, Event.SESSION_DELETED)
        self._record(session, operation, "Delete the sessions of a user", user_id)

    def _end_each(self, session: Session, user_id: str, event: Event) -> None:
        now = self.clock()
        for each in sessions.of_account(session, user_id, now):
            self.revocation.apply(session, event, Subject(user_id, each.id), now)

    def _token(self, session: Session, token_id: str) -> ListedToken:
        found = refresh_tokens.details(session, token_id, self.clock())
        if found is None or not reach.holds(session, found.user_id):
            raise NoSuchRefreshToken
        return _listed(session, [found])[0]

    def _describe_token(
        self, session: Session, token_id: str, notes: Mapping[str, Any] | None, operation: Operation
    ) -> ListedToken:
        found = self._token(session, token_id)
        refresh_tokens.describe(session, token_id, notes)
        self._record(session, operation, "Update a refresh token", found.details.user_id, refresh_token_id=token_id)
        return self._token(session, token_id)

    def _tokens_of(
        self, session: Session, user_id: str, client_id: str, after: str, limit: int
    ) -> tuple[list[ListedToken], int]:
        _require(session, user_id)
        now = self.clock()
        found = refresh_tokens.page(session, now, user_id=user_id, client_id=client_id, after=after, limit=limit)
        return _listed(session, found), refresh_tokens.count(session, now, user_id)

    def _end_tokens(self, session: Session, wanted: TokenFilter, operation: Operation, after: str = "") -> str | None:
        """Per account, in one order for everybody: each is locked. Return the last one; ``None`` behind all."""
        now = self.clock()
        found = refresh_tokens.families(session, now, wanted, after=after, limit=AT_ONCE)
        for user_id, families in found.items():
            if reach.holds(session, user_id):
                whose = Subject(user_id, families=tuple(families))
                self.revocation.apply(session, Event.TOKEN_REVOKED, whose, now)
                self._record(session, operation, "Delete refresh tokens", user_id)
        return list(found)[-1] if len(found) == AT_ONCE else None

    def _end_tokens_of(self, session: Session, user_id: str, operation: Operation) -> None:
        _require(session, user_id)
        self._end_tokens(session, TokenFilter(user_id=user_id), operation)

    def _revoke_access(
        self, session: Session, user_id: str, session_id: str, keep_tokens: bool, operation: Operation
    ) -> None:
        _require(session, user_id)
        if session_id and self._session(session, session_id).user_id != user_id:
            raise NoSuchSession
        if session_id:
            event = Event.SESSION_DELETED if keep_tokens else Event.SESSION_REVOKED
            self.revocation.apply(session, event, Subject(user_id, session_id), self.clock())
        elif keep_tokens:
            self._end_each(session, user_id, Event.SESSION_DELETED)
        else:
            self.revocation.apply(session, Event.SIGNED_OUT_EVERYWHERE, Subject(user_id), self.clock())
        about = {"session_id": session_id or None, "refresh_tokens_kept": keep_tokens}
        self._record(session, operation, "Revoke access of a user", user_id, **about)

    def _end_consent(self, session: Session, consent_id: str, operation: Operation) -> None:
        found = consents.get(session, consent_id)
        if found is not None and reach.holds(session, found.user_id):
            self._take_back(session, found, operation)

    def _end_consents_of(self, session: Session, user_id: str, operation: Operation) -> None:
        _require(session, user_id)
        for each in consents.of_account(session, user_id):
            self._take_back(session, each, operation)

    def _take_back(self, session: Session, consent: ConsentRecord, operation: Operation) -> None:
        whose = Subject(consent.user_id, client_id=consent.client_id)
        self.revocation.apply(session, Event.CONSENT_REVOKED, whose, self.clock())
        consents.remove(session, consent.id)
        about = {"consent_id": consent.id, "of_client": consent.client_id}
        self._record(session, operation, "Delete a grant", consent.user_id, **about)

    def _record(self, session: Session, operation: Operation, description: str, user_id: str, **about: Any) -> None:
        journal.add(session, operation.event(self.journal, description, user_id=user_id, **about))


def _consents(session: Session, wanted: ConsentFilter, offset: int, limit: int) -> tuple[list[ConsentRecord], int]:
    return consents.page(session, offset, limit, wanted), consents.total(session, wanted)


def _listed(session: Session, found: list[TokenDetails]) -> list[ListedToken]:
    known = {client_id: clients.get(session, client_id) for client_id in {each.client_id for each in found}}
    rotating = {
        client_id: client is not None and client.settings.refresh_token.rotation_type == "rotating"
        for client_id, client in known.items()
    }
    return [ListedToken(each, rotating[each.client_id]) for each in found]


def _require(session: Session, user_id: str) -> None:
    if not reach.holds(session, user_id):
        raise NoSuchUser
