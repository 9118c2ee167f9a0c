"""Every table, in one read. Tables are storage only: nothing here validates, and rows do not leave ``db/``."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from keystead.db.search_columns import also, searched

# Before the first table: migrations need every constraint to have a name.
SQLModel.metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_KEY = String(600).with_variant(String(600, collation="C"), "postgresql")
"""Compared byte by byte on both databases, so that what begins alike can be found by the index."""


_HASH = String(255).with_variant(String(4000), "postgresql")
"""Long enough for hashes of other systems with all their parameters. SQLite does not look at lengths."""

Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Moment(TypeDecorator[datetime]):
    """A time in UTC on both databases: SQLite forgets the zone, PostgreSQL answers in its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _moment(*, index: bool = False, nullable: bool = False) -> Any:
    return Field(sa_column=Column(Moment(), index=index, nullable=nullable), default=None if nullable else ...)


def _document(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(Document, nullable=nullable), default=None if nullable else ...)


def _where(name: str, column: str, condition: str) -> Index:
    """An index of some of the rows alone."""
    return Index(name, column, sqlite_where=text(condition), postgresql_where=text(condition))


def _of(column: str, *, index: bool = True, **keywords: Any) -> Any:
    """A reference whose row goes when what it refers to goes."""
    key = ForeignKey(column, ondelete="CASCADE")
    return Field(sa_column=Column(String(300), key, index=index, nullable=False, **keywords))


class Setting(SQLModel, table=True):
    """Tenant settings: what an administrator may change while it runs, by name."""

    name: str = Field(primary_key=True, max_length=100)
    value: Any = _document()


class Connection(SQLModel, table=True):
    """A database connection."""

    id: str = Field(primary_key=True, max_length=20)
    name: str = Field(unique=True, max_length=128)
    strategy: str = Field(default="auth0", max_length=20)
    display_name: str | None = Field(default=None, max_length=128)
    is_domain_connection: bool = False
    show_as_button: bool | None = None
    active: bool = True
    connected_accounts: dict[str, Any] = _document()
    about: dict[str, Any] | None = _document(nullable=True)
    """``metadata`` on the wire, a name that SQLModel needs itself."""
    options: dict[str, Any] = _document()
    for_administrators: bool = False
    created_at: datetime = _moment()


class Realm(SQLModel, table=True):
    """A name by which a token request selects a connection; unique over all of them (CN-2).

    A connection's own name is always among its rows, so that it can be nobody else's realm: the primary key decides
    who was first. Where the connection does not answer to it, its position is ``-1``.
    """

    name: str = Field(primary_key=True, max_length=128)
    connection_id: str = _of("connection.id")
    position: int = 0


class Client(SQLModel, table=True):
    """An application."""

    client_id: str = Field(primary_key=True, max_length=64)
    secret_hash: str | None = Field(default=None, max_length=64)
    previous_secret_hash: str | None = Field(default=None, max_length=64)
    previous_secret_until: datetime | None = _moment(nullable=True)
    """Until when the secret before the last rotation is still taken."""
    settings: dict[str, Any] = _document()
    is_system: bool = False
    created_at: datetime = _moment()


class ClientCredential(SQLModel, table=True):
    """A public key with which a client proves itself (``private_key_jwt``)."""

    __tablename__ = "client_credential"
    id: str = Field(primary_key=True, max_length=40)
    client_id: str = _of("client.client_id")
    kid: str = Field(max_length=200)
    name: str = Field(default="", max_length=128)
    algorithm: str = Field(max_length=10)
    public_jwk: dict[str, Any] = _document()
    created_at: datetime = _moment()
    updated_at: datetime = _moment()
    expires_at: datetime | None = _moment(nullable=True)


class UsedAssertion(SQLModel, table=True):
    """A client assertion that was used: the primary key refuses it a second time."""

    __tablename__ = "used_assertion"
    assertion_hash: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = _moment(index=True)


class EnabledClient(SQLModel, table=True):
    """A client may use a connection (CN-5)."""

    __tablename__ = "enabled_client"
    connection_id: str = _of("connection.id", index=False, primary_key=True)
    client_id: str = _of("client.client_id", primary_key=True)


