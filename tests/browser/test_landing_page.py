"""The landing page: who is signed in, with what and when; and their passkeys."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Route, expect

from browser import ON_SQLITE
from browser.people import Person, Seen

pytestmark = pytest.mark.browser


@pytest.fixture
def ann(ann: Person) -> Person:
    """Ann, who has a password and is signed in with it."""
    ann.has_password()
    ann.signs_in_with_password()
    ann.presses("Not now")
    ann.is_signed_in()
    return ann


def test_who_how_and_when(ann: Person) -> None:
    assert ann.sees() == Seen("ann@example.com", "with a password", 0)
    said = ann.page.locator("#signed-in-at").get_attribute("datetime")
    assert said is not None
    assert abs(datetime.fromisoformat(said) - datetime.now(UTC)) < timedelta(minutes=1)
    picture = ann.page.locator("#picture")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    ann.page.reload()
    ann.is_signed_in()
    assert ann.page.url == f"{ann.site.url}/"


def test_passkeys_are_added_and_removed(ann: Person) -> None:
    ann.presses("Add a passkey")
    ann.reads("The passkey was added.")
    held = ann.site.passkeys(ann.email)
    card = ann.page.locator("#passkeys li")
    expect(card).to_have_attribute("data-id", held[0]["id"])
    expect(card).to_contain_text("Synced")
    expect(card).to_contain_text("not used yet")

    ann.presses("Remove Passkey")
    dialog = ann.page.get_by_role("dialog", name="Remove Passkey?")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    ann.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(card).to_have_count(1)

    ann.presses("Remove Passkey")
    dialog.get_by_role("button", name="Remove", exact=True).click()
    ann.reads("The passkey was removed here.")
    expect(card).to_have_count(0)
    expect(ann.page.locator("#no-passkeys")).to_be_visible()
    assert ann.site.passkeys(ann.email) == []


def test_signing_out_ends_the_session(ann: Person) -> None:
    ann.signs_out()
    # Nor are there logins left that were half done. That somebody logged in here once keeps strangers' locks away.
    assert [each["name"] for each in ann.page.context.cookies()] == ["keystead-device"]
    ann.page.reload()
    expect(ann.page.locator("#welcome")).to_be_visible()
    ann.goes_to_sign_in()
    ann.is_at("Sign in")


@ON_SQLITE
def test_no_account_is_shown_before_it_is_known(ann: Person) -> None:
    """What is hidden stays hidden while a style sheet is still on its way."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    ann.page.route("**/css/pages.css", hold)
    with ann.page.expect_request("**/css/pages.css"), ann.page.expect_response("**/home/home.css"):
        ann.page.goto(ann.site.url, wait_until="commit")
    ann.page.wait_for_function("document.querySelector('link[href*=home]').sheet !== null")
    expect(ann.page.locator("#account")).to_be_hidden()
    held[0].continue_()
    assert ann.sees().name == ann.email


@ON_SQLITE
def test_a_device_cannot_hold_two(ann: Person) -> None:
    ann.presses("Add a passkey")
    ann.reads("The passkey was added.")
    ann.presses("Add a passkey")
    ann.is_told("This device already holds a passkey for this account.")
    assert ann.sees().passkeys == 1


@ON_SQLITE
def test_a_cancelled_dialog_is_no_error(ann: Person) -> None:
    ann.device.refuses()
    ann.presses("Add a passkey")
    ann.reads("No passkey was used")
    expect(ann.page.get_by_role("alert")).to_have_count(0)


@ON_SQLITE
def test_an_old_login_is_renewed_before_a_passkey_is_added(ann: Person) -> None:
    """After five minutes the password is asked for again, and what was wanted is done on the way back."""
    ann.watch.expects("status of 403")
    ann.site.clock.advance(minutes=5, seconds=10)
    ann.presses("Add a passkey")
    ann.gives_password()
    ann.presses("Not now")
    ann.reads("The passkey was added.")
    assert ann.sees().passkeys == 1


@ON_SQLITE
def test_an_old_login_is_renewed_before_a_passkey_is_removed(ann: Person) -> None:
    ann.watch.expects("status of 403")
    ann.presses("Add a passkey")
    ann.reads("The passkey was added.")
    ann.site.clock.advance(minutes=5, seconds=10)
    ann.presses("Remove Passkey")
    ann.page.locator("#confirm-remove").click()
    ann.reads("The passkey was removed here.")
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 0)
    assert ann.site.passkeys(ann.email) == []


@ON_SQLITE
def test_a_token_that_has_run_out(ann: Person) -> None:
    ann.watch.expects("status of 401")
    ann.site.clock.advance(hours=25)
    ann.page.reload()
    ann.is_told("Your sign-in has expired. Sign in again.")
    ann.presses("Sign in")
    ann.is_signed_in()


@ON_SQLITE
def test_an_answer_that_nobody_asked_for(ann: Person) -> None:
    """A link with somebody else's code would sign the person in as somebody else (login CSRF)."""
    ann.opens("/?code=somebody-elses&state=made-up")
    ann.is_told("This answer belongs to no sign-in that was started in this tab.")
    assert ann.page.url == f"{ann.site.url}/"


@ON_SQLITE
def test_at_another_address(ann: Person) -> None:
    """Passkeys and redirects are bound to the public URL: the page says where that is."""
    ann.opens(ann.site.url.replace("localhost", "127.0.0.1"))
    ann.reads(re.compile("This server lives at http://localhost:[0-9]+/"))
    ann.cannot_press("Sign in")
