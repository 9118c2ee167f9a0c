"""How a command that is a call of the Management API is made: its options, and which calls it may make."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from keystead.cli.api import Api, Where, opened
from keystead.cli.terminal import refuse, tell

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Limit = Annotated[int | None, typer.Option(min=1, help="How many at most.", show_default="all")]
Body = Annotated[str | None, typer.Option("--body", metavar="FILE|-", help="JSON, as the API takes it.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="One member, by its dotted path; VALUE is JSON, or else text."),
]

DataDir = Annotated[
    Path | None,
    typer.Option(help="The installation on this machine, where its database is.", show_default="./data"),
]
Url = Annotated[
    str | None, typer.Option(envvar="KEYSTEAD_URL", help="A Keystead that runs elsewhere.", show_default=False)
]
Token = Annotated[
    str | None,
    typer.Option(envvar="KEYSTEAD_TOKEN", help="A token for its Management API.", show_default="that of the login"),
]
_COMMON: Final = (
    Parameter("data_dir", Parameter.KEYWORD_ONLY, default=None, annotation=DataDir),
    Parameter("url", Parameter.KEYWORD_ONLY, default=None, annotation=Url),
    Parameter("token", Parameter.KEYWORD_ONLY, default=None, annotation=Token),
    Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
)


Command = Callable[..., None]


@dataclass(frozen=True)
class Lookup:
    """Beside an argument in its annotation: how what somebody typed becomes the id that is meant."""

    route: str
    """The call that it takes."""
    find: Callable[[Api, str], tuple[str, str]]
    """Returns the id, and what says who that is."""

    def id_of(self, api: Api, typed: str) -> str:
        """Return the id. Whom a name has found is said: what comes of it may be a loss, or a link to an account."""
        if "|" in typed and "@" not in typed:
            return typed
        found, named = self.find(api, typed)
        if found != typed and not api.as_json:
            tell(f"{typed} is {named}")
        return found


DECLARED: Final[dict[Command, tuple[str, ...]]] = {}
"""The routes that each command calls, by the function that it is."""


def noun(says: str) -> typer.Typer:
    """Return what the commands of a noun belong to."""
    return typer.Typer(help=says, no_args_is_help=True, rich_markup_mode=None)


def command(app: typer.Typer, name: str, *routes: str, dashes: bool = False) -> Callable[[Command], Command]:
    """Make a function a command of a noun, as ``calling`` does; with ``dashes``, an id may begin with one."""

    def made(work: Command) -> Command:
        context = {"ignore_unknown_options": dashes}
        return app.command(name, context_settings=context)(calling(*routes)(work))

    return made


def calling(*routes: str) -> Callable[[Command], Command]:
    """Make a function a command that may call these routes, such as ``GET /users/{id}``.

    Its first parameter is the ``Api``; what says which Keystead is meant, and ``--json``, all of them have.
    """

    def made(work: Command) -> Command:
        def run(**given: Any) -> None:
            where = Where(given.pop("data_dir"), given.pop("url"), given.pop("token"))
            with opened(where, called, as_json=given.pop("as_json")) as api:
                for argument, lookup in lookups.items():
                    if given[argument] is not None:
                        given[argument] = lookup.id_of(api, given[argument])
                work(api, **given)

        _, *own = inspect.signature(work, eval_str=True).parameters.values()
        lookups = dict(_lookups(own))
        called = tuple(dict.fromkeys((*routes, *(each.route for each in lookups.values()))))
        own = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in own]
        run.__signature__ = inspect.Signature([*own, *_COMMON])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*own, *_COMMON)}
        run.__doc__, run.__name__ = work.__doc__, work.__name__
        DECLARED[run] = called
        return run

    return made


def _lookups(parameters: Sequence[Parameter]) -> Iterator[tuple[str, Lookup]]:
    for each in parameters:
        beside = getattr(each.annotation, "__metadata__", ())
        yield from ((each.name, found) for found in beside if isinstance(found, Lookup))


def condition(member: str, value: str) -> str:
    """Return a condition of a query: that a member is a value, whatever characters are in that."""
    term = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{member}:"{term}"'


def body_of(file: str | None, sets: Sequence[str] | None, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a body: what a file says, or ``base``, with single members set."""
    found = document_of(file) if file else dict(base or {})
    if not isinstance(found, dict):
        raise refuse(f"{file}: must hold a JSON object")
    for each in sets or ():
        _set(found, each)
    return found


def document_of(file: str) -> Any:
    """Return the JSON of a file, or of standard input."""
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise refuse(f"{file}: {error.strerror}") from None
    except ValueError as error:
        raise refuse(f"{file}: is no JSON: {error}") from None


def _set(found: dict[str, Any], assignment: str) -> None:
    path, given, text = assignment.partition("=")
    if not given or not all(path.split(".")):
        raise refuse(f"--set takes path=value, such as user_metadata.plan=gold, and not {assignment!r}")
    *outer, last = path.split(".")
    for name in outer:
        inner = found.get(name)
        if not isinstance(inner, dict):
            inner = {}
        found[name] = dict(inner)
        found = found[name]
    found[last] = _value(text)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
