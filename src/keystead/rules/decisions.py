"""Why somebody was refused, in words for administrators: which rule it was, what it counts, and who may lift it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from keystead.errors import (
    DomainError,
    Forbidden,
    ForeignOrigin,
    IdentifierTaken,
    InvalidSignup,
    LastWayIn,
    NoToken,
    PasskeyTaken,
    PasswordLeaked,
    Rejected,
    ScriptFailed,
    SignupDisabled,
    WeakPassword,
)
from keystead.rules.attack_protection import Guards, address_limits, lock_that_counts
from keystead.rules.buckets import Bucket, read_lock_key, seconds_to_wait
from keystead.rules.claims import iso
from keystead.rules.identifiers import KINDS

KEPT: Final = timedelta(days=30)
"""How long it is known why somebody was refused."""

REFUSALS: Final = (
    *(Rejected, Forbidden, ForeignOrigin, InvalidSignup, SignupDisabled, WeakPassword, PasswordLeaked, LastWayIn),
    *(IdentifierTaken, PasskeyTaken),  # which are answered like the others
    ScriptFailed,  # somebody was turned away, and support is asked why
)
"""What is a decision about somebody. A request that nobody could understand is none, nor our database that is away."""


class Rule(NamedTuple):
    """What was decided, and who can do something about it."""

    says: str
    lifted_by: str


_PERSON: Final = "The person: with the right one, or another way to sign in."
_ANEW: Final = "The person: by beginning again."
_APP: Final = "Whoever runs the application."
_ADMINISTRATOR: Final = "An administrator."
_TIME: Final = "Nobody but time."
_UNBLOCK: Final = (
    "The person, by the link in the mail about the block, where one is sent, or by a new password; an administrator, "
    "by DELETE /api/v2/user-blocks or with a higher limit; or time."
)
_ADDRESS: Final = (
    "An administrator, by DELETE /api/v2/anomaly/blocks/ips/{ip}, an allow list or a higher limit; or nobody but time."
)

RULES: Final[Mapping[str, Rule]] = {
    # Limits, by the names that ``flows/protection.py`` gives them.
    "same_user": Rule("One identifier was tried too often in a minute from one address.", _TIME),
    "suspicious_ip": Rule("Too many logins failed, or too many sign-ups came, from one address.", _ADDRESS),
    "brute_force": Rule("Too many wrong passwords for one identifier from one address.", _UNBLOCK),
    "device": Rule("Too many wrong passwords on one device that had signed in before.", _UNBLOCK),
    "strangers": Rule("Too many wrong passwords for one identifier from devices that nobody knows.", _UNBLOCK),
    "account": Rule("Too many wrong passwords for one identifier, from wherever.", _UNBLOCK),
    "passkey": Rule("Too many wrong signatures of one passkey from one address.", "Time, or a higher limit."),
    "messages": Rule("More messages were asked for than one person is sent.", _TIME),
    "client_secret": Rule("Too many wrong proofs of one client from one address.", _TIME),
    # What was known about who tried, and never said to them.
    "wrong_password": Rule("The account is there. The password is wrong, or the account has none.", _PERSON),
    "nobody": Rule("No account of the connection has the identifier.", "The person: with another identifier."),
    "no_identifier": Rule("What was typed is no identifier of the connection.", "The person: with another identifier."),
    "passwords_off": Rule("The connection takes no passwords.", _ADMINISTRATOR),
    "breached_password": Rule("The password is known from a breach.", "The person: with another password."),
    "signup_taken": Rule("Somebody has the identifier already.", "The person: by signing in, or another identifier."),
    "passkey_policy": Rule("The passkey is not of the kind that the connection's policy allows.", _ADMINISTRATOR),
    "token_reused": Rule(
        "A refresh token was used again that was replaced before: all that the login gave was ended.", _ANEW
    ),
    "code_reused": Rule("A code was used a second time: all that the first use gave was ended.", _ANEW),
    "denied_by_person": Rule("The person did not allow the client what it asked for.", "The person."),
    # The names of the errors, where nothing more is known.
    "rejected": Rule("Refused; the detail says why.", _ADMINISTRATOR),
    "wrong_credentials": Rule("The identifier or the password is wrong.", _PERSON),
    "not_verified": Rule(
        "The secret was right. An identifier must be verified first; its link was sent again.",
        "The person, by the link; an administrator, by marking the identifier as verified.",
    ),
    "user_blocked": Rule(
        "The secret was right. An administrator blocked the account.",
        "An administrator: PATCH /api/v2/users/{id} with blocked false.",
    ),
    "account_gone": Rule("The account was deleted since the token, code or session was given.", _ADMINISTRATOR),
    "too_many_attempts": Rule("A limit was met.", _TIME),
    "too_many_of_one": Rule("One identifier was tried too often in a minute from one address.", _TIME),
    "too_many_proofs": Rule("Too many wrong proofs of one client from one address.", _TIME),
    "address_blocked": Rule("Too many logins failed, or too many sign-ups came, from one address.", _ADDRESS),
    "too_many_messages": Rule("More messages were asked for than one person is sent.", _TIME),
    "ceremony_expired": Rule("The passkey dialog is unknown, was used before, or took too long.", _ANEW),
    "unknown_credential": Rule("Nobody here owns the passkey: it was removed, or is of elsewhere.", _PERSON),
    "ceremony_refused": Rule("The authenticator's answer fails a check of WebAuthn.", _PERSON),
    "wrong_signature": Rule("The signature is not of the passkey that it says it is of.", _PERSON),
    "passkey_not_allowed": Rule("The passkey is not of the kind that the connection's policy allows.", _ADMINISTRATOR),
    "passkey_limit_reached": Rule("The account holds as many passkeys as it may.", "The person: by removing one."),
    "passkey_taken": Rule("The passkey is registered already.", "The person: with another authenticator."),
    "invalid_grant": Rule("The code or refresh token is unknown, used, late or another client's.", _ANEW),
    "invalid_token": Rule("The access token is missing, malformed, expired, ended or for another audience.", _APP),
    "step_up_required": Rule("The login was too old for such a change.", "The person: by signing in again."),
    "enrolment_required": Rule(
        "The secret was right. The account needs a passkey by now and has none that works.",
        "The person, by making one on the login pages; an administrator, by the connection's enrolment options.",
    ),
    "transaction_expired": Rule("The login on our pages was over, or began in another browser.", _ANEW),
    "invalid_ticket": Rule("The link is unknown, was used, or is late.", "The person: by asking for another."),
    "wrong_code": Rule("The code is wrong, used, late, or was guessed at too often.", "The person: by another code."),
    "proof_needed": Rule("Whoever opened the link may not be who made the account.", "The person: by the password."),
    "invalid_password": Rule("The new password breaks the connection's policy.", "The person: with another password."),
    "password_leaked": Rule("The password is known from a breach.", "The person: with another password."),
    "invalid_signup": Rule("The sign-up cannot be; the detail says why.", "The person: with other details."),
    "signup_disabled": Rule("The connection takes no public sign-ups.", _ADMINISTRATOR),
    "identifier_taken": Rule("Another account of the connection has the identifier.", "Whoever asks: by another one."),
    "script_failed": Rule(
        "An action script did not answer as it should; the detail says why. It says nothing about the person.",
        "Whoever runs the customer's database; keystead scripts status tells how its scripts fare.",
    ),
    "refused_by_script": Rule("An action script refused, in words of its own.", "Whoever wrote the script."),
    "last_way_in": Rule("The person could not sign in without what they wanted to remove.", "The person."),
    "foreign_origin": Rule(
        "It was sent from a page that is not ours, or not under the public URL, and whose origin no client lists.",
        _ADMINISTRATOR,
    ),
    "forbidden": Rule("The client or the token may not; the detail says why.", _ADMINISTRATOR),
    "bad_client": Rule("The client does not exist, or did not prove itself.", _APP),
    "grant_not_allowed": Rule(
        "The client does not have the grant, or the connection does not take it.", _ADMINISTRATOR
    ),
    "unsupported_grant": Rule("There is no such grant.", _APP),
    "invalid_scope": Rule("A scope was asked for that was not granted before.", _APP),
    "audience_not_allowed": Rule("There is no such API, or the client has no grant for it.", _ADMINISTRATOR),
    "consent_required": Rule("The person did not allow the client what it asks for, or took it back.", "The person."),
    "insufficient_scope": Rule("The token's scope is not enough.", _ADMINISTRATOR),
    "another_user": Rule("A person's token opens their own account alone.", _APP),
    "connection_not_allowed": Rule("The connection is off, or is not for this client.", _ADMINISTRATOR),
}
"""Every rule, with what it says to administrators. Nothing is refused by one that is not here (a test looks)."""

_NUMBERS: Final = ("capacity", "refill", "lasts", "retry_after")
_TEXTS: Final = {"bucket": 600, "script": 40}
"""Texts of ours, by how long they may be."""


class Decision(NamedTuple):
    """One refusal, as it is kept. Nothing in it was taken from a request as it came, but where it went."""

    id: str
    date: datetime
    code: str
    detail: str
    facts: Mapping[str, Any]
    connection_id: str | None
    user_id: str | None
    identifier: str | None
    client_id: str | None
    path: str
    ip: str
    user_agent: str

    @property
    def rule(self) -> str:
        """Which rule it was."""
        return str(self.facts.get("rule") or self.code)


@dataclass(frozen=True, slots=True)
class Asking:
    """The request that was refused, as the gate knows it."""

    decision: str
    path: str
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class State:
    """A limit as it is now."""

    bucket: str
    capacity: float
    spent: float
    since: datetime | None
    """When it was charged last."""
    refuses_until: datetime | None
    """Until when another attempt is refused, if one is."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, what else was recorded of the request, and the limit as it is now."""

    decision: Decision
    connection: str | None = None
    events: tuple[tuple[str, datetime], ...] = field(default=())
    limit: State | None = None

    @property
    def rule(self) -> Rule:
        """What the rule says."""
        return RULES.get(self.decision.rule) or Rule("A rule of another version.", _ADMINISTRATOR)

    def on_wire(self) -> dict[str, Any]:
        """Return what administrators are shown; what there is none of is left out."""
        found = self.decision
        limit = self.limit and {
            "bucket": self.limit.bucket,
            "capacity": self.limit.capacity,
            "spent": self.limit.spent,
            "since": self.limit.since and iso(self.limit.since),
            "refuses_until": self.limit.refuses_until and iso(self.limit.refuses_until),
        }
        shown: dict[str, Any] = {
            "id": found.id,
            "date": iso(found.date),
            "code": found.code,
            "rule": found.rule,
            "explanation": self.rule.says,
            "lifted_by": self.rule.lifted_by,
            "script": found.facts.get("script"),
            "detail": found.detail,
            "reasons": found.facts.get("reasons"),
            "connection": self.connection,
            "connection_id": found.connection_id,
            "user_id": found.user_id,
            "identifier": found.identifier,
            "client_id": found.client_id,
            "path": found.path,
            "ip": found.ip,
            "user_agent": found.user_agent,
            "limit": limit,
            "events": [{"type": type_, "date": iso(date)} for type_, date in self.events],
        }
        return {name: value for name, value in shown.items() if value not in (None, "")}


