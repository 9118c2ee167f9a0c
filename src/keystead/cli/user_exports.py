"""``keystead users export``: the people in a file; and an archive of them put back."""

import csv
import gzip
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import typer

from keystead.cli.api import Api
from keystead.cli.files import pieces, written
from keystead.cli.progress import finished, nothing_done
from keystead.cli.terminal import confirm, refuse, standard_output, tell
from keystead.errors import InvalidArchive
from keystead.flows.archive_reading import Summary, summary_of
from keystead.rules.calls import Upload

_CONNECTIONS: Final = "GET /connections"
_EXPORT: Final = "POST /jobs/users-exports"
_ARCHIVE: Final = "POST /keystead/user-archives"
_JOB: Final = "GET /jobs/{id}"
_FILE: Final = "GET /keystead/user-exports/{id}"
_RECEIVE: Final = "PUT /keystead/user-archives"
_ERRORS: Final = "GET /jobs/{id}/errors"

EXPORT_ROUTES: Final = (_CONNECTIONS, _EXPORT, _ARCHIVE, _JOB, _FILE)
IMPORT_ROUTES: Final = (_CONNECTIONS, _RECEIVE, _JOB, _ERRORS)

STANDARD_OUTPUT: Final = "-"
_GZIP: Final = 31
_PACKED: Final = ".gz"

IMPORT_JOB: Final = "users_archive_import"
GOES_ON: Final = "the server goes on with it, or keystead users import --resume {job}"

Format = Literal["json", "csv", "archive"]
_ENDINGS: Final[Mapping[str, Format]] = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tar": "archive",
    ".tgz": "archive",
}
_AS: Final[Mapping[Format, str]] = {"json": "a line of JSON each", "csv": "CSV", "archive": "an archive"}
Connection = Annotated[str | None, typer.Option(help="The name of one connection.", show_default="all")]


def export(
    api: Api,
    connection: Connection = None,
    format: Annotated[
        Format | None,
        typer.Option(help="Lines of JSON; CSV; or all there is, signed.", show_default="by FILE's ending, or json"),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(help="Members, by comma: email,user_metadata.plan=Plan.", show_default="the most common"),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Where to; with .gz, packed.", show_default="-")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also over a file that is there.")] = False,
) -> None:
    """Write users to a file, or to standard output.

    An archive holds hashes and passkeys, and can be imported again: keep it like a backup.

    Examples:

      keystead users export --connection Staff --format csv --fields user_id=Id,email --output staff.csv

      keystead users export --format archive --output people.tar.gz
    """
    name = output or STANDARD_OUTPUT
    kind, columns = _format(format, name), _fields(fields) if fields else []
    job = _begun(api, kind, connection, columns)
    with _output(name, is_packed=kind == "archive", force=force) as sink:
        done = finished(api, job["id"], lambda _: "nothing was written; ask for it anew")
        link = urlsplit(str(done["location"]))
        _, _, job_id = link.path.rpartition("/")
        api.stream(_FILE, sink, job_id, signed=parse_qs(link.query)["signed"][0])
    if done.get("signed_by"):
        tell(f"signed with the key {done['signed_by']}: whoever imports it elsewhere names that")
    if name != STANDARD_OUTPUT:
        _told_of_export(Path(name), kind, columns)


def _begun(api: Api, kind: Format, connection: str | None, columns: list[dict[str, str]]) -> Any:
    """Return the job of an export that was asked for."""
    if kind == "archive" and columns:
        raise refuse("an archive is of everybody, with everything: it takes no --fields")
    wanted: dict[str, Any] = {"connection_id": _id_of(api, connection)} if connection else {}
    if kind == "archive":
        return api.ask(_ARCHIVE, body=wanted)
    return api.ask(_EXPORT, body=wanted | {"format": kind} | ({"fields": columns} if columns else {}))


def is_archive(file: str) -> bool:
    """Whether a file is an archive rather than rows; what is refused ends the command."""
    if file == STANDARD_OUTPUT:
        return False
    try:
        with nothing_done(), Path(file).open("rb") as found:
            return found.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise refuse(f"{file}: {error.strerror or error}") from None


def summary(file: Path) -> Summary:
    """Return what an archive says of itself; what is none, or cannot be read, ends the command."""
    with nothing_done():
        try:
            with file.open("rb") as found:
                return summary_of(found)
        except OSError as error:
            raise refuse(f"{file}: {error.strerror or error}") from None
        except InvalidArchive as error:
            raise refuse(f"{file}: {error}; rows that are packed are to be unpacked first: gunzip") from None


