"""Delivery: a mail server by SMTP, an SMS gateway by HTTP, and an outbox where neither is configured."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
import httpx2

from keystead.db import outbox
from keystead.db.session import Database
from keystead.errors import DeliveryFailed
from keystead.ports import Clock, Entropy, Postman
from keystead.rules.messages import Channel, Letter
from keystead.secrecy import Secret

TIMEOUT_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Router:
    """Sends each letter by the postman of its channel."""

    by_channel: dict[Channel, Postman]

    async def deliver(self, letter: Letter) -> None:
        """Deliver a letter by its channel."""
        await self.by_channel[letter.channel].deliver(letter)


@dataclass(frozen=True)
class SmtpPostman:
    """``smtp://`` (STARTTLS where it is offered) or ``smtps://`` (TLS from the start); user and password in the URL."""

    url: Secret[str]
    sender: str
    clock: Clock

    async def deliver(self, letter: Letter) -> None:
        """Send one mail. Raises ``DeliveryFailed``; permanent where the server says 5xx."""
        parts = urlsplit(self.url.reveal())
        secure = parts.scheme == "smtps"
        try:
            await aiosmtplib.send(
                self._message(letter),
                hostname=parts.hostname,
                port=parts.port or (465 if secure else 587),
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                use_tls=secure,
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryFailed(permanent=500 <= error.code < 600, detail=f"{error.code} {error.message}") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise DeliveryFailed(permanent=True, detail=str(error)) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(detail=f"{type(error).__name__}: {error}") from None

    def _message(self, letter: Letter) -> EmailMessage:
        # EmailMessage refuses line breaks in headers, so no name or subject can add a header of its own.
        message = EmailMessage()
        message["From"] = letter.sender or self.sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate(self.clock().timestamp())
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2].strip(">") or None)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        if letter.html:
            message.add_alternative(letter.html, subtype="html")
        return message


@dataclass(frozen=True)
class WebhookSender:
    """Posts texts as JSON to an address of the operator's, signed with HMAC-SHA256 over time and body."""

    url: str
    key: Secret[str]
    clock: Clock

    async def deliver(self, letter: Letter) -> None:
        """Post one text. Raises ``DeliveryFailed``."""
        body = json.dumps({"to": letter.to, "text": letter.text}).encode("utf-8")
        moment = str(int(self.clock().timestamp()))
        signed = hmac.new(self.key.reveal().encode("utf-8"), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "keystead-timestamp": moment,
            "keystead-signature": f"sha256={signed}",
        }
        await _post(self.url, headers=headers, content=body)


@dataclass(frozen=True)
class TwilioSender:
    """Speaks Twilio's form API against a configurable address: ``https://SID:TOKEN@api.twilio.com?from=+1...``."""

    url: Secret[str]
    sender: str

    async def deliver(self, letter: Letter) -> None:
        """Send one text. Raises ``DeliveryFailed``."""
        parts = urlsplit(self.url.reveal())
        account, token = unquote(parts.username or ""), unquote(parts.password or "")
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        url = f"{parts.scheme}://{host}/2010-04-01/Accounts/{account}/Messages.json"
        await _post(url, auth=(account, token), data={"To": letter.to, "From": self.sender, "Body": letter.text})


@dataclass(frozen=True)
class Outbox:
    """Puts messages aside in the database, where they are shown at ``/dev/outbox``."""

    db: Database
    clock: Clock
    entropy: Entropy

    async def deliver(self, letter: Letter) -> None:
        """Keep a letter."""
        await self.db.write(outbox.put, self.entropy.id("out_"), letter, self.clock())


@dataclass(frozen=True)
class Nobody:
    """Stands in on a public server where nothing is configured: no code or link may lie in the database in clear."""

    async def deliver(self, letter: Letter) -> None:
        """Fail, once and for all."""
        raise DeliveryFailed(permanent=True, detail=f"no way to send {letter.channel} is configured")


async def _post(url: str, **request: object) -> None:
    """Post without following redirects, which could carry a text to somebody else."""
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
            answer = await client.post(url, **request)  # type: ignore[arg-type]
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DeliveryFailed(detail=type(error).__name__) from None
    if not answer.is_success:
        refused = 400 <= answer.status_code < 500 and answer.status_code not in (408, 425, 429)
        raise DeliveryFailed(permanent=refused, detail=f"HTTP {answer.status_code}")
