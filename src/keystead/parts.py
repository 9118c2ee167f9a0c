"""What flows are made of: the parts that every flow shares, and how people come in. Put together for ``app``."""

import platform
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from keystead import __version__
from keystead.adapters import attestation, webauthn
from keystead.adapters.breaches import HashFile, RangeApi
from keystead.adapters.cose_keys import CoseKeys
from keystead.adapters.fallback_attempts import FallbackAttempts, Tell
from keystead.adapters.mail import Nobody, Router, SmtpPostman, TwilioSender, WebhookSender, server_of
from keystead.adapters.memory_attempts import MemoryAttempts
from keystead.adapters.probes import SystemProber
from keystead.adapters.sealing import Sealer
from keystead.adapters.watched import Several, WatchedBreaches, WatchedOffice
from keystead.custom_db.commands import interpreters
from keystead.custom_db.limits import Limits, Programs
from keystead.custom_db.runner import Children
from keystead.db.attempts import SqlAttempts
from keystead.db.connections import ConnectionRecord
from keystead.db.outbox import SqlOutbox
from keystead.db.session import Database
from keystead.flows.accounts import Admission
from keystead.flows.archive_imports import ArchiveImports
from keystead.flows.archive_making import ArchiveMaking
from keystead.flows.authenticator_models import AuthenticatorModels
from keystead.flows.block_notices import BlockNotices
from keystead.flows.breaches import Breaches
from keystead.flows.ceremonies import Ceremonies
from keystead.flows.configuration import opened
from keystead.flows.directory import Directory, StoreFor
from keystead.flows.doctor import Doctor, Machine
from keystead.flows.enrolment_tickets import EnrolmentTickets
from keystead.flows.import_batch import ImportBatch
from keystead.flows.import_canaries import Canaries
from keystead.flows.import_notices import ImportNotices
from keystead.flows.import_uploads import ImportUploads
from keystead.flows.journal import Journal
from keystead.flows.logout_notices import LogoutNotices
from keystead.flows.long_reads import LongReads
from keystead.flows.one_time_codes import OneTimeCodes
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import PasskeyLogin
from keystead.flows.passkey_notices import PasskeyNotices
from keystead.flows.passkey_preview import PasskeyPreview
from keystead.flows.passkey_recovery import PasskeyRecovery
from keystead.flows.password_login import PasswordLogin
from keystead.flows.password_reset import PasswordReset
from keystead.flows.people_elsewhere import PeopleElsewhere
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.revocation import Revocation
from keystead.flows.row_reading import RowReading
from keystead.flows.script_runs import ScriptRuns
from keystead.flows.shadow import Shadow
from keystead.flows.signup import Signup
from keystead.flows.user_exports import UserExports
from keystead.flows.user_import import UserImport
from keystead.flows.users import Person
from keystead.flows.verification import Verification
from keystead.oauth.archive_keys import ArchiveKeys
from keystead.oauth.keys import KeyRing
from keystead.operator_log import tell_of_import, tell_of_redis
from keystead.ports import (
    Attempts,
    BreachSource,
    Clock,
    Entropy,
    Exposition,
    Hasher,
    Postman,
    PostOffice,
    ScriptRuntime,
    Telemetry,
    UserStore,
)
from keystead.rules.attack_protection import places_of_one
from keystead.rules.health import Given, Interpreters
from keystead.rules.receivers import Receivers
from keystead.rules.script_findings import trusts_its_user
from keystead.rules.telemetry import SILENCE
from keystead.secrecy import Secret
from keystead.settings import Settings, unknown_variables
from keystead.users.customer_database import CustomerDatabase
from keystead.users.extras import Extras
from keystead.users.hosted import HostedStore
from keystead.users.migrating import MigratingStore
from keystead.users.scripted import ScriptedStore


