"""Where messages end up in the tests: a real mail server, and a real HTTP server in the place of an SMS gateway."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@cache
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts but the tests."""
    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """A context that trusts the authority of the tests."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def serving_tls() -> ssl.SSLContext:
    """The context of a server at localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@dataclass
class PostBox:
    """A mail server. ``refusals`` are what it answers to the next messages instead of taking them."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    refused_recipients: list[str] = field(default_factory=list)
    delay: float = 0.0

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if self.refused_recipients:
            return self.refused_recipients.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail, or not."""
        await asyncio.sleep(self.delay)
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append(envelope)
        self.secure.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Know ann by her password."""
        assert isinstance(data, LoginPassword)
        self.users.append(data.login.decode())
        return AuthResult(success=(data.login, data.password) == (b"ann", b"p@ss/word"), handled=False)


@asynccontextmanager
async def post_box(*, at_once: bool = False, starttls: bool = False, **options: Any) -> AsyncIterator[PostBox]:
    """Run a mail server on this machine."""
    box = PostBox()
    tls = serving_tls() if at_once or starttls else None

    def protocol() -> SMTP:
        begins_in_clear = tls if starttls else None
        return SMTP(box, hostname="localhost", authenticator=box.authenticate, tls_context=begins_in_clear, **options)

    async with _listening(protocol, tls if at_once else None) as port:
        box.port = port
        yield box


@dataclass
class Gateway:
    """An HTTP server that keeps what it is told. ``statuses`` are its next answers; then 201."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((head[0], headers, body))
        status = self.statuses.pop(0) if self.statuses else 201
        location = "location: /elsewhere\r\n" if status in (301, 302, 307) else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    """Run an HTTP server on this machine."""
    found = Gateway()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


@asynccontextmanager
async def _listening(protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
