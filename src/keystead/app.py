"""The composition root: settings to parts to application. The only file that knows who is who."""

import asyncio
import gc
import platform
import secrets
import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware

from keystead import __version__, worker
from keystead.adapters import attestation, fido_metadata
from keystead.adapters.cose_keys import CoseKeys
from keystead.adapters.log_calls import HttpLogReceiver
from keystead.adapters.logout_calls import HttpLogoutCaller
from keystead.adapters.outward_calls import OutwardCalls
from keystead.adapters.public_keys import PemKeys
from keystead.adapters.sealing import Sealer
from keystead.adapters.termination import on_sigterm
from keystead.adapters.watched import WatchedLogouts
from keystead.db import clients
from keystead.db.session import Database
from keystead.flows.access import Access
from keystead.flows.administrator_setup import AdministratorSetup
from keystead.flows.administrators import Administrators
from keystead.flows.apis import Apis
from keystead.flows.attack_protection import AttackProtection
from keystead.flows.authentication_methods import AuthenticationMethods
from keystead.flows.backup import Backup
from keystead.flows.blocks import Blocks
from keystead.flows.client_grants import ClientGrants
from keystead.flows.clients import Clients
from keystead.flows.configuration import Configuration
from keystead.flows.connections import Connections
from keystead.flows.credentials import Credentials
from keystead.flows.decisions import Decisions
from keystead.flows.doctor import AskedOften
from keystead.flows.fido_metadata import FidoMetadata
from keystead.flows.hosted_login import HostedLogin
from keystead.flows.jobs import Jobs
from keystead.flows.journal import Journal
from keystead.flows.journal_chain import SECONDS, JournalChain
from keystead.flows.journal_retention import JournalRetention
from keystead.flows.journal_verification import JournalVerification
from keystead.flows.log_delivery import IDLE_SECONDS, LogDelivery
from keystead.flows.log_streams import LogStreams
from keystead.flows.logs import Logs
from keystead.flows.looks import Looks
from keystead.flows.mail_provider import MailProvider
from keystead.flows.message_templates import MessageTemplates
from keystead.flows.own_passkeys import OwnPasskeys
from keystead.flows.own_sessions import OwnSessions
from keystead.flows.page_design import PageDesign
from keystead.flows.passkey_upgrade import PasskeyUpgrade
from keystead.flows.password_change import PasswordChange
from keystead.flows.password_removal import PasswordRemoval
from keystead.flows.quarantine import Quarantine
from keystead.flows.readiness import Readiness
from keystead.flows.relying_party import RelyingPartySettings
from keystead.flows.request_limits import RequestLimits
from keystead.flows.script_health import ScriptStatus
from keystead.flows.script_trials import ScriptTrials
from keystead.flows.sessions import Sessions
from keystead.flows.signals import Signals
from keystead.flows.signup_challenge import SignupChallenge
from keystead.flows.stats import Stats
from keystead.flows.tenant_settings import TenantSettings
from keystead.flows.tickets import Tickets
from keystead.flows.unblocking import Unblocking
from keystead.flows.user_search import UserSearch
from keystead.flows.users import Users
from keystead.flows.vitals import Vitals
from keystead.oauth.audiences import Audiences
from keystead.oauth.authorize import Authorize
from keystead.oauth.bearers import Bearers
from keystead.oauth.client_assertions import ClientAssertions
from keystead.oauth.client_auth import ClientAuth
from keystead.oauth.exchanges import Exchanges
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
from keystead.operator_log import tell_of_chain, tell_of_stream
from keystead.parts import (
    Parts,
    WaysIn,
    archive_imports_of,
    attempts_of,
    doctor_of,
    parts_of,
    telemetry_of,
    user_exports_of,
    user_imports_of,
    ways_in,
)
from keystead.ports import Clock, Entropy, Exposition, Hasher
from keystead.rules import clients as grants
from keystead.rules.receivers import Receivers
from keystead.settings import Settings
from keystead.users.hashing import BcryptHasher
from keystead.web import static_files
from keystead.web.cookies import Cookies
from keystead.web.cors import Cors, Origins
from keystead.web.devices import Devices
from keystead.web.flows import Flows
from keystead.web.management import users
from keystead.web.management.flows import ManagementFlows
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
    telemetry, exposition = telemetry_of(settings, __version__)
    db = db or Database(settings.database_url.reveal(), pool=settings.database_pool, telemetry=telemetry)
    hasher = hasher or BcryptHasher(
        settings.hash_cost, workers=settings.hash_workers, queue=settings.hash_queue, telemetry=telemetry
    )
    parts = parts_of(settings, clock, entropy, hasher, db, telemetry)
    return _application(parts, _flows(parts, ways_in(parts), exposition))


