"""Secrets of a connection, sealed before anything is written: ``options.configuration`` (CN-7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import connections
from keystead.errors import InternalError, InvalidOptions
from keystead.ports import Sealer
from keystead.rules.configuration import MEMBER, as_ciphertext, is_ciphertext, purpose_of, sealed_in, values_of
from keystead.secrecy import Secret


@dataclass(frozen=True)
class Configuration:
    """Seals the values of connections, each for its own name."""

    sealer: Sealer

    def sealed(self, connection_id: str, options: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
        """Return options as they are stored: with ciphertext for every value.

        What is sent back as it was read, or says in clear what is there already, changes nothing. Raises
        ``InvalidOptions`` where a text looks like ciphertext and is none of this name of this connection.
        """
        if MEMBER not in options:
            return dict(options)
        old = values_of(before)
        values = {
            name: self._sealed(purpose_of(connection_id, name), name, value, old.get(name))
            for name, value in values_of(options).items()
        }
        return {**options, MEMBER: values}

    def _sealed(self, purpose: str, name: str, value: str, stored: str | None) -> str:
        if value == stored:
            return value
        if is_ciphertext(value):
            if _opened(self.sealer, value, purpose) is None:
                # In words that do not say the value: it may be a secret after all.
                text = "looks encrypted, but not as the value of this name and connection; send it in plain text"
                raise InvalidOptions(f"options.{MEMBER}.{name[:100]}", text)
            return value
        if stored is not None and _opened(self.sealer, stored, purpose) == value.encode("utf-8"):
            return stored
        return as_ciphertext(self.sealer.seal(value.encode("utf-8"), purpose))


def opened(sealer: Sealer, connection_id: str, options: Mapping[str, Any]) -> dict[str, Secret[str]]:
    """Return the values in clear, for a script that is about to run. Raises ``InternalError`` where a key is gone."""
    values = values_of(options).items()
    return {
        name: Secret(sealer.open(sealed_in(value), purpose_of(connection_id, name)).decode("utf-8"))
        for name, value in values
    }


def renew(session: Session, sealer: Sealer, newest: Sealer) -> None:
    """Seal anew what an older secret key sealed, so that this can be taken off the list; ``newest`` opens nothing else.

    A value whose key is gone stays as it is: it is shown, and can be replaced.
    """
    for connection_id, options in connections.configured(session):
        values = values_of(options)
        renewed = {
            name: _renewed(value, purpose_of(connection_id, name), sealer, newest) for name, value in values.items()
        }
        if renewed != values:
            connections.save(session, connection_id, {"options": {**options, MEMBER: renewed}}, None)


def _renewed(ciphertext: str, purpose: str, sealer: Sealer, newest: Sealer) -> str:
    if _opened(newest, ciphertext, purpose) is not None:
        return ciphertext
    plain = _opened(sealer, ciphertext, purpose)
    return ciphertext if plain is None else as_ciphertext(sealer.seal(plain, purpose))


def _opened(sealer: Sealer, ciphertext: str, purpose: str) -> bytes | None:
    try:
        return sealer.open(sealed_in(ciphertext), purpose)
    except InternalError:
        return None
