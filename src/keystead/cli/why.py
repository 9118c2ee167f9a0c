"""``keystead why``: why somebody was refused."""

import shlex
from typing import Annotated, Any, Final

import typer

from keystead.cli.api import Api
from keystead.cli.commands import calling, condition
from keystead.cli.terminal import document, say, tell

_WIDTH: Final = 10
_UNBLOCKED: Final = ("user_blocked", "brute_force", "device", "strangers", "account")
"""The rules that ``keystead users unblock`` answers."""
_ALL: Final = "GET /keystead/decisions"


@calling(_ALL)
def why(
    api: Api,
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="DECISION|IDENTIFIER",
            help="The id of the answer's Keystead-Decision header; or an email, phone number, username or user id.",
            show_default=False,
        ),
    ],
) -> None:
    """Tell why somebody was refused: which rule, its counts as they are now, until when, and who may lift it.

    Example:  keystead why ann@example.com
    """
    found = api.ask(_ALL, about=wanted)
    if api.as_json:
        document(found)
    else:
        for number, each in enumerate(found):
            say(*([""] if number else []), *_block(each))
    if not found:
        tell("nothing is known of that; refusals are kept for 30 days")
        raise typer.Exit(1)


def _block(shown: dict[str, Any]) -> list[str]:
    """Return one refusal for people to read, line by line."""
    who = [shown[name] for name in ("identifier", "user_id") if name in shown]
    lines = {
        "refused": f"{shown['date'][:19].replace('T', ' ')} UTC  {shown['id']}",
        "who": ", ".join(who) or "nobody that is known",
        "where": " of ".join(shown[name] for name in ("path", "connection") if name in shown),
        "client": shown.get("client_id", ""),
        "from": ", ".join(shown[name] for name in ("ip", "user_agent") if name in shown),
        "rule": f"{shown['rule']}: {shown['explanation']}",
        "script": shown.get("script", ""),
        "detail": "; ".join([*([shown["detail"]] if "detail" in shown else []), *shown.get("reasons", ())]),
        "count": _count(shown.get("limit")),
        "until": _until(shown.get("limit")),
        "lifted by": shown["lifted_by"],
        "here by": _unblocking(shown),
        "journal": ", ".join(each["type"] for each in shown["events"]),
    }
    return [f"{name:<{_WIDTH}}{text}" for name, text in lines.items() if text]


def _unblocking(shown: dict[str, Any]) -> str:
    """Return the command that lets somebody in again, where one does; before a lock nobody looks whose it is."""
    if shown["rule"] not in _UNBLOCKED or not shown.keys() & {"user_id", "identifier"}:
        return ""
    if "user_id" in shown:
        return f"keystead users unblock {shlex.quote(shown['user_id'])}"
    # Not by the identifier: on another connection it may be somebody else's, whom an administrator blocked.
    kind, _, value = shown["identifier"].partition(":")
    query = shlex.quote(condition(kind, value))
    where = f" --connection {shlex.quote(shown['connection'])}" if "connection" in shown else ""
    return f"keystead users unblock ID, which keystead users list{where} --search {query} has"


def _count(limit: dict[str, Any] | None) -> str:
    if limit is None:
        return ""
    since = f", charged last at {_moment(limit['since'])}" if limit["since"] else ""
    return f"{limit['spent']:g} of {limit['capacity']:g} are spent now{since}"


def _until(limit: dict[str, Any] | None) -> str:
    if limit is None:
        return ""
    return _moment(limit["refuses_until"]) if limit["refuses_until"] else "it refuses nobody now"


def _moment(text: str) -> str:
    return f"{text[:19].replace('T', ' ')} UTC"
