"""What the doctor tries: files of this machine, and hosts that somebody configured."""

import asyncio
import os
import shutil
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx2

from keystead.adapters.mail import SmtpPostman, system_trust
from keystead.rules.mail_servers import MailServer
from keystead.rules.messages import Letter
from keystead.rules.reachability import Certificate, Fetched

PATIENCE_SECONDS: Final = 10.0
_MOST: Final = 64 * 1024


@dataclass(frozen=True)
class SystemProber:
    """Tries it from here. ``sender`` is whom mail comes from where a stored server does not say."""

    sender: str
    trust: ssl.SSLContext | None = None
    """Whom to trust, where that is not whom the system trusts."""

    def modes(self, *paths: str) -> dict[str, int]:
        """Return the modes of the files that there are."""
        found = {}
        for path in paths:
            with suppress(OSError):
                found[path] = os.stat(path).st_mode
        return found

    def room(self, path: str) -> tuple[int, int]:
        """Return what is free where a path is, and all that there is."""
        usage = shutil.disk_usage(next(each for each in (Path(path), *Path(path).absolute().parents) if each.exists()))
        return usage.free, usage.total

    async def fetch(self, url: str) -> Fetched:
        """Get a document. It never fails: what went wrong is what was found."""
        trust = (self.trust or system_trust()) if url.startswith("https:") else False
        read = bytearray()
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                httpx2.AsyncClient(timeout=PATIENCE_SECONDS, verify=trust, follow_redirects=False) as client,
                client.stream("GET", url, headers={"user-agent": "keystead-doctor"}) as answer,
            ):
                async for part in answer.aiter_bytes():
                    read += part
                    if len(read) > _MOST:
                        break
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            return Fetched(failure=_plain(error))
        return Fetched(
            answer.status_code, _date(answer.headers.get("date", "")), bytes(read[:_MOST]).decode("utf-8", "replace")
        )

    async def certificate(self, host: str, port: int) -> Certificate:
        """Shake hands with whoever is there."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                _, writer = await asyncio.open_connection(
                    host, port, ssl=self.trust or system_trust(), server_hostname=host
                )
        except (OSError, TimeoutError) as error:
            return Certificate(failure=_plain(error))
        shown = writer.get_extra_info("ssl_object").getpeercert()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return Certificate(datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC))

    async def mail(self, server: MailServer, to: str, now: datetime) -> None:
        """Log in, and send where there is somebody to send to. Raises ``DeliveryFailed``."""
        postman = SmtpPostman(replace(server, sender=server.sender or self.sender), lambda: now, self.trust)
        if not to:
            await postman.greet()
            return
        text = "This is a test. Whoever reads it knows that Keystead can send mail."
        await postman.deliver(Letter(channel="email", to=to, subject="Keystead can send mail", text=text))


def _date(text: str) -> datetime | None:
    with suppress(ValueError, TypeError):
        found = parsedate_to_datetime(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _plain(error: Exception) -> str:
    """Say why, in one line, and without what a library says about itself."""
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return f"no answer within {PATIENCE_SECONDS:.0f} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
