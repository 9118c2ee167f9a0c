"""Imports of users: what may be asked for, and how far one is (auth0-behaviour 4.3, 4.4, IM-1 to IM-13)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from keystead.errors import BadRequest
from keystead.rules.row_files import Kind
from keystead.secrecy import Secret

JOB: Final = "users_import"
PURPOSE: Final = "imports"
"""For what the pieces of a file are sealed."""

PIECE: Final = 524_288
"""Bytes of a file that are kept and read at a time."""

MOST_CANARIES: Final = 100

FILE: Final = "users"
_TEXTS: Final = ("connection_id", "external_id", "upsert", "send_completion_email", "dry_run", "canary")
PARTS: Final = (FILE, *_TEXTS)
"""What a request may have; ``dry_run`` and ``canary``, as often as one likes, are ours."""

LONGEST_PART: Final = 4096
"""Bytes of any of them but the file."""

_CONNECTION: Final = re.compile(r"con_[A-Za-z0-9]{16}")
_LONGEST_EXTERNAL: Final = 255
_PROVED: Final = "the password is right"

Format = Literal["rows"]
Verdict = Literal["insert", "update", "skip", "error"]


@dataclass(frozen=True, slots=True)
class NewImport:
    """What is asked for beside the file."""

    connection_id: str
    upsert: bool = False
    external_id: str | None = None
    send_completion_email: bool = True
    dry_run: bool = False
    canaries: tuple[tuple[str, Secret[str]], ...] = ()


class Canary(BaseModel):
    """A login that was known before the import, and whether it will succeed after it."""

    model_config = ConfigDict(frozen=True)

    user: str
    row: int | None = None
    works: bool = False
    why: str = "the file has no such user"


class HashCount(BaseModel):
    """How many rows have a hash of one format, and what verifying one costs."""

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    most_ms: float = 0.0


class Import(BaseModel):
    """An import, and how far it is: what ``job.about`` holds of it. Nothing in it is secret."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Format = "rows"
    """How the file is read: rows of section 4.1, or whatever else is imported in the same way."""
    connection_id: str = ""
    connection: str = ""
    upsert: bool = False
    external_id: str | None = None
    send_completion_email: bool = True
    dry_run: bool = False
    client_id: str = ""
    actor: str = ""
    """Who asked, as the journal will say."""
    may_add_passkeys: bool = False
    """Whether they might add passkeys to accounts that are there, one by one."""
    may_set_passwords: bool = False
    """Whether they might set passwords of accounts that are there, likewise."""
    uploading: bool = False
    kind: Kind | None = None
    pieces: int = 0
    size: int = 0
    rows: int = 0
    """How many there are."""
    malformed: str = ""
    """Why the file is no list of rows."""

    at: int = 0
    """Where the file goes on, in bytes."""
    done: int = 0
    """How many rows are done."""
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    """Rows of an upsert that changed nothing; among the updated."""
    failed: int = 0
    begun_at: float = 0.0
    """Seconds since the epoch."""
    stuck: int = 0
    """How often it was begun without getting any further since."""
    hashes: dict[str, HashCount] = {}
    lost_passkeys: int = 0
    """Passkeys that work under none of our ids."""
    canaries: list[Canary] = []
    """In the order of the request, whose passwords are kept apart."""

    def having(self, **values: Any) -> "Import":
        """Return it further on."""
        return self.model_copy(update=values)

    def stored(self) -> dict[str, Any]:
        """Return it as ``job.about`` holds it."""
        return self.model_dump(exclude_defaults=True)

    @property
    def summary(self) -> dict[str, int]:
        """What became of the rows."""
        done = {"failed": self.failed, "updated": self.updated, "inserted": self.inserted}
        return done | {"total": sum(done.values())}

    def percentage(self) -> int:
        """How much of it is done; less than all before it is at its end."""
        return min(self.done * 100 // self.rows, 99) if self.rows else 0

    def seconds_left(self, now: float) -> int | None:
        """How long it will take from here; ``None`` before the first rows are done."""
        if not self.done or not self.begun_at:
            return None
        return int((now - self.begun_at) * max(self.rows - self.done, 0) / self.done)


def read_import(parts: Mapping[str, Sequence[str]], *, has_file: bool) -> NewImport:
    """Read what came beside the file. Raises ``BadRequest``, in the words of 4.3."""
    if not has_file:
        raise BadRequest("Must provide 'users' file as multipart part.")
    unknown = next((name for name in parts if name not in _TEXTS), None)
    if unknown is not None:
        raise BadRequest(f"Additional properties not allowed: {unknown[:100]}", path="")
    twice = next((name for name, found in parts.items() if len(found) > 1 and name != "canary"), None)
    if twice is not None:
        raise BadRequest(f"'{twice}' must be given once", path=twice)
    return NewImport(
        connection_id=_connection_id(parts),
        upsert=_flag(parts, "upsert", False),
        external_id=_external_id(parts),
        send_completion_email=_flag(parts, "send_completion_email", True),
        dry_run=_flag(parts, "dry_run", False),
        canaries=_canaries(parts.get("canary", ())),
    )


def _connection_id(parts: Mapping[str, Sequence[str]]) -> str:
    found = next(iter(parts.get("connection_id", ())), "")
    if not found:
        raise BadRequest("Must provide 'connection_id' as multipart part.")
    if not _CONNECTION.fullmatch(found):
        raise BadRequest("String does not match pattern ^con_[A-Za-z0-9]{16}$", path="connection_id")
    return found


def _external_id(parts: Mapping[str, Sequence[str]]) -> str | None:
    found = next(iter(parts.get("external_id", ())), None)
    if found is not None and len(found) > _LONGEST_EXTERNAL:
        text = f"String is too long ({len(found)} chars), maximum {_LONGEST_EXTERNAL}"
        raise BadRequest(text, path="external_id")
    return found


def _flag(parts: Mapping[str, Sequence[str]], name: str, default: bool) -> bool:
    found = next(iter(parts.get(name, ())), None)
    if found is None:
        return default
    if found not in ("true", "false"):
        raise BadRequest("Expected type boolean but found type string", path=name)
    return found == "true"


def _canaries(texts: Sequence[str]) -> tuple[tuple[str, Secret[str]], ...]:
    if len(texts) > MOST_CANARIES:
        raise BadRequest(f"Array is too long ({len(texts)}), maximum {MOST_CANARIES}", path="canary")
    found = []
    for text in texts:
        user, colon, password = text.partition(":")
        if not (user and colon and password):
            raise BadRequest("must be a user, a colon and a password", path="canary")
        found.append((user, Secret(password)))
    return tuple(found)


def proved(canary: Canary, row: int, *, works: bool) -> Canary:
    """Return a canary whose password was compared with the hash of its row."""
    why = _PROVED if works else "the hash of its row is not of this password"
    return canary.model_copy(update={"row": row, "works": works, "why": why})


def unproved(canary: Canary, row: int, why: str) -> Canary:
    """Return a canary whose login will not succeed, or of which nothing can be said."""
    return canary.model_copy(update={"row": row, "works": False, "why": why})
