"""``keystead scripts``: action scripts put into a connection, tried, tested, watched and compared."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from keystead.cli import script_files
from keystead.cli.api import Api
from keystead.cli.commands import Limit, Sets, Yes, body_of, command, noun
from keystead.cli.terminal import cell, confirm, refuse, say, standard_output, table, tell
from keystead.rules.action_scripts import NAMES, ScriptLanguage, ScriptName

app = noun("Action scripts: your code that reaches people in your own database.")

Connection = Annotated[str, typer.Argument(help="Its id, con_…, or its name.", show_default=False)]
Name = Annotated[ScriptName, typer.Argument(help="Which script.", show_default=False)]
Source = Annotated[Path | None, typer.Option(help="A file with the script, where it is not the saved one.")]
Language = Annotated[ScriptLanguage | None, typer.Option(help="What it is written in.", show_default="as it is saved")]
Identifier = Annotated[
    str | None, typer.Option(help="What somebody logs in with who exists.", show_default="somebody is made")
]

_ALL: Final = "GET /connections"
_ONE: Final = "GET /connections/{id}"
_SAVE: Final = "PATCH /connections/{id}"
_TRY: Final = "POST /connections/{id}/scripts/{name}/try"
_TEST: Final = "POST /connections/{id}/scripts/test"
_STATUS: Final = "GET /keystead/scripts/{connection_id}"
_SHADOW: Final = "GET /keystead/scripts/{connection_id}/shadow"
_DIFFERENCES: Final = "GET /keystead/scripts/{connection_id}/shadow/differences"
_FORGET: Final = "DELETE /keystead/scripts/{connection_id}/shadow"
_PASSWORDS: Final[Mapping[ScriptName, str]] = {
    "login": "password",
    "create": "user.password",
    "change_password": "new_password",
}
"""Where the secret among the arguments of a script is, which is no argument of a command."""


@command(app, "list", _ALL, _ONE)
def show_all(api: Api, connection: Connection) -> None:
    """List the scripts of a connection.

    Example:  keystead scripts list Legacy
    """
    options = _options(_found(api, connection))
    scripts: dict[str, str] = options.get("customScripts", {})
    rows = [
        {
            "name": name,
            "language": options.get("script_language", "node"),
            "bytes": len(scripts[name].encode("utf-8", "surrogatepass")),
        }
        for name in NAMES
        if name in scripts
    ]
    api.listed(iter(rows), {"name": "script", "language": "language", "bytes": "bytes"})


@command(app, "show", _ALL, _ONE)
def show(api: Api, connection: Connection, name: Name) -> None:
    """Print the source of a script as it is saved.

    Example:  keystead scripts show Legacy login > login.js
    """
    scripts = _options(_found(api, connection)).get("customScripts", {})
    if name not in scripts:
        raise refuse(f"{connection} has no script {name}")
    if api.as_json:
        api.shown({"name": name, "source": scripts[name]})
    else:
        source: str = scripts[name]
        with standard_output() as write:
            write((source if source.endswith("\n") else f"{source}\n").encode("utf-8", "surrogatepass"))


@command(app, "set", _ALL, _ONE, _SAVE)
def put(
    api: Api,
    connection: Connection,
    name: Annotated[ScriptName | None, typer.Argument(help="Which script.", show_default=False)] = None,
    file: Annotated[str | None, typer.Argument(metavar="FILE|-", help="The script.", show_default=False)] = None,
    directory: Annotated[
        Path | None, typer.Option("--from", help="Every script of a directory, by its name.", show_default=False)
    ] = None,
    language: Language = None,
) -> None:
    """Save a script in a connection, or all of a directory, and leave its other options as they are.

    All scripts of a connection are in one language: --language says so for the others too. Without it, the language of
    the first ones is that of their files' names. What cannot be compiled, or is no function, is refused.

    Examples:

      keystead scripts set Legacy --from legacy

      keystead scripts set Legacy login login.py
    """
    files = _files_of(name, file, directory, language)
    found = _found(api, connection)
    options = _options(found)
    written_in = language or script_files.language_for(options, files)
    sources = {each: script_files.text_of(path) for each, path in files.items()}
    for each, source in sources.items():
        script_files.check(each, written_in, files[each], source)
    wanted = {**options, "customScripts": options.get("customScripts", {}) | sources}
    if written_in != options.get("script_language", "node"):
        wanted["script_language"] = written_in
    changed = api.ask(_SAVE, found["id"], body={"options": wanted})
    size = sum(len(source.encode("utf-8", "surrogatepass")) for source in sources.values())
    said = f"{', '.join(sources)} of {found['name']} {'is' if name else 'are'} saved: {size} bytes"
    shown = {"name": name} if name else {"names": list(sources)}
    api.done({"id": changed["id"], **shown} if api.as_json else None, said)


def _files_of(
    name: ScriptName | None, file: str | None, directory: Path | None, language: ScriptLanguage | None
) -> dict[ScriptName, str]:
    """Return the files that are to be saved, by the scripts that they are."""
    if directory is not None and name is None:
        return script_files.of_directory(directory, language)
    if directory is not None or name is None or file is None:
        raise refuse("name a script and its file, or a directory with --from")
    return {name: file}


@command(app, "try", _ALL, _ONE, _TRY)
def try_one(
    api: Api,
    connection: Connection,
    name: Name,
    identifier: Annotated[str | None, typer.Option(help="Its first argument.", show_default=False)] = None,
    source: Source = None,
    sets: Sets = None,
) -> None:
    """Run a script once, and show what it says and what Keystead would make of it.

    Exit status 1 where it failed, or answered with an error that is none of the three classes. Wrong credentials, and
    whatever else a script refuses in words of its own, are answers: 0.

    Arguments have the names of the API: identifier, user, email, new_email, verified, …. A password is asked for, or
    is the first line of standard input. A script that writes to your database does so here too. A file that ends in .py
    is Python, one that ends in .js is for Node.js; --set language=python says so of any other.

    Examples:

      keystead scripts try Legacy login --identifier ann@example.com

      keystead scripts try Legacy get_user --identifier ann@example.com --source get_user.py

      keystead scripts try Legacy create --set user.email=new@example.com
    """
    found = _found(api, connection)
    wanted = _without_passwords(body_of(None, sets))
    if identifier is not None:
        wanted["user_id" if name == "delete" else "identifier"] = identifier
    if source is not None:
        named = script_files.language_of(str(source))
        language = {"language": named} if named else {}
        wanted |= {"source": script_files.text_of(str(source))} | language | wanted
    _add_password(wanted, name)
    tried = api.ask(_TRY, found["id"], name, body=wanted)
    if api.as_json:
        api.shown(tried)
    else:
        _print(tried)
    if tried["outcome"] == "failed" or (tried["refusal"] or {}).get("kind") == "error":
        raise typer.Exit(1)


@command(app, "test", _ALL, _ONE, _TEST)
def run_suite(api: Api, connection: Connection, identifier: Identifier = None) -> None:
    """Run the contract suite against the scripts of a connection. Exit status 1 where a check failed.

    Somebody is made in your database and deleted again, where there are scripts for that. With --identifier somebody
    who exists is looked at instead, and nothing is written; their password is asked for, or is the first line of
    standard input.

    Examples:

      keystead scripts test Legacy

      keystead scripts test Legacy --identifier ann@example.com --json
    """
    found = _found(api, connection)
    wanted = {"identifier": identifier, "password": _password()} if identifier else {}
    tested = api.ask(_TEST, found["id"], body=wanted)
    if api.as_json:
        api.shown(tested)
    else:
        rows = [{**each, "found": f"{each['found']} {each['advice']}".strip()} for each in tested["checks"]]
        table(rows, {"status": "status", "check": "check", "title": "what must hold", "found": "found"})
        tell("the scripts hold the contract" if tested["passed"] else "the scripts do not hold the contract")
    if not tested["passed"]:
        raise typer.Exit(1)


@command(app, "status", _ALL, _ONE, _STATUS)
def status(api: Api, connection: Connection) -> None:
    """Show how the scripts of a connection fare: the circuit, calls and failures of late, and what runs them."""
    api.shown(api.ask(_STATUS, _found(api, connection)["id"]))


@command(app, "shadow", _ALL, _ONE, _SHADOW, _DIFFERENCES)
def shadow(
    api: Api,
    connection: Connection,
    days: Annotated[int, typer.Option(min=1, max=30, help="How many days are looked at.")] = 7,
    enough: Annotated[int, typer.Option(min=1, help="How many logins must agree for a cut-over.")] = 100,
    limit: Limit = 20,
) -> None:
    """Show whether your database and ours agree about logins, and where not. Exit status 1: no cut-over yet.

    Example:  keystead scripts shadow Legacy --days 14 --enough 500
    """
    found = _found(api, connection)
    report = api.ask(_SHADOW, found["id"], days=days, enough=enough)
    differences = list(api.pages(_DIFFERENCES, found["id"], limit=limit))
    if api.as_json:
        api.shown({**report, "differences": differences})
    else:
        if not report["shadow_mode"]:
            tell("shadow_mode is off: nothing is compared")
        kinds = {kind: kind.replace("_", " ") for kind in report["counts"]}
        table([{"date": each["date"], **each["counts"]} for each in report["days"]], {"date": "day", **kinds})
        if differences:
            say("")
            table(
                [_difference(each) for each in differences],
                {"date": "date", "user_id": "user", "kind": "kind", "about": "about"},
            )
        say("", report["advice"])
    if not report["ready"]:
        raise typer.Exit(1)


@command(app, "forget-shadow", _ALL, _ONE, _FORGET)
def forget_shadow(api: Api, connection: Connection, yes: Yes = False) -> None:
    """Forget what shadow mode found of a connection, and count anew."""
    found = _found(api, connection)
    confirm(f"Forget what shadow mode found of {found['name']}?", yes=yes)
    api.ask(_FORGET, found["id"])
    api.done(None, f"shadow mode begins anew for {found['name']}")


@app.command("template")
def template(
    name: Annotated[str | None, typer.Argument(help="Which template.", show_default="all are listed")] = None,
    language: Annotated[ScriptLanguage, typer.Option(help="What it is written in.")] = "node",
    output: Annotated[Path, typer.Option(help="A directory, which is made where there is none.")] = Path(),
) -> None:
    """Copy scripts for a kind of database, to be adapted. Without a name, list what there is.

    Examples:

      keystead scripts template

      keystead scripts template postgresql --language python --output legacy
    """
    found = {each.parent.name: each.parent for each in _templates().glob(f"*/{language}")}
    if name is None:
        say(*sorted(found))
        return
    if name not in found:
        raise refuse(f"there is no template {name} in {language}: {', '.join(sorted(found))}")
    _copy(_files(found[name], language), output)


def _files(template: Path, language: ScriptLanguage) -> list[Path]:
    """Return the scripts of a template, and what is beside them for every language: a README, tables."""
    return [each for each in sorted([*(template / language).iterdir(), *template.iterdir()]) if each.is_file()]


def _copy(files: Sequence[Path], output: Path) -> None:
    there = [each.name for each in files if (output / each.name).exists()]
    if there:
        raise refuse(f"{output} has {', '.join(there)} already: nothing is written over")
    try:
        output.mkdir(parents=True, exist_ok=True)
        for each in files:
            shutil.copyfile(each, output / each.name)
    except OSError as error:
        raise refuse(f"{output}: {error.strerror}") from None
    say(*(str(output / each.name) for each in files))


def _templates() -> Path:
    """Return where the templates are: in the installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "static" / "custom_db"
    return packaged if packaged.is_dir() else package.parents[1] / "static" / "custom_db"


