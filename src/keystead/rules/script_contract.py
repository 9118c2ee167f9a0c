"""What the scripts of a connection must agree on with Keystead and with each other: checks, in the order they are run.

The suite is a generator: it asks for one call of a script after the other and is handed what came of it, so that it
runs nothing itself. Each check ends in one finding; a check that fails ends no other.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.action_scripts import ScriptName
from keystead.rules.complaints import parse
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.script_secrets import masked
from keystead.rules.script_trials import SLOW, Tried, odd_profile
from keystead.secrecy import Secret

Status = Literal["passed", "advice", "failed", "skipped"]
"""All is well; it works, and something should be better; people would notice; there was nothing to try it on."""

TOO_SLOW: Final = 8.0
"""Seconds from which a script is too slow: half of what a run may take is gone."""

HOSTILE: Final = (
    *("' OR '1'='1", '" OR ""="', "'; DROP TABLE users; --", "admin'--", "%", "*", "*)(uid=*))(|(uid=*"),
    *('{"$ne": null}', "\\", "${7*7}", "nobody\r\nX: y", "n\N{LATIN SMALL LETTER O WITH DIAERESIS}body", "n" * 300),
)
"""What somebody types who looks for a hole, and what some databases make more of than a text."""

_OURS: Final = ("email_verified", "phone_verified", "name", "nickname", "given_name", "family_name", "picture")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to try the scripts on."""

    identifiers: Mapping[IdentifierKind, str]
    password: Secret[str]

    @property
    def identifier(self) -> str:
        """Return what they log in with."""
        return next(iter(self.identifiers.values()))


class ScriptTest(BaseModel):
    """The body of a test: somebody who exists, where nobody is to be made."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    identifier: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    password: Annotated[str, Field(min_length=1, max_length=4096)] | None = None


def read_contract(body: Mapping[str, Any]) -> Person | None:
    """Read the body of a test: who is only looked at, if anybody is named. Raises ``BadRequest``."""
    test = parse(ScriptTest, body)
    if test.identifier is None and test.password is None:
        return None
    for name in ("identifier", "password"):
        if getattr(test, name) is None:
            raise BadRequest(f"Missing required property: {name}", path="")
    return Person({"email": test.identifier or ""}, Secret(test.password or ""))


@dataclass(frozen=True)
class Cast:
    """Who and what is there to try: scripts, and people."""

    scripts: frozenset[ScriptName]
    throw_away: Person
    """Somebody who is made for the suite and deleted again."""
    spare: Person
    """What the throw-away person is changed to."""
    nobody: str
    """An identifier that nobody has."""
    named: Person | None = None
    """Somebody who exists, and is only looked at."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Members of ``user`` beside the identifiers and the password, as ``create`` gets them."""
    has_context: bool = False
    required: tuple[IdentifierKind, ...] = ()
    """Identifiers that every profile must have."""

    @property
    def makes_somebody(self) -> bool:
        """Whether somebody is made for the suite."""
        return self.named is None and {"create", "delete"} <= self.scripts


@dataclass(frozen=True, slots=True)
class Ask:
    """A call that the suite asks for."""

    name: ScriptName
    arguments: tuple[Any, ...]
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to."""

    check: str
    title: str
    status: Status
    found: str = ""
    advice: str = ""
    seconds: float = 0.0
    """How long the scripts took that it called."""

    def on_wire(self) -> dict[str, Any]:
        """Return it as the Management API shows it."""
        return {
            "check": self.check,
            "title": self.title,
            "status": self.status,
            "found": self.found,
            "advice": self.advice,
            "seconds": round(self.seconds, 3),
        }


Calls = Generator[Ask, Tried, "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says before it has its name."""

    status: Status
    found: str = ""
    advice: str = ""


@dataclass
class Scene:
    """How far the suite is: who there is, and what was learnt of them."""

    cast: Cast
    person: Person | None = None
    """Whom the checks are about; nobody, until somebody was made."""
    made: bool = False
    deleted: bool = False
    user_id: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict)
    slowest: dict[ScriptName, float] = field(default_factory=dict)
    printed: bool = False

    def heard(self, ask: Ask, tried: Tried) -> None:
        """Note what a call says beside its answer."""
        self.slowest[ask.name] = max(self.slowest.get(ask.name, 0.0), tried.seconds)
        passwords = [each.reveal() for each in _passwords(self.cast)]
        self.printed |= any(masked(line, passwords) != line for line in tried.console)


def suite(cast: Cast, checks: "Iterable[Check]") -> Generator[Ask, Tried, list[Finding]]:
    """Ask for calls, and return the findings. Whoever was made is deleted whatever the checks find."""
    scene = Scene(cast, cast.named)
    found: list[Finding] = []
    for check in checks:
        why = check.unfit(scene)
        if why:
            found.append(Finding(check.id, check.title, "skipped", why))
            continue
        verdict, seconds = yield from _timed(check.run(scene), scene)
        found.append(Finding(check.id, check.title, verdict.status, verdict.found, verdict.advice, seconds))
    return found


