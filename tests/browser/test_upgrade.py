"""A browser makes a passkey by itself after a password, or does not; and its owner takes it back by the mail's link.

Chromium's own virtual authenticators leave such a request pending, as a password manager may that is still thinking.
What answers it here is Playwright's, in the page.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.mailbox import Mailbox, link_in, open_mailbox
from browser.people import Person, Seen
from browser.site import Site, listening, serving
from conftest import Stencil
from keystead.secrecy import Secret

pytestmark = pytest.mark.browser

PROGRESSIVE = "Skip the password next time"
NOTICE = "You can sign in without a password now"


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
    """A server that sends its mails there, and lets browsers make passkeys by themselves."""
    settings = installation.settings.model_copy(update={"smtp_url": Secret(mailbox[1])})
    with serving(settings, installation.document, bound=listening()) as running:
        running.patch_options(passkey_policy={"automatic_upgrade": True})
        yield running


@pytest.fixture
def ann(somebody: SomebodyAt) -> Person:
    """Ann, who has a password, at a browser whose password manager makes passkeys."""
    ann = somebody(alone=True)
    ann.has_password()
    ann.page.context.credentials.install()
    return ann


def test_a_passkey_that_nobody_asked_for(ann: Person, mail: Mailbox, somebody: SomebodyAt) -> None:
    ann.signs_in_unhurried()
    assert ann.sees() == Seen("ann@example.com", "with a password", 1)
    (made,) = ann.page.context.credentials.get(rp_id="localhost")
    (known,) = ann.site.passkeys(ann.email)
    assert known["key_id"] == made["id"]

    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)

    message = mail.takes(NOTICE)
    assert message["to"] == "ann@example.com"
    phone = somebody(alone=True, viewport={"width": 390, "height": 844})
    phone.opens(link_in(message))
    phone.is_at("Remove this passkey?")
    phone.reads("ann@example.com")
    phone.presses("Remove the passkey")
    phone.is_at("The passkey is removed")
    assert ann.site.passkeys(ann.email) == []
    phone.watch.expects("400")
    phone.opens(link_in(message))
    phone.is_at("This link is not valid")


@ON_SQLITE
def test_a_browser_that_refuses_goes_on_to_the_ordinary_offer(ann: Person) -> None:
    """At once: what the page shows on the way is not seen."""
    ann.page.add_init_script(
        "navigator.credentials.create = async () => { throw new DOMException('no', 'NotAllowedError') }"
    )
    ann.signs_in_unhurried()
    ann.is_at(PROGRESSIVE)
    ann.presses("Not now")
    assert ann.sees().passkeys == 0


@ON_SQLITE
def test_a_browser_that_never_answers_is_not_waited_for(somebody: SomebodyAt) -> None:
    ann = somebody()
    ann.has_password()
    ann.signs_in_unhurried()
    ann.is_at("One moment…")
    ann.is_at(PROGRESSIVE)
    ann.presses("Create a passkey")
    assert ann.sees().passkeys == 1


@ON_SQLITE
def test_whoever_does_not_want_to_wait_goes_on(somebody: SomebodyAt) -> None:
    ann = somebody()
    ann.has_password()
    ann.signs_in_unhurried()
    ann.is_at("One moment…")
    ann.presses("Continue")
    ann.is_at(PROGRESSIVE)


@ON_SQLITE
def test_a_browser_that_cannot_never_sees_the_page(somebody: SomebodyAt) -> None:
    ann = somebody(alone=True)
    ann.has_password()
    ann.page.add_init_script("PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate: false })")
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    expect(ann.page.locator("input[name=can_upgrade]")).to_have_value("")
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.is_at(PROGRESSIVE)


@ON_SQLITE
def test_a_browser_without_scripts_never_sees_it_either(somebody: SomebodyAt) -> None:
    ann = somebody(java_script_enabled=False)
    ann.has_password()
    ann.opens("/u/account")
    ann.gives_password()
    ann.is_at(PROGRESSIVE)


@ON_SQLITE
def test_what_the_policy_refuses_is_not_kept(ann: Person) -> None:
    """Playwright's passkeys are bound to their device."""
    ann.site.patch_options(passkey_policy={"automatic_upgrade": True, "backup": "synced_only"})
    ann.signs_in_unhurried()
    ann.is_at(PROGRESSIVE)
    expect(ann.page.get_by_role("alert")).to_have_count(0)
    assert ann.site.passkeys(ann.email) == []
