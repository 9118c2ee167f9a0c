"""Rows of an import read: by the rules, and their public keys by whoever knows keys."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from keystead.errors import BadRequest
from keystead.ports import PasskeyKeys
from keystead.rules.ceremonies import NewPasskey
from keystead.rules.folding import searched_by
from keystead.rules.identifiers import KINDS, Identifier, IdentifierKind, claims
from keystead.rules.import_passkeys import ReadPasskey, RowPasskey
from keystead.rules.import_rows import PREFIX, BadUser, ImportedUser, Terms, read
from keystead.rules.passkey_names import chosen_name
from keystead.rules.profiles import defaults
from keystead.rules.row_complaints import RowError
from keystead.rules.row_files import Row

_EXISTS: Final = "The user already exist and upsert parameter is false"
_TAKEN: Final[Mapping[IdentifierKind, RowError]] = {
    kind: RowError(code, f"The {kind} is used by another user", kind)
    for kind, code in zip(KINDS, ("CONFLICT_EMAIL", "CONFLICT", "CONFLICT_USERNAME"), strict=True)
}
_THERE: Final = RowError("DUPLICATED_USER", _EXISTS)
_ID_TAKEN: Final = RowError("CONFLICT", "The user_id is used by another user", "user_id")
_HANDLE_TAKEN: Final = RowError("CONFLICT", "The user_handle is another user's", "user_handle")
_BLANK: Final[dict[str, Any]] = {
    **dict.fromkeys((*KINDS, "given_name", "family_name", "blocked", "user_metadata", "app_metadata", "password_hash")),
    **dict.fromkeys(("email_verified", "phone_verified"), False),
    "must_verify": [],
    "logins_count": 0,
}
"""Columns of an account whose row says nothing of them."""


class ImportedKey(NamedTuple):
    """A passkey of a row: what the row says, and the credential that it comes to."""

    given: RowPasskey
    new: NewPasskey


class Key(NamedTuple):
    """Something by which a row is known, and no other account may be."""

    of: str
    """``own`` for what says whose row it is, ``also`` for what would say it of a later row, else what is at fault where
    another has it."""
    value: Any
    mark: bytes
    """What rows before are compared by. Of a claim the same whichever identifier it is there for: the table that keeps
    it from others knows no more."""
    error: RowError


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row as it was read: a user, or what is wrong with it."""

    number: int
    """From 0, in the order of the file."""
    raw: Row = field(repr=False)
    user: ImportedUser | None = field(default=None, repr=False)
    passkeys: tuple[ImportedKey, ...] = field(default=(), repr=False)
    errors: tuple[RowError, ...] = ()
    keys: tuple[Key, ...] = field(default=(), repr=False)
    """All by which a later row would be found to be of the same person; first what says whose it is."""
    columns: dict[str, Any] = field(default_factory=dict, repr=False)
    """Of a new account, as far as they follow from the row alone."""


@dataclass(frozen=True)
class RowReading:
    """Reads rows."""

    keys: PasskeyKeys

    def read(self, number: int, raw: Row, terms: Terms) -> ReadRow:
        """Return a row as it was read."""
        if raw.wrong:
            return ReadRow(number, raw, errors=(RowError("FORMAT", raw.wrong),))
        try:
            user = read(raw.value, terms)
            passkeys = tuple(self._passkeys(user))
        except BadUser as error:
            return ReadRow(number, raw, errors=tuple(error.errors))
        # Here, beside whoever writes the rows before, is what needs no database: it would hold up the next transaction.
        keys = tuple(_keys(user, passkeys, terms.shared))
        return ReadRow(number, raw, user, passkeys, (), keys, _columns(user))

    def _passkeys(self, user: ImportedUser) -> Iterator[ImportedKey]:
        """Give the passkeys of a row. Raises ``BadUser``."""
        for at, each in enumerate(user.passkeys):
            try:
                yield ImportedKey(each.given, self._credential(each))
            except BadRequest as error:
                raise BadUser([RowError("FORMAT", error.text, f"passkeys.{at}.{error.path}")]) from None

    def _credential(self, passkey: ReadPasskey) -> NewPasskey:
        """Return a passkey as if it had been registered here, with the least that can be said of how it was made."""
        given = passkey.given
        if given.name is not None:
            chosen_name(given.name)
        key = self.keys.read(given.public_key)
        return NewPasskey(
            credential_id=passkey.credential_id,
            public_key=key.cose,
            algorithm=key.algorithm,
            sign_count=given.sign_count,
            aaguid=given.aaguid.lower(),
            transports=tuple(dict.fromkeys(given.transports)),
            backup_eligible=given.is_synced,
            backed_up=given.credential_backed_up,
            user_verified=given.user_verified,
            attestation_format="none",
        )


def _keys(user: ImportedUser, passkeys: Sequence[ImportedKey], shared: Sequence[IdentifierKind]) -> Iterator[Key]:
    for at, own in enumerate(each for each in user.identifiers if each.kind not in shared):
        yield _key("also" if at else "own", own, _THERE, mark="own")
    for claim, kind in _claims(user, shared).items():
        yield _key(kind, claim, _TAKEN[kind], mark="claim")
    if user.local_id:
        yield _key("user_id", f"{PREFIX}{user.local_id}", _ID_TAKEN)
    if user.user_handle:
        yield _key("user_handle", user.user_handle, _HANDLE_TAKEN)
    for at, each in enumerate(passkeys):
        error = RowError("CONFLICT", "The passkey is another user's", f"passkeys.{at}.key_id")
        yield _key("passkeys", each.new.credential_id, error)


def _claims(user: ImportedUser, shared: Sequence[IdentifierKind]) -> dict[Identifier, IdentifierKind]:
    """Return what the account would keep from others, each with the kind of identifier that it is there for."""
    found: dict[Identifier, IdentifierKind] = {}
    for each in user.identifiers:
        if each.kind not in shared:
            found = dict.fromkeys(claims(each), each.kind) | found
    return found


def _key(of: str, value: Any, error: RowError, *, mark: str = "") -> Key:
    shown = f"{value.kind}\0{value.value}" if isinstance(value, Identifier) else value
    octets = shown.encode() if isinstance(shown, str) else shown
    return Key(of, value, (mark or of).encode() + b"\0" + octets, error)


def _columns(user: ImportedUser) -> dict[str, Any]:
    values = _BLANK | user.values | defaults(user)
    for each in user.identifiers:
        values[each.kind] = each.value
    if user.password:
        values["password_hash"] = user.password.stored()
    return values | searched_by(values)
