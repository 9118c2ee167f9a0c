"""A backup of an installation made, examined and put back: put together for the command line."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, Final

from keystead import __version__
from keystead.adapters.sealing import Sealer
from keystead.app import SystemEntropy, system_clock
from keystead.errors import Conflict, InternalError
from keystead.flows.backup import PURPOSE as BACKUPS
from keystead.flows.backup import Backup
from keystead.flows.journal import Journal
from keystead.flows.operations import by_command
from keystead.flows.restore import Restore, examine, head_of
from keystead.oauth.key_pairs import PURPOSE
from keystead.rules.backups import Manifest, Vouch
from keystead.secrecy import Secret
from keystead.settings import Settings, SettingsError, with_keys
from keystead.start import database, in_data_dir, installation, keyed

SecretKeys = tuple[Secret[str], ...]

_OF_ITSELF: Final = (
    "KEYSTEAD_SECRET_KEYS: must be set to replace what is there: "
    "a backup that brings its own keys vouches for itself only"
)

Consent = Callable[[Manifest], bool]
"""Whether what is there may be replaced by what is in a backup."""


@contextmanager
def open_backup(settings: Settings, *, with_secret_keys: bool = False) -> Iterator[tuple[Backup, SecretKeys]]:
    """Open what makes backups of an installation; with the secret keys that are to be in them.

    Raises ``SettingsError`` where there is none.
    """
    entropy = SystemEntropy()
    with installation(settings) as db:
        keys = keyed(settings, entropy).secret_keys
        journal = Journal(system_clock, entropy)
        yield Backup(db, Sealer(keys, entropy), journal, system_clock, __version__), keys if with_secret_keys else ()


def examine_backup(settings: Settings, file: BinaryIO) -> tuple[Manifest, bool]:
    """Return what is in a backup, and whether the secret keys at hand vouch for it, without any database.

    Where there is none at hand, nothing does. Raises ``InvalidBackup``, ``SettingsError``.
    """
    keys = _keys_at_hand(settings)
    return examine(file, _vouch(keys) if keys else None), bool(keys)


def restore_backup(settings: Settings, file: BinaryIO, consent: Consent | None = None) -> tuple[Manifest, bool]:
    """Put a backup into the database that the settings name; return what was in it, and whether keys came with it.

    It is read to its end before anything is written. Secret keys that are in it are put on file where none is at hand:
    then it vouches for itself alone, which will do for an empty database. One that is not empty is replaced if
    ``consent`` says so. Raises ``SettingsError``, ``InvalidBackup``, ``Conflict``.
    """
    os.umask(0o077)
    at_hand = _keys_at_hand(settings)
    keys = at_hand or head_of(file).secret_keys
    if not keys:
        missing = "the secret keys that the backup was made with are needed, in the variable or in"
        raise SettingsError(f"KEYSTEAD_SECRET_KEYS: {missing} {settings.key_file}")
    entropy = SystemEntropy()
    try:
        manifest = examine(file, _vouch(keys), partial(Sealer(keys, entropy).open, purpose=PURPOSE))
    except InternalError as error:
        raise SettingsError(f"KEYSTEAD_SECRET_KEYS: {error.detail}") from None
    with in_data_dir(settings):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    with database(settings) as db:
        restore = Restore(db, Journal(system_clock, entropy))
        is_empty = restore.is_empty()
        if not (at_hand or is_empty):
            raise SettingsError(_OF_ITSELF)
        replace = consent is not None and not is_empty
        if consent and replace and not consent(manifest):
            raise Conflict("Nothing was changed.")
        with in_data_dir(settings):  # those at hand are there already
            with_keys(settings, lambda: "\n".join(key.reveal() for key in keys))
        restore(file, manifest, by_command("restore"), replace=replace)
    return manifest, not at_hand


def _keys_at_hand(settings: Settings) -> SecretKeys:
    """Return the secret keys that there are; unlike a start, this makes none."""
    with in_data_dir(settings):
        there = settings.secret_keys or settings.key_file.exists()
        return with_keys(settings, lambda: "").secret_keys if there else ()


def _vouch(keys: SecretKeys) -> Vouch:
    return partial(Sealer(keys, SystemEntropy()).is_signed, purpose=BACKUPS)