class Api(SQLModel, table=True):
    """A resource server: an audience with scopes. Ours have an identifier that begins with ``/``."""

    id: str = Field(primary_key=True, max_length=30)
    identifier: str = Field(unique=True, max_length=600)
    name: str = Field(max_length=200)
    scopes: list[dict[str, str]] = _document()
    token_lifetime: int = 86_400
    allow_offline_access: bool = False
    signing_alg: str = Field(default="RS256", max_length=10)
    user_policy: str = Field(default="allow_all", max_length=30)
    """Which clients may ask for it on a person's behalf: all, none, or those with a grant of subject type ``user``."""
    client_policy: str = Field(default="require_client_grant", max_length=30)
    settings: dict[str, Any] = _document()
    """The members that change nothing but the answers of the Management API, and those that few requests read."""
    is_system: bool = False
    created_at: datetime = _moment()


class ClientGrant(SQLModel, table=True):
    """A client may get tokens for an API, in its own name or on people's behalf, with these scopes."""

    __tablename__ = "client_grant"
    __table_args__ = (UniqueConstraint("client_id", "api_id", "subject_type"),)
    id: str = Field(primary_key=True, max_length=30)
    client_id: str = _of("client.client_id", index=False)
    api_id: str = _of("api.id")
    subject_type: str = Field(default="client", max_length=10)
    scope: list[str] = _document()
    allow_all_scopes: bool = False


class Consent(SQLModel, table=True):
    """What a person allowed a client: the scopes of one audience."""

    __table_args__ = (UniqueConstraint("user_id", "client_id", "audience"),)
    id: str = Field(primary_key=True, max_length=40)
    user_id: str = _of("account.user_id", index=False)
    client_id: str = _of("client.client_id")
    audience: str = Field(default="", max_length=600)
    scope: list[str] = _document()
    created_at: datetime = _moment()


class SigningKey(SQLModel, table=True):
    """A key that signs tokens. The private half is sealed with a key from the settings."""

    __tablename__ = "signing_key"
    kid: str = Field(primary_key=True, max_length=64)
    algorithm: str = Field(max_length=10)
    public_jwk: dict[str, Any] = _document()
    sealed_private: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = _moment()
    current_since: datetime | None = _moment(nullable=True)
    """From when it signs; a key that is to sign next is published before."""
    current_until: datetime | None = _moment(nullable=True)
    revoked_at: datetime | None = _moment(nullable=True)


class Account(SQLModel, table=True):
    """A person, in one connection."""

    __table_args__ = (
        Index("ix_account_created_at", "created_at", "user_id"),
        Index("ix_account_connection_id", "connection_id", "created_at", "user_id"),
        Index("ix_account_email_domain", "email_domain", "created_at", "user_id"),
        *(Index(f"ix_account_{each}", each) for each in ("email", "name_folded", "nickname_folded")),
        *(
            _where(f"ix_account_{each}", each, f"{each} IS NOT NULL")
            for each in ("phone_number", "username", "given_name_folded", "family_name_folded")
        ),
    )
    """Whatever a login changes is in none of them: otherwise each login would write to all (PostgreSQL)."""
    user_id: str = Field(primary_key=True, max_length=300)
    connection_id: str = _of("connection.id", index=False)
    email: str | None = Field(sa_column=Column(searched(254)), default=None)
    email_verified: bool = False
    phone_number: str | None = Field(sa_column=Column(searched(20)), default=None)
    phone_verified: bool = False
    username: str | None = Field(sa_column=Column(searched(128)), default=None)
    name: str | None = Field(default=None, max_length=300)
    nickname: str | None = Field(default=None, max_length=300)
    given_name: str | None = Field(default=None, max_length=150)
    family_name: str | None = Field(default=None, max_length=150)
    picture: str | None = Field(default=None, max_length=2048)
    user_metadata: dict[str, Any] | None = _document(nullable=True)
    app_metadata: dict[str, Any] | None = _document(nullable=True)
    blocked: bool | None = None
    password_hash: str | None = Field(sa_column=Column(_HASH, nullable=True), default=None)
    """bcrypt; or what another system made, until its password is used here (``rules/password_hashes``); or the mark of
    a password that is kept by the customer's own database (``users/scripted``)."""
    last_password_reset: datetime | None = _moment(nullable=True)
    user_handle: bytes = Field(sa_column=Column(LargeBinary(64), nullable=False, unique=True))
    passkey_prompt_snoozed_until: datetime | None = _moment(nullable=True)
    created_at: datetime = _moment()
    updated_at: datetime = _moment()
    last_login: datetime | None = _moment(nullable=True)
    last_ip: str | None = Field(default=None, max_length=45)
    logins_count: int = 0
    signed_out_at: datetime | None = _moment(nullable=True)
    """When everything that was issued before came to its end, such as at a reset; ours to check on access tokens."""
    must_verify: list[str] = _document()
    """Kinds of identifiers that must be verified before the account can be used (ID-19)."""
    other_attributes: dict[str, Any] | None = _document(nullable=True)
    """Members of the profile that nobody here defined, as a script returned them (section 5.3)."""
    sealed_extras: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True), default=None)
    """Secrets that came with the person, as JSON: tokens of the customer's database (CD-9), second factors (IM-11)."""
    email_domain: str | None = also("email")
    name_folded: str | None = also("name")
    nickname_folded: str | None = also("nickname")
    given_name_folded: str | None = also("given_name")
    family_name_folded: str | None = also("family_name")


