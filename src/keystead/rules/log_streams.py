"""Log streams: where the journal is sent on to, what of it, in which form, and what happens when nobody takes it."""

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from keystead.errors import BadRequest
from keystead.rules.complaints import parse, type_of
from keystead.rules.log_categories import Category, category_of
from keystead.rules.log_entries import LogEntry, on_wire
from keystead.secrecy import Secret

Format = Literal["JSONARRAY", "JSONLINES", "JSONOBJECT"]
Status = Literal["active", "paused", "suspended"]

MASK: Final = "********"
"""What is shown in the place of a secret; sent back, it means what is stored."""

MOST_STREAMS: Final = 20
MOST_ENTRIES: Final = 100
MOST_BYTES: Final = 512 * 1024
"""How large a delivery may be; an entry that is larger by itself travels alone."""

GIVEN_UP_AFTER: Final = 173
"""Failures in a row after which a stream is suspended: with the waits between them, about seven days."""

_SHORTEST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)
_LONGEST_ASKED: Final = timedelta(hours=24)
"""For how long a receiver may ask us to wait."""

_GONE: Final = 410
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_LONGEST_URL: Final = 2000
_URL: Final = re.compile(r"[a-z]+://[A-Za-z0-9.:_\[\]-]+(?:[/?][!\"$-\[\]-~]*)?")
"""Without a user, a password, or what programs read in more than one way."""

_LONGEST_SECRET: Final = 1000
_MEDIA: Final = r"^[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+(; ?[a-z]+=[A-Za-z0-9.-]+)*$"
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_FORBIDDEN: Final = re.compile(
    "host|connection|keep-alive|upgrade|te|trailer|expect|transfer-encoding|content-(length|type|encoding)|authorization"
    "|cookie|forwarded|via|true-client-ip|x-client-ip|x-real-ip|x-rewrite-.*|x-original-.*|x-forwarded-.*|.*-override"
    "|(keystead|proxy|sec)-.*"
)
"""Headers that are ours to write, that frame a request, or that say to a server in between who asks, and for what."""

_TYPES: Final = ("eventbridge", "eventgrid", "datadog", "mixpanel", "segment", "splunk", "sumo")
_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)


def _type(value: object) -> object:
    if value in _TYPES:
        raise ValueError(f"Log streams of type {value} are not supported; http is")
    return value


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text if _URL.fullmatch(text) else "")
        good = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise ValueError("Object didn't pass validation for format url")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("Must be an https URL; http is for this machine alone")
    return text


def _header(text: str) -> str:
    # Some servers take _ and - for the same.
    if not _HEADER.fullmatch(text) or _FORBIDDEN.fullmatch(text.lower().replace("_", "-")):
        raise ValueError(f"Not a header that can be set here: {text[:100]}")
    return text


def _secret(value: object) -> Secret[str]:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError(f"Expected type string but found type {type_of(value)}")
    if (
        not 1 <= len(value) <= _LONGEST_SECRET
        or not value.isascii()
        or not value.isprintable()
        or value != value.strip()
    ):
        raise ValueError(f"Must have 1 to {_LONGEST_SECRET} printable ASCII characters")
    return Secret(value)


_Hidden = Annotated[
    Secret[str],
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LONGEST_SECRET}),
]
_MOMENT: Final = WithJsonSchema({"type": "string", "format": "date-time"})


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - of no zone, like one that has none
    if found.tzinfo is None:
        raise ValueError("Object didn't pass validation for format date-time")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError("Object didn't pass validation for format date-time") from None


def _no_header_twice(headers: "tuple[CustomHeader, ...]") -> "tuple[CustomHeader, ...]":
    names = [each.header.lower() for each in headers]
    if len(set(names)) != len(names):
        raise ValueError("A header can be set once")
    return headers


class CustomHeader(BaseModel):
    """A header that a receiver wants to see."""

    model_config = _CLOSED

    header: Annotated[str, AfterValidator(_header)]
    value: _Hidden


class Sink(BaseModel):
    """Where a stream ends, and how entries travel there."""

    model_config = _CLOSED

    endpoint: Annotated[str, Field(alias="httpEndpoint", max_length=_LONGEST_URL), AfterValidator(_endpoint)]
    content_format: Annotated[Format, Field(alias="httpContentFormat")] = "JSONLINES"
    content_type: Annotated[str, Field(alias="httpContentType", max_length=100, pattern=_MEDIA)] = "application/json"
    authorization: Annotated[_Hidden | None, Field(alias="httpAuthorization")] = None
    custom_headers: Annotated[
        tuple[CustomHeader, ...],
        Field(alias="httpCustomHeaders", max_length=20, strict=False),
        AfterValidator(_no_header_twice),
    ] = ()


