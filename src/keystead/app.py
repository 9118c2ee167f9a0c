"""The composition root: settings to parts to application. The only file that knows who is who."""

import asyncio
import gc
import secrets
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware

from keystead import worker
from keystead.adapters import attestation, webauthn
from keystead.adapters.breaches import HashFile, RangeApi
from keystead.adapters.cose_keys import CoseKeys
from keystead.adapters.fallback_attempts import FallbackAttempts, Tell
from keystead.adapters.logout_calls import HttpLogoutCaller
from keystead.adapters.mail import Nobody, Router, SmtpPostman, TwilioSender, WebhookSender, server_of
from keystead.adapters.memory_attempts import MemoryAttempts
from keystead.adapters.public_keys import PemKeys
from keystead.adapters.sealing import Sealer
from keystead.db import clients
from keystead.db.attempts import SqlAttempts
from keystead.db.connections import ConnectionRecord
from keystead.db.outbox import SqlOutbox
from keystead.db.session import Database
from keystead.flows.access import Access
from keystead.flows.accounts import Admission
from keystead.flows.apis import Apis
from keystead.flows.attack_protection import AttackProtection
from keystead.flows.authentication_methods import AuthenticationMethods
from keystead.flows.authenticator_models import AuthenticatorModels
from keystead.flows.block_notices import BlockNotices
from keystead.flows.blocks import Blocks
from keystead.flows.breaches import Breaches
from keystead.flows.ceremonies import Ceremonies
from keystead.flows.client_grants import ClientGrants
from keystead.flows.clients import Clients
from keystead.flows.connections import Connections
from keystead.flows.credentials import Credentials
from keystead.flows.decisions import Decisions
from keystead.flows.directory import Directory, StoreFor
from keystead.flows.enrolment_tickets import EnrolmentTickets
from keystead.flows.first_owner import FirstOwner
from keystead.flows.hosted_login import HostedLogin
from keystead.flows.journal import Journal
from keystead.flows.logout_notices import LogoutNotices
from keystead.flows.mail_provider import MailProvider
from keystead.flows.message_templates import MessageTemplates
from keystead.flows.one_time_codes import OneTimeCodes
from keystead.flows.own_passkeys import OwnPasskeys
from keystead.flows.own_sessions import OwnSessions
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import PasskeyLogin
from keystead.flows.passkey_notices import PasskeyNotices
from keystead.flows.passkey_preview import PasskeyPreview
from keystead.flows.passkey_recovery import PasskeyRecovery
from keystead.flows.passkey_upgrade import PasskeyUpgrade
from keystead.flows.password_change import PasswordChange
from keystead.flows.password_login import PasswordLogin
from keystead.flows.password_removal import PasswordRemoval
from keystead.flows.password_reset import PasswordReset
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.quarantine import Quarantine
from keystead.flows.relying_party import RelyingPartySettings
from keystead.flows.request_limits import RequestLimits
from keystead.flows.revocation import Revocation
from keystead.flows.sessions import Sessions
from keystead.flows.signals import Signals
from keystead.flows.signup import Signup
from keystead.flows.signup_challenge import SignupChallenge
from keystead.flows.tenant_settings import TenantSettings
from keystead.flows.tickets import Tickets
from keystead.flows.unblocking import Unblocking
from keystead.flows.users import Users
from keystead.flows.verification import Verification
from keystead.oauth.audiences import Audiences
from keystead.oauth.authorize import Authorize
from keystead.oauth.bearers import Bearers
from keystead.oauth.client_assertions import ClientAssertions
from keystead.oauth.client_auth import ClientAuth
from keystead.oauth.grants.authorization_code import CodeGrant
from keystead.oauth.grants.client_credentials import ClientCredentialsGrant
from keystead.oauth.grants.passkey import PasskeyGrant
from keystead.oauth.grants.password import PasswordGrant
from keystead.oauth.grants.refresh_token import RefreshGrant
from keystead.oauth.issue import Issuer
from keystead.oauth.key_pairs import KeyMaker
from keystead.oauth.keys import KeyRing
from keystead.oauth.logout import Logout
from keystead.oauth.logout_tokens import LogoutTokens
from keystead.oauth.pushed_requests import PushedRequests
from keystead.oauth.revoke import Revoke
from keystead.oauth.signing_keys import SigningKeys
from keystead.oauth.token_endpoint import Grant, TokenEndpoint
from keystead.oauth.userinfo import UserInfo
from keystead.ports import Attempts, BreachSource, Clock, Entropy, Hasher, Postman, PostOffice
from keystead.rules import clients as grants
from keystead.rules.attack_protection import places_of_one
from keystead.secrecy import Secret
from keystead.settings import Settings
from keystead.users.hashing import BcryptHasher
from keystead.users.hosted import HostedStore
from keystead.web.cookies import Cookies
from keystead.web.cors import Cors, Origins
from keystead.web.devices import Devices
from keystead.web.flows import Flows
from keystead.web.middleware import Gate
from keystead.web.refusals import HANDLERS
from keystead.web.routes import routes
from keystead.web.seals import Seals

