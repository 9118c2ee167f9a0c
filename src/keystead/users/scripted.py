"""The user store of people who live in the customer's own database, and go on living there.

Each has our row all the same, so that passkeys, blocks, sessions and the journal work for everybody. Whatever a script
returns of somebody is mirrored into it; the customer's database stays the truth about who they are (section 5.3).
"""

from dataclasses import dataclass
from typing import Any, Final

from keystead.db import accounts, mirrors, old_passwords
from keystead.db.mirrors import Kept, Mirrored
from keystead.db.session import Database
from keystead.errors import IdentifierTaken, NoSuchUser, ScriptFailed
from keystead.ports import Clock, Entropy, Refused
from keystead.rules import password_policy
from keystead.rules.account_changes import Change, Deleted, NewIdentifier, NewPassword
from keystead.rules.action_scripts import CHANGED_BY, ScriptName
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import Identifier, IdentifierKind
from keystead.rules.profiles import HANDLE_BYTES, Draft, Profile, defaults
from keystead.rules.returned_profiles import MARK, Returned, changes, is_mark, new_account, spelled
from keystead.rules.signups import identifiers_of_profile
from keystead.secrecy import Secret
from keystead.users.customer_database import CustomerDatabase
from keystead.users.extras import Extras
from keystead.users.refused import as_ours

_TRIES: Final = 2


