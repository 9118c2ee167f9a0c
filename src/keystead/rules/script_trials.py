"""An action script tried by an administrator: what it is given, what came of it, what Keystead makes of it (CD-11).

Nothing here writes an account: a trial is between an administrator and a script.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.action_scripts import MAX_BYTES, ScriptAnswer, ScriptLanguage, ScriptName, ScriptRefusal
from keystead.rules.complaints import parse
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import parse as parse_identifier
from keystead.rules.returned_profiles import UnusableProfile, hashes_in, read
from keystead.secrecy import Secret

PARAMETERS: Final[Mapping[ScriptName, tuple[str, ...]]] = {
    "login": ("identifier", "password"),
    "get_user": ("identifier",),
    "create": ("user",),
    "verify": ("email",),
    "change_password": ("email", "new_password"),
    "delete": ("user_id",),
    "change_email": ("email", "new_email", "verified"),
    "change_username": ("username", "new_username"),
    "change_phone_number": ("phone_number", "new_phone_number", "verified"),
}
"""What each script is called with before ``context`` and ``callback``, by the names that a trial takes (5.2)."""

_SECRET: Final = ("password", "new_password")
_IDENTIFIER: Final = ("email", "username", "phone_number")
"""What the first argument may be called too, where it is an identifier: ``identifier``."""

Text = Annotated[str, Field(max_length=4096)]


class ScriptTrial(BaseModel):
    """The body of a trial: arguments by name, and what is tried instead of what is saved."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    identifier: Text | None = None
    password: Text | None = None
    new_password: Text | None = None
    user: dict[str, Any] | None = None
    user_id: Text | None = None
    email: Text | None = None
    new_email: Text | None = None
    username: Text | None = None
    new_username: Text | None = None
    phone_number: Text | None = None
    new_phone_number: Text | None = None
    verified: bool | None = None
    context: dict[str, Any] | None = None
    """What the script gets as ``context``, where the connection has that on."""
    source: Annotated[str, Field(min_length=1, max_length=MAX_BYTES)] | None = None
    """A script that is not saved yet."""
    language: ScriptLanguage | None = None
    configuration: Annotated[dict[str, Text], Field(max_length=100)] | None = None
    """Values that are not saved yet, laid over those that are."""


_SETTINGS: Final = frozenset({"context", "source", "language", "configuration"})


@dataclass(frozen=True, slots=True)
class Given:
    """What a script is tried with; ``arguments`` are those before ``context``, passwords wrapped."""

    arguments: tuple[Any, ...]
    hidden: tuple[str, ...]
    """Texts that no answer shows: passwords among the arguments."""


def read_trial(name: ScriptName, body: Mapping[str, Any]) -> tuple[ScriptTrial, Given]:
    """Read the body of a trial of a script. Raises ``BadRequest`` by path."""
    trial = parse(ScriptTrial, body)
    given = {member: getattr(trial, member) for member in trial.model_fields_set - _SETTINGS}
    wanted = PARAMETERS[name]
    if wanted[0] in _IDENTIFIER and "identifier" in given and wanted[0] not in given:
        given[wanted[0]] = given.pop("identifier")
    if "verified" in wanted:
        given.setdefault("verified", False)
    for member in given.keys() - set(wanted):
        raise BadRequest(f"The script {name} takes {' and '.join(wanted)}", path=member)
    for member in wanted:
        if given.get(member) is None:
            raise BadRequest(f"Missing required property: {member}", path="")
    return trial, _given([given[member] for member in wanted], wanted)


def _given(values: Sequence[Any], names: Sequence[str]) -> Given:
    hidden: list[str] = []
    arguments: list[Any] = []
    for name, value in zip(names, values, strict=True):
        if name in _SECRET:
            hidden.append(value)
            arguments.append(Secret(value))
        elif name == "user" and isinstance(value.get("password"), str):
            hidden.append(value["password"])
            arguments.append({**value, "password": Secret(value["password"])})
        else:
            arguments.append(value)
    return Given(tuple(arguments), tuple(hidden))


Outcome = Literal["answered", "refused", "failed"]
"""The script called back with a value; with an error of its own; or not as it should (too slow, broken, stopped)."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one run: an answer, or why there is none."""

    answer: ScriptAnswer | None = None
    failure: str = ""
    """For administrators alone: what was wrong with the run."""
    console: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """Return how it ended."""
        if self.answer is None:
            return "failed"
        return "refused" if self.answer.refusal else "answered"

    @property
    def value(self) -> Any:
        """Return what the script called back with, if it did."""
        return self.answer.value if self.answer else None

    @property
    def refusal(self) -> ScriptRefusal | None:
        """Return what it called back with instead."""
        return self.answer.refusal if self.answer else None


def meaning(name: ScriptName, tried: Tried) -> str:
    """Return in a sentence what Keystead would do now."""
    if tried.outcome == "failed":
        return "The request is refused as if this connection were out of order; other connections go on."
    if tried.refusal:
        return _of_refusal(name, tried.refusal)
    value, words = tried.value, _WORDS[name]
    if name == "delete" or (name == "create" and value is None):
        return words[0]
    return words[0] if value else words[1]


