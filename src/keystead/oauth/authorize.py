"""``/authorize``: what a client asks for, held against what it may ask for; and the code at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from keystead.db import clients, codes, sessions, transactions
from keystead.db.clients import ClientRecord
from keystead.db.session import Database
from keystead.db.sessions import SessionRecord
from keystead.errors import (
    AccountGone,
    AudienceNotAllowed,
    BadRequest,
    ConnectionNotAllowed,
    DomainError,
    TransactionExpired,
    UserBlocked,
)
from keystead.flows.accounts import admit
from keystead.flows.directory import Directory
from keystead.flows.hosted_login import HostedLogin
from keystead.oauth.issue import Issuer
from keystead.ports import Clock, Entropy
from keystead.rules.clients import CODE
from keystead.rules.login_steps import AuthorizationRequest, LoginTransaction, Proof
from keystead.rules.oauth import challenge_ok, redirect_allowed, scopes, with_query
from keystead.rules.tokens import CODE_LIFETIME, Authority, CodeRecord
from keystead.secrecy import Secret

_PROMPTS = ("", "none", "login", "consent", "select_account")
_PASSED_ON = ("audience", "nonce", "login_hint", "screen_hint", "connection")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Back to the client."""

    url: str


@dataclass(frozen=True, slots=True)
class Continue:
    """On with the hosted login."""

    state: str


class ErrorForClient(Exception):
    """An error that the client may learn of, since client and redirect are known to be good."""

    def __init__(self, request: AuthorizationRequest, error: str, description: str) -> None:
        self.request, self.error, self.description = request, error, description
        super().__init__(f"{error}: {description}")


@dataclass(frozen=True)
class Authorize:
    """Begins hosted logins and ends them with a code."""

    db: Database
    directory: Directory
    login: HostedLogin
    issuer: Issuer
    clock: Clock
    entropy: Entropy

    async def begin(
        self, parameters: Mapping[str, str], session: SessionRecord | None, browser: Secret[str]
    ) -> Redirect | Continue:
        """Answer an authorization request.

        Raises ``BadRequest`` for what must not redirect (an unknown client, a redirect URI that is not registered):
        an error page, never a redirect to wherever somebody wrote (RFC 9700 §4.11).
        """
        client = await self.db.read(clients.get, parameters.get("client_id", ""))
        if client is None:
            raise BadRequest("Unknown client.", path="client_id")
        redirect_uri = parameters.get("redirect_uri", "")
        if not redirect_allowed(redirect_uri, client.settings.callbacks, self.issuer.public_url):
            raise BadRequest("Callback URL mismatch. The redirect_uri is not registered.", path="redirect_uri")
        request = _request(parameters, redirect_uri)
        try:
            _check(parameters, request, client)
            scope = await self.issuer.scope_for(tuple(request.scope.split()), request.audience, default_all=False)
            return await self._proceed(request.model_copy(update={"scope": " ".join(scope)}), session, browser)
        except ErrorForClient as error:
            return self.error(error.request, error.error, error.description)
        except AudienceNotAllowed as error:
            return self.error(request, "access_denied", error.text)
        except ConnectionNotAllowed:
            return self.error(request, "invalid_request", "no connection is enabled for the client")

    async def finish(self, transaction: LoginTransaction) -> Redirect:
        """End a login that was proved: the transaction is claimed, and its code made, in one unit of work."""
        code = self.entropy.token(32)
        outcome = await self.db.write(self._finish, transaction.id, code)
        if isinstance(outcome, DomainError):
            return self.refuse(transaction.request, outcome)
        return self._answer(outcome, {"code": code})

    async def abandon(self, state: str, refusal: DomainError) -> Redirect:
        """End a login that was refused for good, such as a blocked account's (LG-6)."""
        transaction = await self.db.write(transactions.take, state, self.clock())
        if transaction is None:
            raise TransactionExpired
        return self.refuse(transaction.request, refusal)

    async def logout_target(self, client_id: str | None, return_to: str) -> str:
        """Return where a logout may go: a URL that the client registered. Raises ``BadRequest`` for any other."""
        client = await self.db.read(clients.get, client_id or "")
        registered = client.settings.allowed_logout_urls if client else []
        if not redirect_allowed(return_to, registered, self.issuer.public_url):
            raise BadRequest("The returnTo URL is not registered.", path="returnTo")
        return return_to

    def refuse(self, request: AuthorizationRequest, refusal: DomainError) -> Redirect:
        """Tell the client that the person may not come in."""
        return self.error(
            request, "unauthorized" if isinstance(refusal, UserBlocked) else "access_denied", refusal.text
        )

    def error(self, request: AuthorizationRequest, error: str, description: str) -> Redirect:
        """Tell the client what is wrong."""
        return self._answer(request, {"error": error, "error_description": description})

    async def _proceed(
        self, request: AuthorizationRequest, session: SessionRecord | None, browser: Secret[str]
    ) -> Redirect | Continue:
        connection = await self.directory.for_login(request.connection, request.client_id)
        proof = self._single_sign_on(request, session)
        if proof is not None:
            code = self.entropy.token(32)
            named = connection.id if request.connection else ""
            outcome = await self.db.write(self._grant, request, proof, code, only=named)
            if not isinstance(outcome, DomainError):
                return self._answer(request, {"code": code})
            if not isinstance(outcome, AccountGone | ConnectionNotAllowed):
                return self.refuse(request, outcome)
        if request.prompt == "none":
            raise ErrorForClient(request, "login_required", "Login required")
        transaction = await self.login.begin(request, connection, browser)
        return Continue(transaction.id)

    def _single_sign_on(self, request: AuthorizationRequest, session: SessionRecord | None) -> Proof | None:
        """Return the proof that a login session is, if it is fresh enough for the request."""
        if session is None or request.prompt in ("login", "select_account") or request.screen_hint == "signup":
            return None
        age = self.clock() - session.authenticated_at
        if request.max_age is not None and age >= timedelta(seconds=request.max_age):
            return None
        method = session.methods[-1]["name"]
        return Proof.model_validate(
            {"user_id": session.user_id, "method": method, "at": session.authenticated_at, "session_id": session.id}
        )

    def _finish(self, session: Session, state: str, code: str) -> AuthorizationRequest | DomainError:
        transaction = transactions.take(session, state, self.clock())
        if transaction is None or transaction.proof is None:
            raise TransactionExpired
        if not sessions.alive(session, transaction.proof.session_id, self.clock()):
            raise TransactionExpired(detail="the session of the proof has ended")
        return self._grant(session, transaction.request, transaction.proof, code)

    def _grant(
        self, session: Session, request: AuthorizationRequest, proof: Proof, code: str, *, only: str = ""
    ) -> AuthorizationRequest | DomainError:
        """Make the code, if whoever proved themselves may (still) come in, and is of the connection that was named."""
        try:
            admitted = admit(session, proof.user_id, request.client_id, proof.method, proof.at)
        except DomainError as refusal:
            return refusal
        if only and admitted.profile.connection_id != only:
            return ConnectionNotAllowed()
        authority = Authority(
            user_id=proof.user_id,
            client_id=request.client_id,
            scope=tuple(request.scope.split()),
            audience=request.audience,
            method=proof.method,
            authenticated_at=proof.at,
            session_id=proof.session_id,
        )
        record = CodeRecord(
            authority=authority,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            nonce=request.nonce,
        )
        codes.put(session, code, record, self.clock() + CODE_LIFETIME)
        return request

    def _answer(self, request: AuthorizationRequest, parameters: dict[str, str]) -> Redirect:
        """Redirect with ``state`` untouched and ``iss``, against mix-up (RFC 9207)."""
        if request.state is not None:
            parameters["state"] = request.state
        return Redirect(with_query(request.redirect_uri, parameters | {"iss": self.issuer.name}))


