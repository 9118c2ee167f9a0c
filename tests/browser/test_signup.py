"""People become accounts."""

import pytest
from playwright.sync_api import expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import Person, Seen

pytestmark = pytest.mark.browser


def test_with_a_passkey(ann: Person) -> None:
    ann.signs_up_with_passkey()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)
    assert len(ann.site.passkeys("ann@example.com")) == len(ann.device.credentials) == 1


def test_with_a_password(ann: Person) -> None:
    ann.signs_up_with_password()
    assert ann.sees() == Seen("ann@example.com", "with a password", 0)
    assert ann.device.credentials == []


def test_nothing_exists_before_the_passkey_does(ann: Person) -> None:
    """Closing the dialog is no error, leaves no account behind, and a password is still to be had."""
    ann.device.refuses()
    ann.goes_to_sign_up()
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.presses("Create a passkey")
    ann.reads("No passkey was used: the window was closed or timed out.")
    expect(ann.passkeys_stand).to_have_attribute("data-state", "cancelled")
    assert ann.site.manage("GET", "/users") == []

    ann.device.relents()
    ann.presses("Create a passkey")
    ann.is_signed_in()


@ON_SQLITE
def test_an_identifier_can_be_changed_before_the_account_exists(ann: Person) -> None:
    ann.goes_to_sign_up()
    ann.types(email="an@example.com")
    ann.presses("Continue")
    ann.reads("for an@example.com")
    ann.presses("Change account")
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    ann.presses("Create a passkey instead")
    ann.presses("Create a passkey")
    assert ann.sees().name == ann.email
    assert len(ann.site.manage("GET", "/users")) == 1


def test_a_taken_address_is_refused_without_saying_so(ann: Person) -> None:
    ann.has_password()
    ann.watch.expects("status of 400")
    ann.goes_to_sign_up()
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.is_told("We could not sign you up with these details. If you have an account already, sign in.")
    ann.presses("Sign in")
    ann.is_at("Sign in")


@ON_SQLITE
def test_a_weak_password_is_refused_with_the_rules(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.goes_to_sign_up()
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    ann.reads("15 characters")
    ann.types(password="short")
    ann.sends_unchecked("Create account")
    ann.is_told("Password")
    expect(ann.page.locator("#password")).to_have_attribute("aria-invalid", "true")
    expect(ann.page.locator("#password")).to_be_focused()
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.is_signed_in()


@ON_SQLITE
def test_what_is_no_address_is_refused(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.goes_to_sign_up()
    ann.types(email="ann at example")
    ann.sends_unchecked("Continue")
    expect(ann.page.get_by_role("alert")).to_be_visible()
    expect(ann.page.locator("#email")).to_have_value("ann at example")
    expect(ann.page.locator("#email")).to_be_focused()


def test_a_second_account_on_the_same_device(ann: Person) -> None:
    """The device keeps a passkey for each; signing in as one never shows the other."""
    ann.has_passkey()
    ann.email = "bob@example.com"
    ann.signs_up_with_passkey()
    assert ann.sees() == Seen("bob@example.com", "with a passkey", 1)
    assert len(ann.device.credentials) == 2

    of_bob = ann.site.passkeys("bob@example.com")[0]
    ann.signs_out()
    ann.device.forgets(of_bob["key_id"])
    ann.goes_to_sign_in()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)


@ON_SQLITE
def test_a_second_account_without_signing_out_ends_the_first_session(ann: Person, somebody: SomebodyAt) -> None:
    ann.signs_up_with_passkey()
    first = next(each for each in ann.page.context.cookies() if each["name"] == "keystead-session")
    ann.page.evaluate("sessionStorage.clear()")
    ann.email = "bob@example.com"
    ann.signs_up_with_passkey()
    assert ann.sees().name == "bob@example.com"

    thief = somebody("mallory@example.com")
    thief.page.context.add_cookies([first])  # type: ignore[list-item]  # what was read is what can be set
    thief.goes_to_sign_in()
    thief.is_at("Sign in")
