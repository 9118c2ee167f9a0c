"""Somebody logs in with an identifier and a password."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import Session

from keystead.db import accounts, journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import DomainError, NotVerified, RefusedByScript, ScriptFailed, WrongCredentials
from keystead.flows.accounts import Admission, Admitted, Entered, Method, unwrap
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.directory import StoreFor
from keystead.flows.journal import Journal
from keystead.flows.protection import Protection
from keystead.flows.refusals import concerning, told
from keystead.flows.verification import Verification
from keystead.ports import Clock, Refused, Telemetry
from keystead.rules import identifiers
from keystead.rules.attack_protection import Guess
from keystead.rules.events import Caller, Event
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Profile
from keystead.rules.telemetry import LOGIN, SILENCE
from keystead.secrecy import Secret

MAX_TYPED_BYTES = 4096

E = TypeVar("E", bound=Entered)


@dataclass(frozen=True)
class PasswordLogin:
    """Charge, verify, settle, admit: in this order."""

    db: Database
    admission: Admission
    protection: Protection
    store_for: StoreFor
    verification: Verification
    breaches: Breaches
    journal: Journal
    clock: Clock
    telemetry: Telemetry = SILENCE

    async def __call__(
        self, connection: ConnectionRecord, client_id: str, typed: str, password: Secret[str], caller: Caller
    ) -> Admitted:
        """Return who it is, for a client that is to get tokens.

        Raises ``WrongCredentials`` for nobody, a wrong password, an account without one and an over-long one alike;
        ``NotVerified``, which says the same, where an identifier must be verified first: its link is sent again;
        ``TooManyAttempts`` before anything is tried; ``UserBlocked``, ``PasswordLeaked`` and ``EnrolmentRequired`` only
        after the right password; ``Busy``; ``ScriptFailed`` and ``RefusedByScript`` where people live elsewhere.
        """
        return await self._login(self._enter, connection, client_id, typed, password, caller)

    async def on_pages(
        self, connection: ConnectionRecord, client_id: str, typed: str, password: Secret[str], caller: Caller
    ) -> Entered:
        """The same for our own pages, which also let in who has to make a passkey: they lead to where that is done."""
        return await self._login(self.admission.enter_pages, connection, client_id, typed, password, caller)

    def _enter(self, session: Session, method: Method, success: Event, failure: Event) -> Admitted | DomainError:
        about = {"user_id": success.user_id, "connection_id": success.connection_id, "client_id": success.client_id}
        exchange = self.journal.event("sepft", success.caller, **about)
        return self.admission.enter(session, method, success, failure, exchange)

    async def _login(
        self,
        enter: Callable[[Session, Method, Event, Event], E | DomainError],
        connection: ConnectionRecord,
        client_id: str,
        typed: str,
        password: Secret[str],
        caller: Caller,
    ) -> E:
        options = connection.policy()
        typed = typed if len(typed.encode("utf-8", "surrogatepass")) <= MAX_TYPED_BYTES else ""
        rules = options.username_rules()
        identifier = identifiers.parse(typed, options.active_identifiers(), options.precedence, rules)
        # What is no identifier may be a password in the wrong field: its bucket must not be a copy of it.
        text = "" if identifier else self.protection.unread(typed)
        guess = Guess(
            *(connection.id, identifier, text, caller.address, caller.device),
            protected=options.brute_force_protection,
            administers=connection.for_administrators,
        )
        about: dict[str, str | None] = {"connection_id": connection.id, "client_id": client_id}
        # The proof is of the moment before the hash: a password that is changed while it is compared lets nobody in.
        began = self.clock()
        with self.telemetry.timed(LOGIN, "password"), concerning(identifier, **about):
            async with self.protection.guessing(guess, password, caller, about) as attempt:
                with self.protection.place(caller.address, connection):
                    found = await self._verify(
                        connection, identifier, password, self.journal.event("f", caller, **about)
                    )
                attempt.right = isinstance(found, Profile) and options.methods.password.enabled
                attempt.account = found.user_id if options.store != "hosted" else None
            if isinstance(found, Refused) or not options.methods.password.enabled:
                await self.db.write(journal.add, self._refused(found, caller, about))
                user_id = found.user_id
                raise WrongCredentials().because(rule=_why(user_id, identifier, options.methods.password.enabled))
            await self.breaches.check("login", password, Subject(connection.id, client_id, found), caller)
            success = self.journal.event("s", caller, user_id=found.user_id, amr=["pwd"], **about)
            # Whoever was met by this very login is younger than its beginning, and what was issued before to an account
            # of that id is not theirs (``db/mirrors``).
            success = success.model_copy(update={"date": max(began, found.created_at)})
            failure = self.journal.event("f", caller, user_id=found.user_id, **about)
            outcome = await self.db.write(enter, "pwd", success, failure)
            if isinstance(outcome, NotVerified):
                await self.verification.remind(found.user_id, client_id, caller)
            return unwrap(outcome)

    async def _verify(
        self, connection: ConnectionRecord, identifier: Identifier | None, password: Secret[str], failure: Event
    ) -> Profile | Refused:
        """Ask the store; ``failure`` is written down where a script had no answer, or one of its own."""
        try:
            return await self.store_for(connection).verify(identifier, password)
        except (ScriptFailed, RefusedByScript) as refusal:
            await self.db.write(_note, told(failure, refusal), identifier)
            raise

    def _refused(self, found: Profile | Refused, caller: Caller, about: dict[str, str | None]) -> Event:
        """Return the entry of a login that was refused: whose password was wrong, and what a script said of it."""
        kind = "fp" if found.user_id else "fu"
        event = self.journal.event(kind, caller, user_id=found.user_id, **about)
        if isinstance(found, Profile) or found.script is None:
            return event
        return event.model_copy(update={"description": found.said, "details": event.details | {"script": found.script}})


def _note(session: Session, entry: Event, identifier: Identifier | None) -> None:
    """Write down that a script failed, and whose account it would have been as far as that is known here."""
    known = accounts.by_identifier(session, entry.connection_id or "", identifier) if identifier else None
    journal.add(session, entry.model_copy(update={"user_id": known.profile.user_id}) if known else entry)


def _why(user_id: str | None, identifier: Identifier | None, takes_passwords: bool) -> str:
    """Return what administrators learn of a login that was refused; whoever tried does not."""
    if not takes_passwords:
        return "passwords_off"
    if user_id is not None:
        return "wrong_password"
    return "nobody" if identifier else "no_identifier"
