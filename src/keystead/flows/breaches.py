"""Passwords that are known from a breach somewhere: found, recorded, told and refused as administrators say (AP-10).

A check comes before the hash is made, and outside any transaction: it may wait for another host. At a login it comes
after the right password alone, so that strangers learn nothing from it.
"""

from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session

from keystead.db import accounts, journal, tenant
from keystead.db.session import Database
from keystead.errors import PasswordLeaked, PasswordUnchecked
from keystead.flows.journal import Journal
from keystead.flows.post import Post
from keystead.ports import Attempts, BreachSource
from keystead.rules import breaches
from keystead.rules.breaches import BreachSettings, Stage
from keystead.rules.buckets import Bucket
from keystead.rules.events import Caller
from keystead.rules.messages import Message
from keystead.rules.profiles import Profile
from keystead.secrecy import Secret

WhenDown = Literal["open", "closed", "silent"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose password it is, or where it is to become one; ``profile`` where there is an account already."""

    connection_id: str
    client_id: str = ""
    profile: Profile | None = None

    @property
    def about(self) -> dict[str, str | None]:
        """What the journal says about it."""
        user_id = self.profile.user_id if self.profile else None
        return {"connection_id": self.connection_id, "client_id": self.client_id or None, "user_id": user_id}


@dataclass(frozen=True, slots=True)
class _Find:
    """A breached password, and what is to be done about it now."""

    stage: Stage
    subject: Subject
    caller: Caller
    record: bool
    tell_owner: bool
    tell_administrators: bool
    refuse: bool


@dataclass(frozen=True)
class Breaches:
    """The shields against passwords that everybody can read."""

    db: Database
    source: BreachSource | None
    """Where they are known from; without one, the test values of AP-11 count as breached all the same."""
    when_down: WhenDown
    attempts: Attempts
    post: Post
    journal: Journal

    async def check(self, stage: Stage, password: Secret[str], subject: Subject, caller: Caller) -> None:
        """Look a password up, and do what the shields of the stage say.

        Raises ``PasswordLeaked`` where they say ``block``, and ``PasswordUnchecked`` where the source is down and that
        is configured to be a refusal. A login never depends on the source.
        """
        is_test = breaches.is_test_value(password)
        if self.source is None and not is_test:
            return
        settings = await self.settings()
        if not settings.enabled:
            return
        try:
            if is_test or (self.source and await self.source.is_breached(password)):
                await self._found(settings, stage, subject, caller)
        except PasswordUnchecked as unchecked:
            await self._unchecked(unchecked, stage, subject, caller)

    async def settings(self) -> BreachSettings:
        """Return what is done about breached passwords."""
        return breaches.read_settings(await self.db.read(tenant.get, breaches.SETTING))

    async def close(self) -> None:
        """Let go of what the source holds open."""
        if self.source:
            await self.source.close()

    async def _found(self, settings: BreachSettings, stage: Stage, subject: Subject, caller: Caller) -> None:
        shields, profile = settings.shields_of(stage), subject.profile
        to_owner = [breaches.user_bucket(profile.user_id)] if profile and "user_notification" in shields else []
        to_administrators = breaches.administrator_buckets(settings, caller.address)
        find = _Find(
            stage,
            subject,
            caller,
            record=stage != "login" or await self._has_room(breaches.record_bucket(caller.address)),
            tell_owner=await self._has_room(*to_owner),
            tell_administrators="admin_notification" in shields and await self._has_room(*to_administrators),
            refuse="block" in shields,
        )
        await self.db.write(self._act, find)
        if find.refuse:
            raise PasswordLeaked(breaches.REFUSALS[stage]).because(rule="breached_password", **subject.about)

    async def _has_room(self, *buckets: Bucket) -> bool:
        """Charge each bucket once; whether any had room."""
        charges = [await self.attempts.take(each.key, each.capacity, each.refill) for each in buckets]
        return any(charge.allowed for charge in charges)

    def _act(self, session: Session, find: _Find) -> None:
        about = find.subject.about
        if find.record:
            kind = breaches.EVENTS[find.stage]
            journal.add(session, self.journal.event(kind, find.caller, refused=find.refuse, **about))
        if find.refuse and find.stage == "login":
            # Of every refused login there is an entry, also where the find is recorded once an hour.
            journal.add(session, self.journal.event("f", find.caller, reason=PasswordLeaked.code, **about))
        if find.tell_owner and find.subject.profile:
            self._tell(session, find.subject.profile, find, {})
        if find.tell_administrators:
            who = find.subject.about["user_id"] or "somebody who signs up"
            what = f"A password that was published in a data breach was used ({find.stage}) by {who}"
            for each in accounts.administrators(session):
                self._tell(
                    session, each, find, {"what": f"{what}, from {find.caller.address or 'an unknown address'}."}
                )

    def _tell(self, session: Session, person: Profile, find: _Find, variables: dict[str, str]) -> None:
        if person.email is None:
            return
        message = Message(
            channel="email",
            template="stolen_credentials",
            to=person.email,
            language=find.caller.language if not variables else "en",
            variables=variables,
            user_id=person.user_id,
            client_id=find.subject.client_id or None,
            connection_id=person.connection_id,
        )
        self.post.send(session, message)

    async def _unchecked(self, unchecked: PasswordUnchecked, stage: Stage, subject: Subject, caller: Caller) -> None:
        if self.when_down != "silent":
            event = self.journal.event(
                "pwd_leak_unchecked", caller, stage=stage, reason=unchecked.detail, **subject.about
            )
            await self.db.write(journal.add, event)
        if self.when_down == "closed" and stage != "login":
            raise unchecked