@dataclass(frozen=True)
class ScriptedStore:
    """Asks scripts, and keeps our rows as they say; one value per connection and request."""

    connection_id: str
    options: ConnectionOptions
    there: CustomerDatabase
    db: Database
    extras: Extras
    clock: Clock
    entropy: Entropy

    async def verify(self, identifier: Identifier | None, password: Secret[str]) -> Profile | Refused:
        """Ask the login script. Raises ``ScriptFailed``, ``RefusedByScript``.

        Text that is no identifier here never gets there, nor a password that no policy ever allowed.
        """
        if identifier is None or password_policy.normal(password) is None or not self.options.methods.password.enabled:
            return Refused()
        found = await self.there.login(identifier, password)
        if isinstance(found, Refused):
            return await as_ours(self.db, self.connection_id, found)
        return await self._keep("login", found, has_password=True)

    async def find(self, identifier: Identifier) -> Profile | None:
        """Look somebody up there. Without a ``get_user`` script, as we were told last. Raises ``ScriptFailed``."""
        if not self.there.has("get_user"):
            found = await self.db.read(accounts.by_identifier, self.connection_id, identifier)
            return found.profile if found else None
        returned = await self._asked(identifier)
        return await self._keep("get_user", returned) if returned else None

    async def has(self, user_id: str) -> bool:
        """Whether they are there still, by their id where scripts get ``context``. Raises ``ScriptFailed``."""
        if not self.there.has("get_user"):
            return True
        known = await self.db.read(mirrors.known, user_id)
        if known is None or known.profile.connection_id != self.connection_id:
            return False
        returned = await self._again(known)
        if returned is None:
            return False
        await self._keep("get_user", returned)
        return True

    async def create(self, draft: Draft, password: Secret[str] | None) -> Profile:
        """See that nobody is there, have somebody created, and ask for their profile (CD-6).

        Raises ``WeakPassword``, ``IdentifierTaken``, ``ScriptFailed``, ``RefusedByScript``, ``OperationNotSupported``.
        """
        if password is not None:
            person = draft.model_dump() | defaults(draft) | {each.kind: each.value for each in draft.identifiers}
            password_policy.check(password, self.options, person)
        await self._check_free(draft)
        returned = await self.there.create(draft, password)
        script: ScriptName = "create"
        if returned is None:
            script, returned = await self._after_creating(draft, password)
        if script != "login" and await self.db.read(mirrors.known, returned.user_id) is not None:
            # A script that updates whom it should create: whoever signs up has proved nothing of that account.
            raise ScriptFailed(script, detail="it returned the id of an account that is there already")
        profile = await self._keep(script, returned, draft=draft, has_password=password is not None)
        if draft.email_verified and profile.email and self.there.has("verify"):
            await self.there.verified(profile.email)
        return profile

    async def prepare(self, profile: Profile, password: Secret[str]) -> str:
        """Return another mark, so that links to the password before are used up. Raises ``WeakPassword``.

        What passwords there were is not known here, so there is no history.
        """
        password_policy.check(password, self.options, profile.model_dump())
        return self._mark()

    async def pass_on(self, profile: Profile, change: Change) -> None:
        """Run the script that a change is for.

        An address that is verified needs none: without, it is verified here alone. Raises ``ScriptFailed``,
        ``RefusedByScript``, ``OperationNotSupported``.
        """
        if isinstance(change, Deleted):
            await self.there.delete(profile.local_id)
        elif isinstance(change, NewPassword):
            await self.there.change_password(await self._text(profile, "change_password"), change.password)
        elif isinstance(change, NewIdentifier):
            before = await self._text(
                profile.having({change.kind: change.before}), CHANGED_BY[change.kind], change.kind
            )
            await self.there.change_identifier(change.kind, before, change.after or "", verified=change.verified)
        elif change.kind == "email" and self.there.has("verify"):
            await self.there.verified(change.value)

    async def set_password(self, user_id: str, password: Secret[str]) -> None:
        """Replace a password. Raises ``WeakPassword``, ``NoSuchUser``, ``ScriptFailed``, ``RefusedByScript``."""
        profile = await self.db.read(accounts.by_id, user_id)
        if profile is None:
            raise NoSuchUser
        mark = await self.prepare(profile, password)
        await self.pass_on(profile, NewPassword(password))
        await self.db.write(old_passwords.replace, user_id, mark, self.clock(), size=0)

    async def delete(self, user_id: str) -> None:
        """Remove somebody there, then here. Raises ``ScriptFailed``, ``RefusedByScript``, ``OperationNotSupported``."""
        profile = await self.db.read(accounts.by_id, user_id)
        if profile is not None:
            await self.pass_on(profile, Deleted())
            await self.db.write(accounts.remove, user_id)

    async def _check_free(self, draft: Draft) -> None:
        for each in draft.identifiers:
            if await self.find(each) is not None:
                raise IdentifierTaken(each.kind)

    async def _after_creating(self, draft: Draft, password: Secret[str] | None) -> tuple[ScriptName, Returned]:
        """Return the profile of somebody who was just created: the login script has it, or ``get_user``."""
        first, script = draft.identifiers[0], "login" if password is not None else "get_user"
        found = await (self.there.login(first, password) if password is not None else self.there.find(first))
        if found is None or isinstance(found, Refused):
            raise ScriptFailed(script, detail="it does not know whom the create script has made")
        return ("login" if password is not None else "get_user"), found

    async def _asked(self, identifier: Identifier) -> Returned | None:
        """Look somebody up as they are spelled there: by what was typed, or as the script returned it before."""
        if identifier.typed:
            return await self.there.find(identifier)
        known = await self.db.read(mirrors.holder, self.connection_id, identifier)
        return await self.there.find(self._as_spelled(known, identifier))

    async def _again(self, known: Mirrored) -> Returned | None:
        """Look up whom we know. Somebody else who has their identifier by now is not they."""
        profile = known.profile
        if self.options.enable_script_context:
            return await self.there.find_by_id(profile.local_id)
        first = next(iter(identifiers_of_profile(profile)), None)
        found = await self.there.find(self._as_spelled(known, first)) if first else None
        return found if found and found.user_id == profile.user_id else None

    def _as_spelled(self, known: Mirrored | None, identifier: Identifier) -> Identifier:
        extras = self.extras.opened(known.sealed_extras) if known else {}
        return Identifier(identifier.kind, identifier.value, typed=spelled(extras, identifier))

    async def _text(self, profile: Profile, script: ScriptName, kind: IdentifierKind | None = None) -> str:
        """Return the identifier by which a script finds somebody: of a kind, or the first that they have."""
        own = [each for each in identifiers_of_profile(profile) if kind in (None, each.kind)]
        if not own:
            raise ScriptFailed(script, detail="the account has no identifier to find it by")
        return self._as_spelled(await self.db.read(mirrors.known, profile.user_id), own[0]).as_typed

    async def _keep(
        self, script: ScriptName, found: Returned, *, draft: Draft | None = None, has_password: bool | None = None
    ) -> Profile:
        """Bring our row up to date, in one write, and none where it is.

        Raises ``ScriptFailed`` for an id that is somebody's of another connection: ids are everybody's, and a script
        must not open an account that it never knew (CD-10). And for whoever was deleted while the script ran: to meet
        them anew would undo the deletion.
        """
        for _ in range(_TRIES):
            known = await self.db.read(mirrors.known, found.user_id)
            if known is not None and known.profile.connection_id != self.connection_id:
                break
            try:
                if known is None:
                    return await self._meet(found, draft, has_password)
                kept = await self._follow(known, found, has_password)
            except IdentifierTaken:
                continue  # somebody made it meanwhile
            if kept is None:
                raise ScriptFailed(script, detail="the account was deleted meanwhile")
            return kept
        raise ScriptFailed(script, detail=f"the user_id {found.local_id[:100]} is another connection's")

    async def _meet(self, found: Returned, draft: Draft | None, has_password: bool | None) -> Profile:
        account = new_account(found, self.options, draft)
        if account.user_handle is None:
            account = account.model_copy(update={"user_handle": self.entropy.bytes(HANDLE_BYTES)})
        mark = None if has_password is False else self._mark()
        kept = Kept(mark, found.others, self.extras.sealed(found.extras))
        return await self.db.write(mirrors.meet, self.connection_id, account, kept, self.clock())

    async def _follow(self, known: Mirrored, found: Returned, has_password: bool | None) -> Profile | None:
        values: dict[str, Any] = changes(found, known.profile, self.options)
        if has_password and not is_mark(known.password_hash):
            # A hash of ours would be of an older password, on the day that people move here.
            values["password_hash"] = self._mark()
        before = self.extras.opened(known.sealed_extras)
        # Tokens stay until there are others: get_user has none, as a rule.
        after = {name: value for name, value in before.items() if name != "as_spelled"} | dict(found.extras)
        if after != before:
            values["sealed_extras"] = self.extras.sealed(after)
        if not values:
            return known.profile
        shared = self.options.shared_kinds()
        return await self.db.write(mirrors.follow, found.user_id, values, self.clock(), shared=shared)

    def _mark(self) -> str:
        return MARK + self.entropy.token(16)
