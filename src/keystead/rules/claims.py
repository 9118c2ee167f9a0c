"""What goes into ID tokens, access tokens and the answer of ``/userinfo``."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from keystead.rules.oauth import absolute
from keystead.rules.profiles import Profile

Claims = dict[str, Any]


def about(profile: Profile, scope: Sequence[str], public_url: str) -> Claims:
    """Return the claims about a person that a scope opens (OpenID Connect Core §5.4, auth0-behaviour 2.4)."""
    claims: Claims = {}
    if "profile" in scope:
        claims |= {
            "nickname": profile.nickname,
            "name": profile.name,
            "given_name": profile.given_name,
            "family_name": profile.family_name,
            "picture": absolute(profile.picture, public_url) if profile.picture else None,
            "updated_at": iso(profile.updated_at),
        }
        if profile.username:
            claims |= {"preferred_username": profile.username, "username": profile.username}
    if "email" in scope and profile.email:
        claims |= {"email": profile.email, "email_verified": profile.email_verified}
    if "phone" in scope and profile.phone_number:
        # phone_verified beside the standard claim: Auth0's profiles call it so (auth0-behaviour 6 #34).
        claims |= {
            "phone_number": profile.phone_number,
            "phone_number_verified": profile.phone_verified,
            "phone_verified": profile.phone_verified,
        }
    if "address" in scope:
        claims["address"] = _address(profile.user_metadata)
    return {name: value for name, value in claims.items() if value is not None}


_ADDRESS: Final = ("formatted", "street_address", "locality", "region", "postal_code", "country")


def _address(metadata: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return the postal address that is kept as ``user_metadata.address`` (OpenID Connect Core §5.1.1)."""
    kept = (metadata or {}).get("address")
    if not isinstance(kept, dict):
        return None
    return {name: kept[name] for name in _ADDRESS if isinstance(kept.get(name), str)} or None


def timed(now: datetime, lifetime: timedelta) -> Claims:
    """Return ``iat`` and ``exp``, in seconds."""
    issued = int(now.timestamp())
    return {"iat": issued, "exp": issued + int(lifetime.total_seconds())}


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return a time for our own eyes: whole seconds cannot tell a login before a sign-out from one right after it."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """Read what ``microseconds`` wrote."""
    return _EPOCH + count * _MICROSECOND


def iso(moment: datetime) -> str:
    """Return a time as the wire writes it: ISO 8601, UTC, milliseconds and ``Z``."""
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
