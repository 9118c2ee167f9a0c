"""People who are kept in the customer's own database, as everything meets them that is no login (section 5.1).

Two things are done there, and both wait for a script: before accounts are read by identifier, our row for whoever it is
is brought up to date; and after something was committed here, the customer's database is told of it. So what is
single-use was claimed first, and no transaction is open meanwhile. Where people live here, nothing happens at all.
"""

from dataclasses import dataclass
from typing import Final

from keystead.db import journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import RefusedByScript, ScriptFailed
from keystead.flows.directory import StoreFor
from keystead.flows.refusals import told
from keystead.rules.account_changes import Change, NewPassword
from keystead.rules.events import Event
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Profile
from keystead.rules.signups import identifiers_of_profile

_NOT_NOW: Final = "That is not possible at the moment. Try again in a few minutes."
_NO_PASSWORD: Final = "Your password was not changed. Begin again in a few minutes."  # noqa: S105 - a text
_NOT_VERIFIED: Final = "Nothing was confirmed. Sign in, and you are sent a new link."


@dataclass(frozen=True)
class PeopleElsewhere:
    """Speaks with the store of a connection; what a script did not do is written down, and said."""

    db: Database
    store_for: StoreFor

    async def bring(
        self, connection: ConnectionRecord, identifier: Identifier | None, failure: Event | None = None
    ) -> Profile | None:
        """Bring our row for whoever has an identifier up to date, and return it. Charge before.

        A script runs for somebody and for nobody alike: how long that takes is up to the customer's database.
        ``failure`` is what is written down where it fails. Raises ``ScriptFailed``.
        """
        if identifier is None:
            return None
        try:
            return await self.store_for(connection).find(identifier)
        except ScriptFailed as failed:
            if failure is not None:
                await self.db.write(journal.add, told(failure, failed))
            failed.text = _NOT_NOW
            raise

    async def bring_unseen(self, connection: ConnectionRecord, identifier: Identifier | None, failure: Event) -> bool:
        """The same for somebody who may be a stranger, and must not see whether there is anybody.

        A script that answered with an error may have done so because of whom it found: that is written down, and not
        said. One that did not answer at all fails for everybody alike. Return whether something was written down.
        Raises ``ScriptFailed``.
        """
        try:
            await self.bring(connection, identifier, failure)
        except ScriptFailed as failed:
            if failed.facts.get("unanswered"):
                raise
            return True
        return False

    async def again(
        self,
        connection: ConnectionRecord,
        profile: Profile,
        failure: Event | None = None,
        *,
        identifier: Identifier | None = None,
    ) -> Profile | None:
        """Bring somebody up to date whom we know; ``None`` for whoever is gone there, or is somebody else by now.

        They are looked up by ``identifier``, or by the first that they have: an address that they have lost there must
        open nothing here. Raises ``ScriptFailed``.
        """
        if connection.policy().store != "scripted":
            return profile
        known_by = identifier or next(iter(identifiers_of_profile(profile)), None)
        found = await self.bring(connection, known_by, failure)
        return found if found and found.user_id == profile.user_id else None

    async def has(self, connection: ConnectionRecord, user_id: str) -> bool:
        """Whether the store still has somebody whose passkey we hold; our row is up to date then (PK-4).

        Raises ``ScriptFailed``.
        """
        return await self.store_for(connection).has(user_id)

    async def tell(self, connection: ConnectionRecord, profile: Profile, change: Change, failure: Event) -> None:
        """Tell the customer's database of what was committed; ``failure`` is what is written down where that fails.

        Raises ``ScriptFailed`` with a text for people, ``RefusedByScript`` with the script's own.
        """
        try:
            await self.store_for(connection).pass_on(profile, change)
        except (ScriptFailed, RefusedByScript) as refusal:
            await self.db.write(journal.add, told(failure, refusal))
            if isinstance(refusal, ScriptFailed):
                refusal.text = _NO_PASSWORD if isinstance(change, NewPassword) else _NOT_VERIFIED
            refusal.because(spent=True)
            raise
