"""``/authorize``: a client asks, a person proves who they are, and the client gets a code."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlmodel import Session

from keystead.db import accounts, clients, codes, consents, pushed_requests, sessions, tenant, transactions
from keystead.db.clients import ClientRecord
from keystead.db.consents import ConsentRecord
from keystead.db.session import Database
from keystead.db.sessions import SessionRecord
from keystead.errors import (
    AccountGone,
    AudienceNotAllowed,
    BadRequest,
    ConnectionNotAllowed,
    ConsentMissing,
    DomainError,
    EnrolmentRequired,
    InvalidToken,
    Rejected,
    TransactionExpired,
    UserBlocked,
)
from keystead.flows.accounts import Admission
from keystead.flows.directory import Directory
from keystead.flows.hosted_login import HostedLogin
from keystead.oauth.audiences import Permitted
from keystead.oauth.issue import ID_TYPE, Issuer
from keystead.ports import Clock, Entropy
from keystead.rules import authorization
from keystead.rules.authorization import REQUEST_URI, Ask, AuthorizationRequest, Problem, ResponseMode
from keystead.rules.login_steps import LoginTransaction, Proof
from keystead.rules.oauth import with_query
from keystead.rules.tokens import CODE_LIFETIME, Authority, CodeRecord
from keystead.secrecy import Secret

_REFUSALS: Final[Mapping[type[DomainError], str]] = {
    UserBlocked: "unauthorized",
    ConsentMissing: "consent_required",
    EnrolmentRequired: "interaction_required",
}
"""What a client is told of a person who may not come in; ``access_denied`` where there is no word for it."""

DEFAULT_REDIRECTION: Final = "default_redirection_uri"
"""The tenant setting that says where a login goes whose client nobody knows any more (UL-14)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Back to the client, in the way that it asked for."""

    redirect_uri: str
    parameters: Mapping[str, str]
    mode: ResponseMode = "query"
    refusal: DomainError | None = None
    """Why there is no code, where somebody was refused; for administrators, not for the client."""


@dataclass(frozen=True, slots=True)
class Continue:
    """On with the hosted login."""

    state: str
    in_popup: bool = False
    """Whether the page that opened ours waits for a message, so that we must not cut ourselves off from it."""


class ErrorForClient(Exception):
    """An error that the client may learn of, since client and redirect are known to be good."""

    def __init__(self, error: str, description: str, refusal: DomainError | None = None) -> None:
        self.problem, self.refusal = Problem(error, description), refusal
        super().__init__(f"{error}: {description}")


@dataclass(frozen=True)
class Authorize:
    """Begins hosted logins and ends them with a code."""

    db: Database
    admission: Admission
    directory: Directory
    login: HostedLogin
    issuer: Issuer
    clock: Clock
    entropy: Entropy

    async def begin(
        self, parameters: Mapping[str, str], session: SessionRecord | None, browser: Secret[str]
    ) -> Answer | Continue:
        """Answer an authorization request.

        Raises ``BadRequest`` for what must not redirect (an unknown client, a redirect URI that is not registered):
        an error page, never a redirect to wherever somebody wrote (RFC 9700 §4.11).
        """
        client = await self.db.read(clients.get, parameters.get("client_id", ""))
        if client is None:
            raise BadRequest("Unknown client.", path="client_id")
        asked, pushed = await self._asked(parameters, client)
        request = self.readable(asked, client)
        try:
            if client.settings.require_pushed_authorization_requests and not pushed:
                raise ErrorForClient("invalid_request", "The client must push its authorization requests")
            request = await self.checked(asked, request, client)
            return await self._proceed(request, client, session, browser)
        except ErrorForClient as error:
            return self.tell(request, error.problem, error.refusal)
        except ConnectionNotAllowed as refusal:
            return self.tell(request, Problem("invalid_request", "no connection is enabled for the client"), refusal)

    def readable(self, asked: Mapping[str, str], client: ClientRecord) -> AuthorizationRequest:
        """Return a request whose redirect URI is the client's. Raises ``BadRequest`` for any other."""
        redirect_uri = asked.get("redirect_uri", "")
        if not client.settings.may_redirect_to(redirect_uri, self.issuer.public_url):
            raise BadRequest("Callback URL mismatch. The redirect_uri is not registered.", path="redirect_uri")
        request = authorization.read(asked, redirect_uri)
        if request.by_message and not authorization.frames_allowed(request, client.settings):
            # Not even an error goes to an origin that is not the client's.
            raise BadRequest("The origin of the redirect_uri is not among the client's web_origins.")
        return request

    async def checked(
        self, asked: Mapping[str, str], request: AuthorizationRequest, client: ClientRecord
    ) -> AuthorizationRequest:
        """Return a request with the scope that the client may have. Raises ``ErrorForClient``."""
        found = authorization.problem(asked, request, client.settings)
        if found is not None:
            raise ErrorForClient(*found)
        wanted = tuple(request.scope.split())
        try:
            permitted = await self.issuer.audiences.permitted_for(client, wanted, request.audience)
        except AudienceNotAllowed as error:
            raise ErrorForClient("access_denied", error.text, error) from None
        return _having(request, permitted)

    async def sign_in_for(self, path: str, browser: Secret[str], user_id: str = "") -> Continue:
        """Begin a login that leads to a page of ours, whatever session there is; of that account, if one is named.

        Raises ``ConnectionNotAllowed``.
        """
        door = await self.directory.door_of(user_id)
        about = {"client_id": door.client_id, "login_hint": door.hint}
        request = AuthorizationRequest(redirect_uri=path, response_mode="page", **about)
        return Continue((await self.login.begin(request, door.connection, browser)).id)

    async def finish(self, transaction: LoginTransaction) -> Answer:
        """End a login that was proved: the transaction is claimed, and its code made, in one unit of work."""
        code = self.entropy.token(32)
        outcome = await self.db.write(self._finish, transaction.id, code)
        if isinstance(outcome, DomainError):
            return self.refuse(transaction.request, outcome)
        return self.answer(outcome, {"code": code})

    async def consent(self, transaction: LoginTransaction) -> None:
        """Note that the person allows the client what it asks for."""
        await self.db.write(self._consent, transaction, self.entropy.id("cns_"))

    async def deny(self, transaction: LoginTransaction) -> Answer:
        """End a login whose person does not want the client to have what it asks for."""
        await self._take(transaction.id)
        whose = {"user_id": transaction.proof.user_id} if transaction.proof else {}
        refusal = ConsentMissing().because(rule="denied_by_person", **whose)
        return self.tell(transaction.request, Problem("access_denied", "The person did not allow it."), refusal)

    async def abandon(self, state: str, refusal: DomainError) -> Answer:
        """End a login that was refused for good, such as a blocked account's (LG-6)."""
        return self.refuse((await self._take(state)).request, refusal)

    async def start_again(self, state: str) -> str | None:
        """Return where a login that is over can begin anew: with the client that wanted it, else where the tenant says.

        ``None`` where nobody said anything (UL-14).
        """
        return await self.db.read(self._start_again, state)

    async def login_route(self, client_id: str) -> str | None:
        """Return where a login with a client can begin; ``None`` where nobody said (UL-14)."""
        return await self.db.read(self._login_route, client_id)

    def refuse(self, request: AuthorizationRequest, refusal: DomainError) -> Answer:
        """Tell the client that the person may not come in."""
        return self.tell(request, Problem(_REFUSALS.get(type(refusal), "access_denied"), refusal.text), refusal)

    def tell(self, request: AuthorizationRequest, problem: Problem, refusal: DomainError | None = None) -> Answer:
        """Tell the client what is wrong; a login for a page of ours has no client, and ends on the first one."""
        refusal = refusal and refusal.because(**{"client_id": request.client_id} | dict(refusal.facts))
        if request.response_mode == "page":
            return Answer("/", {}, refusal=refusal)
        answer = self.answer(request, {"error": problem.error, "error_description": problem.description})
        return replace(answer, refusal=refusal)

    def answer(self, request: AuthorizationRequest, parameters: dict[str, str]) -> Answer:
        """Answer with ``state`` untouched and ``iss``, against mix-up (RFC 9207)."""
        if request.response_mode == "page":
            return Answer(request.redirect_uri, {})
        state = {"state": request.state} if request.state is not None else {}
        return Answer(request.redirect_uri, parameters | state | {"iss": self.issuer.name}, request.response_mode)

    async def _asked(self, parameters: Mapping[str, str], client: ClientRecord) -> tuple[Mapping[str, str], bool]:
        """Return what is asked, and whether it was pushed: then nothing in the URL adds to it (RFC 9126 §4)."""
        uri = parameters.get("request_uri")
        if uri is None:
            return parameters, False
        pushed = None
        if uri.startswith(REQUEST_URI):
            pushed = await self.db.write(pushed_requests.take, uri, client.client_id, self.clock())
        if pushed is None:
            raise BadRequest("The request_uri is unknown, late or was used before.", path="request_uri")
        return pushed | {"client_id": client.client_id}, True

    async def _proceed(
        self, request: AuthorizationRequest, client: ClientRecord, session: SessionRecord | None, browser: Secret[str]
    ) -> Answer | Continue:
        silent = "none" in request.prompts
        proof = await self._single_sign_on(request, session)
        if proof is not None:
            named = request.connection
            only = (await self.directory.by_name(named, request.client_id)).id if named else ""
            code = self.entropy.token(32)
            outcome = await self.db.write(self._grant, request, proof, code, client, only)
            if isinstance(outcome, AuthorizationRequest):
                return self.answer(outcome, {"code": code})
            if isinstance(outcome, _Asking):
                if silent:
                    raise ErrorForClient(*_UNASKED[outcome.ask], ConsentMissing().because(user_id=proof.user_id))
                connection = await self.directory.by_id(outcome.connection_id, request.client_id)
                transaction = await self.login.begin(request, connection, browser, proof=proof, ask=outcome.ask)
                return Continue(transaction.id, request.by_message)
            if isinstance(outcome, EnrolmentRequired) and silent:
                raise ErrorForClient("interaction_required", outcome.text, outcome.because(user_id=proof.user_id))
            if not isinstance(outcome, AccountGone | ConnectionNotAllowed | EnrolmentRequired):
                return self.refuse(request, outcome.because(user_id=proof.user_id))
        connection = await self.directory.for_login(request.connection, request.client_id)
        if silent:
            raise ErrorForClient("login_required", "Login required")
        transaction = await self.login.begin(request, connection, browser)
        return Continue(transaction.id, request.by_message)

    async def _single_sign_on(self, request: AuthorizationRequest, session: SessionRecord | None) -> Proof | None:
        """Return the proof that a login session is, if it will do for the request and is of whom the client means."""
        if session is None:
            return None
        method = session.methods[-1]["name"]
        if not authorization.fresh_enough(request, method, session.authenticated_at, self.clock()):
            return None
        if request.id_token_hint and await self._hinted(request.id_token_hint) != session.user_id:
            return None
        return Proof.model_validate(
            {"user_id": session.user_id, "method": method, "at": session.authenticated_at, "session_id": session.id}
        )

    async def _hinted(self, id_token_hint: str) -> str:
        """Return whom an ID token of ours is about, however old it is. Raises ``ErrorForClient``."""
        try:
            claims = await self.issuer.keys.verify(id_token_hint, ID_TYPE, late=True)
        except InvalidToken:
            raise ErrorForClient("invalid_request", "The id_token_hint is not one of our ID tokens") from None
        return str(claims.get("sub"))

    async def _take(self, state: str) -> LoginTransaction:
        transaction = await self.db.write(transactions.take, state, self.clock())
        if transaction is None:
            raise TransactionExpired
        return transaction

    def _finish(self, session: Session, state: str, code: str) -> AuthorizationRequest | DomainError:
        transaction = transactions.take(session, state, self.clock())
        if transaction is None or transaction.proof is None or transaction.ask != "none":
            raise TransactionExpired
        request, proof = transaction.request, transaction.proof
        if not sessions.alive(session, proof.session_id, self.clock()):
            raise TransactionExpired(detail="the session of the proof has ended")
        if request.response_mode == "page":
            return request
        client = clients.get(session, request.client_id)
        if client is None:
            raise TransactionExpired(detail="the client is gone")
        try:
            request = self._as_of_now(session, request, client)
            self.admission.admit(session, proof.user_id, request.client_id, proof.method, proof.at, proof.session_id)
        except (AudienceNotAllowed, Rejected, ConnectionNotAllowed) as refusal:
            return refusal.because(user_id=proof.user_id)
        needed = authorization.needs_consent(client.settings, asked_by_api=request.asks_consent)
        if needed and not authorization.covers(_allowed(session, client, request, proof), request.scope.split()):
            # Taken back in another tab, or never given: what was asked is not what counts.
            return ConsentMissing().because(user_id=proof.user_id)
        return self._put(session, request, proof, code)

    def _as_of_now(self, session: Session, request: AuthorizationRequest, client: ClientRecord) -> AuthorizationRequest:
        """Return a request as it would be granted today: a login may have been left open while things were taken back.

        Raises ``BadRequest`` where the redirect URI is not the client's any more, and ``AudienceNotAllowed``.
        """
        if not client.settings.may_redirect_to(request.redirect_uri, self.issuer.public_url):
            raise BadRequest("Callback URL mismatch. The redirect_uri is not registered.", path="redirect_uri")
        wanted = tuple(request.scope.split())
        return _having(request, self.issuer.audiences.permitted(session, client, wanted, request.audience))

    def _grant(
        self, session: Session, request: AuthorizationRequest, proof: Proof, code: str, client: ClientRecord, only: str
    ) -> "AuthorizationRequest | _Asking | DomainError":
        """Make the code for somebody who is signed in, if there is nothing to ask them.

        ``only`` is the connection that was named: another one's session is nobody's there.
        """
        whose = (proof.user_id, request.client_id, proof.method, proof.at, proof.session_id)
        try:
            admitted = self.admission.admit(session, *whose)
        except DomainError as refusal:
            return refusal
        if only and admitted.profile.connection_id != only:
            return ConnectionNotAllowed()
        allowed = _allowed(session, client, request, proof)
        ask = authorization.to_ask(request, client.settings, allowed, self.issuer.public_url)
        if ask != "none":
            return _Asking(ask, admitted.profile.connection_id)
        return self._put(session, request, proof, code)

    def _put(self, session: Session, request: AuthorizationRequest, proof: Proof, code: str) -> AuthorizationRequest:
        codes.put(session, code, _code(request, proof), self.clock() + CODE_LIFETIME)
        sessions.used_by(session, proof.session_id, request.client_id)
        return request

    def _consent(self, session: Session, transaction: LoginTransaction, consent_id: str) -> None:
        proof, request = transaction.proof, transaction.request
        if proof is None:
            raise TransactionExpired
        client = clients.get(session, request.client_id)
        if client is not None and transaction.ask == "consent":
            accounts.by_id(session, proof.user_id, lock=True)  # of two tabs one adds to what the other stored
            scope = tuple(request.scope.split())
            about = (proof.user_id, request.client_id, request.audience, scope, self.clock())
            consents.add(session, ConsentRecord(consent_id, *about))
        transactions.change(session, transaction.id, self.clock(), _answered)

    def _start_again(self, session: Session, state: str) -> str | None:
        return self._login_route(session, transactions.client_of(session, state))

    def _login_route(self, session: Session, client_id: str | None) -> str | None:
        client = clients.get(session, client_id) if client_id else None
        found = client.settings.initiate_login_uri if client else None
        found = found or tenant.get(session, DEFAULT_REDIRECTION)
        return with_query(str(found), {"iss": self.issuer.name}) if found else None


