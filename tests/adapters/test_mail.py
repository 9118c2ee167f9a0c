"""Delivery to real servers: SMTP in the clear, with STARTTLS and with TLS at once; texts by webhook and by form."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from keystead.adapters.mail import Nobody, SmtpPostman, TwilioSender, WebhookSender, server_of
from keystead.errors import DeliveryFailed
from keystead.rules.mail_servers import MailServer, Tls
from keystead.rules.messages import Letter
from keystead.secrecy import Secret
from post_box import PostBox, gateway, post_box, trusting

ANN = ("ann", "p@ss/word")
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MAIL = Letter(
    channel="email",
    to="ann@example.com",
    subject="Grüße & more",
    text="Öffnen:\nhttps://login.example.com/u/x?ticket=abc#\n",
    html="<p>Öffnen</p>" + "x" * 2000,
    id="job_1",
)
TEXT = Letter(channel="sms", to="+4915123456789", text="123456 ist Ihr Code", id="job_2")


def postman(box: PostBox, tls: Tls = "offered", login: tuple[str, str] = ("", "")) -> SmtpPostman:
    user, password = login
    server = MailServer("localhost", box.port, user, Secret(password), tls, "Keystead <no-reply@login.example.com>")
    return SmtpPostman(server, lambda: NOW, trust=trusting())


async def failure(sender: SmtpPostman | WebhookSender | TwilioSender | Nobody, letter: Letter = MAIL) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        await sender.deliver(letter)
    return failed.value


async def test_a_mail_arrives_as_it_was_written() -> None:
    async with post_box() as box:
        await postman(box).deliver(MAIL)
    (mail,), (envelope,) = box.mails, box.envelopes
    assert (mail["From"], mail["To"]) == ("Keystead <no-reply@login.example.com>", "ann@example.com")
    assert mail["Subject"] == "Grüße & more"
    assert mail["Message-ID"] == "<job_1@login.example.com>"
    assert mail["Date"] == "Mon, 01 Jun 2026 12:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@login.example.com", ["ann@example.com"])
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and html is not None  # noqa: PT018 - either is missing
    assert plain.get_content().replace("\r\n", "\n") == MAIL.text
    assert html.get_content().strip() == MAIL.html
    assert isinstance(envelope.content, bytes)
    assert max(map(len, envelope.content.splitlines())) < 80


async def test_a_sender_of_the_template_wins() -> None:
    async with post_box() as box:
        await postman(box).deliver(MAIL.model_copy(update={"sender": '"Ann, Bob & Co." <team@example.com>'}))
    assert box.mails[0]["From"].addresses[0].display_name == "Ann, Bob & Co."
    assert box.envelopes[0].mail_from == "team@example.com"


@pytest.mark.parametrize("tls", ["offered", "required"])
async def test_starttls(tls: Tls) -> None:
    async with post_box(starttls=True) as box:
        await postman(box, tls).deliver(MAIL)
    assert box.secure == [True]


async def test_tls_at_once() -> None:
    async with post_box(at_once=True) as box:
        await postman(box, "at once").deliver(MAIL)
    assert len(box.mails) == 1


async def test_plain_text_where_nothing_is_offered() -> None:
    async with post_box() as box:
        await postman(box, "offered").deliver(MAIL)
    assert box.secure == [False]


async def test_tls_that_is_required_is_not_done_without() -> None:
    async with post_box() as box:
        failed = await failure(postman(box, "required", ANN))
    assert (box.mails, box.users, failed.permanent) == ([], [], False)


@pytest.mark.parametrize("tls", ["offered", "required", "at once"])
async def test_a_certificate_that_nobody_vouches_for_is_refused(tls: Tls) -> None:
    async with post_box(starttls=tls != "at once", at_once=tls == "at once") as box:
        server = MailServer("localhost", box.port, "", Secret(""), tls, "a@example.com")
        failed = await failure(SmtpPostman(server, lambda: NOW))
    assert (box.mails, failed.permanent) == ([], False)


async def test_a_login() -> None:
    async with post_box(starttls=True, auth_required=True) as box:
        await postman(box, "required", ANN).deliver(MAIL)
    assert (box.users, len(box.mails)) == (["ann"], 1)


async def test_a_refused_login_may_be_put_right() -> None:
    async with post_box(starttls=True, auth_required=True) as box:
        failed = await failure(postman(box, "required", ("ann", "wrong")))
    assert not failed.permanent
    assert "login was refused: 535" in failed.detail
    assert "wrong" not in failed.detail


@pytest.mark.parametrize(("answer", "permanent"), [("451 try again", False), ("554 no", True)])
async def test_what_the_server_says_of_a_mail(answer: str, permanent: bool) -> None:
    async with post_box() as box:
        box.refusals.append(answer)
        failed = await failure(postman(box))
    assert (failed.permanent, failed.detail) == (permanent, answer)


@pytest.mark.parametrize(("answer", "permanent"), [("450 greylisted", False), ("550 nobody here", True)])
async def test_what_the_server_says_of_a_recipient(answer: str, permanent: bool) -> None:
    async with post_box() as box:
        box.refused_recipients.append(answer)
        failed = await failure(postman(box))
    assert (failed.permanent, failed.detail) == (permanent, answer)


async def test_nobody_listens() -> None:
    async with post_box() as box:
        pass
    assert not (await failure(postman(box))).permanent


@pytest.mark.parametrize(
    "change", [{"subject": "a\r\nBcc: eve@example.com"}, {"to": "ann@example.com, eve@example.com"}]
)
async def test_no_header_can_be_added(change: dict[str, str]) -> None:
    async with post_box() as box:
        failed = await failure(postman(box), MAIL.model_copy(update=change))
    assert (box.mails, failed.permanent) == ([], True)


async def test_a_webhook_is_signed() -> None:
    async with gateway() as found:
        await WebhookSender(f"http://127.0.0.1:{found.port}/sms", Secret("key"), lambda: NOW).deliver(TEXT)
    ((line, headers, body),) = found.requests
    assert line == "POST /sms HTTP/1.1"
    assert json.loads(body) == {"id": "job_2", "to": "+4915123456789", "text": "123456 ist Ihr Code"}
    assert headers["keystead-timestamp"] == str(int(NOW.timestamp()))
    signed = headers["keystead-timestamp"].encode() + b"." + body
    assert headers["keystead-signature"] == "sha256=" + hmac.new(b"key", signed, hashlib.sha256).hexdigest()


async def test_twilios_form() -> None:
    async with gateway() as found:
        url = Secret(f"http://AC1:t%40ken@127.0.0.1:{found.port}/base/")
        await TwilioSender(url, "+15005550006").deliver(TEXT)
    ((line, headers, body),) = found.requests
    assert line == "POST /base/2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"
    assert headers["authorization"] == "Basic QUMxOnRAa2Vu"
    assert parse_qs(body.decode()) == {"To": [TEXT.to], "From": ["+15005550006"], "Body": [TEXT.text]}


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (401, False), (404, True), (429, False), (500, False), (307, False)]
)
async def test_what_a_gateway_says(status: int, permanent: bool) -> None:
    async with gateway() as found:
        found.statuses.append(status)
        failed = await failure(WebhookSender(f"http://127.0.0.1:{found.port}/", Secret("key"), lambda: NOW), TEXT)
    assert (failed.permanent, failed.detail) == (permanent, f"HTTP {status}")
    assert len(found.requests) == 1


async def test_a_gateway_that_is_not_there() -> None:
    async with gateway() as found:
        pass
    sender = TwilioSender(Secret(f"http://AC1:token@127.0.0.1:{found.port}"), "+15005550006")
    failed = await failure(sender, TEXT)
    assert not failed.permanent
    assert "token" not in failed.detail


async def test_nobody_delivers_nothing() -> None:
    assert (await failure(Nobody())).permanent


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 587, "", "", "offered")),
        ("smtp://ann:p%40ss@mail.example.com:2525", ("mail.example.com", 2525, "ann", "p@ss", "required")),
        ("smtp://ann:pass@mail.example.com?tls=offered", ("mail.example.com", 587, "ann", "pass", "offered")),
        ("smtp://mail.example.com/?tls=required", ("mail.example.com", 587, "", "", "required")),
        ("smtp://mail.example.com?tls=never", ("mail.example.com", 587, "", "", "never")),
        ("smtp://ann:pass@localhost:1025", ("localhost", 1025, "ann", "pass", "offered")),
        ("smtps://ann:pass@mail.example.com", ("mail.example.com", 465, "ann", "pass", "at once")),
    ],
)
def test_urls(url: str, server: tuple[str, int, str, str, str]) -> None:
    found = server_of(Secret(url), "a@example.com")
    assert (found.host, found.port, found.user, found.password.reveal(), found.tls) == server
    assert found.sender == "a@example.com"