async def let_go(flows: Flows) -> None:
    """Let go of what flows hold open beside the database."""
    await flows.breaches.close()
    await flows.decisions.attempts.close()
    await flows.request_limits.attempts.close()
    await flows.management.shadow.close()
    await flows.runtime.close()


def signing_keys(settings: Settings, db: Database, clock: Clock, entropy: Entropy) -> SigningKeys:
    """Return what changes the signing keys: for the server, and for the command line."""
    ring = KeyRing(db, Sealer(settings.secret_keys, entropy), clock)
    return SigningKeys(db, ring, key_maker(settings, entropy), Journal(clock, entropy), clock)


def key_maker(settings: Settings, entropy: Entropy) -> KeyMaker:
    """Return what makes signing keys."""
    return KeyMaker(Sealer(settings.secret_keys, entropy), entropy, settings.rsa_bits, settings.host_name)


def _hosted_login(p: Parts, ways: WaysIn, sessions: Sessions) -> HostedLogin:
    challenge = SignupChallenge(p.db, p.protection, ways.codes, ways.signup, p.elsewhere, p.post, p.journal)
    return HostedLogin(
        *(p.db, p.admission, p.directory, ways.password_login, ways.passkey_login, ways.signup, challenge),
        *(ways.enrolment, p.ceremonies, sessions, p.journal, p.clock, p.entropy),
    )


def _token_endpoint(p: Parts, ways: WaysIn, issuer: Issuer) -> TokenEndpoint:
    login, signup = ways.passkey_login, ways.signup
    exchanges = Exchanges(p.db, p.journal, p.in_memory)
    by_name: dict[str, Grant] = {
        grants.PASSWORD: PasswordGrant(p.directory, ways.password_login, issuer),
        grants.PASSWORD_REALM: PasswordGrant(p.directory, ways.password_login, issuer, realm_required=True),
        grants.PASSKEY: PasskeyGrant(p.directory, p.ceremonies, login, signup, issuer, p.journal, p.db),
        grants.CODE: CodeGrant(p.db, p.admission, issuer, p.revocation, p.clock, exchanges),
        grants.REFRESH: RefreshGrant(p.db, p.admission, issuer, p.revocation, p.journal, p.clock, exchanges),
        grants.CLIENT_CREDENTIALS: ClientCredentialsGrant(issuer, exchanges),
    }
    client_auth = ClientAuth(p.db, p.protection, ClientAssertions(p.db, p.clock, p.settings.public_url), p.clock)
    return TokenEndpoint(client_auth, by_name, exchanges)


def _tokens(p: Parts, ways: WaysIn) -> tuple[SigningKeys, Issuer, Bearers, TokenEndpoint]:
    url, keys = p.settings.public_url, signing_keys(p.settings, p.db, p.clock, p.entropy)
    issuer = Issuer(p.db, keys.ring, p.clock, p.entropy, Audiences(p.db, url), url)
    return keys, issuer, Bearers(p.db, keys.ring, issuer), _token_endpoint(p, ways, issuer)


def _logout_tokens(p: Parts, keys: KeyRing) -> LogoutTokens:
    url, caller = p.settings.public_url, HttpLogoutCaller(OutwardCalls(p.told_of_logouts))
    return LogoutTokens(p.db, keys, WatchedLogouts(caller, p.telemetry), p.sealer, p.clock, p.entropy, p.journal, url)