def import_archive(
    api: Api, file: Path, about: Summary, connection: str | None, trust: str | None, *, yes: bool
) -> None:
    """Put the users of an archive back, and tell what became of them; what is refused ends the command."""
    if not trust:
        confirm(
            f"Import {about.users} users of {about.issuer}, signed with the key {about.signed_by}, as they are?",
            yes=yes,
            instead="--yes for an archive of this installation, --trust KEY for another's",
        )
        trust = about.signed_by if not yes else None
    upload = Upload("application/gzip", partial(pieces, file))
    with nothing_done():
        job = api.upload(_RECEIVE, upload, key=trust, connection_id=_id_of(api, connection) if connection else None)
    follow_import(api, job["id"])


def follow_import(api: Api, job_id: str, *, resumed: bool = False) -> None:
    """Wait for the import of an archive, and tell what came of it."""

    def left(job: Mapping[str, Any]) -> str:
        nobody = "" if "percentage_done" in job else "its file is checked still, and nobody was put back. "
        return nobody + GOES_ON.format(job=job_id) + api.again

    _told_of_import(api, finished(api, job_id, left, resumed=resumed))


def _told_of_import(api: Api, done: Mapping[str, Any]) -> None:
    """Tell what became of the users of an archive; exit status 1 where some were not put back."""
    summary = done["summary"]
    for rp_id, count in done.get("passkeys_elsewhere", {}).items():
        tell(f"{count} passkeys are of {rp_id}, which is none of this installation's: they work nowhere here")
    api.done(done, f"{summary['inserted']} of {summary['total']} users are put back ({done['id']})")
    if summary["failed"]:
        refused = api.ask(_ERRORS, done["id"]) or ()
        codes = Counter(error["code"] for each in refused for error in each["errors"])
        counts = ", ".join(f"{code} {count}" for code, count in codes.most_common())
        tell(f"{summary['failed']} were not ({counts}): keystead jobs errors {done['id']}{api.again}")
        raise typer.Exit(1)


def _id_of(api: Api, name: str) -> str:
    found = next(iter(api.cursors(_CONNECTIONS, member="connections", name=name)), None)
    if found is None:
        raise refuse(f"there is no connection {name}")
    return str(found["id"])


def _fields(text: str) -> list[dict[str, str]]:
    found = []
    for each in text.split(","):
        name, renamed, head = each.partition("=")
        found.append({"name": name.strip()} | ({"export_as": head} if renamed else {}))
    return found


def _format(given: Format | None, output: str) -> Format:
    """Return the format that is asked for: else by how the file's name ends. One that contradicts it is refused."""
    ending = _ENDINGS.get(Path(output.removesuffix(_PACKED)).suffix)
    if given and ending and given != ending:
        raise refuse(f"{output} is the name of {_AS[ending]}: give --format {ending}, or another name")
    return given or ending or "json"


def _told_of_export(file: Path, kind: Format, columns: list[dict[str, str]]) -> None:
    """Say how many users are in a file, and which member nobody has: it may be misspelt."""
    if kind == "archive":
        with file.open("rb") as archive:
            tell(f"{file}: {summary_of(archive).users} users, {_AS[kind]}")
        return
    missing = {each.get("export_as", each["name"]): each["name"] for each in columns}
    count = 0
    opened = gzip.open if file.name.endswith(_PACKED) else open
    with opened(file, "rt", encoding="utf-8", newline="") as text:
        for count, row in enumerate(csv.DictReader(text) if kind == "csv" else map(json.loads, text), 1):  # noqa: B007
            for name in [each for each in missing if row.get(each) not in (None, "")]:
                del missing[name]
    tell(f"{file}: {count} users, {_AS[kind]}")
    if count and missing:
        tell(f"nobody has {', '.join(missing.values())}")


@contextmanager
def _output(name: str, *, is_packed: bool, force: bool) -> Iterator[Callable[[bytes], object]]:
    """Open what a file is written to; it is there whole or not at all, and its owner's alone."""
    if name == STANDARD_OUTPUT:
        if is_packed and sys.stdout.isatty():
            raise refuse("an archive is no text for a terminal: name a file with --output")
        with standard_output() as write:
            yield _sink(write, is_packed=is_packed)
        return
    path = Path(name)
    if path.exists() and not force:
        raise refuse(f"{path}: is there already; --force replaces it")
    try:
        with written(path) as file:
            yield _sink(file.write, is_packed=is_packed or name.endswith(_PACKED))
    except OSError as error:
        raise refuse(f"{error.filename or name}: {error.strerror or error}") from None


def _sink(write: Callable[[bytes], object], *, is_packed: bool) -> Callable[[bytes], object]:
    if is_packed:
        return write
    unpacking = zlib.decompressobj(_GZIP)
    return lambda part: write(unpacking.decompress(part))