_WORDS: Final[Mapping[ScriptName, tuple[str, str]]] = {
    "login": ("Let in, with this profile.", "Taken for somebody who has no account: wrong e-mail or password."),
    "get_user": ("There is such a person: a sign-up is refused, a reset goes on.", "Nobody has this identifier."),
    "create": ("The person is made; login is called next.", "The person is made; login is called next."),
    "verify": ("The address counts as verified.", "The address is not verified: the link has failed."),
    "change_password": ("The password is changed.", "The password is not changed."),
    "delete": ("The person is gone.", "The person is gone."),
    "change_email": ("The address is changed.", "The address is not changed."),
    "change_username": ("The username is changed.", "The username is not changed."),
    "change_phone_number": ("The phone number is changed.", "The phone number is not changed."),
}


def _of_refusal(name: ScriptName, refusal: ScriptRefusal) -> str:
    if refusal.kind == "wrong_credentials":
        who = "a person who exists" if refusal.user_id else "nobody in particular"
        return f"Wrong e-mail or password, journalled as of {who}."
    if refusal.kind == "unauthorized":
        return "Refused with the script's own message, which the person is shown."
    if refusal.kind == "validation":
        taken = name == "create" and refusal.code == "user_exists"
        return "Refused: the person exists already." if taken else "Refused with the script's own message and code."
    return "Refused as out of order: the message is in the journal, and the person is shown a general one."


def warnings(name: ScriptName, tried: Tried) -> list[str]:
    """Return what is odd about a run that Keystead would still take, or would not: advice, in sentences."""
    if tried.outcome == "failed":
        return []
    found = list(_odd_refusal(name, tried.refusal)) if tried.refusal else list(_odd_value(name, tried.value))
    if tried.seconds >= SLOW:
        found.append(f"It took {tried.seconds:.1f} s; people wait for that at every login.")
    return found


SLOW: Final = 2.0
"""Seconds from which a script is slow."""


def _odd_refusal(name: ScriptName, refusal: ScriptRefusal) -> Iterable[str]:
    if refusal.kind == "wrong_credentials" and name != "login":
        yield "WrongUsernameOrPasswordError is for login; elsewhere it counts as any other error."
    if refusal.kind == "error" and name == "get_user":
        yield "An error ends the request. Where nobody is found, call back with null instead."
    if refusal.user_id and refusal.user_id.startswith("auth0|"):
        yield "The id of WrongUsernameOrPasswordError has auth0| in front; Keystead puts that there itself."


def _odd_value(name: ScriptName, value: Any) -> Iterable[str]:
    if name in ("login", "get_user") and isinstance(value, dict):
        yield from odd_profile(value)
    elif not isinstance(value, _VALUES[name]) and not (value is None and name in _NOTHING):
        yield _SHOULD[name]


_NOTHING: Final = ("login", "get_user", "create", "delete")
"""Scripts that may call back without a value."""

_VALUES: Final[Mapping[ScriptName, Any]] = {
    **dict.fromkeys(PARAMETERS, bool),
    **dict.fromkeys(("login", "get_user", "create"), dict),
    "change_password": bool | dict,
    "delete": object,
}
_TRUE_OR_FALSE: Final = "The script calls back with true or false."
_SHOULD: Final[Mapping[ScriptName, str]] = {
    **dict.fromkeys(PARAMETERS, _TRUE_OR_FALSE),
    **dict.fromkeys(("login", "get_user"), "A profile is an object."),
    "create": "create calls back without a value, or with the profile.",
    "change_password": "change_password calls back with true, false or an object with last_password_reset.",
}


_ORDINARY_ID: Final = re.compile(r"[\x21-\x7e]{1,255}")


def odd_profile(profile: Mapping[str, Any]) -> Iterable[str]:
    """Give what is odd about a returned profile (section 5.3)."""
    user_id = profile.get("user_id", profile.get("id"))
    odd = _odd_id(user_id)
    if odd:
        yield odd
    if isinstance(user_id, str) and user_id and user_id == profile.get("email"):
        yield "user_id is the e-mail address: it changes when the address does, and must not."
    for name in hashes_in(profile):
        yield f"The profile has {name}: select columns by name, so that no hash of a password leaves your database."
    if not isinstance(profile.get("email_verified", True), bool):
        yield "email_verified is neither true nor false; databases often give 0 and 1."


def _odd_id(user_id: Any) -> str:
    if isinstance(user_id, int | float) and not isinstance(user_id, bool):
        return "user_id is a number: turn it into a text, since two languages write large numbers differently."
    if not isinstance(user_id, str) or not user_id:
        return "There is no user_id: without one nobody can be told from anybody else."
    if user_id.startswith("auth0|"):
        return "user_id has auth0| in front; Keystead puts that there itself."
    odd = not _ORDINARY_ID.fullmatch(user_id)
    return "user_id has spaces or letters beyond ASCII, or is longer than 255 characters." if odd else ""


def profile_of(value: Any, options: ConnectionOptions, typed: str) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what Keystead would take of a returned profile, and why not where it would not take it."""
    found_by = parse_identifier(typed, options.active_identifiers(), options.precedence, options.username_rules())
    try:
        found = read(value, options, [found_by] if found_by else [])
    except UnusableProfile as why:
        return None, [f"Keystead refuses this profile: {str(why).rstrip('.')}."]
    taken: dict[str, Any] = {"user_id": found.user_id}
    taken |= {str(kind): each for kind, each in found.identifiers.items()}
    taken |= {"email_verified": found.email_verified, "phone_verified": found.phone_verified}
    taken |= {**found.names, **found.metadata, **found.others}
    return {name: each for name, each in taken.items() if each is not None}, []
