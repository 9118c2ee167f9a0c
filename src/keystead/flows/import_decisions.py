"""What becomes of rows of an import: a new account, a change to one that is there, or an error (IM-5 to IM-8)."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from keystead.db.accounts import Known
from keystead.db.imported_users import Addition
from keystead.flows.row_reading import ImportedKey, Key, ReadRow
from keystead.ports import Entropy, Sealer
from keystead.rules import password_hashes
from keystead.rules.ceremonies import NewPasskey
from keystead.rules.hash_recipes import BadHash
from keystead.rules.identifiers import KINDS, Identifier
from keystead.rules.import_jobs import Import
from keystead.rules.import_passkeys import too_many
from keystead.rules.import_rows import PREFIX, UPSERTABLE, ImportedUser, echoed
from keystead.rules.passkey_policy import Context, evaluate, of_new
from keystead.rules.passkey_terms import MOST_PER_USER, PasskeyPolicy
from keystead.rules.profiles import EXTRAS, HANDLE_BYTES, Profile
from keystead.rules.row_complaints import RowError

_ID_BYTES: Final = 12
_TWICE: Final = "The user is in the file twice"
KEPT: Final = "the account keeps the password that it has"
_NOT_SET: Final = RowError("NOT_PASSED", "A password for a user who is there needs the scope update:users", "password")
_NOT_ADDED: Final = RowError(
    "NOT_PASSED", "A passkey for a user who is there needs the scope create:authentication_methods", "passkeys"
)
Clash = tuple[RowError, dict[str, Any]]
"""Why a row is refused, and which row or account is in its way."""
Judged = Callable[[NewPasskey], NewPasskey]


@dataclass(frozen=True)
class Conditions:
    """By what rows are decided, as things stand in the transaction."""

    state: Import
    policy: PasskeyPolicy
    rp_ids: tuple[str, ...]
    now: datetime


@dataclass(frozen=True)
class There:
    """What the database holds that rows may clash with."""

    holders: Mapping[Identifier, str] = field(default_factory=dict)
    accounts: Mapping[str, Known] = field(default_factory=dict)
    handles: Mapping[bytes, str] = field(default_factory=dict)
    credentials: Mapping[bytes, str] = field(default_factory=dict)
    passkey_counts: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[bytes, int] = field(default_factory=dict)
    """Earlier rows of the file, by the marks of what they are known by."""

    def holder(self, key: Key) -> str | None:
        """Return whose account has what a row is known by."""
        if key.of == "own":
            known = self.accounts.get(self.holders.get(key.value, ""))
            return (
                known.profile.user_id if known and known.profile.value_of(key.value.kind) == key.value.value else None
            )
        if key.of == "user_id":
            return key.value if key.value in self.accounts else None
        where: Mapping[Any, str] = {"user_handle": self.handles, "passkeys": self.credentials}.get(key.of, self.holders)
        return where.get(key.value)


@dataclass
class Decided:
    """What is to be done about rows."""

    addition: Addition = field(default_factory=Addition)
    changes: list[tuple[Profile, dict[str, Any]]] = field(default_factory=list)
    enrolled: list[tuple[Profile, str]] = field(default_factory=list)
    """Passkeys that accounts get that are there, by id: who is in these is to be told."""
    found: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What is said of each row, by its number."""
    known_by: dict[bytes, int] = field(default_factory=dict)
    """Marks of what the rows that are taken are known by."""
    hashes: list[tuple[str, float]] = field(default_factory=list)
    """Formats of the hashes that are taken, and what verifying each costs, in milliseconds."""
    lost_passkeys: int = 0

    def count(self, verdict: str) -> int:
        """Return how many rows end like that."""
        return sum(each["verdict"] == verdict for each in self.found.values())


def account_mark(user_id: str) -> bytes:
    """Return by what a later row is compared that is about the same account, whatever it names it by."""
    return b"account\0" + user_id.encode()


def digest(mark: bytes) -> bytes:
    """Return what is kept of a mark beyond its transaction: as long for each, and not what it is of."""
    return hashlib.sha256(mark).digest()