class Filter(BaseModel):
    """A category of events that a stream is to carry."""

    model_config = _CLOSED

    type: Literal["category"]
    name: Category


_Name = Annotated[str, Field(min_length=1, max_length=255)]
_Filters = Annotated[tuple[Filter, ...], Field(max_length=50, strict=False)]


class NewLogStream(BaseModel):
    """The body of a POST."""

    model_config = _CLOSED

    name: _Name
    type: Annotated[Literal["http"], BeforeValidator(_type)]
    is_priority: Annotated[bool, Field(alias="isPriority")] = False
    filters: _Filters = ()
    sink: Sink
    start_from: Annotated[datetime | None, BeforeValidator(_moment), _MOMENT, Field(alias="startFrom")] = None


class LogStreamEdit(BaseModel):
    """The body of a PATCH: what is not there stays; a sink is replaced whole."""

    model_config = _CLOSED

    name: _Name | None = None
    status: Literal["active", "paused"] | None = None
    is_priority: Annotated[bool | None, Field(alias="isPriority")] = None
    filters: _Filters | None = None
    sink: Sink | None = None

    @property
    def members(self) -> list[str]:
        """What it changes, as the wire names it."""
        return sorted(self.model_dump(by_alias=True, exclude_unset=True))


@dataclass(frozen=True, slots=True)
class Secrets:
    """What of a stream is sealed."""

    signing: Secret[str]
    authorization: Secret[str] | None = None
    headers: tuple[tuple[str, Secret[str]], ...] = ()

    def written(self) -> bytes:
        """Return them in clear, to be sealed."""
        found = {
            "signing": self.signing.reveal(),
            "authorization": self.authorization.reveal() if self.authorization else None,
            "headers": [[name, value.reveal()] for name, value in self.headers],
        }
        return json.dumps(found).encode("utf-8")


def read_secrets(opened: bytes) -> Secrets:
    """Return what ``written`` wrote."""
    found = json.loads(opened)
    authorization = Secret(found["authorization"]) if found["authorization"] else None
    return Secrets(Secret(found["signing"]), authorization, tuple((name, Secret(it)) for name, it in found["headers"]))


def read_new(body: Mapping[str, Any]) -> NewLogStream:
    """Read the body of a POST. Raises ``BadRequest`` by path."""
    return parse(NewLogStream, body)


def read_edit(body: Mapping[str, Any]) -> LogStreamEdit:
    """Read the body of a PATCH, likewise."""
    return parse(LogStreamEdit, body)


def settings_of(asked: NewLogStream) -> dict[str, Any]:
    """Return what of a new stream is stored in clear."""
    return {
        "sink": _plain(asked.sink),
        "filters": [each.model_dump() for each in asked.filters],
        "isPriority": asked.is_priority,
        "startFrom": asked.start_from.isoformat() if asked.start_from else None,
    }


def changed_settings(asked: LogStreamEdit) -> dict[str, Any]:
    """Return what of that an edit replaces."""
    found: dict[str, Any] = {}
    if asked.is_priority is not None:
        found["isPriority"] = asked.is_priority
    if asked.filters is not None:
        found["filters"] = [each.model_dump() for each in asked.filters]
    if asked.sink is not None:
        found["sink"] = _plain(asked.sink)
    return found


def _plain(sink: Sink) -> dict[str, Any]:
    return sink.model_dump(by_alias=True, include={"endpoint", "content_format", "content_type"})


def secrets_of(sink: Sink, endpoint: str, stored: Secrets) -> Secrets:
    """Return the secrets of a sink; those that are masked are the stored ones. Raises ``BadRequest``.

    Not for another endpoint than the stored secrets are for: whoever may not read them could have them sent there.
    """
    moved = bool(endpoint) and sink.endpoint != endpoint
    kept = {name.lower(): value for name, value in stored.headers}

    def given(value: Secret[str], before: Secret[str] | None, path: str) -> Secret[str]:
        if value.reveal() != MASK:
            return value
        if before is None or moved:
            raise BadRequest(f"{MASK} stands for what is stored, for this endpoint: send the value itself", path=path)
        return before

    authorization = sink.authorization
    if authorization is not None:
        authorization = given(authorization, stored.authorization, "sink.httpAuthorization")
    headers = [
        (each.header, given(each.value, kept.get(each.header.lower()), "sink.httpCustomHeaders"))
        for each in sink.custom_headers
    ]
    return Secrets(stored.signing, authorization, tuple(headers))