def _timed(calls: Calls, scene: Scene) -> Generator[Ask, Tried, tuple[Verdict, float]]:
    seconds, tried = 0.0, None
    try:
        ask = next(calls)
        while True:
            tried = yield ask
            seconds += tried.seconds
            scene.heard(ask, tried)
            ask = calls.send(tried)
    except StopIteration as ended:
        return ended.value, seconds


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold."""

    id: str
    title: str
    run: Callable[[Scene], Calls]
    needs: tuple[ScriptName, ...] = ()
    """Scripts without which there is nothing to check."""
    about: Literal["nobody", "maker", "anybody", "made", "known"] = "nobody"
    """Whether it needs a person: none; the right to make one; one who logs in; one who was made for the suite; one
    whose right login gave a profile."""
    by_context: bool = False
    """Whether scripts must get ``context``."""

    def unfit(self, scene: Scene) -> str:
        """Return why it cannot be tried; empty, where it can."""
        lacking = [name for name in self.needs if name not in scene.cast.scripts]
        if lacking:
            return f"There is no script {' and no '.join(lacking)}."
        if self.by_context and not scene.cast.has_context:
            return "enable_script_context is off."
        return self._nobody(scene)

    def _nobody(self, scene: Scene) -> str:
        if self.about == "maker" and not scene.cast.makes_somebody:
            return "Somebody is named to look at, and nobody is made."
        if self.about == "anybody" and scene.person is None:
            return "There is nobody to try it on: name a person, or write create and delete."
        if self.about == "made" and not scene.made:
            return "Nobody was made to try it on: it is not tried on people who exist."
        if self.about == "known" and not scene.user_id:
            return "The right login gave no profile."
        return ""


def passed(found: str = "") -> Verdict:
    """Return that all is well."""
    return Verdict("passed", found)


def failed(found: str, advice: str) -> Verdict:
    """Return that people would notice."""
    return Verdict("failed", found, advice)


def advised(found: str, advice: str) -> Verdict:
    """Return that it works, and something should be better."""
    return Verdict("advice", found, advice)


def said(tried: Tried) -> str:
    """Return in a few words what a script answered."""
    if tried.answer is None:
        return f"It failed: {tried.failure}"
    refusal = tried.refusal
    if refusal:
        return f"It called back with {_CLASSES[refusal.kind]}: {refusal.message or refusal.code or 'no message'}"
    if isinstance(tried.value, dict):
        return f"It called back with a profile of {id_of(tried.value) or 'nobody'}."
    return f"It called back with {_JSON.get(repr(tried.value), repr(tried.value)[:80])}."


_CLASSES: Final = {
    "wrong_credentials": "WrongUsernameOrPasswordError",
    "validation": "ValidationError",
    "unauthorized": "UnauthorizedError",
    "error": "an error",
}
_JSON: Final = {"None": "nothing", "True": "true", "False": "false"}


def is_nobody(tried: Tried) -> bool:
    """Whether a login or a look-up says that there is no such person, or that it is not them."""
    if tried.answer is None:
        return False
    return tried.refusal.kind == "wrong_credentials" if tried.refusal else not tried.value


def is_profile(tried: Tried) -> bool:
    """Whether it is a profile with an id."""
    return tried.refusal is None and isinstance(tried.value, dict) and bool(id_of(tried.value))


def id_of(profile: Mapping[str, Any]) -> str:
    """Return the id of a returned profile as a text, however it is written."""
    found = profile.get("user_id", profile.get("id"))
    return "" if found is None else str(found)


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the attributes that two returned profiles both have, and differently."""
    names = ("email", "username", "phone_number", *_OURS, "user_metadata", "app_metadata")
    return [name for name in names if name in one and name in other and one[name] != other[name]]


def user_of(cast: Cast, person: Person) -> dict[str, Any]:
    """Return somebody as ``create`` gets them."""
    identifiers = {str(kind): value for kind, value in person.identifiers.items()}
    return {**cast.about, **identifiers, "password": person.password}


def odd(profile: Mapping[str, Any], required: Iterable[str]) -> list[str]:
    """Return what is odd about a profile; what the connection requires and it lacks, too."""
    return [
        *odd_profile(profile),
        *(f"There is no {name}, which is required." for name in required if name not in profile),
    ]


def _passwords(cast: Cast) -> list[Secret[str]]:
    people = [cast.throw_away, cast.spare, *([cast.named] if cast.named else [])]
    return [each.password for each in people]


def speed(scene: Scene) -> Verdict:
    """Judge how long the slowest call of each script took."""
    if not scene.slowest:
        return Verdict("skipped", "No script was called.")
    name, seconds = max(scene.slowest.items(), key=lambda each: each[1])
    text = f"The slowest was {name}, with {seconds:.2f} s."
    if seconds >= TOO_SLOW:
        return failed(text, "A run that takes 20 s is ended, and the login with it. Look for a missing index.")
    if seconds >= SLOW:
        return advised(text, "People wait for this at every login: keep connections open between runs, in global.")
    return passed(text)
