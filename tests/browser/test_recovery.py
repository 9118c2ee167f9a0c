"""A life without passwords, in Chromium: sign up with a passkey, lose it, and get in again by a code by mail."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.mailbox import Mailbox, code_in, link_in, open_mailbox
from browser.people import BUTTON, Person
from browser.site import Site, listening, serving
from conftest import Stencil
from keystead.secrecy import Secret
from recovery import ENTRY, NO_PASSWORDS, PASSWORDLESS

pytestmark = pytest.mark.browser


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
    """A server that sends its mails there, on whose default connection there are no passwords."""
    settings = installation.settings.model_copy(update={"smtp_url": Secret(mailbox[1])})
    with serving(settings, installation.document, bound=listening()) as running:
        running.patch_options(**NO_PASSWORDS)
        yield running


def loses_the_device(ann: Person) -> list[dict[str, object]]:
    """Ann has another device from now on, with nothing on it; return what was on the one before."""
    held = ann.device.credentials
    ann.device.is_lost()
    ann.device = ann.devices.add()
    return held


def asks_for_a_code(ann: Person) -> None:
    """From the landing page to where the code is typed."""
    ann.goes_to_sign_in()
    ann.is_at("Sign in")
    ann.presses(ENTRY)
    ann.is_at(ENTRY)
    ann.types(username=ann.email)
    ann.presses("Send the code")
    ann.is_at("Enter the code")
    ann.reads("If there is an account with these details")


@pytest.mark.parametrize("removes", [True, False], ids=["the old one is removed", "the old one is kept"])
def test_a_life_without_passwords(ann: Person, mail: Mailbox, removes: bool) -> None:
    ann.watch.expects("status of 403")
    ann.signs_up_with_passkey()
    ann.opens(link_in(mail.takes("Confirm your email address")))
    ann.presses("Confirm")
    ann.opens()
    ann.signs_out()
    held = loses_the_device(ann)
    asks_for_a_code(ann)
    code = code_in(mail.takes("is your code"))
    ann.types(code=f"{(int(code) + 1) % 1_000_000:06d}")
    ann.presses("Continue")
    ann.is_told("The code is wrong, or is no longer valid.")
    ann.types(code=code)
    ann.presses("Continue")
    ann.is_at("Create a new passkey")
    ann.reads(ann.email)
    expect(ann.page.get_by_label("Remove my other passkeys")).not_to_be_checked()
    if removes:
        ann.ticks("Remove my other passkeys")
    ann.presses("Create a passkey")
    ann.is_at("Your new passkey is ready")
    mail.takes("Your account was recovered")
    assert len(ann.site.passkeys(ann.email)) == (1 if removes else 2)
    assert len(ann.device.credentials) == 1
    ann.presses("Sign in")  # her new device answers the page by itself
    assert ann.sees().method == "with a passkey"
    ann.signs_out()
    ann.device.is_lost()
    ann.device = ann.devices.add()
    ann.device.ignores()
    ann.device.holds_again(held)
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    ann.answers_when_asked_again()
    ann.presses("Sign in with a passkey")
    if removes:
        ann.is_told("This passkey is not known here any more")
    else:
        ann.is_signed_in()


@ON_SQLITE
def test_a_device_that_makes_none_can_try_again(ann: Person, mail: Mailbox) -> None:
    """Nothing is used up by a dialog that was closed; the tick stays where it was set."""
    ann.signs_up_with_passkey()
    ann.site.manage("PATCH", f"/users/{ann.site.account(ann.email)['user_id']}", {"email_verified": True})
    ann.opens()
    ann.signs_out()
    loses_the_device(ann)
    asks_for_a_code(ann)
    ann.types(code=code_in(mail.takes("is your code")))
    ann.presses("Continue")
    ann.ticks("Remove my other passkeys")
    ann.device.refuses()
    ann.presses("Create a passkey")
    ann.reads("No passkey was used")
    ann.device.relents()
    expect(ann.page.get_by_label("Remove my other passkeys")).to_be_checked()
    ann.presses("Create a passkey")
    ann.is_at("Your new passkey is ready")
    ann.reads("Your other passkeys were removed")
    assert len(ann.site.passkeys(ann.email)) == 1


@ON_SQLITE
def test_somebody_with_a_password_as_well_chooses_what_they_lost(ann: Person, mail: Mailbox) -> None:
    both = {"password": {"enabled": True}, "passkey": {"enabled": True}}
    ann.site.patch_options(authentication_methods=both, **PASSWORDLESS)
    ann.has_password()
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.cannot_press("Forgot your password?")
    ann.presses(ENTRY)
    ann.is_at(ENTRY)
    expect(ann.page.locator("#username")).to_have_value(ann.email)
    ann.presses("I forgot my password")
    ann.is_at("Check your messages")
    ann.opens(link_in(mail.takes("Choose a new password")))
    ann.is_at("Choose a new password")


@ON_SQLITE
def test_the_pages_as_they_are_read_aloud(ann: Person) -> None:
    ann.goes_to_sign_in()
    expect(ann.page.locator("body")).to_match_aria_snapshot(
        f"""
        - main:
          - heading "Sign in" [level=1]
          - paragraph: to continue to Default App
          - text: Email address
          - textbox "Email address"
          - paragraph: Passwords are not used here. Your browser suggests the passkeys that you have.
          - button "Sign in with a passkey"
          - status
          - paragraph:
            - link "{ENTRY}"
          - paragraph:
            - text: New here?
            - link "Create an account"
        """
    )
    ann.presses(ENTRY)
    expect(ann.page.locator("#username")).to_be_focused()
    ann.types(username="nobody@example.com")
    ann.page.keyboard.press("Enter")
    ann.is_at("Enter the code")
    expect(ann.page.locator("#code")).to_be_focused()
    ann.watch.expects("status of 403")
    ann.types(code="000000")
    ann.page.keyboard.press("Enter")
    ann.is_told("The code is wrong, or is no longer valid.")
    expect(ann.page.locator("#code")).to_have_accessible_description("The code is wrong, or is no longer valid.")


@ON_SQLITE
def test_without_scripts_the_page_says_what_it_needs(somebody: SomebodyAt, mail: Mailbox) -> None:
    ann = somebody(java_script_enabled=False)
    ann.site.has_passkey(ann.email)
    ann.site.manage("PATCH", f"/users/{ann.site.account(ann.email)['user_id']}", {"email_verified": True})
    ann.opens("/u/account")
    ann.presses(ENTRY)
    ann.types(username=ann.email)
    ann.presses("Send the code")
    ann.types(code=code_in(mail.takes("is your code")))
    ann.presses("Continue")
    ann.is_at("Create a new passkey")
    expect(ann.page.locator("noscript p")).to_be_visible()
    expect(ann.page.locator(BUTTON)).to_be_hidden()
