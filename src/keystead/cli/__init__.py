"""The command line: one file per noun, loaded when it is asked for."""

import typer

from keystead.cli.nouns import Nouns

app = typer.Typer(
    name="keystead",
    cls=Nouns,
    help="Self-hosted authentication with passwords and passkeys.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Examples:  keystead serve  ·  keystead serve --port 8123 --data-dir ./data  ·  keystead migrate  ·  "
    "KEYSTEAD_PUBLIC_URL=https://login.example.com keystead serve --workers 2",
)


@app.callback()
def keystead() -> None:
    """Self-hosted authentication with passwords and passkeys."""
