"""Rows of an import read: by the rules, and their public keys by whoever knows keys."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from keystead.errors import BadRequest
from keystead.ports import PasskeyKeys
from keystead.rules.ceremonies import NewPasskey
from keystead.rules.identifiers import Identifier, IdentifierKind, claims
from keystead.rules.import_passkeys import ReadPasskey, RowPasskey
from keystead.rules.import_rows import BadUser, ImportedUser, Terms, read
from keystead.rules.passkey_names import chosen_name
from keystead.rules.row_complaints import RowError
from keystead.rules.row_files import Row


class ImportedKey(NamedTuple):
    """A passkey of a row: what the row says, and the credential that it comes to."""

    given: RowPasskey
    new: NewPasskey


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row as it was read: a user, or what is wrong with it."""

    number: int
    """From 0, in the order of the file."""
    raw: Row = field(repr=False)
    user: ImportedUser | None = field(default=None, repr=False)
    keys: tuple[ImportedKey, ...] = field(default=(), repr=False)
    errors: tuple[RowError, ...] = ()

    def claims(self, shared: tuple[IdentifierKind, ...]) -> dict[Identifier, IdentifierKind]:
        """Return what its account would keep from others, each with the kind of identifier that it is there for."""
        found: dict[Identifier, IdentifierKind] = {}
        for each in self.user.identifiers if self.user else ():
            if each.kind not in shared:
                found = dict.fromkeys(claims(each), each.kind) | found
        return found


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
            keys = tuple(self._keys(user))
        except BadUser as error:
            return ReadRow(number, raw, errors=tuple(error.errors))
        return ReadRow(number, raw, user, keys)

    def _keys(self, user: ImportedUser) -> Iterator[ImportedKey]:
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