class AccountIdentifier(SQLModel, table=True):
    """What an account logs in with, in canonical form; the primary key decides who was first."""

    __tablename__ = "identifier"
    connection_id: str = _of("connection.id", index=False, primary_key=True)
    kind: str = Field(primary_key=True, max_length=20)
    value: str = Field(primary_key=True, max_length=254)
    user_id: str = _of("account.user_id")


class Administrator(SQLModel, table=True):
    """An account of the administrators' connection, and what it may do."""

    user_id: str = _of("account.user_id", index=False, primary_key=True)
    role: str = Field(max_length=20)


class Passkey(SQLModel, table=True):
    """A credential record (WebAuthn Level 3 §4). The credential id is unique over all accounts (§7.1 step 26)."""

    id: str = Field(primary_key=True, max_length=40)
    user_id: str = _of("account.user_id")
    credential_id: bytes = Field(sa_column=Column(LargeBinary(1023), nullable=False, unique=True))
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    algorithm: int
    sign_count: int
    transports: list[str] = _document()
    aaguid: str = Field(max_length=36)
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    """In its last ceremony."""
    attestation_format: str = Field(max_length=40)
    trust: str = Field(default="none", max_length=20)
    certificates: list[str] | None = _document(nullable=True)
    """The chain of its attestation, base64 of DER, so that it can be looked at again when more is known."""
    attachment: str = Field(default="", max_length=20)
    """As the browser reported it at the registration."""
    quarantined_at: datetime | None = _moment(nullable=True)
    quarantine: str | None = Field(default=None, max_length=200)
    """Why it opens nothing, while it does not."""
    rp_id: str = Field(max_length=255)
    name: str | None = Field(default=None, max_length=100)
    user_agent: str = Field(default="", max_length=300)
    created_at: datetime = _moment()
    last_used_at: datetime | None = _moment(nullable=True)


class AuthenticatorModel(SQLModel, table=True):
    """What the FIDO metadata says of a model of authenticator."""

    __tablename__ = "authenticator_model"
    aaguid: str = Field(primary_key=True, max_length=80)
    """Of models older than AAGUIDs the identifier of their attestation keys."""
    record: dict[str, Any] = _document()
    updated_at: datetime = _moment()


class CeremonyRow(SQLModel, table=True):
    """A ceremony under way, under the hash of its ``auth_session``; deleted by whoever answers first."""

    __tablename__ = "ceremony"
    handle_hash: str = Field(primary_key=True, max_length=64)
    subject: str = Field(default="", max_length=300, index=True)
    """The account that it is about, where there is one already."""
    record: dict[str, Any] = _document()
    expires_at: datetime = _moment(index=True)


