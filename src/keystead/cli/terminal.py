"""What people see: lines of news, tables that fit, questions before a loss. Every command prints through here.

Names, user agents, scripts and files come from others, who must not steer the administrator's terminal: an escape code
moves the cursor, sets the title or answers for whoever sits there, and a line break writes a line in our name.
"""

import codecs
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
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
_LINE: Final = re.compile(r"[^\n\t]+")
_CUT: Final = "…"
_LEAST: Final = 8
"""How narrow a column may become before the next one is cut."""


def say(*lines: str, err: bool = False) -> None:
    """Print lines for people, each of them one line whatever is in it."""
    for line in lines:
        typer.echo(printable(line), err=err)


def tell(line: str) -> None:
    """Write a line to the administrator, on standard error."""
    say(f"keystead: {' '.join(line.split())}", err=True)


def redraw(line: str = "") -> None:
    """Write a line over the one that is drawn at the end of a terminal's standard error; without one, take it away."""
    sys.stderr.write(f"\r\x1b[K{printable(line)}")
    sys.stderr.flush()


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
        say("", err=True)
        tell("nothing was changed")
        raise typer.Exit(1 if isinstance(ended.__context__, EOFError) else INTERRUPTED) from None
    if not agreed:
        tell("nothing was changed")
        raise typer.Exit(1)


def printable(text: str) -> str:
    """Return a text that steers no terminal: people choose their names, and anybody writes a user agent."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


@contextmanager
def standard_output() -> Iterator[Callable[[bytes], object]]:
    """Give what writes a text to standard output: to a file or a pipe byte by byte, to a terminal as people may see it.

    There, lines and tabs stay, and what would steer it is masked.
    """
    if not sys.stdout.isatty():
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)

    def show(part: bytes, *, final: bool = False) -> None:
        typer.echo(_LINE.sub(lambda line: printable(line[0]), decoder.decode(part, final)), nl=False)

    yield show
    show(b"", final=True)


def escaped(logger: object, name: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Write out as escapes whatever would steer a terminal or hide from a reader: a processor of the log.

    Paths, user agents and what was refused come from anybody. Of a traceback, every line but the first is set in, so
    that no text of an exception can pass for a line of the log.
    """
    return {
        key: "\n    ".join(map(_escaped, value.split("\n"))) if key == "exception" else _escaped(value)
        for key, value in line.items()
    }


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        if value.isprintable():
            return value
        return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)
    if isinstance(value, list | tuple):
        return [_escaped(each) for each in value]
    if isinstance(value, dict):
        return {_escaped(key): _escaped(each) for key, each in value.items()}
    return value


def document(found: object, *, err: bool = False) -> None:
    """Print a document for programs."""
    typer.echo(json.dumps(found, indent=2), err=err)


def item(found: object) -> None:
    """Print a document of several, on a line of its own."""
    typer.echo(json.dumps(found))


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
    """Print rows below a head, as they come, and return how many; ``columns`` are heads by where their values are."""
    remaining = iter(rows)
    first = [_cells(row, columns) for row in islice(remaining, _LOOKED_AT)]
    lines = [list(columns.values()), *first]
    widths = _fitting([max(map(len, column)) for column in zip(*lines, strict=True)])
    count = 0
    for cells in chain(lines, (_cells(row, columns) for row in remaining)):
        say("  ".join(map(_padded, cells, widths)).rstrip())
        count += 1
    return count - 1


def card(found: Mapping[str, Any]) -> None:
    """Print one thing, a member a line, by the dotted names that ``--set`` takes."""
    lines = list(_members(found))
    if not lines:
        say("nothing is set")
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        say(f"{name:<{width}}  {value}".rstrip())


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