def _found(api: Api, connection: str) -> dict[str, Any]:
    """Return a connection by its name, or else by its id. Raises ``Refused``."""
    named = list(api.cursors(_ALL, member="connections", name=connection))
    found: dict[str, Any] = named[0] if named else api.ask(_ONE, connection)
    return found


def _options(found: Mapping[str, Any]) -> dict[str, Any]:
    if "options" not in found:
        raise refuse("the token may not read options: it needs read:connections_options")
    options: dict[str, Any] = found["options"]
    return options


def _without_passwords(wanted: dict[str, Any]) -> dict[str, Any]:
    """Refuse a password among the arguments, which everybody on the machine can read."""
    user = wanted.get("user")
    named = {"password", "new_password"} & set(wanted)
    if named or (isinstance(user, dict) and "password" in user):
        raise refuse("a password is no argument: it is asked for, or is the first line of standard input")
    return wanted


def _add_password(wanted: dict[str, Any], name: ScriptName) -> None:
    where = _PASSWORDS.get(name, "")
    if where == "user.password":
        user = wanted.get("user")
        wanted["user"] = {**(user if isinstance(user, dict) else {}), "password": _password()}
    elif where:
        wanted[where] = _password()


def _password() -> str:
    if sys.stdin.isatty():
        found: str = typer.prompt("Password", hide_input=True, err=True)
        return found
    found = sys.stdin.readline().rstrip("\r\n")
    if not found:
        raise refuse("there is no password on standard input")
    return found


def _print(tried: Mapping[str, Any]) -> None:
    refusal = tried["refusal"] or {}
    said = {
        "outcome": tried["outcome"],
        "meaning": tried["meaning"],
        "seconds": f"{tried['seconds']:.3f}",
        **{name: refusal[name] for name in ("kind", "code", "user_id") if refusal.get(name)},
        **({"message": tried["message"]} if tried["message"] else {}),
        **({"value": tried["value"]} if tried["outcome"] == "answered" else {}),
    }
    width = max(map(len, said))
    for name, value in said.items():
        say(f"{name:<{width}}  {cell(value)}")
    for warning in tried["warnings"]:
        say(f"{'warning':<{width}}  {warning}")
    for line in tried["console"]:
        say(f"{'console':<{width}}  {line}")


def _difference(found: Mapping[str, Any]) -> dict[str, Any]:
    about = {"attributes": found.get("attributes"), "other_user_id": found.get("other_user_id")}
    if found.get("known_there") is False:
        about["nobody there"] = True
    return {**found, "about": "; ".join(f"{name}: {cell(value)}" for name, value in about.items() if value)}
