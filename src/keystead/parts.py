"""What flows are made of: the parts that every flow shares, and how people come in. Put together for ``app``."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import structlog

from keystead.adapters import attestation, webauthn
from keystead.adapters.breaches import HashFile, RangeApi
from keystead.adapters.fallback_attempts import FallbackAttempts, Tell
from keystead.adapters.mail import Nobody, Router, SmtpPostman, TwilioSender, WebhookSender, server_of
from keystead.adapters.memory_attempts import MemoryAttempts
from keystead.adapters.sealing import Sealer
from keystead.db.attempts import SqlAttempts
from keystead.db.connections import ConnectionRecord
from keystead.db.outbox import SqlOutbox
from keystead.db.session import Database
from keystead.flows.accounts import Admission
from keystead.flows.authenticator_models import AuthenticatorModels
from keystead.flows.block_notices import BlockNotices
from keystead.flows.breaches import Breaches
from keystead.flows.ceremonies import Ceremonies
from keystead.flows.directory import Directory, StoreFor
from keystead.flows.enrolment_tickets import EnrolmentTickets
from keystead.flows.journal import Journal
from keystead.flows.journal_chain import Word
from keystead.flows.logout_notices import LogoutNotices
from keystead.flows.one_time_codes import OneTimeCodes
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.passkey_login import PasskeyLogin
from keystead.flows.passkey_notices import PasskeyNotices
from keystead.flows.passkey_preview import PasskeyPreview
from keystead.flows.passkey_recovery import PasskeyRecovery
from keystead.flows.password_login import PasswordLogin
from keystead.flows.password_reset import PasswordReset
from keystead.flows.post import Post
from keystead.flows.protection import Protection
from keystead.flows.revocation import Revocation
from keystead.flows.signup import Signup
from keystead.flows.verification import Verification
from keystead.ports import Attempts, BreachSource, Clock, Entropy, Hasher, Postman, PostOffice
from keystead.rules.attack_protection import places_of_one
from keystead.rules.journal_chain import Head
from keystead.secrecy import Secret
from keystead.settings import Settings
from keystead.users.hosted import HostedStore

log = structlog.get_logger("keystead")


@dataclass(frozen=True, slots=True)
class Parts:
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


def parts_of(settings: Settings, clock: Clock, entropy: Entropy, hasher: Hasher, db: Database) -> Parts:
    """Return the parts, as the settings want them."""
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

    return Parts(
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


def ways_in(p: Parts) -> WaysIn:
    """Return the doors, made of the parts."""
    codes = OneTimeCodes(p.db, p.protection, p.sealer, p.clock, p.entropy)
    marks = (p.journal, p.clock, p.entropy, p.settings.public_url)
    reset = PasswordReset(p.db, p.store_for, p.breaches, p.protection, codes, p.post, p.revocation, *marks)
    verification = Verification(p.db, p.post, p.protection, p.store_for, reset, *marks)
    models, notices = AuthenticatorModels(p.db, attestation, p.clock), PasskeyNotices(p.post)
    enrolment = PasskeyEnrolment(p.db, p.ceremonies, webauthn, models, notices, p.journal, p.clock, p.entropy)
    return WaysIn(
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


def tell_of_chain(what: Word, head: Head) -> None:
    """Tell the operator of a batch of the journal: whoever keeps the line can tell a journal that was cut off."""
    about = head._asdict()
    if what == "cut":
        log.error("the journal's chain was cut off: a batch is gone that this process has seen", **about)
    else:
        log.info(f"journal {what}", **about)


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
