"""``keystead log``: the journal, which says what happened, and can be verified."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from keystead.cli.api import Api
from keystead.cli.commands import Limit, command, condition, noun
from keystead.cli.files import written
from keystead.cli.terminal import INTERRUPTED, cell, document, item, refuse, say, standard_output
from keystead.cli.users import USER
from keystead.errors import InvalidQuery
from keystead.rules.lucene import parse

app = noun("The journal: what happened, by whom, and that it is told as it was.")

Entry = dict[str, Any]
Format = Literal["json", "ocsf"]
Since = Annotated[str | None, typer.Option("--from", help="From a moment on, 2026-06-01T12:00:00Z.")]

_ALL: Final = "GET /logs"
_ONE: Final = "GET /logs/{id}"
_VERIFY: Final = "GET /keystead/journal/verification"
_SEALS: Final = "GET /keystead/journal/seals"
_EXPORT: Final = "GET /keystead/journal/export"
_SECONDS: Final = 1.0
"""How often whoever follows looks again."""

_BATCHES: Final = {
    "number": "number",
    "sealed_at": "sealed",
    "entries": "entries",
    "pruned_at": "pruned",
    "digest": "digest",
}


@command(app, "tail", _ALL)
def tail(
    api: Api,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more happens, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=100, help="How many of the newest.")] = 20,
    type: Annotated[list[str] | None, typer.Option(help="Entries of one type, such as f; any number.")] = None,
    user: Annotated[
        str | None, typer.Option(help="Entries about one user: id, email, phone or username."), USER
    ] = None,
    search: Annotated[str | None, typer.Option(help="A query, as the API takes it; not with --follow.")] = None,
) -> None:
    """Print the newest entries, the newest last: a line each, or with --json a document each.

    Examples:

      keystead log tail --follow --type f --type fp

      keystead log tail --search 'ip:203.0.113.7' --lines 100
    """
    if follow and search:
        raise refuse("--follow goes with --type and --user, and not with --search")
    wanted = _query(_conditions(type or [], user), search)
    last = _last(api) if follow else None  # before what is printed: what comes between is not lost
    newest = api.ask(_ALL, page=0, per_page=max(lines, 1), sort="date:-1", q=wanted or None)[:lines]
    for entry in reversed(newest):
        _print(api, entry)
    if follow:
        known = {entry["log_id"] for entry in newest}
        _follow(api, last, lambda entry: entry["log_id"] not in known and _is_about(entry, type, user))


@command(app, "show", _ONE)
def show(api: Api, log: Annotated[str, typer.Argument(help="The id of an entry.", show_default=False)]) -> None:
    """Show an entry with its details."""
    api.shown(api.ask(_ONE, log))


@command(app, "batches", _SEALS)
def batches(api: Api, limit: Limit = None) -> None:
    """List the batches that entries are sealed in, oldest first."""
    api.listed(api.cursors(_SEALS, member="seals", limit=limit), _BATCHES)


@command(app, "verify", _VERIFY)
def verify(
    api: Api,
    expect: Annotated[
        str | None, typer.Option(metavar="NUMBER:DIGEST", help="The last batch as it was, kept elsewhere.")
    ] = None,
) -> None:
    """Verify that nothing was changed, added, moved or taken away: exit status 1 where something was.

    Example:  keystead log verify --expect 812:3f5c…
    """
    found = api.ask(_VERIFY, expect=expect)
    if api.as_json:
        document(found)
    else:
        _report(found)
    if not found["ok"]:
        raise typer.Exit(1)


def _report(found: dict[str, Any]) -> None:
    for problem in found["problems"]:
        entry = f", entry {cell(problem['log_id'])}" if problem.get("log_id") else ""
        say(f"batch {problem['seal']}{entry}: {cell(problem['what'])}: {cell(problem['says'])}")
    head, unsealed = found["head"], found["unsealed"]["entries"]
    checked = f"checked {found['entries']} entries in {found['batches']} batches; {unsealed} more wait to be sealed"
    if found["ok"]:
        say(f"{checked}: all is as it was written")
        say(f"keep this elsewhere, for --expect: {head['number']}:{head['digest']}")
    else:
        say(f"{checked}: NOT as it was written, problems: {found['found']}")
        say("keep the batch that you kept for --expect: this one vouches for nothing")


@command(app, "export", _EXPORT)
def export(
    api: Api,
    format: Annotated[Format, typer.Option(help="Entries as the API shows them, or as OCSF has them.")] = "json",
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="And before a moment.")] = None,
    output: Annotated[Path | None, typer.Option(help="A file that is made.", show_default="standard output")] = None,
) -> None:
    """Print the journal, oldest first: a JSON document a line.

    Example:  keystead log export --format ocsf --from 2026-06-01T00:00:00Z --output june.ndjson
    """
    query = {"format": format, "from_": since, "until": until}
    if output is None:
        with standard_output() as write:
            api.stream(_EXPORT, write, **query)
        return
    try:
        with written(output) as file:
            api.stream(_EXPORT, file.write, **query)
    except OSError as error:
        raise refuse(f"{output}: {error.strerror}") from None


def _query(conditions: list[str], search: str | None) -> str:
    """Return one query for all of it. What somebody wrote is read by itself first: a ``)`` of theirs ends nothing."""
    if search and conditions:
        try:
            parse(search)
        except InvalidQuery as error:
            raise refuse(str(error)) from None
        search = f"({search})"
    return " AND ".join([*conditions, *([search] if search else [])])


def _conditions(types: list[str], user: str | None) -> list[str]:
    either = " OR ".join(f"type:{each}" for each in types)
    return ([f"({either})"] if either else []) + ([condition("user_id", user)] if user else [])


def _is_about(entry: Entry, types: list[str] | None, user: str | None) -> bool:
    return (not types or entry["type"] in types) and user in (None, entry.get("user_id"))


def _last(api: Api) -> str | None:
    newest = api.ask(_ALL, page=0, per_page=1, sort="date:-1")
    return str(newest[0]["log_id"]) if newest else None


def _follow(api: Api, last: str | None, wanted: Callable[[Entry], bool]) -> None:
    """Print what happens from now on. It is read in order, and looked through here: a search has no such place."""
    try:
        while True:
            part = api.ask(_ALL, from_=last, take=100)
            for entry in filter(wanted, part):
                _print(api, entry)
            sys.stdout.flush()
            if part:
                last = part[-1]["log_id"]
            else:
                time.sleep(_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _print(api: Api, entry: Entry) -> None:
    if api.as_json:
        item(entry)
        return
    about, actor = entry.get("user_name") or entry.get("user_id"), entry.get("actor")
    by = f"by {actor}" if actor else None
    words = (entry["date"], entry["type"].ljust(8), entry.get("description"), about, by, entry.get("ip"))
    say("  ".join(cell(each) for each in (*words, entry["log_id"]) if each))
