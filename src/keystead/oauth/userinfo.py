"""``/userinfo``: the claims that a token's scope opens, about the person as they are now."""

from dataclasses import dataclass
from typing import Any

from keystead.errors import InvalidToken
from keystead.oauth.bearers import Bearers
from keystead.rules.claims import about


@dataclass(frozen=True)
class UserInfo:
    """Answers for tokens that were given for it (audience) with ``openid``."""

    bearers: Bearers

    async def __call__(self, token: str) -> dict[str, Any]:
        """Return the claims. Raises ``InvalidToken``."""
        issuer = self.bearers.issuer
        bearer, profile = await self.bearers.person(token, issuer.userinfo_audience)
        if "openid" not in bearer.scope:
            raise InvalidToken(detail="without openid")
        return {"sub": profile.user_id} | about(profile, sorted(bearer.scope), issuer.public_url)