def _request_limits(p: Parts) -> RequestLimits:
    # Connections of its own in Redis too: a flood of requests keeps no login waiting. Never the database.
    # That Redis is lost is said by the attempts, once.
    counted = attempts_of(p.settings, p.in_memory, p.clock, lambda what, why: None)
    return RequestLimits(p.db, counted, p.journal, p.clock, p.settings.request_limits)


def _password_change(p: Parts) -> PasswordChange:
    return PasswordChange(p.db, p.elsewhere, p.breaches, p.protection, p.revocation, p.journal, p.clock, p.entropy)


def _administrator_setup(p: Parts) -> AdministratorSetup:
    return AdministratorSetup(
        *(p.db, p.store_for, p.protection, p.hasher, p.breaches, p.revocation, p.post, p.journal, p.clock, p.entropy)
    )


def _devices(p: Parts) -> Devices:
    seals = Seals(p.settings.secret_keys, p.clock)
    return Devices(Cookies(p.settings, seals, p.clock, p.entropy), seals, p.entropy)


def _management(p: Parts, ways: WaysIn, looks: Looks, ring: KeyRing) -> ManagementFlows:
    db, clock, entropy, journal, url = p.db, p.clock, p.entropy, p.journal, p.settings.public_url
    chain, doctor = JournalChain(db, p.sealer, clock, tell_of_chain), doctor_of(p)
    receivers = Receivers.of("KEYSTEAD_LOG_STREAM_HOSTS", p.settings.log_stream_hosts)
    calls = HttpLogReceiver(clock, OutwardCalls(receivers))
    has_mail = bool(p.settings.smtp_url) or p.settings.has_outbox
    uploads, user_import = user_imports_of(p, ways)
    return ManagementFlows(
        administrators=Administrators(db, p.revocation, p.post, journal, clock, entropy, has_mail),
        connections=Connections(db, p.revocation, p.preview, Configuration(p.sealer), clock, entropy, journal),
        apis=Apis(db, clock, entropy, journal, url),
        client_grants=ClientGrants(db, entropy, journal, url),
        credentials=Credentials(db, PemKeys(), clock, entropy, journal),
        methods=AuthenticationMethods(db, CoseKeys(), ways.enrolment, p.revocation, clock, journal),
        quarantine=Quarantine(db, ways.enrolment, p.revocation, clock, journal),
        access=Access(db, p.revocation, journal, clock),
        attack_protection=AttackProtection(db, journal),
        blocks=Blocks(db, p.attempts, p.protection, clock, journal),
        chain=chain,
        verification=JournalVerification(p.long_reads, p.sealer, clock, chain),
        retention=JournalRetention(db, p.sealer, clock, p.settings.journal_days, tell_of_chain),
        logs=Logs(db, p.long_reads, journal),
        jobs=Jobs(db),
        metadata=FidoMetadata(db, fido_metadata, attestation, p.revocation, journal, clock),
        templates=MessageTemplates(db, clock, journal),
        mail_provider=MailProvider(db, p.sealer, journal),
        page_design=PageDesign(db, looks, journal),
        stats=Stats(db, p.long_reads, clock),
        user_search=UserSearch(db, p.long_reads, clock),
        archive_imports=archive_imports_of(p, ring),
        import_uploads=uploads,
        user_import=user_import,
        user_exports=user_exports_of(p, ring, partial(users.shown, public_url=url)),
        doctor=doctor,
        findings=AskedOften(doctor, clock),
        backup=Backup(db, p.sealer, journal, clock, __version__),
        log_streams=LogStreams(db, p.sealer, journal, clock, entropy, receivers),
        trials=ScriptTrials(db, p.shadow.runs, p.in_memory, journal, entropy),
        script_status=ScriptStatus(p.long_reads, p.runtime, p.interpreters, clock),
        shadow=p.shadow,
        log_delivery=LogDelivery(db, calls, p.sealer, journal, clock, p.settings.host_name, tell_of_stream),
    )


