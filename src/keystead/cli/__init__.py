"""The command line: one file per noun."""

import typer

from keystead.cli import doctor, first_run, keys, mds, migrate, serve, version, why

app = typer.Typer(
    name="keystead",
    help="Self-hosted authentication with passwords and passkeys.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Examples:  keystead serve  ·  keystead serve --port 8123 --data-dir ./data  ·  keystead migrate  ·  "
    "KEYSTEAD_PUBLIC_URL=https://login.example.com keystead serve --workers 2",
)
app.command("serve")(serve.serve)
app.command("migrate")(migrate.migrate)
app.command("first-run")(first_run.show)
app.add_typer(keys.app, name="keys")
app.add_typer(mds.app, name="mds")
app.add_typer(doctor.app, name="doctor")
app.command("why")(why.why)
app.command("version")(version.version)
