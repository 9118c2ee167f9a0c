"""The seams: each has two real implementations, or lets a test decide what would otherwise be waited for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from keystead.rules.account_changes import Change
from keystead.rules.action_scripts import Script, ScriptAnswer
from keystead.rules.authentication_methods import PasskeyKey
from keystead.rules.authenticators import Attested, Metadata, Period
from keystead.rules.calls import Answer, Call
from keystead.rules.ceremonies import Assertion, AssertionResponse, Ceremony, KnownPasskey, NewPasskey
from keystead.rules.credentials import KeyAlgorithm, PublicKey
from keystead.rules.enumeration import Ask, Reply
from keystead.rules.identifiers import Identifier
from keystead.rules.mail_servers import MailServer
from keystead.rules.messages import Letter
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.rules.profiles import Draft, Profile
from keystead.rules.reachability import Certificate, Fetched
from keystead.rules.script_health import ScriptHealth
from keystead.rules.telemetry import Metric, Reading
from keystead.secrecy import Secret

Clock = Callable[[], datetime]
"""The time, aware and in UTC."""


class Entropy(Protocol):
    """Where randomness comes from."""

    def bytes(self, size: int) -> bytes:
        """Return ``size`` random bytes."""
        ...

    def token(self, size: int = 32) -> str:
        """Return ``size`` random bytes as base64url without padding."""
        ...

    def id(self, prefix: str, length: int = 16) -> str:
        """Return ``prefix`` and ``length`` random characters of ``[A-Za-z0-9]``."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a hasher found. ``better`` is a hash to store instead, where the one on file is weaker than today's."""

    ok: bool
    better: str | None = None


class Hasher(Protocol):
    """Turns passwords into hashes and compares them, off the event loop, in a bounded number of threads."""

    async def hash(self, password: bytes) -> str:
        """Hash what already fits (at most 72 bytes). Raises ``Busy`` when the queue is full."""
        ...

    async def verify(self, password: bytes | None, stored: str | None, *, typed: Secret[str] | None = None) -> Verdict:
        """Compare; with ``None`` stored do the same work against a decoy and say no. Raises ``Busy``.

        ``password`` is what our own hashes are made of, ``None`` where the policy says that it does not fit; ``typed``
        is the same as it was typed, within ``password_policy.MAX_BYTES``, for hashes that other systems made. Where
        it is not given, ``password`` was typed so.
        """
        ...


@dataclass(frozen=True, slots=True)
class Charge:
    """What is left after an attempt was charged. ``retry_after`` is in seconds, 0 where the attempt may go ahead."""

    allowed: bool
    left: float
    retry_after: float


@dataclass(frozen=True, slots=True)
class Charged:
    """One key that has been charged, for administrators to see."""

    key: str
    spent: float
    since: datetime


EVERYTHING: Final = -1e12
"""The cost that empties a bucket."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of several charges that belong together; the fields are those of ``Attempts.take``."""

    key: str
    capacity: float
    refill: float = 0.0
    cost: float = 1.0
    lasts: float | None = None
    must: bool = True
    """Whether its refusal refuses them all; else it is only said."""


class Attempts(Protocol):
    """Counts tries. Each charge is one statement, exact under concurrency."""

    async def take(
        self, key: str, capacity: float, refill: float, cost: float = 1.0, *, lasts: float | None = None
    ) -> Charge:
        """Charge ``cost`` to a bucket of ``capacity`` that regains ``refill`` a second; a refused charge costs nothing.

        With ``lasts`` it is empty again so many seconds after the last charge, whatever was spent. A negative cost
        gives back what was charged for an attempt that was never tried; a cost of 0 only asks.
        """
        ...

    async def take_all(self, wanted: Sequence[Wanted]) -> list[Charge]:
        """Charge several buckets, all or none, in one transaction and in this order: the same for everybody.

        Return one charge for each; where one that must be is refused, it is the last, and nothing was charged at all.
        """
        ...

    async def forgive(self, key: str) -> None:
        """Empty the bucket: the person proved who they are."""
        ...

    async def list(self, prefix: str) -> list[Charged]:
        """Return the buckets whose key begins with ``prefix``."""
        ...

    async def close(self) -> None:
        """Let go of what it holds open."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """The store's no. ``user_id`` is whose password was wrong, if known: for the journal, never for the caller."""

    user_id: str | None = None
    script: str | None = None
    """The action script that said no, if one did; also for the journal alone, as is what it said."""
    said: str | None = None


