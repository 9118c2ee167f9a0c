"""An API as a value (Auth0's resource server): an audience, its scopes, and who may ask for them."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import BadRequest, OperationNotSupported
from keystead.rules.complaints import complaint
from keystead.rules.oauth import OIDC_SCOPES
from keystead.rules.signing_keys import Algorithm

UserPolicy = Literal["allow_all", "deny_all", "require_client_grant"]
ClientPolicy = Literal["deny_all", "require_client_grant"]
SubjectType = Literal["client", "user"]

MANAGEMENT_PATH: Final = "/api/v2/"
MY_ACCOUNT_PATH: Final = "/me/"
"""The identifiers of our own APIs, as they are stored."""

WEB_LIFETIME: Final = 7200
"""Seconds: what ``token_lifetime_for_web`` is where nobody said."""

_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_IDENTIFIER: Final = re.compile(r"[^\s<>]{1,600}")


def _scope(value: str) -> str:
    if not _SCOPE.fullmatch(value):
        raise ValueError("must be ASCII without spaces, quotes or backslashes")  # RFC 6749 §3.3
    if value in OIDC_SCOPES:
        raise ValueError(f"{value} is a scope of OpenID Connect, which no API has for its own")
    return value


class ApiScope(BaseModel):
    """Something that may be asked for, and what it means to people."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    value: Annotated[str, Field(min_length=1, max_length=280), AfterValidator(_scope)]
    description: Annotated[str, Field(max_length=500)] = ""


def _each_once(scopes: list[ApiScope]) -> list[ApiScope]:
    seen: set[str] = set()
    for scope in scopes:
        if scope.value in seen:
            raise ValueError(f"{scope.value} is there twice")
        seen.add(scope.value)
    return scopes


class ForPeople(BaseModel):
    """``subject_type_authorization.user``: which clients may ask for the API on a person's behalf."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    policy: UserPolicy = "allow_all"


class ForClients(BaseModel):
    """``subject_type_authorization.client``: which clients may ask for it in their own name."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    policy: ClientPolicy = "require_client_grant"


class Subjects(BaseModel):
    """``subject_type_authorization``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    user: ForPeople = ForPeople()
    client: ForClients = ForClients()


class ApiSettings(BaseModel):
    """Everything about an API but its id and identifier; lifetimes in seconds (TK-1)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^<>]+$")]
    scopes: Annotated[list[ApiScope], Field(max_length=1000), AfterValidator(_each_once)] = []
    signing_alg: Algorithm = "RS256"
    token_lifetime: Annotated[int, Field(ge=1, le=2_592_000)] = 86_400
    token_lifetime_for_web: Annotated[int, Field(ge=1, le=2_592_000)] = WEB_LIFETIME
    allow_offline_access: bool = False
    skip_consent_for_verifiable_first_party_clients: bool = True
    token_dialect: Literal["access_token", "rfc9068_profile"] = "access_token"  # noqa: S105 - the name of a form
    subject_type_authorization: Subjects = Subjects()


_NOT_HERE: Final[Mapping[str, str]] = {
    "signing_secret": "Keystead signs access tokens with keys that everybody can check, never with a shared secret",
    "enforce_policies": "Keystead has no roles and permissions of people yet",
    "allow_online_access": "Keystead issues no online refresh tokens",
    "allow_online_access_with_ephemeral_sessions": "Keystead issues no online refresh tokens",
    "token_encryption": "Keystead does not encrypt access tokens",
    "consent_policy": "Keystead does not authorize single transactions",
    "authorization_details": "Keystead does not authorize single transactions",
    "authorization_policy": "Keystead has no authorization policies",
}
"""Members of Auth0's that would change what a token may do: refused where they are set, never kept in silence."""

_SWITCHED_OFF: Final[tuple[object, ...]] = (None, False, [], {})
_OF_OURS: Final = frozenset(
    ("signing_alg", "token_lifetime", "token_lifetime_for_web", "skip_consent_for_verifiable_first_party_clients")
)
"""What may change of an API that is Keystead's own."""


def stored_identifier(audience: str, public_url: str) -> str:
    """Return the identifier of an audience as it is stored: ours by path. A bare path is nobody's."""
    if audience.startswith("/"):
        return ""
    return audience.removeprefix(public_url) if audience.startswith(f"{public_url}/") else audience


def new_api(body: Mapping[str, Any], public_url: str) -> tuple[str, ApiSettings]:
    """Return the identifier and the settings of an API that is being made. Raises ``BadRequest``."""
    given = dict(body)
    identifier = given.pop("identifier", None)
    if identifier is None:
        raise BadRequest("Missing required property: identifier", path="")
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier) or not identifier.isprintable():
        raise BadRequest("must be 1 to 600 characters without spaces", path="identifier")
    if identifier.startswith(("/", f"{public_url}/")) or identifier == public_url:
        # ``{public_url}/userinfo`` as somebody's API would open ours with tokens made for theirs.
        raise BadRequest("Identifiers below Keystead's own URL are its own", path="identifier")
    return identifier, _checked({"name": identifier[:200]} | _taken(given), given)


def patch_api(current: ApiSettings, body: Mapping[str, Any], *, is_system: bool) -> ApiSettings:
    """Return what a PATCH makes of an API: named members are replaced, ``null`` resets them.

    Raises ``BadRequest``, and ``OperationNotSupported`` for what must stay as it is of an API that is our own.
    """
    merged = current.model_dump(mode="json", exclude_unset=True) | _taken(body)
    chosen = body.get("subject_type_authorization")
    if isinstance(chosen, dict):
        merged["subject_type_authorization"] = current.subject_type_authorization.model_dump(mode="json") | chosen
    settings = _checked({name: value for name, value in merged.items() if value is not None}, body)
    changed = {name for name in ApiSettings.model_fields if getattr(current, name) != getattr(settings, name)}
    if is_system and not changed <= _OF_OURS:
        raise OperationNotSupported(f"The API is Keystead's own. Only these change: {', '.join(sorted(_OF_OURS))}.")
    return settings


def _taken(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are ours to keep. Raises ``BadRequest`` for what we could not honour."""
    for name, why in _NOT_HERE.items():
        if body.get(name) not in _SWITCHED_OFF:
            raise BadRequest(why, path=name)
    algorithm, dialect, proof = (body.get(each) for each in ("signing_alg", "token_dialect", "proof_of_possession"))
    if algorithm in ("HS256", "RS512", "PS256"):
        raise BadRequest(f"Keystead signs with RS256, ES256 or Ed25519, not with {algorithm}", path="signing_alg")
    if dialect in ("access_token_authz", "rfc9068_profile_authz"):
        raise BadRequest("Keystead has no permissions to put into access tokens yet", path="token_dialect")
    if proof is not None and (not isinstance(proof, dict) or proof.get("required") is not False):
        raise BadRequest("Keystead's access tokens are bearer tokens", path="proof_of_possession.required")
    return {name: value for name, value in body.items() if name not in (*_NOT_HERE, "proof_of_possession")}


def _checked(given: Mapping[str, Any], body: Mapping[str, Any]) -> ApiSettings:
    try:
        settings = ApiSettings.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise complaint(error) from None
    if body.get("token_lifetime_for_web") is not None and settings.token_lifetime_for_web > settings.token_lifetime:
        raise BadRequest("must not be greater than token_lifetime", path="token_lifetime_for_web")
    return settings


def offered_scopes(of_api: Iterable[str], granted: tuple[str, ...], *, all_scopes: bool) -> tuple[str, ...]:
    """Return what a client grant is worth today: what the API has no more, no grant gives."""
    return tuple(scope for scope in of_api if all_scopes or scope in granted)
