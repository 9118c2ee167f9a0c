"""What a browser is told about the passkeys that it keeps, by how the account is now."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import accounts, connections, passkeys
from keystead.db.session import Database
from keystead.flows.ceremonies import Ceremonies
from keystead.rules.signals import Holder, Signal, of_owner, of_passkey


@dataclass(frozen=True)
class Signals:
    """Looked up when a page or a client is about to say them: nothing is kept of what was said before."""

    db: Database
    ceremonies: Ceremonies

    async def of_owner(self, user_id: str) -> tuple[Signal, ...]:
        """Return what to say to whoever is signed in; nothing of an account that is gone."""
        holder = await self.db.read(self._holder, user_id)
        return of_owner(holder) if holder else ()

    async def of_blocked(self, user_id: str) -> tuple[tuple[Signal, ...], bool]:
        """Return what to say in a browser where a blocked account's passkey answered, and whether it is blocked still.

        Once it is not, its passkeys are listed again, or a provider that hides them would keep their owner out.
        """
        holder = await self.db.read(self._holder, user_id)
        return (of_passkey(holder), holder.blocked) if holder else ((), False)

    def _holder(self, session: Session, user_id: str) -> Holder | None:
        profile = accounts.by_id(session, user_id)
        connection = connections.get(session, profile.connection_id) if profile else None
        if profile is None or connection is None:
            return None
        known: dict[str, tuple[bytes, ...]] = dict.fromkeys(self.ceremonies.relying_party(session).ids, ())
        for each in passkeys.of_account(session, user_id):
            known[each.rp_id] = (*known.get(each.rp_id, ()), each.credential_id)
        precedence = connection.policy().precedence
        return Holder(
            handle=profile.user_handle,
            name=profile.best_identifier(precedence),
            display_name=profile.display_name(precedence),
            passkeys=known,
            blocked=bool(profile.blocked),
        )