class PushedRequest(SQLModel, table=True):
    """An authorization request that a client left beforehand (RFC 9126), under the hash of its ``request_uri``."""

    __tablename__ = "pushed_request"
    uri_hash: str = Field(primary_key=True, max_length=64)
    client_id: str = _of("client.client_id")
    parameters: dict[str, str] = _document()
    expires_at: datetime = _moment(index=True)


class Transaction(SQLModel, table=True):
    """A login transaction, under the hash of its ``state``."""

    __tablename__ = "login_transaction"
    state_hash: str = Field(primary_key=True, max_length=64)
    record: dict[str, Any] = _document()
    expires_at: datetime = _moment(index=True)


class LoginSession(SQLModel, table=True):
    """A login session of a browser. The cookie holds ``id.secret``, the row only the secret's hash."""

    __tablename__ = "login_session"
    __table_args__ = (_where("ix_login_session_ended_at", "ended_at", "ended_at IS NOT NULL"),)
    id: str = Field(primary_key=True, max_length=40)
    secret_hash: str = Field(max_length=64)
    user_id: str = _of("account.user_id")
    methods: list[dict[str, str]] = _document()
    authenticated_at: datetime = _moment()
    created_at: datetime = _moment()
    seen_at: datetime = _moment()
    idle_expires_at: datetime = _moment()
    expires_at: datetime = _moment(index=True)
    ended_at: datetime | None = _moment(nullable=True)
    """When it was ended; the row stays for as long as an access token of it may still be shown to us."""
    ip: str = Field(default="", max_length=45)
    user_agent: str = Field(default="", max_length=300)
    last_ip: str = Field(default="", max_length=45)
    last_user_agent: str = Field(default="", max_length=300)
    persistent: bool = True
    about: dict[str, Any] | None = _document(nullable=True)
    """``session_metadata`` on the wire."""


class SessionClient(SQLModel, table=True):
    """A client that was given a code out of a session: it is told when the session ends, if it asked to be."""

    __tablename__ = "session_client"
    session_id: str = _of("login_session.id", index=False, primary_key=True)
    client_id: str = _of("client.client_id", primary_key=True)


class AuthorizationCode(SQLModel, table=True):
    """A one-time code, under its hash; kept for a while after use, so that a second use is seen."""

    __tablename__ = "authorization_code"
    code_hash: str = Field(primary_key=True, max_length=64)
    client_id: str = _of("client.client_id")
    user_id: str = _of("account.user_id")
    session_id: str = Field(default="", max_length=40, index=True)
    record: dict[str, Any] = _document()
    expires_at: datetime = _moment(index=True)
    used_at: datetime | None = _moment(nullable=True)


class RefreshToken(SQLModel, table=True):
    """A refresh token, under its hash. A family is what one login gave; reuse ends the family."""

    __tablename__ = "refresh_token"
    id: str = Field(primary_key=True, max_length=40)
    token_hash: str = Field(unique=True, max_length=64)
    family: str = Field(index=True, max_length=64)
    client_id: str = _of("client.client_id")
    user_id: str = _of("account.user_id")
    session_id: str = Field(default="", max_length=40, index=True)
    record: dict[str, Any] = _document()
    created_at: datetime = _moment()
    idle_expires_at: datetime | None = _moment(index=True, nullable=True)
    expires_at: datetime | None = _moment(index=True, nullable=True)
    rotated_at: datetime | None = _moment(nullable=True)
    last_exchanged_at: datetime | None = _moment(nullable=True)
    ip: str = Field(default="", max_length=45)
    user_agent: str = Field(default="", max_length=300)
    about: dict[str, Any] | None = _document(nullable=True)
    """``refresh_token_metadata`` on the wire."""


class Ticket(SQLModel, table=True):
    """A one-time link, under its hash."""

    token_hash: str = Field(primary_key=True, max_length=64)
    purpose: str = Field(max_length=40)
    subject: str = Field(default="", max_length=300, index=True)
    """The account that it is about, where there is one."""
    record: dict[str, Any] = _document()
    expires_at: datetime = _moment(index=True)