def _flows(p: Parts, ways: WaysIn, exposition: Exposition | None) -> Flows:
    db, clock, journal = p.db, p.clock, p.journal
    own_keys, issuer, bearers, token_endpoint = _tokens(p, ways)
    tenant_settings = TenantSettings(db, journal, clock)
    sessions = Sessions(db, p.revocation, tenant_settings, journal, clock, p.entropy)
    hosted_login = _hosted_login(p, ways, sessions)
    authorize = Authorize(db, p.admission, p.directory, hosted_login, issuer, clock, p.entropy)
    looks = Looks(db, clock)
    management = _management(p, ways, looks, own_keys.ring)
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
        tenant_settings=tenant_settings,
        relying_party=RelyingPartySettings(db, p.preview, journal, p.settings.public_url),
        tickets=Tickets(db, ways.verification, ways.reset, ways.by_ticket, p.elsewhere, clock, journal),
        sessions=sessions,
        own_sessions=OwnSessions(db, p.revocation, journal, clock, p.settings.public_url),
        own_passkeys=OwnPasskeys(db, ways.enrolment, p.ceremonies, Signals(db, p.ceremonies), p.revocation, journal),
        logout=Logout(db, own_keys.ring, p.settings.public_url),
        logout_notices=p.notices,
        logout_tokens=_logout_tokens(p, own_keys.ring),
        administrator_setup=_administrator_setup(p),
        authorize=authorize,
        token_endpoint=token_endpoint,
        pushed_requests=PushedRequests(db, token_endpoint.client_auth, authorize, clock, p.entropy),
        revoke=Revoke(db, token_endpoint.client_auth, p.revocation, clock),
        issuer=issuer,
        signing_keys=own_keys,
        bearers=bearers,
        userinfo=UserInfo(bearers),
        clients=Clients(
            *(db, clock, p.entropy, journal, management.credentials, p.told_of_logouts, p.settings.public_url)
        ),
        users=Users(
            *(db, p.store_for, p.breaches, p.protection, ways.verification, p.revocation, p.sealer, clock, journal)
        ),
        unblocking=Unblocking(db, p.protection, p.elsewhere, p.post, p.sealer, clock, p.entropy, journal),
        request_limits=_request_limits(p),
        decisions=Decisions(db, p.attempts, p.in_memory, clock),
        looks=looks,
        readiness=Readiness(db, own_keys.ring.can_sign, clock),
        vitals=Vitals(db, clock, (__version__, platform.python_version()), exposition),
        runtime=p.runtime,
        management=management,
    )


def _application(p: Parts, flows: Flows) -> Starlette:
    settings, db, clock = p.settings, p.db, p.clock

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        gc.freeze()  # what is loaded stays: no full collection need stop the loop to look through it again
        files = (flows.management.user_exports, flows.management.archive_imports, flows.management.user_import)
        handlers = (flows.post, flows.logout_tokens, flows.unblocking, *files)
        expire, of_management = partial(db.write, flows.logout_notices.expire), flows.management
        chores = (flows.signing_keys.supply, expire, of_management.retention, of_management.stats.sum_up)
        sampling = worker.Pulse(flows.vitals.sample, worker.IDLE_SECONDS)
        sending = worker.Pulse(of_management.log_delivery.run, IDLE_SECONDS)
        pulses = (worker.Pulse(of_management.chain.seal, SECONDS), sending, sampling)
        beside = worker.Beside(chores, pulses, flows.readiness.beat)
        sweeping = asyncio.create_task(worker.run(db, handlers, clock, beside, p.telemetry))
        with on_sigterm(flows.readiness.stop, settings.drain_seconds):
            yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):  # what it was delivering is left to the lease
            await sweeping
        await let_go(flows)
        db.close()
        await asyncio.to_thread(p.telemetry.close)

    async def passkey_pages() -> frozenset[str]:
        return frozenset((await flows.relying_party.show()).pages)

    app = Starlette(
        routes=routes(static_files.directory()),
        middleware=[
            Middleware(
                Gate, settings=settings, entropy=p.entropy, record=flows.decisions.record, telemetry=p.telemetry
            ),
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
