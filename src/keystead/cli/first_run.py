"""``keystead first-run``."""

import json
from typing import Annotated, Any

import typer

from keystead import settings as process
from keystead.cli.options import DataDir, told_plainly
from keystead.start import FIRST_RUN_FILE, prepare, read_first_run


def show(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the document itself, for programs.")] = False,
) -> None:
    """Do the first start without serving, or show again what it made."""
    with told_plainly():
        settings, made = prepare(process.load(data_dir=data_dir))
        found = made or read_first_run(settings)
    if found is None:
        typer.echo(f"keystead: {settings.data_dir / FIRST_RUN_FILE} is gone; its secrets were shown once.", err=True)
        raise typer.Exit(1)
    typer.echo(json.dumps(found, indent=2) if as_json else report(found))


def report(made: dict[str, Any]) -> str:
    """Return what was made, for people."""
    clients = made["clients"]
    return "\n".join(
        (
            "This is the first start. These were made; the secrets are shown this once and kept in first-run.json:",
            f"  connection         {made['connection']['name']} ({made['connection']['id']})",
            f"  default client     {clients['default']['client_id']}  (public: browsers and native apps)",
            f"  management client  {clients['management']['client_id']}",
            f"  its secret         {clients['management']['client_secret']}",
            f"  first owner        {made['administrator_setup_url']}",
        )
    )
