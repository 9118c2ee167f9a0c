"""The hosted login: one flow object, whose every method records what happened in the transaction and returns.

No method says what comes next. That is ``rules/login_steps.next_step``, asked by the pages of the stored transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from keystead.db import accounts, clients, consents, passkeys, sessions, transactions
from keystead.db.clients import ClientRecord
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import EnrolmentRequired, InvalidIdentifier, NotVerified, TransactionExpired
from keystead.flows.accounts import Admission, Entered, unwrap
from keystead.flows.ceremonies import Ceremonies, Party
from keystead.flows.directory import Directory
from keystead.flows.journal import Journal
from keystead.flows.passkey_enrolment import PasskeyEnrolment, Proved
from keystead.flows.passkey_login import Options, PasskeyLogin
from keystead.flows.password_login import PasswordLogin
from keystead.flows.sessions import Opened, Sessions
from keystead.flows.signup import Signup
from keystead.flows.signup_challenge import SignupChallenge
from keystead.ports import Clock, Entropy
from keystead.rules import authorization, enrolment, identifiers, passkey_policy
from keystead.rules.authorization import Ask, AuthorizationRequest
from keystead.rules.ceremonies import Ceremony, CeremonyKind
from keystead.rules.enrolment import Deadline, Held, Prompt
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.login_steps import LoginTransaction, Proof, Step, next_step, next_to_prove
from keystead.rules.passkey_policy import Offer
from keystead.rules.profiles import Draft
from keystead.rules.relying_party import RelyingParty
from keystead.rules.tokens import TRANSACTION_LIFETIME
from keystead.secrecy import Secret, fingerprint


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser on a hosted page: which login it is about, and who asks."""

    state: str
    browser: Secret[str]
    session: Secret[str] | None
    caller: Caller


@dataclass(frozen=True, slots=True)
class Place:
    """Where a login stands: everything that a page shows comes from here."""

    transaction: LoginTransaction
    connection: ConnectionRecord
    client: ClientRecord
    relying_party: RelyingParty
    offer: Offer
    step: Step
    deadline: Deadline | None = None
    """By when whoever proved themselves needs a passkey, where they have none that works."""

    @property
    def must_enrol(self) -> bool:
        """Whether they go nowhere without one any more."""
        return self.deadline is not None and self.deadline.passed

    @property
    def party(self) -> Party:
        """For whom the pages hold ceremonies."""
        return self.party_for("")

    def party_for(self, rp_id: str) -> Party:
        """Return the same where only passkeys of an older relying party id may answer."""
        transaction = fingerprint(self.transaction.id)
        return Party(self.transaction.request.client_id, self.connection, transaction=transaction, rp_id=rp_id)


