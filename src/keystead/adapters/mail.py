"""Delivery: mail by SMTP, and texts to phones by HTTP."""

import hashlib
import hmac
import json
import ssl
from dataclasses import dataclass, replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import httpx2

from keystead.errors import DeliveryFailed
from keystead.ports import Clock, Postman
from keystead.rules.mail_servers import DEFAULT_PORT, SECURE_PORT, MailServer, Tls, usual_tls
from keystead.rules.messages import Channel, Letter
from keystead.rules.templates import mailbox
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 10.0
"""How long each step of a delivery may take."""

_STARTTLS: Final[dict[Tls, bool | None]] = {"at once": False, "required": True, "offered": None, "never": False}


@cache
def system_trust() -> ssl.SSLContext:
    """Return the certificates that the system trusts: reading them takes as long as a delivery."""
    return ssl.create_default_context()


@dataclass(frozen=True)
class Router:
    """Sends each letter by the postman of its channel."""

    by_channel: dict[Channel, Postman]
    mail_from: str
    """Whom mail comes from where neither template nor stored server say."""
    clock: Clock

    async def deliver(self, letter: Letter, server: MailServer | None) -> None:
        """Deliver a letter by its channel; mail to ``server``, where administrators stored one."""
        postman = self.by_channel[letter.channel]
        if server is not None and letter.channel == "email":
            postman = SmtpPostman(replace(server, sender=server.sender or self.mail_from), self.clock)
        await postman.deliver(letter)


@dataclass(frozen=True)
class SmtpPostman:
    """Hands mail to a server. Certificates are always verified; where TLS is only offered, plain text will do."""

    server: MailServer
    clock: Clock
    trust: ssl.SSLContext | None = None
    """Whom to trust, where that is not whom the system trusts."""

    async def deliver(self, letter: Letter) -> None:
        """Send one mail. Raises ``DeliveryFailed``: for good, where the server says 5xx to anything but a login."""
        try:
            await self._send(letter)
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryFailed(detail=f"the login was refused: {error.code} {error.message}") from None
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryFailed(permanent=_is_final(error), detail=f"{error.code} {error.message}") from None
        except aiosmtplib.SMTPRecipientsRefused as refused:
            first = refused.recipients[0]
            raise DeliveryFailed(permanent=_is_final(first), detail=f"{first.code} {first.message}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(detail=f"{type(error).__name__}: {error}") from None
        except ValueError as error:  # of a header that cannot be written, or an address that is none
            raise DeliveryFailed(permanent=True, detail=f"{type(error).__name__}: {error}") from None

    async def _send(self, letter: Letter) -> None:
        server, sender = self.server, self._sender(letter)
        await aiosmtplib.send(
            self._message(letter, sender),
            sender=sender.addr_spec,
            recipients=[letter.to],
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password.reveal() or None,
            use_tls=server.tls == "at once",
            start_tls=_STARTTLS[server.tls],
            tls_context=None if server.tls == "never" else self.trust or system_trust(),
            local_hostname=sender.domain,
            timeout=TIMEOUT_SECONDS,
        )

    async def greet(self) -> None:
        """Connect, begin TLS and log in as a delivery does, and leave again. Raises ``DeliveryFailed``."""
        server = self.server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password.reveal() or None,
            use_tls=server.tls == "at once",
            start_tls=_STARTTLS[server.tls],
            tls_context=None if server.tls == "never" else self.trust or system_trust(),
            timeout=TIMEOUT_SECONDS,
        )
        try:
            async with client:
                await client.ehlo()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryFailed(detail=f"the login was refused: {error.code} {error.message}") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(detail=f"{type(error).__name__}: {error}") from None

    def _sender(self, letter: Letter) -> Address:
        name, address = mailbox(letter.sender or self.server.sender) or ("", "")
        return Address(name, addr_spec=address)

    def _message(self, letter: Letter, sender: Address) -> EmailMessage:
        """Write it down. Headers that hold a line break, or an address that holds two, are refused (``ValueError``)."""
        message = EmailMessage()
        message["From"] = sender
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self.clock())
        # The same at each try, so that a mail which arrives twice is known for one.
        message["Message-ID"] = f"<{letter.id or hashlib.sha256(letter.text.encode()).hexdigest()}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(letter.text, cte="quoted-printable")
        if letter.html:
            message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
        return message


@dataclass(frozen=True)
class WebhookSender:
    """Posts texts as JSON to an address of the operator's, signed with HMAC-SHA256 over time and body."""

    url: str
    key: Secret[str]
    clock: Clock

    async def deliver(self, letter: Letter) -> None:
        """Post one text. Raises ``DeliveryFailed``."""
        body = json.dumps({"id": letter.id, "to": letter.to, "text": letter.text}).encode("utf-8")
        moment = str(int(self.clock().timestamp()))
        signed = hmac.new(self.key.reveal().encode("utf-8"), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "keystead-timestamp": moment,
            "keystead-signature": f"sha256={signed}",
        }
        await _post(httpx2.Request("POST", self.url, headers=headers, content=body))


@dataclass(frozen=True)
class TwilioSender:
    """Speaks Twilio's form API at a configurable address: ``https://SID:TOKEN@api.twilio.com``."""

    url: Secret[str]
    sender: str

    async def deliver(self, letter: Letter) -> None:
        """Send one text. Raises ``DeliveryFailed``."""
        parts = urlsplit(self.url.reveal())
        account, token = unquote(parts.username or ""), unquote(parts.password or "")
        base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        form = {"To": letter.to, "From": self.sender, "Body": letter.text}
        url = f"{base}/2010-04-01/Accounts/{account}/Messages.json"
        await _post(httpx2.Request("POST", url, data=form), httpx2.BasicAuth(account, token))


@dataclass(frozen=True)
class Nobody:
    """Stands in on a public server where nothing is configured: no code or link may lie in the database in clear."""

    async def deliver(self, letter: Letter) -> None:
        """Fail, once and for all."""
        raise DeliveryFailed(permanent=True, detail=f"no way to send {letter.channel} is configured")


def server_of(url: Secret[str], sender: str) -> MailServer:
    """Read ``smtp://user:password@host:port?tls=...`` or ``smtps://...``, which the settings have checked."""
    parts = urlsplit(url.reveal())
    host, user = parts.hostname or "", unquote(parts.username or "")
    asked = parse_qs(parts.query).get("tls", [""])[0]
    secure = parts.scheme == "smtps"
    tls = next((each for each in _STARTTLS if each == asked), usual_tls(host, user))
    return MailServer(
        host=host,
        port=parts.port or (SECURE_PORT if secure else DEFAULT_PORT),
        user=user,
        password=Secret(unquote(parts.password or "")),
        tls="at once" if secure else tls,
        sender=sender,
    )


def _is_final(error: aiosmtplib.SMTPResponseException) -> bool:
    return 500 <= error.code < 600


async def _post(request: httpx2.Request, auth: httpx2.Auth | None = None) -> None:
    """Post without following redirects, which could carry a text to somebody else."""
    trust = system_trust() if request.url.scheme == "https" else False
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, verify=trust) as client:
            answer = await client.send(request, auth=auth, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DeliveryFailed(detail=type(error).__name__) from None
    if not answer.is_success:
        refused = 400 <= answer.status_code < 500 and answer.status_code not in (401, 403, 408, 425, 429)
        raise DeliveryFailed(permanent=refused, detail=f"HTTP {answer.status_code}")