@dataclass(frozen=True)
class Decision:
    """Decides rows, one after the other: each knows of those before."""

    conditions: Conditions | None
    """``None`` where no row comes to anything, since the connection is gone."""
    there: There
    sealer: Sealer
    entropy: Entropy
    judged: Judged = lambda new: new
    decided: Decided = field(default_factory=Decided)

    def of(self, rows: Sequence[ReadRow]) -> Decided:
        """Return what is to be done."""
        # In one go: asked for row by row, chance takes longer than all else that is decided.
        size = _ID_BYTES + HANDLE_BYTES
        chance = self.entropy.bytes(size * len(rows))
        for at, row in enumerate(rows):
            self._row(row, chance[at * size : (at + 1) * size])
        return self.decided

    def _row(self, row: ReadRow, chance: bytes) -> None:
        if row.user is None or self.conditions is None:
            self._refuse(row, row.errors)
            return
        upserted = self._upserted(row.keys) if self.conditions.state.upsert else None
        keys = _clashing(row.keys, upserted)
        clash = self._first_clash(row, row.user, keys, upserted)
        if clash is not None:
            self._refuse(row, (clash[0],), clash=clash[1])
            return
        self.decided.known_by.update((each.mark, row.number) for each in (keys if upserted else row.keys))
        if upserted is not None:
            self.decided.known_by[account_mark(upserted.profile.user_id)] = row.number
            self._update(row, row.user, upserted)
        else:
            self._insert(row, row.user, keys, chance)

    def _upserted(self, keys: Sequence[Key]) -> Known | None:
        """Return the account that a row is about, unless an earlier row was about it."""
        own = next((key for key in keys if key.of == "own"), None)
        matched = self.there.holder(own) if own and self._earlier(own) is None else None
        return self.there.accounts[matched] if matched else None

    def _twice(self, user_id: str) -> int | None:
        """Return the earlier row that changed an account, by whatever it named it."""
        mark = account_mark(user_id)
        return self.decided.known_by.get(mark, self.there.rows.get(mark))

    def _first_clash(
        self, row: ReadRow, user: ImportedUser, keys: Sequence[Key], upserted: Known | None
    ) -> Clash | None:
        clash = next((found for key in keys if (found := self._clash(key, upserted))), None)
        if clash is not None or upserted is None:
            return clash
        earlier = self._twice(upserted.profile.user_id)
        if earlier is not None:
            return RowError("DUPLICATED_USER", _TWICE), {"row": earlier + 1}
        refusal = self._way_in_refused(row, user, upserted)
        if refusal is not None:
            return refusal, {"user_id": upserted.profile.user_id}
        return self._passkeys_clash(row, user, upserted.profile)

    def _way_in_refused(self, row: ReadRow, user: ImportedUser, upserted: Known) -> RowError | None:
        """Refuse a way into an account: whoever may make users may not thereby get into those that are there."""
        assert self.conditions is not None
        if _replaces(user, upserted) and not self.conditions.state.may_set_passwords:
            return _NOT_SET
        return _NOT_ADDED if self._lacking(row) and not self.conditions.state.may_add_passkeys else None

    def _earlier(self, key: Key) -> int | None:
        return self.decided.known_by.get(key.mark, self.there.rows.get(key.mark))

    def _clash(self, key: Key, upserted: Known | None) -> Clash | None:
        """Return why a row cannot have something: an earlier row has it, or another account."""
        earlier = self._earlier(key)
        if earlier is not None:
            # Without upsert it is not said: after a crash only the account is known, and not whose row made it.
            is_twice = key.of == "own" and self.conditions is not None and self.conditions.state.upsert
            return RowError("DUPLICATED_USER", _TWICE) if is_twice else key.error, {"row": earlier + 1}
        holder = self.there.holder(key)
        if holder is None or (upserted is not None and holder == upserted.profile.user_id):
            return None
        return key.error, {"user_id": holder}

    def _insert(self, row: ReadRow, user: ImportedUser, keys: Sequence[Key], chance: bytes) -> None:
        values = self._account(row, user, chance)
        user_id = values["user_id"]
        self.decided.addition.accounts.append(values)
        self.decided.addition.identifiers += [
            {
                "connection_id": values["connection_id"],
                "kind": key.value.kind,
                "value": key.value.value,
                "user_id": user_id,
            }
            for key in keys
            if key.of in KINDS
        ]
        self._say(row, "insert", user, self._add_keys(row.passkeys, user_id))

    def _account(self, row: ReadRow, user: ImportedUser, chance: bytes) -> dict[str, Any]:
        """Return the columns of a new account."""
        assert self.conditions is not None
        conditions = self.conditions
        return row.columns | {
            "user_id": f"{PREFIX}{user.local_id or chance[:_ID_BYTES].hex()}",
            "connection_id": conditions.state.connection_id,
            "user_handle": user.user_handle or chance[_ID_BYTES:],
            "sealed_extras": self._extras(user),
            "created_at": conditions.now,
            "updated_at": conditions.now,
            # An id that somebody chose may have been another's: what was issued to them opens nothing of this account.
            "signed_out_at": conditions.now if user.local_id else None,
        }

    def _extras(self, user: ImportedUser) -> bytes | None:
        if user.mfa_factors is None:
            return None
        return self.sealer.seal(json.dumps({"mfa_factors": user.mfa_factors}).encode(), EXTRAS)

    def _update(self, row: ReadRow, user: ImportedUser, known: Known) -> None:
        """Change an account that is there: the members that 4.1 lets an upsert change, and passkeys that it lacks."""
        assert self.conditions is not None
        profile = known.profile
        is_set = _replaces(user, known)
        values = _changed(user, profile, password=is_set)
        new = self._lacking(row)
        if new and user.user_handle not in (None, profile.user_handle):
            values["user_handle"] = user.user_handle
            self.decided.known_by.update((key.mark, row.number) for key in row.keys if key.of == "user_handle")
        if values:
            self.decided.changes.append((profile, values | {"updated_at": self.conditions.now}))
        said = self._enrol(new, profile)
        notes = (KEPT,) if _differs(user, known) and not is_set else ()
        self._say(row, "update" if values or new else "skip", user, said, notes=notes)

    def _enrol(self, keys: Sequence[ImportedKey], owner: Profile) -> list[dict[str, Any]]:
        """Add passkeys to an account that is there: its owner is to be told. Return what is said of each."""
        before = len(self.decided.addition.passkeys)
        said = self._add_keys(keys, owner.user_id)
        self.decided.enrolled += [(owner, each["id"]) for each in self.decided.addition.passkeys[before:]]
        return said

    def _lacking(self, row: ReadRow) -> list[ImportedKey]:
        """Return the passkeys of a row that nobody has."""
        return [each for each in row.passkeys if each.new.credential_id not in self.there.credentials]

    def _passkeys_clash(self, row: ReadRow, user: ImportedUser, profile: Profile) -> Clash | None:
        """Refuse passkeys that an account cannot have: too many, by a second handle beside those that know it by the
        first, or by the handle of another account.
        """
        there = self.there.passkey_counts.get(profile.user_id, 0)
        new = len(self._lacking(row))
        if new and there + new > MOST_PER_USER:
            return too_many(there + new), {"user_id": profile.user_id}
        if not row.passkeys or user.user_handle in (None, profile.user_handle):
            return None
        if there:
            error = RowError("CONFLICT", "must be that of the user's other passkeys", "user_handle")
            return error, {"user_id": profile.user_id}
        key = next(each for each in row.keys if each.of == "user_handle")
        return self._clash(key, None)

    def _add_keys(self, keys: Sequence[ImportedKey], user_id: str) -> list[dict[str, Any]]:
        """Add passkeys, and return what is said of each."""
        return [self._add_key(user_id, each) for each in keys]

    def _add_key(self, user_id: str, key: ImportedKey) -> dict[str, Any]:
        assert self.conditions is not None
        given, new, now = key.given, self.judged(key.new), self.conditions.now
        values = new.model_dump(exclude={"certificates"}) | {
            "id": self.entropy.id("passkey|dev_"),
            "user_id": user_id,
            "transports": list(new.transports),
            "certificates": None,
            "quarantined_at": now if new.quarantine else None,
            "rp_id": given.relying_party_identifier,
            "name": given.name.strip() if given.name else None,
            "user_agent": given.user_agent,
            "created_at": given.created_at or now,
            "last_used_at": given.last_used_at,
        }
        self.decided.addition.passkeys.append(values)
        # At its best: its authenticator may verify whom it asks.
        best = of_new(new.model_copy(update={"user_verified": True}), given.relying_party_identifier)
        verdict = evaluate(self.conditions.policy, best, Context(registers=False, rp_ids=self.conditions.rp_ids))
        works = not verdict.refused
        self.decided.lost_passkeys += not works
        return {"key_id": given.key_id, "works": works} | ({} if works else {"why": verdict.text})

    def _refuse(self, row: ReadRow, errors: Sequence[RowError], *, clash: dict[str, Any] | None = None) -> None:
        found: dict[str, Any] = {"verdict": "error", "user": echoed(row.raw.value)}
        found["errors"] = [each.on_wire() for each in errors]
        self.decided.found[row.number] = found | ({"clash": clash} if clash else {})

    def _say(
        self,
        row: ReadRow,
        verdict: str,
        user: ImportedUser,
        keys: list[dict[str, Any]],
        *,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Note what becomes of a row that is taken."""
        found: dict[str, Any] = {"verdict": verdict}
        takes_password = user.password is not None and KEPT not in notes
        if user.password is not None and takes_password:
            self.decided.hashes.append((user.password.name, user.password.milliseconds))
        if self.conditions is not None and self.conditions.state.dry_run:
            found["user"] = echoed(row.raw.value)
            if user.password is not None:
                found["hash"] = {"format": user.password.name, "milliseconds": round(user.password.milliseconds, 2)}
            found |= {"passkeys": keys} if keys else {}
        said = [*user.notes, *notes]
        self.decided.found[row.number] = found | ({"notes": said} if said else {})


def _changed(user: ImportedUser, profile: Profile, *, password: bool) -> dict[str, Any]:
    """Return the columns that an upsert changes, the hash where it may. Metadata is replaced as a whole (IM-6)."""
    values = {
        name: user.values[name]
        for name in UPSERTABLE
        if name in user.values and user.values[name] != getattr(profile, name)
    }
    if user.value_of("email") not in (None, profile.email):
        values.pop("email_verified", None)  # of an address that the account does not get
    if password and user.password is not None:
        values["password_hash"] = user.password.stored()
    if values.get("email_verified"):
        values["must_verify"] = [kind for kind in profile.must_verify if kind != "email"]
    return values


def _clashing(keys: Sequence[Key], upserted: Known | None) -> list[Key]:
    """Return by what a row can clash: what an upsert does not change cannot clash with anybody's."""
    return [key for key in keys if (key.of in ("own", "passkeys") if upserted else key.of != "also")]


def _replaces(user: ImportedUser, known: Known) -> bool:
    """Whether an upsert sets the password of an account."""
    return _differs(user, known) and _is_unused(known)


def _differs(user: ImportedUser, known: Known) -> bool:
    """Whether a row has another hash than the account."""
    return user.password is not None and user.password.stored() != known.password_hash


def _is_unused(known: Known) -> bool:
    """Whether nobody has logged in with the password that an account has, so that an upsert may replace it (IM-10)."""
    if known.password_hash is None:
        return known.profile.logins_count == 0
    if password_hashes.is_native(known.password_hash):
        return False
    try:
        password_hashes.of_stored(known.password_hash)
    except BadHash:
        return False  # the mark of a password that is kept elsewhere
    return True
