"""Exports of users: what may be asked for, and how a user becomes a line (auth0-behaviour IM-14, IM-15 and 4.5)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.complaints import parse
from keystead.rules.json_lines import json_line

Format = Literal["json", "csv", "archive"]

MOST_COLUMNS: Final = 30
"""Of a CSV file (IM-14)."""
_MOST_FIELDS: Final = 256
"""Of a line of JSON: ours, Auth0 has none that it documents."""

_PATH: Final = r"^[^.\[\]]+(\[[0-9]{1,3}\])?(\.[^.\[\]]+(\[[0-9]{1,3}\])?)*$"
_STEP: Final = re.compile(r"([^.\[\]]+)(?:\[([0-9]{1,3})\])?")
_OBJECTS: Final = ("user_metadata", "app_metadata")
_MOMENTS: Final = ("created_at", "updated_at", "last_login", "last_password_reset")
"""Made here, so that nobody chose them: they are written as they are (IM-15)."""
_STEERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a formula begins, for some spreadsheet."""

_DEFAULT: Final = {
    "user_id": "Id",
    "given_name": "Given Name",
    "family_name": "Family Name",
    "nickname": "Nickname",
    "name": "Name",
    "email": "Email",
    "email_verified": "Email Verified",
    "picture": "Picture",
    "identities[0].connection": "Connection",
    "created_at": "Created At",
    "updated_at": "Updated At",
}
"""Where nobody says which: by what is there, what it is called (4.5)."""

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Column:
    """A member of a user that is written, and under which name."""

    path: str
    head: str


class ExportField(BaseModel):
    """A member of a user, by its dotted path, and what it is called in the file."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=_PATH)]
    export_as: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class NewExport(BaseModel):
    """The body of ``POST /jobs/users-exports``."""

    model_config = _CLOSED

    connection_id: Annotated[str, Field(pattern=r"^con_[A-Za-z0-9]{16}$")] | None = None
    format: Literal["json", "csv"] = "json"
    limit: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    fields: Annotated[list[ExportField], Field(min_length=1, max_length=_MOST_FIELDS)] | None = None


class NewArchive(BaseModel):
    """The body of ``POST /keystead/user-archives``."""

    model_config = _CLOSED

    connection_id: Annotated[str, Field(pattern=r"^con_[A-Za-z0-9]{16}$")] | None = None


class Export(BaseModel):
    """An export that was asked for, and how far it is: what ``job.about`` holds of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Format = "json"
    connection_id: str | None = None
    connection: str | None = None
    """The name of the connection, where it is of one."""
    limit: int | None = None
    fields: list[ExportField] | None = None
    begun_at: float = 0
    """Seconds since the epoch."""
    stuck: int = 0
    """How often it was begun since the last piece that was made: whoever makes it may end with it."""
    total: int = 0
    """How many there were when it began, or the limit."""
    done: int = 0
    after: str = ""
    """The bookmark of the last user that was written."""
    pieces: int = 0
    size: int = 0
    """Bytes, before they are packed."""
    packed: int = 0
    crc: int = 0
    passkeys: dict[str, int] = {}
    """Of an archive: how many there are, by the RP id that they are of."""
    key: str = ""
    """Of an archive: the thumbprint of the key that signed it."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is written of each user."""
        return columns_of(self.fields)

    @property
    def left(self) -> int | None:
        """How many more may be written; ``None`` where nobody set a limit."""
        return None if self.limit is None else max(self.limit - self.done, 0)

    @property
    def percentage(self) -> int:
        """How much of it is done, as far as can be told: less than all before it is at its end."""
        return min(self.done * 100 // self.total, 99) if self.total else 0

    def seconds_left(self, now: float) -> int | None:
        """How long it will take from here; ``None`` before the first users are written."""
        return int((now - self.begun_at) * max(self.total - self.done, 0) / self.done) if self.done else None

    def having(self, **values: Any) -> "Export":
        """Return it further on."""
        return self.model_copy(update=values)

    def stored(self) -> dict[str, Any]:
        """Return it as ``job.about`` holds it."""
        return self.model_dump(exclude_none=True)


def read_export(body: Mapping[str, Any]) -> NewExport:
    """Read the body of a request for an export. Raises ``BadRequest``."""
    found = parse(NewExport, body)
    columns = columns_of(found.fields)
    heads = [each.head for each in columns]
    twice = next((at for at, head in enumerate(heads) if head in heads[:at]), None)
    if twice is not None:
        raise BadRequest(f"Two fields are called {heads[twice]}", path=f"fields.{twice}")
    if found.format == "csv":
        _check_csv(columns)
    return found


def columns_of(fields: Sequence[ExportField] | None) -> tuple[Column, ...]:
    """Return what is written of each user."""
    if fields is None:
        return tuple(Column(path, head) for path, head in _DEFAULT.items())
    return tuple(Column(each.name, each.export_as or each.name) for each in fields)


def _check_csv(columns: Sequence[Column]) -> None:
    """Refuse what no CSV file can hold (IM-14, IM-15). Raises ``BadRequest``."""
    if len(columns) > MOST_COLUMNS:
        raise BadRequest(f"Array is too long ({len(columns)}), maximum {MOST_COLUMNS}", path="fields")
    for at, each in enumerate(columns):
        if each.path in _OBJECTS:
            raise BadRequest(
                f"{each.path} is an object, which CSV has no place for: name its members, such as {each.path}.plan",
                path=f"fields.{at}.name",
            )


def value_at(user: Mapping[str, Any], path: str) -> Any:
    """Return what is at a path such as ``user_metadata.plan`` or ``identities[0].connection``; ``None`` for nothing."""
    found: Any = user
    for name, place in _STEP.findall(path):
        found = found.get(name) if isinstance(found, Mapping) else None
        if place:
            is_there = isinstance(found, Sequence) and not isinstance(found, str) and int(place) < len(found)
            found = found[int(place)] if is_there else None
    return found


def user_line(user: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """Return a user as a line of JSON; what there is none of is left out."""
    found = {each.head: value for each in columns if (value := value_at(user, each.path)) is not None}
    return json_line(found) + "\n"


def csv_line(user: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """Return a user as a line of CSV that no spreadsheet runs anything of (IM-15)."""
    return ",".join(_cell(value_at(user, each.path), each.path) for each in columns) + "\r\n"


def csv_head(columns: Sequence[Column]) -> str:
    """Return the first line. Whoever asks for the export chose the names: only what steers a spreadsheet is held."""
    return ",".join(_quoted(("'" if each.head.startswith(_STEERS) else "") + each.head) for each in columns) + "\r\n"


def _cell(value: Any, path: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if not isinstance(value, str):
        value = json_line(value)
    return value if path in _MOMENTS else _quoted(f"'{value}")


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
