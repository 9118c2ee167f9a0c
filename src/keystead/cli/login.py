"""``keystead login`` and ``logout``: a token of an administrator, for the commands that call a Keystead elsewhere."""

import asyncio
import webbrowser
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import typer

from keystead.app import SystemEntropy
from keystead.cli import sign_ins
from keystead.cli.api import UNREACHED
from keystead.cli.terminal import refuse, say, tell
from keystead.errors import Unavailable
from keystead.rules.calls import BASE, json_of
from keystead.rules.enumeration import Ask
from keystead.rules.oauth import challenge_of
from keystead.rules.own_clients import COMMAND_LINE
from keystead.secrecy import Secret
from keystead.start import as_stranger

_SECONDS: Final = 300
"""How long a person has to sign in."""

_DONE: Final = "You are signed in. This window can be closed."
_NOT_DONE: Final = "You are not signed in. The command line says why."
_LONGEST: Final = 8192

Url = Annotated[str, typer.Option(envvar="KEYSTEAD_URL", help="Where it is.", show_default=False)]


@dataclass(frozen=True)
class _SignIn:
    """One sign-in: what was asked for, and what its answer must show."""

    url: str
    redirect_uri: str
    state: str
    verifier: str

    @property
    def address(self) -> str:
        """Where the browser goes."""
        asked = {
            "response_type": "code",
            "client_id": COMMAND_LINE,
            "redirect_uri": self.redirect_uri,
            "audience": f"{self.url}{BASE}/",
            "state": self.state,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return f"{self.url}/authorize?{urlencode(asked)}"


def login(
    url: Url,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, and open nothing.")] = False,
) -> None:
    """Sign in as an administrator, for commands with --url. The token is kept in a file that you alone can read.

    Example:  keystead login --url https://login.example.com
    """
    address = sign_ins.checked(url)
    try:
        token = asyncio.run(_signed_in(address, browser=not no_browser))
    except TimeoutError:
        tell(f"nobody signed in within {_SECONDS // 60} minutes")
        raise typer.Exit(1) from None
    except Unavailable as error:
        tell(str(error))
        raise typer.Exit(UNREACHED) from None
    path = sign_ins.keep(address, token)
    say(f"You are signed in to {address}; the token is in {path}")


def logout(url: Url) -> None:
    """Forget the token of a Keystead. Exit status 1: there was none."""
    address = sign_ins.checked(url)
    if not sign_ins.forget(address):
        tell(f"you were not signed in to {address}")
        raise typer.Exit(1)
    say(f"The token for {address} is forgotten")


async def _signed_in(url: str, *, browser: bool) -> Secret[str]:
    """Return the token of whoever signs in. Raises ``TimeoutError``, ``Unavailable``."""
    entropy = SystemEntropy()
    heard: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    state = entropy.token()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hear(reader, writer, state, heard)

    async with await asyncio.start_server(hear, "127.0.0.1", 0, limit=_LONGEST) as server:
        port = server.sockets[0].getsockname()[1]
        asked = _SignIn(url, f"http://127.0.0.1:{port}/callback", state, entropy.token(48))
        if not (browser and webbrowser.open(asked.address)):
            tell(f"open this address in a browser on this machine: {asked.address}")
        async with asyncio.timeout(_SECONDS):
            answer = await heard
    if "code" not in answer:
        raise refuse(answer.get("error_description") or answer.get("error") or "the sign-in was given up")
    return await _exchanged(asked, answer["code"])


async def _hear(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: str, heard: "asyncio.Future[dict[str, str]]"
) -> None:
    """Take the browser's word, if it has the state: whatever else on this machine calls is told nothing."""
    try:
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode("ascii")
        answer = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        if urlsplit(target).path != "/callback" or answer.get("state") != state:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        text = (_DONE if "code" in answer else _NOT_DONE).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
        writer.write(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
        await writer.drain()
        if not heard.done():
            heard.set_result(answer)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError, UnicodeError, ConnectionError):
        pass  # no browser of ours
    finally:
        writer.close()


async def _exchanged(asked: _SignIn, code: str) -> Secret[str]:
    form = {
        "grant_type": "authorization_code",
        "client_id": COMMAND_LINE,
        "code": code,
        "redirect_uri": asked.redirect_uri,
        "code_verifier": asked.verifier,
    }
    async with as_stranger(asked.url) as stranger:
        reply = await stranger.ask(Ask("POST", "/oauth/token", form=form))
    found: Any = json_of(reply.body.encode())
    if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
        said = found.get("error_description") if isinstance(found, dict) else None
        raise refuse(f"{asked.url} gave no token: {said or reply.status}")
    return Secret(found["access_token"])
