"""The import of an archive of users: what may be asked for, how far it is, and what became of its lines."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import DomainError, IdentifierTaken, PasskeyTaken
from keystead.rules.complaints import parse
from keystead.rules.user_archives import ArchivedUser, Unusable

_CODES: Final = {"email": "CONFLICT_EMAIL", "username": "CONFLICT_USERNAME", "user_id": "DUPLICATED_USER"}
_MOST_TELLING: Final = 1000
"""RP ids that are counted one by one."""


class NewArchiveImport(BaseModel):
    """What is asked for besides the file."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    connection_id: Annotated[str, Field(pattern=r"^con_[A-Za-z0-9]{16}$")] | None = None
    """Where all of them are put; else each into the connection of its own connection's name."""
    key: Annotated[str, Field(min_length=43, max_length=43)] | None = None
    """The thumbprint of the key that is trusted, where it is another installation's."""


def read_archive_import(parts: Mapping[str, Sequence[str]]) -> NewArchiveImport:
    """Read what came beside the file in a form; what is of rows alone is passed over. Raises ``BadRequest``."""
    return parse(
        NewArchiveImport, {name: next(iter(parts.get(name, ())), None) for name in NewArchiveImport.model_fields}
    )


class ArchiveImport(BaseModel):
    """An import that was asked for, and how far it is: what ``job.about`` holds of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: str = "archive"
    connection_id: str | None = None
    key: str | None = None
    actor: str = ""
    pieces: int = 0
    size: int = 0
    is_complete: bool = False
    """Whether all of the file has arrived."""
    is_verified: bool = False
    signed_by: str = ""
    issuer: str = ""
    total: int = 0
    done: int = 0
    inserted: int = 0
    failed: int = 0
    begun_at: float = 0
    stuck: int = 0
    """How often it was begun since the last line that was done: whoever reads it may end with it."""
    foreign: dict[str, int] = {}
    """Passkeys that cannot work here, by the RP id that they are of."""

    @property
    def percentage(self) -> int:
        """How much of it is done, as far as can be told: less than all before it is at its end."""
        return min(self.done * 100 // self.total, 99) if self.total else 0

    def having(self, **values: Any) -> "ArchiveImport":
        """Return it further on."""
        return self.model_copy(update=values)

    def with_passkeys(self, user: ArchivedUser, rp_ids: tuple[str, ...]) -> dict[str, int]:
        """Return the passkeys that cannot work here, with those of another user; ``rp_ids`` are those that do."""
        counted = dict(self.foreign)
        for each in user.passkeys:
            if each.rp_id not in rp_ids and (each.rp_id in counted or len(counted) < _MOST_TELLING):
                counted[each.rp_id] = counted.get(each.rp_id, 0) + 1
        return counted

    def stored(self) -> dict[str, Any]:
        """Return it as ``job.about`` holds it."""
        return self.model_dump(exclude_none=True)


def refused(number: int, user: ArchivedUser | None, error: Exception) -> dict[str, Any]:
    """Return what is told of a line that nothing came of (4.4): which, whose, and why. No secret is said back."""
    path = error.path if isinstance(error, Unusable) else ""
    about: dict[str, Any] = {"line": number + 1}
    about |= {"user_id": user.user_id, "email": user.email} if user else {}
    said = {"code": _code(error), "message": str(error)} | ({"path": path} if path else {})
    return {"user": {name: value for name, value in about.items() if value}, "errors": [said]}


def _code(error: Exception) -> str:
    if isinstance(error, IdentifierTaken):
        return _CODES.get(error.attribute, "CONFLICT")
    if isinstance(error, PasskeyTaken):
        return "CONFLICT"
    return "CONNECTION_NOT_FOUND" if isinstance(error, DomainError) else "FORMAT"
