"""The user store of people who live here."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from keystead.db import accounts, census, connections, mirrors, old_passwords
from keystead.db.accounts import Known
from keystead.db.mirrors import Kept
from keystead.db.session import Database
from keystead.errors import InvalidSignup, NoSuchUser
from keystead.ports import Clock, Entropy, Hasher, Refused
from keystead.rules import password_policy
from keystead.rules.account_changes import Change
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import Identifier
from keystead.rules.profiles import HANDLE_BYTES, Draft, Profile, defaults
from keystead.rules.returned_profiles import MARK
from keystead.secrecy import Secret


@dataclass(frozen=True)
class HostedStore:
    """Credentials and profiles in our own tables; one value per connection and request."""

    connection_id: str
    options: ConnectionOptions
    db: Database
    hasher: Hasher
    clock: Clock
    entropy: Entropy

    async def verify(self, identifier: Identifier | None, password: Secret[str]) -> Profile | Refused:
        """Check a password. Nobody, an account without a password, and what is over-long all cost the same one hash.

        What another system made is compared first, whatever the policy says of lengths, and replaced by a hash of ours
        where the password fits one: nobody is locked out by how they came here.
        """
        known = None
        if identifier is not None:
            known = await self.db.read(accounts.by_identifier, self.connection_id, identifier)
        complexity = password_policy.complexity_of(self.options)
        fitted, typed = password_policy.fit(password, complexity), password_policy.as_typed(password)
        stored = known.password_hash if known else None
        verdict = await self.hasher.verify(fitted, stored, typed=typed)
        if known is None or not verdict.ok:
            return Refused(known.profile.user_id if known else None)
        if verdict.better and stored:
            await self.db.write(accounts.improve_hash, known.profile.user_id, stored, verdict.better)
        return known.profile

    async def find(self, identifier: Identifier) -> Profile | None:
        """Look somebody up."""
        known = await self.db.read(accounts.by_identifier, self.connection_id, identifier)
        return known.profile if known else None

    async def has(self, user_id: str) -> bool:
        """Whoever reads the account finds out."""
        return True

    async def known(self, identifier: Identifier) -> Known | None:
        """Return who has an identifier, with what is stored of their password."""
        return await self.db.read(accounts.by_identifier, self.connection_id, identifier)

    async def adopt(self, draft: Draft, password: Secret[str] | None, kept: Kept) -> Profile:
        """Make an account of somebody who lived elsewhere, with the password that they proved themselves with there.

        No policy judges it: it was theirs before. One that is too long for us goes on living elsewhere, as without one.
        Raises ``IdentifierTaken``, ``Busy``.
        """
        hashed = await self.hash_of_theirs(password) if password is not None else None
        draft = draft.model_copy(update={"user_handle": draft.user_handle or self.entropy.bytes(HANDLE_BYTES)})
        kept = replace(kept, password_hash=hashed or MARK + self.entropy.token(16))
        return await self.db.write(mirrors.adopt, self.connection_id, draft, kept, self.clock())

    async def take_over(self, known: Known, password: Secret[str]) -> bool:
        """Keep a password from now on that was kept elsewhere; ``False`` where it was replaced here meanwhile.

        One that is too long for us stays where it is. Raises ``Busy``.
        """
        hashed, mark = await self.hash_of_theirs(password), known.password_hash
        if hashed is None or mark is None:
            return True
        return await self.db.write(accounts.improve_hash, known.profile.user_id, mark, hashed)

    async def owns(self, user_id: str) -> bool:
        """Whether an account is of this connection."""
        profile = await self.db.read(accounts.by_id, user_id)
        return profile is not None and profile.connection_id == self.connection_id

    async def hash_of_theirs(self, password: Secret[str]) -> str | None:
        """Return the hash of a password that somebody has already; ``None`` where it cannot be one here."""
        fitted = password_policy.fit(password, password_policy.complexity_of(self.options))
        return await self.hasher.hash(fitted) if fitted is not None else None

    async def create(self, draft: Draft, password: Secret[str] | None) -> Profile:
        """Create an account. Raises ``WeakPassword``, ``IdentifierTaken`` and ``InvalidSignup``."""
        # An empty password is one, for the policy to refuse; only None means an account without.
        hashed = await self._hash(password, _known(draft)) if password is not None else None
        return await self.db.write(self.insert, draft, hashed, self.clock())

    def insert(self, session: Session, draft: Draft, hashed: str | None, now: datetime) -> Profile:
        """Insert an account as a part of a larger unit of work.

        Raises ``IdentifierTaken``, and ``InvalidSignup`` where passwords were switched off while the hash was made:
        whoever did that was told how many people are left without a way in, and this one was not among them.
        """
        if hashed is not None and not _takes_passwords(session, self.connection_id):
            raise InvalidSignup(detail="passwords were switched off meanwhile, or people live elsewhere by now")
        if draft.user_handle is None:
            draft = draft.model_copy(update={"user_handle": self.entropy.bytes(HANDLE_BYTES)})
        local_id = self.entropy.bytes(12).hex()
        return accounts.create(session, self.connection_id, draft, hashed, local_id=local_id, now=now)

    async def prepare(self, profile: Profile, password: Secret[str]) -> str:
        """Return the hash of a new password that policy and history accept. Raises ``WeakPassword``, ``Busy``."""
        fitted = password_policy.check(password, self.options, profile.model_dump())
        size = password_policy.history_size(self.options)
        # One after the other, in the queue of every other hash: a full one refuses, and at most 24 are compared.
        for stored in await self.db.read(old_passwords.hashes, profile.user_id, size) if size else ():
            if (await self.hasher.verify(fitted, stored, typed=password)).ok:
                raise password_policy.used_before()
        return await self.hasher.hash(fitted)

    async def pass_on(self, profile: Profile, change: Change) -> None:
        """Nobody else keeps anything of these people."""

    async def set_password(self, user_id: str, password: Secret[str]) -> None:
        """Replace a password. Raises ``WeakPassword``, ``NoSuchUser``, ``Busy``."""
        profile = await self.db.read(accounts.by_id, user_id)
        if profile is None:
            raise NoSuchUser
        hashed = await self.prepare(profile, password)
        size = password_policy.history_size(self.options)
        if not await self.db.write(old_passwords.replace, user_id, hashed, self.clock(), size=size):
            raise NoSuchUser

    async def delete(self, user_id: str) -> None:
        """Remove an account and all that hangs on it."""
        await self.db.write(accounts.remove, user_id)

    async def _hash(self, password: Secret[str], person: dict[str, object]) -> str:
        return await self.hasher.hash(password_policy.check(password, self.options, person))


def _takes_passwords(session: Session, connection_id: str) -> bool:
    """Whether a connection keeps passwords here, and will until the unit of work is over."""
    census.join(session)
    connection = connections.get(session, connection_id)
    options = connection.policy() if connection else None
    return options is not None and options.methods.password.enabled and options.store != "scripted"


def _known(draft: Draft) -> dict[str, object]:
    """Return what the account will hold, so that a sign-up is judged as a later change of the password is."""
    return draft.model_dump() | defaults(draft) | {each.kind: each.value for each in draft.identifiers}