@dataclass(frozen=True)
class HostedLogin:
    """What a person does on the hosted pages."""

    db: Database
    admission: Admission
    directory: Directory
    passwords: PasswordLogin
    passkeys: PasskeyLogin
    signup: Signup
    challenge: SignupChallenge
    enrolment: PasskeyEnrolment
    ceremonies: Ceremonies
    sessions: Sessions
    journal: Journal
    clock: Clock
    entropy: Entropy

    async def begin(
        self,
        request: AuthorizationRequest,
        connection: ConnectionRecord,
        browser: Secret[str],
        *,
        proof: Proof | None = None,
        ask: Ask = "none",
    ) -> LoginTransaction:
        """Write a login down, for this browser alone; with a ``proof`` where only something is left to ``ask``."""
        transaction = LoginTransaction(
            id=self.entropy.token(32),
            request=request,
            connection_id=connection.id,
            browser=fingerprint(browser.reveal()),
            expires_at=self.clock() + TRANSACTION_LIFETIME,
            intent="signup" if request.screen_hint == "signup" else "login",
            proof=proof,
            ask=ask,
        )
        await self.db.write(transactions.put, transaction)
        return transaction

    async def look(self, visit: Visit) -> Place:
        """Return where a login stands, under the connection's options as they are now.

        Raises ``TransactionExpired`` for a login that is unknown, over, or another browser's (somebody may have sent
        the person a link to a login of their own).
        """
        transaction = await self.db.read(_still_good, visit.state, self.clock())
        if transaction is None or transaction.browser != fingerprint(visit.browser.reveal()):
            raise TransactionExpired
        connection = await self.directory.by_id(transaction.connection_id, transaction.request.client_id)
        client, relying_party = await self.db.read(self._between, transaction.request.client_id)
        if client is None:
            raise TransactionExpired(detail="the client is gone")
        offer = passkey_policy.offer(connection.policy())
        deadline = await self._deadline(transaction.proof, connection)
        step = next_step(transaction, offer, must_enrol=deadline is not None and deadline.passed)
        return Place(transaction, connection, client, relying_party, offer, step, deadline)

    async def identify(self, visit: Visit, place: Place, typed: str) -> None:
        """Take what was typed as the identifier, if it can be one; whether anybody has it is nobody's business yet.

        Raises ``InvalidIdentifier``.
        """
        options = place.connection.policy()
        if identifiers.parse(typed, options.active_identifiers(), options.precedence, options.username_rules()) is None:
            raise InvalidIdentifier("username", "That is not a valid identifier here.")
        await self._change(visit, intent="login", identifiers={"typed": typed})

    async def with_password(
        self, visit: Visit, place: Place, typed: str, password: Secret[str], *, can_upgrade: bool = False
    ) -> Opened:
        """Log in with a password. Raises what ``PasswordLogin.on_pages`` raises.

        ``can_upgrade`` is the browser's word that it can make a passkey by itself: whether it may is for us to say, and
        never for administrators, who say yes to each of theirs.
        """
        client_id = place.transaction.request.client_id
        can_upgrade = can_upgrade and not place.connection.for_administrators
        entered = await self.passwords.on_pages(place.connection, client_id, typed, password, visit.caller)
        return await self._proved(visit, place, entered, can_upgrade=can_upgrade)

    async def login_options(self, visit: Visit, place: Place, rp_id: str = "") -> Options:
        """Return a challenge for the login page; ``rp_id`` is the older address whose passkeys are asked for, if any.

        Raises ``BadRequest`` where passkeys are off, or those of that address.
        """
        return await self.passkeys.begin(place.connection, place.party_for(rp_id), visit.caller)

    async def with_passkey(self, visit: Visit, place: Place, auth_session: str, response: object) -> Opened:
        """Log in with a passkey. Raises ``CeremonyExpired`` and what ``PasskeyLogin.finish`` raises."""
        ceremony = await self._claim(place, auth_session, "login")
        entry = await self.passkeys.finish(ceremony, response, visit.caller)
        return await self._proved(visit, place, entry.admitted, attachment=entry.attachment)

    async def identify_signup(self, visit: Visit, place: Place, body: Mapping[str, object]) -> None:
        """Take the identifiers of a sign-up; the first that must be proved is sent a code.

        Raises what ``Signup.draft``, ``Signup.available`` and ``SignupChallenge.send`` raise.
        """
        draft = self.signup.draft(place.connection, body)
        await self.signup.available(place.connection, draft, place.transaction.request.client_id, visit.caller)
        identifiers = {each.kind: each.value for each in draft.identifiers}
        await self._change(visit, intent="signup", identifiers=identifiers, passkey_declined=False)
        await self.send_code(visit, await self.look(visit))

    async def send_code(self, visit: Visit, place: Place) -> None:
        """Send a code to the identifier that is to be proved now, if there is one. Raises ``TooManyAttempts``."""
        kind = next_to_prove(place.transaction, place.offer)
        if kind is not None:
            identifier = Identifier(kind, place.transaction.identifiers[kind])
            await self.challenge.send(place.connection, place.transaction, identifier, visit.caller)

    async def prove(self, visit: Visit, place: Place, code: str) -> None:
        """Take a code for the identifier that is to be proved now. Raises ``WrongCode``, ``TooManyAttempts``."""
        kind = next_to_prove(place.transaction, place.offer)
        if kind is None:
            return
        value = await self.challenge.check(place.transaction, kind, code, visit.caller)
        await self._change(visit, proved=place.transaction.proved | {kind: value})
        await self.send_code(visit, await self.look(visit))

    async def decline_passkey(self, visit: Visit) -> None:
        """Go on to a password."""
        await self._change(visit, passkey_declined=True)

    async def signup_options(self, visit: Visit, place: Place) -> Options:
        """Return the options for the first passkey of an account to be. Raises what ``Signup`` raises."""
        draft = self._draft(place)
        return await self.signup.begin_passkey(place.connection, draft, place.party, visit.caller)

    async def signup_with_passkey(
        self, visit: Visit, place: Place, auth_session: str, response: object
    ) -> Opened | None:
        """Create the account with its passkey. Raises what ``Signup.finish_passkey`` raises.

        Nothing is opened where the account must be verified first.
        """
        ceremony = await self._claim(place, auth_session, "signup")
        try:
            admitted = await self.signup.finish_passkey(place.connection, ceremony, response, visit.caller)
        except NotVerified:
            await self._wait(visit, place.transaction.identifiers)
            return None
        return await self._proved(visit, place, admitted)

    async def signup_with_password(self, visit: Visit, place: Place, password: Secret[str]) -> Opened | None:
        """Create the account with a password, and log in. Raises what ``Signup`` raises.

        Nothing is opened where the account must be verified first.
        """
        client_id, connection, transaction = place.transaction.request.client_id, place.connection, place.transaction
        draft = self._draft(place)
        profile = await self.signup(connection, client_id, draft, password, visit.caller, counted=True)
        if profile.must_verify:
            await self._wait(visit, transaction.identifiers)
            return None
        about = {"user_id": profile.user_id, "connection_id": connection.id, "client_id": client_id}
        success = self.journal.event("s", visit.caller, amr=["pwd"], **about)
        failure = self.journal.event("f", visit.caller, **about)
        outcome = await self.db.write(self.admission.enter_pages, "pwd", success, failure)
        return await self._proved(visit, place, unwrap(outcome))

    async def name_of(self, place: Place) -> str:
        """Return the identifier of whoever proved themselves."""
        profile = await self.db.read(accounts.by_id, _proof(place).user_id)
        return profile.best_identifier(place.connection.policy().precedence) if profile else ""

    async def enrolment_options(self, place: Place) -> Options:
        """Return the options for one more passkey. Raises what ``PasskeyEnrolment.begin`` raises."""
        proof = self._fresh(place)
        return await self.enrolment.begin(place.connection, proof.user_id, place.party)

    async def enrol(self, visit: Visit, place: Place, auth_session: str, response: object) -> None:
        """Store the passkey. Raises ``CeremonyExpired`` and what ``PasskeyEnrolment.finish`` raises."""
        ceremony = await self._claim(place, auth_session, "enrolment")
        proof = self._fresh(place)
        await self.enrolment.finish(ceremony, Proved(proof.user_id, proof.at, proof.session_id), response, visit.caller)
        await self._change(visit, prompt="none")

    async def skip_enrolment(self, visit: Visit, place: Place, *, snooze: bool, never: bool = False) -> None:
        """Go on without; with ``snooze`` do not ask again for a while (PK-7), with ``never`` not at all.

        A "never" that the policy does not allow is a snooze; while a day is set, nobody is left in peace until then.
        Raises ``EnrolmentRequired`` once it is past.
        """
        if place.must_enrol:
            raise EnrolmentRequired
        if (snooze or never) and place.deadline is None:
            policy = passkey_policy.policy_of(place.connection.policy())
            await self.enrolment.snooze(_proof(place).user_id, policy, never=never)
        await self._change(visit, prompt="none")

    async def past_upgrade(self, visit: Visit, *, made: bool) -> None:
        """Go on from a passkey that the browser was to make by itself; whoever has it is asked for no other."""
        await self._change(visit, upgrade=False, **({"prompt": "none"} if made else {}))

    async def start_over(self, visit: Visit) -> None:
        """Go back to the first page of this login, as whoever cannot make a passkey here, or not in time."""
        await self._change(visit, proof=None, prompt="none", ask="none", intent="login", identifiers={})

    async def go_on(self, visit: Visit) -> None:
        """Go to sign in, with an account that was verified meanwhile."""
        await self._change(visit, pending="", intent="login", identifiers={})

    def _fresh(self, place: Place) -> Proof:
        """Return who proved themselves, and lately. Raises ``TransactionExpired``, ``StepUpRequired``."""
        proof, policy = _proof(place), passkey_policy.policy_of(place.connection.policy())
        self.enrolment.require_fresh(proof.at, timedelta(seconds=policy.step_up_seconds))
        return proof

    def _draft(self, place: Place) -> Draft:
        """Return the account to be. Raises ``TransactionExpired`` where a page asks before all codes were entered."""
        if next_to_prove(place.transaction, place.offer) is not None:
            raise TransactionExpired
        return self.signup.draft(place.connection, place.transaction.identifiers, place.transaction.proved)

    async def _wait(self, visit: Visit, identifiers: Mapping[str, str]) -> None:
        """Note that the account is there, and that its owner has a link to follow before they are let in."""
        await self._change(visit, pending=identifiers.get("email") or identifiers.get("phone_number") or "")

    async def _claim(self, place: Place, auth_session: str, kind: CeremonyKind) -> Ceremony:
        party = place.party
        return await self.ceremonies.claim(
            auth_session, (kind,), client_id=party.client_id, transaction=party.transaction
        )

    async def _proved(
        self, visit: Visit, place: Place, entered: Entered, *, attachment: str = "", can_upgrade: bool = False
    ) -> Opened:
        """Open a session and note the proof; decide now whether a passkey will be offered, or made unasked."""
        opened = await self.sessions.open(entered, visit.caller, replaces=visit.session)
        transaction = place.transaction
        proof = Proof(
            user_id=entered.profile.user_id,
            method=entered.method,
            at=entered.authenticated_at,
            session_id=opened.record.id,
        )
        known = await self.db.read(_known, proof.user_id, place)
        asked = transaction.intent == "signup"  # on the way, by the page before the password
        options, ours = place.connection.policy(), self.ceremonies.public_url
        may = enrolment.may_upgrade(options, entered.profile, known.passkeys, known.snoozed_until, now=self.clock())
        await self._change(
            visit,
            proof=proof,
            upgrade=can_upgrade and may,
            prompt="none" if asked else await self._prompt(place, proof, known, attachment),
            ask=authorization.to_ask(transaction.request, place.client.settings, known.allowed, ours),
        )
        return opened

    async def _prompt(self, place: Place, proof: Proof, known: "_Known", attachment: str) -> Prompt:
        if await self._deadline(proof, place.connection):
            return "required"
        return enrolment.prompt(
            place.connection.policy(),
            method=proof.method,
            passkeys=known.passkeys,
            attachment=attachment,
            snoozed_until=known.snoozed_until,
            now=self.clock(),
        )

    async def _deadline(self, proof: Proof | None, connection: ConnectionRecord) -> Deadline | None:
        options = connection.policy()
        if proof is None or enrolment.deadline(options, self.clock()) is None:
            return None
        return await self.db.read(self.admission.needs_passkey, proof.user_id, options)

    def _between(self, session: Session, client_id: str) -> tuple[ClientRecord | None, RelyingParty]:
        """Return who asks, and whom passkeys are for."""
        return clients.get(session, client_id), self.ceremonies.relying_party(session)

    async def _change(self, visit: Visit, **values: object) -> None:
        """Set members of the stored transaction; of two proofs at once the later one stands, with its session."""
        after = await self.db.write(transactions.change, visit.state, self.clock(), _setting(values))
        if after is None:
            raise TransactionExpired