@dataclass(frozen=True, slots=True)
class Parts:
    """What flows are made of. Each is handed exactly those that it declares."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    hasher: Hasher
    db: Database
    long_reads: LongReads
    store_for: StoreFor
    elsewhere: PeopleElsewhere
    runtime: ScriptRuntime
    interpreters: Callable[[], Interpreters]
    shadow: Shadow
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
    told_of_logouts: Receivers
    revocation: Revocation
    preview: PasskeyPreview
    telemetry: Telemetry


@dataclass(frozen=True, slots=True)
class WaysIn:
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


def parts_of(
    settings: Settings, clock: Clock, entropy: Entropy, hasher: Hasher, db: Database, telemetry: Telemetry
) -> Parts:
    """Return the parts, as the settings want them."""
    journal = Journal(clock, entropy)
    attempts = attempts_of(settings, SqlAttempts(db, clock), clock, partial(tell_of_redis, telemetry))
    sealer = Sealer(settings.secret_keys, entropy)
    office = WatchedOffice(_post_office(settings, db, clock), telemetry)
    post = Post(db, office, sealer, clock, entropy, journal, settings.public_url)
    unchecked = settings.breached_passwords_down
    notices, blocks = LogoutNotices(sealer, clock, entropy), BlockNotices(sealer, clock, entropy)
    places = places_of_one(settings.hash_workers, settings.hash_queue)
    with_scripts = places_of_one(settings.script_concurrency, _waiting(settings))
    in_memory, long_reads = MemoryAttempts(clock), LongReads(db)
    runtime = runtime_of(settings, entropy, telemetry)
    shadow = Shadow(db, ScriptRuns(runtime, sealer), journal, clock, entropy)
    tenant = urlsplit(settings.public_url).hostname or ""

    def store_for(connection: ConnectionRecord) -> UserStore:
        options = connection.policy()
        hosted = HostedStore(connection.id, options, db, hasher, clock, entropy)
        if options.store == "hosted" or connection.for_administrators:
            return hosted
        extras = Extras(sealer)
        there = CustomerDatabase(connection, options, runtime, partial(opened, sealer), tenant)
        if options.store == "migrating":
            return MigratingStore(hosted, there, extras, partial(shadow.note, connection))
        return ScriptedStore(connection.id, options, there, db, extras, clock, entropy)

    return Parts(
        settings=settings,
        clock=clock,
        entropy=entropy,
        hasher=hasher,
        db=db,
        long_reads=long_reads,
        store_for=store_for,
        elsewhere=PeopleElsewhere(db, store_for),
        runtime=runtime,
        interpreters=partial(interpreters, programs_of(settings)),
        shadow=shadow,
        journal=journal,
        admission=Admission(journal, clock, settings.public_url),
        attempts=attempts,
        in_memory=in_memory,
        protection=Protection(db, attempts, in_memory, sealer, journal, blocks, places, with_scripts),
        directory=Directory(db),
        sealer=sealer,
        post=post,
        breaches=Breaches(db, _breach_source(settings, clock, telemetry), unchecked, attempts, post, journal),
        ceremonies=Ceremonies(db, clock, entropy, settings.public_url),
        notices=notices,
        told_of_logouts=Receivers.of("KEYSTEAD_LOGOUT_HOSTS", settings.logout_hosts, here=settings.is_local),
        revocation=Revocation(notices),
        preview=PasskeyPreview(long_reads, settings.public_url),
        telemetry=telemetry,
    )


def ways_in(p: Parts) -> WaysIn:
    """Return the doors, made of the parts."""
    codes = OneTimeCodes(p.db, p.protection, p.sealer, p.clock, p.entropy)
    marks = (p.journal, p.clock, p.entropy, p.settings.public_url)
    reset = PasswordReset(p.db, p.elsewhere, p.breaches, p.protection, codes, p.post, p.revocation, *marks)
    verification = Verification(p.db, p.post, p.protection, p.elsewhere, reset, *marks)
    models, notices = AuthenticatorModels(p.db, attestation, p.clock), PasskeyNotices(p.post)
    enrolment = PasskeyEnrolment(p.db, p.ceremonies, webauthn, models, notices, p.journal, p.clock, p.entropy)
    return WaysIn(
        codes=codes,
        reset=reset,
        verification=verification,
        password_login=PasswordLogin(
            *(p.db, p.admission, p.protection, p.store_for, verification, p.breaches, p.journal, p.clock),
            telemetry=p.telemetry,
        ),
        passkey_login=PasskeyLogin(
            *(p.db, p.admission, p.protection, p.elsewhere, p.ceremonies, webauthn, verification, p.journal),
            telemetry=p.telemetry,
        ),
        enrolment=enrolment,
        recovery=PasskeyRecovery(enrolment, p.elsewhere, p.protection, codes, p.post, p.revocation),
        by_ticket=EnrolmentTickets(enrolment, p.protection, p.settings.public_url),
        signup=Signup(
            *(p.db, p.admission, p.protection, p.store_for, p.ceremonies, enrolment, verification, p.breaches),
            *(p.post, webauthn, p.journal, p.clock, p.entropy),
        ),
    )


def user_exports_of(p: Parts, ring: KeyRing, show: Callable[[Person], dict[str, Any]]) -> UserExports:
    """Return what writes users to files; ``show`` is how the Management API shows one."""
    making = ArchiveMaking(p.db, p.sealer, ArchiveKeys(p.db, ring), p.clock, p.settings.public_url, __version__)
    return UserExports(p.db, p.long_reads, p.sealer, p.journal, p.clock, p.entropy, show, making)


def archive_imports_of(p: Parts, ring: KeyRing) -> ArchiveImports:
    """Return what puts archives of users back."""
    verifier, url = ArchiveKeys(p.db, ring), p.settings.public_url
    return ArchiveImports(p.db, p.sealer, verifier, p.journal, p.clock, p.entropy, url, tell_of_import)


def user_imports_of(p: Parts, ways: WaysIn) -> tuple[ImportUploads, UserImport]:
    """Return what takes files of users in, and what imports them."""
    settings, marks = p.settings, (p.journal, p.clock)
    batch = ImportBatch(RowReading(CoseKeys()), ways.enrolment, p.sealer, p.revocation, p.clock, p.entropy)
    uploads = ImportUploads(p.db, p.sealer, *marks, p.entropy, settings.import_bytes)
    notices = ImportNotices(p.post)
    doing = (Canaries(p.hasher), notices, *marks, tell_of_import, settings.import_hours)
    return uploads, UserImport(p.db, p.sealer, batch, *doing)


def attempts_of(settings: Settings, otherwise: Attempts, clock: Clock, tell: Tell) -> Attempts:
    """Return where to count: in Redis where that is configured and not lost, else in the other place."""
    if not settings.redis_url:
        return otherwise
    return FallbackAttempts(_redis(settings, clock), otherwise, clock, tell)


def _waiting(settings: Settings) -> int:
    """Return how many calls of one connection's scripts may wait for a child."""
    return settings.script_concurrency * 8


