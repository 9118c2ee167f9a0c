"""What must be done once before any worker serves: keys, schema, first start. Run in the parent (decided; see docs)."""

import json
import os
from pathlib import Path
from typing import Any, Final

from keystead.app import SystemEntropy, system_clock
from keystead.db import keys, schema
from keystead.db.session import Database
from keystead.errors import InternalError
from keystead.flows.first_run import first_run
from keystead.oauth.keys import new_key, unseal
from keystead.settings import Settings, SettingsError, with_keys

FIRST_RUN_FILE: Final = "first-run.json"


def prepare(settings: Settings, *, migrate: bool = False) -> tuple[Settings, dict[str, Any] | None]:
    """Return the settings with keys, and what a first start made (``None`` where there was one before).

    An empty database is set up; an older one only with ``migrate``. Raises ``SettingsError``, ``DatabaseUnavailable``.
    """
    entropy = SystemEntropy()
    os.umask(0o077)  # whatever this process writes is its owner's alone: database, keys, secrets
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"KEYSTEAD_DATA_DIR: {settings.data_dir}: {error.strerror}") from None
    settings = with_keys(settings, lambda: entropy.token(48))
    db = Database(settings.database_url.reveal(), pool=1)
    try:
        _bring_up_to_date(db, migrate=migrate)
        key = new_key(settings.rsa_bits, settings.secret_keys, entropy, system_clock())
        made = db.write_now(
            first_run, settings.public_url, key, entropy, system_clock(), lambda made: _keep(settings.data_dir, made)
        )
        _check_keys(db, settings)
    finally:
        db.close()
    return settings, made


def read_first_run(settings: Settings) -> dict[str, Any] | None:
    """Return what the first start made, from the file that it left."""
    path = settings.data_dir / FIRST_RUN_FILE
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _bring_up_to_date(db: Database, *, migrate: bool) -> None:
    found, needed = schema.version(db.engine), schema.latest()
    if found == needed:
        return
    if found is not None and not schema.knows(found):
        raise SettingsError(f"the database is at schema {found}, which a newer version made: this one knows {needed}")
    if found is not None and not migrate:
        raise SettingsError(
            f"the database is at schema {found}, and this version needs {needed}: run 'keystead migrate'"
        )
    schema.upgrade(db.engine)


def _check_keys(db: Database, settings: Settings) -> None:
    """Open the key that signs: a server that cannot must say so now, and not at every login."""
    try:
        for newest in db.read_now(keys.good)[:1]:
            unseal(newest.sealed_private, settings.secret_keys)
    except InternalError as error:
        raise SettingsError(f"KEYSTEAD_SECRET_KEYS: {error.detail}") from None


def _keep(directory: Path, made: dict[str, Any]) -> None:
    """Write ``first-run.json``, readable by its owner alone from its first byte on."""
    path = directory / FIRST_RUN_FILE
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file, indent=2)
        file.write("\n")