def is_refusal(error: DomainError) -> bool:
    """Whether an error is a decision about somebody, and so has an id; who shows no token at all is nobody."""
    return isinstance(error, REFUSALS) and not isinstance(error, NoToken)


def decide(error: DomainError, asking: Asking, now: datetime) -> Decision:
    """Return what is kept of a refusal: of its facts those that are known here, and nothing that somebody typed."""
    facts = error.facts
    identifier = _text(facts.get("identifier"), 280)
    return Decision(
        id=asking.decision,
        date=now,
        code=error.code,
        detail=_text(error.detail, 500) or "",
        facts=_kept(error),
        connection_id=_text(facts.get("connection_id"), 20),
        user_id=_text(facts.get("user_id"), 300),
        identifier=identifier if identifier and identifier.partition(":")[0] in KINDS else None,
        client_id=_text(facts.get("client_id"), 64),
        path=_text(asking.path, 200) or "",
        ip=asking.address[:45],
        user_agent=_text(asking.user_agent, 300) or "",
    )


def _kept(error: DomainError) -> dict[str, Any]:
    """Return the rule of a refusal, what it counts, and which action script it was."""
    facts = error.facts
    rule = facts.get("rule")
    kept: dict[str, Any] = {"rule": rule if rule in RULES else error.code}
    kept |= {name: facts[name] for name in _NUMBERS if isinstance(facts.get(name), int | float)}
    kept |= {name: _text(facts.get(name), most) for name, most in _TEXTS.items() if isinstance(facts.get(name), str)}
    reasons = [error.name] if isinstance(error, WeakPassword) else facts.get("reasons")
    if isinstance(reasons, list | tuple):
        kept["reasons"] = [_text(each, 300) for each in reasons]
    return kept


