"""People do what a mail says: it came by SMTP, and its link is opened in Chromium."""

from collections.abc import Iterator

import pytest

from browser.conftest import SomebodyAt
from browser.mailbox import Mailbox, code_in, link_in, open_mailbox
from browser.people import Person
from browser.site import Site, listening, serving
from conftest import Stencil
from keystead.secrecy import Secret

pytestmark = pytest.mark.browser

NEW = "a new horse battery"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    """A mail server."""
    with open_mailbox() as opened:
        yield opened


@pytest.fixture
def mail(mailbox: tuple[Mailbox, str]) -> Mailbox:
    """What arrives there."""
    return mailbox[0]


@pytest.fixture
def site(installation: Stencil, mailbox: tuple[Mailbox, str]) -> Iterator[Site]:
    """A server that sends its mails there."""
    settings = installation.settings.model_copy(update={"smtp_url": Secret(mailbox[1])})
    with serving(settings, installation.document, bound=listening()) as running:
        yield running


def test_an_address_is_confirmed(ann: Person, mail: Mailbox) -> None:
    ann.signs_up_with_password()
    message = mail.takes("Confirm your email address")
    assert message["to"] == "ann@example.com"
    assert message["from"] == "no-reply@localhost"
    ann.opens(link_in(message))
    ann.is_at("Confirm your address")
    ann.reads("ann@example.com")
    assert ann.site.account(ann.email)["email_verified"] is False
    ann.presses("Confirm")
    ann.is_at("Thank you, that is confirmed")
    assert ann.site.account(ann.email)["email_verified"] is True
    mail.takes("Welcome to")


def test_another_device_asks_for_the_password(ann: Person, somebody: SomebodyAt, mail: Mailbox) -> None:
    ann.signs_up_with_password()
    phone = somebody(alone=True, viewport={"width": 390, "height": 844})
    phone.watch.expects("400")
    phone.opens(link_in(mail.takes("Confirm your email address")))
    phone.types(password="not it")
    phone.presses("Confirm")
    phone.is_told("That is not the password of this account.")
    phone.types(password=ann.password)
    phone.presses("Confirm")
    phone.is_at("Thank you, that is confirmed")
    assert ann.site.account(ann.email)["email_verified"] is True


def test_whoever_signed_up_with_a_stranger_s_address_is_out(ann: Person, somebody: SomebodyAt, mail: Mailbox) -> None:
    ann.signs_up_with_password()
    stranger = somebody(alone=True)
    stranger.opens(link_in(mail.takes("Confirm your email address")))
    stranger.presses("This was not me")
    stranger.is_at("Thank you for telling us")
    stranger.presses("Choose a password")
    stranger.is_at("Choose a new password")
    stranger.types(password=NEW)
    stranger.presses("Set the password")
    mail.takes("Your password was changed")
    stranger.goes_to_sign_in()
    stranger.gives_password(NEW)
    stranger.presses("Not now")
    stranger.is_signed_in()
    ann.watch.expects("401")
    ann.watch.expects("403")
    ann.goes_to_sign_in()
    ann.gives_password()
    ann.is_told("Wrong email address or password.")


def test_a_forgotten_password_is_replaced(ann: Person, mail: Mailbox) -> None:
    ann.has_password()
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.presses("Forgot your password?")
    ann.presses("Send the message")
    ann.reads("we have sent a message with a link")
    ann.opens(link_in(mail.takes("Choose a new password")))
    ann.is_at("Choose a new password")
    ann.types(password=NEW)
    ann.presses("Set the password")
    ann.goes_to_sign_in()
    ann.gives_password(NEW)
    ann.presses("Not now")
    ann.is_signed_in()


def test_a_code_opens_the_way_to_an_account(ann: Person, mail: Mailbox) -> None:
    strict = {"status": "required", "verification": {"active": True}}
    ann.site.patch_options(attributes={"email": {"verification_method": "code", "signup": strict}})
    ann.watch.expects("403")
    ann.goes_to_sign_up()
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.is_at("Enter the code")
    ann.reads(ann.email)
    code = code_in(mail.takes("is your code"))
    ann.types(code=f"{(int(code) + 1) % 1_000_000:06d}")
    ann.presses("Continue")
    ann.is_told("The code is wrong, or is no longer valid.")
    ann.types(code=f"{code[:3]} {code[3:]}")
    ann.presses("Continue")
    ann.is_at("Create a passkey")
    ann.presses("Create a passkey")
    ann.is_signed_in()
    assert ann.site.account(ann.email)["email_verified"] is True


def test_a_new_account_waits_for_its_link(ann: Person, mail: Mailbox) -> None:
    strict = {"status": "required", "verification": {"active": True}}
    ann.site.patch_options(attributes={"email": {"signup": strict}})
    ann.goes_to_sign_up()
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.presses("Create a passkey")
    ann.is_at("Check your messages")
    ann.reads(ann.email)
    other_tab = ann.in_another_tab()
    other_tab.opens(link_in(mail.takes("Confirm your email address")))
    other_tab.presses("Confirm")
    other_tab.is_at("Thank you, that is confirmed")
    with ann.page.expect_navigation():
        ann.presses("Sign in")
    ann.is_signed_in()
