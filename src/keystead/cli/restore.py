"""``keystead restore``: a backup becomes the installation."""

from pathlib import Path
from typing import Annotated

import typer

from keystead import settings as process
from keystead.backups import restore_backup
from keystead.cli.backup import opened, report
from keystead.cli.options import AsJson, DataDir, told_plainly
from keystead.cli.terminal import confirm, tell
from keystead.rules.backups import Manifest


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.", show_default=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where there is something already: it is lost.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database, all of it or nothing. Stop the server first.

    Examples:

      keystead restore keystead.backup

      KEYSTEAD_DATABASE_URL=postgresql://... keystead restore keystead.backup
    """

    def consents(manifest: Manifest) -> bool:
        asked = f"Replace all that the database holds by {manifest.rows} rows of {manifest.created_at}?"
        confirm(asked, yes=yes)
        return True

    with told_plainly(), opened(file) as backup:
        manifest, with_keys = restore_backup(process.load(data_dir=data_dir), backup, consents if replace else None)
    if with_keys:
        tell("no secret key was at hand: nothing but the file itself vouches for it; be sure of where it comes from")
        tell("the secret keys of the backup are in use now, from the file in the data directory")
    report(manifest, str(file), as_json=as_json)
