"""Breached passwords: a file as downloaders write it, and a host that speaks the range API, both real."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.adapters.breaches import HashFile, RangeApi
from keystead.errors import PasswordUnchecked
from keystead.ports import BreachSource
from keystead.secrecy import Secret
from world import Clock

pytestmark = pytest.mark.anyio

KNOWN = tuple(f"password number {each}" for each in range(300))


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest().upper()


def written(path: Path, lines: list[str], *, end: str = "\n", last: str | None = None) -> HashFile:
    """Write lines, and return the file as a source; ``last`` ends the last line where it differs."""
    text = end.join(lines) + (end if last is None else last)
    path.write_bytes(text.encode("ascii"))
    return HashFile(path)


async def asks(source: BreachSource, password: str) -> bool:
    return await source.is_breached(Secret(password))


HASHES = sorted(sha1(each) for each in KNOWN)
FORMS: dict[str, Callable[[Path], HashFile]] = {
    "with counts": lambda path: written(path, [f"{each}:{7 ** (place % 9)}" for place, each in enumerate(HASHES)]),
    "as downloaded": lambda path: written(path, [f"{each}:12" for each in HASHES], end="\r\n"),
    "bare": lambda path: written(path, HASHES),
    "without a last line feed": lambda path: written(path, [f"{each}:3" for each in HASHES], last=""),
    "in small letters": lambda path: written(path, [each.lower() for each in HASHES]),
    "with an empty last line": lambda path: written(path, HASHES, end="\r\n", last="\r\n\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_file_has_what_is_in_it_and_nothing_else(form: str, tmp_path: Path) -> None:
    source = FORMS[form](tmp_path / "hashes")
    assert [each for each in KNOWN if not await asks(source, each)] == []
    assert [each for each in (f"another {n}" for n in range(300)) if await asks(source, each)] == []
    await source.close()


async def test_a_file_of_one_line(tmp_path: Path) -> None:
    source = written(tmp_path / "hashes", [sha1("the only one")])
    assert await asks(source, "the only one")
    assert not await asks(source, "another one")


@given(st.sets(st.integers(0, 2**64), min_size=1, max_size=80), st.lists(st.integers(1, 10**9), min_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_every_line_is_found_wherever_it_is(tmp_path: Path, numbers: set[int], counts: list[int]) -> None:
    """Lines of any length: the search cuts to whole lines at both ends."""
    hashes = sorted(sha1(str(each)) for each in numbers)
    source = written(tmp_path / "hashes", [f"{each}:{count}" for each, count in zip(hashes, counts, strict=False)])
    assert all(source._has(each.encode()) for each in hashes)
    assert not any(source._has(sha1(f"not {each}").encode()) for each in numbers)


async def test_what_is_compared_is_the_composed_form(tmp_path: Path) -> None:
    source = written(tmp_path / "hashes", [sha1("caf\u00e9")])
    assert await asks(source, "cafe\u0301")


@pytest.mark.parametrize(
    "lines",
    [
        list(reversed(HASHES)),
        [f"{hashlib.md5(each.encode(), usedforsecurity=False).hexdigest()}:1" for each in KNOWN],
        ["these are", "the passwords", "themselves"],
        [],
    ],
    ids=["by count", "other hashes", "clear text", "nothing"],
)
async def test_a_file_of_another_kind_is_not_taken_for_one(lines: list[str], tmp_path: Path) -> None:
    """Nothing would ever be found in it, and nobody would notice."""
    source = written(tmp_path / "hashes", lines, last="")
    with pytest.raises(PasswordUnchecked):
        await asks(source, "whatever")


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PasswordUnchecked):
        await asks(HashFile(tmp_path / "nowhere"), "whatever")


async def test_a_file_that_takes_its_place_is_noticed(tmp_path: Path) -> None:
    source = written(tmp_path / "hashes", [sha1("the old one")])
    assert await asks(source, "the old one")
    written(tmp_path / "newer", [sha1("the new one"), sha1("the old one and more")][:1])
    os.replace(tmp_path / "newer", tmp_path / "hashes")
    assert await asks(source, "the new one")
    assert not await asks(source, "the old one")


@dataclass
class Host:
    """A host of the range API: what it is asked, and what it answers to a prefix."""

    answers: Callable[[str], tuple[int, str]]
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def host(answers: Callable[[str], tuple[int, str]]) -> Iterator[Host]:
    """Run a host of the range API on this machine."""
    told = Host(answers)

    class Range(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append((self.path, self.headers["add-padding"]))
            status, body = told.answers(self.path.rpartition("/")[2])
            self.send_response(status)
            if status in (301, 302):
                self.send_header("location", f"{told.url}/elsewhere")
            self.send_header("content-length", str(len(body.encode())))
            with suppress(OSError):  # whoever waited no longer is gone
                self.end_headers()
                self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Range)
    told.url = f"http://127.0.0.1:{server.server_port}/range"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@asynccontextmanager
async def asking(url: str, clock: Clock | None = None) -> AsyncIterator[RangeApi]:
    """Ask a host, and let go of it."""
    source = RangeApi(url, clock or Clock())
    yield source
    await source.close()


def known_suffixes(prefix: str) -> tuple[int, str]:
    """Answer as the real host does: with what it knows, and padding whose count is 0."""
    lines = [f"{each[5:]}:3" for each in HASHES if each.startswith(prefix)]
    lines += [f"{sha1('padding')[5:]}:0", f"{sha1(prefix)[5:]}:0"]
    return 200, "\r\n".join(lines)


async def test_a_host_learns_five_digits_and_no_more() -> None:
    with host(known_suffixes) as told:
        async with asking(told.url) as source:
            assert await asks(source, KNOWN[0])
            assert not await asks(source, "another password")
    assert told.asked == [(f"/range/{sha1(each)[:5]}", "true") for each in (KNOWN[0], "another password")]


async def test_padding_is_no_find() -> None:
    """A made-up line may be anybody's password; its count says that it is made up."""
    with host(lambda prefix: (200, f"{sha1('a password')[5:]}:0")) as told:
        async with asking(told.url) as source:
            assert not await asks(source, "a password")


@pytest.mark.parametrize(
    "answer",
    [(503, ""), (404, ""), (302, ""), (200, "x" * 1_000_001), (200, "\N{GRINNING FACE}")],
    ids=["unavailable", "not found", "redirect", "endless", "no text"],
)
async def test_an_answer_that_is_none(answer: tuple[int, str]) -> None:
    with host(lambda prefix: answer) as told:
        async with asking(told.url) as source:
            with pytest.raises(PasswordUnchecked):
                await asks(source, KNOWN[0])
    assert len(told.asked) == 1, "redirects are not followed"


async def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/range"
    async with asking(url) as source:
        with pytest.raises(PasswordUnchecked):
            await asks(source, KNOWN[0])


async def test_whoever_is_slow_is_left_alone_for_a_while() -> None:
    """Not every login may wait for a host that hangs."""
    clock = Clock()

    def hang(prefix: str) -> tuple[int, str]:
        time.sleep(1.3)
        return known_suffixes(prefix)

    with host(hang) as told:
        async with asking(told.url, clock) as source:
            for _ in range(3):
                with pytest.raises(PasswordUnchecked):
                    await asks(source, KNOWN[0])
            assert len(told.asked) == 1
            told.answers = known_suffixes
            clock.advance(seconds=31)
            assert await asks(source, KNOWN[0])