_ALPHABET = string.ascii_letters + string.digits

log = structlog.get_logger("keystead")


def system_clock() -> datetime:
    """Return the time. The only reader of the clock."""
    return datetime.now(UTC)


class SystemEntropy:
    """The operating system's randomness. The only reader of it."""

    def bytes(self, size: int) -> bytes:
        """Return ``size`` random bytes."""
        return secrets.token_bytes(size)

    def token(self, size: int = 32) -> str:
        """Return ``size`` random bytes as base64url without padding."""
        return secrets.token_urlsafe(size)

    def id(self, prefix: str, length: int = 16) -> str:
        """Return ``prefix`` and ``length`` random letters and digits."""
        return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def create_app(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    entropy: Entropy | None = None,
    hasher: Hasher | None = None,
    db: Database | None = None,
) -> Starlette:
    """Build the application, from top to bottom. Nothing that a request needs waits for the lifespan."""
    entropy = entropy or SystemEntropy()
    db = db or Database(settings.database_url.reveal(), pool=settings.database_pool)
    hasher = hasher or BcryptHasher(settings.hash_cost, workers=settings.hash_workers, queue=settings.hash_queue)
    parts = _parts(settings, clock, entropy, hasher, db)
    return _application(settings, _flows(parts, _ways_in(parts)), db, clock, parts.attempts)


def signing_keys(settings: Settings, db: Database, clock: Clock, entropy: Entropy) -> SigningKeys:
    """Return what changes the signing keys: for the server, and for the command line."""
    ring = KeyRing(db, Sealer(settings.secret_keys, entropy), clock)
    return SigningKeys(db, ring, key_maker(settings, entropy), Journal(clock, entropy), clock)


def key_maker(settings: Settings, entropy: Entropy) -> KeyMaker:
    """Return what makes signing keys."""
    return KeyMaker(Sealer(settings.secret_keys, entropy), entropy, settings.rsa_bits, settings.host_name)


def attempts_of(settings: Settings, otherwise: Attempts, clock: Clock, tell: Tell) -> Attempts:
    """Return where to count: in Redis where that is configured and not lost, else in the other place."""
    if not settings.redis_url:
        return otherwise
    # By name: whoever has no Redis need not have its library.
    in_redis: Attempts = import_module("keystead.adapters.redis_attempts").RedisAttempts(settings.redis_url, clock)
    return FallbackAttempts(in_redis, otherwise, clock, tell)


def _tell_of_redis(what: str, why: str) -> None:
    where = "the database" if what == "lost" else "Redis"
    log.warning(f"redis is {what}: attempts are counted in {where}", why=why)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What flows are made of. Each is handed exactly those that it declares."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    hasher: Hasher
    db: Database
    store_for: StoreFor
    journal: Journal
    admission: Admission
    attempts: Attempts
    in_memory: Attempts
    protection: Protection
    directory: Directory
    sealer: Sealer
    post: Post
    breaches: Breaches
    ceremonies: Ceremonies
    notices: LogoutNotices
    revocation: Revocation
    preview: PasskeyPreview


