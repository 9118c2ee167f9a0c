"""Who is told that a lock has filled, how often, and what the link in the message opens (AP-8)."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from keystead.rules.buckets import Bucket, LockKey, locks_of, read_lock_key, source
from keystead.rules.identifiers import KINDS, Identifier
from keystead.rules.profiles import Profile
from keystead.rules.verification import Verifiable

_HOUR: Final = 3_600


class BlockNotice(BaseModel):
    """What is noted when a bucket fills, before anybody looks up whose it is."""

    model_config = ConfigDict(frozen=True)

    key: str
    """Of the bucket: a lock's, which names an identifier, or an address's."""
    blocks: bool
    """Whether further tries are refused, or only recorded."""
    again: bool = False
    """Whether it filled before, and somebody was refused by it: the owner is told if they have no link that works."""
    address: str = ""
    language: str = "en"
    client_id: str | None = None


class UnblockLink(BaseModel):
    """The record of a link that opens the locks of an account."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    client_id: str | None = None
    """Where the tries were made that filled the lock: a login can begin there afterwards."""


def locked_out(key: LockKey) -> Identifier | None:
    """Return what was typed, with all that it can be read as; ``None`` for text that is no identifier."""
    kind = next((kind for kind in KINDS if kind == key.kind), None)
    if kind is None:
        return None
    others = tuple(Identifier(other, key.value) for other in KINDS if other != kind)
    return Identifier(kind, key.value, others)


def is_told(profile: Profile, kind: Verifiable) -> bool:
    """Whether the owner of an account is told there.

    Not at an address that nobody has shown to be theirs, where another one was: it may be a stranger's. Where none was,
    it is where a new password would be sent too.
    """
    return bool(profile.value_of(kind)) and (profile.is_verified(kind) or not profile.verified_kinds())


def mail_buckets(user_id: str, address: str) -> tuple[Bucket, ...]:
    """Return the buckets of mails to an owner: one an hour for each address (AP-8), and ten of all, then one an hour.

    A thousand addresses that fail at one account must not fill its owner's mailbox.
    """
    return (_hourly(f"told/mail/{user_id}/{source(address)}"), _hourly(f"told/mail/{user_id}", 10))


def again_bucket(key: str) -> Bucket:
    """Return the bucket of notices that somebody was refused by a lock: one an hour for each identifier."""
    lock = read_lock_key(key)
    about = locks_of(lock.connection_id, lock.kind, lock.value) if lock else key
    return _hourly(f"told/again/{about}")


def text_buckets(user_id: str, number: str) -> tuple[Bucket, ...]:
    """Return the bucket of texts to an owner: one an hour for each number (AP-8)."""
    return (_hourly(f"told/sms/{user_id}/{number}"),)


def administrator_buckets(address: str) -> tuple[Bucket, ...]:
    """Return the buckets of mails to administrators: one an hour for each address; twenty of all, then one an hour."""
    return (_hourly(f"told/administrators/{source(address)}"), _hourly("told/administrators", 20))


def _hourly(key: str, most: int = 1) -> Bucket:
    return Bucket(key, key, most, 1 / _HOUR)
