"""Client grants: which client may ask for which scopes of an API, in its own name or on people's behalf."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules.apis import MANAGEMENT_PATH, MY_ACCOUNT_PATH, SubjectType
from keystead.rules.complaints import parse

_Scope = Annotated[str, Field(min_length=1, max_length=280)]


class NewGrant(BaseModel):
    """The body of ``POST /client-grants``. There are no organizations, so nothing is allowed for any."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    client_id: Annotated[str, Field(min_length=1, max_length=64)]
    audience: Annotated[str, Field(min_length=1, max_length=600)]
    scope: list[_Scope] = []
    subject_type: SubjectType = "client"
    allow_all_scopes: bool = False
    organization_usage: Literal["deny"] = "deny"
    allow_any_organization: Literal[False] = False


class GrantEdit(BaseModel):
    """The body of ``PATCH /client-grants/{id}``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    scope: list[_Scope] | None = None
    allow_all_scopes: bool | None = None
    organization_usage: Literal["deny"] = "deny"
    allow_any_organization: Literal[False] = False


@dataclass(frozen=True, slots=True)
class Granted:
    """What a grant gives: some scopes, or whatever the API has at the time."""

    scope: tuple[str, ...]
    all_scopes: bool


_NOT_HERE: Final[Mapping[str, tuple[object, ...]]] = {
    "authorization_details_types": (None, []),
    "default_for": (None,),
}


def new_grant(body: Mapping[str, Any]) -> NewGrant:
    """Read the body of a grant that is being made. Raises ``BadRequest``."""
    return parse(NewGrant, _taken(body))


def edited(current: Granted, body: Mapping[str, Any]) -> Granted:
    """Return what a PATCH makes of a grant. Raises ``BadRequest``."""
    edit = parse(GrantEdit, _taken(body))
    all_scopes = current.all_scopes if edit.allow_all_scopes is None else edit.allow_all_scopes
    return Granted(current.scope if edit.scope is None else tuple(edit.scope), all_scopes)


def check_subject(identifier: str, subject_type: SubjectType) -> None:
    """Refuse a grant that would give nothing: nobody's login opens the Management API, and no machine has an account.

    Raises ``BadRequest``.
    """
    if (identifier, subject_type) in ((MANAGEMENT_PATH, "user"), (MY_ACCOUNT_PATH, "client")):
        raise BadRequest(f"This API is never opened for subject type {subject_type}", path="subject_type")


def checked(granted: Granted, of_api: Iterable[str], *, named: bool) -> Granted:
    """Return a grant that fits its API; ``named`` where the body lists scopes. Raises ``BadRequest``."""
    if granted.all_scopes:
        if named and granted.scope:
            raise BadRequest("A grant has either scope or allow_all_scopes", path="allow_all_scopes")
        return Granted((), True)
    offered = set(of_api)
    strange = next((scope for scope in granted.scope if scope not in offered), None)
    if strange is not None:
        raise BadRequest(f"The API has no such scope: {strange}", path="scope")
    return Granted(tuple(dict.fromkeys(granted.scope)), False)


def _taken(body: Mapping[str, Any]) -> dict[str, Any]:
    for name, nothing in _NOT_HERE.items():
        if body.get(name) not in nothing:
            raise BadRequest("Keystead does not have this", path=name)
    return {name: value for name, value in body.items() if name not in _NOT_HERE}
