"""``/userinfo``: the claims that a token's scope opens, about the person as they are now."""

from dataclasses import dataclass
from typing import Any

from keystead.db import accounts
from keystead.db.session import Database
from keystead.errors import InvalidToken, UserBlocked
from keystead.oauth.issue import ACCESS_TYPE, Issuer
from keystead.oauth.keys import KeyRing
from keystead.rules.claims import about


@dataclass(frozen=True)
class UserInfo:
    """Answers for tokens that were given for it (audience) with ``openid``."""

    db: Database
    keys: KeyRing
    issuer: Issuer

    async def __call__(self, token: str) -> dict[str, Any]:
        """Return the claims. Raises ``InvalidToken``, also once the account is gone or blocked."""
        claims = await self.keys.verify(token, ACCESS_TYPE)
        audience, scope = claims.get("aud"), str(claims.get("scope", "")).split()
        audiences = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != self.issuer.name or self.issuer.userinfo_audience not in audiences:
            raise InvalidToken(detail="for another audience")
        if "openid" not in scope:
            raise InvalidToken(detail="without openid")
        profile = await self.db.read(accounts.by_id, str(claims.get("sub")))
        if profile is None or profile.blocked:
            raise InvalidToken(detail=UserBlocked.code if profile else "the account is gone")
        return {"sub": profile.user_id} | about(profile, scope, self.issuer.public_url)
