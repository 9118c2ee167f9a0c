"""The Management API as commands use it: one call after the other, wherever the Keystead is."""

import asyncio
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import typer

from keystead.cli import sign_ins
from keystead.cli.terminal import WRONG, card, document, item, refuse, say, table, tell
from keystead.errors import DomainError, Unavailable
from keystead.rules.calls import Answer, Call, Upload, call_of, json_of, refusal

UNREACHED: Final = 3
"""The exit status where nobody answered, or nobody could."""

_PART: Final = 100
"""How many items of a list are asked for at once: as many as the API gives."""

_CANNOT: Final = 500

_JOB: Final = "GET /jobs/{id}"
_UNDONE: Final = ("pending", "processing")
_LOOK: Final = 0.5
"""Seconds from one look at a job to the next."""


Told = Callable[[Mapping[str, Any], bool], object]
"""Hears of a job, and whether this process may be doing it."""


@dataclass(frozen=True)
class Where:
    """Which Keystead a command is about: the one of this machine's database, or one that runs elsewhere."""

    data_dir: Path | None = None
    url: str | None = None
    token: str | None = None

    @property
    def again(self) -> str:
        """The options that say it again, each behind a space; never the token."""
        given = (("--data-dir", self.data_dir), ("--url", self.url))
        return "".join(f" {name} {shlex.quote(str(value))}" for name, value in given if value)