def runtime_of(settings: Settings, entropy: Entropy, telemetry: Telemetry) -> ScriptRuntime:
    """Return what runs action scripts; no child is started before one is called."""
    limits = Limits(
        seconds=settings.script_seconds,
        memory=settings.script_memory,
        concurrency=settings.script_concurrency,
        queue=_waiting(settings),
        output=settings.script_output,
    )
    return Children(entropy, limits, programs_of(settings), telemetry)


def programs_of(settings: Settings) -> Programs:
    """Return what runs action scripts, as the settings name it."""
    return Programs(
        node=settings.node,
        modules=Path(settings.script_node_modules) if settings.script_node_modules else None,
        python=Path(settings.script_python) if settings.script_python else None,
        wrapper=tuple(shlex.split(settings.script_wrapper)),
    )


def telemetry_of(settings: Settings, version: str) -> tuple[Telemetry, Exposition | None]:
    """Return who measures, and who shows it: nobody, where nobody may read it. Each library is loaded for its use."""
    found: list[Telemetry] = []
    exposition: Exposition | None = None
    if settings.has_metrics:
        exposition = import_module("keystead.adapters.prometheus").Prometheus()
        found.append(cast("Telemetry", exposition))
    if settings.otel_endpoint and has_otel():
        found.append(import_module("keystead.adapters.tracing").Tracing(settings.otel_endpoint, version))
    return (Several(found) if len(found) > 1 else found[0] if found else SILENCE), exposition


