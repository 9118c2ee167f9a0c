"""``keystead users import``: people out of a file, rehearsed before or not."""

import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter
from itertools import islice
from pathlib import Path
from time import perf_counter_ns
from typing import Annotated, Any, Final

import typer

from keystead.cli import user_exports
from keystead.cli.api import Api, Refused
from keystead.cli.files import pieces
from keystead.cli.progress import finished, nothing_done
from keystead.cli.terminal import cell, document, refuse, say, table, tell
from keystead.rules.calls import Upload

_CONNECTIONS: Final = "GET /connections"
_IMPORT: Final = "POST /jobs/users-imports"
_JOB: Final = "GET /jobs/{id}"
_ROWS: Final = "GET /keystead/jobs/{id}/rows"
ROUTES: Final = (_CONNECTIONS, _IMPORT, _JOB, _ROWS)

_TOO_LARGE: Final = 413
STANDARD_INPUT: Final = "-"
_SHOWN: Final = 50
"""How many rows that were refused are printed; the API has all of them."""
_WHO: Final = ("email", "phone_number", "username", "user_id")
_COLUMNS: Final = {"row": "row", "who": "user", "code": "code", "path": "path", "message": "why", "clash": "clash"}
_CANARIES: Final = {"user": "canary", "works": "works", "why": "why", "row": "row"}
_HASHES: Final = {"format": "hashes", "rows": "rows", "milliseconds": "ms each"}


def _option(name: str, kind: Any, default: object, says: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, says])


_FILE_HELP: Final = "Rows in JSON, or an archive of users; '-' is rows on standard input."
_CANARY: Final = "A login that must work; without a password, it is asked for."
OPTIONS: Final = (
    _option("file", str, "", typer.Argument(help=_FILE_HELP)),
    _option("connection", str | None, None, typer.Option(help="Where they come to.", show_default="as in an archive")),
    _option("upsert", bool, False, typer.Option("--upsert", help="Change users who are there.")),
    _option("dry_run", bool, False, typer.Option("--dry-run", help="Write nobody; say what would become of each row.")),
    _option("canary", list[str] | None, None, typer.Option(metavar="USER[:PASSWORD]", help=_CANARY)),
    _option("canaries", str | None, None, typer.Option(metavar="FILE|-", help="Such logins, user:password a line.")),
    _option("resume", str | None, None, typer.Option(metavar="JOB", help="Go on with an import, without its file.")),
    _option("trust", str | None, None, typer.Option(metavar="KEY", help="Whose signature of an archive is trusted.")),
    _option("yes", bool, False, typer.Option("--yes", help="Do not ask.")),
)
"""What the command takes."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for of an import."""

    file: str
    connection: str | None
    upsert: bool
    dry_run: bool
    canary: Sequence[str]
    canaries: str | None
    resume: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Wanted":
        """Return what the options say."""
        return cls(**{name: given[name] for name in cls.__dataclass_fields__} | {"canary": given["canary"] or ()})

    @property
    def is_for_rows(self) -> bool:
        """Whether it asks for something that an archive has no use for."""
        return bool(self.upsert or self.dry_run or self.names_canaries)

    @property
    def names_canaries(self) -> bool:
        """Whether there are logins that must work."""
        return bool(self.canary or self.canaries)


def run(api: Api, wanted: Wanted) -> None:
    """Import rows, or rehearse that; where canaries are named, nobody comes in before each of them would get in."""
    if wanted.names_canaries and not wanted.dry_run:
        if wanted.file == STANDARD_INPUT:
            raise refuse("canaries are tried before anybody comes in, and standard input comes but once: name a file")
        canaries = _rehearse(api, replace(wanted, dry_run=True))
        job_id = _begin(api, replace(wanted, canary=(), canaries=None))
        _end(api, _finished(api, job_id) | {"canaries": canaries})
    else:
        follow(api, _begin(api, wanted))


def _rehearse(api: Api, wanted: Wanted) -> Any:
    """Try the canaries, and return what came of each; one that would not get in ends the command."""
    if not api.as_json:
        tell("rehearsing, for the canaries")
    job = finished(api, _begin(api, wanted), lambda _: "it was the rehearsal, so nobody is imported; begin again")
    if all(each["works"] for each in job["canaries"]):
        return job["canaries"]
    _report(api, job)
    tell("a canary would not get in, so nobody is imported")
    raise typer.Exit(1)


def _begin(api: Api, wanted: Wanted) -> str:
    """Send a file of rows, and return the id of its job; what is refused ends the command."""
    if not wanted.connection:
        raise refuse("name the connection: --connection Staff")
    found = next(iter(api.cursors(_CONNECTIONS, member="connections", name=wanted.connection)), None)
    if found is None:
        raise refuse(f"there is no connection {wanted.connection}")
    fields = [
        ("connection_id", str(found["id"])),
        ("upsert", str(wanted.upsert).lower()),
        ("dry_run", str(wanted.dry_run).lower()),
        ("send_completion_email", "false"),
        *(("canary", each) for each in _canaries(wanted.canary, wanted.canaries)),
    ]
    boundary = f"keystead-{os.getpid()}-{perf_counter_ns():x}"  # no JSON has a line break within a text
    upload = Upload(f"multipart/form-data; boundary={boundary}", lambda: _form(wanted.file, fields, boundary))
    try:
        with nothing_done():
            job = api.upload(_IMPORT, upload)
    except OSError as error:
        raise refuse(f"{wanted.file}: {error.strerror or error}") from None
    except Refused as error:
        hint = " The server's KEYSTEAD_IMPORT_BYTES says so; on its own machine, without --url, any size is taken."
        raise Refused(error.status, f"{error}{hint}" if error.status == _TOO_LARGE else str(error)) from None
    return str(job["id"])


