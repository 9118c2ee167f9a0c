"""Mail servers: the one that the environment names, and the one that administrators store (EM-6)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from keystead.rules.complaints import parse, type_of
from keystead.rules.templates import mailbox
from keystead.secrecy import Secret

Tls = Literal["at once", "required", "offered", "never"]
"""TLS from the first byte; STARTTLS or nothing; STARTTLS where the server has it; plain text."""

DEFAULT_PORT: Final = 587
SECURE_PORT: Final = 465
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
_LOOPBACK: Final = ("localhost", "::1")
_LONGEST_SECRET: Final = 1000


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, and from whom it comes; an empty sender is the one of the environment."""

    host: str
    port: int
    user: str
    password: Secret[str]
    tls: Tls
    sender: str


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"Object didn't pass validation for format hostname: {text[:100]}")
    return text.strip("[]")


def _sender(text: str) -> str:
    if mailbox(text) is None:
        raise ValueError("Must be an address, or a name and an address in angle brackets")
    return text


def _secret(value: object) -> Secret[str]:
    if not isinstance(value, str):
        raise ValueError(f"Expected type string but found type {type_of(value)}")
    if not 1 <= len(value) <= _LONGEST_SECRET:
        raise ValueError(f"Must have 1 to {_LONGEST_SECRET} characters")
    return Secret(value)


def _none_yet(settings: dict[str, Any]) -> dict[str, Any]:
    if settings:
        raise ValueError("Settings of a provider are not supported")
    return settings


_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)
_SECRET: Final = WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LONGEST_SECRET, "writeOnly": True})


class Credentials(BaseModel):
    """How to reach the server of a provider."""

    model_config = _CLOSED

    smtp_host: Annotated[str, AfterValidator(_host)]
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = DEFAULT_PORT
    smtp_user: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    smtp_pass: Annotated[Secret[str], BeforeValidator(_secret), _SECRET] | None = None


class Provider(BaseModel):
    """The provider that an administrator stores. It wins over the environment while it is enabled."""

    model_config = _CLOSED

    name: Literal["smtp"]
    enabled: bool = True
    default_from_address: Annotated[str, Field(max_length=320), AfterValidator(_sender)] | None = None
    credentials: Credentials
    settings: Annotated[dict[str, Any], AfterValidator(_none_yet)] = {}


def read_provider(body: Mapping[str, Any]) -> Provider:
    """Read the body of a POST. Raises ``BadRequest`` by path."""
    return parse(Provider, body)


def read_edit(current: Provider, body: Mapping[str, Any]) -> Provider:
    """Return what a PATCH makes of a provider. Raises ``BadRequest``.

    Credentials are replaced whole: a host alone would send the stored password to wherever it leads.
    """
    return parse(Provider, written(current) | dict(body))


def written(provider: Provider) -> dict[str, Any]:
    """Return a provider with its password in clear, to be sealed."""
    found = provider.model_dump(exclude={"credentials"})
    password = provider.credentials.smtp_pass
    credentials = provider.credentials.model_dump(exclude={"smtp_pass"}, exclude_none=True)
    return found | {"credentials": credentials | ({"smtp_pass": password.reveal()} if password else {})}


def shown(provider: Provider) -> dict[str, Any]:
    """Return a provider as the wire shows it: without the password."""
    found = written(provider)
    found["credentials"].pop("smtp_pass", None)
    return {name: value for name, value in found.items() if value is not None}


def server_of(provider: Provider) -> MailServer:
    """Return the server of a provider."""
    found = provider.credentials
    user = found.smtp_user or ""
    return MailServer(
        host=found.smtp_host,
        port=found.smtp_port,
        user=user,
        password=found.smtp_pass or Secret(""),
        tls="at once" if found.smtp_port == SECURE_PORT else usual_tls(found.smtp_host, user),
        sender=provider.default_from_address or "",
    )


def usual_tls(host: str, user: str) -> Tls:
    """Return what to insist on where nothing is said: a password crosses no network in clear.

    An attacker in between can hide that a server has STARTTLS; whoever takes no for an answer sends them the password.
    """
    is_here = host in _LOOPBACK or host.startswith("127.")
    return "required" if user and not is_here else "offered"
