"""What an administrator's program asks for: a mail that verifies, or a link to pass on itself (section 2.7)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.complaints import parse
from keystead.rules.enrolment import LONGEST_TICKET
from keystead.rules.letters import is_web_address
from keystead.rules.profiles import Profile
from keystead.rules.templates import MAX_LIFETIME

_CLOSED: Final = ConfigDict(frozen=True, strict=True, extra="forbid")

NOT_IN_ACCOUNT: Final = "The user exists, but does not contain the given identity."


def _url(text: str) -> str:
    if not is_web_address(text):
        raise ValueError(f"Object didn't pass validation for format url: {text[:100]}")
    return text


UserId = Annotated[str, Field(min_length=1, max_length=300)]
ClientId = Annotated[str, Field(min_length=1, max_length=64)]
ConnectionId = Annotated[str, Field(pattern=r"^con_[A-Za-z0-9]{16}$")]
Lifetime = Annotated[int, Field(ge=0, le=MAX_LIFETIME)]


class Identity(BaseModel):
    """One of the identities of an account; here there is only one in each."""

    model_config = _CLOSED

    user_id: UserId
    provider: Annotated[str, Field(max_length=100)]
    connection_id: ConnectionId | None = None

    def is_of(self, profile: Profile) -> bool:
        """Whether the account has it."""
        names = (profile.local_id, "auth0", profile.connection_id)
        return (self.user_id, self.provider, self.connection_id or profile.connection_id) == names


class DatabaseIdentity(Identity):
    """An identity with a password."""

    provider: Literal["auth0"]


class _Asked(BaseModel):
    model_config = _CLOSED

    client_id: ClientId | None = None
    organization_id: str | None = None
    identity: Identity | None = None


class VerificationMail(_Asked):
    """The body of ``POST /jobs/verification-email``."""

    user_id: UserId


class _LinkAsked(_Asked):
    result_url: Annotated[str, AfterValidator(_url)] | None = None
    ttl_sec: Lifetime = 0
    include_email: bool = Field(True, alias="includeEmailInRedirect")

    @property
    def lifetime(self) -> timedelta | None:
        """How long the link lives; ``None`` for as long as others do."""
        return timedelta(seconds=self.ttl_sec) if self.ttl_sec else None


class VerificationTicket(_LinkAsked):
    """The body of ``POST /tickets/email-verification``."""

    user_id: UserId


class PasswordTicket(_LinkAsked):
    """The body of ``POST /tickets/password-change``."""

    user_id: UserId | None = None
    connection_id: ConnectionId | None = None
    email: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    mark_email_as_verified: bool = False
    identity: DatabaseIdentity | None = None


class PasskeyTicket(BaseModel):
    """The body of ``POST /tickets/passkey-enrollment``."""

    model_config = _CLOSED

    user_id: UserId | None = None
    connection_id: ConnectionId | None = None
    email: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    client_id: ClientId | None = None
    result_url: Annotated[str, AfterValidator(_url)] | None = None
    ttl_sec: Annotated[int, Field(ge=0, le=int(LONGEST_TICKET.total_seconds()))] = 0

    @property
    def lifetime(self) -> timedelta | None:
        """How long the link lives; ``None`` for as long as others do."""
        return timedelta(seconds=self.ttl_sec) if self.ttl_sec else None


def read_verification_mail(body: Mapping[str, Any]) -> VerificationMail:
    """Read the body of a job. Raises ``BadRequest`` by path."""
    asked = parse(VerificationMail, body)
    _no_organization(asked)
    return asked


def read_verification_ticket(body: Mapping[str, Any]) -> VerificationTicket:
    """Read the body of a ticket. Raises ``BadRequest`` by path."""
    asked = parse(VerificationTicket, body)
    _no_organization(asked)
    if asked.result_url and asked.client_id:
        raise BadRequest("result_url and client_id cannot be given together", path="result_url")
    return asked


def read_password_ticket(body: Mapping[str, Any]) -> PasswordTicket:
    """Read the body of a ticket: by ``user_id``, or by ``connection_id`` and ``email``. Raises ``BadRequest``."""
    asked = parse(PasswordTicket, body)
    _no_organization(asked)
    _names_one(asked)
    return asked


def read_passkey_ticket(body: Mapping[str, Any]) -> PasskeyTicket:
    """Read the body of a ticket: by ``user_id``, or by ``connection_id`` and ``email``. Raises ``BadRequest``."""
    asked = parse(PasskeyTicket, body)
    _names_one(asked)
    return asked


def _names_one(asked: PasswordTicket | PasskeyTicket) -> None:
    by_address = (asked.connection_id is not None, asked.email is not None)
    if by_address not in ((False, False), (True, True)) or any(by_address) == (asked.user_id is not None):
        raise BadRequest("Either user_id, or connection_id and email must be given", path="")


def _no_organization(asked: _Asked) -> None:
    if asked.organization_id is not None:
        raise BadRequest("Organizations are not supported", path="organization_id")