class UserStore(Protocol):
    """Where credentials and profiles live: here, at the customer's, or on the way from there to here.

    A store never counts attempts, writes no journal, never looks at ``blocked`` and issues nothing.
    """

    async def verify(self, identifier: Identifier | None, password: Secret[str]) -> Profile | Refused:
        """Check a password, with the same work for everyone. ``None`` stands for text that is no identifier at all.

        Where the customer's database is asked: ``ScriptFailed`` where it cannot say, ``RefusedByScript`` where it has
        something of its own to say.
        """
        ...

    async def find(self, identifier: Identifier) -> Profile | None:
        """Look somebody up, and bring our row for them up to date where they live at the customer's.

        Whoever is about to read accounts by identifier in a unit of work calls this before. Raises ``ScriptFailed``.
        """
        ...

    async def has(self, user_id: str) -> bool:
        """Whether it still has somebody whose account we know, and bring our row for them up to date (PK-4).

        Where people live here the account is all there is, and whoever reads it finds out: nothing is looked up then.
        Raises ``ScriptFailed``.
        """
        ...

    async def create(self, draft: Draft, password: Secret[str] | None) -> Profile:
        """Create the user. Raises ``IdentifierTaken``; the unique index decides who was first.

        Where they are created at the customer's: ``ScriptFailed``, ``RefusedByScript``, and ``OperationNotSupported``
        where there is no script for it.
        """
        ...

    async def prepare(self, profile: Profile, password: Secret[str]) -> str:
        """Return the hash of a new password for an account, and store nothing. Raises ``WeakPassword``, ``Busy``.

        For whoever replaces a password as a part of a larger unit of work (``db/old_passwords.replace``). Where
        passwords live at the customer's it is a mark that no password has; ``pass_on`` follows after the commit.
        """
        ...

    async def pass_on(self, profile: Profile, change: Change) -> None:
        """Tell the customer's database of a change that was committed here; nothing to do where people live here.

        After the commit, so that what is single-use was claimed first and no transaction waits for a script. Raises
        ``ScriptFailed``, ``RefusedByScript``: the caller says so, and what was claimed stays used.
        """
        ...

    async def set_password(self, user_id: str, password: Secret[str]) -> None:
        """Replace the password. Raises ``NoSuchUser``, ``WeakPassword``, ``Busy``."""
        ...

    async def delete(self, user_id: str) -> None:
        """Remove the user; no error where there is none."""
        ...


class ScriptRuntime(Protocol):
    """Runs the customer's code, apart from ours and from every other connection's."""

    async def run(self, script: Script, arguments: Sequence[Any], context: Mapping[str, Any] | None) -> ScriptAnswer:
        """Run a script once. ``arguments`` are those before ``context`` and ``callback``; secrets among them are
        revealed to the child alone. ``context`` is ``None`` where the connection has it off.

        Raises ``ScriptFailed``: too slow, out of memory, ended, printed without end, called back wrongly, no runtime
        for the language, or the circuit of the connection is open after too many of these.
        """
        ...

    def health(self, connection_id: str) -> ScriptHealth:
        """Return how the scripts of a connection fare in this process."""
        ...

    async def close(self) -> None:
        """End the children."""
        ...


class Sealer(Protocol):
    """Keeps secrets that must be read again from whoever holds only the database."""

    def seal(self, data: bytes, purpose: str) -> bytes:
        """Encrypt for a purpose."""
        ...

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypt; the purpose must be the same. Raises ``InternalError``."""
        ...

    def fingerprint(self, text: str, purpose: str) -> str:
        """Return a keyed hash, for values too short for a plain one."""
        ...

    def sign(self, text: str, purpose: str) -> str:
        """Return a keyed hash under the newest key, in 64 hexadecimal digits, which names the key."""
        ...

    def is_signed(self, signed: str, text: str, purpose: str) -> bool | None:
        """Whether ``sign`` made it of this text; ``None`` where the key that it names is not among ours."""
        ...


class PublicKeys(Protocol):
    """Reads public keys as people write them down."""

    def read(self, pem: str, algorithm: KeyAlgorithm) -> PublicKey:
        """Return the key, which must be good for the algorithm. Raises ``BadRequest``."""
        ...


class PasskeyKeys(Protocol):
    """Reads public keys of passkeys that were made elsewhere."""

    def read(self, text: str) -> PasskeyKey:
        """Return the key as authenticators write it, which must be good for its algorithm. Raises ``BadRequest``."""
        ...


class BreachSource(Protocol):
    """Knows passwords that were published after a breach somewhere."""

    async def is_breached(self, password: Secret[str]) -> bool:
        """Whether a password is among them. Raises ``PasswordUnchecked`` where that cannot be found out."""
        ...

    async def close(self) -> None:
        """Let go of what is held open."""
        ...


class Postman(Protocol):
    """Brings a rendered message to a person. Called by the worker alone, so it may be slow, fail and be tried again."""

    async def deliver(self, letter: Letter) -> None:
        """Hand the message over. Raises ``DeliveryFailed``."""
        ...


class PostOffice(Protocol):
    """Chooses the postman of a letter."""

    async def deliver(self, letter: Letter, server: MailServer | None) -> None:
        """Hand the message over; mail to ``server``, where administrators stored one. Raises ``DeliveryFailed``."""
        ...


class LogoutCaller(Protocol):
    """Tells a client that a session of its has ended. Called by the worker alone."""

    async def call(self, url: str, token: Secret[str]) -> None:
        """Hand a logout token over. Raises ``DeliveryFailed``."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver of log entries said: its status, and for how many seconds it would like to be left alone."""

    status: int
    retry_after: float | None = None