@dataclass(frozen=True, slots=True)
class _Asking:
    """The person must be asked something first."""

    ask: Ask
    connection_id: str


_UNASKED: Mapping[Ask, Problem] = {
    "consent": Problem("consent_required", "Consent required"),
    "confirmation": Problem("interaction_required", "The person must confirm where they are sent"),
}
"""What a client learns that wants no questions asked."""


def _allowed(
    session: Session, client: ClientRecord, request: AuthorizationRequest, proof: Proof
) -> frozenset[str] | None:
    """Return what the person consented to, where consent matters; ``None`` where they never did.

    With the account locked: whoever takes a consent back meanwhile finds the code, or we find no consent.
    """
    if not authorization.needs_consent(client.settings, asked_by_api=request.asks_consent):
        return None
    accounts.by_id(session, proof.user_id, lock=True)
    return consents.granted(session, proof.user_id, client.client_id, request.audience)


def _having(request: AuthorizationRequest, permitted: Permitted) -> AuthorizationRequest:
    return request.model_copy(update={"scope": " ".join(permitted.scope), "asks_consent": permitted.asks_consent})


def _answered(transaction: LoginTransaction) -> LoginTransaction:
    return transaction.model_copy(update={"ask": "none"})


def _code(request: AuthorizationRequest, proof: Proof) -> CodeRecord:
    authority = Authority(
        user_id=proof.user_id,
        client_id=request.client_id,
        scope=tuple(request.scope.split()),
        audience=request.audience,
        method=proof.method,
        authenticated_at=proof.at,
        session_id=proof.session_id,
    )
    return CodeRecord(
        authority=authority,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        nonce=request.nonce,
    )
