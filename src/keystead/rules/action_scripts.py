"""Action scripts as values: which there are, what calls them, and what they answer (auth0-behaviour, section 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, Field

from keystead.rules.identifiers import IdentifierKind
from keystead.secrecy import Secret

ScriptName = Literal[
    "login",
    "get_user",
    "create",
    "verify",
    "change_password",
    "delete",
    "change_email",
    "change_username",
    "change_phone_number",
]
"""What an action script is for; the order is that of the documentation (CD-1)."""

ScriptLanguage = Literal["node", "python"]

NAMES: Final[tuple[ScriptName, ...]] = get_args(ScriptName)
MAX_BYTES: Final = 100_000
"""Of the source of one script (CD-3)."""

CHANGED_BY: Final[Mapping[IdentifierKind, ScriptName]] = {
    "email": "change_email",
    "username": "change_username",
    "phone_number": "change_phone_number",
}
"""Which script changes an identifier."""


def _source(text: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ValueError(f"a script is at most {MAX_BYTES} bytes")
    return text


Scripts = dict[ScriptName, Annotated[str, Field(min_length=1), AfterValidator(_source)]]
"""``options.customScripts``: sources by name."""


@dataclass(frozen=True, slots=True)
class Script:
    """One script of one connection, as it is to run."""

    connection_id: str
    name: ScriptName
    language: ScriptLanguage
    source: str
    configuration: Mapping[str, Secret[str]] = field(default_factory=dict)
    """``options.configuration``, opened: for the child alone."""


RefusalKind = Literal["wrong_credentials", "validation", "unauthorized", "error"]
"""Which of the error classes of section 5.4 a script called back with; ``error`` is any other error."""


@dataclass(frozen=True, slots=True)
class ScriptRefusal:
    """What a script called back with instead of an answer."""

    kind: RefusalKind
    message: str = ""
    code: str = ""
    """Of a ``ValidationError``, such as ``user_exists``."""
    user_id: str | None = None
    """Of a ``WrongUsernameOrPasswordError``: whose password was wrong, without ``auth0|``."""


@dataclass(frozen=True, slots=True)
class ScriptAnswer:
    """What came of a call that ended as it should: a value, or a refusal of the script's own."""

    value: Any = None
    """As JSON has it; ``None`` where the script called back without."""
    refusal: ScriptRefusal | None = None
    console: Sequence[str] = ()
    """Lines that it printed, cut where they were too many."""
    seconds: float = 0.0
    more: tuple[Any, ...] = ()
    """Further arguments of the callback."""