class LogReceiver(Protocol):
    """Takes entries of the journal at an address that administrators named. Called by the worker alone."""

    async def post(self, url: str, headers: Mapping[str, Secret[str]], body: bytes) -> Received:
        """Hand entries over. Raises ``DeliveryFailed`` where nobody answers."""
        ...


class WebAuthn(Protocol):
    """Makes options and verifies answers; every refusal is a ``CeremonyRefused``."""

    def creation_options(
        self,
        ceremony: Ceremony,
        *,
        rp_name: str,
        user_name: str,
        user_display_name: str,
        policy: PasskeyPolicy,
        exclude: Iterable[tuple[bytes, Sequence[str]]] = (),
    ) -> dict[str, object]:
        """Return what the browser is asked to create."""
        ...

    def request_options(self, ceremony: Ceremony, *, policy: PasskeyPolicy) -> dict[str, object]:
        """Return what the browser is asked to sign."""
        ...

    def parse_assertion(self, response: object) -> AssertionResponse:
        """Take a login's answer apart, so that its passkey can be looked up."""
        ...

    def verify_registration(self, ceremony: Ceremony, response: object) -> NewPasskey:
        """Check a registration by WebAuthn Level 3 §7.1."""
        ...

    def verify_assertion(self, ceremony: Ceremony, answer: AssertionResponse, known: KnownPasskey) -> Assertion:
        """Check an authentication by WebAuthn Level 3 §7.2."""
        ...


class Attestations(Protocol):
    """Looks at the certificates of attestations."""

    def model_of(self, attested: Attested) -> str:
        """Return under which key metadata has the model."""
        ...

    def vouched(self, attested: Attested, roots: Iterable[bytes]) -> Period | None:
        """Return from when to when a chain holds that ends in one of the roots, as it did at the registration."""
        ...


class MetadataReader(Protocol):
    """Reads FIDO metadata."""

    def read(self, blob: bytes, root: bytes | None, at: datetime) -> Metadata:
        """Verify a blob below a root, or below the FIDO Alliance's, and read it. Raises ``InvalidMetadata``."""
        ...


class Stranger(Protocol):
    """Somebody who asks a Keystead from outside, and watches the clock."""

    async def ask(self, request: Ask) -> Reply:
        """Send a request, follow no redirect, keep no cookie. Raises ``Unavailable`` where nobody answers."""
        ...


class ManagementCalls(Protocol):
    """The Management API, wherever it is: what the command line speaks to."""

    def ask(self, call: Call) -> AbstractAsyncContextManager[Answer]:
        """Make a call; the answer lasts as long as the context. Raises ``Unavailable`` where there is none."""
        ...

    async def work(self) -> None:
        """Do the jobs that were asked for and that a file is read or written by, where no server would do them."""
        ...

    async def close(self) -> None:
        """Let go of what it holds open."""
        ...


class Timing(Protocol):
    """Work that is measured while it goes on."""

    @property
    def trace(self) -> str:
        """The id of the trace that it is a part of; empty where there is none."""
        ...

    def named(self, *labels: str) -> None:
        """Give the labels, where they are known only now."""
        ...

    def note(self, name: str, value: str | int) -> None:
        """Say something of the work, for traces alone: nothing that a person or a client sent."""
        ...


class Telemetry(Protocol):
    """Measures. It costs microseconds, never fails, and learns no more than the labels of a metric and notes."""

    def timed(self, what: Metric, *labels: str, parent: str = "") -> AbstractContextManager[Timing]:
        """Measure the block; ``parent`` is the ``traceparent`` of whoever asked for it."""
        ...

    def count(self, what: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter, or to a gauge of this process."""
        ...

    def observe(self, what: Metric, seconds: float, *labels: str) -> None:
        """Note how long something took that was measured already."""
        ...

    def close(self) -> None:
        """Hand over what is left; may wait."""
        ...


class Prober(Protocol):
    """Tries what the doctor asks about, on this machine and at hosts that are configured."""

    def modes(self, *paths: str) -> dict[str, int]:
        """Return the modes of the files that there are."""
        ...

    def room(self, path: str) -> tuple[int, int]:
        """Return how many bytes are free where a path is, and how many there are in all."""
        ...

    async def fetch(self, url: str) -> Fetched:
        """Get a document: no redirect is followed, and not more than a little is read."""
        ...

    async def certificate(self, host: str, port: int) -> Certificate:
        """Shake hands, and return until when the certificate is good that was shown."""
        ...

    async def mail(self, server: MailServer, to: str, now: datetime) -> None:
        """Log in to a mail server, and send a test message where ``to`` is somebody. Raises ``DeliveryFailed``."""
        ...


class Exposition(Protocol):
    """Writes down what was measured."""

    media: str

    def sample(self) -> None:
        """Note what this process uses, for whichever process is asked next."""
        ...

    def text(self, readings: Iterable[Reading]) -> bytes:
        """Return what all processes counted, and what was looked up just now."""
        ...
