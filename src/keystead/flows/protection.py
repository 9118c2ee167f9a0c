"""Every way to try a secret begins here: an attempt is charged before it is tried, and settled when it was.

A try stands as a wrong one until somebody says that it was right, so that no path can forget to count.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, journal, tenant
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import (
    AddressBlocked,
    Busy,
    DomainError,
    ScriptFailed,
    TooManyAttempts,
    TooManyOfOne,
    TooManyProofs,
    Unavailable,
    WrongCredentials,
)
from keystead.flows import opened_locks
from keystead.flows.block_notices import BlockNotices
from keystead.flows.journal import Journal
from keystead.ports import EVERYTHING, Attempts, Charge, Sealer, Wanted
from keystead.rules.attack_protection import (
    COST_OF_KNOWN,
    EVENTS,
    SETTINGS,
    Guards,
    Guess,
    Limit,
    Rule,
    account_limits,
    address_limits,
    at_least_the_defaults,
    passkey_limits,
    password_limits,
    read_guards,
)
from keystead.rules.block_notices import again_bucket
from keystead.rules.buckets import (
    Bucket,
    noted_bucket,
    source,
    wrong_bucket,
)
from keystead.rules.events import Caller
from keystead.secrecy import Secret

_REFUSALS: Final[dict[Rule, type[TooManyAttempts]]] = {"same_user": TooManyOfOne, "suspicious_ip": AddressBlocked}
_PURPOSE: Final = "wrong-passwords"
_UNREAD: Final = "no-identifiers"

About = dict[str, str | None]
"""What the journal says of an attempt: the connection, the client, the account."""


_UNTRIED: Final = Charge(allowed=True, left=0.0, retry_after=0.0)


@dataclass
class Try:
    """One attempt that was charged."""

    right: bool = False
    """Whether the secret was right; else the charge stays."""
    account: str | None = None
    """Whose password it was held against, where the customer's database found that out."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A limit that is charged: what, how much, and what was left."""

    limit: Limit
    cost: float
    charge: Charge = _UNTRIED

    def wanted(self, cost: float) -> Wanted:
        """Return what is asked of its bucket."""
        bucket = self.limit.bucket
        return Wanted(bucket.key, bucket.capacity, bucket.refill, cost, bucket.lasts, must=self.limit.blocks)

    def back(self) -> Wanted:
        """Return what undoes the charge."""
        return self.wanted(-self.cost)

    @property
    def is_unsettled(self) -> bool:
        """Whether something is left to do where the secret was right.

        A full lock that only watches is emptied too: it would keep the person out on the day that it begins to block.
        """
        return self.limit.on_success == "emptied" or (self.limit.on_success == "given_back" and self.charge.allowed)

    def settled(self) -> Wanted:
        """Return what is left to do where the secret was right."""
        return self.wanted(EVERYTHING) if self.limit.on_success == "emptied" else self.back()