@dataclass(frozen=True, slots=True)
class _Known:
    """What decides what is left to do for somebody who has proved themselves."""

    passkeys: Held
    snoozed_until: datetime | None
    allowed: frozenset[str] | None


def _known(session: Session, user_id: str, place: Place) -> _Known:
    request, allowed = place.transaction.request, None
    if authorization.needs_consent(place.client.settings, asked_by_api=request.asks_consent):
        allowed = consents.granted(session, user_id, request.client_id, request.audience)
    owned = passkeys.held(session, user_id, place.relying_party)
    return _Known(owned, accounts.snoozed_until(session, user_id), allowed)


def _still_good(session: Session, state: str, now: datetime) -> LoginTransaction | None:
    """Return a transaction whose proof, if it has one, is still worth something.

    A proof is only as good as the session that it opened: after a logout or a block the page of a login that was left
    open must not add a passkey, nor get a code.
    """
    transaction = transactions.get(session, state, now)
    if transaction and transaction.proof and not sessions.alive(session, transaction.proof.session_id, now):
        return None
    return transaction


def _setting(values: Mapping[str, object]) -> Callable[[LoginTransaction], LoginTransaction]:
    return lambda transaction: transaction.model_copy(update=dict(values))


def _proof(place: Place) -> Proof:
    """Return who proved themselves. Raises ``TransactionExpired`` where nobody did: a page asked out of turn."""
    if place.transaction.proof is None:
        raise TransactionExpired
    return place.transaction.proof