class Job(SQLModel, table=True):
    """Long work, or work that may have to be tried again. Claimed with a lease, so that a dead worker's jobs go on."""

    __table_args__ = (
        _where("ix_job_waiting", "run_at", "finished_at IS NULL"),  # each look reads past no job that is done
        _where("ix_job_finished_at", "finished_at", "finished_at IS NOT NULL"),
    )
    id: str = Field(primary_key=True, max_length=30)
    type: str = Field(max_length=40)
    status: str = Field(default="pending", max_length=20, index=True)
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """What it is about, sealed: messages carry links and codes that somebody with the database must not find."""
    created_at: datetime = _moment()
    run_at: datetime = _moment()
    tries: int = 0
    error: str | None = Field(default=None, max_length=500)
    finished_at: datetime | None = _moment(nullable=True)
    about: dict[str, Any] | None = _document(nullable=True)
    """What administrators may see of it: which connection, how the file is read, and how far it is."""


class JobFile(SQLModel, table=True):
    """A piece of a file that a job reads or has written, sealed: it holds hashes and addresses. Goes with the job."""

    __tablename__ = "job_file"
    job_id: str = _of("job.id", index=False, primary_key=True)
    number: int = Field(primary_key=True)
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class JobRow(SQLModel, table=True):
    """What a job found of one row of its file: an error, or in a rehearsal what would become of it."""

    __tablename__ = "job_row"
    job_id: str = _of("job.id", index=False, primary_key=True)
    number: int = Field(primary_key=True)
    """From 0, in the order of the file."""
    found: dict[str, Any] = _document()


class JobClaim(SQLModel, table=True):
    """What a row of a job's file is known by, so that a later row is found to be of the same person."""

    __tablename__ = "job_claim"
    job_id: str = _of("job.id", index=False, primary_key=True)
    claim: bytes = Field(sa_column=Column(LargeBinary(32), primary_key=True))
    """A digest: whoever holds the database need not find everybody of a file in it twice."""
    number: int


class OutboxMessage(SQLModel, table=True):
    """A message that was not sent but put aside, where no mail server is configured; for development."""

    __tablename__ = "outbox"
    id: str = Field(primary_key=True, max_length=60)
    channel: str = Field(max_length=10)
    recipient: str = Field(max_length=254)
    subject: str = Field(max_length=300)
    text: str = Field(sa_column=Column(Text, nullable=False))
    html: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = _moment(index=True)


class EmailTemplate(SQLModel, table=True):
    """A template that an administrator wrote; the built-in one stands in where there is none."""

    __tablename__ = "email_template"
    name: str = Field(primary_key=True, max_length=40)
    record: dict[str, Any] = _document()
    updated_at: datetime = _moment()


class OneTimeCode(SQLModel, table=True):
    """A six-digit code under way, under the hash of whatever it is bound to (a login transaction, a ceremony)."""

    __tablename__ = "one_time_code"
    handle_hash: str = Field(primary_key=True, max_length=64)
    code_mac: str = Field(max_length=64)
    record: dict[str, Any] = _document()
    tries: int = 0
    sends: int = 1
    expires_at: datetime = _moment(index=True)


class OldPassword(SQLModel, table=True):
    """A hash of a password that an account had before (PW-5)."""

    __tablename__ = "old_password"
    id: int | None = Field(default=None, primary_key=True)
    user_id: str = _of("account.user_id")
    password_hash: str = Field(sa_column=Column(_HASH, nullable=False))
    replaced_at: datetime = _moment()


class Attempt(SQLModel, table=True):
    """A bucket of tries: how much of it is spent, as of when, and from when the row says nothing any more."""

    key: str = Field(sa_column=Column(_KEY, primary_key=True))
    spent: float
    at: float
    """Seconds since the epoch, so that the refill is arithmetic inside one statement."""
    until: float = Field(index=True)


class Decision(SQLModel, table=True):
    """Why a request was refused: for administrators, under the id that the answer carried."""

    id: str = Field(primary_key=True, max_length=40)
    date: datetime = _moment(index=True)
    code: str = Field(max_length=40)
    """The refusal's name among our errors."""
    detail: str = Field(default="", max_length=500)
    facts: dict[str, Any] = _document()
    """What it was decided by: the rule, the bucket, its counts."""
    connection_id: str | None = Field(default=None, max_length=20)
    user_id: str | None = Field(default=None, max_length=300, index=True)
    identifier: str | None = Field(default=None, max_length=280, index=True)
    """What was typed, as kind and canonical value, where it was an identifier."""
    client_id: str | None = Field(default=None, max_length=64)
    path: str = Field(default="", max_length=200)
    ip: str = Field(default="", max_length=45)
    user_agent: str = Field(default="", max_length=300)