def resume(api: Api, job_id: str) -> None:
    """Go on with an import, of rows or of an archive, and tell what came of it."""
    if api.ask(_JOB, job_id)["type"] == user_exports.IMPORT_JOB:
        user_exports.follow_import(api, job_id, resumed=True)
    else:
        follow(api, job_id, resumed=True)


def follow(api: Api, job_id: str, *, resumed: bool = False) -> None:
    """Wait for a job and tell what came of it: exit status 1 where a row was refused or a canary would not get in."""
    job = _finished(api, job_id, resumed=resumed)
    if "summary" not in job:
        raise refuse(f"{job_id} is no import")
    _end(api, job)


def _end(api: Api, job: Mapping[str, Any]) -> None:
    _report(api, job)
    if job["summary"]["failed"] or not all(each["works"] for each in job.get("canaries", ())):
        raise typer.Exit(1)


def _finished(api: Api, job_id: str, *, resumed: bool = False) -> Any:
    return finished(api, job_id, lambda job: user_exports.GOES_ON.format(job=job_id) + api.again, resumed=resumed)


def _report(api: Api, job: Mapping[str, Any]) -> None:
    failed = list(_refused(api, job["id"]))
    if api.as_json:
        document({**job, "errors": failed})
    else:
        _print(job, failed, api.again)


def _canaries(given: Sequence[str], file: str | None) -> list[str]:
    """Return users with their passwords: asked for one by one, or out of a file with one ``user:password`` a line."""
    found = [each if ":" in each else f"{each}:{_password(each)}" for each in given]
    if file is not None:
        try:
            text = sys.stdin.read() if file == STANDARD_INPUT else Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise refuse(f"{file}: {getattr(error, 'strerror', '') or error}") from None
        found += [line for line in text.splitlines() if line.strip()]
        if not found:
            raise refuse(f"{file}: names no canary")
    return found


def _password(user: str) -> str:
    if not sys.stdin.isatty():
        raise refuse(f"nobody is there to say the password of {user}: give --canaries FILE")
    found: str = typer.prompt(f"Password of {user}", hide_input=True, err=True)
    return found


async def _form(file: str, fields: Sequence[tuple[str, str]], boundary: str) -> AsyncIterator[bytes]:
    """Give a form as it goes over the wire, its file as it is read."""
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        yield f"{head}{value}\r\n".encode()
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="users"; filename="users.json"\r\n\r\n'
    yield head.encode()
    if file == STANDARD_INPUT:
        while piece := sys.stdin.buffer.read(65_536):
            yield piece
    else:
        async for piece in pieces(Path(file)):
            yield piece
    yield f"\r\n--{boundary}--\r\n".encode()


def _refused(api: Api, job_id: str) -> Iterator[dict[str, Any]]:
    return islice(api.cursors(_ROWS, job_id, member="rows", verdict="error"), None if api.as_json else _SHOWN)


def _print(job: Mapping[str, Any], failed: Sequence[Mapping[str, Any]], again: str) -> None:
    """Tell people what came of an import."""
    summary, rehearsal = job["summary"], job.get("rehearsal", {})
    would = "would be " if rehearsal else ""
    unchanged = f" ({rehearsal['unchanged']} without any change)" if rehearsal.get("unchanged") else ""
    say(
        f"{summary['total']} rows: {summary['inserted']} users {would}new, {summary['updated']} {would}changed"
        f"{unchanged}, {summary['failed']} refused ({job['id']})"
    )
    if rehearsal.get("passkeys_that_do_not_work"):
        say(f"{rehearsal['passkeys_that_do_not_work']} passkeys would not sign anybody in here")
    refused = [_line(found, error) for found in failed for error in found["errors"]]
    for items, columns in (
        (rehearsal.get("hashes"), _HASHES),
        (job.get("canaries"), _CANARIES),
        (refused, _COLUMNS),
    ):
        if items:
            table(items, columns)
    if summary["failed"] > len(failed):
        tell(f"{summary['failed'] - len(failed)} more: keystead jobs errors {job['id']}{again}")


def _line(found: Mapping[str, Any], error: Mapping[str, Any]) -> dict[str, Any]:
    user = found["user"]
    who = next((user[name] for name in _WHO if isinstance(user.get(name), str)), None)
    clash = found.get("clash", {})
    with_whom = f"row {clash['row']}" if "row" in clash else clash.get("user_id")
    return {"row": found["row"], "who": cell(who), "clash": with_whom, **error}
