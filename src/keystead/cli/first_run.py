"""``keystead first-run``."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from keystead import settings as process
from keystead.cli.options import DataDir, Port, told_plainly
from keystead.cli.terminal import document, say, tell
from keystead.start import doubts, first_run_at, first_run_file, prepare, read_first_run


def show(
    port: Port = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the document itself, for programs.")] = False,
) -> None:
    """Do the first start without serving, or show again what it made.

    The port is a part of the default public URL; 'keystead serve' brings the URLs up to date where it is another.
    """
    with told_plainly():
        given = process.load(port=port, data_dir=data_dir)
        for doubt in doubts(given):
            tell(doubt)
        settings, made = prepare(given, tell=tell)
        found = made or read_first_run(settings)
        at = None if made else first_run_at(settings)
    path = first_run_file(settings)
    if found is None:
        tell(f"{path} is gone; its secrets were shown once.")
        raise typer.Exit(1)
    if as_json:
        document(found)
    else:
        say(*report(found, path, at))


def report(made: dict[str, Any], path: Path, at: datetime | None = None) -> tuple[str, ...]:
    """Return what was made, in lines for people: just now, or by a first start that was at another time."""
    if at is None:
        head = f"This is the first start. These were made; the secrets are shown this once and kept in {path}:"
    else:
        head = (
            f"The first start was on {at:%Y-%m-%d at %H:%M} UTC. This is what it made, from {path}; the link of the "
            "first owner works once, for seven days, and may have been used:"
        )
    clients = made["clients"]
    return (
        head,
        f"  connection         {made['connection']['name']} ({made['connection']['id']})",
        f"  default client     {clients['default']['client_id']}  (public: browsers and native apps)",
        f"  management client  {clients['management']['client_id']}",
        f"  its secret         {clients['management']['client_secret']}",
        f"  first owner        {made['administrator_setup_url']}",
    )