class JournalRow(SQLModel, table=True):
    """An event that administrators read; written in the transaction of what it records."""

    __tablename__ = "journal"
    log_id: str = Field(primary_key=True, max_length=60)
    date: datetime = _moment(index=True)
    type: str = Field(max_length=60, index=True)
    user_id: str | None = Field(default=None, max_length=300, index=True)
    connection_id: str | None = Field(default=None, max_length=20)
    client_id: str | None = Field(default=None, max_length=64)
    ip: str = Field(default="", max_length=45)
    user_agent: str = Field(default="", max_length=300)
    description: str | None = Field(sa_column=Column(Text, nullable=True), default=None)
    decision: str | None = Field(default=None, max_length=40, index=True)
    """Of the request that it was recorded in."""
    details: dict[str, Any] = _document()
    actor: str | None = Field(default=None, max_length=300)
    """Who did it, where that is not the account that it is about: a client, an administrator, the command line."""
    request_id: str | None = Field(default=None, max_length=40, index=True)
    seal: int | None = Field(default=None, index=True)
    """The number of the batch that it was sealed in; none until then."""


class DailyCount(SQLModel, table=True):
    """What happened on a day that is over; the journal that it was counted by may be pruned."""

    __tablename__ = "daily_count"
    day: date = Field(sa_column=Column(Date, primary_key=True))
    logins: int
    signups: int
    leaked_passwords: int
    summed_at: datetime = _moment()


class JournalSeal(SQLModel, table=True):
    """A batch of the journal, chained to the batch before it: whoever changes an entry afterwards is found out.

    The primary key decides which of two processes seals next.
    """

    __tablename__ = "journal_seal"
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    sealed_at: datetime = _moment()
    first_id: str = Field(max_length=60)
    last_id: str = Field(max_length=60)
    entries: int
    leaves: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True), default=None)
    """SHA-256 of each entry, one behind the other; gone with the entries."""
    digest: str = Field(max_length=64)
    """SHA-256 over the digest before it, the number and the leaves, in hex."""
    mac: str = Field(max_length=64)
    """The digest under a key that the database does not hold."""
    pruned_at: datetime | None = _moment(nullable=True)
    pruned_mac: str | None = Field(default=None, max_length=64)


class LogStream(SQLModel, table=True):
    """Where the journal is sent on to, and how far it has been."""

    __tablename__ = "log_stream"
    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(max_length=255, unique=True)
    type: str = Field(max_length=20)
    status: str = Field(max_length=20)
    settings: dict[str, Any] = _document()
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """What of its sink is secret, sealed."""
    after_seal: int = 0
    after_id: str = Field(default="", max_length=60)
    """The last entry that was taken, by the batch that it was sealed in and its id."""
    tries: int = 0
    """Failures in a row; while somebody tries, that many and one more, below zero."""
    run_at: datetime = _moment(index=True)
    """When it is tried next; while somebody tries, when another may take over."""
    error: str | None = Field(default=None, max_length=500)
    created_at: datetime = _moment()
    updated_at: datetime = _moment()


class ShadowCount(SQLModel, table=True):
    """How often the customer's database and ours came to the same verdict on a day, and how often not."""

    __tablename__ = "shadow_count"
    connection_id: str = _of("connection.id", index=False, primary_key=True)
    day: date = Field(sa_column=Column(Date, primary_key=True))
    kind: str = Field(primary_key=True, max_length=20)
    count: int


class ShadowDifference(SQLModel, table=True):
    """A login about which the customer's database and ours did not agree. Goes with the account."""

    __tablename__ = "shadow_difference"
    id: str = Field(primary_key=True, max_length=40)
    connection_id: str = _of("connection.id")
    user_id: str = _of("account.user_id")
    date: datetime = _moment(index=True)
    kind: str = Field(max_length=20)
    about: dict[str, Any] = _document()
