"""A real mail server that keeps what it is sent."""

import email
import email.policy
import queue
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from browser.site import listening, port_of

PATIENCE_SECONDS = 30


@dataclass
class Mailbox:
    """Where every mail ends, whoever it is to; read in the order of arrival."""

    arrived: "queue.Queue[EmailMessage]" = field(default_factory=queue.Queue)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.arrived.put(message)
        return "250 OK"

    def takes(self, subject: str) -> EmailMessage:
        """Wait for the mail with a subject; earlier ones are passed over."""
        while True:
            message = self.arrived.get(timeout=PATIENCE_SECONDS)
            if re.search(subject, message["subject"]):
                return message


@contextmanager
def open_mailbox() -> Iterator[tuple[Mailbox, str]]:
    """Run the server on loopback; give the mailbox and its address as a setting has it."""
    mailbox = Mailbox()
    with listening() as bound:
        port = port_of(bound)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox, f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()


def link_in(message: EmailMessage) -> str:
    """Return the link that the button of a mail leads to, which its plain text writes out too."""
    html, plain = (message.get_body((kind,)) for kind in ("html", "plain"))
    assert html is not None
    assert plain is not None
    found = re.search(r'href="([^"]+)"', html.get_content())
    assert found is not None
    assert found[1] in plain.get_content()
    return found[1]


def code_in(message: EmailMessage) -> str:
    """Return the six digits in a mail."""
    plain = message.get_body(("plain",))
    assert plain is not None
    found = re.search(r"\b([0-9]{6})\b", plain.get_content())
    assert found is not None
    return found[1]
