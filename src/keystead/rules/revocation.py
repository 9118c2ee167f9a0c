"""The revocation matrix: what becomes of everything that was handed out, whatever happens. One table, run as it stands.

``flows/revocation.py`` ends what this table says, and nothing else ends anything. The property tests walk the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict


class Event(StrEnum):
    """Why something may have to end."""

    PASSWORD_CHANGED = "password changed"  # noqa: S105 - an event
    """By its owner, in an app that they are signed in to."""
    PASSWORD_RESET = "password reset"  # noqa: S105 - an event
    """By a link or a code, or set by an administrator."""
    RECOVERED = "recovered"
    """A new passkey, by a code that was sent to somebody who lost theirs."""
    BLOCKED = "blocked"
    DELETED = "deleted"
    EMPTIED = "emptied"
    """For whoever showed that the address is theirs, who is not the one that signed up with it."""
    EMAIL_CHANGED = "e-mail changed"
    """The address is another one, or not known to be theirs any more."""
    IDENTIFIER_CHANGED = "identifier changed"
    PASSKEY_REMOVED = "passkey removed"
    PASSKEY_QUARANTINED = "passkey quarantined"
    """By an administrator. Whoever holds it may be in already, and no option lets them stay."""
    CONNECTION_DISABLED = "connection disabled"
    CONNECTION_DELETED = "connection deleted"
    CLIENT_DELETED = "client deleted"
    CONSENT_REVOKED = "consent revoked"
    KEY_REVOKED = "signing key revoked"
    LOGGED_OUT = "logged out"
    SESSION_REVOKED = "session revoked"
    """With its refresh tokens."""
    SESSION_DELETED = "session deleted"
    """Without its refresh tokens."""
    SIGNED_OUT_EVERYWHERE = "signed out everywhere"
    TOKEN_REVOKED = "token revoked"  # noqa: S105 - an event
    TOKEN_REUSED = "token reused"  # noqa: S105 - an event
    CODE_REPLAYED = "code replayed"


class Artefact(StrEnum):
    """What was handed out."""

    SESSION = "session"
    REFRESH_TOKEN = "refresh token"  # noqa: S105 - a name
    ACCESS_TOKEN = "access token"  # noqa: S105 - a name
    """Where we check it: ``/userinfo`` and ``/me``. Elsewhere it is good until it expires."""
    CODE = "code"
    CEREMONY = "ceremony"
    """An enrolment under way. Of a login nobody knows whose it is before it ends at the gate."""
    TICKET = "ticket"
    ONE_TIME_CODE = "one-time code"
    TRANSACTION = "login transaction"
    DEVICE_COOKIE = "device cookie"


class Scope(StrEnum):
    """Whose artefacts are meant."""

    ACCOUNT = "account"
    OTHERS = "others"
    """The account's, but for those of the session in which it happens."""
    SESSION = "session"
    FAMILY = "family"
    """What one login gave."""
    GRANT = "grant"
    """One person's at one client."""
    MEMBERS = "members"
    """Those of everybody in the connection."""
    CLIENT = "client"
    KEY = "key"


class Outcome(StrEnum):
    """What becomes of an artefact."""

    ENDS = "ends"
    """Deleted or marked, in the transaction of the event."""
    REFUSED = "refused"
    """It is there, and its use is held against how things stand."""
    CASCADES = "cascades"
    """The database's foreign keys delete it."""
    LIVES = "lives"


@dataclass(frozen=True, slots=True)
class Fate:
    """One cell."""

    outcome: Outcome
    scope: Scope | None = None
    because: str = ""
    """What refuses it, or why it lives."""
    optional: bool = False
    """Whether the event's option can switch it off; then it lives."""


# A word is whose artefacts end. ``word/x`` is refused, by what note x says; ``gone`` cascades; ``-/x`` lives, for the
# reason of note x. A question mark: unless the option of the event is off.
_TABLE: Final = """
                       session   refresh   access    code      ceremony  ticket    digits    login     device
password changed       others?   others?   others?   others?   account   account   account   others/l  -/d
password reset         account   account   account   account   account   account   account   account/l -/d
recovered              account   account   account   account   account   account   account   account/l -/d
blocked                account   account/g account   account/g account   account   account   account/l -/d
deleted                account   gone      account/g gone      account   account   account   account/l -/d
emptied                account   account   account   account   account   account   account   account/l -/d
e-mail changed         account   -/o       account/s account   account   account   account   account   -/d
identifier changed     -/i       -/i       -/i       -/i       -/i       account   account   account   -/d
passkey removed        others?   others?   others?   others?   account   -/p       -/p       others/l  -/d
passkey quarantined    account   account   account   account   account   account   account   account/l -/d
connection disabled    members/g members/g members/g members/g members/g members/g members/g members/g -/d
connection deleted     gone      gone      members/g gone      members   members   members   members/g -/d
client deleted         -/c       gone      client/g  gone      client/a  -/p       client/g  client/g  -/d
consent revoked        -/c       grant     -/x       grant     -/n       -/p       -/p       -/q       -/d
signing key revoked    -/n       -/n       key/k     -/n       -/n       -/n       -/n       -/n       -/d
logged out             session   session?  session/s session   -/m       -/p       -/p       session/l session/b
session revoked        session   session   session/s session   -/m       -/p       -/p       session/l -/d
session deleted        session   -/o       session/s session   -/m       -/p       -/p       session/l -/d
signed out everywhere  account   account   account   account   account   account   account   account/l -/d
token revoked          -/f       family    -/x       -/n       -/n       -/n       -/n       -/n       -/d
token reused           -/f       family    -/x       -/n       -/n       -/n       -/n       -/n       -/d
code replayed          -/f       family    -/x       -/n       -/n       -/n       -/n       -/n       -/d
"""

