"""What people see: lines of news, tables that fit, questions before a loss."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final

import typer

WRONG: Final = 2
"""The exit status of what cannot be done as it was asked for."""
INTERRUPTED: Final = 130
"""The exit status of what Ctrl-C ended."""


_LOOKED_AT: Final = 100
"""How many rows decide how wide the columns are: the first of a long list need not wait for the last."""

_MOMENT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})\.[0-9]{3}Z")
_CUT: Final = "…"
_LEAST: Final = 8
"""How narrow a column may become before the next one is cut."""


def tell(line: str) -> None:
    """Write a line to the administrator, on standard error."""
    typer.echo(f"keystead: {printable(' '.join(line.split()))}", err=True)


def refuse(line: str) -> typer.Exit:
    """Say what is wrong, and return how the command ends."""
    tell(line)
    return typer.Exit(WRONG)


def confirm(question: str, *, yes: bool, instead: str = "--yes") -> None:
    """Ask before a loss, unless ``yes``; whoever declines ends the command with status 1.

    Where nobody can be asked it is refused, and said what is to be given ``instead``: what is on standard input then
    may be a list that a script reads.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise refuse(f"{question} Nobody is there to answer: give {instead}")
    try:
        agreed = typer.confirm(printable(question), err=True)
    except typer.Abort as ended:
        typer.echo(err=True)
        tell("nothing was changed")
        raise typer.Exit(1 if isinstance(ended.__context__, EOFError) else INTERRUPTED) from None
    if not agreed:
        tell("nothing was changed")
        raise typer.Exit(1)


def printable(text: str) -> str:
    """Return a text that steers no terminal: people choose their names, and anybody writes a user agent."""
    return "".join(char if char.isprintable() else "?" for char in text)


def document(found: object) -> None:
    """Print a document for programs."""
    typer.echo(json.dumps(found, indent=2))


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
    """Print rows below a head, as they come, and return how many; ``columns`` are heads by where their values are."""
    remaining = iter(rows)
    first = [_cells(row, columns) for row in islice(remaining, _LOOKED_AT)]
    lines = [list(columns.values()), *first]
    widths = _fitting([max(map(len, column)) for column in zip(*lines, strict=True)])
    count = 0
    for cells in chain(lines, (_cells(row, columns) for row in remaining)):
        typer.echo("  ".join(map(_padded, cells, widths)).rstrip())
        count += 1
    return count - 1


def card(found: Mapping[str, Any]) -> None:
    """Print one thing, a member a line, by the dotted names that ``--set`` takes."""
    lines = list(_members(found))
    if not lines:
        typer.echo("nothing is set")
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        typer.echo(f"{name:<{width}}  {value}".rstrip())


def cell(value: object) -> str:
    """Return a value as people read it: moments to the second, yes and no, lists by their items."""
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case str():
            moment = _MOMENT.fullmatch(value)
            return " ".join(moment.groups()) if moment else printable(value)
        case dict():
            return printable(json.dumps(value, ensure_ascii=False)) if value else "-"
        case list():
            return ", ".join(cell(each) for each in value)
    return printable(str(value))


def at(found: object, path: str) -> Any:
    """Return what is at a dotted path; ``None`` where there is nothing."""
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _cells(row: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
    return [cell(at(row, path)) for path in columns]


def _members(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(value, Mapping) and value:
            yield from _members(value, f"{prefix}{name}.")
        else:
            yield printable(f"{prefix}{name}"), cell(value)


def _fitting(widths: Sequence[int]) -> list[int]:
    """Return widths that fit the terminal, the widest column cut first; nobody's terminal has no width."""
    columns = shutil.get_terminal_size((0, 0)).columns
    found, room = list(widths), columns - 2 * (len(widths) - 1)
    while columns and sum(found) > room and max(found) > _LEAST:
        found[found.index(max(found))] -= 1
    return found


def _padded(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + _CUT
