"""What is said about administrators: an invitation, a change, and when the last owner is in the way."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.authority import Role
from keystead.rules.complaints import parse

SETUP_LIFETIME: Final = timedelta(days=7)
"""How long the link lives that makes an administrator of whoever opens it."""

RECOVERY_LIFETIME: Final = timedelta(hours=1)
"""How long one lives that was made in the shell: whoever asked for it is there."""

TOKEN_LIFETIME: Final = timedelta(hours=8)
"""The longest life of an administrator's token. There is no refresh token: a session on our pages gives the next."""


class Invitation(BaseModel):
    """The body of ``POST /keystead/administrators``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    email: Annotated[str, Field(min_length=1, max_length=320)]
    role: Role


class AdministratorEdit(BaseModel):
    """The body of ``PATCH /keystead/administrators/{id}``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    role: Role | None = None
    blocked: bool | None = None


def read_invitation(body: Mapping[str, Any]) -> Invitation:
    """Read the body of an invitation. Raises ``BadRequest`` by path."""
    return parse(Invitation, body)


def read_administrator_edit(body: Mapping[str, Any]) -> AdministratorEdit:
    """Read the body of a change. Raises ``BadRequest`` by path."""
    edit = parse(AdministratorEdit, body)
    if edit.role is None and edit.blocked is None:
        raise BadRequest("Either role or blocked must be given", path="")
    return edit
