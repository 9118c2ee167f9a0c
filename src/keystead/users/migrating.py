"""The user store of people who are on the way from the customer's own database to here (auth0-behaviour, MG-1 to MG-8).

Made of the other two: who is here is looked up here alone, and whoever is not is asked for there, once. What is kept
of whom is decided by ``rules/returned_profiles``, and who was first by the primary keys of our tables.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keystead.db.accounts import Known
from keystead.db.mirrors import Kept
from keystead.errors import IdentifierTaken, ScriptFailed
from keystead.ports import Refused
from keystead.rules import password_policy
from keystead.rules.account_changes import Change
from keystead.rules.action_scripts import ScriptName
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import Draft, Profile
from keystead.rules.returned_profiles import Returned, is_mark, new_account, spelled, unproved
from keystead.secrecy import Secret
from keystead.users.customer_database import CustomerDatabase
from keystead.users.extras import Extras
from keystead.users.hosted import HostedStore
from keystead.users.refused import as_ours

Note = Callable[[Identifier, Secret[str], Profile | Refused], None]
"""Is told of each verdict on a password of ours, and returns at once (``flows/shadow``)."""


@dataclass(frozen=True)
class MigratingStore:
    """Here first; else there, and here from then on; one value per connection and request."""

    hosted: HostedStore
    there: CustomerDatabase
    extras: Extras
    note: Note

    async def verify(self, identifier: Identifier | None, password: Secret[str]) -> Profile | Refused:
        """Compare with our hash where we have one; else ask the login script, and adopt whom it knows.

        Raises ``ScriptFailed`` and ``RefusedByScript``, ``Busy``.
        """
        known = await self.hosted.known(identifier) if identifier is not None else None
        if identifier is None or not self._asks(known, password):
            return await self._compared_here(known, identifier, password)
        found = await self.there.login(identifier, password)
        if isinstance(found, Refused):
            return await as_ours(self.hosted.db, self.hosted.connection_id, found)
        if known is None:
            return await self._adopt(found, identifier, password)
        if known.profile.user_id != found.user_id:
            raise ScriptFailed("login", detail="the user_id of this person is not what it was before")
        if await self.hosted.take_over(known, password):
            return known.profile
        return await self.hosted.verify(identifier, password)

    async def find(self, identifier: Identifier) -> Profile | None:
        """Look somebody up here, else there: then they are adopted without a password (MG-2). Raises ``ScriptFailed``.

        The password stays where it is until it is used or replaced: a reset, which anybody may ask for in anybody's
        name, takes nobody's password away.
        """
        profile = await self.hosted.find(identifier)
        if profile is not None:
            return profile
        found = await self.there.find(identifier)
        if found is None:
            return None
        try:
            return await self._make(found, None, identifier)
        except IdentifierTaken as taken:
            await self._check_foreign("get_user", found, taken)
            return await self.hosted.find(identifier)

    async def has(self, user_id: str) -> bool:
        """Whoever reads the account finds out."""
        return await self.hosted.has(user_id)

    async def create(self, draft: Draft, password: Secret[str] | None) -> Profile:
        """Create somebody here who is neither here nor there.

        Raises ``WeakPassword``, ``IdentifierTaken``, ``InvalidSignup``, ``Busy``, ``ScriptFailed``.
        """
        for each in draft.identifiers:
            holder = await self.find(each)
            if holder is not None and (each.kind not in draft.proved or holder.is_verified(each.kind)):
                raise IdentifierTaken(each.kind)
        return await self.hosted.create(draft, password)

    async def prepare(self, profile: Profile, password: Secret[str]) -> str:
        """Return the hash of a new password. Raises ``WeakPassword``, ``Busy``."""
        return await self.hosted.prepare(profile, password)

    async def pass_on(self, profile: Profile, change: Change) -> None:
        """Nothing is told to the database that people come from (MG-3)."""

    async def set_password(self, user_id: str, password: Secret[str]) -> None:
        """Replace a password here. Raises ``WeakPassword``, ``NoSuchUser``, ``Busy``."""
        await self.hosted.set_password(user_id, password)

    async def delete(self, user_id: str) -> None:
        """Remove an account here; whoever is there still comes back at their next login (MG-4)."""
        await self.hosted.delete(user_id)

    async def _compared_here(
        self, known: Known | None, identifier: Identifier | None, password: Secret[str]
    ) -> Profile | Refused:
        """Compare with our hash, and tell of it where there is one that counts."""
        verdict = await self.hosted.verify(identifier, password)
        if identifier is not None and known is not None and self._is_ours(known):
            self.note(identifier, password, verdict)
        return verdict

    def _is_ours(self, known: Known) -> bool:
        stored = known.password_hash
        return stored is not None and not is_mark(stored) and self.hosted.options.methods.password.enabled

    def _asks(self, known: Known | None, password: Secret[str]) -> bool:
        """Whether the password of somebody is kept there, as far as is known here."""
        if password_policy.normal(password) is None or not self.hosted.options.methods.password.enabled:
            return False
        return known is None or is_mark(known.password_hash)

    async def _adopt(self, found: Returned, identifier: Identifier, password: Secret[str]) -> Profile | Refused:
        """Make an account with the password that was right there.

        Of two first logins at once one is first, and the other is held against the account that it made. So is whoever
        was adopted before under another identifier: the password that counts is ours.
        """
        try:
            return await self._make(found, password, identifier)
        except IdentifierTaken as taken:
            await self._check_foreign("login", found, taken)
            return await self.hosted.verify(identifier, password)

    async def _make(self, found: Returned, password: Secret[str] | None, found_by: Identifier) -> Profile:
        """Make an account with what was typed, what is verified, and what ``get_user`` finds the same person by."""
        kept = Kept(None, found.others, self.extras.sealed(found.extras))
        draft = new_account(found, self.hosted.options, None)
        asked = unproved(draft, found_by, self.hosted.options.stored_attributes())
        others = {each.kind for each in asked if not await self._is_theirs(found, each)}
        given = tuple(each for each in draft.identifiers if each.kind not in others)
        if not given:
            raise ScriptFailed("login" if password else "get_user", detail="it returned nothing that finds this person")
        return await self.hosted.adopt(draft.model_copy(update={"identifiers": given}), password, kept)

    async def _is_theirs(self, found: Returned, identifier: Identifier) -> bool:
        asked = Identifier(identifier.kind, identifier.value, typed=spelled(found.extras, identifier))
        holder = await self.there.find(asked)
        return holder is not None and holder.user_id == found.user_id

    async def _check_foreign(self, script: ScriptName, found: Returned, taken: IdentifierTaken) -> None:
        """Refuse an id that is an account's of another connection (CD-10). Raises ``ScriptFailed``."""
        if taken.attribute == "user_id" and not await self.hosted.owns(found.user_id):
            raise ScriptFailed(script, detail=f"the user_id {found.local_id[:100]} is another connection's")