def _request(parameters: Mapping[str, str], redirect_uri: str) -> AuthorizationRequest:
    max_age = parameters.get("max_age", "")
    return AuthorizationRequest(
        client_id=parameters["client_id"],
        redirect_uri=redirect_uri,
        scope=" ".join(scopes(parameters.get("scope", "")) or ()),
        state=parameters.get("state"),
        code_challenge=parameters.get("code_challenge", ""),
        prompt=parameters.get("prompt", ""),
        max_age=int(max_age) if max_age.isascii() and max_age.isdigit() and len(max_age) < 10 else None,
        **{name: parameters[name] for name in _PASSED_ON if name in parameters},
    )


def _check(parameters: Mapping[str, str], request: AuthorizationRequest, client: ClientRecord) -> None:
    """Refuse what the client must learn of. Raises ``ErrorForClient``."""
    problem = _problem(parameters, request, client)
    if problem is not None:
        raise ErrorForClient(request, *problem)


def _problem(
    parameters: Mapping[str, str], request: AuthorizationRequest, client: ClientRecord
) -> tuple[str, str] | None:
    settings, challenge = client.settings, request.code_challenge
    good_challenge = parameters.get("code_challenge_method") == "S256" and challenge_ok(challenge)
    problems = (
        (
            CODE not in settings.grant_types,
            ("unauthorized_client", "Grant type 'authorization_code' not allowed for the client."),
        ),
        (
            not settings.is_first_party,
            ("unauthorized_client", "Third-party clients need the person's consent, which cannot be asked for yet."),
        ),
        (
            parameters.get("response_type") != "code",
            ("unsupported_response_type", "Only the response type 'code' is supported"),
        ),
        (
            parameters.get("response_mode", "query") != "query",
            ("invalid_request", "Only the response mode 'query' is supported"),
        ),
        (
            not challenge and settings.is_public,
            ("invalid_request", "Missing required parameter: code_challenge"),
        ),
        (
            bool(challenge) and not good_challenge,
            ("invalid_request", "code_challenge_method must be S256"),
        ),
        (
            bool(parameters.get("max_age")) and request.max_age is None,
            ("invalid_request", "max_age must be a number of seconds"),
        ),
        (request.prompt not in _PROMPTS, ("invalid_request", "Unknown prompt")),
        (scopes(parameters.get("scope", "")) is None, ("invalid_scope", "Malformed scope")),
    )
    return next((problem for found, problem in problems if found), None)
