"""A sign-up shows by a code that an identifier is theirs, before there is an account (VF-2, ID-19, ID-20).

The code is bound to the login transaction, which is one browser's alone: whoever types it is whoever signs up.
"""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import TooManyMessages, WrongCode
from keystead.flows.journal import Journal
from keystead.flows.one_time_codes import OneTimeCodes
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.refusals import whose
from keystead.flows.signup import Signup
from keystead.rules.buckets import code_bucket, guesses_bucket
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.login_steps import LoginTransaction
from keystead.rules.messages import CHANNELS, Message, in_groups
from keystead.rules.profiles import Profile
from keystead.rules.verification import Verifiable


@dataclass(frozen=True, slots=True)
class _Asked:
    """A code to be sent, as its unit of work needs it."""

    connection: ConnectionRecord
    transaction: LoginTransaction
    identifier: Identifier
    language: str
    may_tell: bool
    long: bool


@dataclass(frozen=True)
class SignupChallenge:
    """Sends codes and checks them; what the page shows is the same whether somebody has the identifier or not."""

    db: Database
    protection: Protection
    codes: OneTimeCodes
    signup: Signup
    elsewhere: PeopleElsewhere
    post: Post
    journal: Journal

    async def send(
        self, connection: ConnectionRecord, transaction: LoginTransaction, identifier: Identifier, caller: Caller
    ) -> None:
        """Send a code; an older one stops working. Raises ``TooManyMessages``, ``ScriptFailed``.

        Where somebody has shown before that the identifier is theirs, it is they who hear of it, and no code is right.
        """
        about = whose(identifier, connection_id=connection.id, client_id=transaction.request.client_id)
        bucket = code_bucket(connection.id, identifier, caller.address)
        async with self.protection.charged(bucket, about, refusal=TooManyMessages):
            short = await self.codes.may_be_short("signup", connection.id, identifier)
            # Asked of everybody: whether there is an owner to be told must not be seen.
            may_tell = await self.signup.may_tell(connection, identifier)
            failed = self.journal.event("fs", caller, connection_id=connection.id)
            with self.protection.asking(caller.address, connection):
                await self.elsewhere.bring_unseen(connection, identifier, failed)
            asked = _Asked(connection, transaction, identifier, caller.language, may_tell, long=not short)
            await self.db.write(self._send, asked)

    async def check(self, transaction: LoginTransaction, kind: Verifiable, code: str, caller: Caller) -> str:
        """Return the identifier that a right code proves. Raises ``WrongCode``, ``AddressBlocked``."""
        record = await self.codes.check(_handle(transaction, kind), code, caller)
        if record.get("value") != transaction.identifiers.get(kind):
            raise WrongCode(detail="sent for another identifier")
        return str(record["value"])

    def _send(self, session: Session, asked: _Asked) -> None:
        identifier, transaction = asked.identifier, asked.transaction
        kind: Verifiable = "email" if identifier.kind == "email" else "phone_number"
        known = accounts.by_identifier(session, asked.connection.id, identifier)
        owner = known.profile if known and _has_account(asked.connection, known.profile, kind) else None
        record = {} if owner else {"value": identifier.value}
        guesses = guesses_bucket("signup", asked.connection.id, identifier)
        code = self.codes.issue(session, _handle(transaction, kind), record, guesses=guesses, long=asked.long)
        message = Message(
            channel=CHANNELS[kind],
            template="signup_attempt" if owner else "verify_email_by_code",
            to=identifier.value if asked.may_tell or not owner else "",
            language=asked.language,
            variables={} if owner else {"code": in_groups(code)},
            user_id=owner.user_id if owner else None,
            client_id=transaction.request.client_id,
            connection_id=asked.connection.id,
        )
        self.post.send(session, message)


def _has_account(connection: ConnectionRecord, holder: Profile, kind: Verifiable) -> bool:
    """Whether a sign-up ends at whoever has the identifier: not where it may yet be shown to be somebody else's.

    Of whoever is kept in the customer's database it is theirs, whatever that says of it.
    """
    return connection.policy().store == "scripted" or holder.is_verified(kind)


def _handle(transaction: LoginTransaction, kind: Verifiable) -> str:
    return f"signup/{transaction.id}/{kind}"
