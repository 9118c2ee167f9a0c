"""Where messages go, by the environment: what is accepted, what is refused in one line, and what is warned about."""

import pytest

from keystead.start import doubts
from test_settings import environment, read, refusal

TWILIO = "twilio+https://AC1:token@api.twilio.com"


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.com",
        "smtp://user:p%40ss@mail.example.com:587",
        "smtp://mail.example.com:25/?tls=never",
        "smtp://mail.example.com?tls=required",
        "smtp://[::1]:1025?tls=offered",
        "smtps://user:pass@mail.example.com:465",
        " smtps://mail.example.com ",
    ],
)
def test_mail_servers(url: str) -> None:
    assert read(SMTP_URL=url).smtp_url.reveal() == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        *("mail.example.com", "http://mail.example.com", "smtp://", "smtp://:25", "smtp://mail.example.com:0"),
        *("smtp://mail.example.com:99999", "smtp://mail.example.com:smtp", "smtp://mail.example.com/path"),
        *("smtp://mail.example.com?tls=maybe", "smtps://mail.example.com?tls=never", "smtp://mail.example.com#x"),
        *("smtp://user:p@ss@mail.example.com", "smtp://user:p/ss@mail.example.com", "smtp://a b"),
    ],
)
def test_refused_mail_servers(url: str) -> None:
    told = refusal(SMTP_URL=url)
    assert told.startswith("KEYSTEAD_SMTP_URL: must be smtp://user:password@host:587")
    assert "\n" not in told
    assert "p@ss" not in told


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://localhost:8000", "no-reply@localhost"),
        ("https://login.example.com:8443", "no-reply@login.example.com"),
        ("http://[::1]:8000", "no-reply@[::1]"),
    ],
)
def test_mail_comes_from_the_public_host(url: str, sender: str) -> None:
    assert read(PUBLIC_URL=url).mail_from == sender


@pytest.mark.parametrize(
    "sender", ["a@example.com", "Example <a@example.com>", '"Example, Inc." <a@example.com>', "Beispiel-Büro <a@b>"]
)
def test_senders(sender: str) -> None:
    assert read(MAIL_FROM=sender).mail_from == sender


@pytest.mark.parametrize(
    "sender", ["a", "a@", "a@b, c@d", "Example, Inc. <a@example.com>", "a@b\r\nBcc: c@d", "x <a@b> y", "<a@b>, <c@d>"]
)
def test_refused_senders(sender: str) -> None:
    assert "KEYSTEAD_MAIL_FROM: must be an address" in refusal(MAIL_FROM=sender)


@pytest.mark.parametrize(
    "url",
    [
        "webhook+https://example.com/sms?x=1",
        "webhook+https://user:pass@example.com:8443/sms",
        "webhook+http://127.0.0.1:9000/sms",
        "webhook+http://localhost/",
    ],
)
def test_webhooks(url: str) -> None:
    settings = read(SMS_URL=url, SMS_KEY="key")
    assert (settings.sms_url.reveal(), settings.sms_key.reveal()) == (url, "key")
    assert refusal(SMS_URL=url) == "KEYSTEAD_SMS_KEY: must hold the key that texts are signed with"


def test_twilio() -> None:
    assert read(SMS_URL=TWILIO, SMS_FROM="+15005550006").sms_from == "+15005550006"
    assert refusal(SMS_URL=TWILIO) == "KEYSTEAD_SMS_FROM: must hold the number that texts come from"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://example.com",
            "webhook+http://example.com",
            "twilio+http://AC1:token@api.twilio.com",
            "webhook+ftp://x",
        ),
        *(
            "twilio+https://api.twilio.com",
            "twilio+https://AC1@api.twilio.com",
            "webhook+https://",
            "webhook+https://x:0/",
        ),
        *("webhook+http://localhost.evil.example/", "webhook+http://localhost@evil.example/", "webhook+https://x/#y"),
    ],
)
def test_refused_gateways(url: str) -> None:
    told = refusal(SMS_URL=url, SMS_KEY="key", SMS_FROM="+15005550006")
    assert told.startswith("KEYSTEAD_SMS_URL: must ")
    assert "AC1:token" not in told.partition("must")[0]


def test_secrets_from_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("secrets") / "secret"
    path.write_text("smtp://ann:secret@mail.example.com\n", encoding="utf-8")
    settings = read(SMTP_URL_FILE=str(path))
    assert settings.smtp_url.reveal() == "smtp://ann:secret@mail.example.com"
    assert "secret" not in repr(settings).replace("secret_keys", "")
    path.write_text(TWILIO, encoding="utf-8")
    assert read(SMS_URL_FILE=str(path), SMS_FROM="+15005550006").sms_url.reveal() == TWILIO
    path.write_text("key\n", encoding="utf-8")
    assert read(SMS_KEY_FILE=str(path)).sms_key.reveal() == "key"


def test_what_is_doubtful() -> None:
    def found(**variables: str) -> list[str]:
        with environment(**variables):
            return doubts(read(**variables))

    https = {"PUBLIC_URL": "https://login.example.com"}
    (told,) = found(**https)
    assert told.startswith("KEYSTEAD_SMTP_URL: none; unless a server is stored")
    assert found(**https, SMTP_URL="smtp://mail.example.com") == []
    assert found() == []
    (told,) = found(HOST="0.0.0.0")  # noqa: S104 - nothing listens
    assert told == "KEYSTEAD_HOST: whoever reaches 0.0.0.0 can read the messages at http://localhost:8000/dev/outbox"
