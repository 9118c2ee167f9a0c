"""Somebody logs in with an identifier and a password."""

from dataclasses import dataclass

from keystead.db import journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import NotVerified, TooManyAttempts, WrongCredentials
from keystead.flows.accounts import Admitted, enter, unwrap
from keystead.flows.breaches import Breaches, Subject
from keystead.flows.directory import StoreFor
from keystead.flows.journal import Journal
from keystead.flows.protection import Protection
from keystead.flows.verification import Verification
from keystead.ports import Clock, Refused
from keystead.rules import identifiers
from keystead.rules.attack_protection import login_bucket
from keystead.rules.events import Caller
from keystead.secrecy import Secret, fingerprint

MAX_TYPED_BYTES = 4096


@dataclass(frozen=True)
class PasswordLogin:
    """Charge, verify, admit, forgive: in this order."""

    db: Database
    protection: Protection
    store_for: StoreFor
    verification: Verification
    breaches: Breaches
    journal: Journal
    clock: Clock

    async def __call__(
        self, connection: ConnectionRecord, client_id: str, typed: str, password: Secret[str], caller: Caller
    ) -> Admitted:
        """Return who it is.

        Raises ``WrongCredentials`` for nobody, a wrong password, an account without one and an over-long one alike;
        ``NotVerified``, which says the same, where an identifier must be verified first: its link is sent again;
        ``TooManyAttempts`` before anything is tried; ``UserBlocked`` and ``PasswordLeaked`` only after the right
        password; ``Busy``.
        """
        options = connection.policy()
        typed = typed if len(typed.encode("utf-8", "surrogatepass")) <= MAX_TYPED_BYTES else ""
        rules = options.username_rules()
        identifier = identifiers.parse(typed, options.active_identifiers(), options.precedence, rules)
        # What is no identifier may be a password in the wrong field: its bucket must not be a copy of it.
        bucket = login_bucket(connection.id, identifier, fingerprint(typed)[:8], caller.address)
        about = {"connection_id": connection.id, "client_id": client_id}
        protected = options.brute_force_protection
        # The proof is of the moment before the hash: a password that is changed while it is compared lets nobody in.
        began = self.clock()
        try:
            async with self.protection.charged(bucket, active=protected):
                with self.protection.place(caller.address):
                    found = await self.store_for(connection).verify(identifier, password)
        except TooManyAttempts:
            await self.db.write(journal.add, self.journal.event("limit_wc", caller, **about))
            raise
        if isinstance(found, Refused) or not options.methods.password.enabled:
            user_id = found.user_id
            kind = "fp" if user_id else "fu"
            await self.db.write(journal.add, self.journal.event(kind, caller, user_id=user_id, **about))
            raise WrongCredentials
        await self.breaches.check("login", password, Subject(connection.id, client_id, found), caller)
        success = self.journal.event("s", caller, user_id=found.user_id, amr=["pwd"], **about)
        success = success.model_copy(update={"date": began})
        failure = self.journal.event("f", caller, user_id=found.user_id, **about)
        outcome = await self.db.write(enter, found.user_id, client_id, "pwd", success, failure)
        if protected:
            await self.protection.forgive(bucket)
        if isinstance(outcome, NotVerified):
            await self.verification.remind(found.user_id, client_id, caller)
        return unwrap(outcome)