@dataclass(frozen=True, slots=True)
class _WaysIn:
    """How people come in, by whichever door."""

    codes: OneTimeCodes
    reset: PasswordReset
    verification: Verification
    password_login: PasswordLogin
    passkey_login: PasskeyLogin
    enrolment: PasskeyEnrolment
    recovery: PasskeyRecovery
    by_ticket: EnrolmentTickets
    signup: Signup


def _parts(settings: Settings, clock: Clock, entropy: Entropy, hasher: Hasher, db: Database) -> _Parts:
    journal = Journal(clock, entropy)
    attempts = attempts_of(settings, SqlAttempts(db, clock), clock, _tell_of_redis)
    sealer = Sealer(settings.secret_keys, entropy)
    post = Post(db, _post_office(settings, db, clock), sealer, clock, entropy, journal, settings.public_url)
    unchecked = settings.breached_passwords_down
    notices, blocks = LogoutNotices(sealer, clock, entropy), BlockNotices(sealer, clock, entropy)
    places = places_of_one(settings.hash_workers, settings.hash_queue)
    in_memory = MemoryAttempts(clock)

    def store_for(connection: ConnectionRecord) -> HostedStore:
        return HostedStore(connection.id, connection.policy(), db, hasher, clock, entropy)

    return _Parts(
        settings=settings,
        clock=clock,
        entropy=entropy,
        hasher=hasher,
        db=db,
        store_for=store_for,
        journal=journal,
        admission=Admission(journal, clock, settings.public_url),
        attempts=attempts,
        in_memory=in_memory,
        protection=Protection(db, attempts, in_memory, sealer, journal, blocks, places),
        directory=Directory(db),
        sealer=sealer,
        post=post,
        breaches=Breaches(db, _breach_source(settings, clock), unchecked, attempts, post, journal),
        ceremonies=Ceremonies(db, clock, entropy, settings.public_url),
        notices=notices,
        revocation=Revocation(notices),
        preview=PasskeyPreview(db, settings.public_url),
    )


def _ways_in(p: _Parts) -> _WaysIn:
    codes = OneTimeCodes(p.db, p.protection, p.sealer, p.clock, p.entropy)
    marks = (p.journal, p.clock, p.entropy, p.settings.public_url)
    reset = PasswordReset(p.db, p.store_for, p.breaches, p.protection, codes, p.post, p.revocation, *marks)
    verification = Verification(p.db, p.post, p.protection, p.store_for, reset, *marks)
    models, notices = AuthenticatorModels(p.db, attestation, p.clock), PasskeyNotices(p.post)
    enrolment = PasskeyEnrolment(p.db, p.ceremonies, webauthn, models, notices, p.journal, p.clock, p.entropy)
    return _WaysIn(
        codes=codes,
        reset=reset,
        verification=verification,
        password_login=PasswordLogin(
            *(p.db, p.admission, p.protection, p.store_for, verification, p.breaches, p.journal, p.clock)
        ),
        passkey_login=PasskeyLogin(p.db, p.admission, p.protection, p.ceremonies, webauthn, verification, p.journal),
        enrolment=enrolment,
        recovery=PasskeyRecovery(enrolment, p.protection, codes, p.post, p.revocation),
        by_ticket=EnrolmentTickets(enrolment, p.protection, p.settings.public_url),
        signup=Signup(
            *(p.db, p.admission, p.protection, p.store_for, p.ceremonies, enrolment, verification, p.breaches),
            *(p.post, webauthn, p.journal, p.clock, p.entropy),
        ),
    )


def _hosted_login(p: _Parts, ways: _WaysIn, sessions: Sessions) -> HostedLogin:
    challenge = SignupChallenge(p.db, p.protection, ways.codes, ways.signup, p.post)
    return HostedLogin(
        *(p.db, p.admission, p.directory, ways.password_login, ways.passkey_login, ways.signup, challenge),
        *(ways.enrolment, p.ceremonies, sessions, p.journal, p.clock, p.entropy),
    )


