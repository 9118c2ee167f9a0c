"""Six digits that were sent to somebody: they prove that whoever types them reads what is sent there (VF-2, ID-20)."""

import hmac
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from keystead.db import one_time_codes
from keystead.db.session import Database
from keystead.errors import WrongCode
from keystead.flows.protection import Protection
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.buckets import Bucket, CodesTo, all_codes_bucket, guesses_bucket
from keystead.rules.events import Caller
from keystead.rules.identifiers import Identifier
from keystead.rules.messages import CODE_DIGITS, CODE_LIFETIME, CODE_TRIES, LONG_CODE_DIGITS

_PURPOSE = "one-time-codes"


@dataclass(frozen=True, slots=True)
class RightGuess:
    """A code that somebody knows, and what that shows."""

    handle: str
    mac: str
    record: dict[str, Any]


@dataclass(frozen=True)
class OneTimeCodes:
    """A code is bound to a handle that only its page knows; a dump of the database holds none (keyed hashes)."""

    db: Database
    protection: Protection
    sealer: Sealer
    clock: Clock
    entropy: Entropy

    def issue(
        self,
        session: Session,
        handle: str,
        record: dict[str, Any],
        *,
        lifetime: timedelta = CODE_LIFETIME,
        guesses: Bucket | None = None,
        long: bool = False,
    ) -> str:
        """Make a code as a part of a unit of work, and return it. An older one of the handle stops working.

        ``record`` is what whoever knows the code has shown. Where there is nobody to send it to, it is made all the
        same and thrown away, so that the page behaves the same. ``guesses`` is what guesses are charged to beside the
        code's own five; a ``long`` code needs neither.
        """
        digits = LONG_CODE_DIGITS if long else CODE_DIGITS
        # 128 bits modulo 10^16 at most: no code is likelier than another by more than one in 10^22.
        code = f"{int.from_bytes(self.entropy.bytes(16)) % 10**digits:0{digits}}"
        record = record | {"guesses": asdict(guesses) if guesses and not long else None}
        one_time_codes.put(session, handle, self._mac(handle, code), record, self.clock() + lifetime)
        return code

    async def may_be_short(self, to: CodesTo, connection_id: str, identifier: Identifier) -> bool:
        """Whether six digits may be sent: not too many a day, and none while they are being guessed at."""
        guesses, sent = (each(to, connection_id, identifier) for each in (guesses_bucket, all_codes_bucket))
        return await self.protection.has_room(guesses) and await self.protection.allows(sent)

    async def check(self, handle: str, typed: str, caller: Caller) -> dict[str, Any]:
        """Return the record of a code, once. Raises ``WrongCode`` for a wrong, used, late or tired one alike.

        Raises ``AddressBlocked``.
        """
        right = await self.guess(handle, typed, caller)
        if not await self.db.write(self.use, right):
            raise WrongCode(detail="used meanwhile")
        return right.record

    async def guess(self, handle: str, typed: str, caller: Caller) -> RightGuess:
        """Charge a guess to its address and to the code, and compare it. The code is there until somebody uses it.

        Raises ``WrongCode``, ``AddressBlocked``.
        """
        async with self.protection.presenting(caller, {}) as attempt:
            right = await self._compared(handle, typed)
            attempt.right = True
        return right

    async def _compared(self, handle: str, typed: str) -> RightGuess:
        digits = "".join(char for char in typed[:40] if char in "0123456789")
        found = await self.db.write(one_time_codes.guess, handle, CODE_TRIES, self.clock())
        if found is None:
            raise WrongCode(detail="no code, late, or too many guesses")
        charged_to = found.record.pop("guesses", None)
        if charged_to and not await self.protection.allows(Bucket(**charged_to)):
            raise WrongCode(detail="too many guesses at codes of the account")
        if not hmac.compare_digest(found.mac, self._mac(handle, digits)):
            raise WrongCode(detail="another code")
        return RightGuess(handle, found.mac, found.record)

    def use(self, session: Session, right: RightGuess) -> bool:
        """Use a code up as a part of a unit of work: of any number of right guesses, one gets ``True``."""
        return one_time_codes.take(session, right.handle, right.mac)

    def _mac(self, handle: str, code: str) -> str:
        return self.sealer.fingerprint(f"{handle}/{code}", _PURPOSE)
