"""``keystead doctor``: looks at an installation; and at a Keystead that is running, from outside."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from keystead import settings as process
from keystead.cli.options import AsJson, DataDir, told_plainly
from keystead.cli.terminal import document, say, tell
from keystead.flows.enumeration import Report, Wanted
from keystead.rules.enumeration import ALPHA, EFFECT, Verdict
from keystead.rules.health import Finding
from keystead.rules.reachability import worst
from keystead.secrecy import Secret
from keystead.start import run_doctor, try_enumeration

app = typer.Typer(help="Look at an installation, and say which line to change.", rich_markup_mode=None)

_WIDTH: Final = 30
_STATUS_WIDTH: Final = len("warning")
_ID_WIDTH: Final = len("breached_passwords")
_TERMINATED: Final = 128 + signal.SIGTERM


@app.callback(invoke_without_command=True)
def doctor(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no other host, and not the public URL.")] = False,
    send_to: Annotated[str, typer.Option(help="Send a test mail to this address.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Look at an installation, and say which line to change: exit status 1 where something does not work.

    Run it with the server's own environment. It changes nothing.

    Examples:

      keystead doctor --data-dir /var/lib/keystead

      keystead doctor --offline --json
    """
    if context.invoked_subcommand is not None:
        return
    with told_plainly():
        wanted = run_doctor(process.load(data_dir=data_dir), offline=offline, send_to=send_to)
        findings = asyncio.run(wanted)
    if as_json:
        document([each.on_wire() for each in findings])
    else:
        say(*map(_finding, findings))
    if worst(findings):
        raise typer.Exit(1)


def _finding(each: Finding) -> str:
    remedy = f"  ->  {each.remedy}" if each.remedy else ""
    return f"{each.status:{_STATUS_WIDTH}}  {each.id:{_ID_WIDTH}}  {each.found}{remedy}"


@app.command("enumeration")
def enumeration(
    url: Annotated[str, typer.Option(help="Where it is.")],
    client_id: Annotated[str, typer.Option(help="A public client of the connection, with a callback URL.")],
    connection: Annotated[str, typer.Option(help="The connection whose people are to be found out.")],
    token: Annotated[str, typer.Option(envvar="KEYSTEAD_TOKEN", help="A token for the Management API.")],
    samples: Annotated[int, typer.Option(min=1, max=5000, help="How many people of each kind are made.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Try whether a stranger can find out who has an account: exit status 1 where they can.

    Example:

      KEYSTEAD_TOKEN=... keystead doctor enumeration --url https://login.example.com --client-id ... --connection Main
    """
    wanted = Wanted(client_id, connection, Secret(token), samples)
    with told_plainly():
        try:
            report = asyncio.run(_tried(url.rstrip("/"), wanted))
        except asyncio.CancelledError:
            raise typer.Exit(_TERMINATED) from None
    for note in report.notes:
        tell(note)
    if as_json:
        document(_document(report))
    else:
        say(*_lines(report))
    if any(verdict.differences for verdict in report.verdicts):
        raise typer.Exit(1)


async def _tried(url: str, wanted: Wanted) -> Report:
    """Try it. SIGTERM ends that as Ctrl-C does, once everything is as it was before."""
    trying = asyncio.ensure_future(try_enumeration(url, wanted))

    def end() -> None:  # once: ``timeout`` sends it twice, and the second must not end what the first began
        if not trying.cancelling():
            trying.cancel()

    with suppress(NotImplementedError):  # Windows, where nobody is sent it
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    return await trying


def _document(report: Report) -> dict[str, Any]:
    return {
        "profile": report.profile,
        "kinds": list(report.kinds),
        "alpha": ALPHA,
        "effect": EFFECT,
        "probes": [asdict(verdict) for verdict in report.verdicts],
        "notes": list(report.notes),
    }


def _lines(report: Report) -> Iterator[str]:
    yield f"profile: {report.profile}; the time in the middle, in ms, for each kind of person"
    yield "  ".join([f"{'probe':{_WIDTH}}", *(f"{kind:>10}" for kind in report.kinds), "verdict"])
    for verdict in report.verdicts:
        medians = (verdict.medians.get(kind) for kind in report.kinds)
        times = (f"{each * 1000:10.2f}" if each is not None else f"{'-':>10}" for each in medians)
        yield "  ".join([f"{verdict.probe:{_WIDTH}}", *times, _said(verdict, report.profile)])
    for verdict in report.verdicts:
        for each in verdict.differences:
            yield f"{verdict.probe}: {each.one} and {each.other} differ in {each.aspect}: {each.says}"


def _said(verdict: Verdict, profile: str) -> str:
    aspects = sorted({each.aspect for each in verdict.differences})
    if aspects:
        return f"differs: {', '.join(aspects)}"
    return (
        f"the same, but for {' and '.join(verdict.apart)}: the profile {profile} tells" if verdict.apart else "the same"
    )