def _token_endpoint(p: _Parts, ways: _WaysIn, issuer: Issuer) -> TokenEndpoint:
    login, signup = ways.passkey_login, ways.signup
    by_name: dict[str, Grant] = {
        grants.PASSWORD: PasswordGrant(p.directory, ways.password_login, issuer),
        grants.PASSWORD_REALM: PasswordGrant(p.directory, ways.password_login, issuer, realm_required=True),
        grants.PASSKEY: PasskeyGrant(p.directory, p.ceremonies, login, signup, issuer, p.journal, p.db),
        grants.CODE: CodeGrant(p.db, p.admission, issuer, p.revocation, p.clock),
        grants.REFRESH: RefreshGrant(p.db, p.admission, issuer, p.revocation, p.journal, p.clock),
        grants.CLIENT_CREDENTIALS: ClientCredentialsGrant(issuer),
    }
    client_auth = ClientAuth(p.db, p.protection, ClientAssertions(p.db, p.clock, p.settings.public_url), p.clock)
    return TokenEndpoint(client_auth, by_name)


def _tokens(p: _Parts, ways: _WaysIn) -> tuple[SigningKeys, Issuer, Bearers, TokenEndpoint]:
    url, keys = p.settings.public_url, signing_keys(p.settings, p.db, p.clock, p.entropy)
    issuer = Issuer(p.db, keys.ring, p.clock, p.entropy, Audiences(p.db, url), url)
    return keys, issuer, Bearers(p.db, keys.ring, issuer), _token_endpoint(p, ways, issuer)


def _logout_tokens(p: _Parts, keys: KeyRing) -> LogoutTokens:
    caller, url = HttpLogoutCaller(), p.settings.public_url
    return LogoutTokens(p.db, keys, caller, p.sealer, p.clock, p.entropy, p.journal, url)


def _request_limits(p: _Parts) -> RequestLimits:
    # Connections of its own in Redis too: a flood of requests keeps no login waiting. Never the database.
    # That Redis is lost is said by the attempts, once.
    counted = attempts_of(p.settings, p.in_memory, p.clock, lambda what, why: None)
    return RequestLimits(p.db, counted, p.journal, p.clock, p.settings.request_limits)


def _password_change(p: _Parts) -> PasswordChange:
    return PasswordChange(p.db, p.store_for, p.breaches, p.protection, p.revocation, p.journal, p.clock, p.entropy)


def _devices(p: _Parts) -> Devices:
    seals = Seals(p.settings.secret_keys, p.clock)
    return Devices(Cookies(p.settings, seals, p.clock, p.entropy), seals, p.entropy)


def _flows(p: _Parts, ways: _WaysIn) -> Flows:
    db, clock, journal = p.db, p.clock, p.journal
    own_keys, issuer, bearers, token_endpoint = _tokens(p, ways)
    tenant_settings = TenantSettings(db, journal, clock)
    sessions = Sessions(db, p.revocation, tenant_settings, journal, clock, p.entropy)
    hosted_login = _hosted_login(p, ways, sessions)
    authorize = Authorize(db, p.admission, p.directory, hosted_login, issuer, clock, p.entropy)
    credentials = Credentials(db, PemKeys(), clock, p.entropy, journal)
    return Flows(
        settings=p.settings,
        devices=_devices(p),
        entropy=p.entropy,
        directory=p.directory,
        hosted_login=hosted_login,
        passkey_login=ways.passkey_login,
        enrolment=ways.enrolment,
        recovery=ways.recovery,
        upgrade=PasskeyUpgrade(hosted_login, ways.enrolment, p.protection, p.post, p.revocation),
        signup=ways.signup,
        verification=ways.verification,
        reset=ways.reset,
        password_change=_password_change(p),
        password_removal=PasswordRemoval(ways.enrolment, p.post, p.revocation),
        post=p.post,
        templates=MessageTemplates(db, clock, journal),
        mail_provider=MailProvider(db, p.sealer, journal),
        tenant_settings=tenant_settings,
        relying_party=RelyingPartySettings(db, p.preview, journal, p.settings.public_url),
        tickets=Tickets(db, ways.verification, ways.reset, ways.by_ticket, clock, journal),
        sessions=sessions,
        own_sessions=OwnSessions(db, p.revocation, journal, clock, p.settings.public_url),
        own_passkeys=OwnPasskeys(db, ways.enrolment, p.ceremonies, Signals(db, p.ceremonies), p.revocation, journal),
        logout=Logout(db, own_keys.ring, p.settings.public_url),
        logout_notices=p.notices,
        logout_tokens=_logout_tokens(p, own_keys.ring),
        first_owner=FirstOwner(db, p.protection, p.hasher, p.breaches, journal, clock, p.entropy),
        authorize=authorize,
        token_endpoint=token_endpoint,
        pushed_requests=PushedRequests(db, token_endpoint.client_auth, authorize, clock, p.entropy),
        revoke=Revoke(db, token_endpoint.client_auth, p.revocation, clock),
        issuer=issuer,
        signing_keys=own_keys,
        bearers=bearers,
        userinfo=UserInfo(bearers),
        connections=Connections(db, p.revocation, p.preview, clock, p.entropy, journal),
        clients=Clients(db, clock, p.entropy, journal, credentials, p.settings.public_url),
        credentials=credentials,
        apis=Apis(db, clock, p.entropy, journal, p.settings.public_url),
        client_grants=ClientGrants(db, p.entropy, journal, p.settings.public_url),
        attack_protection=AttackProtection(db, journal),
        users=Users(db, p.store_for, p.breaches, p.protection, ways.verification, p.revocation, clock, journal),
        methods=AuthenticationMethods(db, CoseKeys(), ways.enrolment, p.revocation, clock, journal),
        quarantine=Quarantine(db, ways.enrolment, p.revocation, clock, journal),
        access=Access(db, p.revocation, journal, clock),
        blocks=Blocks(db, p.attempts, p.protection, clock, journal),
        unblocking=Unblocking(db, p.protection, p.post, p.sealer, clock, p.entropy, journal),
        request_limits=_request_limits(p),
        decisions=Decisions(db, p.attempts, p.in_memory, clock),
    )


