"""What a person sees and ends of their own: sessions, and what applications may do on their behalf."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlmodel import Session

from keystead.db import accounts, apis, clients, connections, consents, journal, refresh_tokens, sessions
from keystead.db.session import Database
from keystead.db.sessions import SessionDetails, SessionRecord
from keystead.flows.journal import Journal
from keystead.flows.revocation import Revocation
from keystead.ports import Clock
from keystead.rules.apis import stored_identifier
from keystead.rules.events import Caller
from keystead.rules.revocation import Event, Subject

_MOST_TOKENS: Final = 2_000
"""How many refresh tokens are looked through for the applications of one person."""


@dataclass(frozen=True, slots=True)
class Application:
    """A client that may act for a person while they are away, or that they allowed something."""

    client_id: str
    name: str
    scope: tuple[str, ...]
    since: datetime
    texts: Mapping[str, str]
    """What the APIs that the scopes are of say about them."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All that is a person's own: the newest sessions and applications first."""

    identifier: str
    here: SessionDetails
    elsewhere: tuple[SessionDetails, ...]
    applications: tuple[Application, ...]


class _Given(NamedTuple):
    audience: str
    scope: tuple[str, ...]
    since: datetime


@dataclass(frozen=True)
class OwnSessions:
    """Whoever has a session may end others of the same person, and what came of them; nobody else's."""

    db: Database
    revocation: Revocation
    journal: Journal
    clock: Clock
    public_url: str

    async def overview(self, here: SessionRecord) -> Overview | None:
        """Return what the person of a session has; ``None`` where the session has just ended."""
        return await self.db.read(self._overview, here)

    async def end(self, here: SessionRecord, session_id: str, caller: Caller) -> None:
        """End one of the person's sessions; what is unknown or somebody else's is left alone."""
        await self.db.write(self._end, here, {session_id}, caller)

    async def end_others(self, here: SessionRecord, caller: Caller) -> None:
        """End all of the person's sessions but this one."""
        await self.db.write(self._end, here, None, caller)

    async def revoke(self, here: SessionRecord, client_id: str, caller: Caller) -> None:
        """Take back what an application was given and allowed."""
        await self.db.write(self._revoke, here, client_id, caller)

    def _overview(self, session: Session, here: SessionRecord) -> Overview | None:
        profile = accounts.by_id(session, here.user_id)
        connection = connections.get(session, profile.connection_id) if profile else None
        known = sessions.of_account(session, here.user_id, self.clock())
        current = next((each for each in known if each.id == here.id), None)
        if profile is None or connection is None or current is None:
            return None
        others = sorted((each for each in known if each.id != here.id), key=lambda each: each.seen_at, reverse=True)
        name = profile.best_identifier(connection.policy().precedence)
        return Overview(name, current, tuple(others), self._applications(session, here.user_id))

    def _applications(self, session: Session, user_id: str) -> tuple[Application, ...]:
        tokens = refresh_tokens.page(session, self.clock(), user_id=user_id, limit=_MOST_TOKENS)
        given: dict[str, list[_Given]] = {}
        for each in tokens:
            authority = each.record.authority
            given.setdefault(each.client_id, []).append(_Given(authority.audience, authority.scope, each.created_at))
        for consent in consents.of_account(session, user_id):
            allowed = _Given(consent.audience, consent.scope, consent.created_at)
            given.setdefault(consent.client_id, []).append(allowed)
        found = [self._application(session, client_id, parts) for client_id, parts in given.items()]
        return tuple(sorted(found, key=lambda each: each.since, reverse=True))

    def _application(self, session: Session, client_id: str, parts: list[_Given]) -> Application:
        client = clients.get(session, client_id)
        texts: dict[str, str] = {}
        for audience in {each.audience for each in parts}:
            texts |= self._texts(session, audience)
        return Application(
            client_id=client_id,
            name=client.settings.name if client else client_id,
            scope=tuple(dict.fromkeys(scope for each in parts for scope in each.scope)),
            since=min(each.since for each in parts),
            texts=texts,
        )

    def _texts(self, session: Session, audience: str) -> Mapping[str, str]:
        api = apis.by_identifier(session, stored_identifier(audience, self.public_url)) if audience else None
        return api.scopes if api else {}

    def _end(self, session: Session, here: SessionRecord, wanted: set[str] | None, caller: Caller) -> None:
        """End those that are asked for, or all others. Looked up among the person's own: an id is all a form sends."""
        now = self.clock()
        for each in sessions.of_account(session, here.user_id, now):
            if each.id in wanted if wanted is not None else each.id != here.id:
                self.revocation.apply(session, Event.SESSION_REVOKED, Subject(here.user_id, each.id), now)
                event = self.journal.event("slo", caller, user_id=here.user_id, session_id=each.id, by=here.id)
                journal.add(session, event)

    def _revoke(self, session: Session, here: SessionRecord, client_id: str, caller: Caller) -> None:
        if all(each.client_id != client_id for each in self._applications(session, here.user_id)):
            return  # somebody pressed it twice, or made the form up
        whose = Subject(here.user_id, client_id=client_id)
        self.revocation.apply(session, Event.CONSENT_REVOKED, whose, self.clock())
        for consent in consents.of_account(session, here.user_id):
            if consent.client_id == client_id:
                consents.remove(session, consent.id)
        about = {"user_id": here.user_id, "client_id": client_id}
        journal.add(session, self.journal.event("srrt", caller, description="Access taken back by its owner", **about))
