"""Links that programs of administrators ask for, and mails with such a link (VF-3, RS-7)."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts, clients, jobs, journal
from keystead.db.connections import ConnectionRecord
from keystead.db.jobs import JobRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, InvalidIdentifier, NoSuchJob, NoSuchUser
from keystead.flows import reach
from keystead.flows.archive_imports import JOB as IMPORTS
from keystead.flows.enrolment_tickets import EnrolmentTickets
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.password_reset import PasswordReset
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.post import VERIFICATION_JOB
from keystead.flows.user_exports import JOBS as EXPORTS
from keystead.flows.verification import Verification
from keystead.ports import Clock
from keystead.rules.events import Event
from keystead.rules.identifiers import Identifier, canonical
from keystead.rules.import_jobs import JOB as ROWS
from keystead.rules.messages import Message
from keystead.rules.profiles import Profile
from keystead.rules.tickets import (
    NOT_IN_ACCOUNT,
    Identity,
    PasskeyTicket,
    PasswordTicket,
    VerificationMail,
    VerificationTicket,
)
from keystead.rules.verification import Terms


@dataclass(frozen=True)
class Tickets:
    """Whoever asks for a link vouches for whom it is given to; administrators' accounts are not there for it."""

    db: Database
    verification: Verification
    reset: PasswordReset
    enrolment: EnrolmentTickets
    elsewhere: PeopleElsewhere
    clock: Clock
    journal: Journal

    async def mail_verification(self, asked: VerificationMail, operation: Operation) -> JobRecord:
        """Send a link that verifies, and return the job. Raises ``BadRequest``."""
        return await self.db.write(self._mail_verification, asked, operation)

    async def verify_email(self, asked: VerificationTicket, operation: Operation) -> str:
        """Return a link that verifies. Raises ``BadRequest``, ``NoSuchUser``."""
        return await self.db.write(self._verify_email, asked, operation)

    async def change_password(self, asked: PasswordTicket, operation: Operation) -> str:
        """Return a link to a new password. Raises ``BadRequest``, ``NoSuchUser``, ``ScriptFailed``."""
        await self._bring(asked)
        return await self.db.write(self._change_password, asked, operation)

    async def enrol_passkey(self, asked: PasskeyTicket, operation: Operation) -> str:
        """Return a link to a passkey. Raises ``BadRequest``, ``NoSuchUser``, ``ScriptFailed``."""
        await self._bring(asked)
        return await self.db.write(self._enrol_passkey, asked, operation)

    async def job(self, job_id: str) -> JobRecord:
        """Return a job that was asked for here. Raises ``NoSuchJob``."""
        found = await self.db.read(jobs.get, job_id)
        if found is None or found.type not in (VERIFICATION_JOB, *EXPORTS, IMPORTS, ROWS):
            raise NoSuchJob
        return found

    async def _bring(self, asked: PasswordTicket | PasskeyTicket) -> None:
        """Bring whoever is meant by an address up to date: they may be somebody who never signed in here."""
        if not asked.user_id:
            await self.elsewhere.bring(*await self.db.read(_whose, asked))

    def _mail_verification(self, session: Session, asked: VerificationMail, operation: Operation) -> JobRecord:
        try:
            profile, connection = _person(session, asked.user_id, asked.identity)
        except NoSuchUser:
            raise BadRequest("The user does not exist.") from None  # the job knows no 404
        if not profile.email:
            raise BadRequest("User does not have an email address.")
        _check_client(session, asked.client_id)
        message = Message(
            channel="email",
            template="verify_email",
            to=profile.email,
            language=operation.caller.language,
            user_id=profile.user_id,
            client_id=asked.client_id,
            connection_id=connection.id,
        )
        job_id = self.verification.send_link(session, profile, message, job=VERIFICATION_JOB)
        about = {"user_id": profile.user_id, "connection_id": connection.id}
        journal.add(
            session,
            operation.event(self.journal, "Send a verification email", job=job_id, **about),
            self._requested(operation, profile, asked),
        )
        return JobRecord(job_id, VERIFICATION_JOB, "pending", self.clock(), None)

    def _verify_email(self, session: Session, asked: VerificationTicket, operation: Operation) -> str:
        profile, connection = _person(session, asked.user_id, asked.identity)
        if not profile.email:
            raise BadRequest("User does not have an email address.")
        _check_client(session, asked.client_id)
        about = {"user_id": profile.user_id, "connection_id": connection.id}
        journal.add(
            session,
            operation.event(self.journal, "Create an email verification ticket", **about),
            self._requested(operation, profile, asked),
        )
        url = self.verification.link(
            session,
            profile,
            client_id=asked.client_id or "",
            terms=Terms(asked.lifetime, asked.result_url or "", asked.include_email),
        )
        return f"{url}#"

    def _requested(self, operation: Operation, profile: Profile, asked: VerificationMail | VerificationTicket) -> Event:
        """Return what is told of a link that verifies, whoever asked for it."""
        about = {"user_id": profile.user_id, "connection_id": profile.connection_id, "client_id": asked.client_id}
        return self.journal.event("svr", operation.caller, email=profile.email, **about)

    def _change_password(self, session: Session, asked: PasswordTicket, operation: Operation) -> str:
        profile, connection = _person(session, asked.user_id or _by_address(session, asked), asked.identity)
        if not profile.email:
            raise BadRequest("The user does not have an email address.")
        options = connection.policy()
        if not options.methods.password.enabled or options.lacks("change_password"):
            raise BadRequest("The user's main connection does not support this operation.")
        _check_client(session, asked.client_id)
        known = accounts.with_password(session, profile.user_id)
        about = {"user_id": profile.user_id, "connection_id": connection.id}
        journal.add(session, operation.event(self.journal, "Create a password change ticket", **about))
        url = self.reset.link(
            session,
            profile,
            asked.client_id or "",
            known.password_hash if known else None,
            terms=Terms(asked.lifetime, asked.result_url or "", asked.include_email, asked.mark_email_as_verified),
        )
        return f"{url}#"

    def _enrol_passkey(self, session: Session, asked: PasskeyTicket, operation: Operation) -> str:
        profile, connection = _person(session, asked.user_id or _by_address(session, asked), None)
        if not connection.policy().methods.passkey.enabled:
            raise BadRequest("The user's main connection does not support this operation.")
        _check_client(session, asked.client_id)
        about = {"user_id": profile.user_id, "connection_id": connection.id}
        journal.add(session, operation.event(self.journal, "Create a passkey enrollment ticket", **about))
        url = self.enrolment.link(
            session,
            profile,
            client_id=asked.client_id or "",
            result_url=asked.result_url or "",
            lifetime=asked.lifetime,
        )
        return f"{url}#"