def given_of(settings: Settings) -> Given:
    """Return what the doctor looks at of the settings."""
    networks = tuple((each.version, each.prefixlen, str(each)) for each in settings.trusted_proxies)
    return Given(
        public_url=settings.public_url,
        host=settings.host,
        workers=settings.workers,
        pool=settings.database_pool,
        hash_cost=settings.hash_cost,
        same_site=settings.cookie_samesite,
        proxies=networks,
        has_outbox=settings.has_outbox,
        has_mail=bool(settings.smtp_url),
        has_texts=bool(settings.sms_url),
        metrics_host=settings.metrics_address[0] if settings.metrics_address else "",
        lacks_otel=bool(settings.otel_endpoint) and not has_otel(),
        scripts_reach_database=not settings.script_wrapper and trusts_its_user(settings.database_url.reveal()),
        unknown=tuple(unknown_variables()),
    )


def doctor_of(p: Parts) -> Doctor:
    """Return who looks at all of it."""
    settings, key_file = p.settings, p.settings.key_file
    machine = Machine(
        given=given_of(settings),
        version=__version__,
        python=platform.python_version(),
        data_dir=str(settings.data_dir.resolve()),
        key_file=str(key_file.resolve()) if key_file.exists() else "",
        key_count=len(settings.secret_keys),
        mail=server_of(settings.smtp_url, settings.mail_from) if settings.smtp_url else None,
        redis=partial(_redis, settings, p.clock) if settings.redis_url else None,
        breaches=partial(_breach_source, settings, p.clock, SILENCE),
        interpreters=partial(interpreters, programs_of(settings)),
    )
    return Doctor(machine, p.db, p.sealer, p.hasher, SystemProber(settings.mail_from), p.clock, p.entropy)


def _redis(settings: Settings, clock: Clock) -> Attempts:
    # By name: whoever has no Redis need not have its library.
    found: Attempts = import_module("keystead.adapters.redis_attempts").RedisAttempts(settings.redis_url, clock)
    return found


def has_otel() -> bool:
    """Whether the extra 'otel' is installed."""
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.sdk") is not None


def _post_office(settings: Settings, db: Database, clock: Clock) -> PostOffice:
    """Return who delivers: what is configured, or the outbox of a development server."""
    outbox = SqlOutbox(db, clock) if settings.has_outbox else Nobody()
    server = server_of(settings.smtp_url, settings.mail_from)
    mail: Postman = SmtpPostman(server, clock) if settings.smtp_url else outbox
    return Router({"email": mail, "sms": _sms_sender(settings, clock) or outbox}, settings.mail_from, clock)


def _breach_source(settings: Settings, clock: Clock, telemetry: Telemetry) -> BreachSource | None:
    """Return who knows breached passwords: the file or the host that is configured."""
    where = settings.breached_passwords
    if not where:
        return None
    return WatchedBreaches(RangeApi(where, clock) if "://" in where else HashFile(Path(where)), telemetry)


def _sms_sender(settings: Settings, clock: Clock) -> Postman | None:
    kind, _, url = settings.sms_url.reveal().partition("+")
    if kind == "webhook":
        return WebhookSender(url, settings.sms_key, clock)
    return TwilioSender(Secret(url), settings.sms_from) if kind == "twilio" else None