@dataclass(frozen=True)
class Protection:
    """Charges attempts. Counting after the fact is a race: of 60 concurrent guesses all would be tried.

    ``places`` is how many hashes one source may have under way in this process: made-up names are never over a limit
    of their own, and enough of them at once would leave no room in the queue for anybody else.
    """

    db: Database
    attempts: Attempts
    noted: Attempts
    """Counts, in memory, what is written down of each address's refusals."""
    sealer: Sealer
    journal: Journal
    notices: BlockNotices
    places: int
    places_elsewhere: int
    """How many calls of one connection's action scripts one source may have under way or waiting in this process."""
    _under_way: Counter[str] = field(default_factory=Counter, repr=False)

    @asynccontextmanager
    async def guessing(self, guess: Guess, password: Secret[str], caller: Caller, about: About) -> AsyncIterator[Try]:
        """Charge a password for the block that compares it, which says whether it was ``right``.

        Raises ``TooManyAttempts``, ``TooManyOfOne`` or ``AddressBlocked`` before the block is entered. An attempt that
        we were not able to try is given back: a full queue must not lock people out, nor a script that does not answer.
        A password that was wrong for the same person not long ago is no guess, and costs little; that it was is
        remembered as a keyed hash, for a day. Raises ``WrongCredentials`` after the block, whatever the password was,
        where the lock of the ``account`` is full.
        """
        guards, guess = await self.db.read(_met, guess)
        limits, heeded = password_limits(guards, guess), guards.lock.lock_scope == "device_aware"
        mark = wrong_bucket(guess.connection_id, guess.who, guess.place, self._mac(guess, password))
        cost = COST_OF_KNOWN if heeded and await self.attempts.list(mark.key) else 1.0
        about = about | {"identifier": ":".join(guess.who) if guess.identifier else None}
        async with self._charged(limits, cost, caller, about) as attempt:
            yield attempt
            if attempt.account is not None and (named := account_limits(guards, guess, attempt.account)):
                await self._charge_account(named, attempt, cost, caller, about)
        if heeded and not attempt.right and cost == 1.0:
            await self._take(mark, 1.0)

    @asynccontextmanager
    async def presenting(self, caller: Caller, about: About) -> AsyncIterator[Try]:
        """The same for a secret that can be guessed and is nobody's password, such as a code: the address is charged.

        Raises ``AddressBlocked``.
        """
        async with self._charged(address_limits(await self.guards(), caller.address), 1.0, caller, about) as attempt:
            yield attempt

    @asynccontextmanager
    async def showing(
        self,
        caller: Caller,
        about: About,
        *,
        wrong: tuple[type[DomainError], ...],
        bucket: Bucket | None = None,
        passkey: bytes | None = None,
    ) -> AsyncIterator[None]:
        """The same for what nobody can guess: a link, a signature, the secret of a client.

        Charged only once it was ``wrong``: these do not fear being tried, and whoever shows the right one never waits
        for what others at their address did. ``bucket`` is charged instead of the address, where given; ``passkey``,
        the id of a credential, beside it. A link that another site's page had a browser open is charged to nobody: a
        hundred pictures there would else be a hundred failures at the address of whoever looks at it. Raises
        ``AddressBlocked``, ``TooManyAttempts`` or ``TooManyProofs`` in place of what was wrong, where a bucket is full.
        """
        try:
            yield
        except wrong:
            if bucket is not None:
                async with self.charged(bucket, about, refusal=TooManyProofs):
                    pass
            elif passkey is not None or not caller.foreign:
                guards, address = await self.guards(), caller.address
                limits = passkey_limits(guards, passkey, address) if passkey else address_limits(guards, address)
                async with self._charged(limits, 1.0, caller, about):
                    pass
            raise

    async def signing_up(self, caller: Caller, about: About) -> None:
        """Charge a sign-up to its address, whatever comes of it (AP-9). Raises ``AddressBlocked``."""
        limits = address_limits(await self.guards(), caller.address, "signup")
        async with self._charged(limits, 1.0, caller, about | {"flow": "signup"}):
            pass

    @asynccontextmanager
    async def charged(
        self, bucket: Bucket, about: About | None = None, *, refusal: type[TooManyAttempts]
    ) -> AsyncIterator[None]:
        """Charge one attempt for the block, to a bucket of its own. Raises ``refusal`` before the block is entered.

        A script of the customer's that fails is no reason to give it back: it ran, and whoever finds out what makes it
        fail could have it run without end.
        """
        charge = await self._take(bucket, 1.0)
        if not charge.allowed:
            rule = "client_secret" if refusal is TooManyProofs else "messages"
            facts = _facts(rule, bucket, charge) | (about or {})
            raise refusal(charge.retry_after, detail=bucket.prefix).because(**facts)
        try:
            yield
        except Unavailable as failed:
            if not isinstance(failed, ScriptFailed):
                await self._take(bucket, -1.0)
            raise

    async def allows(self, bucket: Bucket) -> bool:
        """Charge once, for what is left undone in silence where the bucket is full."""
        return (await self._take(bucket, 1.0)).allowed

    async def has_room(self, bucket: Bucket) -> bool:
        """Whether an attempt would be allowed, for choosing what to do; nothing is charged."""
        return (await self._take(bucket, 0.0)).left >= 1

    def unread(self, typed: str) -> str:
        """Return what stands for text that is no identifier, in the keys of buckets and so in the journal.

        It may be a password in the wrong field: a keyed hash, since a plain one could be held against word lists.
        """
        return self.sealer.fingerprint(typed, _UNREAD)[:16]

    async def guards(self) -> Guards:
        """Return the settings."""
        return await self.db.read(_guards)

    async def lift(self, user_id: str) -> int:
        """Open every lock of an account (RS-5); return how many there were. After the commit of what it is for."""
        return await opened_locks.lift(self.db, self.attempts, user_id)

    async def open(self, connection_id: str, identifiers: Iterable[tuple[str, str]]) -> int:
        """Open every lock of these identifiers, whoever filled it; return how many there were."""
        return await opened_locks.open_all(self.attempts, connection_id, identifiers)

    @contextmanager
    def place(self, address: str, connection: ConnectionRecord | None = None) -> Iterator[None]:
        """Hold one of the places of an address, for the block that hashes. Raises ``Busy`` where it has none left.

        With a ``connection`` the block may ask its action scripts as well.
        """
        with self._held(source(address), self.places, "hashes"), self.asking(address, connection):
            yield

    @contextmanager
    def asking(self, address: str, connection: ConnectionRecord | None) -> Iterator[None]:
        """Hold one of the places that an address has with the scripts of a connection, where it has any; as ``place``.

        They have a queue of their own, and whoever filled it from one address would keep everybody else out.
        """
        if connection is None or connection.policy().store == "hosted":
            yield
            return
        with self._held(f"{connection.id}/{source(address)}", self.places_elsewhere, "calls of scripts"):
            yield

    @contextmanager
    def _held(self, who: str, most: int, what: str) -> Iterator[None]:
        # Only ever touched on the event loop, so counting needs no lock.
        if self._under_way[who] >= most:
            raise Busy(detail=f"{who} has {most} {what} under way")
        self._under_way[who] += 1
        try:
            yield
        finally:
            self._under_way[who] -= 1
            if not self._under_way[who]:
                del self._under_way[who]

    @asynccontextmanager
    async def _charged(self, limits: list[Limit], cost: float, caller: Caller, about: About) -> AsyncIterator[Try]:
        """Charge every limit for the block, and settle them when it ends; where one refuses, none is charged."""
        attempt, taken = Try(), await self._take_all(limits, cost, caller, about)
        try:
            yield attempt
        except DomainError as refusal:
            if _was_not_tried(refusal):
                await self.attempts.take_all([each.back() for each in taken if each.charge.allowed])
            elif not attempt.right:
                await self._failed(taken, caller, about)
            raise
        if not attempt.right:
            await self._failed(taken, caller, about)
            return
        # What this person did here is forgotten, and nothing of anybody else's (rows 29 and 30).
        await self.attempts.take_all([each.settled() for each in taken if each.is_unsettled])

    async def _charge_account(
        self, limits: list[Limit], attempt: Try, cost: float, caller: Caller, about: About
    ) -> None:
        """Charge an attempt to the account as well, and hold back the verdict where its lock is full.

        Refused as a wrong password is, and a right one too: that spellings which were never tried before are locked
        would say that they are somebody's. Of many at once the charge decides, which comes before any verdict is told.
        """
        right, attempt.right = attempt.right, False
        try:
            async with self._charged(limits, cost, caller, about | {"user_id": attempt.account}) as named:
                named.right = right
        except TooManyAttempts as full:
            raise WrongCredentials(detail=full.detail).because(**full.facts) from None
        attempt.right = right

    async def _take_all(self, limits: list[Limit], cost: float, caller: Caller, about: About) -> list[_Taken]:
        wanted = [_Taken(limit, cost if limit.weighs else 1.0) for limit in limits]
        charges = await self.attempts.take_all([each.wanted(each.cost) for each in wanted])
        taken = [replace(each, charge=charge) for each, charge in zip(wanted, charges, strict=False)]
        for each in taken:
            if not each.charge.allowed:
                await self._refused(each, caller, about)
        return taken

    async def _refused(self, met: _Taken, caller: Caller, about: About) -> None:
        """Record that a limit was met, and refuse, unless it only watches."""
        facts = _facts(met.limit.rule, met.limit.bucket, met.charge)
        event = self.journal.event(EVENTS[met.limit.rule], caller, blocks=met.limit.blocks, **facts, **about)
        if await is_noted(self.noted, "limit", caller.address):
            await self.db.write(journal.add, event)
        if met.limit.blocks:
            await self._say_again(met.limit, caller, about)
            refusal = _REFUSALS.get(met.limit.rule, TooManyAttempts)
            error = refusal(met.charge.retry_after, detail=met.limit.bucket.prefix)
            raise error.because(**facts, notifies=met.limit.notifies, **about)

    async def _say_again(self, limit: Limit, caller: Caller, about: About) -> None:
        """Have the owner told of a lock that was full before, in case it is they who were refused.

        It may stay full for as long as somebody keeps trying, and the link of the first message does not live so long.
        """
        if limit.notifies and limit.rule != "suspicious_ip" and await self.allows(again_bucket(limit.bucket.key)):
            await self.db.write(self.notices.queue, [limit], caller, about.get("client_id"), again=True)

    async def _failed(self, taken: list[_Taken], caller: Caller, about: About) -> None:
        """Have whoever it concerns told of what this filled (AP-8); who that is must take nobody's time here."""
        filled = [each.limit for each in taken if each.limit.notifies and each.charge.allowed and each.charge.left < 1]
        if filled:
            await self.db.write(self.notices.queue, filled, caller, about.get("client_id"))

    async def _take(self, bucket: Bucket, cost: float) -> Charge:
        return await self.attempts.take(bucket.key, bucket.capacity, bucket.refill, cost, lasts=bucket.lasts)

    def _mac(self, guess: Guess, password: Secret[str]) -> str:
        """Return a keyed hash of a password for one person: the same password of another is another hash."""
        return self.sealer.fingerprint("\0".join((guess.connection_id, *guess.who, password.reveal())), _PURPOSE)