def wanted(entry: LogEntry, settings: Mapping[str, Any]) -> bool:
    """Whether a stream is to carry an entry: all, or those of its categories, from a moment on."""
    names = {each["name"] for each in settings["filters"]}
    since = settings.get("startFrom")
    return (not names or category_of(entry.type) in names) and (
        not since or entry.date >= datetime.fromisoformat(since)
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """What one delivery carries: entries of one seal, so that every try of it is of the same entries."""

    last: tuple[int, str]
    """Where the stream stands once it was taken: seal and id."""
    entries: tuple[LogEntry, ...]

    @property
    def position(self) -> str:
        """The place of its last entry in the chain, which only grows."""
        return f"{self.entries[-1].seal}.{self.entries[-1].log_id}"

    def name(self, stream_id: str) -> str:
        """Return what it is called at each try."""
        ids = "\n".join((stream_id, *(each.log_id for each in self.entries)))
        return hashlib.sha256(ids.encode()).hexdigest()[:32]


def next_batch(found: Sequence[LogEntry], settings: Mapping[str, Any]) -> Batch | None:
    """Return what is delivered next of the entries that follow in the chain; ``None`` where nothing follows.

    Its entries are of one seal, whose contents never change. One without entries is passed over, not delivered.
    """
    if not found:
        return None
    most = 1 if settings["sink"]["httpContentFormat"] == "JSONOBJECT" else MOST_ENTRIES
    carried: list[LogEntry] = []
    last, size = found[0], 0
    for entry in found:
        if wanted(entry, settings):
            length = len(_line(entry, ""))
            if carried and (entry.seal != carried[0].seal or len(carried) == most or size + length > MOST_BYTES):
                break
            carried.append(entry)
            size += length
        last = entry
    return Batch((last.seal or 0, last.log_id), tuple(carried))


def body_of(batch: Batch, format: Format, hostname: str) -> bytes:
    """Return a batch as it travels."""
    lines = [_line(each, hostname) for each in batch.entries]
    if format == "JSONARRAY":
        return b"[" + b",".join(lines) + b"]"
    return b"\n".join(lines) + (b"\n" if format == "JSONLINES" else b"")


def signature(key: Secret[str], moment: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that say that a body is ours, and of now: HMAC-SHA256 over the time and the body."""
    stamp = str(int(moment.timestamp()))
    made = hmac.new(key.reveal().encode("utf-8"), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"keystead-timestamp": stamp, "keystead-signature": f"sha256={made}"}


def wait(failures: int, asked: float | None) -> timedelta:
    """Return how long to wait after some failures in a row: 5 s, 20 s, 80 s and so on to an hour; or as was asked."""
    times: int = 4 ** min(failures - 1, 10)
    own = min(_SHORTEST_WAIT * times, _LONGEST_WAIT)
    return max(own, min(timedelta(seconds=asked or 0), _LONGEST_ASKED))


def is_given_up(failures: int, status: int | None) -> bool:
    """Whether a stream is suspended: nobody took anything for a week, or the receiver is gone and says so."""
    return status == _GONE or failures >= GIVEN_UP_AFTER


def shown_sink(settings: Mapping[str, Any], authorization: bool, headers: Collection[str]) -> dict[str, Any]:
    """Return a sink as the wire shows it: without its secrets."""
    found = dict(settings["sink"])
    if authorization:
        found["httpAuthorization"] = MASK
    if headers:
        found["httpCustomHeaders"] = [{"header": name, "value": MASK} for name in headers]
    return found


def _line(entry: LogEntry, hostname: str) -> bytes:
    """Return an entry as Auth0's streams name its members."""
    shown = on_wire(entry, hostname)
    data = {name: value for name, value in shown.items() if name not in ("_id", "isMobile")}
    data |= {"is_mobile": shown["isMobile"], "tenant_name": hostname, "environment_name": "keystead"}
    return json.dumps({"log_id": entry.log_id, "data": data}, separators=(",", ":"), default=str).encode("utf-8")