def bucket_of(facts: Mapping[str, Any], guards: Guards) -> Bucket | None:
    """Return the bucket of a decision as it is sized now: an administrator may have changed the limit since.

    ``None`` where there is none, or the limit refuses nobody any more.
    """
    key = facts.get("bucket")
    if not key:
        return None
    lock = read_lock_key(key)
    if lock is not None:
        refuses = guards.brute_force.enabled and "block" in guards.brute_force.shields
        return lock_that_counts(guards, lock) if refuses else None
    if key.startswith("address/"):
        _, stage, address = key.split("/", 2)
        limits = address_limits(guards, address.removesuffix("/64"), stage)
        return next((each.bucket for each in limits if each.blocks), None)
    return Bucket("", key, facts.get("capacity", 0), facts.get("refill", 0), facts.get("lasts"))


def state_of(bucket: Bucket, spent: float, since: datetime | None, now: datetime) -> State:
    """Return how full a bucket is, and until when it refuses another attempt."""
    passed = (now - since).total_seconds() if since is not None else 0.0
    until = None
    if bucket.is_full(spent, passed) and (bucket.refill or bucket.lasts):
        wait = seconds_to_wait(spent + 1 - bucket.capacity, passed, bucket.refill, bucket.lasts)
        until = now + timedelta(seconds=wait)
    return State(bucket.key, bucket.capacity, round(bucket.left_over(spent, passed), 2), since, until)


def _text(value: object, most: int) -> str | None:
    return value[:most].replace("\0", "") if isinstance(value, str) and value else None
