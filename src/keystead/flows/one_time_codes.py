"""Six digits that were sent to somebody: they prove that whoever types them reads what is sent there (VF-2, ID-20)."""

import hmac
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import one_time_codes
from keystead.db.session import Database
from keystead.errors import WrongCode
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.messages import CODE_DIGITS, CODE_LIFETIME, CODE_TRIES

_PURPOSE = "one-time-codes"


@dataclass(frozen=True)
class OneTimeCodes:
    """A code is bound to a handle that only its page knows; a dump of the database holds none (keyed hashes)."""

    db: Database
    sealer: Sealer
    clock: Clock
    entropy: Entropy

    def issue(self, session: Session, handle: str, record: dict[str, Any]) -> str:
        """Make a code as a part of a unit of work, and return it. An older one of the handle stops working.

        ``record`` is what whoever knows the code has shown. Where there is nobody to send it to, it is made all the
        same and thrown away, so that the page behaves the same.
        """
        # 64 bits modulo a million: the bias is below one in ten billion.
        code = f"{int.from_bytes(self.entropy.bytes(8)) % 10**CODE_DIGITS:0{CODE_DIGITS}}"
        one_time_codes.put(session, handle, self._mac(handle, code), record, self.clock() + CODE_LIFETIME)
        return code

    async def check(self, handle: str, typed: str) -> dict[str, Any]:
        """Return the record of a code, once. Raises ``WrongCode`` for a wrong, used, late or tired one alike."""
        digits = "".join(char for char in typed[:40] if char in "0123456789")
        found = await self.db.write(one_time_codes.guess, handle, CODE_TRIES, self.clock())
        if found is None:
            raise WrongCode(detail="no code, late, or too many guesses")
        if not hmac.compare_digest(found.mac, self._mac(handle, digits)):
            raise WrongCode(detail="another code")
        if not await self.db.write(one_time_codes.take, handle, found.mac):
            raise WrongCode(detail="used meanwhile")
        return found.record

    def _mac(self, handle: str, code: str) -> str:
        return self.sealer.fingerprint(f"{handle}/{code}", _PURPOSE)