NOTES: Final[Mapping[str, str]] = {
    "a": "the client that began it cannot authenticate any more",
    "b": "the browser is told to forget it",
    "c": "it is the person's, with every client",
    "d": "it names a browser and no person",
    "f": "whoever stole the token or the code does not have the cookie",
    "g": "the gate looks at the account, its connection and the client at every use",
    "i": "the person is the same, by whatever name",
    "k": "its signature is not taken any more",
    "l": "the session of its proof is looked at on every page",
    "m": "whoever answers it must show a good token of the account",
    "n": "it has nothing to do with it",
    "o": "offline access is kept: it belongs to no session from then on",
    "p": "it was sent to the person's own address, and does not depend on what ended",
    "q": "the person is asked again before it gives a code",
    "s": "its session has ended, which is looked at wherever we check a token",
    "x": "until it expires, since it names neither consent nor family",
}

SWITCHES: Final[Mapping[Event, str]] = {
    Event.PASSWORD_CHANGED: "end_others_when_credentials_change",
    Event.PASSKEY_REMOVED: "end_others_when_credentials_change",
    Event.LOGGED_OUT: "end_refresh_tokens_at_logout",
}
"""The option that a question mark in the row of an event stands for."""


def _fate(cell: str) -> Fate:
    word, _, note = cell.removesuffix("?").partition("/")
    if word == "gone":
        return Fate(Outcome.CASCADES)
    if word == "-":
        return Fate(Outcome.LIVES, because=NOTES[note])
    outcome = Outcome.REFUSED if note else Outcome.ENDS
    return Fate(outcome, Scope(word), NOTES[note] if note else "", optional=cell.endswith("?"))


def _rows() -> Mapping[Event, Mapping[Artefact, Fate]]:
    found: dict[Event, Mapping[Artefact, Fate]] = {}
    for row in _TABLE.strip("\n").splitlines()[1:]:
        event, cells = Event(row[:23].strip()), row[23:].split()
        found[event] = {artefact: _fate(cell) for artefact, cell in zip(Artefact, cells, strict=True)}
    return found


FATE: Final = _rows()
"""The table: every event by every artefact."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom or what an event is about, as far as its row needs to know."""

    user_id: str = ""
    session_id: str = ""
    """The session that it is about, or in which it happens; empty for an app that has none."""
    client_id: str = ""
    connection_id: str = ""
    families: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whose:
    """Which artefacts: those for which all that is said here holds."""

    user_id: str = ""
    session_id: str = ""
    but_session: str = ""
    client_id: str = ""
    connection_id: str = ""
    families: tuple[str, ...] = ()


def whose(scope: Scope, subject: Subject) -> Whose:
    """Return which artefacts a scope means for a subject."""
    found = {
        Scope.ACCOUNT: Whose(user_id=subject.user_id),
        Scope.OTHERS: Whose(user_id=subject.user_id, but_session=subject.session_id),
        Scope.SESSION: Whose(user_id=subject.user_id, session_id=subject.session_id),
        Scope.FAMILY: Whose(families=subject.families),
        Scope.GRANT: Whose(user_id=subject.user_id, client_id=subject.client_id),
        Scope.MEMBERS: Whose(connection_id=subject.connection_id),
    }
    return found[scope]


class SessionOptions(BaseModel):
    """What an administrator may decide about the table: ``/api/v2/keystead/sessions``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    end_others_when_credentials_change: bool = True
    """A changed password and a removed passkey end the account's other sessions and tokens (V7.4.3)."""
    end_refresh_tokens_at_logout: bool = True
    """A logout ends the refresh tokens of its session (RFC 9700 §2.2.2); off leaves offline access, as Auth0 does."""


SETTING: Final = "keystead_sessions"
"""The name of these options among the tenant's settings."""


def endings(event: Event, options: SessionOptions) -> Mapping[Artefact, Scope]:
    """Return what an event ends, in the order of the table."""
    on = event not in SWITCHES or getattr(options, SWITCHES[event])
    return {
        artefact: fate.scope
        for artefact, fate in FATE[event].items()
        if fate.outcome is Outcome.ENDS and fate.scope and (on or not fate.optional)
    }