async def is_noted(noted: Attempts, what: str, address: str) -> bool:
    """Whether another refusal of an address is written down: who hammers must not fill the database with it."""
    bucket = noted_bucket(what, address)
    return (await noted.take(bucket.key, bucket.capacity, bucket.refill)).allowed


def _was_not_tried(refusal: DomainError) -> bool:
    """Whether an attempt ended before anything was compared.

    A script that answered with an error has seen the password: some answer a wrong one like that, and whoever guesses
    there would never be counted.
    """
    if isinstance(refusal, ScriptFailed):
        return bool(refusal.facts.get("unanswered"))
    return isinstance(refusal, Unavailable)


def _facts(rule: str, bucket: Bucket, charge: Charge) -> dict[str, Any]:
    """Return what administrators see of a full bucket. The key says who it is about; it holds no secret."""
    return {
        "rule": rule,
        "bucket": bucket.key,
        "capacity": bucket.capacity,
        "refill": bucket.refill,
        "lasts": bucket.lasts,
        "retry_after": round(charge.retry_after, 1),
    }


def _met(session: Session, guess: Guess) -> tuple[Guards, Guess]:
    """Return the settings, and the guess with what the account says of the device that was shown, if any was."""
    if guess.identifier is not None and guess.device is not None:
        known = accounts.by_identifier(session, guess.connection_id, guess.identifier)
        guess = replace(guess, tenure=known.profile.tenure if known else "")
    guards = _guards(session)
    return at_least_the_defaults(guards) if guess.administers else guards, guess


def _guards(session: Session) -> Guards:
    return read_guards(tenant.some(session, SETTINGS))
