"""Changes of an account that whoever else keeps its people is told of (``UserStore.pass_on``)."""

from dataclasses import dataclass

from keystead.rules.identifiers import IdentifierKind
from keystead.secrecy import Secret


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A change for ``UserStore.pass_on``: a new password."""

    password: Secret[str]


@dataclass(frozen=True, slots=True)
class NewIdentifier:
    """A change for ``UserStore.pass_on``: another identifier of a kind; ``before`` is what it was."""

    kind: IdentifierKind
    before: str | None
    after: str | None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """A change for ``UserStore.pass_on``: an identifier is verified."""

    kind: IdentifierKind
    value: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A change for ``UserStore.pass_on``: the account goes. Told before it is committed, unlike the others.

    Whoever were deleted here alone would be back at their next login.
    """


Change = NewPassword | NewIdentifier | Verified | Deleted
