"""``keystead jobs``: what is to be done later."""

from contextlib import suppress
from typing import Annotated, Final

import typer

from keystead.cli.api import Api, Refused
from keystead.cli.commands import Limit, command, noun

app = noun("Jobs: what is to be done later, such as mail.")

Job = Annotated[str, typer.Argument(help="The id of a job, job_….", show_default=False)]

_ALL: Final = "GET /keystead/jobs"
_IMPORTS: Final = ("users_import", "users_archive_import")
_COLUMNS: Final = {
    "id": "id",
    "type": "type",
    "connection": "connection",
    "dry_run": "rehearsal",
    "status": "status",
    "tries": "tries",
    "created_at": "since",
    "run_at": "next try",
    "error": "last error",
}


@command(app, "list", _ALL)
def show_all(
    api: Api,
    status: Annotated[str | None, typer.Option(help="pending, processing, completed or failed.")] = None,
    type: Annotated[str | None, typer.Option(help="Those of one type.")] = None,
    limit: Limit = None,
) -> None:
    """List jobs, newest first; those that are done are kept for a day.

    Example:  keystead jobs list --status failed
    """
    api.listed(api.cursors(_ALL, member="jobs", limit=limit, status=status, type=type), _COLUMNS)


@command(app, "show", "GET /keystead/jobs/{id}", "GET /jobs/{id}")
def show(api: Api, job: Job) -> None:
    """Show a job; of an import that is over, with its counts."""
    found = api.ask("GET /keystead/jobs/{id}", job)
    if found["type"] in _IMPORTS and not api.as_json:  # programs get what the API answers
        with suppress(Refused):  # a token for jobs alone may not see whom they are about
            found |= {"summary": api.ask("GET /jobs/{id}", job).get("summary", {})}
    api.shown(found)


@command(app, "errors", "GET /jobs/{id}/errors")
def errors(api: Api, job: Job) -> None:
    """Show what went wrong in a job: exit status 1 where something did."""
    found = api.ask("GET /jobs/{id}/errors", job)
    if found is None:
        api.done(None, "nothing went wrong")
        return
    api.shown(found)
    raise typer.Exit(1)