class Refused(Exception):
    """What was asked for was not done; the text is what the API said."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class Api:
    """What a command speaks to. It may make the calls that it declares, and no other."""

    def __init__(
        self, calls: Any, runner: asyncio.Runner, routes: tuple[str, ...], again: str, *, as_json: bool
    ) -> None:
        self._calls, self._runner, self._routes, self.as_json = calls, runner, routes, as_json
        self.again: Final = again
        """The options by which another command is about the same Keystead, behind a space where there are any."""

    def ask(self, route: str, *ids: str, body: object | None = None, **query: object) -> Any:
        """Make a call and return what its answer says; ``None`` where that is nothing. Raises ``Refused``.

        A name in the query that Python has a use for ends in an underscore.
        """
        assert route in self._routes, route
        return json_of(self._runner.run(self._whole(call_of(route, ids, _named(query), body))))

    def other(self, call: Call) -> Any:
        """Make whatever call somebody wrote down."""
        return json_of(self._runner.run(self._whole(call)))

    def pages(self, route: str, *ids: str, limit: int | None = None, **query: object) -> Iterator[dict[str, Any]]:
        """Give the items of a list that has pages with numbers."""
        return islice(self._pages(route, ids, query), limit)

    def cursors(
        self, route: str, *ids: str, member: str, limit: int | None = None, **query: object
    ) -> Iterator[dict[str, Any]]:
        """Give the items of a list whose parts each say where the next begins; ``member`` is where a part has them."""
        return islice(self._cursors(route, ids, member, query), limit)

    def following(self, route: str, *ids: str, name: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Give the items of a list whose parts are arrays; the next begins behind what ``name`` says of the last."""
        return islice(self._following(route, ids, name), limit)

    def stream(self, route: str, sink: Callable[[bytes], object], *ids: str, **query: object) -> None:
        """Hand an answer to ``sink`` as it comes. Raises ``Refused``."""
        assert route in self._routes, route
        self._runner.run(self._stream(call_of(route, ids, _named(query), None), sink))

    def upload(self, route: str, file: Upload, **query: object) -> Any:
        """Send a file and return what the answer says. Raises ``Refused``."""
        assert route in self._routes, route
        return json_of(self._runner.run(self._whole(replace(call_of(route, (), _named(query), None), file=file))))

    def waited(self, job: str, tell: Told) -> dict[str, Any]:
        """Return a job once it is at its end; ``tell`` hears of it meanwhile. Raises ``Refused``.

        Where no server runs, this process does it. It can be left: somebody else goes on then.
        """
        assert _JOB in self._routes, _JOB
        found: dict[str, Any] = self._runner.run(self._waited(job, tell))
        return found

    def listed(self, items: Iterator[dict[str, Any]], columns: Mapping[str, str]) -> None:
        """Print a list: a table for people, a line for each item for programs."""
        if not self.as_json:
            if not table(items, columns) and sys.stderr.isatty():
                tell("nothing was found")
            return
        for each in items:
            item(each)

    def shown(self, found: Any) -> None:
        """Print one thing."""
        if self.as_json or not isinstance(found, dict):
            document(found)
        else:
            card(found)

    def done(self, found: Any, said: str) -> None:
        """Say what happened; programs get the answer, where it has anything."""
        if not self.as_json:
            say(said)
        elif found is not None:
            document(found)

    def _pages(self, route: str, ids: tuple[str, ...], query: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        for number in count():
            items = self.ask(route, *ids, page=number, per_page=_PART, **query)
            yield from items
            if len(items) < _PART:
                return

    def _cursors(
        self, route: str, ids: tuple[str, ...], member: str, query: Mapping[str, object]
    ) -> Iterator[dict[str, Any]]:
        following: str | None = ""
        while following is not None:
            part = self.ask(route, *ids, take=_PART, from_=following or None, **query)
            yield from part[member]
            following = part.get("next")

    def _following(self, route: str, ids: tuple[str, ...], name: str) -> Iterator[dict[str, Any]]:
        last: str | None = None
        while items := self.ask(route, *ids, take=_PART, from_=last):
            yield from items
            if len(items) < _PART:
                return
            last = items[-1][name]

    async def _waited(self, job: str, tell: Told) -> Any:
        working = asyncio.create_task(self._calls.work())
        try:
            while True:
                await asyncio.wait((working,), timeout=_LOOK)
                found = json_of(await self._whole(call_of(_JOB, (job,), {}, None)))
                if found["status"] not in _UNDONE:
                    return found
                tell(found, not working.done())
                if working.done():  # somebody else has it, or it is to be tried again
                    working.result()
                    await asyncio.sleep(_LOOK)
                    working = asyncio.create_task(self._calls.work())
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working

    async def _whole(self, call: Call) -> bytes:
        async with self._calls.ask(call) as answer:
            return await _good(answer)

    async def _stream(self, call: Call, sink: Callable[[bytes], object]) -> None:
        async with self._calls.ask(call) as answer:
            if answer.is_refusal:
                await _good(answer)
            async for part in answer.body:
                sink(part)


@contextmanager
def opened(where: Where, routes: tuple[str, ...], *, as_json: bool) -> Iterator[Api]:
    """Open the API of a Keystead. What is refused ends the command with one line on standard error."""
    try:
        with asyncio.Runner() as runner, _calls(where) as calls:
            try:
                yield Api(calls, runner, routes, where.again, as_json=as_json)
            finally:
                runner.run(calls.close())
    except Refused as error:
        tell(str(error))
        raise typer.Exit(UNREACHED if error.status >= _CANNOT else WRONG) from None
    except Unavailable as error:
        tell(str(error))
        raise typer.Exit(UNREACHED) from None
    except DomainError as error:
        raise refuse(str(error)) from None


@contextmanager
def _calls(where: Where) -> Iterator[Any]:
    """Give the way to a Keystead. By name, since each takes what the other would wait for, most of all what serves."""
    if where.url is not None and where.data_dir is None:
        url = sign_ins.checked(where.url)
        yield import_module("keystead.elsewhere").calls(url, sign_ins.token_for(url, where.token))
        return
    with import_module("keystead.cli.here").calls(where.data_dir) as calls:
        yield calls


async def _good(answer: Answer) -> bytes:
    body = b"".join([part async for part in answer.body])
    if answer.is_refusal:
        raise Refused(answer.status, refusal(answer.status, body))
    return body


def _named(query: Mapping[str, object]) -> dict[str, object]:
    return {name.rstrip("_"): value for name, value in query.items()}