def _application(settings: Settings, flows: Flows, db: Database, clock: Clock, attempts: Attempts) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        gc.freeze()  # what is loaded stays: no full collection need stop the loop to look through it again
        handlers = (flows.post, flows.logout_tokens, flows.unblocking)
        chores = (flows.signing_keys.supply, partial(db.write, flows.logout_notices.expire))
        sweeping = asyncio.create_task(worker.run(db, handlers, clock, chores))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):  # what it was delivering is left to the lease
            await sweeping
        await flows.breaches.close()
        await attempts.close()
        await flows.request_limits.attempts.close()
        db.close()

    async def passkey_pages() -> frozenset[str]:
        return frozenset((await flows.relying_party.show()).pages)

    app = Starlette(
        routes=routes(_static_directory()),
        middleware=[
            Middleware(Gate, settings=settings, entropy=flows.entropy, record=flows.decisions.record),
            Middleware(
                Cors,
                origins=Origins(partial(db.read, clients.origins), clock),
                passkey_pages=Origins(passkey_pages, clock),
                public_url=settings.public_url,
            ),
        ],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # its redirects are 307s, which repeat a POST
    app.state.flows = flows
    return app


def _post_office(settings: Settings, db: Database, clock: Clock) -> PostOffice:
    """Return who delivers: what is configured, or the outbox of a development server."""
    outbox = SqlOutbox(db, clock) if settings.has_outbox else Nobody()
    server = server_of(settings.smtp_url, settings.mail_from)
    mail: Postman = SmtpPostman(server, clock) if settings.smtp_url else outbox
    return Router({"email": mail, "sms": _sms_sender(settings, clock) or outbox}, settings.mail_from, clock)


def _breach_source(settings: Settings, clock: Clock) -> BreachSource | None:
    """Return who knows breached passwords: the file or the host that is configured."""
    where = settings.breached_passwords
    if not where:
        return None
    return RangeApi(where, clock) if "://" in where else HashFile(Path(where))


def _sms_sender(settings: Settings, clock: Clock) -> Postman | None:
    kind, _, url = settings.sms_url.reveal().partition("+")
    if kind == "webhook":
        return WebhookSender(url, settings.sms_key, clock)
    return TwilioSender(Secret(url), settings.sms_from) if kind == "twilio" else None


def _static_directory() -> Path:
    """Return where style sheets and scripts are: in the installed package, or beside ``src`` in a checkout."""
    packaged = Path(__file__).parent / "static"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "static"