def _person(session: Session, user_id: str, identity: Identity | None) -> tuple[Profile, ConnectionRecord]:
    try:
        profile, connection = reach.person(session, user_id, lock=True)
    except NoSuchUser:
        raise NoSuchUser("User not found.") from None
    if identity is not None and not identity.is_of(profile):
        raise BadRequest(NOT_IN_ACCOUNT)
    return profile, connection


def _by_address(session: Session, asked: PasswordTicket | PasskeyTicket) -> str:
    """Return whose address it is. Raises ``BadRequest``, ``NoSuchUser``."""
    connection, identifier = _whose(session, asked)
    known = accounts.by_identifier(session, connection.id, identifier)
    if known is None or known.profile.email != identifier.value:
        raise NoSuchUser("User not found.")
    return known.profile.user_id


def _whose(session: Session, asked: PasswordTicket | PasskeyTicket) -> tuple[ConnectionRecord, Identifier]:
    """Return in which connection whoever has which address is meant. Raises ``BadRequest``."""
    connection = reach.connection_at(session, asked.connection_id or "")
    if connection is None:
        raise BadRequest(f"The connection with id {asked.connection_id} does not exist.")
    try:
        identifier = canonical("email", asked.email or "")
    except InvalidIdentifier:
        raise BadRequest("Object didn't pass validation for format email", path="email") from None
    return connection, identifier


def _check_client(session: Session, client_id: str | None) -> None:
    if client_id is not None and clients.known(session, client_id) is None:
        raise BadRequest("The client does not exist.", path="client_id")
